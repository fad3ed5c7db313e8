# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S5: the system calls that a sandbox may make."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that belong to root")

DISTRIBUTION = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {"names": ["read", "clone", "mount", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone3", "unshare"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    ],
}


def test_namespaces_and_mounts_are_left_out(run_module: RunModule, tmp_path: Path) -> None:
    """What the distribution allows stays but for these; a rule of which nothing is left goes; plain processes can be made."""
    source, path = tmp_path / "distribution.json", tmp_path / "profile.json"
    source.write_text(json.dumps(DISTRIBUTION))
    arguments = {"source": str(source), "path": str(path)}
    assert run_module("seccomp_profile", arguments, check=True)["changed"] is True
    assert not path.exists()
    assert run_module("seccomp_profile", arguments)["paths"] == [str(path)]
    plain_clone = {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    assert json.loads(path.read_text()) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [plain_clone]},
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        ],
    }
    assert run_module("seccomp_profile", arguments)["changed"] is False


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"syscalls": [{}]}', '{"syscalls": 3}'])
def test_something_else_is_refused(run_module: RunModule, tmp_path: Path, content: str) -> None:
    """A list that cannot be read is no reason to write one that allows everything or nothing."""
    source = tmp_path / "distribution.json"
    source.write_text(content)
    said = run_module("seccomp_profile", {"source": str(source), "path": str(tmp_path / "x")}, fails=True)["msg"]
    assert said.startswith(f"{source} is no list of system calls for containers")
    assert not (tmp_path / "x").exists()
