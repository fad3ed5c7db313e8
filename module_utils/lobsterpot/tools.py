# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agent acts and with which tools, in the words of the gateway's configuration: sandbox, mounts, tool policy, the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from .channels import CHANNELS, senders
from .problems import Problems

PROFILES = ("minimal", "coding", "messaging", "full")

_TOOL = re.compile(r"(group:)?[a-z][a-z0-9_*-]{0,63}")

# All that an agent may do that is only to read; what writes, writes into its sandbox. No shell, no messages, nothing that acts later.
_READ_ONLY = (
    "group:fs",
    "group:memory",
    "group:web",
    "agents_list",
    "pdf",
    "session_status",
    "sessions_history",
    "sessions_list",
    "sessions_search",
    "view_image",
)

# In a container of its own the gateway can make no sandbox. Of the tools that a sandboxed agent has by default, those that touch neither
# files nor programs.
_TALKING = (
    "session_status",
    "sessions_history",
    "sessions_list",
    "sessions_search",
    "sessions_send",
    "sessions_spawn",
    "sessions_yield",
    "subagents",
)
_SINGLE_TOOL = re.compile(r"[a-z][a-z_]{0,63}")

# Where the system, its secrets and its sockets live (Filesystem Hierarchy Standard 3.0). Folders for a tool go elsewhere, such as /srv.
_SYSTEM = (
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "snap",
    "sys",
    "tmp",
    "usr",
    "var",
)
# What the gateway puts into each sandbox itself.
_OWN = ("workspace", "agent")


def sandbox(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return `agents.defaults.sandbox`, without what the role `sandbox` adds: image and seccomp profile."""
    if given["gateway_runtime"] == "container":
        # None can be made inside a container that gains no privilege; `tools` takes away what would need one.
        return {"mode": "off"}
    mounts: dict[str, Any] = given["sandbox_mounts"]
    for source, target in mounts.items():
        _check_mount(str(source), target, given["account_home"], problems)
    docker = {
        "readOnlyRoot": True,
        # No /run: podman mounts its own there, and a second one breaks every sandbox.
        "tmpfs": ["/tmp", "/var/tmp"],  # noqa: S108 - inside the sandbox, and its own
        "network": "none",
        "user": "1000:1000",
        "capDrop": ["ALL"],
        "pidsLimit": given["sandbox_pids_limit"],
        "memory": given["sandbox_memory"],
        "memorySwap": given["sandbox_memory"],
        "cpus": given["sandbox_cpus"],
    }
    if mounts:
        # The gateway's own list of system paths and credentials holds with it too.
        docker |= {"binds": [f"{source}:{target}:ro" for source, target in mounts.items()], "dangerouslyAllowExternalBindSources": True}
    return {
        "mode": given["sandbox_mode"],
        "backend": "podman",
        "scope": given["sandbox_scope"],
        "workspaceAccess": given["sandbox_workspace_access"],
        "docker": docker,
    }


def _check_mount(source: str, target: object, home: str, problems: Problems) -> None:
    where = f"sandbox_mounts.{source}"
    path, inside = PurePosixPath(source), PurePosixPath(str(target))
    if not _is_folder(path):
        problems.add(where, "must be the absolute path of a folder, without .. and without a colon.")
    elif path.parts[1] in _SYSTEM or path.is_relative_to(home) or PurePosixPath(home).is_relative_to(path):
        problems.add(
            where, "would show the system, a home, a secret or a socket to the agent. Use a folder of its own, such as /srv/books."
        )
    if not _is_folder(inside) or inside.parts[1] in (*_SYSTEM, *_OWN):
        problems.add(where, f"{target!r} is no place in the sandbox. Use a path outside its system and its workspace, such as /books.")


def _is_folder(path: PurePosixPath) -> bool:
    return path.is_absolute() and path.root == "/" and len(path.parts) > 1 and ".." not in path.parts and ":" not in str(path)


def tools(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return `tools`: what an agent may use, and whose commands may leave the sandbox."""
    made = {
        "elevated": _elevated(given, problems),
        **restricted("gateway_", given["gateway_tool_profile"], given["gateway_tool_deny"], problems),
    }
    if given["gateway_runtime"] == "container":
        return made | _talking(given, problems)
    if given["gateway_container_tools"]:
        problems.add("gateway_container_tools", "is for gateway_runtime container. On the host tools have their sandbox: leave it out.")
    if not given["gateway_read_only"]:
        return made
    if given["sandbox_mode"] != "all" or given["sandbox_workspace_access"] == "rw":
        problems.add(
            "gateway_read_only",
            "holds only when tools write nowhere else: set sandbox_mode to all, sandbox_workspace_access to none or ro.",
        )
    if given["gateway_elevated_senders"]:
        problems.add("gateway_elevated_senders", "contradicts gateway_read_only. Leave one of them out.")
    return {**made, "allow": list(_READ_ONLY)}


def _talking(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """The tools of an agent without a sandbox, and those that were named in spite of that; no sight of what others said."""
    for name in ("gateway_read_only", "gateway_elevated_senders", "sandbox_mounts"):
        if given[name]:
            problems.add(name, "is about tools in a sandbox, and with gateway_runtime container there is none. Leave one of them out.")
    for tool in given["gateway_container_tools"]:
        if not _SINGLE_TOOL.fullmatch(tool):
            problems.add("gateway_container_tools", f"{tool!r} is no single tool, such as exec.")
    return {"allow": [*_TALKING, *given["gateway_container_tools"]], "sessions": {"visibility": "tree"}}


def restricted(prefix: str, profile: object, deny: object, problems: Problems) -> dict[str, Any]:
    """Return the profile and the denials of the gateway or of one agent; `prefix` leads to their variables."""
    made: dict[str, Any] = {}
    if profile:
        made["profile"] = problems.choice(f"{prefix}tool_profile", profile, PROFILES)
    if denied := problems.texts(f"{prefix}tool_deny", deny, "a list of tools and groups of tools, such as [group:web]"):
        made["deny"] = denied
    for tool in denied:
        if not _TOOL.fullmatch(tool):
            problems.add(f"{prefix}tool_deny", f"{tool!r} is no tool's name.")
    return made


def _elevated(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Commands on the host itself, for the senders named and nobody else."""
    wanted: dict[str, Any] = given["gateway_elevated_senders"]
    where = "gateway_elevated_senders"
    problems.known(where, wanted, tuple(CHANNELS))
    allow = {}
    for channel in [name for name in wanted if name in CHANNELS]:
        allow[channel] = senders(channel, wanted[channel], given["access_people"], f"{where}.{channel}", problems)
    return {"enabled": True, "allowFrom": allow} if allow else {"enabled": False}
