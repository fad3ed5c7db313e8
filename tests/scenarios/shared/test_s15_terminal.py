"""S15: what a command of root's that runs as the gateway's user gets of root's: nothing, the operator's terminal least of all."""

from __future__ import annotations

import re

from tests.lab import limits
from tests.lab.gateway import RUN_AS, Host


def in_terminal(gateway: Host, command: str) -> str:
    return gateway.run(f'script --quiet --return --command "{command}" /dev/null </dev/null')


def test_the_operators_terminal_is_out_of_reach(gateway: Host) -> None:
    """S15: with output in a pipe, what runs as the user has no terminal; else it has one of its own. Root's is none of its descriptors."""
    assert "cannot open /dev/tty" in in_terminal(gateway, f"{RUN_AS} sh -c ': </dev/tty' | cat")
    roots, given = re.findall(r"/dev/pts/\d+", in_terminal(gateway, f"tty; {RUN_AS} tty"))
    assert roots != given


def test_nothing_is_inherited(gateway: Host) -> None:
    """S15: no variable, no file that root had open; input, output and exit code go through. What a command does not read stays."""
    script = "readlink /proc/self/fd/9; echo ${SECRET:-unset}; cat; echo wrong >&2; exit 3"
    # The shell reads these lines from its standard input.
    said = gateway.run(f"""
exec 9</etc/shadow; export SECRET=x; echo in | {RUN_AS} sh -c '{script}' 2>&1 || echo code $?
{RUN_AS} true
echo after
""")
    assert sorted(said.split("\n")) == ["", "after", "code 3", "in", "unset", "wrong"]


def test_a_command_ends_whatever_it_leaves_running(gateway: Host) -> None:
    """A process that stays behind keeps neither the command nor what reads its output."""
    try:
        assert gateway.run(f"timeout {limits.ANSWER} {RUN_AS} sh -c 'sleep 6000 & echo through' | cat") == "through\n"
    finally:
        gateway.run("pkill --uid openclaw --full '^sleep 6000'")
