"""Remove all that the lab ever made."""

from __future__ import annotations

import json
import shutil

from tests.lab.hosts.containers import down
from tests.lab.network.bridge import BRIDGE, LAPTOP, NAT_TABLE, NEIGHBOUR
from tests.lab.shell import VMS, quiet, run


def everything_down() -> None:
    containers = run("podman", "ps", "--all", "--format", "{{.Names}}").split()
    namespaces = [line.split()[0] for line in run("ip", "netns", "list").splitlines()]
    down(sorted({name.removeprefix("lp-") for name in (*containers, *namespaces) if name.startswith("lp-")}))
    quiet("pkill", "--signal", "KILL", "--full", f"run_vm.py {VMS}/")
    shutil.rmtree(VMS, ignore_errors=True)
    for name in (NEIGHBOUR, LAPTOP):
        quiet("ip", "netns", "delete", name)
    for link in json.loads(run("ip", "-json", "link", "show", "type", "bridge")):
        if link["ifname"].startswith(("lpv", BRIDGE)):  # the lab's own, and those that held a number for an arena
            quiet("ip", "link", "delete", link["ifname"])
    quiet("nft", "delete", "table", "ip", NAT_TABLE)
