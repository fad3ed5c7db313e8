"""Real gateways of every store format, installed from lock files, each with a state directory of its own, on loopback."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ROOT

CACHE = Path.home() / ".cache" / "lobsterpot"
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
LOCKS = {
    "sqlite": ("openclaw", ROOT / "roles" / "release" / "files" / "locks" / "openclaw" / "2026.9.6"),
    "scoped": ("openclaw", ROOT / "tests" / "integration" / "locks" / "openclaw-2026.7.35"),
    "unscoped": ("clawdbot", ROOT / "tests" / "integration" / "locks" / "clawdbot-2026.1.24-3"),
}
TOKEN = "123456:integration-test-token-of-no-bot"  # noqa: S105 - of no bot


def installed(kind: str) -> Path:
    """Install a gateway once, from its lock file, install scripts off; return its folder."""
    _, lock = LOCKS[kind]
    key = hashlib.sha256((lock / "package-lock.json").read_bytes()).hexdigest()[:12]
    target = CACHE / f"test-{lock.name}-{key}"
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (CACHE / f".lock-{target.name}").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not target.is_dir():
            partial = target.with_name(f".partial-{target.name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(lock / name, partial)
            tools = str(Path(sys.executable).parent)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--cache={CACHE / 'npm'}"]
            environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
            done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=partial, env=environment)
            assert done.returncode == 0, done.stderr[-2000:]
            partial.rename(target)
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


def fetch(url: str, content: dict[str, Any] | None = None) -> Any:
    """GET, or POST of JSON; None when nobody answers."""
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read() or b"null")
    except (OSError, ValueError):
        return None


class RealGateway:
    """One gateway: its state directory, its command line, its store functions, and the process itself."""

    def __init__(self, kind: str, folder: Path, api_port: int = 0, model_port: int = 0) -> None:
        self.kind = kind
        self.product, _ = LOCKS[kind]
        self.release = installed(kind)
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder.with_name(f"{folder.name}.log")
        folder.mkdir(mode=0o700)
        (folder / "home").mkdir()
        config = folder / f"{self.product}.json"
        config.write_text(json.dumps(self._config(api_port, model_port)))
        config.chmod(0o600)
        prefix = self.product.upper()
        self.environment = {
            "HOME": str(folder / "home"),
            "PATH": "/usr/bin:/bin",
            f"{prefix}_STATE_DIR": str(folder),
            f"{prefix}_CONFIG_PATH": str(config),
            f"{prefix}_CONFIG_READONLY": "1",
            f"{prefix}_NO_RESPAWN": "1",
            f"{prefix}_DISABLE_BONJOUR": "1",
            f"{prefix}_NO_AUTO_UPDATE": "1",
        }

    def _config(self, api_port: int, model_port: int) -> dict[str, Any]:
        telegram: dict[str, Any] = {"botToken": TOKEN, "dmPolicy": "pairing"}
        config: dict[str, Any] = {
            "gateway": {"mode": "local", "bind": "loopback", "port": self.port, "auth": {"mode": "token", "token": "0123456789abcdef" * 2}},
            "channels": {"telegram": telegram},
            "discovery": {"mdns": {"mode": "off"}},
            "update": {"checkOnStart": False},
        }
        model = {"id": "obedient", "name": "Obedient"}
        provider = {"baseUrl": f"http://127.0.0.1:{model_port}/v1", "api": "openai-completions", "apiKey": "none", "models": [model]}
        config["models"] = {"providers": {"scripted": provider}}
        config["agents"] = {"defaults": {"model": {"primary": "scripted/obedient"}}}
        if self.product == "openclaw":
            telegram["apiRoot"] = f"http://127.0.0.1:{api_port}"
            config["commands"] = {"ownerAllowFrom": ["nobody:nobody"]}
        else:
            telegram["enabled"] = True
            del config["discovery"]
            provider["models"] = [
                {
                    **model,
                    "reasoning": False,
                    "input": ["text"],
                    "cost": dict.fromkeys(("input", "output", "cacheRead", "cacheWrite"), 0),
                    "contextWindow": 100000,
                    "maxTokens": 1000,
                }
            ]
        return config

    @property
    def package(self) -> Path:
        return self.release / "node_modules" / self.product

    @property
    def node(self) -> list[str]:
        return [str(self.release / "node_modules" / f"node-linux-{MACHINE}" / "bin" / "node")]

    @property
    def command(self) -> list[str]:
        return [*self.node, str(self.package / ("openclaw.mjs" if self.product == "openclaw" else "dist/entry.js"))]

    def cli(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the gateway's own command."""
        return subprocess.run(
            [*self.command, *arguments], check=False, capture_output=True, text=True, env=self.environment, timeout=seconds
        )

    def requests(self) -> list[dict[str, Any]]:
        """What its command line lists as pending; clawdbot prints boxes before the JSON."""
        done = self.cli("pairing", "list", "telegram", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return list(json.loads(done.stdout[done.stdout.index("{") :])["requests"])

    def store(self, *calls: tuple[str, object]) -> list[Any]:
        """Call its store functions, in one process."""
        script = str(ROOT / "tests" / "integration" / "real_store.mjs")
        text = json.dumps(calls)
        command = [*self.node, script, str(self.package)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self.environment, input=text, timeout=300)
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
        return list(json.loads(done.stdout.splitlines()[-1]))

    def approved(self) -> list[str]:
        """What the gateway reads when a message comes in."""
        parameters: object = ["telegram"] if self.kind == "unscoped" else ["telegram", self.environment, "default"]
        return list(self.store(("readChannelAllowFromStore", parameters))[0])

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*self.command, "gateway"], stdout=log, stderr=log, env=self.environment)

    def ready(self) -> bool:
        return (
            "[telegram] [default] starting provider" in self.log.read_text()
            or (fetch(f"http://127.0.0.1:{self.port}/readyz") or {}).get("ready") is True
        )

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)


def modules(wishes: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Run modules one after the other in a process of their own; return their results."""
    lines = "".join(json.dumps({"module": name, "arguments": arguments}) + "\n" for name, arguments in wishes)
    command = [sys.executable, str(ROOT / "tests" / "integration" / "module_runner.py")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=lines, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def module(name: str, gateway: RealGateway, *, fails: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run one module on a gateway's store."""
    result = modules([(name, {"state_dir": str(gateway.folder), "user": "root", **arguments})])[0]
    assert result.get("failed", False) is fails, result
    return result
