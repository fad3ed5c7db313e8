"""What the tests of the virtual machine share with those of other hosts."""

from __future__ import annotations

from tests.host.conftest import again, first, gateway, model, restarted, scene

__all__ = ["again", "first", "gateway", "model", "restarted", "scene"]
