"""Small: what a run adds to a minimal Debian. First of all tests, before anything uses the host."""

from __future__ import annotations

import pytest

from tests import lab
from tests.lab.gateway import NAME, Host

pytestmark = pytest.mark.first

COUNT = "dpkg-query -W -f '${db:Status-Abbrev}\\n' | grep -c '^ii'"


def test_packages_and_megabytes(gateway: Host) -> None:
    """At most 90 packages and 1,500 MB, release and sandbox image included, against the image the host started from."""
    image = lab.run("podman", "inspect", "--format", "{{.ImageName}}", f"lp-{NAME}").strip()
    fresh = ["podman", "--runtime", "runc", "run", "--rm", "--network", "none", *lab.LIMITS, image]
    before = lab.run(*fresh, "sh", "-c", f"{COUNT}; du -sxm / | cut -f1")
    packages, megabytes = (int(word) for word in before.split())
    # The sandbox image is seen at two places.
    size = "du -sxm --exclude=/var/lib/lobsterpot/images / 2>/dev/null | cut -f1; du -sxm /home | cut -f1"
    after = gateway.run(f"{COUNT}; {size}").split()
    print(f"packages +{int(after[0]) - packages}, megabytes +{int(after[1]) + int(after[2]) - megabytes}")
    assert int(after[0]) - packages <= 90
    assert int(after[1]) + int(after[2]) - megabytes <= 1500
