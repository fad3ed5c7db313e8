# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of images that root keeps for the gateway user's podman.

In a store of its own that user could alter an image, and all later sandboxes would be made of the altered one. It sees this store through a
read-only mount, and the original is out of its reach.

An image has one layer. Its files belong to the user and its subordinate ids, as a container with `--userns keep-id` needs them to. In
a store that it only reads, podman cannot make a copy with other owners.

Source: containers-storage.conf(5), `additionalimagestores`; layers.go and images.go of containers/storage.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import LobsterpotError

VISIBLE = Path("/var/lib/lobsterpot/images")
STORE = Path("/var/lib/lobsterpot/store/images")
LAYERS, IMAGES = "overlay-layers/layers.json", "overlay-images/images.json"

Record = dict[str, Any]


def subordinate(text: str, user: str) -> list[range]:
    """Return the ids that /etc/subuid or /etc/subgid gives a user, lowest first, as podman counts them."""
    rows = (line.split(":") for line in text.splitlines() if line.startswith(f"{user}:"))
    return sorted((range(int(first), int(first) + int(count)) for _, first, count in rows), key=lambda ids: ids.start)


def keep_id(inside: int, ranges: Sequence[range]) -> list[dict[str, int]]:
    """Return how `--userns keep-id:uid=INSIDE` maps ids of a container to ids of podman's namespace, in which the user itself is 0."""
    total = sum(len(ids) for ids in ranges)
    parts = [(0, 1, inside), (inside, 0, 1), (inside + 1, inside + 1, total - inside)]
    return [{"container_id": container, "host_id": host, "size": size} for container, host, size in parts]


def on_the_host(inside: int, user: int, ranges: Sequence[range]) -> Callable[[int], int]:
    """Return the function from ids in such a container to ids on the host.

    It raises LobsterpotError for an id that the container does not have.
    """
    ids = [number for part in ranges for number in part]

    def host(number: int) -> int:
        if number == inside:
            return user
        try:
            return ids[number if number < inside else number - 1]
        except IndexError:
            raise LobsterpotError(f"the image has a file of id {number}, and its user has {len(ids)} subordinate ids") from None

    return host


def records(path: Path) -> list[Record]:
    """Return what a list of the store holds; nothing where it is missing or torn."""
    try:
        found: list[Record] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    return found


def tags(store: Path, name: str, owner: int) -> list[str]:
    """Return the tags of the images called `name` whose files are there and belong to `owner`, root's id in the container."""
    found = set()
    for image in records(store / IMAGES):
        top = store / "overlay" / image["layer"] / "diff"
        if top.is_dir() and top.stat().st_uid == owner:
            found |= {tag for repository, _, tag in (full.rpartition(":") for full in image.get("names", [])) if repository == name}
    return sorted(found)


def below(top: Path) -> Iterator[Path]:
    """Yield a folder and all that is in it; no link is followed."""
    yield top
    for folder, folders, files in os.walk(top):
        yield from (Path(folder) / name for name in (*folders, *files))


def give_away(top: Path, user: Callable[[int], int], group: Callable[[int], int]) -> None:
    """Give files to those on the host that they belong to in the container. It takes away setuid bits, which no file of the image has."""
    done = set()
    for path in below(top):
        status = path.lstat()
        if status.st_ino not in done:  # a file of two names
            done.add(status.st_ino)
            os.chown(path, user(status.st_uid), group(status.st_gid), follow_symlinks=False)


def kept(images: Sequence[Record], new: Record) -> list[Record]:
    """Return the images that stay: the new one and the one before it, which a gateway may go back to, under the names left to it."""
    before = [image for image in images if image["id"] != new["id"]][-1:]
    return [{**image, "names": [name for name in image.get("names", []) if name not in new["names"]]} for image in before] + [new]


def readable(folder: Path) -> None:
    """Let everybody read a folder of the store, which podman made for root alone."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def put(source: Path, target: Path) -> None:
    """Move what was staged into the store. What is there gives way: containers that run go on with it until it is removed."""
    if os.path.lexists(target):
        target.rename(source.with_name(source.name + ".away"))
    source.rename(target)


def merge(staging: Path, store: Path, layer: Record, image: Record) -> None:
    """Move the one image of a staged store into the store."""
    place = staging / "overlay" / layer["id"]
    for name in ("empty", "merged", "work"):  # a layer that nothing is mounted on needs none of them
        shutil.rmtree(place / name, ignore_errors=True)
    place.chmod(0o755)
    (place / "link").chmod(0o644)
    link = Path("overlay/l") / (place / "link").read_text()
    readable(staging / "overlay-images" / image["id"])
    for path in (Path("overlay") / layer["id"], link, Path("overlay-images") / image["id"]):
        put(staging / path, store / path)


def prune(store: Path, layers: Sequence[Record], images: Iterable[Record]) -> None:
    """Remove what belongs to none of the store's images any more."""
    overlay = store / "overlay"
    known = {
        overlay: {"l", *(layer["id"] for layer in layers)},
        overlay / "l": {(overlay / layer["id"] / "link").read_text() for layer in layers},
        store / "overlay-images": {Path(IMAGES).name, "images.lock", *(image["id"] for image in images)},
    }
    for folder, names in known.items():
        for path in (path for path in folder.iterdir() if path.name not in names):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)
