"""The lab: throw-away Debian hosts for the tests, each a systemd container in a network namespace of its own.

    python3 -m tests.lab up NAME[:trixie]...   make and start hosts, Debian 12 or 13
    python3 -m tests.lab down NAME...          remove them; without a name, everything the lab ever made
    python3 -m tests.lab inventory             print the hosts that are up, as an Ansible inventory script does
    python3 -m tests.lab laptop COMMAND...     run a command on the laptop
    python3 -m tests.lab starts MACHINE...     before machines are removed: note how often their gateways were started
    python3 -m tests.lab figures FOLDER        print what was noted of the tests and the gateways, see figures.py

A host is reached by SSH (port 2022, user `admin`, key made at run time, host key known), as a real one is. All hosts and the
namespace `lp-neighbour`, from which the tests attack, hang on one bridge. The addresses exist only on this machine.

The laptop is a namespace, too: the computer that makes virtual machines, with a loopback of its own to attack.

Here stands what the tests use of it. `hosts/` makes and operates hosts, `network/` connects them, `doubles/` stand where nothing real
can run and say what they imitate.
"""

from tests.lab.hosts.containers import LIMITS, SSH_PORT, down, up
from tests.lab.hosts.doors import door, inside, is_machine
from tests.lab.hosts.operate import restart, site
from tests.lab.hosts.records import hosts_up, inventory
from tests.lab.hosts.starts import note_starts
from tests.lab.network.bridge import BRIDGE, LAPTOP, LAPTOP_NUMBER, NEIGHBOUR, address, laptop, nameservers, netns
from tests.lab.shell import ROOT, STATE, VMS, quiet, run

__all__ = [
    "BRIDGE",
    "LAPTOP",
    "LAPTOP_NUMBER",
    "LIMITS",
    "NEIGHBOUR",
    "ROOT",
    "SSH_PORT",
    "STATE",
    "VMS",
    "address",
    "door",
    "down",
    "hosts_up",
    "inside",
    "inventory",
    "is_machine",
    "laptop",
    "nameservers",
    "netns",
    "note_starts",
    "quiet",
    "restart",
    "run",
    "site",
    "up",
]
