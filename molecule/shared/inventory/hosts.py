#!/usr/bin/env python3
"""Inventory script: the hosts that the lab has up."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests import lab

print(json.dumps(lab.inventory()))
