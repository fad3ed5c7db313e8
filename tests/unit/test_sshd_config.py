# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S11: what loosens sshd behind the project's drop-in. The test makes up all files."""

from __future__ import annotations

import fnmatch

import pytest
from ansible.module_utils.lobsterpot import sshd_config

FOLDER = "/etc/ssh/sshd_config.d"
MAIN = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nX11Forwarding yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n"


def problems(files: dict[str, str], *, passwords: bool) -> list[str]:
    """The problems of a host with these files; Debian's own main file is among them unless another one is."""
    present = {"/etc/ssh/sshd_config": MAIN, **files}
    on_passwords, others = sshd_config.problems(lambda path: present.get(path, ""), lambda pattern: fnmatch.filter(present, pattern))
    return on_passwords if passwords else others


def both(files: dict[str, str]) -> list[str]:
    return problems(files, passwords=True) + problems(files, passwords=False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Port 2022\n",
        "# PasswordAuthentication yes\n  #PermitRootLogin yes\n",
        "Match Group sftp-only\n  ChrootDirectory /srv/sftp\n  ForceCommand internal-sftp -l INFO\n  PasswordAuthentication no\n",
        "Match Address 192.0.2.0/24\n  PermitRootLogin prohibit-password\n  MaxAuthTries 2\n  LogLevel DEBUG1\n  AllowUsers admin\n",
        "Match User git\n  AuthenticationMethods publickey\n  AuthorizedKeysFile /etc/ssh/keys/%u\n  RequiredRSASize 3072\n  DenyUsers *\n",
        "Match all\n  X11Forwarding NO # for all\n  PasswordAuthentication=no\n",
    ],
)
def test_what_loosens_nothing(content: str) -> None:
    """Blocks that are as strict as the drop-in, or speak of something else, are the operator's own business."""
    assert both({f"{FOLDER}/00-team.conf": content, f"{FOLDER}/50-team.conf": content}) == []


@pytest.mark.parametrize(
    ("setting", "passwords"),
    [
        ("PasswordAuthentication yes", True),
        ("passwordauthentication=YES", True),
        ("PasswordAuthentication = yes", True),
        ('"PasswordAuthentication" "yes"', True),
        ("KbdInteractiveAuthentication yes", True),
        ("ChallengeResponseAuthentication yes", True),
        ("PermitRootLogin yes", True),
        ("AuthenticationMethods none", False),
        ("PermitEmptyPasswords yes", False),
        ("HostbasedAuthentication yes", False),
        ("AllowTcpForwarding yes", False),
        ("AllowTcpForwarding remote", False),
        ("AllowStreamLocalForwarding all", False),
        ("AllowAgentForwarding yes", False),
        ("X11Forwarding yes # for the team", False),
        ("GatewayPorts clientspecified", False),
        ("PermitTunnel point-to-point", False),
        ("PermitUserRC yes", False),
        ("MaxAuthTries 6", False),
        ("LogLevel QUIET", False),
        ("RequiredRSASize 1024", False),
        ("DenyUsers nobody", False),
    ],
)
def test_a_setting_that_loosens_in_a_block(setting: str, passwords: bool) -> None:
    """Each promise of the drop-in, and each spelling that sshd takes, by file and line."""
    files = {f"{FOLDER}/50-team.conf": f"# Team\nMatch User admin\n\t{setting}\n"}
    expected = [f"/etc/ssh/sshd_config.d/50-team.conf:3: `{setting}` in the block `Match User admin`"]
    assert problems(files, passwords=passwords) == expected
    assert problems(files, passwords=not passwords) == []


def test_a_file_that_a_block_includes() -> None:
    """What is included in a block belongs to the block, also a second file deep; a block ends with the file that it stands in."""
    files = {
        "/etc/ssh/sshd_config": MAIN
        + "Match Address 192.0.2.7\n  Include extra/*.conf /etc/ssh/more\nMatch User git\n  X11Forwarding no\n",
        "/etc/ssh/extra/a.conf": "Include /etc/ssh/deep\n",
        "/etc/ssh/deep": "PasswordAuthentication yes\nMatch User ada\n",
        "/etc/ssh/more": "PermitRootLogin yes\n",
    }
    assert both(files) == [
        "/etc/ssh/deep:1: `PasswordAuthentication yes` in the block `Match Address 192.0.2.7`",
        "/etc/ssh/more:1: `PermitRootLogin yes` in the block `Match Address 192.0.2.7`",
    ]


def test_what_is_read_before_the_drop_in() -> None:
    """Outside blocks the first word counts: a file that comes first loosens, also before the drop-in is there; one after it does not."""
    files = {f"{FOLDER}/00-cloud.conf": "PasswordAuthentication yes\nDenyUsers ada\n", f"{FOLDER}/50-cloud.conf": "PermitRootLogin yes\n"}
    expected = ["/etc/ssh/sshd_config.d/00-cloud.conf:1: `PasswordAuthentication yes`, read before the project's own file"]
    assert both(files) == expected
    assert both({**files, f"{FOLDER}/01-lobsterpot.conf": "PasswordAuthentication no\nDenyUsers openclaw\n"}) == expected


@pytest.mark.parametrize("main", ["UsePAM yes\n", "Match User git\nInclude /etc/ssh/sshd_config.d/*.conf\n"])
def test_a_drop_in_that_is_not_included(main: str) -> None:
    """A configuration that never reads the drop-in, or only for somebody, keeps none of its promises."""
    assert problems({"/etc/ssh/sshd_config": main}, passwords=False) == [
        "/etc/ssh/sshd_config: it has no line `Include /etc/ssh/sshd_config.d/*.conf` outside a Match block; that line belongs at its top"
    ]


def test_files_that_include_each_other() -> None:
    """sshd refuses them; reading them ends."""
    assert both({f"{FOLDER}/50-team.conf": "Match all\nInclude /etc/ssh/sshd_config.d/*.conf\n"}) == []


def test_a_host_without_sshd() -> None:
    """No configuration, nothing to say."""
    assert both({"/etc/ssh/sshd_config": ""}) == []
