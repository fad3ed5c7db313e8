# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image that tools run in is built and named."""

from __future__ import annotations

import re

import pytest
from ansible.module_utils.lobsterpot.sandbox_image import build_command, image_id
from hypothesis import given
from hypothesis import strategies as st

DOCUMENTATION = [
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]
HOOKS = [
    '--customize-hook=chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash sandbox',
    '--customize-hook=find "$1" -xdev -type f -perm /6000 -exec chmod a-s {} +',
    '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log',
]


@pytest.mark.parametrize(("arch", "debian"), [("x64", "amd64"), ("arm64", "arm64")])
def test_the_whole_command(arch: str, debian: str) -> None:
    """Nothing weakens apt's signature check, no program keeps a set-user-id bit, tools have the user 1000."""
    assert build_command("trixie", ["bash", "git"], arch, "", "/cache/image.tar.zst") == [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--architectures={debian}",
        "--include=bash,git",
        *DOCUMENTATION,
        *HOOKS,
        "trixie",
        "/cache/image.tar.zst",
    ]


def test_a_mirror_comes_last() -> None:
    """mmdebstrap takes it as its third argument."""
    command = build_command("trixie", ["bash"], "x64", "https://mirror.example/debian", "/cache/image.tar.zst")
    assert command[-3:] == ["trixie", "/cache/image.tar.zst", "https://mirror.example/debian"]


def test_the_name_tells_suite_and_architecture() -> None:
    """A tag that podman accepts and a person can read."""
    assert re.fullmatch(r"trixie-arm64-[0-9a-f]{12}", image_id("trixie", ["bash"], "arm64"))


@given(st.permutations(["bash", "ca-certificates", "curl", "git", "jq"]))
def test_the_order_of_packages_does_not_count(packages: list[str]) -> None:
    """The same image is not built and loaded again because a list was sorted."""
    expected = image_id("trixie", ["bash", "ca-certificates", "curl", "git", "jq"], "x64")
    assert image_id("trixie", packages, "x64") == expected


@pytest.mark.parametrize(
    ("suite", "packages", "arch"),
    [("bookworm", ["bash", "git"], "x64"), ("trixie", ["bash"], "x64"), ("trixie", ["bash", "git"], "arm64")],
)
def test_another_definition_has_another_name(suite: str, packages: list[str], arch: str) -> None:
    """A changed definition reaches the host: the image that is there has another name."""
    other, base = image_id(suite, packages, arch), image_id("trixie", ["bash", "git"], "x64")
    assert other.rpartition("-")[2] != base.rpartition("-")[2]
