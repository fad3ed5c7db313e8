"""Fixtures of the scenarios: the gateway on its host, and the doubles beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import ROOT
from tests.lab.gateway import Host, wait_for


@pytest.fixture(scope="session")
def gateway() -> Host:
    return Host()


@pytest.fixture(scope="module")
def model(gateway: Host) -> Iterator[Host]:
    """The host with the scripted model running on its loopback. For each module anew: some restart the host."""
    source = (ROOT / "tests/lab/doubles" / "scripted_model.py").read_text()
    gateway.run("cat >/opt/scripted_model.py <<'PYTHON'\n" + source + "\nPYTHON\n")
    gateway.run("systemctl reset-failed scripted-model 2>/dev/null || true")
    gateway.run("systemctl is-active -q scripted-model || systemd-run --quiet --unit scripted-model python3 /opt/scripted_model.py")
    wait_for(lambda: gateway.code("ss -Hltn sport = :9911 | grep -q .") == 0, "the scripted model listens")
    yield gateway
    gateway.run("systemctl stop scripted-model 2>/dev/null || true")


@pytest.fixture(scope="module")
def bot_api(gateway: Host) -> Iterator[str]:
    """The address of a fake Telegram on the host's loopback."""
    source = (ROOT / "tests/lab/doubles" / "fake_telegram.py").read_text()
    gateway.run("cat >/opt/fake_telegram.py <<'PYTHON'\n" + source + "\nPYTHON\n")
    gateway.run("systemd-run --quiet --unit fake-telegram python3 /opt/fake_telegram.py")
    wait_for(lambda: gateway.code("ss -Hltn sport = :9912 | grep -q .") == 0, "the fake Telegram listens")
    yield "http://127.0.0.1:9912"
    gateway.run("systemctl stop fake-telegram")
