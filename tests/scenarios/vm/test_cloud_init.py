"""What cloud-init made of the seed: with a value it does not know it goes on, and calls the machine degraded."""

from __future__ import annotations

from tests.lab.gateway import Host


def test_the_seed_keeps_the_schema(gateway: Host) -> None:
    """cloud-init's own check of the user data and the network configuration that the machine was given."""
    gateway.run("cloud-init schema --system")


def test_it_has_no_other_host_key(gateway: Host) -> None:
    """The host key made on the controller is the only one: none came with the image, none was generated."""
    assert gateway.run("ls /etc/ssh/ssh_host_*_key").split() == ["/etc/ssh/ssh_host_ed25519_key"]
