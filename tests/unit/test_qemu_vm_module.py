# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of qemu, against doubles of qemu-img, ssh and the runner. The real ones: tests/scenarios/vm."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pycdlib import PyCdlib

from tests.unit.qemu_lab import DOUBLES, GIB, KEY, KEYS, USER_DATA, Lab, lab, pot

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

__all__ = ["lab", "pot"]  # fixtures

BEFORE_AND_AFTER = {
    "before": "",
    "after": '{\n  "state": "running",\n  "cpus": 2,\n  "memory": 1073741824,\n  "disk": 21474836480\n}\n',
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def seed(file: Path) -> dict[str, str]:
    """Read a seed back as Linux would, by its Rock Ridge names, and its label."""
    image = PyCdlib()
    image.open(str(file))
    found = {"label": image.pvd.volume_identifier.decode().strip()}
    for child in image.list_children(rr_path="/"):
        if child.is_file():
            name = child.rock_ridge.name().decode()
            target = io.BytesIO()
            image.get_file_from_iso_fp(target, rr_path=f"/{name}")
            found[name] = target.getvalue().decode()
    image.close()
    return found


def test_makes_a_machine(run_module: RunModule, lab: Lab) -> None:
    """From nothing to a login: disk on the base image, seed, record, a port of loopback."""
    result = run_module("qemu_vm", lab.arguments(), diff=True)
    port = result["vm"].pop("port")
    assert 1024 <= port <= 65535
    assert (result["changed"], result["diff"]) == (True, BEFORE_AND_AFTER)
    assert result["vm"] == {
        "name": "pot",
        "provider": "qemu",
        "state": "running",
        "address": "127.0.0.1",
        "cpus": 2,
        "memory": 1073741824,
        "disk": 21474836480,
        "accelerator": "tcg",
        "pristine": True,
    }
    assert lab.calls("qemu-img") == [
        "create -q -f qcow2 -b base.qcow2 -F qcow2 disk.qcow2",
        f"resize -q {lab.directory}/disk.qcow2 21474836480",
    ]
    made = ["base.qcow2", "console.log", "disk.qcow2", "lock", "machine.json", "qmp.sock", "run.log", "run_vm.py", "seed.iso"]
    assert lab.files() == sorted([*made, *KEYS])
    record = lab.record()
    run = record.pop("run")
    assert (run["reach"], run["passt"][-4:]) == ([], ["--tcp-ports", f"127.0.0.1/{port}:22", "--fd", "{net}"])
    assert run["qemu"][0] == "qemu-system-x86_64"
    assert len(record.pop("instance")) == 36
    assert record == {
        "format": 1,
        "provider": "qemu",
        "name": "pot",
        "owner": "/inventories/mine",
        "user": "lobsterpot",
        "made": True,
        "answered": True,
        "pristine": True,
        "cpus": 2,
        "memory": 1073741824,
        "disk": 21474836480,
        "port": port,
        "accelerator": "tcg",
    }


def test_the_login_proves_the_host_key(run_module: RunModule, lab: Lab) -> None:
    """The first login goes to loopback with the machine's own key and a host key that is known: nobody in between can answer."""
    port = run_module("qemu_vm", lab.arguments(ssh_port=free_port()))["vm"]["port"]
    assert lab.calls("ssh") == [
        f"-F none -i {lab.directory}/id_ed25519 -p {port} -o BatchMode=yes -o StrictHostKeyChecking=yes "
        f'-o UserKnownHostsFile="{lab.directory}/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=pot -o IdentitiesOnly=yes '
        "-o ConnectTimeout=30 lobsterpot@127.0.0.1 true"
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_seed(run_module: RunModule, lab: Lab) -> None:
    """cloud-init finds its documents in an image that nobody else on this computer may read."""
    (lab.directory / "seed.iso").write_text("older, and open to all")
    (lab.directory / "seed.iso").chmod(0o644)
    run_module("qemu_vm", lab.arguments())
    file = lab.directory / "seed.iso"
    assert oct(file.stat().st_mode) == "0o100600"
    found = seed(file)
    assert json.loads(found.pop("meta-data")) == {"instance-id": lab.record()["instance"], "local-hostname": "pot"}
    assert json.loads(found.pop("network-config"))["ethernets"]["lan"]["addresses"] == ["10.0.2.15/24"]
    assert found == {"label": "cidata", "user-data": USER_DATA}


def test_settles(run_module: RunModule, pot: Lab) -> None:
    """A second run changes nothing, makes nothing, and leaves the machine running."""
    before = contents(pot.directory)
    result = run_module("qemu_vm", pot.arguments(), diff=True)
    assert (result["changed"], result["seconds"]) == (False, 0.0)
    assert result["diff"]["before"] == result["diff"]["after"] == BEFORE_AND_AFTER["after"]
    assert contents(pot.directory) == before
    assert (pot.calls("qemu-img"), pot.calls("ssh"), pot.calls("qmp")) == ([], [], [])


def test_no_secret_comes_out(run_module: RunModule, pot: Lab) -> None:
    """The host key stands in cloud-init's text: it is in the seed and nowhere else, whatever happens."""
    results = [run_module("qemu_vm", pot.arguments(), diff=True), run_module("qemu_vm", pot.arguments(disk="1G"), diff=True, fails=True)]
    assert KEY not in json.dumps(results)
    assert [name for name, content in contents(pot.directory).items() if KEY.encode() in content] == ["seed.iso"]


@pytest.mark.parametrize(
    "changes", [{}, {"state": "stopped"}, {"disk": "30G"}, {"cpus": 1}, {"state": "absent"}, {"state": "absent", "golden": True}]
)
def test_check_mode_predicts(run_module: RunModule, snapshot: Snapshot, pot: Lab, changes: dict[str, Any]) -> None:
    """Check mode says what a run would change, shows it, and touches nothing."""
    before = snapshot(pot.vms)
    predicted = run_module("qemu_vm", pot.arguments(**changes), check=True, diff=True)
    assert snapshot(pot.vms) == before
    assert (pot.calls("qemu-img"), pot.calls("ssh"), pot.calls("qmp")) == ([], [], [])
    done = run_module("qemu_vm", pot.arguments(**changes), diff=True)
    assert (done["changed"], done["diff"]) == (predicted["changed"], predicted["diff"])
    assert done["changed"] is (changes != {})
    assert run_module("qemu_vm", pot.arguments(**changes))["changed"] is False


def test_check_mode_predicts_a_new_machine(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """Before there is anything, check mode shows the machine, and makes nothing."""
    before = snapshot(lab.vms)
    result = run_module("qemu_vm", lab.arguments(image="", user_data=""), check=True, diff=True)
    assert (result["changed"], result["diff"], result["vm"]) == (True, BEFORE_AND_AFTER, {})
    assert snapshot(lab.vms) == before
    assert lab.calls("qemu-img") == []


def test_stops_and_starts(run_module: RunModule, pot: Lab) -> None:
    """The power button shuts it down; the next start is the same machine at the same port, and logs in again."""
    port = pot.record()["port"]
    stopped = run_module("qemu_vm", pot.arguments(state="stopped"))
    assert (stopped["changed"], stopped["vm"]["state"]) == (True, "stopped")
    assert pot.calls("qmp") == ["system_powerdown"]
    instance = pot.record()["instance"]
    started = run_module("qemu_vm", pot.arguments())
    assert (started["changed"], started["vm"]["port"], pot.record()["instance"]) == (True, port, instance)
    assert len(pot.calls("ssh")) == 1
    assert pot.calls("qemu-img") == []


def test_a_deaf_machine_loses_its_plug(run_module: RunModule, pot: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that ignores the power button does not keep its machine running."""
    monkeypatch.setattr("qemu_vm.limits.VM_SHUTDOWN", 0.0)
    pot.set("qmp.deaf")
    assert run_module("qemu_vm", pot.arguments(state="stopped"))["vm"]["state"] == "stopped"
    assert pot.calls("qmp") == ["system_powerdown", "quit"]
    assert "qmp.sock" not in pot.files()


def test_starts_again_after_a_power_cut(run_module: RunModule, pot: Lab) -> None:
    """What a crash leaves, the socket of the monitor, is not taken for a machine that runs."""
    pot.power_cut()
    assert "qmp.sock" in pot.files()
    result = run_module("qemu_vm", pot.arguments())
    assert (result["changed"], result["vm"]["state"]) == (True, "running")
    assert len(pot.calls("ssh")) == 1


def test_a_disk_grows(run_module: RunModule, pot: Lab) -> None:
    """The machine is shut down, its disk made larger, and started again; nothing is made anew."""
    result = run_module("qemu_vm", pot.arguments(disk="30G", cpus=1), diff=True)
    assert (result["changed"], result["vm"]["disk"], result["vm"]["cpus"]) == (True, 30 * GIB, 1)
    assert pot.calls("qemu-img") == [f"resize -q {pot.directory}/disk.qcow2 32212254720"]
    assert pot.calls("qmp") == ["system_powerdown"]
    assert '"-smp", "1"' in json.dumps(pot.record()["run"]["qemu"])
    assert run_module("qemu_vm", pot.arguments(disk="30G", cpus=1))["changed"] is False


def test_another_network_and_reach(run_module: RunModule, lab: Lab) -> None:
    """What the gate shall let through reaches it; with qemu's own network there is no passt to start."""
    run_module("qemu_vm", lab.arguments(state="running", reach=["192.168.1.20"], network="passt"))
    assert lab.record()["run"]["reach"] == ["192.168.1.20"]
    run_module("qemu_vm", lab.arguments(state="stopped"))
    (lab.tools / "passt").unlink()
    run_module("qemu_vm", lab.arguments(network="user"))
    assert lab.record()["run"]["passt"] == []


def refused(run_module: RunModule, snapshot: Snapshot, lab: Lab, **changes: Any) -> str:
    """Run with something that cannot be, in check mode and without; return what it says, once nothing was touched."""
    before = snapshot(lab.vms)
    said = [run_module("qemu_vm", lab.arguments(**changes), check=check, fails=True)["msg"] for check in (True, False)]
    assert snapshot(lab.vms) == before
    assert lab.calls("qemu-img") == []
    assert said[0] == said[1]
    return str(said[0])


def test_a_disk_does_not_shrink(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """A smaller disk would destroy what is on it: the running machine is not even stopped."""
    assert refused(run_module, snapshot, pot, disk="10G").startswith(
        "disk: the machine's disk has 20480 MiB, and making it smaller (10240 MiB)"
    )
    assert pot.calls("qmp") == []


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_a_foreign_folder_is_left_alone(run_module: RunModule, snapshot: Snapshot, lab: Lab, state: str) -> None:
    """A name that is taken by a folder of somebody's."""
    for name in ("thesis.odt", "photo.jpg"):
        (lab.directory / name).write_text("precious")
    assert refused(run_module, snapshot, lab, state=state) == (
        f"The name pot is taken: {lab.directory} holds photo.jpg, thesis.odt. Set vm_name to another one."
    )


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_a_machine_of_another_inventory_is_left_alone(run_module: RunModule, snapshot: Snapshot, pot: Lab, state: str) -> None:
    """Two inventories with the same name in them: the second neither takes over, stops nor removes the first one's machine."""
    assert refused(run_module, snapshot, pot, owner="/inventories/theirs", state=state) == (
        "The name pot belongs to the inventory /inventories/mine. Set vm_name to another one."
    )
    assert pot.calls("qmp") == []


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_a_machine_of_multipass_is_left_alone(run_module: RunModule, snapshot: Snapshot, lab: Lab, state: str) -> None:
    """Whoever changes vm_provider would lose the record of the other machine, and with it the machine."""
    lab.write(format=1, provider="multipass", name="pot", owner="/inventories/mine", user="lobsterpot", image_hash="dced94c031cc", port=22)
    assert refused(run_module, snapshot, lab, state=state) == "The name pot belongs to a machine of multipass. Set vm_name to another one."


def test_a_file_of_somebody_keeps_a_machine(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """A removal that cannot be finished is not begun."""
    (pot.directory / "notes.txt").write_text("precious")
    assert refused(run_module, snapshot, pot, state="absent") == (
        f"{pot.directory} holds notes.txt, which is not the machine's. Put it elsewhere first."
    )


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_a_damaged_record(run_module: RunModule, snapshot: Snapshot, lab: Lab, state: str) -> None:
    """What cannot be read is not guessed: it says what to remove."""
    (lab.directory / "machine.json").write_text('{"made": tr')
    said = refused(run_module, snapshot, lab, state=state)
    assert said.startswith(f"{lab.directory}/machine.json is damaged (")
    assert said.endswith(f"). Remove {lab.directory}; the next run makes the machine anew, or says what is in the way.")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a/b"}, "name: 'a/b' cannot name a virtual machine. Use letters, digits and hyphens, a letter first, 63 at most."),
        ({"memory": "lots"}, "vm_memory: 'lots' is not a size. Write a number and a unit, such as 4G or 512M."),
        ({"disk": "20 GX"}, "vm_disk: '20 GX' is not a size. Write a number and a unit, such as 4G or 512M."),
        ({"reach": ["192.168.1.20/24"]}, "vm_reach: '192.168.1.20/24' is no IPv4 address or network (192.168.1.20/24 has host bits set)."),
    ],
)
def test_wrong_values(run_module: RunModule, snapshot: Snapshot, lab: Lab, changes: dict[str, Any], said: str) -> None:
    """The variable is named, the value repeated, and nothing is made."""
    assert refused(run_module, snapshot, lab, **changes) == said


@pytest.mark.parametrize("changes", [{"memory": "64T"}, {"memory": "1023M"}, {"cpus": 0}])
def test_too_large_or_too_small(run_module: RunModule, snapshot: Snapshot, lab: Lab, changes: dict[str, Any]) -> None:
    """More memory than there is would have the computer kill other programs."""
    said = refused(run_module, snapshot, lab, **changes)
    assert said.startswith("vm_memory, vm_cpus: this computer has ")
    assert said.endswith(" MiB of memory. Give the machine 1 GiB or more of it, and a processor or more.")


def test_nothing_is_installed(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """It says what to install, as a command."""
    for tool in ("qemu-img", "qemu-system-x86_64", "passt"):
        (lab.tools / tool).unlink()
    assert refused(run_module, snapshot, lab) == (
        "qemu-system-x86_64, qemu-img, passt not found. To make a virtual machine, install multipass (snap install multipass), or qemu. "
        "On Debian and Ubuntu: apt install qemu-system-x86 qemu-utils passt"
    )


def test_no_space(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """A disk that fills up while the machine is made takes other programs with it."""
    lab.free(6 * GIB - 1)
    assert refused(run_module, snapshot, lab) == (
        f"{lab.directory} has 6143 MiB free; a machine needs 6144 MiB. Make room, or set vm_directory."
    )


def test_a_machine_that_is_there_needs_no_space(run_module: RunModule, pot: Lab) -> None:
    """On a disk that is nearly full, a machine can still be started and stopped."""
    pot.free(0)
    assert run_module("qemu_vm", pot.arguments(state="stopped"))["changed"] is True


@pytest.mark.parametrize(
    ("changes", "record"),
    [({"reach": []}, {"reach": []}), ({"network": "user"}, {"passt": []}), ({"reach": ["10.1.2.3"]}, {"reach": ["10.1.2.3"]})],
)
def test_other_settings_of_a_running_machine(run_module: RunModule, lab: Lab, changes: dict[str, Any], record: dict[str, Any]) -> None:
    """What a running machine may reach is not left as it was until some later start: it is started again, at the same port, once."""
    port = run_module("qemu_vm", lab.arguments(reach=["192.168.1.20"]))["vm"]["port"]
    lab.calls("qmp")
    arguments = lab.arguments(**{"reach": ["192.168.1.20"], **changes})
    assert run_module("qemu_vm", arguments, check=True)["changed"] is True
    assert lab.calls("qmp") == []
    result = run_module("qemu_vm", arguments)
    assert (result["changed"], result["vm"]["port"]) == (True, port)
    assert {key: lab.record()["run"][key] for key in record} == record
    assert "system_powerdown" in " ".join(lab.calls("qmp"))
    assert run_module("qemu_vm", arguments)["changed"] is False


def test_a_newer_runner(run_module: RunModule, pot: Lab, tmp_path: Path) -> None:
    """The gate of a newer version takes over from the one that runs."""
    newer = tmp_path / "run_vm.py"
    newer.write_text((DOUBLES / "run_vm.py").read_text() + "# newer\n")
    assert run_module("qemu_vm", pot.arguments(runner=str(newer)))["changed"] is True
    assert (pot.directory / "run_vm.py").read_text().endswith("# newer\n")


def test_a_disk_smaller_than_its_image(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """The image says how large its disk is; nothing is begun on a smaller one."""
    lab.image.write_bytes(b"QFI\xfb" + bytes(20) + (2 * GIB).to_bytes(8, "big"))
    assert refused(run_module, snapshot, lab, disk="1G") == (
        "vm_disk: 1024 MiB is less than the image's disk has, 2048 MiB. Give it at least that."
    )


def test_a_busy_port(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """Refused before anything is made, with the variable's name."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        assert refused(run_module, snapshot, lab, ssh_port=port) == (
            f"vm_ssh_port: port {port} of this computer's loopback cannot be had ([Errno 98] Address already in use). "
            "Choose another, or 0 for any."
        )


def test_a_port_that_is_none(run_module: RunModule, snapshot: Snapshot, lab: Lab) -> None:
    """A number that is no port ends in a sentence."""
    assert refused(run_module, snapshot, lab, ssh_port=65536) == (
        "vm_ssh_port: port 65536 of this computer's loopback cannot be had (bind(): port must be 0-65535.). Choose another, or 0 for any."
    )


def test_a_port_that_somebody_took_meanwhile(run_module: RunModule, pot: Lab) -> None:
    """Any port will do: while the machine was off, another program got its old one, and the machine starts all the same."""
    run_module("qemu_vm", pot.arguments(state="stopped"))
    port = pot.record()["port"]
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        assert run_module("qemu_vm", pot.arguments())["vm"]["port"] not in (0, port)


def test_a_half_made_machine_is_made_anew(run_module: RunModule, lab: Lab) -> None:
    """A run that was cut off while it made the disk: no trust in what it left, another identity for cloud-init."""
    lab.set("qemu-img.error", "disk.qcow2: No space left on device")
    failed = run_module("qemu_vm", lab.arguments(), fails=True)
    assert failed["msg"] == "qemu-img create failed: qemu-img: disk.qcow2: No space left on device"
    half = lab.record()
    assert (half["made"], half["owner"]) == (False, "/inventories/mine")
    (lab.directory / "disk.qcow2").write_text("half a disk")
    lab.unset("qemu-img.error")
    result = run_module("qemu_vm", lab.arguments())
    assert (result["changed"], lab.record()["made"]) == (True, True)
    assert lab.record()["instance"] != half["instance"]
    assert (lab.directory / "disk.qcow2").read_text() == "overlay\n"


def test_a_machine_needs_an_image(run_module: RunModule, lab: Lab) -> None:
    """A caller that forgot it reads what is missing."""
    assert run_module("qemu_vm", lab.arguments(image=""), fails=True)["msg"] == "image: a base image is needed to make a machine."


CONSOLE = "\n".join([*(f"[    {number}.000000] line {number}" for number in range(7, 20)), "  OK  ] Reached target", " login:"])


def test_a_machine_that_never_answers(run_module: RunModule, lab: Lab) -> None:
    """Its console's last lines, without what a guest could do to the operator's terminal; the next run goes on waiting."""
    lab.set("ssh.closed")
    failed = run_module("qemu_vm", lab.arguments(timeout=0), fails=True)
    assert failed["msg"] == (
        "The virtual machine pot runs, but nobody could log in within 0 s (vm_timeout). "
        f"The last lines of its console ({lab.directory}/console.log):\n{CONSOLE}"
    )
    assert (lab.record()["made"], lab.record()["answered"]) == (True, False)
    lab.unset("ssh.closed")
    instance = lab.record()["instance"]
    assert run_module("qemu_vm", lab.arguments())["vm"]["state"] == "running"
    assert (lab.record()["answered"], lab.record()["instance"]) == (True, instance)


def test_a_runner_that_dies_at_once(run_module: RunModule, lab: Lab) -> None:
    """qemu's own words reach the operator."""
    lab.set("run.dies", "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory")
    assert run_module("qemu_vm", lab.arguments(), fails=True)["msg"] == (
        "The virtual machine did not start:\nqemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory"
    )
    lab.unset("run.dies")
    assert run_module("qemu_vm", lab.arguments())["vm"]["state"] == "running"


def test_tells_how_far_it_is(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever waits sees the console's last line."""
    monkeypatch.setenv("LOBSTERPOT_PROGRESS", str(tmp_path / "progress"))
    run_module("qemu_vm", lab.arguments())
    assert (tmp_path / "progress").read_text() == " login:\n"


def test_removes_everything(run_module: RunModule, pot: Lab) -> None:
    """Nothing is left behind, the golden image and the folder included; a second removal changes nothing."""
    for name in ("golden.qcow2", "golden.new", "start.service", "machine.json.new"):
        (pot.directory / name).write_text("")
    result = run_module("qemu_vm", pot.arguments(state="absent"), diff=True)
    assert (result["changed"], result["diff"]["after"], result["vm"]) == (True, "", {})
    assert pot.calls("qmp") == ["quit"]
    assert list(pot.vms.iterdir()) == []
    assert pot.image.read_text() == "base image\n"
    assert run_module("qemu_vm", pot.arguments(state="absent"))["changed"] is False


def test_removes_what_was_only_begun(run_module: RunModule, lab: Lab) -> None:
    """Keys of a machine that never came to be are not left behind either."""
    assert run_module("qemu_vm", lab.arguments(state="absent"))["changed"] is True
    assert list(lab.vms.iterdir()) == []


def test_keeps_the_golden_image(run_module: RunModule, pot: Lab) -> None:
    """A rebuild: disk, keys and seed go, the golden image and what it stands on stay, and the next machine starts from it."""
    old = pot.record()["instance"]
    (pot.directory / "golden.qcow2").write_text("golden")
    assert run_module("qemu_vm", pot.arguments(state="absent", golden=True))["changed"] is True
    assert pot.files() == ["base.qcow2", "golden.qcow2", "machine.json"]
    assert pot.record() == {"format": 1, "provider": "qemu", "name": "pot", "owner": "/inventories/mine", "made": False}
    assert run_module("qemu_vm", pot.arguments(state="absent", golden=True))["changed"] is False
    result = run_module("qemu_vm", pot.arguments(golden=True, image=""))
    assert (result["changed"], result["vm"]["pristine"]) == (True, True)
    assert (pot.directory / "disk.qcow2").read_text() == "golden"
    assert pot.calls("qemu-img") == [f"resize -q {pot.directory}/disk.qcow2 21474836480"]
    assert pot.record()["instance"] != old


def test_without_golden_the_image_goes(run_module: RunModule, pot: Lab) -> None:
    """An image that is not wanted any more is not used one day by surprise."""
    (pot.directory / "golden.qcow2").write_text("golden")
    run_module("qemu_vm", pot.arguments(state="absent", golden=True))
    run_module("qemu_vm", pot.arguments(golden=False))
    assert "golden.qcow2" not in pot.files()
    assert (pot.directory / "disk.qcow2").read_text() == "overlay\n"
