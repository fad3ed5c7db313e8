"""S9: where the gateway's user may write, and which sockets what it starts may have."""

from __future__ import annotations

import shlex

from tests.lab.gateway import USER, Host

# The places of everybody, which do not outlive a restart or from which nothing is run.
EVERYBODY = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/run/lock", "/run/user", "/run/screen", "/run/cloud-init/tmp", "/var/lock")  # noqa: S108 - judged, not used
# Read-only and without devices: what looks writable there is a device file of the sandbox image that cannot be opened.
IMAGES = "/var/lib/lobsterpot/images"
WRITABLE = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -writable ! -type l -print 2>/dev/null"


def test_it_can_write_nowhere_but_at_home(gateway: Host) -> None:
    """S9: no start-up file of anybody's, no unit, no program on anybody's path: what it may write, as a whole set."""
    _, found = gateway.as_user(f"({WRITABLE}; {WRITABLE.replace('find /', 'find /home /run', 1)}) | sort -u")
    strange = [
        path
        for path in found.split("\n")
        if path
        and not path.startswith((f"/home/{USER}", "/run/user/1001", "/run/openclaw/locks", IMAGES, *EVERYBODY))
        and gateway.code(f"test -S {path}") != 0
    ]
    assert strange == []
    opened = f"find {IMAGES}/overlay/*/diff/dev -type c -exec dd of={{}} count=0 status=none ';' -print 2>/dev/null; touch {IMAGES}/x"
    code, said = gateway.as_user(opened)
    assert (code, said.count("\n"), "Read-only file system" in said) == (1, 1, True), said


def test_only_the_families_that_the_table_knows(gateway: Host) -> None:
    """S6: what its manager starts gets no socket of another family, AF_VSOCK to the machine's own host among them."""
    probe = "import socket; socket.socket(40, 1)"
    command = f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet --wait --pipe python3 -c {shlex.quote(probe)}"
    assert "Address family not supported" in gateway.as_user(command)[1]
