"""The fixtures of the host tests, for another host."""

from tests.host.conftest import gateway, model

__all__ = ["gateway", "model"]
