# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the sandbox image into the store that only root writes. A double stands for podman; it makes what podman 4.3 and 5.4 make."""

from __future__ import annotations

import importlib
import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot import image_store
from ansible.module_utils.lobsterpot.errors import LobsterpotError

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

IMAGE = "localhost/openclaw-sandbox:trixie-x64-0123456789ab"
# `import - NAME` stands last; the layer's and the image's id come from what the test wrote into the archive.
PODMAN = r"""#!/bin/bash
set -eu
root=$2 name=${@: -1} id=$(cat)
[ "$id" != broken ] || { echo 'Error: unexpected EOF' >&2; exit 125; }
umask 077
top=$root/overlay/layer-$id
mkdir -p "$top"/{diff/usr/bin,diff/home/sandbox,empty,merged,work} "$root"/overlay/l "$root"/overlay-layers "$root"/overlay-images/image-$id
printf 'L%s' "$id" >"$top/link"; ln -s "../layer-$id/diff" "$root/overlay/l/L$id"
echo tool >"$top/diff/usr/bin/tool"; ln "$top/diff/usr/bin/tool" "$top/diff/usr/bin/again"; ln -s /etc/passwd "$top/diff/link"
chmod 0755 "$top/diff/usr/bin/tool"; chown -R 1000:1000 "$top/diff/home/sandbox"; chgrp 42 "$top/diff/usr/bin/tool"
echo '{}' >"$root/overlay-images/image-$id/manifest"
printf '[{"id":"layer-%s","diff-size":4}]' "$id" >"$root/overlay-layers/layers.json"
printf '[{"id":"image-%s","names":["%s"],"layer":"layer-%s"}]' "$id" "$name" "$id" >"$root/overlay-images/images.json"
"""


class Lab:
    """A store, still empty, of a user 990 whose subordinate ids begin at 700000; and archives that hold nothing but an id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store" / "images"
        for place in ("overlay/l", "overlay-images", "overlay-layers"):
            (self.store / place).mkdir(parents=True)

    def arguments(self, content: str, image: str = IMAGE) -> dict[str, Any]:
        archive = self.folder / f"{content}.tar.zst"
        archive.write_text(content)
        return {"archive": str(archive), "image": image, "user": "lobster"}

    def names(self) -> dict[str, list[str]]:
        """Each image of the store and what it is called."""
        return {image["id"]: image["names"] for image in image_store.records(self.store / image_store.IMAGES)}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    sandbox_store = importlib.import_module("sandbox_store")
    lab = Lab(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "podman").write_text(PODMAN)
    (programs / "zstd").write_text('#!/bin/sh\nexec cat "$3"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "ids").write_text("other:100000:65536\nlobster:700000:65536\n")
    monkeypatch.setattr(sandbox_store, "IDS", (tmp_path / "ids", tmp_path / "ids"))
    monkeypatch.setattr(image_store, "STORE", lab.store)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", 990, 991, "", "/", "/usr/sbin/nologin")))
    return lab


def test_it_loads(run_module: RunModule, lab: Lab) -> None:
    """The image is there under its name, its files are for a container in which the user is 1000, and nothing else is left."""
    assert run_module("sandbox_store", lab.arguments("one"))["id"] == "image-one"
    top = lab.store / "overlay" / "layer-one"
    # A file of two names is given away once.
    paths = (".", "diff", "diff/link", "diff/home/sandbox", "diff/usr/bin/tool", "diff/usr/bin/again")
    assert {path: ((top / path).lstat().st_uid, (top / path).lstat().st_gid) for path in paths} == {
        ".": (0, 0),
        "diff": (700000, 700000),
        "diff/link": (700000, 700000),
        "diff/home/sandbox": (990, 991),
        "diff/usr/bin/tool": (700000, 700042),
        "diff/usr/bin/again": (700000, 700042),
    }
    assert sorted(path.name for path in top.iterdir()) == ["diff", "link"]
    assert sorted(path.name for path in lab.store.parent.iterdir()) == ["images"]
    assert (lab.store / "overlay/l/Lone").resolve() == top / "diff"
    assert (lab.store / "overlay-images/image-one/manifest").stat().st_mode & 0o777 == 0o644
    (layer,) = json.loads((lab.store / image_store.LAYERS).read_text())
    assert layer["uidmap"] == [
        {"container_id": 0, "host_id": 1, "size": 1000},
        {"container_id": 1000, "host_id": 0, "size": 1},
        {"container_id": 1001, "host_id": 1001, "size": 64536},
    ]
    assert image_store.tags(lab.store, "localhost/openclaw-sandbox", 700000) == ["trixie-x64-0123456789ab"]


def test_the_image_before_stays(run_module: RunModule, lab: Lab) -> None:
    """A gateway may go back to it. Those before that one are gone, with all that was theirs."""
    for content in ("one", "two", "three"):
        run_module("sandbox_store", lab.arguments(content, f"localhost/openclaw-sandbox:{content}"))
    assert lab.names() == {"image-two": ["localhost/openclaw-sandbox:two"], "image-three": ["localhost/openclaw-sandbox:three"]}
    assert sorted(path.name for path in (lab.store / "overlay").iterdir()) == ["l", "layer-three", "layer-two"]
    assert sorted(path.name for path in (lab.store / "overlay/l").iterdir()) == ["Lthree", "Ltwo"]
    assert sorted(path.name for path in (lab.store / "overlay-images").iterdir()) == ["image-three", "image-two", "images.json"]
    assert [layer["id"] for layer in image_store.records(lab.store / image_store.LAYERS)] == ["layer-two", "layer-three"]


def test_a_name_moves_on(run_module: RunModule, lab: Lab) -> None:
    """An image that was built anew takes the name of the old one, of which containers may still run."""
    for content in ("one", "two"):
        run_module("sandbox_store", lab.arguments(content))
    assert lab.names() == {"image-one": [], "image-two": [IMAGE]}


def test_the_same_again(run_module: RunModule, lab: Lab) -> None:
    """What somebody changed in the store is replaced; podman names the link to a layer differently each time."""
    run_module("sandbox_store", lab.arguments("one"))
    (lab.store / "overlay/l/Lone").rename(lab.store / "overlay/l/Lother")
    tool = lab.store / "overlay/layer-one/diff/usr/bin/tool"
    tool.write_text("altered")
    run_module("sandbox_store", lab.arguments("one"))
    assert tool.read_text() == "tool\n"
    assert [path.name for path in (lab.store / "overlay/l").iterdir()] == ["Lone"]
    assert lab.names() == {"image-one": [IMAGE]}
    assert sorted(path.name for path in lab.store.parent.iterdir()) == ["images"]


def test_podman_refuses(run_module: RunModule, lab: Lab) -> None:
    """The store stays as it was, and the next run begins anew."""
    run_module("sandbox_store", lab.arguments("one"))
    message = run_module("sandbox_store", lab.arguments("broken"), fails=True)["msg"]
    assert message == f"podman could not load {lab.folder}/broken.tar.zst:\nError: unexpected EOF"
    assert lab.names() == {"image-one": [IMAGE]}
    run_module("sandbox_store", lab.arguments("two"))
    assert sorted(path.name for path in lab.store.parent.iterdir()) == ["images"]


def test_an_id_that_no_container_has() -> None:
    """65536 subordinate ids and the user's own make 65537."""
    host = image_store.on_the_host(1000, 990, [range(700000, 765536)])
    assert [host(number) for number in (0, 999, 1000, 1001, 65536)] == [700000, 700999, 990, 701000, 765535]
    with pytest.raises(LobsterpotError, match=r"^the image has a file of id 65537, and its user has 65536 subordinate ids$"):
        host(65537)


def test_subordinate_ids() -> None:
    """Of this user only, lowest first, as podman joins them."""
    text = "lobster:800000:10\nlobsterpot:1:5\nlobster:700000:65536\n"
    assert image_store.subordinate(text, "lobster") == [range(700000, 765536), range(800000, 800010)]
    assert image_store.subordinate(text, "crab") == []


@pytest.mark.parametrize(
    ("name", "owner", "tags"),
    [("localhost/openclaw-sandbox", 0, ["a"]), ("localhost/openclaw-sandbox", 700000, []), ("localhost/openclaw", 0, [])],
)
def test_which_images_are_there(tmp_path: Path, name: str, owner: int, tags: list[str]) -> None:
    """An image counts when its files are there and made for this user."""
    (tmp_path / "overlay/layer/diff").mkdir(parents=True)
    (tmp_path / "overlay-images").mkdir()
    images = [
        {"id": "1", "layer": "layer", "names": ["localhost/openclaw-sandbox:a"]},
        {"id": "2", "layer": "gone", "names": ["localhost/openclaw-sandbox:b"]},
        {"id": "3", "layer": "layer"},
    ]
    (tmp_path / image_store.IMAGES).write_text(json.dumps(images))
    assert image_store.tags(tmp_path, name, owner) == tags


@pytest.mark.parametrize("text", ["", "[{", None])
def test_a_list_that_is_torn(tmp_path: Path, text: str | None) -> None:
    """It counts as empty, so the image is loaded again."""
    (tmp_path / "overlay-images").mkdir()
    if text is not None:
        (tmp_path / image_store.IMAGES).write_text(text)
    assert image_store.tags(tmp_path, "localhost/openclaw-sandbox", 0) == []
