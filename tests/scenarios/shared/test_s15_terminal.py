"""S15: the operator's terminal."""

from __future__ import annotations

from tests.lab.gateway import Host


def test_the_operators_terminal_is_out_of_reach(gateway: Host) -> None:
    """S15: with output in a pipe, what runs as the user still cannot open root's terminal, and so not type on it."""
    command = "/usr/local/lib/lobsterpot/run-as-openclaw sh -c ': </dev/tty' | cat"
    assert "cannot open /dev/tty" in gateway.run(f'script --quiet --return --command "{command}" /dev/null')
