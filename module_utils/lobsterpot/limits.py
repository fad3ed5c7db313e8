# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the modules wait, in seconds: every limit of `library` and `module_utils`, and of nothing else.

A limit ends a wait that is in vain. It must never end one that is only slow: an emulated computer takes thirty times as long as a real one,
and other work on it multiplies that. Behind each stands what an idle real computer needs.
The limits of the other layers: `ansible.cfg`, `roles/*/defaults` and `roles/*/vars`, `roles/vm/files/run_vm.py`.
"""

from __future__ import annotations

# ---------------------------------------------------------------------------------------------------- on the host
# A command that reads something: systemctl, ss, ufw, podman image ls. Under 1 s.
COMMAND = 300.0
# The gateway's own security audit, and its policy check beside it. 7 s each.
AUDIT = 1800.0
# The gateway answers one HTTP request on loopback. 2 ms.
GATEWAY_ANSWER = 120.0
# systemd starts the probe of a sandbox. 1 s. The unit's own limit (roles/gateway/vars) ends earlier, and its result tells the reason.
SANDBOX_PROBE = 900.0
# A resolver answers one question, which is asked RESOLVER_TRIES times: datagrams may be lost. 50 ms.
RESOLVER_ANSWER = 15.0
RESOLVER_TRIES = 3
# A Python interpreter starts and ends. 50 ms.
INTERPRETER = 60.0

# ---------------------------------------------------------------------------------------------------- the gateway's store of senders
# Another process gives up a lock. The gateway's own commands hold it for up to 3 s, and wait for a lock file for 54 s themselves.
STORE_LOCK = 120.0
# All that one module does to a store, in which it may wait for several locks one after the other. 0.1 s.
STORE_WORK = 900.0

# ---------------------------------------------------------------------------------------------------- on the controller
# qemu opens its monitor after its start. 0.3 s.
VM_MONITOR = 300.0
# qemu answers one command of its monitor. 1 ms.
VM_ANSWER = 300.0
# One attempt to log in to a machine: at first, and then twice as long each time, up to the time that is left. A single long one would go on
# waiting for an answer that was lost while the machine booted. 0.5 s.
VM_LOGIN = 30.0
# A machine shuts down after its power button was pressed. 10 s.
VM_SHUTDOWN = 600.0
# qemu's process ends after it was told to quit. 0.1 s.
VM_QUIT = 120.0
# Somebody can log in to a machine that was started, after a download of its image by multipass. 16 s; overruled by vm_timeout.
VM_FIRST_LOGIN = 1800
# The copy of a running machine's disk gets on. It counts progress: the whole takes 30 s, and may take as long as it takes.
VM_COPY_SILENCE = 600
# qemu ends a copy that it was told to give up. 0.1 s.
VM_COPY_CANCEL = 300.0
# A download brings its next bytes. It counts progress: the whole may take as long as it takes.
DOWNLOAD_SILENCE = 120.0
# npm fetches one package, the largest with 45 MB. 2 s.
NPM_FETCH = 1800.0


def waited(seconds: float, condition: str) -> str:
    """Say what was waited for in vain, and how long."""
    return f"Waited {seconds:.0f} s in vain until {condition}."
