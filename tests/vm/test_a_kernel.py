"""What only a kernel of its own can show: settings in force, AppArmor, of the host; test_c_attacks shows the bounds of a sandbox."""

from __future__ import annotations

from tests.host.attack import Host


def test_kernel_settings_are_in_force(gateway: Host) -> None:
    """Hardening: what the role baseline writes is what the kernel of this machine has."""
    names = (
        "kernel.kptr_restrict kernel.dmesg_restrict kernel.yama.ptrace_scope net.ipv4.conf.all.rp_filter net.ipv4.conf.all.accept_redirects"
    )
    assert gateway.run(f"sysctl -n {names}").split() == ["2", "1", "1", "1", "0"]


def test_apparmor_is_on(gateway: Host) -> None:
    """The distribution's profiles are loaded and enforced."""
    assert gateway.run("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"
    assert int(gateway.run("grep -c enforce /sys/kernel/security/apparmor/profiles")) > 0
