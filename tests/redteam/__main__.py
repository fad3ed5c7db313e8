"""Attack one converged host of the lab and print what came of it.

    python3 -m tests.redteam HOST [--actor ACTOR] [--only NAME]... [--mutations] [--restart] [--json]
    python3 -m tests.redteam --document        write the table of docs/threat-model.md anew

As root, like the lab. The exit code is 0 when everything is as its file says.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.redteam import book, report


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python3 -m tests.redteam", description=__doc__, formatter_class=plain)
    parser.add_argument("host", nargs="?", help="a host of the lab, converged")
    parser.add_argument("--actor", choices=list(book.ACTORS))
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="attacks or mutations whose name contains this")
    parser.add_argument("--mutations", action="store_true", help="switch each control off, and on again, too")
    parser.add_argument("--restart", action="store_true", help="restart the host at the end, and attack once more")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--document", action="store_true")
    arguments = parser.parse_args()
    if arguments.document:
        report.DOCUMENT.write_text(report.document(report.DOCUMENT.read_text()))
        return 0
    if not arguments.host:
        parser.error("which host?")
    os.environ["LAB_HOST"] = arguments.host  # read when the next line is

    from tests.redteam import run  # noqa: PLC0415

    def wanted(name: str, actor: str) -> bool:
        return arguments.actor in (None, actor) and (not arguments.only or any(part in name for part in arguments.only))

    attacks = [attack for attack in book.attacks() if wanted(attack.id, attack.actor)]
    by_id = {attack.id: attack for attack in book.attacks()}
    mutations = [mutation for mutation in book.mutations() if arguments.mutations and wanted(mutation.id, by_id[mutation.attack].actor)]
    results = run.everything(attacks, mutations, sys.stderr, restart=arguments.restart)
    print(report.as_json(results) if arguments.json else report.as_table(results))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
