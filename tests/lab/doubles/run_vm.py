#!/usr/bin/env python3
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of roles/vm/files/run_vm.py with qemu 7.2 behind it: holds the lock, writes a console, serves the monitor on qmp.sock.

The monitor: docs/interop/qmp-spec.rst (greeting, negotiation, events between answers) and qapi/job.json, qapi/block-core.json (a job keeps
its name until it is dismissed, with the texts of qemu's errors). $QEMU_DOUBLE/qmp gets each command, $QEMU_DOUBLE/pid the process; a file
there changes what it does:

    run.dies       end at once with these words
    qmp.deaf       ignore the power button
    job.hangs      a copy never ends
    job.fails      a copy fails with these words
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

DOUBLE = Path(os.environ["QEMU_DOUBLE"])

Job = dict[str, Any]


def refusal(words: str) -> Job:
    return {"error": {"class": "GenericError", "desc": words}}


class Monitor:
    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def answer(self, command: str, arguments: dict[str, Any]) -> Job:
        if command == "drive-backup":
            return self.backup(arguments)
        if command == "query-jobs":
            return {"return": list(self.jobs.values())}
        if command in ("job-cancel", "job-dismiss"):
            return self.end(command.removeprefix("job-"), arguments["id"])
        if command in ("qmp_capabilities", "system_powerdown", "quit"):
            return {"return": {}}
        return {"error": {"class": "CommandNotFound", "desc": f"The command {command} has not been found"}}

    def backup(self, arguments: dict[str, Any]) -> Job:
        name = arguments["job-id"]
        if name in self.jobs:
            return refusal(f"Job ID '{name}' already in use")
        Path(arguments["target"]).write_text("copy of the disk\n")
        job = {"id": name, "type": "backup", "status": "concluded", "current-progress": 1, "total-progress": 1}
        if (DOUBLE / "job.hangs").exists():
            job["status"] = "running"
        if (DOUBLE / "job.fails").exists():
            job["error"] = (DOUBLE / "job.fails").read_text()
        self.jobs[name] = job
        return {"return": {}}

    def end(self, verb: str, name: str) -> Job:
        if name not in self.jobs:
            return {"error": {"class": "DeviceNotActive", "desc": f"Job '{name}' not found"}}
        if (self.jobs[name]["status"] == "concluded") is (verb == "cancel"):
            return refusal(f"Job '{name}' in state '{self.jobs[name]['status']}' cannot accept command verb '{verb}'")
        if verb == "cancel":
            self.jobs[name]["status"] = "concluded"
        else:
            del self.jobs[name]
        return {"return": {}}


def serve(channel: socket.socket, monitor: Monitor) -> bool:
    """Serve one client, and return whether the machine goes on."""
    stream = channel.makefile("rw", encoding="utf-8")

    def say(message: object) -> None:
        stream.write(json.dumps(message) + "\r\n")
        stream.flush()

    say({"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}})
    for line in stream:
        request = json.loads(line)
        command = request["execute"]
        if command != "qmp_capabilities":
            with (DOUBLE / "qmp").open("a") as log:
                log.write(command + "\n")
            say({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RTC_CHANGE", "data": {"offset": 0}})
        say(monitor.answer(command, request.get("arguments", {})))
        if command == "quit" or (command == "system_powerdown" and not (DOUBLE / "qmp.deaf").exists()):
            return False
    return True


def main() -> int:
    os.chdir(sys.argv[1])
    lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (DOUBLE / "pid").write_text(str(os.getpid()))
    if (DOUBLE / "run.dies").exists():
        print((DOUBLE / "run.dies").read_text(), flush=True)
        return 1
    lines = "".join(f"[    {number}.000000] line {number}\r\n" for number in range(20))
    Path("console.log").write_text(lines + "\x1b[0;32m  OK  \x1b[0m] Reached \x1b]0;title\x07target\r\n\x07login: \x1b[?25l\x1bc")
    Path("qmp.sock").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("qmp.new")
        listener.listen()
        Path("qmp.new").rename("qmp.sock")  # there means that it answers
        monitor = Monitor()
        while True:
            channel, _ = listener.accept()
            with channel:
                if not serve(channel, monitor):
                    Path("qmp.sock").unlink()
                    return 0


if __name__ == "__main__":
    sys.exit(main())
