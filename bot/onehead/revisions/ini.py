"""A reader of ini files that does not give up.

It follows Python's ConfigParser, which Alembic uses (sections, `[DEFAULT]`, continuation lines, `%(name)s`), and
goes on where that one refuses the whole file: keys given twice, lines that are no setting, placeholders of a
template, bytes that are not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from onehead.revisions.allowance import admit

HERE = "\ufdd0"
"""Stands for `%(here)s`, the directory of the file; a code point that Unicode keeps free of any meaning."""

_SECTION = re.compile(r"\[(?P<name>.+)\]")
_REFERENCE = re.compile(r"%%|%\(([^()%\n]{1,200})\)s")
# Alembic's ConfigParser allows ten levels; longer results are no paths, and doubling ones are an attack.
_MOST_LEVELS = 10
_LONGEST_VALUE = 16_384


class Option:
    """One value as written: its text with continuation lines joined by a line feed, and its 1-based line."""

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.line = line


class Ini:
    """A file as read.

    Attributes:
        sections: name → the options it sets itself, without `[DEFAULT]`; keys in lower case.
        defaults: the options of `[DEFAULT]`.
        lines: section → 1-based line of its header.
        problem: 1-based line and the first thing that Python's ConfigParser, hence Alembic, refuses.
    """

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Option]] = {}
        self.defaults: dict[str, Option] = {}
        self.lines: dict[str, int] = {}
        self.problem: tuple[int, str] | None = None

    def options(self, section: str) -> dict[str, Option]:
        """What Alembic sees in a section: its own options over those of `[DEFAULT]`."""
        return {**self.defaults, **self.sections.get(section, {})}


def read_ini(data: bytes) -> Ini:
    """Read an ini file, whatever the bytes are. The last of two equal keys counts.

    Raises:
        TooLarge: it exceeds the bound of one text.
        Spent: the examination has parsed as much as it may.
    """
    admit(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    ini = Ini()
    options: dict[str, Option] | None = None
    open_option: list[str] = []
    option: Option | None = None
    indent = 0
    # Not splitlines(): ConfigParser reads lines as text files do, so a form feed ends none.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):
            continue
        if not stripped:
            open_option.append("")
            continue
        depth = len(line) - len(line.lstrip())
        if option is not None and depth > indent:
            open_option.append(stripped)
            continue
        _close(option, open_option)
        option, indent = None, depth
        header = _SECTION.match(stripped)
        if header:
            options = _open_section(ini, header["name"], number)
            continue
        key, value = _setting(stripped)
        if options is None or not key:
            _report(ini, number, "it is neither a section nor a setting, so Alembic refuses the file; remove it")
            continue
        if key in options:
            reason = f"the key {key[:40]} is there twice in one section, so Alembic refuses the file"
            _report(ini, number, f"{reason}; keep one (the last is used here)")
        option = options[key] = Option("", number)
        open_option = [value]
    _close(option, open_option)
    return ini


def _close(option: Option | None, lines: list[str]) -> None:
    if option is not None:
        option.text = "\n".join(lines).strip()
    lines.clear()


def _open_section(ini: Ini, name: str, number: int) -> dict[str, Option]:
    if name == "DEFAULT":
        return ini.defaults
    if name in ini.sections:
        reason = f"the section [{name[:40]}] is there twice, so Alembic refuses the file"
        _report(ini, number, f"{reason}; make it one (both are read here)")
    ini.lines.setdefault(name, number)
    return ini.sections.setdefault(name, {})


def _setting(line: str) -> tuple[str, str]:
    """Split at the first `=` or `:`; no key when there is none."""
    cuts = [cut for cut in (line.find("="), line.find(":")) if cut >= 0]
    if not cuts:
        return "", ""
    return line[: min(cuts)].strip().lower(), line[min(cuts) + 1 :].strip()


def _report(ini: Ini, line: int, reason: str) -> None:
    if ini.problem is None:
        ini.problem = (line, reason)


def interpolate(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The values of some names, with what `%(name)s` refers to put in and `%%` turned into `%`.

    A reference to a name that nobody sets stays as it is written. Each value is worked out once, and a result
    that grows past any sensible path stays as it is written too, so that no file can make this slow.
    """
    done: dict[str, str] = {"here": HERE}

    def value(name: str, level: int) -> str | None:
        if name in done:
            return done[name]
        text = values.get(name)
        if text is None or level > _MOST_LEVELS:
            return None
        done[name] = text  # a value that refers to itself finds itself as written
        pieces, length, start = [], 0, 0
        for match in _REFERENCE.finditer(text):
            found = "%" if match[1] is None else value(match[1].lower(), level + 1)
            pieces += [text[start : match.start()], match[0] if found is None else found]
            length += len(pieces[-1])
            start = match.end()
            if length > _LONGEST_VALUE:
                return text
        done[name] = "".join(pieces) + text[start:]
        return done[name]

    return {name: value(name, 0) or "" for name in names if name in values}
