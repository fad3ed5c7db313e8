#!/usr/bin/env python3
"""How long a run takes, against a bare shell script that does the same steps, and how a settled run grows with hosts.

    sudo .venv/bin/python benchmarks/converge.py

Prints ratios from one run on one machine; seconds depend on it, ratios hardly do. Both first runs start from the same base image with the
archives already built, so neither counts the controller's download. The script does what an administrator would type: packages, user,
unpack, import, configuration, unit, start until ready; nothing is hardened. Makes its own hosts in the lab and removes them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"

from tests import lab  # noqa: E402 - found by the line above

CACHE = Path.home() / ".cache" / "lobsterpot"
PACKAGES = (
    "ca-certificates catatonit crun dbus-user-session fail2ban libatomic1 nftables podman python3-apt python3-systemd ufw uidmap "
    "unattended-upgrades zstd systemd-timesyncd"
)
CONFIG = {
    "gateway": {
        "mode": "local",
        "bind": "loopback",
        "port": 18789,
        "auth": {"mode": "token", "token": "benchmark-" + "0" * 24},
    },
    "agents": {"defaults": {"sandbox": {"mode": "all", "backend": "podman", "docker": {"image": "localhost/openclaw-sandbox:bench"}}}},
}
BARE = f"""
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends {PACKAGES} >/dev/null 2>&1
ufw allow 2022/tcp >/dev/null; ufw --force enable >/dev/null
useradd --create-home --shell /usr/sbin/nologin openclaw
loginctl enable-linger openclaw
uid=$(id -u openclaw)
systemctl start user@$uid
mkdir -p /opt/openclaw
tar --extract --zstd --file /tmp/release.tar.zst --directory /opt/openclaw
mkdir -p /etc/containers; printf '[storage]\\ndriver = "overlay"\\n' >/etc/containers/storage.conf
chmod 0644 /tmp/sandbox.tar.zst
cd /
environment="HOME=/home/openclaw USER=openclaw PATH=/usr/bin:/bin XDG_RUNTIME_DIR=/run/user/$uid"
as_user="setpriv --reuid openclaw --regid openclaw --init-groups env -i $environment"
$as_user podman import --quiet /tmp/sandbox.tar.zst localhost/openclaw-sandbox:bench 2>/dev/null
install -d -m 0700 -o openclaw -g openclaw /home/openclaw/.openclaw
cat >/home/openclaw/.openclaw/openclaw.json <<'JSON'
{json.dumps(CONFIG)}
JSON
chown openclaw: /home/openclaw/.openclaw/openclaw.json
cat >/etc/systemd/system/bare.service <<UNIT
[Service]
User=openclaw
Environment=XDG_RUNTIME_DIR=/run/user/$uid PATH=/opt/openclaw/bin:/usr/bin:/bin
ExecStart=/opt/openclaw/bin/node /opt/openclaw/node_modules/openclaw/openclaw.mjs gateway
UNIT
systemctl daemon-reload
systemctl start bare
until python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:18789/readyz', timeout=2)" 2>/dev/null; do :; done
"""


def newest(pattern: str) -> Path:
    return max(CACHE.glob(pattern), key=lambda path: path.stat().st_mtime)


def timed(label: str, *command: str, text_in: str | None = None) -> tuple[float, str]:
    begin = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=text_in, cwd=ROOT)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{label} failed:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
    return seconds, done.stdout


def bare(name: str) -> float:
    variables = lab.hosts_up()[name]["variables"]
    options = ["-q", "-i", variables["ansible_ssh_private_key_file"], *variables["ansible_ssh_common_args"].split()]
    target = f"{variables['ansible_user']}@{variables['ansible_host']}"
    port = str(lab.SSH_PORT)
    begin = time.monotonic()
    for archive, there in ((newest("openclaw-2026.9.6-x64-*.zst"), "release"), (newest("sandbox-*.zst"), "sandbox")):
        timed("copy", "scp", *options, "-P", port, str(archive), f"{target}:/tmp/{there}.tar.zst")
    timed("bare script", "ssh", *options, "-p", port, target, "sudo bash -s", text_in=BARE)
    return time.monotonic() - begin


def converge(*names: str) -> tuple[float, int, int]:
    """Seconds, tasks (skipped ones counted, each costs the controller a process) and changes of one run."""
    command = ["ansible-playbook", "-i", "molecule/shared/inventory", "--limit", ",".join(names), "site.yml"]
    seconds, out = timed("site.yml", *command)
    recap = [re.findall(r"(ok|changed|failed|skipped)=(\d+)", line) for line in out.splitlines() if " ok=" in line]
    counts = [{key: int(value) for key, value in row} for row in recap]
    return seconds, max(row["ok"] + row["skipped"] for row in counts), sum(row["changed"] for row in counts)


def main() -> None:
    print("warming the controller's caches and the base image ...", flush=True)
    lab.up(["bench1"])
    converge("bench1")
    scripts, firsts = [], []
    for _ in range(3):  # in turns, so that both meet the same machine
        lab.up(["bench1"])
        scripts.append(bare("bench1"))
        lab.up(["bench1"])
        firsts.append(converge("bench1"))
    script, (first, tasks, _) = min(scripts), min(firsts)
    settled, settled_tasks, changed = min(converge("bench1") for _ in range(3))
    print(f"bare script                       {script:6.1f} s")
    print(f"first run, one host               {first:6.1f} s, {tasks} tasks, {first / script:.2f} times the script")
    print(f"settled run, one host             {settled:6.1f} s, {settled_tasks} tasks, {changed} changed")
    lab.up(["bench2", "bench3", "bench4"])
    converge("bench2", "bench3", "bench4")
    four, _, changed = min(converge("bench1", "bench2", "bench3", "bench4") for _ in range(2))
    print(f"settled run, four hosts           {four:6.1f} s, {changed} changed, {four / settled:.2f} times one host")
    lab.down(["bench1", "bench2", "bench3", "bench4"])


if __name__ == "__main__":
    main()
