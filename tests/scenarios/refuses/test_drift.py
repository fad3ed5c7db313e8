"""What playbooks/verify.yml says of a host that this project did not set up: what is missing and unsafe, and the host stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import lab
from tests.scenarios.refuses.test_unsafe_input import FINGERPRINT, NAME, changed_host


def verify(tmp_path: Path) -> tuple[int, Any]:
    """Run the playbook, which must change nothing; return its exit code and the host's part of the report."""
    report = tmp_path / "report.json"
    before = lab.inside(NAME, FINGERPRINT)
    done = lab.site(NAME, "--extra-vars", json.dumps({"verify_report": str(report)}), playbook="playbooks/verify.yml")
    assert lab.inside(NAME, FINGERPRINT) == before
    assert report.exists(), done.stdout[-3000:]
    return done.returncode, json.loads(report.read_text())["hosts"][NAME]


def test_a_host_without_a_gateway(tmp_path: Path) -> None:
    """Everything is missing: that is what it says, and the roles say what they would do."""
    code, found = verify(tmp_path)
    assert code == 2
    assert (found["ok"], found["reachable"], found["release"], found["failures"]) == (False, True, "", [])
    problems = {topic: " ".join(words) for topic, words in found["problems"].items()}
    assert "openclaw-gateway.service is inactive, not active" in problems["service"]
    assert "the gateway is not ready" in problems["service"]
    assert "UFW is not active" in problems["firewall"]
    assert "fail2ban does not watch sshd" in problems["bans"]
    assert "sshd would let openclaw in" in problems["ssh"]
    assert problems["account"] == "there is no user openclaw"
    assert problems["release"] == "/opt/openclaw/current names no release"
    assert problems["audit"] == "the gateway's own security audit gave no report"
    assert {"baseline", "ssh", "fail2ban", "account"} <= {change["topic"] for change in found["changes"]}


def test_a_gateway_that_somebody_set_up_by_hand(tmp_path: Path) -> None:
    """One that listens to the world, on the port of ours: both are said, and it goes on running."""
    listen = "systemd-run --quiet --unit by-hand python3 -m http.server 18789 --directory /srv; "
    listen += "wait_until 'ss -Hltn sport = :18789 | grep -q .'"
    with changed_host(listen, "systemctl stop by-hand"):
        code, found = verify(tmp_path)
        assert lab.inside(NAME, "systemctl is-active by-hand").strip() == "active"
    assert code == 2
    assert "python3 listens on 0.0.0.0 tcp/18789, outside loopback" in found["problems"]["listeners"]
    assert found["failures"][0]["words"].startswith(f"gateway_port: 18789 is taken on {NAME} by python3")
