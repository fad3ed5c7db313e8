"""Leave of a gateway's database what a rebuild is asked to keep, and empty all other tables: keep-of-state.py DATABASE [jobs]

The database comes from a machine that may have been taken over, so it is kept by a list of names: sessions, accounts, senders and
devices; with `jobs` those of the scheduler and approvals of execution, too. Names: state schema 18 (openclaw 2026.9.6). A table that this
list does not know is emptied. Run as the gateway's user, before the new gateway starts for the first time.
"""

import sqlite3
import sys

KEPT = {
    "schema": {"schema_meta"},
    "sessions": {
        *("agent_databases", "agent_provenance", "current_conversation_bindings"),
        *("session_groups", "session_state_events", "session_state_heads", "session_upstream_links", "user_preferences"),
    },
    "accounts": {"mcp_oauth_stores", "plugin_blob_entries", "plugin_state_entries"},
    "senders": {"channel_pairing_allow_entries", "channel_pairing_requests"},
    "devices": {"apns_registrations", "device_auth_tokens", "device_identities", "device_pairing_paired", "web_push_subscriptions"},
}
JOBS = {"cron_jobs", "cron_job_scratch", "exec_approvals_config", "operator_approvals", "plugin_binding_approvals"}
# Of these tables some rows: where the accounts lie, but no list of installed plugins; secrets, but no variables of an environment.
SOME = {"config_machine_state": "state_key = 'auth.sharedStore'", "secret_store_entries": "kind = 'secret'"}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def keep(path: str, *, jobs: bool) -> list[str]:
    """Empty the tables; return the names of those that held something."""
    kept = set().union(*KEPT.values(), JOBS if jobs else set())
    emptied = []
    database = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    for kind, name in database.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchall():
        database.execute(f"DROP {kind} {quoted(name)}")
    for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall():
        if name in kept:
            continue
        other = f" WHERE NOT ({SOME[name]})" if name in SOME else ""
        if database.execute(f"DELETE FROM {quoted(name)}{other}").rowcount:  # noqa: S608 - a quoted name, and a constant
            emptied.append(name)
    database.execute("COMMIT")
    database.execute("VACUUM")
    database.close()
    return emptied


if __name__ == "__main__":
    print("\n".join(keep(sys.argv[1], jobs=sys.argv[2:] == ["jobs"])))
