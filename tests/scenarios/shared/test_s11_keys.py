"""S11: who may log in, and how."""

from __future__ import annotations

from tests.lab.gateway import Host, sshd_settings


def test_keys_only_after_a_key_was_proven(gateway: Host) -> None:
    """Passwords are off, and root logs in by key at most."""
    settings = sshd_settings(gateway)
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["permitrootlogin"] in ("without-password", "prohibit-password")
