"""Channels that are plugins of their own: laid out as in a release, a real gateway trusts them and its channels start to connect."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

from tests.integration.real_gateway import CACHE, Network, RealGateway, wait_for
from tests.integration.test_policy_live import deploy
from tests.lab import ROOT

ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.lobsterpot.archive import plugin_project, unpack_plugin  # noqa: E402 - it lies on the path since the line above
from ansible.module_utils.lobsterpot.lockfile import integrity  # noqa: E402

LOCK = ROOT / "roles" / "release" / "files" / "locks" / "openclaw" / "2026.9.6"
# How far each comes without a way out; WhatsApp waits to be linked.
CONNECTING = {
    "discord": "[discord] [default] channel exited: Failed to resolve Discord application id",
    "slack": "bolt-app http request failed",
    "signal": "[signal] stream error: Error: connect ECONNREFUSED 127.0.0.1:9",
    "imessage": "[imessage] [default] starting provider (/bin/false)",
}
CHANNELS = {
    "discord": {},
    "slack": {},
    "signal": {"number": "+15550199", "server": "http://127.0.0.1:9"},
    "imessage": {"program": "/bin/false"},
    "whatsapp": {},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("network"), "lp-plugins")
    yield made
    for process in made.processes:
        process.kill()  # it would wait for channels that cannot connect
    made.down()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release as far as plugins go: the pinned archives, laid out by what lays them out in a release, beside the gateway."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "node_modules").symlink_to(RealGateway("sqlite", folder / "unused").release / "node_modules")
    pinned_plugins(folder)
    return folder


def pinned_plugins(folder: Path) -> None:
    """Lay the plugins out in a release's folder, from the pinned archives."""
    plugin_project(folder, CHANNELS, "2026.9.6")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for channel, pin in json.loads((LOCK / "plugins.json").read_text()).items():
        command = ["npm", "pack", f"@openclaw/{channel}@2026.9.6", "--ignore-scripts", "--loglevel=error", f"--cache={CACHE / 'npm'}"]
        subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
        (archive,) = folder.glob("*.tgz")
        assert integrity(archive.read_bytes()) == pin
        unpack_plugin(archive, folder, channel)
        archive.unlink()


@pytest.fixture(scope="module")
def gateway(network: Network, release: Path, tmp_path_factory: pytest.TempPathFactory) -> RealGateway:
    """With a link in its state, as the unit makes it before each start, and tokens of no bot."""
    made = RealGateway("sqlite", tmp_path_factory.mktemp("gateways") / "state", port=18890)
    (made.folder / "npm").symlink_to(release / "npm")
    tokens = {
        "discord": {"token": f"{secrets.token_hex(12)}.{secrets.token_hex(3)}.{secrets.token_hex(14)}"},
        "slack": {"botToken": f"xoxb-{secrets.token_hex(20)}", "appToken": f"xapp-{secrets.token_hex(20)}"},
    }
    given: dict[str, Any] = {"gateway_channels": CHANNELS, "gateway_secrets": tokens, "gateway_model_keys": {}}
    deploy(made, given)
    made.start(network)
    return made


def test_they_start_to_connect(gateway: RealGateway) -> None:
    """They get as far as the network, which there is none of."""
    wait_for(lambda: all(words in gateway.log.read_text() for words in CONNECTING.values()), "channels start to connect")
    assert "only available for trusted plugins" not in gateway.log.read_text()


def test_they_are_trusted(gateway: RealGateway, release: Path) -> None:
    """All of them, as official packages, from the release; not without the link in its state."""
    assert trust(gateway, release) == dict.fromkeys(CHANNELS, "trusted-official")
    (gateway.folder / "npm").unlink()
    assert trust(gateway, release) == dict.fromkeys(CHANNELS, "install-path-mismatch")


def trust(gateway: RealGateway, release: Path) -> dict[str, str]:
    """Why the gateway trusts each plugin of the release that it finds, or does not."""
    done = gateway.cli("plugins", "list", "--json")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    found = json.loads(done.stdout[done.stdout.index("{") :])["plugins"]
    return {plugin["id"]: plugin["trust"]["reason"] for plugin in found if Path(plugin["rootDir"]).is_relative_to(release)}
