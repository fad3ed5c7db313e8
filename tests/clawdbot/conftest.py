"""The fixtures of the host tests, for a host with the other product."""

import pytest

from tests.host.attack import Host
from tests.host.conftest import model

__all__ = ["gateway", "model"]


class Clawdbot(Host):
    product = "clawdbot"


@pytest.fixture(scope="session")
def gateway() -> Host:
    return Clawdbot()
