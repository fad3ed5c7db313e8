"""The command line of the lab."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from tests import lab
from tests.lab import figures
from tests.lab.cleanup import everything_down
from tests.lab.hosts.containers import down, up
from tests.lab.hosts.records import inventory
from tests.lab.hosts.starts import forget, note_starts
from tests.lab.network.bridge import laptop


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.lab", description=lab.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["up", "down", "inventory", "laptop", "starts", "figures"])
    parser.add_argument("names", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.verb == "inventory":
        print(json.dumps(inventory(), indent=2))
    elif arguments.verb == "figures":
        print(figures.report(Path(*arguments.names)))
    elif os.geteuid():
        raise SystemExit("lab: run as root; it makes network namespaces and privileged containers")
    elif arguments.verb == "laptop":
        raise SystemExit(laptop(arguments.names))
    elif arguments.verb == "up":
        up(arguments.names)
    elif arguments.verb == "starts":
        for name in arguments.names:
            if (lab.VMS / name / "machine.json").exists():  # else it was never made, or not to the end
                note_starts(name)
                forget(name)
    elif arguments.names:
        down(arguments.names)
    else:
        everything_down()


if __name__ == "__main__":
    main()
