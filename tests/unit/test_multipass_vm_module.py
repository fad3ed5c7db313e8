# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of multipass, against a double of its command line.

multipass itself was never run here. What the double imitates, and from which source, stands in tests/lab/doubles/multipass.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import runpy
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import multipass

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

DOUBLE = Path(__file__).resolve().parents[1] / "lab/doubles/multipass"
double = runpy.run_path(str(DOUBLE))["main"]
KEY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
USER_DATA = f"#cloud-config\nssh_keys:\n  ed25519_private: |\n    {KEY}\n"

GIB = 1073741824

# The machine of the defaults, as the module returns it.
VM = {"name": "pot", "provider": "multipass", "state": "running", "address": "10.97.0.76", "port": 22}
VM |= {"cpus": 2, "memory": 4294967296, "disk": 21474836480}

LAUNCH = "launch 24.04 --name pot --cpus=2 --memory=4294967296 --disk=21474836480 --timeout=600 --cloud-init -"
READS = ("info", "get")
RUN_COMMAND = AnsibleModule.run_command

RECORD = {"format": 1, "provider": "multipass", "name": "pot", "owner": "/inventories/mine", "user": "lobsterpot"}


class Lab:
    """The double, its state, and a directory for the machine."""

    def __init__(self, folder: Path) -> None:
        self.double = folder / "double"
        self.directory = folder / "vms/pot"
        self.tools = folder / "bin"
        self.temporary = folder / "tmp"
        self.own_process = False
        for path in (self.double, self.tools, self.temporary):
            path.mkdir()
        (self.tools / "multipass").symlink_to(DOUBLE)
        python = shutil.which("python3")
        assert python
        (self.tools / "python3").symlink_to(python)

    def arguments(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "pot",
            "directory": str(self.directory),
            "owner": "/inventories/mine",
            "user_data": USER_DATA,
            "timeout": 600,
            **changes,
        }

    def run_command(self, module: AnsibleModule, argv: list[str], **options: Any) -> tuple[int, str, str]:
        """Run the double inside the test, as AnsibleModule.run_command would run it: starting a thousand of it takes a minute."""
        if self.own_process or Path(argv[0]).resolve() != DOUBLE:
            done: tuple[int, str, str] = RUN_COMMAND(module, argv, **options)
            return done
        code, out, err = 0, io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.stdin", io.StringIO(f"{options['data']}\n" if options["data"] else ""))
            try:
                double(argv[1:])
            except SystemExit as end:
                code = int(end.code or 0)
        return code, out.getvalue(), err.getvalue()

    def state(self) -> dict[str, Any]:
        file = self.double / "state.json"
        content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"instances": {}}
        return content

    def change(self, **values: Any) -> None:
        (self.double / "state.json").write_text(json.dumps(self.state() | values))

    def instance(self, name: str = "pot", **values: Any) -> dict[str, Any]:
        """Change an instance behind the module's back, and return it."""
        state = self.state()
        state["instances"].setdefault(name, {}).update(values)
        self.change(**state)
        found: dict[str, Any] = state["instances"][name]
        return found

    def foreign(self, state: str = "Running") -> None:
        machine: dict[str, Any] = {
            "cpus": 1,
            "memory": GIB,
            "disk": 5 * GIB,
            "mounts": [],
            "user_data": "",
            "ipv4": "10.97.0.9",
            "image_hash": "dced94c031cc",
        }
        self.instance(state=state, **machine)

    def calls(self) -> list[str]:
        """What multipass was told, and forget it; what only reads is left out."""
        calls = self.double / "calls"
        lines = [" ".join(json.loads(line)) for line in calls.read_text().splitlines()] if calls.exists() else []
        calls.write_text("")
        return [line for line in lines if not line.startswith(READS)]

    def record(self) -> Any:
        record = self.directory / "machine.json"
        return json.loads(record.read_text()) if record.exists() else None

    def cut_off(self) -> None:
        """The record of a machine whose making was cut off."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "machine.json").write_text(json.dumps(RECORD | {"image_hash": None}))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path)
    monkeypatch.setenv("MULTIPASS_DOUBLE", str(made.double))
    monkeypatch.setenv("PATH", str(made.tools))
    monkeypatch.setenv("TMPDIR", str(made.temporary))
    monkeypatch.setattr(multipass, "PLACES", [])

    def run_command(module: AnsibleModule, argv: list[str], **options: Any) -> tuple[int, str, str]:
        return made.run_command(module, argv, **options)

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    return made


@pytest.fixture
def pot(run_module: RunModule, lab: Lab) -> Lab:
    """A machine that the module made."""
    run_module("multipass_vm", lab.arguments())
    lab.calls()
    return lab


def test_makes_a_machine(run_module: RunModule, lab: Lab) -> None:
    """One launch with the sizes and the cloud-init text, a record that says whose it is, and the way to log in."""
    lab.own_process = True
    result = run_module("multipass_vm", lab.arguments())
    assert (result["changed"], result["vm"]) == (True, VM)
    assert lab.calls() == [LAUNCH]
    assert lab.instance()["user_data"].strip() == USER_DATA.strip()
    assert lab.record() == {
        "format": 1,
        "provider": "multipass",
        "name": "pot",
        "owner": "/inventories/mine",
        "user": "lobsterpot",
        "image_hash": "dced94c031cc",
        "cpus": 2,
        "memory": 4294967296,
        "disk": 21474836480,
        "address": "10.97.0.76",
        "port": 22,
    }
    assert oct((lab.directory / "machine.json").stat().st_mode) == "0o100600"
    assert oct(lab.directory.stat().st_mode) == "0o40700"


def test_every_option_reaches_multipass(run_module: RunModule, lab: Lab) -> None:
    """What the operator sets is what multipass is asked for; without cloud-init text nothing is said of it."""
    options: dict[str, Any] = {"cpus": 3, "memory": "1.5G", "disk": "1T", "image": "26.04", "timeout": 9, "user_data": ""}
    lab.own_process = True
    result = run_module("multipass_vm", lab.arguments(**options))
    assert lab.calls() == ["launch 26.04 --name pot --cpus=3 --memory=1610612736 --disk=1099511627776 --timeout=9"]
    assert result["vm"] == VM | {"cpus": 3, "memory": 1610612736, "disk": 1099511627776}


@pytest.mark.parametrize("options", [{}, {"memory": "4.26G", "disk": "20.04G"}, {"memory": "1.35G"}, {"memory": "700M"}])
def test_settles(run_module: RunModule, lab: Lab, snapshot: Snapshot, options: dict[str, str]) -> None:
    """A second run changes nothing, although multipass prints sizes with one decimal only."""
    first = run_module("multipass_vm", lab.arguments(**options))
    before = snapshot(lab.directory), lab.state()
    lab.calls()
    second = run_module("multipass_vm", lab.arguments(**options))
    assert (second["changed"], second["vm"]) == (False, first["vm"])
    assert second["diff"]["before"] == second["diff"]["after"]
    assert (snapshot(lab.directory), lab.state()) == before
    assert lab.calls() == []


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({}, '{\n  "state": "running",\n  "cpus": 2,\n  "memory": 4294967296,\n  "disk": 21474836480\n}\n'),
        ({"state": "absent"}, ""),
    ],
)
def test_check_mode_predicts_on_nothing(run_module: RunModule, lab: Lab, snapshot: Snapshot, changes: dict[str, str], after: str) -> None:
    """Before there is a machine, check mode says what would be, and leaves no file and no machine."""
    seen = snapshot(lab.directory.parent.parent / "tmp")
    result = run_module("multipass_vm", lab.arguments(**changes), check=True)
    assert (result["changed"], result["diff"]) == (bool(after), {"before": "", "after": after})
    assert result["vm"]["address"] is None
    assert (lab.calls(), lab.state()["instances"], lab.directory.exists()) == ([], {}, False)
    assert snapshot(lab.directory.parent.parent / "tmp") == seen


@pytest.mark.parametrize("changes", [{"state": "stopped"}, {"state": "absent"}, {"cpus": 4, "disk": "30G"}])
def test_check_mode_predicts(run_module: RunModule, pot: Lab, snapshot: Snapshot, changes: dict[str, Any]) -> None:
    """Check mode tells the very change of the run that follows, and touches nothing."""
    before = snapshot(pot.directory), pot.state()
    predicted = run_module("multipass_vm", pot.arguments(**changes), check=True)
    assert (snapshot(pot.directory), pot.state(), pot.calls()) == (*before, [])
    done = run_module("multipass_vm", pot.arguments(**changes))
    assert predicted["changed"] is done["changed"] is True
    assert (predicted["diff"], predicted["vm"]) == (done["diff"], done["vm"])
    assert run_module("multipass_vm", pot.arguments(**changes), check=True)["changed"] is False


def test_resizes(run_module: RunModule, pot: Lab) -> None:
    """Settings need a stopped machine; afterwards it runs again, with its diff."""
    result = run_module("multipass_vm", pot.arguments(cpus=4, memory="2G", disk="30G"))
    assert pot.calls() == [
        "stop pot",
        "set local.pot.cpus=4",
        "set local.pot.memory=2147483648",
        "set local.pot.disk=32212254720",
        "start --timeout 600 pot",
    ]
    assert result["vm"] == VM | {"cpus": 4, "memory": 2147483648, "disk": 32212254720}
    assert result["diff"] == {
        "before": '{\n  "state": "running",\n  "cpus": 2,\n  "memory": 4294967296,\n  "disk": 21474836480\n}\n',
        "after": '{\n  "state": "running",\n  "cpus": 4,\n  "memory": 2147483648,\n  "disk": 32212254720\n}\n',
    }
    assert run_module("multipass_vm", pot.arguments(cpus=4, memory="2G", disk="30G"))["changed"] is False


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_shrinking_a_disk_is_refused_before_any_change(run_module: RunModule, pot: Lab, state: str, check: bool) -> None:
    """A smaller disk destroys what is on it; the machine is not even stopped for it."""
    before = pot.state()
    result = run_module("multipass_vm", pot.arguments(disk="19G", cpus=4, state=state), check=check, fails=True)
    assert result["msg"].startswith("disk: the machine's disk has 20480 MiB, and making it smaller (19456 MiB) would destroy")
    assert (pot.calls(), pot.state()) == ([], before)


@pytest.mark.parametrize(
    ("found", "wanted", "calls"),
    [
        ("Running", "running", []),
        ("Stopped", "running", ["start --timeout 600 pot"]),
        ("Suspended", "running", ["start --timeout 600 pot"]),
        ("Starting", "running", ["start --timeout 600 pot"]),
        ("Restarting", "running", ["start --timeout 600 pot"]),
        ("Delayed Shutdown", "running", ["stop --cancel pot"]),
        ("Unknown", "running", ["stop --force pot", "start --timeout 600 pot"]),
        ("Deleted", "running", ["delete --purge pot", LAUNCH]),
        ("Running", "stopped", ["stop pot"]),
        ("Stopped", "stopped", []),
        ("Suspended", "stopped", ["stop --force pot"]),
        ("Starting", "stopped", ["start --timeout 600 pot", "stop pot"]),
        ("Restarting", "stopped", ["start --timeout 600 pot", "stop pot"]),
        ("Delayed Shutdown", "stopped", ["stop pot"]),
        ("Unknown", "stopped", ["stop --force pot"]),
        ("Deleted", "stopped", ["delete --purge pot", LAUNCH, "stop pot"]),
        ("Running", "absent", ["delete --purge pot"]),
        ("Stopped", "absent", ["delete --purge pot"]),
        ("Suspended", "absent", ["delete --purge pot"]),
        ("Suspending", "absent", ["delete --purge pot"]),
        ("Starting", "absent", ["delete --purge pot"]),
        ("Unknown", "absent", ["delete --purge pot"]),
        ("Unavailable", "absent", ["delete --purge pot"]),
        ("Deleted", "absent", ["delete --purge pot"]),
    ],
)
def test_every_state_leads_to_every_other(run_module: RunModule, pot: Lab, found: str, wanted: str, calls: list[str]) -> None:
    """Whatever multipass says of a machine, one run makes of it what is wanted, and a second finds it done."""
    pot.instance(state=found)
    result = run_module("multipass_vm", pot.arguments(state=wanted))
    assert (result["changed"], pot.calls()) == (calls != [], calls)
    gone: dict[str, Any] = {"state": "absent", "address": None, "cpus": None, "memory": None, "disk": None}
    assert result["vm"] == VM | {"running": {}, "stopped": {"state": "stopped", "address": None}, "absent": gone}[wanted]
    assert [(name, machine["state"]) for name, machine in pot.state()["instances"].items()] == (
        [] if wanted == "absent" else [("pot", "Running" if wanted == "running" else "Stopped")]
    )
    assert run_module("multipass_vm", pot.arguments(state=wanted))["changed"] is False


@pytest.mark.parametrize("wanted", ["running", "stopped"])
@pytest.mark.parametrize("found", ["Suspending", "Unavailable", "Dreaming"])
def test_a_state_without_a_way_is_said(run_module: RunModule, pot: Lab, found: str, wanted: str) -> None:
    """multipass refuses everything there; the operator learns what to wait for, and nothing is tried."""
    pot.instance(state=found)
    result = run_module("multipass_vm", pot.arguments(state=wanted), fails=True)
    assert result["msg"] == f"pot: its state is {found}, and multipass can do nothing with it now. Wait for another, and run again."
    assert pot.calls() == []


def test_a_suspended_machine_is_resumed_before_it_is_resized(run_module: RunModule, pot: Lab) -> None:
    """Powered off, it would lose what it had not written yet."""
    pot.instance(state="Suspended")
    run_module("multipass_vm", pot.arguments(cpus=4))
    assert pot.calls() == ["start --timeout 600 pot", "stop pot", "set local.pot.cpus=4", "start --timeout 600 pot"]


def test_a_stopped_machine_is_resized_and_stays(run_module: RunModule, pot: Lab) -> None:
    """Whoever stopped it did not ask for a start."""
    pot.instance(state="Stopped")
    result = run_module("multipass_vm", pot.arguments(state="stopped", disk="21G"))
    assert (pot.calls(), result["vm"]["state"]) == (["set local.pot.disk=22548578304"], "stopped")


def test_absent_leaves_nothing(run_module: RunModule, pot: Lab) -> None:
    """Machine, record and keys go together; another machine of multipass stays."""
    pot.instance("other", state="Deleted", cpus=1)
    for name in ("host_key", "host_key.pub", "id_ed25519", "id_ed25519.pub", "known_hosts"):
        (pot.directory / name).write_text("key")
    assert run_module("multipass_vm", pot.arguments(state="absent"))["changed"] is True
    assert (list(pot.state()["instances"]), pot.directory.exists()) == (["other"], False)
    assert run_module("multipass_vm", pot.arguments(state="absent"))["changed"] is False


@pytest.mark.parametrize("check", [False, True])
def test_a_file_of_somebody_keeps_a_machine(run_module: RunModule, pot: Lab, check: bool) -> None:
    """A removal that cannot be finished is not begun."""
    (pot.directory / "notes.txt").write_text("mine")
    result = run_module("multipass_vm", pot.arguments(state="absent"), check=check, fails=True)
    assert result["msg"] == f"{pot.directory} holds notes.txt, which is not the machine's. Put it elsewhere first."
    assert (pot.calls(), list(pot.state()["instances"])) == ([], ["pot"])


def test_removes_what_was_only_begun(run_module: RunModule, lab: Lab) -> None:
    """Keys of a machine that never came to be are not left behind either."""
    lab.directory.mkdir(parents=True)
    (lab.directory / "host_key").write_text("key")
    assert run_module("multipass_vm", lab.arguments(state="absent"), check=True)["changed"] is True
    assert run_module("multipass_vm", lab.arguments(state="absent"))["changed"] is True
    assert not lab.directory.exists()


def test_another_address_is_told_and_is_no_change(run_module: RunModule, pot: Lab, snapshot: Snapshot) -> None:
    """multipass gives addresses anew; the inventory must follow, and a second run must not look like a change of the machine."""
    whole = pot.record()
    pot.instance(ipv4="10.97.0.99")
    before = snapshot(pot.directory)
    assert run_module("multipass_vm", pot.arguments(), check=True)["vm"]["address"] == "10.97.0.99"
    assert snapshot(pot.directory) == before
    assert run_module("multipass_vm", pot.arguments())["changed"] is False
    assert pot.record() == whole | {"address": "10.97.0.99"}


def test_the_user_is_the_one_that_cloud_init_made(run_module: RunModule, pot: Lab) -> None:
    """Another vm_user later does not exist in the machine: nobody could log in any more."""
    run_module("multipass_vm", pot.arguments(user="somebody"))
    assert pot.record()["user"] == "lobsterpot"
    run_module("multipass_vm", pot.arguments(state="absent"))
    run_module("multipass_vm", pot.arguments(user="somebody"))
    assert pot.record()["user"] == "somebody"


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("wanted", ["running", "stopped", "absent"])
@pytest.mark.parametrize("state", ["Running", "Stopped", "Deleted"])
def test_a_foreign_machine_is_left_alone(run_module: RunModule, lab: Lab, state: str, wanted: str, check: bool) -> None:
    """A machine of the same name may hold somebody's work."""
    lab.foreign(state)
    before = lab.state()
    result = run_module("multipass_vm", lab.arguments(state=wanted), check=check, fails=True)
    assert result["msg"] == (
        f"pot: the name is taken by a foreign VM ({state}); Lobsterpot did not make it and leaves it alone. "
        "Choose another name, or remove it yourself: multipass delete --purge pot"
    )
    assert (lab.calls(), lab.state(), lab.directory.exists()) == ([], before, False)


def test_a_machine_that_took_the_place_of_ours_is_foreign(run_module: RunModule, pot: Lab) -> None:
    """Ours was purged by hand, and another made under its name: the record alone does not make it ours."""
    pot.instance(image_hash="f0e1d2c3b4a5")
    before = pot.state()
    result = run_module("multipass_vm", pot.arguments(state="absent"), fails=True)
    assert "the name is taken by a foreign VM" in result["msg"]
    assert (pot.calls(), pot.state()) == ([], before)


@pytest.mark.parametrize("there", [False, True])
def test_a_half_made_machine_is_made_anew(run_module: RunModule, lab: Lab, there: bool) -> None:
    """A run that was cut off left a machine that may lack its configuration, or none."""
    lab.cut_off()
    if there:
        lab.foreign()
    result = run_module("multipass_vm", lab.arguments())
    assert lab.calls() == [*(["delete --purge pot"] if there else []), LAUNCH]
    assert (result["changed"], result["vm"]) == (True, VM)
    assert result["diff"]["before"] == '{\n  "state": "half-made"\n}\n'
    assert run_module("multipass_vm", lab.arguments())["changed"] is False


def test_a_half_made_machine_is_removed(run_module: RunModule, lab: Lab) -> None:
    """Nothing is left of it, and the run says that it changed something."""
    lab.cut_off()
    assert run_module("multipass_vm", lab.arguments(state="absent"), check=True)["changed"] is True
    assert run_module("multipass_vm", lab.arguments(state="absent"))["changed"] is True
    assert not lab.directory.exists()


def test_a_machine_purged_by_hand_is_made_anew(run_module: RunModule, pot: Lab) -> None:
    """A record without a machine is no obstacle."""
    pot.change(instances={})
    assert run_module("multipass_vm", pot.arguments())["vm"] == VM
    assert pot.calls() == [LAUNCH]


def test_the_record_is_there_before_the_machine(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in the middle of a launch, the machine would look foreign for ever."""
    seen: list[object] = []
    call = multipass.Multipass.call

    def cut_off(client: object, *arguments: str, data: str | None = None) -> str:
        if arguments[0] == "launch":
            seen.append(lab.record())
            raise OSError("cut off")
        answer: str = call(client, *arguments, data=data)
        return answer

    monkeypatch.setattr(multipass.Multipass, "call", cut_off)
    run_module("multipass_vm", lab.arguments(), fails=True)
    assert seen == [lab.record()] == [RECORD | {"image_hash": None}]


@pytest.mark.parametrize(
    ("record", "whose"),
    [
        ({"provider": "qemu"}, "belongs to a machine of qemu"),
        ({"owner": "/inventories/theirs"}, "belongs to the inventory /inventories/theirs"),
        ({"name": "kettle"}, "is taken: {directory} belongs to the machine kettle"),
    ],
)
def test_the_record_of_another_machine_is_refused(
    run_module: RunModule, pot: Lab, snapshot: Snapshot, record: dict[str, str], whose: str
) -> None:
    """A machine of another inventory, of another provider, or of another name is neither taken over, stopped nor removed."""
    (pot.directory / "machine.json").write_text(json.dumps(pot.record() | record))
    before = snapshot(pot.directory), pot.state()
    for state, check in itertools.product(["running", "stopped", "absent"], [True, False]):
        result = run_module("multipass_vm", pot.arguments(state=state), check=check, fails=True)
        assert result["msg"] == f"The name pot {whose.format(directory=pot.directory)}. Set vm_name to another one."
    assert (snapshot(pot.directory), pot.state(), pot.calls()) == (*before, [])


def test_a_foreign_folder_is_left_alone(run_module: RunModule, lab: Lab) -> None:
    """A name that is taken by a folder of somebody's."""
    lab.directory.mkdir(parents=True)
    (lab.directory / "thesis.odt").write_text("precious")
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert result["msg"] == f"The name pot is taken: {lab.directory} holds thesis.odt. Set vm_name to another one."
    assert [path.name for path in lab.directory.iterdir()] == ["thesis.odt"]


@pytest.mark.parametrize("record", ["", "{", "[1]", "3"])
def test_a_damaged_record_is_refused(run_module: RunModule, lab: Lab, record: str) -> None:
    """Whose the machine is cannot be known then; the operator decides."""
    lab.cut_off()
    (lab.directory / "machine.json").write_text(record)
    assert f"{lab.directory}/machine.json is damaged (" in run_module("multipass_vm", lab.arguments(), fails=True)["msg"]


def test_a_name_taken_meanwhile_stays_foreign(run_module: RunModule, lab: Lab) -> None:
    """Somebody was faster by a moment: no later run may take his machine for a half-made one of ours."""
    lab.change(trouble="raced")
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert result["msg"] == (
        'pot: multipass refused to launch: launch failed: instance "pot" already exists\n'
        "Somebody made a machine of this name meanwhile; choose another name.\nIts state is: Running."
    )
    lab.change(trouble="")
    assert (lab.record(), lab.calls()) == (None, [LAUNCH])
    assert "foreign VM" in run_module("multipass_vm", lab.arguments(state="absent"), fails=True)["msg"]


def test_a_name_taken_meanwhile_stays_foreign_after_a_crash(run_module: RunModule, lab: Lab) -> None:
    """The same, when the record of an earlier crash was there."""
    lab.cut_off()
    lab.change(trouble="raced")
    run_module("multipass_vm", lab.arguments(), fails=True)
    assert lab.record() is None


def test_the_primary_name_is_refused(run_module: RunModule, lab: Lab) -> None:
    """multipass mounts the user's home directory into its primary instance, by default the one named primary."""
    for check in (True, False):
        result = run_module("multipass_vm", lab.arguments(name="primary"), check=check, fails=True)
        assert result["msg"] == (
            "primary: multipass mounts your home directory into the machine of this name. "
            "Choose another name, or end that: multipass set client.primary-name="
        )
    lab.change(primary="pot")
    assert "mounts your home directory" in run_module("multipass_vm", lab.arguments(), fails=True)["msg"]
    assert (lab.calls(), lab.state()["instances"]) == ([], {})


def test_a_mounted_folder_is_refused(run_module: RunModule, pot: Lab) -> None:
    """A folder of the host in the machine undoes the machine; stopping and removing it stay possible."""
    pot.instance(mounts=["/home/ubuntu/work", "Home"])
    result = run_module("multipass_vm", pot.arguments(), fails=True)
    assert result["msg"] == "pot: the host's folders are mounted in it at /home/ubuntu/work, Home. Take them out: multipass umount pot"
    assert run_module("multipass_vm", pot.arguments(state="stopped"))["changed"] is True
    assert run_module("multipass_vm", pot.arguments(state="absent"))["changed"] is True


@pytest.mark.parametrize(
    ("claim", "address"),
    [("10.97.0.9", "10.97.0.9"), ("-oProxyCommand=x", "172.17.0.1"), ("N/A", "172.17.0.1"), ("10.0.0.1\nevil", "172.17.0.1")],
)
def test_only_an_address_is_an_address(run_module: RunModule, pot: Lab, claim: str, address: str) -> None:
    """What the guest says of itself ends in the inventory and on ssh's command line."""
    pot.instance(ipv4=claim)
    assert run_module("multipass_vm", pot.arguments())["vm"]["address"] == address


def test_no_address_is_an_error(run_module: RunModule, pot: Lab) -> None:
    """A host without an address would be looked for by its name, somewhere in the network."""
    pot.change(trouble="no address")
    result = run_module("multipass_vm", pot.arguments(), fails=True)
    assert result["msg"] == "pot: multipass says that it is running now, but it is not, or has no address. Its state is: Running."


SOCKET = "/var/snap/multipass/common/multipass_socket"


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (
            {"trouble": "down"},
            {},
            "pot: multipass refused to info: info failed: cannot connect to the multipass socket\n"
            f"Please ensure multipassd is running and '{SOCKET}' is accessible\n"
            "Start its daemon (on Linux: sudo snap start multipass) and run again.",
        ),
        (
            {"trouble": "denied"},
            {},
            "pot: multipass refused to info: info failed: multipass socket access denied\n"
            f"Please check that you have read/write permissions to '{SOCKET}'\n"
            "Run as a user of the group that owns the socket, on Ubuntu sudo.",
        ),
        (
            {"trouble": "stranger"},
            {},
            "pot: multipass refused to info: info failed: The user is not authenticated with the Multipass service.\n\n"
            "Please authenticate before proceeding\nAuthenticate this user once with `multipass authenticate`.",
        ),
        (
            {},
            {"image": "12.04"},
            'pot: multipass refused to launch: launch failed: Unable to find an image matching "12.04" in remote "release".\n'
            "Set image to a name that `multipass find` lists.\nThere is no machine of this name.",
        ),
        (
            {"available": GIB},
            {},
            "pot: multipass refused to launch: launch failed: Available disk (1073741824 bytes) below minimum for this image "
            "(3758096384 bytes)\nFree space where multipass keeps its machines.\nThere is no machine of this name.",
        ),
        (
            {},
            {"disk": "3G"},
            "pot: multipass refused to launch: launch failed: Requested disk (3221225472 bytes) below minimum for this image "
            "(3758096384 bytes)\nSet disk to at least what the image needs.\nThere is no machine of this name.",
        ),
        (
            {},
            {"timeout": 0},
            "pot: multipass refused to launch: error: --timeout value has to be a positive integer\nThere is no machine of this name.",
        ),
        (
            {"says": {"launch": 'launch failed: instance "pot" is being prepared'}},
            {},
            'pot: multipass refused to launch: launch failed: instance "pot" is being prepared\n'
            "multipass is still making it since an earlier run: wait for it, and run again.\nThere is no machine of this name.",
        ),
        (
            {"says": {"launch": "Could not load cloud-init configuration: yaml-cpp: error at line 1, column 2: illegal map value"}},
            {},
            "pot: multipass refused to launch: Could not load cloud-init configuration: yaml-cpp: error at line 1, column 2: illegal map "
            "value\nuser_data must be YAML.\nThere is no machine of this name.",
        ),
    ],
)
def test_what_multipass_refuses_is_explained(
    run_module: RunModule, lab: Lab, state: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """Its own words, the way out, and what there is now; no record is left of what was not made."""
    lab.change(**state)
    result = run_module("multipass_vm", lab.arguments(**options), fails=True)
    assert result["msg"] == message
    assert lab.record() is None


def test_a_slow_launch_can_be_made_anew(run_module: RunModule, lab: Lab) -> None:
    """multipass gives up while the machine is there: it is ours, and said to be so by the next run."""
    lab.change(trouble="slow")
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert result["msg"] == (
        "pot: multipass refused to launch: launch failed: The following errors occurred:\n"
        "timed out waiting for initialization to complete (vm_timeout: 600 s)\n"
        "Raise vm_timeout if the network or the machine is slow; `multipass shell` shows what it waits for.\nIts state is: Running."
    )
    lab.change(trouble="")
    lab.calls()
    assert run_module("multipass_vm", lab.arguments())["vm"] == VM
    assert lab.calls() == ["delete --purge pot", LAUNCH]


def test_a_launch_that_goes_on_by_itself_stays_ours(run_module: RunModule, lab: Lab) -> None:
    """The client gives up during the download, and the daemon makes the machine later: it must not look foreign then."""
    lab.change(trouble="preparing")
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert result["msg"] == (
        "pot: multipass refused to launch: Timed out waiting for instance launch. (vm_timeout: 600 s)\n"
        "Raise vm_timeout if the network or the machine is slow; `multipass shell` shows what it waits for.\n"
        "There is no machine of this name."
    )
    lab.change(trouble="")
    lab.foreign()
    assert run_module("multipass_vm", lab.arguments())["vm"] == VM


def test_a_slow_start_says_the_state(run_module: RunModule, pot: Lab) -> None:
    """The machine is still ours and whole; a second run brings it up."""
    pot.instance(state="Stopped")
    pot.change(trouble="slow")
    result = run_module("multipass_vm", pot.arguments(), fails=True)
    assert "pot: timed out waiting for response (vm_timeout: 600 s)\nRaise vm_timeout" in result["msg"]
    assert result["msg"].endswith("\nIts state is: Unknown.")
    pot.change(trouble="")
    pot.calls()
    assert run_module("multipass_vm", pot.arguments())["vm"] == VM
    assert pot.calls() == ["stop --force pot", "start --timeout 600 pot"]


def test_a_failed_resize_says_the_state(run_module: RunModule, pot: Lab) -> None:
    """It was stopped for the change; the operator must know, and the next run starts it."""
    pot.change(says={"set": "set failed: Cannot resize"})
    result = run_module("multipass_vm", pot.arguments(cpus=4), fails=True)
    assert result["msg"] == "pot: multipass refused to set: set failed: Cannot resize\nIts state is: Stopped."
    pot.change(says={})
    assert run_module("multipass_vm", pot.arguments(cpus=4))["vm"] == VM | {"cpus": 4}


def test_a_daemon_that_goes_away_leaves_the_record(run_module: RunModule, pot: Lab) -> None:
    """A removal that failed is tried again: the record and the keys must still be there."""
    (pot.directory / "id_ed25519").write_text("key")
    pot.change(says={"delete": "delete failed: cannot connect to the multipass socket"})
    result = run_module("multipass_vm", pot.arguments(state="absent"), fails=True)
    assert result["msg"].endswith("run again.\nIts state is: Running.")
    assert sorted(path.name for path in pot.directory.iterdir()) == ["id_ed25519", "machine.json"]


def test_without_multipass(run_module: RunModule, lab: Lab) -> None:
    """The message names the package, and the other way."""
    (lab.tools / "multipass").unlink()
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert result["msg"] == "multipass is not installed here. Install it (on Ubuntu: sudo snap install multipass), or choose qemu."


@pytest.mark.parametrize("answer", ["", "{}", '{"info": {}}', '{"info": {"pot": {"state": "Running"}}}', '{"info": {"pot": []}}'])
def test_an_answer_of_another_shape_ends_in_words(run_module: RunModule, pot: Lab, answer: str) -> None:
    """A multipass that says something else must not be understood halfway."""
    (pot.tools / "multipass").unlink()
    (pot.tools / "multipass").write_text(f"#!/bin/sh\n[ $1 = info ] && echo '{answer}' || echo 2\n")
    (pot.tools / "multipass").chmod(0o755)
    result = run_module("multipass_vm", pot.arguments(), fails=True)
    assert result["msg"].startswith("pot: what multipass says of it cannot be understood (")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a.b"}, "name: 'a.b' cannot name a virtual machine."),
        ({"name": "--all"}, "name: '--all' cannot name a virtual machine."),
        ({"image": "--mount=/:/mnt"}, "image: '--mount=/:/mnt' is no image; multipass would read an option."),
        ({"cpus": 0}, "vm_cpus: 0 is too little; multipass asks for 1 or more."),
        ({"memory": "511M"}, "vm_memory: 511M is too little; multipass asks for 512M or more."),
        ({"disk": "1023M"}, "vm_disk: 1023M is too little; multipass asks for 1024M or more."),
        ({"disk": "big"}, "vm_disk: 'big' is not a size."),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_cannot_be_meant_is_refused(run_module: RunModule, lab: Lab, options: dict[str, Any], message: str, check: bool) -> None:
    """Before multipass is asked anything; an option in the place of a name could open the host."""
    assert run_module("multipass_vm", lab.arguments(**options), check=check, fails=True)["msg"].startswith(message)
    assert not (lab.double / "calls").exists()


def test_user_data_is_nowhere_but_in_multipass(run_module: RunModule, lab: Lab) -> None:
    """It holds the machine's host key: whoever reads it can pass for the machine."""
    lab.own_process = True
    result = run_module("multipass_vm", lab.arguments(), diff=True)
    assert KEY not in json.dumps(result)
    assert result["invocation"]["module_args"]["user_data"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert KEY not in (lab.double / "calls").read_text()
    holders = [path for path in lab.double.parent.rglob("*") if path.is_file() and KEY in path.read_text(errors="replace")]
    assert holders == [lab.double / "state.json"]
    assert KEY not in json.dumps(dict(os.environ))


def test_a_line_of_user_data_in_an_error_is_hidden(run_module: RunModule, lab: Lab) -> None:
    """Ansible hides the text as a whole; an error that repeats one line of it would show the key."""
    lab.change(says={"launch": f"launch failed: bad line: {KEY}"})
    result = run_module("multipass_vm", lab.arguments(), fails=True)
    assert KEY not in json.dumps(result)
    assert result["msg"].startswith("pot: multipass refused to launch: launch failed: bad line: ********")
