"""S14, S10: what the gateway refuses is not deployed, and what does not start is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.gateway import UNIT, Host, playbook

STATE = f"""
sha256sum /etc/openclaw/openclaw.json /etc/systemd/system/{UNIT} /usr/local/bin/openclaw /etc/openclaw/environment
readlink /opt/openclaw/current
"""


def run_with(tmp_path: Path, variables: dict[str, object]) -> tuple[int, str]:
    file = tmp_path / "variables.json"
    file.write_text(json.dumps(variables))
    done = playbook("--tags", "gateway", "--extra-vars", f"@{file}", check=False)
    return done.returncode, " ".join(done.stdout.split())


def test_a_configuration_the_gateway_rejects(gateway: Host, tmp_path: Path) -> None:
    """S14: its own words are shown, nothing is replaced, the process that ran goes on running."""
    before = gateway.run(STATE + f"systemctl show -p MainPID {UNIT}")
    code, said = run_with(tmp_path, {"gateway_config_extra": {"gateway": {"noSuchKey": True}}})
    assert code != 0
    assert "noSuchKey" in said
    assert "openclaw.json was not changed, the new one is not valid" in said
    assert gateway.run(STATE + f"systemctl show -p MainPID {UNIT}") == before


def test_a_configuration_that_does_not_start(gateway: Host, tmp_path: Path) -> None:
    """S10: a valid configuration whose gateway cannot start is taken back, and the old one is ready again."""
    secrets_before = gateway.run("sha256sum /etc/openclaw/secrets.json")
    before = gateway.run(STATE)
    lost = {"source": "file", "provider": "hostfile", "id": "/not/there"}
    extra = {"gateway": {"auth": {"token": lost}}}
    # Short: it cannot get ready, however long it is waited for. Here either ends the wait: exit code 78, or the limit.
    code, said = run_with(
        tmp_path,
        {"gateway_config_extra": extra, "gateway_ready_timeout": 25, "gateway_secrets": {"other": {"value": "known-to-this-test-alone"}}},
    )
    assert code != 0
    assert "The gateway did not become ready" in said
    assert "are in use again" in said
    assert gateway.run(STATE) == before
    assert gateway.run("sha256sum /etc/openclaw/secrets.json") == secrets_before
    assert gateway.code("test -e /etc/openclaw/secrets.json.previous") != 0
    gateway.wait_until_ready()


@pytest.fixture
def cached_archive() -> Path:
    found = sorted((Path.home() / ".cache" / "lobsterpot").glob("openclaw-2026.9.6-x64-*.tar.zst"))
    return found[-1]


def test_an_archive_that_was_changed(gateway: Host, cached_archive: Path) -> None:
    """S14: an archive whose bytes differ from what was built is refused by name before the host is touched."""
    before = gateway.run(STATE)
    gateway.run("mv /opt/openclaw/releases /opt/openclaw/releases.away")
    recorded = cached_archive.with_name(cached_archive.name + ".sha256")
    good = recorded.read_text()
    recorded.write_text("0" * 64 + good[64:])
    try:
        done = playbook("--tags", "gateway", check=False)
        said = " ".join(done.stdout.split())
        assert done.returncode != 0
        assert f"{cached_archive} was changed since it was built" in said
        assert "changed=0" in said
        assert gateway.code("test -e /opt/openclaw/releases") != 0
    finally:
        recorded.write_text(good)
        gateway.run("mv /opt/openclaw/releases.away /opt/openclaw/releases")
    assert gateway.run(STATE) == before
