"""How long the tests wait, in seconds: every limit of `tests`, and of nothing else.

A limit ends a wait that is in vain. It must never end one that is only slow: an emulated computer takes thirty times as long as a real one,
and other work on it multiplies that. Behind a limit stands what an idle computer needs, where that is known. None is reached in a run that
passes, but for those under "silence": there the end of the wait is what the test looks for.

Where a script cannot import this table (it is copied into a host, or it is an attack), the number stands there with its reason, and
`tests/unit/test_limits_of_tests.py` names the place.
"""

from __future__ import annotations

# ---------------------------------------------------------------------------------------------------- conditions
# Anything that a test of a host waits for, as `wait_for` asks: something listens, the bot answers, the gateway is ready. The last takes
# 11 to 31 s in a container, and 4 minutes in an emulated machine.
CONDITION = 900.0
# The same in one shell script, as `wait_until` of tests/lab/shell.py asks: a program that was just started listens. Under 1 s.
SCRIPT = 300.0
# The arena writes down what it saw, or one of its doubles listens. Under 1 s.
ARENA = 300.0
# A real gateway without a host (tests/integration) does something: it starts in 11 to 31 s, its bot answers, one of its commands ends
# in 6 to 14 s.
GATEWAY = 1800.0
# A double or a gateway answers one HTTP request, or a store gives up its lock. Milliseconds; a gateway can hold the lock for 3 s.
ANSWER = 120.0

# ---------------------------------------------------------------------------------------------------- hosts and machines
# systemd in a new or restarted container is up. 6 s.
CONTAINER_UP = 600.0
# systemd in a container stops all units before a restart, or the container is killed. The gateway takes up to 10 s. A whole number.
CONTAINER_STOP = 120
# The same before a container is removed. Short: nobody needs its end to be a good one.
CONTAINER_END = 2
# A machine can be logged in to again after `systemctl reboot`. 16 s, and what it takes to shut down.
REBOOT = 1800.0
# SSH of a machine answers. 0.5 s. A whole number.
LOGIN = 120
# One run of a playbook on a host, site.yml for example. Minutes.
PLAYBOOK = 3600.0
# One run of a playbook on the laptop, which may make a machine anew. Emulated beside other work, an installation took 48 minutes.
LAPTOP_PLAYBOOK = 7200.0
# ./install.sh ends after its machine lost the power. Seconds.
INSTALL_FAILS = 1800.0
# nmap has tried all ports, at 5000 a second and more. 15 s.
SCAN = 1800.0

# ---------------------------------------------------------------------------------------------------- the red team
# One attack in a shell: each ends by itself. One that is ended here counts as not shown. Seconds.
ATTACK = 600
# In an attack, a server answers that has to: SSH, which then refuses. 0.5 s. Several fit into ATTACK. A whole number.
ATTACK_ANSWER = 100
# All attacks in one copy of the gateway's unit. Seconds.
ATTACKS_INSIDE = 1800
# The running gateway takes a changed configuration: 2 s. It can lose one that comes on the heels of another; after this it is started anew.
CONFIGURATION_TAKEN = 120
# A double answers the suite, after up to 5 s in which it waits for news.
CHAT = 300.0

# ---------------------------------------------------------------------------------------------------- unit tests
# A program that a unit test starts ends: ansible-playbook, aar-doc, a double. Seconds.
PROGRAM = 600.0
# A thread or a socket of a unit test gets on. Milliseconds.
THREAD = 120.0

# ---------------------------------------------------------------------------------------------------- silence
# No connection comes about: nobody answered, as a firewall drops. Where one has to come about, it does in milliseconds.
SILENCE = 5
# A login that has begun when its address is banned: no answer will ever come. A login that is refused takes 0.5 s.
LOGIN_CUT = 10.0


def waited(seconds: float, condition: str) -> str:
    """Say what was waited for in vain, and how long."""
    return f"waited {seconds:.0f} s in vain: {condition}"
