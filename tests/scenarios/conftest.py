"""The fixtures that every scenario has."""

from __future__ import annotations

from tests.lab.fixtures import bot_api, gateway, model
from tests.lab.hosts.guest import root
from tests.redteam.stage import again, first, restarted, scene

__all__ = ["again", "bot_api", "first", "gateway", "model", "restarted", "root", "scene"]
