"""What the tests of the virtual machine share with those of other hosts."""

from __future__ import annotations

from tests.host.conftest import gateway, model

__all__ = ["gateway", "model"]
