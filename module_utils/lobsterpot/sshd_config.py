# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding what loosens sshd behind the project's drop-in: the files of sshd_config(5), read as sshd reads them.

`sshd -T` tells what counts for a connection that no `Match` block names. A block overrides that for some users or addresses, so each
line of each block is judged, whoever it is for. Outside blocks the first word on a setting counts: there only what is read before the
drop-in can loosen it.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAIN = "/etc/ssh/sshd_config"
DROP_IN = "/etc/ssh/sshd_config.d/01-lobsterpot.conf"

# A word of a line: bare and quoted pieces; sshd_config(5) allows both kinds of quotes, and a backslash before one.
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+""")
_LINE = re.compile(r"""\s*["']?([A-Za-z0-9]+)["']?(?:\s*=\s*|\s+|$)(.*)""")

_ALIASES = {"challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication"}

# The promises of the drop-in, by what keeps each of them. Values that are not named here are looser, or unknown.
_PASSWORDS = {
    "passwordauthentication": {"no"},
    "kbdinteractiveauthentication": {"no"},
    "permitrootlogin": {"no", "prohibit-password", "without-password", "forced-commands-only"},
}
_KEPT_BY = {
    **_PASSWORDS,
    "permitemptypasswords": {"no"},
    "hostbasedauthentication": {"no"},
    "usepam": {"yes"},
    "allowtcpforwarding": {"no", "local"},
    "allowstreamlocalforwarding": {"no"},
    "allowagentforwarding": {"no"},
    "x11forwarding": {"no"},
    "gatewayports": {"no"},
    "permittunnel": {"no"},
    "permituserenvironment": {"no"},
    "permituserrc": {"no"},
    "maxauthtries": {"1", "2", "3"},
    # Less than this hides from fail2ban who fails to log in, or from the operator with which key somebody did.
    "loglevel": {"verbose", "debug", "debug1", "debug2", "debug3"},
}
RSA_BITS = 2048


@dataclass(frozen=True)
class Line:
    """One setting. keyword: in small letters, an alias by its usual name. block: the conditions of its `Match`, empty outside one."""

    file: str
    number: int
    text: str
    keyword: str
    values: tuple[str, ...]
    block: str

    @property
    def about_passwords(self) -> bool:
        """Whether it is wrong only where passwords must be off."""
        return self.keyword in _PASSWORDS

    @property
    def loosens(self) -> bool:
        """Whether it says less than the drop-in does."""
        if self.keyword in _KEPT_BY:
            return not self.values or self.values[0].lower() not in _KEPT_BY[self.keyword]
        if self.keyword == "requiredrsasize":
            return not (self.values and self.values[0].isdecimal() and int(self.values[0]) >= RSA_BITS)
        if self.keyword == "authenticationmethods":
            return "none" in self.values
        # In a block it takes the place of the whole list; outside, the lists are added up.
        return self.keyword == "denyusers" and self.block != "" and "*" not in self.values

    @property
    def words(self) -> str:
        """Where it stands and what it says, for the operator."""
        where = f" in the block `Match {self.block}`" if self.block else ", read before the project's own file"
        return f"{self.file}:{self.number}: `{self.text}`{where}"


def _words(text: str) -> list[str]:
    """Take a line's rest apart as sshd does; a comment begins with a word."""
    found = []
    for match in _WORD.finditer(text):
        if match[0].startswith("#"):
            break
        found.append(re.sub(r"""\\(.)|["']""", r"\1", match[0]))
    return found


def _included(pattern: str, expand: Callable[[str], list[str]]) -> list[str]:
    """The files of one word of an Include, in sshd's order; the drop-in among them, also before it is written."""
    absolute = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
    ours = [DROP_IN] if PurePosixPath(DROP_IN).match(absolute) else []
    return sorted({*expand(absolute), *ours})


class _Reader:
    """Reads all files; `read` gives the text of one, `expand` the files that a pattern names."""

    def __init__(self, read: Callable[[str], str], expand: Callable[[str], list[str]]) -> None:
        self.read, self.expand = read, expand
        self.drop_in_read = False

    def lines(self, file: str, block: str = "", inside: tuple[str, ...] = ()) -> Iterator[Line]:
        """What a file says that counts: all of it in a block, else what comes before the drop-in. A block ends with its file.

        inside: the files that include this one. sshd refuses a file that includes itself; here it is not read again.
        """
        if file == DROP_IN:
            self.drop_in_read = self.drop_in_read or not block
            return
        for number, text in enumerate(self.read(file).split("\n"), 1):
            parts = _LINE.fullmatch(text.rstrip())
            if not parts:  # empty, or a comment
                continue
            keyword, values = parts[1].lower(), _words(parts[2])
            if keyword == "match":
                block = " ".join(values)
            elif keyword == "include":
                names = [name for pattern in values for name in _included(pattern, self.expand)]
                for name in names:
                    if name not in (file, *inside):
                        yield from self.lines(name, block, (file, *inside))
            elif block or not self.drop_in_read:
                yield Line(file, number, text.strip(), _ALIASES.get(keyword, keyword), tuple(values), block)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def problems(read: Callable[[str], str] = _text, expand: Callable[[str], list[str]] = glob.glob) -> tuple[list[str], list[str]]:
    """Name each line that loosens what the drop-in says, and a configuration that does not include it.

    Returns the lines on passwords alone, which are wrong only where these must be off, and all others.
    """
    reader = _Reader(read, expand)
    found = [line for line in reader.lines(MAIN) if line.loosens]
    passwords = [line.words for line in found if line.about_passwords]
    if not reader.drop_in_read and read(MAIN):
        missing = "it has no line `Include /etc/ssh/sshd_config.d/*.conf` outside a Match block; that line belongs at its top"
        return passwords, [f"{MAIN}: {missing}"]
    return passwords, [line.words for line in found if not line.about_passwords]
