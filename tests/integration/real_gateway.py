"""Real gateways of every store format, installed from lock files, each with a state directory of its own, on loopback."""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ROOT, figures, limits

CACHE = Path.home() / ".cache" / "lobsterpot"
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
LOCKS = {
    "sqlite": ("openclaw", ROOT / "roles" / "release" / "files" / "locks" / "openclaw" / "2026.9.6"),
    "previous": ("openclaw", ROOT / "roles" / "release" / "files" / "locks" / "openclaw" / "2026.9.5"),
    "scoped": ("openclaw", ROOT / "tests" / "integration" / "locks" / "openclaw-2026.7.35"),
    "unscoped": ("clawdbot", ROOT / "roles" / "release" / "files" / "locks" / "clawdbot" / "2026.1.24-3"),
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


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + limits.GATEWAY
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(limits.waited(limits.GATEWAY, what))
        time.sleep(0.1)


class Network:
    """A network namespace with nothing but loopback, in which `api.telegram.org` is the fake one, with a certificate of its own."""

    def __init__(self, folder: Path, name: str = "lp-gateways") -> None:
        self.name = name
        self.certificate, self.key = folder / "telegram.pem", folder / "telegram.key"
        self.processes: list[subprocess.Popen[bytes]] = []
        hosts = Path("/etc/netns") / self.name / "hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        hosts.write_text("127.0.0.1 localhost api.telegram.org\n")
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
        request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        request += ["-keyout", str(self.key), "-out", str(self.certificate), "-subj", "/CN=api.telegram.org"]
        subprocess.run([*request, "-addext", "subjectAltName=DNS:api.telegram.org"], check=True, capture_output=True)

    def start(self, log: Path, command: list[str], environment: dict[str, str]) -> None:
        with log.open("ab") as stream:
            inside = ["ip", "netns", "exec", self.name, *command]
            self.processes.append(subprocess.Popen(inside, stdout=stream, stderr=stream, env=environment))

    def fetch(self, url: str, content: dict[str, object] | None = None) -> Any:
        """GET, or POST of JSON; None when nobody answers."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", FETCH, url, json.dumps(content) if content else ""]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limits.GATEWAY)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def down(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(limits.GATEWAY)
        subprocess.run(["ip", "netns", "delete", self.name], check=True)
        shutil.rmtree(Path("/etc/netns") / self.name)


FETCH = f"""
import ssl, sys, urllib.request
body = sys.argv[2].encode() or None
request = urllib.request.Request(sys.argv[1], data=body, headers={{"content-type": "application/json"}})
print(urllib.request.urlopen(request, timeout={limits.ANSWER}, context=ssl._create_unverified_context()).read().decode())
"""


class RealGateway:
    """One gateway: its state directory, its command line, its store functions, and the process itself."""

    def __init__(self, kind: str, folder: Path, port: int = 18789) -> None:
        self.kind = kind
        self.product, _ = LOCKS[kind]
        self.release = installed(kind)
        self.folder = folder
        self.port = port
        self.log = folder.with_name(f"{folder.name}.log")
        folder.mkdir(mode=0o700)
        (folder / "home").mkdir()
        self.configure("http://127.0.0.1:9")
        prefix = self.product.upper()
        self.environment = {
            "HOME": str(folder / "home"),
            "PATH": "/usr/bin:/bin",
            f"{prefix}_STATE_DIR": str(folder),
            f"{prefix}_CONFIG_PATH": str(folder / f"{self.product}.json"),
            f"{prefix}_CONFIG_READONLY": "1",
            f"{prefix}_NO_RESPAWN": "1",
            f"{prefix}_DISABLE_BONJOUR": "1",
            f"{prefix}_NO_AUTO_UPDATE": "1",
        }

    def configure(self, api: str) -> None:
        """Write the configuration: pairing on Telegram by way of `api`, and the scripted model."""
        path = self.folder / f"{self.product}.json"
        path.write_text(json.dumps(self._config(api)))
        path.chmod(0o600)

    def on(self, folder: Path) -> RealGateway:
        """The same version on the state of another one."""
        other = copy.copy(self)
        other.folder = folder
        other.environment = {name: text.replace(str(self.folder), str(folder)) for name, text in self.environment.items()}
        return other

    def _config(self, api: str) -> dict[str, Any]:
        telegram: dict[str, Any] = {"botToken": TOKEN, "dmPolicy": "pairing"}
        config: dict[str, Any] = {
            "gateway": {"mode": "local", "bind": "loopback", "port": self.port, "auth": {"mode": "token", "token": "0123456789abcdef" * 2}},
            "channels": {"telegram": telegram},
            "discovery": {"mdns": {"mode": "off"}},
            "update": {"checkOnStart": False},
        }
        model: dict[str, Any] = {"id": "obedient", "name": "Obedient"}
        provider = {"baseUrl": "http://127.0.0.1:9911/v1", "api": "openai-completions", "apiKey": "none", "models": [model]}
        config["models"] = {"providers": {"scripted": provider}}
        config["agents"] = {"defaults": {"model": {"primary": "scripted/obedient"}}}
        if self.product == "openclaw":
            telegram["apiRoot"] = api
            config["commands"] = {"ownerAllowFrom": ["nobody:nobody"]}
        else:
            # It has no address of the API to set, and wants all of a model's data and the plugin named.
            del config["discovery"], config["update"]
            telegram["enabled"] = True
            config["plugins"] = {"entries": {"telegram": {"enabled": True}}}
            model |= {"reasoning": False, "input": ["text"], "contextWindow": 100000, "maxTokens": 1000}
            model["cost"] = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
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

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the gateway's own command."""
        return subprocess.run(
            [*self.command, *arguments], check=False, capture_output=True, text=True, env=self.environment, timeout=limits.GATEWAY
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
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self.environment, input=text, timeout=limits.GATEWAY
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
        return list(json.loads(done.stdout.splitlines()[-1]))

    def function(self, name: str, calls: list[list[Any]]) -> list[Any]:
        """Call one of its functions, in one process."""
        command = [*self.node, str(ROOT / "tests" / "integration" / "real_function.mjs"), str(self.package), name]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self.environment, input=json.dumps(calls), timeout=limits.GATEWAY
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return list(json.loads(done.stdout.splitlines()[-1]))

    def ask(self, *senders: str) -> list[str]:
        """Have its store take requests, as when strangers write; return their codes."""
        calls = [("upsertChannelPairingRequest", {"channel": "telegram", "id": sender, "accountId": "default"}) for sender in senders]
        return [str(made["code"]) for made in self.store(*calls)]

    def approved(self) -> list[str]:
        """What the gateway reads when a message comes in."""
        parameters: object = ["telegram"] if self.kind == "unscoped" else ["telegram", self.environment, "default"]
        return list(self.store(("readChannelAllowFromStore", parameters))[0])

    def start(self, network: Network) -> None:
        figures.note("starts", 1)
        network.start(self.log, [*self.command, "gateway"], {**self.environment, "NODE_EXTRA_CA_CERTS": str(network.certificate)})


def modules(wishes: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Run modules one after the other in a process of their own; return their results."""
    lines = "".join(json.dumps({"module": name, "arguments": arguments}) + "\n" for name, arguments in wishes)
    command = [sys.executable, str(ROOT / "tests" / "integration" / "module_runner.py")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=lines, timeout=limits.GATEWAY)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def module(name: str, gateway: RealGateway, *, fails: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run one module on a gateway's store."""
    result = modules([(name, {"state_dir": str(gateway.folder), "user": "root", **arguments})])[0]
    assert result.get("failed", False) is fails, result
    return result
