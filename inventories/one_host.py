#!/usr/bin/env python3
"""Inventory script behind `./install.sh HOST`: the one host named in LOBSTERPOT_HOST, as [user@]host[:port]."""

import json
import os
import re

match = re.fullmatch(
    r"(?:(?P<user>[^@]+)@)?(?P<host>\[[0-9a-fA-F:]+\]|[^:]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*)(?::(?P<port>\d+))?",
    os.environ["LOBSTERPOT_HOST"],
)
if not match:
    raise SystemExit("LOBSTERPOT_HOST is not of the form [user@]host[:port]")
host = match["host"].strip("[]")
variables: dict[str, object] = {}
if match["user"]:
    variables["ansible_user"] = match["user"]
if match["port"]:
    variables["ansible_port"] = int(match["port"])
print(json.dumps({"gateways": {"hosts": [host]}, "_meta": {"hostvars": {host: variables}}}))
