# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making and fetching base images, with doubles in the places of mmdebstrap and qemu-img, and a server in Ubuntu's.

The double of mmdebstrap notes how it was called and writes tree.tar; called with --unshare-helper, it writes disk.raw instead of
running the script. The double of qemu-img puts a qcow2 header before the disk. That the real ones make a system that boots is shown
in tests/integration/test_vm_image.py and by the machines made from it. The signatures are real: a key made for the test, gpg, gpgv.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

MMDEBSTRAP = """\
#!/bin/sh
# A double of mmdebstrap: see the docstring of the test.
printf '%s\\n' "$@" >>{call}
echo "$1 $2 $3" >>{calls}
case $1 in
  --unshare-helper) printf 'disk of the %s' {day} >disk.raw ;;
  *) : >tree.tar ;;
esac
{ending}
"""
QEMU_IMG = """\
#!/bin/sh
# A double of qemu-img: see the docstring of the test.
printf 'QFI\\373\\000\\000\\000\\003' >"$7"
/usr/bin/head -c 72 /dev/zero >>"$7"
/bin/cat "$6" >>"$7"
"""

# SHA-256 of what the doubles write, and of an image like Ubuntu's.
FIRST = "1ec1c6a117fd5755e5b84e1626f70c3a53acecd5a5cd0578d0cafdcfd85562cf"
SECOND = "150427d09105dbc0751483f35b4371b3230a00d32b51af0f3216c98fd28daef6"
QCOW2 = b"QFI\xfb\0\0\0\x03" + bytes(72) + b"an Ubuntu"
QCOW2_SHA256 = "ec3bb62c737eb0154cae1900fbec4340c003d98171549f37fa5b885c0e6eb2f7"
NAME = "ubuntu-24.04-server-cloudimg-amd64.img"


class Lab:
    """A cache, and the doubles in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.mmdebstrap()
        self.tool("qemu-img", QEMU_IMG)
        self.tool("mke2fs", "#!/bin/sh\n")
        self.tool("zstd", "#!/bin/sh\n")
        self.tool("sfdisk", "#!/bin/sh\n")

    def tool(self, name: str, text: str) -> None:
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def mmdebstrap(self, day: str = "first day", ending: str = "exit 0") -> None:
        quoted = {name: shlex.quote(str(self.folder / name)) for name in ("call", "calls")}
        self.tool("mmdebstrap", MMDEBSTRAP.format(day=shlex.quote(day), ending=ending, **quoted))

    def arguments(self, **changes: Any) -> dict[str, Any]:
        return {"image": "bootstrap", "packages": ["podman"], "arch": "x64", "cache_dir": str(self.cache), **changes}

    def calls(self) -> int:
        calls = self.folder / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def cached(self) -> list[str]:
        """What lies in the cache, beside the guards that keep two runs apart."""
        names = (path.name for path in self.cache.iterdir()) if self.cache.exists() else ()
        return sorted(name for name in names if not name.startswith(".lock-"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A Linux machine of type x86_64, as root, that has the tools."""
    module = importlib.import_module("vm_image")
    (tmp_path / "keyring.gpg").touch()
    monkeypatch.setattr(module, "DEBIAN_KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Lab(tmp_path)


# --- bootstrap


def test_makes_an_image(run_module: RunModule, lab: Lab) -> None:
    """The image lies in the cache under its name, with its hash, and nothing beside it."""
    result = run_module("vm_image", lab.arguments())
    assert (result["changed"], result["sha256"], result["size"]) == (True, FIRST, 101)
    assert result["id"].startswith("trixie-x64-")
    assert result["image"] == f"{lab.cache}/vm-{result['id']}.qcow2"
    assert Path(result["image"]).read_bytes()[80:] == b"disk of the first day"
    assert lab.cached() == [f"vm-{result['id']}.qcow2", f"vm-{result['id']}.qcow2.sha256"]


def test_mmdebstrap_is_told_what_was_asked(run_module: RunModule, lab: Lab) -> None:
    """Suite, packages and mirror reach it; then the disk is made where the numbers of users are the new system's."""
    run_module("vm_image", lab.arguments(suite="bookworm", mirror="https://mirror.example/debian"))
    words = (lab.folder / "call").read_text()
    assert "libnss-myhostname,libpam-systemd,linux-image-cloud-amd64,netbase,openssh-server,podman,python3," in words
    assert "\nbookworm\ntree.tar\nhttps://mirror.example/debian\n--unshare-helper\nsh\n-c\n" in words


def test_settles(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """A second run takes the image from the cache."""
    first = run_module("vm_image", lab.arguments())
    before = snapshot(lab.cache)
    second = run_module("vm_image", lab.arguments())
    assert second == {**first, "changed": False, "invocation": second["invocation"]}
    assert (snapshot(lab.cache), lab.calls()) == (before, 2)


def test_check_mode_predicts(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """Check mode makes nothing, not even the cache; afterwards it promises no change."""
    before = snapshot(lab.folder)
    predicted = run_module("vm_image", lab.arguments(), check=True)
    assert (predicted["changed"], predicted["sha256"], predicted["size"]) == (True, "", 0)
    assert snapshot(lab.folder) == before
    assert run_module("vm_image", lab.arguments())["image"] == predicted["image"]
    assert run_module("vm_image", lab.arguments(), check=True)["changed"] is False


def test_refresh_takes_todays_packages(run_module: RunModule, lab: Lab) -> None:
    """Security fixes get into an image that is in the cache."""
    first = run_module("vm_image", lab.arguments())
    lab.mmdebstrap(day="second day")
    second = run_module("vm_image", lab.arguments(refresh=True))
    assert (second["changed"], second["image"], second["sha256"]) == (True, first["image"], SECOND)


def test_a_failed_refresh_keeps_the_old_image(run_module: RunModule, lab: Lab) -> None:
    """What was made earlier is still there when today's build fails."""
    run_module("vm_image", lab.arguments())
    lab.mmdebstrap(day="second day", ending="exit 1")
    run_module("vm_image", lab.arguments(refresh=True), fails=True)
    again = run_module("vm_image", lab.arguments())
    assert (again["changed"], again["sha256"]) == (False, FIRST)


def test_a_changed_image_is_refused(run_module: RunModule, lab: Lab) -> None:
    """Whoever can write the cache could otherwise choose what machines run; and a machine that wrote its base image shows."""
    made = run_module("vm_image", lab.arguments())
    with Path(made["image"]).open("ab") as stream:
        stream.write(b"more")
    result = run_module("vm_image", lab.arguments(), fails=True)
    assert result["msg"].startswith(f"{made['image']} was changed since it was built: its SHA-256 is ")
    assert lab.calls() == 2


@pytest.mark.parametrize(
    ("ending", "failure"),
    [
        ('case $1 in --unshare-helper) ;; *) echo "E: bad signature" >&2; exit 25 ;; esac', "mmdebstrap could not make the base image"),
        ('case $1 in --unshare-helper) echo "E: bad signature" >&2; exit 25 ;; esac', "The base image's file system could not be made"),
    ],
)
def test_a_failing_step_shows_its_words(run_module: RunModule, lab: Lab, ending: str, failure: str) -> None:
    """The operator reads which step failed and what it said; the cache holds nothing of it, and the next run starts anew."""
    lab.mmdebstrap(ending=ending)
    result = run_module("vm_image", lab.arguments(), fails=True)
    assert result["msg"].startswith(failure)
    assert result["msg"].endswith(":\nE: bad signature")
    assert lab.cached() == []
    lab.mmdebstrap()
    assert run_module("vm_image", lab.arguments())["sha256"] == FIRST


def test_what_a_killed_build_left_is_removed(run_module: RunModule, lab: Lab) -> None:
    """An ordinary user could not remove the new system's files: mmdebstrap's helper is asked to, in their folder."""
    name = Path(run_module("vm_image", lab.arguments(), check=True)["image"]).name
    (lab.cache / f".build-{name}-abc" / "work" / "root" / "etc").mkdir(parents=True)
    run_module("vm_image", lab.arguments())
    assert (lab.folder / "calls").read_text().splitlines()[0] == "--unshare-helper rm -rf"
    assert lab.cached() == [name, f"{name}.sha256"]


def test_what_another_run_made_is_taken(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines ask at the same time: a second build would replace the image under the first machine's disk."""
    other = run_module("vm_image", lab.arguments(cache_dir=str(lab.folder / "of the other run")))

    def wait(_stream: object, _operation: int) -> None:
        for suffix in ("", ".sha256"):
            (lab.cache / (Path(other["image"]).name + suffix)).write_bytes(Path(other["image"] + suffix).read_bytes())

    monkeypatch.setattr(fcntl, "flock", wait)
    result = run_module("vm_image", lab.arguments())
    assert (result["changed"], result["sha256"], lab.calls()) == (False, FIRST, 2)


@pytest.mark.parametrize(
    ("obstacle", "problem"),
    [
        ("arch", "it makes images for x64 only."),
        ("system", "it needs Linux on x86_64, and this is Darwin on x86_64."),
        ("machine", "it needs Linux on x86_64, and this is Linux on aarch64."),
        ("tools", "packages are missing. Install them: apt-get install mmdebstrap qemu-utils"),
        ("user", "packages are missing. Install them: apt-get install uidmap"),
        ("keyring", "packages are missing. Install them: apt-get install debian-archive-keyring"),
    ],
)
def test_a_machine_that_cannot_says_why(
    run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch, obstacle: str, problem: str
) -> None:
    """The message names what to install, or the way out."""
    module = importlib.import_module("vm_image")
    match obstacle:
        case "system":
            monkeypatch.setattr(module.platform, "system", lambda: "Darwin")
        case "machine":
            monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
        case "tools":
            (lab.tools / "mmdebstrap").unlink()
            (lab.tools / "qemu-img").unlink()
        case "user":
            monkeypatch.setattr(module.os, "geteuid", lambda: 1000)
        case "keyring":
            (lab.folder / "keyring.gpg").unlink()
    arch = "arm64" if obstacle == "arch" else "x64"
    refusals = {run_module("vm_image", lab.arguments(arch=arch), check=check, fails=True)["msg"] for check in (False, True)}
    assert refusals == {f"vm_image: bootstrap cannot make the base image here: {problem}\nOr download one instead: vm_image: ubuntu"}
    assert (lab.calls(), lab.cached()) == (0, [])


# --- ubuntu


class Mirror:
    """A server on loopback with a release folder like Ubuntu's, and what was asked of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut = False
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/releases/24.04/release/")
                mirror.asked.append(name)
                content = mirror.files.get(name)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write((content or b"")[: -4 if mirror.cut and name.endswith(".img") else None])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/releases"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, key: str, image: bytes = QCOW2, listed: str = QCOW2_SHA256) -> None:
        sums = f"{'0' * 64} *{NAME}.manifest\n{listed} *{NAME}\n".encode()
        command = ["gpg", "--homedir", str(self.home), "--batch", "--local-user", key, "--detach-sign", "--armor", "--output", "-"]
        signature = subprocess.run(command, input=sums, check=True, capture_output=True).stdout
        self.files = {"SHA256SUMS": sums, "SHA256SUMS.gpg": signature, NAME: image}


@pytest.fixture(scope="module")
def keys() -> Iterator[Path]:
    """A GnuPG home with the keys of `publisher`, whose public key lies beside them as a key ring, and of a `stranger`."""
    # Not below tmp_path: the path of the agent's socket must be short.
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    gpg = ["gpg", "--homedir", str(home), "--batch", "--passphrase", ""]
    for name in ("publisher", "stranger"):
        subprocess.run([*gpg, "--quick-generate-key", name, "ed25519", "sign", "never"], check=True, capture_output=True)
    (home / "publisher.gpg").write_bytes(subprocess.run([*gpg, "--export", "publisher"], check=True, capture_output=True).stdout)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    shutil.rmtree(home)


@pytest.fixture
def mirror(lab: Lab, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """The server of a published release; gpg and gpgv are the real ones."""
    monkeypatch.setenv("PATH", f"{lab.tools}:/usr/bin:/bin")
    made = Mirror(keys)
    made.publish("publisher")
    yield made
    made.server.shutdown()
    made.server.server_close()


def ubuntu(lab: Lab, mirror: Mirror, **changes: Any) -> dict[str, Any]:
    return lab.arguments(image="ubuntu", mirror=mirror.url, keyring=str(mirror.home / "publisher.gpg"), **changes)


def test_fetches_ubuntus_image(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """Signature first, checksum next, and only then a place in the cache."""
    result = run_module("vm_image", ubuntu(lab, mirror))
    assert (result["changed"], result["id"], result["sha256"], result["size"]) == (True, "ubuntu-24.04-x64", QCOW2_SHA256, 89)
    assert Path(result["image"]).read_bytes() == QCOW2
    assert mirror.asked == ["SHA256SUMS", "SHA256SUMS.gpg", NAME]
    assert lab.cached() == ["vm-ubuntu-24.04-x64.qcow2", "vm-ubuntu-24.04-x64.qcow2.sha256"]
    assert lab.calls() == 0


def test_ubuntus_image_settles(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """A second run asks the network nothing; check mode before the first neither."""
    assert run_module("vm_image", ubuntu(lab, mirror), check=True)["changed"] is True
    assert mirror.asked == []
    run_module("vm_image", ubuntu(lab, mirror))
    assert run_module("vm_image", ubuntu(lab, mirror))["changed"] is False
    assert len(mirror.asked) == 3


def test_a_strangers_signature_is_refused(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """A mirror that changed the image and the list, too, cannot sign it; the image is not even asked for."""
    mirror.publish("stranger")
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"].startswith(
        f"{mirror.url}/24.04/release/SHA256SUMS bears no good signature of a key in {mirror.home}/publisher.gpg. Nothing of it was kept:\n"
    )
    assert "No public key" in result["msg"]
    assert (mirror.asked, lab.cached()) == (["SHA256SUMS", "SHA256SUMS.gpg"], [])


def test_a_changed_list_is_refused(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """The publisher's signature is of another list."""
    mirror.files["SHA256SUMS"] += b"\n"
    assert "BAD signature" in run_module("vm_image", ubuntu(lab, mirror), fails=True)["msg"]
    assert lab.cached() == []


def test_another_image_is_refused(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """The list is signed, and the image is not the one in it."""
    mirror.files[NAME] = QCOW2 + b"!"
    found = "ead6c8b77f9818a6ef0a2f1a1feea9b65396480639be234fee6c51999c20b0f2"
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"] == (
        f"{mirror.url}/24.04/release/{NAME} is not the file it should be: expected SHA-256 {QCOW2_SHA256}, found {found}. "
        "Nothing of it was kept."
    )
    assert lab.cached() == []


def test_half_an_image_is_not_taken(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """A connection that breaks is said to have broken; the next run fetches the whole."""
    mirror.cut = True
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"] == f"{mirror.url}/24.04/release/{NAME} could not be downloaded: the connection ended after 85 of 89 bytes"
    assert lab.cached() == []
    mirror.cut = False
    assert run_module("vm_image", ubuntu(lab, mirror))["sha256"] == QCOW2_SHA256


def test_a_release_that_is_not_there_is_said(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """The message names the address."""
    mirror.files.clear()
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"] == f"{mirror.url}/24.04/release/SHA256SUMS could not be downloaded: HTTP Error 404: Not Found"
    assert lab.cached() == []


def test_no_server_is_said(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """No traceback for a controller that is offline."""
    mirror.server.shutdown()
    mirror.server.server_close()
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"].startswith(f"{mirror.url}/24.04/release/SHA256SUMS could not be downloaded: ")


@pytest.mark.parametrize("check", [False, True])
def test_without_ubuntus_keys_nothing_is_fetched(run_module: RunModule, lab: Lab, mirror: Mirror, check: bool) -> None:
    """The message says where they come from; no unsigned way is offered."""
    result = run_module("vm_image", {**ubuntu(lab, mirror), "keyring": "/nonexistent/keys.gpg"}, check=check, fails=True)
    assert result["msg"] == (
        "vm_image: ubuntu needs the keys that sign Ubuntu's cloud images, and /nonexistent/keys.gpg does not exist. "
        "On Ubuntu: apt-get install ubuntu-keyring. Elsewhere: get the key D2EB 4462 6FDD C30B 513D  5BB7 1A5D 6C4C 7DB8 7C81, "
        "write it to a file with gpg --export, and name that file as keyring."
    )
    assert mirror.asked == []


def test_without_gpgv_nothing_is_fetched(run_module: RunModule, lab: Lab, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature that cannot be checked is no signature."""
    monkeypatch.setenv("PATH", str(lab.tools))
    result = run_module("vm_image", ubuntu(lab, mirror), fails=True)
    assert result["msg"] == "vm_image: ubuntu needs gpgv to check the image's signature. Install it: package gpgv, or gnupg on a Mac."
    assert mirror.asked == []


# --- an image of one's own


def test_takes_a_file(run_module: RunModule, lab: Lab) -> None:
    """It is copied: a file that its owner changes later must not change under a machine's disk."""
    source = lab.folder / "own.qcow2"
    source.write_bytes(QCOW2)
    arguments = lab.arguments(image=str(source), sha256=QCOW2_SHA256.upper())
    result = run_module("vm_image", arguments)
    assert (result["changed"], result["id"], result["sha256"]) == (True, "file-ec3bb62c737e", QCOW2_SHA256)
    assert result["image"] == f"{lab.cache}/vm-file-ec3bb62c737e.qcow2"
    source.unlink()
    assert run_module("vm_image", arguments)["changed"] is False


def test_takes_a_url(run_module: RunModule, lab: Lab, mirror: Mirror) -> None:
    """Downloaded once."""
    arguments = lab.arguments(image=f"{mirror.url}/24.04/release/{NAME}", sha256=QCOW2_SHA256)
    assert run_module("vm_image", arguments)["sha256"] == QCOW2_SHA256
    assert run_module("vm_image", arguments)["changed"] is False
    assert mirror.asked == [NAME]


@pytest.mark.parametrize("where", ["file", "url"])
def test_a_wrong_checksum_is_refused(run_module: RunModule, lab: Lab, mirror: Mirror, where: str) -> None:
    """The message names the file, what was expected and what was found."""
    (lab.folder / "own.qcow2").write_bytes(QCOW2)
    image = f"{lab.folder}/own.qcow2" if where == "file" else f"{mirror.url}/24.04/release/{NAME}"
    result = run_module("vm_image", lab.arguments(image=image, sha256="a" * 64), fails=True)
    assert result["msg"] == (
        f"{image} is not the file it should be: expected SHA-256 {'a' * 64}, found {QCOW2_SHA256}. Nothing of it was kept."
    )
    assert lab.cached() == []


def test_a_raw_disk_is_refused(run_module: RunModule, lab: Lab) -> None:
    """With its way to one that is taken."""
    (lab.folder / "own.img").write_bytes(bytes(512))
    digest = hashlib.sha256(bytes(512)).hexdigest()
    result = run_module("vm_image", lab.arguments(image=f"{lab.folder}/own.img", sha256=digest), fails=True)
    assert result["msg"] == (
        f"{lab.folder}/own.img is not a qcow2 image. To convert one: qemu-img convert -O qcow2 {lab.folder}/own.img IMAGE.qcow2"
    )
    assert lab.cached() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "debian"}, "sha256: an image of your own (debian) needs its SHA-256, 64 hexadecimal digits; it is missing."),
        (
            {"image": "debian.qcow2", "sha256": "a" * 64},
            "image: 'debian.qcow2' is not bootstrap, ubuntu, a URL, or the absolute path of a file here.",
        ),
        ({"image": "ubuntu", "sha256": "a" * 64}, "sha256: only for a file or a URL, not for ubuntu."),
        ({"suite": "../x"}, "suite: '../x' is no release. Write a name such as trixie, or for ubuntu a number such as 24.04."),
    ],
)
def test_unclear_wishes_are_refused(run_module: RunModule, lab: Lab, changes: dict[str, Any], message: str) -> None:
    """A typing error gets words that name the option."""
    assert run_module("vm_image", lab.arguments(**changes), fails=True)["msg"] == message
    assert (lab.calls(), lab.cached()) == (0, [])
