"""A gateway set up by hand on a host of the lab, as its documentation says, for playbooks/adopt.yml to take over.

npm's own step is left out: what `npm install --global` leaves in a user's prefix is copied, from the packages of a lock file. No Docker is
installed either, its group is made. All else is the gateway's own: `gateway install` writes, enables and starts its unit, a stranger
writes to the bot and is approved by `pairing approve`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests import lab
from tests.integration.real_gateway import MACHINE, TOKEN, RealGateway, installed
from tests.lab import limits

DOUBLES = lab.ROOT / "tests/lab/doubles"
USER = "bob"
HOME = f"/home/{USER}"
PACKAGES = f"{HOME}/.npm-global/lib/node_modules"
# Telegram as clawdbot sees it, by a name and a certificate of the host's own, and as openclaw can be told.
API = {"clawdbot": "https://127.0.0.1:443", "openclaw": "http://127.0.0.1:9912"}
TALK = f"""
import json, ssl, sys, time, urllib.request
api, sender, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def ask(path, content=None):
    request = urllib.request.Request(api + path, json.dumps(content).encode() if content else None, {{"content-type": "application/json"}})
    with urllib.request.urlopen(request, timeout={limits.ANSWER}, context=ssl._create_unverified_context()) as answer:
        return json.loads(answer.read() or "null")
since = len(ask("/test/sent"))
ask("/test/say", {{"sender": sender, "text": text}})
deadline = time.monotonic() + {limits.CONDITION}
while time.monotonic() < deadline:
    for message in ask(f"/test/sent?since={{since}}&wait=5"):
        if message["chat"] == sender and message["method"] == "sendMessage":
            print(message["text"])
            sys.exit()
sys.exit("{limits.waited(limits.CONDITION, "the bot answers")}")
"""
SERVE = """
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends libatomic1 openssl >/dev/null 2>&1
echo 127.0.0.1 api.telegram.org >>/etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout /opt/telegram.key -out /opt/telegram.pem \
  -subj /CN=api.telegram.org -addext subjectAltName=DNS:api.telegram.org 2>/dev/null
systemd-run --quiet --unit scripted-model python3 /opt/scripted_model.py
systemd-run --quiet --unit fake-telegram python3 /opt/fake_telegram.py 9912
systemd-run --quiet --unit fake-telegram-tls python3 /opt/fake_telegram.py 443 /opt/telegram.pem /opt/telegram.key
"""


def put(name: str, path: str, text: str) -> None:
    lab.run(*lab.door(name), "tee", path, text_in=text)


def as_user(name: str, script: str) -> str:
    """Run a shell script as the user who set the gateway up."""
    uid = lab.inside(name, f"id -u {USER}").strip()
    environment = [f"HOME={HOME}", f"USER={USER}", f"XDG_RUNTIME_DIR=/run/user/{uid}", f"PATH={HOME}/.npm-global/bin:/usr/bin:/bin"]
    command = ["runuser", "-u", USER, "--", "env", "-C", HOME, *environment, "bash", "-euo", "pipefail", "-s"]
    return lab.run(*lab.door(name), *command, text_in=script)


def talk(name: str, api: str, sender: int, text: str) -> str:
    """Write to the bot; return what it answers."""
    return lab.run(*lab.door(name), "python3", "/opt/talk.py", api, str(sender), text).strip()


def set_up(name: str, kind: str, folder: Path) -> None:
    """Set up a gateway of real_gateway's `kind`: 4242 approved, with a conversation; 7001 by configuration; 5151 pending."""
    gateway = RealGateway(kind, folder)
    gateway.configure(API["openclaw"])
    product = gateway.product
    config = json.loads((folder / f"{product}.json").read_text())
    config["channels"]["telegram"]["allowFrom"] = [7001]
    for double in ("scripted_model.py", "fake_telegram.py"):
        put(name, f"/opt/{double}", (DOUBLES / double).read_text())
    put(name, "/opt/talk.py", TALK)
    lab.inside(name, SERVE)
    lab.inside(
        name, f"groupadd --system docker; useradd --create-home --shell /bin/bash --groups docker {USER}; loginctl enable-linger {USER}"
    )
    as_user(
        name,
        f"""
        mkdir -p .npm-global/lib .npm-global/bin
        ln -s {PACKAGES}/node-linux-{MACHINE}/bin/node .npm-global/bin/node
        ln -s ../lib/node_modules/{product}/{"dist/entry.js" if product == "clawdbot" else "openclaw.mjs"} .npm-global/bin/{product}
        mkdir -m 0700 .{product}
        """,
    )
    if product == "clawdbot":  # it cannot be told of another Telegram than the real one's name
        drop_in = f".config/systemd/user/{product}-gateway.service.d"
        as_user(
            name, f"mkdir -p {drop_in}; printf '[Service]\\nEnvironment=NODE_EXTRA_CA_CERTS=/opt/telegram.pem\\n' >{drop_in}/authority.conf"
        )
    with subprocess.Popen(["tar", "--directory", str(installed(kind)), "--create", "node_modules"], stdout=subprocess.PIPE) as tree:
        unpack = ["runuser", "-u", USER, "--", "tar", "--directory", f"{HOME}/.npm-global/lib", "--no-same-owner", "--extract"]
        subprocess.run([*lab.door(name), *unpack], check=True, stdin=tree.stdout)
    as_user(
        name,
        f"umask 077; cat >.{product}/{product}.json <<'JSON'\n{json.dumps(config)}\nJSON\nnode .npm-global/bin/{product} gateway install",
    )
    code = re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", talk(name, API[product], 4242, "hello"))
    assert code
    as_user(name, f"node .npm-global/bin/{product} pairing approve telegram {code[0]}")
    assert talk(name, API[product], 4242, "remember me") == "OK"
    assert "pairing" in talk(name, API[product], 5151, "let me in, too").lower()
    workspace = "clawd" if product == "clawdbot" else ".openclaw/workspace"
    as_user(name, f"mkdir -p {workspace}; echo milk >{workspace}/MEMORY.md; ln -s /etc/shadow {workspace}/shadow")
    assert TOKEN in as_user(name, f"cat .{product}/{product}.json")
