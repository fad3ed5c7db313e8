"""S5: the file tools of an agent."""

from __future__ import annotations

from tests.lab.gateway import Host


def test_file_tools_stay_in_the_workspace(model: Host) -> None:
    """S5: the read tool is no way to the host's configuration, by path or by a link planted with exec."""
    model.agent("exec", {"command": "ln -s /etc/openclaw/openclaw.json /workspace/link.json; echo done"}, "s05-files")
    for path in (
        "/etc/openclaw/openclaw.json",
        "/run/openclaw/secrets.json",
        "../../../../etc/openclaw/openclaw.json",
        "link.json",
    ):
        result = model.agent("read", {"path": path}, "s05-files")
        assert "hostfile" not in result
        assert "planted-" not in result
