"""S5: the file tools of an agent."""

from __future__ import annotations

from tests.lab.gateway import Host


def test_file_tools_stay_in_the_workspace(model: Host) -> None:
    """S5: the read tool is no way to the host's configuration, by path or by a link planted with exec."""
    paths = ("/etc/openclaw/openclaw.json", "/run/openclaw/secrets.json", "../../../../etc/openclaw/openclaw.json", "link.json")
    link = {"command": "ln -s /etc/openclaw/openclaw.json /workspace/link.json; echo linked"}
    linked, *results = model.agents([("exec", link), *(("read", {"path": path}) for path in paths)], "s05-files")
    assert "linked" in linked
    assert len(results) == 4
    for result in results:
        assert "hostfile" not in result
        assert "planted-" not in result
