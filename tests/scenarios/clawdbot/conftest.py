"""The gateway of this scenario is the other product."""

from __future__ import annotations

import pytest

from tests.lab.gateway import Host


class Clawdbot(Host):
    product = "clawdbot"


@pytest.fixture(scope="session")
def gateway() -> Host:
    return Clawdbot()
