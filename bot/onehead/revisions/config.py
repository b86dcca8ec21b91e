"""What a configuration file says about Alembic: `alembic.ini` and its kin, and `[tool.alembic]` of pyproject.toml.

Alembic refuses a file that is slightly broken; we read on, because the revisions are there all the same,
and say what Alembic will say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from onehead.revisions import toml_source
from onehead.revisions.allowance import Spent, TooLarge
from onehead.revisions.config_files import is_alembic_ini
from onehead.revisions.environment import ConfigProblem
from onehead.revisions.ini import Ini, interpolate, read_ini

MAX_BYTES = 512 * 1024
"""A larger configuration is reported and not read."""
MAX_SECTIONS = 50
"""More sections of one file that declare an environment are reported and not read."""
MAX_LOCATIONS = 200
"""More `version_locations` of one section are reported and not read."""

_OPTIONS = (
    *("script_location", "version_locations", "path_separator", "version_path_separator"),
    *("recursive_version_locations", "file_template", "timezone"),
)
_SEPARATORS = {"space": " ", "newline": "\n", ":": ":", ";": ";"}
_LEGACY_SEPARATOR = re.compile(r", *| +|\n")
_TOML_HEADER = rb"\[[ \t]*tool[ \t]*\.[ \t]*[\"']?alembic[\"']?[ \t]*\]"
_TOML_TABLE = re.compile(rb"^[ \t]*" + _TOML_HEADER + rb"[^\n]*\n?", re.MULTILINE)
_NEXT_TABLE = re.compile(rb"^[ \t]*\[[ \t]*[\[A-Za-z\"']", re.MULTILINE)


class Section(NamedTuple):
    """One section that declares, or helps to declare, an environment; values are as written but interpolated.

    Attributes:
        config: the file.
        name: the section, `tool.alembic` for pyproject.toml.
        line: 1-based line of `script_location`, else of the section.
        script_location: `None` where it is not said; `%(here)s` stands as `ini.HERE`.
        version_locations: empty where it is not said.
        recursive: what `recursive_version_locations` means to Alembic, `None` where it is not said.
        file_template, timezone: as written, `None` where they are not said.
    """

    config: str
    name: str
    line: int
    script_location: str | None
    version_locations: tuple[str, ...]
    recursive: bool | None
    file_template: str | None
    timezone: str | None

    def filled_from(self, other: Section) -> Section:
        """Take from pyproject.toml what the ini leaves open: Alembic asks the ini first, option by option."""
        return self._replace(
            script_location=other.script_location if self.script_location is None else self.script_location,
            version_locations=self.version_locations or other.version_locations,
            recursive=other.recursive if self.recursive is None else self.recursive,
            file_template=other.file_template if self.file_template is None else self.file_template,
            timezone=other.timezone if self.timezone is None else self.timezone,
        )


def concerns_alembic(data: bytes) -> bool:
    """Whether a file may configure Alembic; most ini and toml files don't, and are not worth reading."""
    return b"script_location" in data or b"[alembic]" in data or b"tool.alembic" in data


def read_config(path: str, data: bytes) -> tuple[list[Section], list[ConfigProblem]]:
    """Read one configuration file; never raises, whatever the bytes are.

    Returns:
        The sections, and what is wrong. Both are empty for a file without Alembic.
    """
    if not concerns_alembic(data):
        return [], []
    try:
        if len(data) > MAX_BYTES:
            raise TooLarge(f"it is larger than {MAX_BYTES // 1024} KiB and was not read")
        return _toml(path, data) if path.endswith(".toml") else _ini(path, read_ini(data))
    except (TooLarge, Spent) as limit:
        reason = f"{limit}: environments that it declares may be missed; make it smaller"
        return [], [ConfigProblem(path, 0, reason, unread=True)]


def _ini(path: str, ini: Ini) -> tuple[list[Section], list[ConfigProblem]]:
    declaring = _declaring(path, ini)
    problems = [ConfigProblem(path, *ini.problem)] if ini.problem else []
    if not declaring:
        return [], problems if is_alembic_ini(path) else []
    if len(declaring) > MAX_SECTIONS:
        reason = f"it declares {len(declaring)} environments, only the first {MAX_SECTIONS} were read"
        problems.append(ConfigProblem(path, 0, reason))
    return [_ini_section(path, ini, name, problems) for name in declaring[:MAX_SECTIONS]], problems


def _declaring(path: str, ini: Ini) -> list[str]:
    """The sections to take for environments, in the order of the file."""
    declaring = [name for name, own in ini.sections.items() if "script_location" in own or "version_locations" in own]
    if "script_location" in ini.defaults:
        # Every section inherits it, those for logging too; -n may name one, but [alembic] is what runs without -n.
        return list(dict.fromkeys(["alembic", *declaring])) if "alembic" in ini.sections else declaring or ["DEFAULT"]
    if not declaring and "alembic" in ini.sections and is_alembic_ini(path):
        return ["alembic"]
    return declaring


def _ini_section(path: str, ini: Ini, name: str, problems: list[ConfigProblem]) -> Section:
    options = ini.options(name)
    values = interpolate({key: option.text for key, option in options.items()}, _OPTIONS)
    line = options["script_location"].line if "script_location" in options else ini.lines.get(name, 0)
    recursive = None
    if "recursive_version_locations" in values:
        written = values["recursive_version_locations"]
        recursive = written == "true"
        if written not in ("true", "false"):
            reason = (
                f"recursive_version_locations = {written[:40]} has no effect: Alembic takes only the literal word"
                " true, so sub-folders are not loaded; write true or false"
            )
            problems.append(ConfigProblem(path, options["recursive_version_locations"].line, reason))
    return Section(
        config=path,
        name=name,
        line=line,
        script_location=values.get("script_location") or None,
        version_locations=_split(path, values, line, problems),
        recursive=recursive,
        file_template=values.get("file_template") or None,
        timezone=values.get("timezone") or None,
    )


def _split(path: str, values: Mapping[str, str], line: int, problems: list[ConfigProblem]) -> tuple[str, ...]:
    """Split as Alembic does: `path_separator`, then `version_path_separator`, then commas and spaces."""
    text = values.get("version_locations", "")
    name = values.get("path_separator", values.get("version_path_separator"))
    if name == "os":
        # What Alembic would do where it runs; a semicolon is no part of a path on either system.
        pieces = text.split(";" if ";" in text else ":")
    elif name in _SEPARATORS:
        pieces = text.split(_SEPARATORS[name])
    else:
        if name is not None and text:
            reason = (
                f"path_separator = {name[:40]} is none of space, newline, os, : and ;, so Alembic refuses the file;"
                " write one of them"
            )
            problems.append(ConfigProblem(path, line, reason))
        pieces = _LEGACY_SEPARATOR.split(text)
    return _limited([piece.strip() for piece in pieces if piece.strip()], path, line, problems)


def _limited(pieces: list[str], path: str, line: int, problems: list[ConfigProblem]) -> tuple[str, ...]:
    if len(pieces) > MAX_LOCATIONS:
        reason = f"version_locations names {len(pieces)} directories, only the first {MAX_LOCATIONS} were read"
        problems.append(ConfigProblem(path, line, reason))
    return tuple(pieces[:MAX_LOCATIONS])


def _toml(path: str, data: bytes) -> tuple[list[Section], list[ConfigProblem]]:
    table, reason = _alembic_table(data)
    problems = [ConfigProblem(path, 0, reason)] if reason else []
    if table is None:
        return [], problems
    values = interpolate({key: text for key, text in table.items() if isinstance(text, str)}, _OPTIONS)
    line = _line_of(data, rb"script_location") or _line_of(data, _TOML_HEADER)
    places = table.get("version_locations")
    written = [place for place in places if isinstance(place, str)] if isinstance(places, list) else []
    pieces = [interpolate({"place": place}, ["place"])["place"] for place in written]
    if "version_locations" in values:
        pieces = [values["version_locations"]]
    recursive = table.get("recursive_version_locations")
    if recursive is not None and not isinstance(recursive, bool):
        reason = "recursive_version_locations is not a boolean, so Alembic refuses the file; write true or false"
        problems.append(ConfigProblem(path, _line_of(data, rb"recursive_version_locations"), reason))
        recursive = None
    section = Section(
        config=path,
        name="tool.alembic",
        line=line,
        script_location=values.get("script_location") or None,
        version_locations=_limited([piece for piece in pieces if piece], path, line, problems),
        recursive=recursive,
        file_template=values.get("file_template") or None,
        timezone=values.get("timezone") or None,
    )
    return [section], problems


def _alembic_table(data: bytes) -> tuple[Mapping[str, object] | None, str]:
    """The table `[tool.alembic]`, read on its own where the whole file can't be; and what is wrong."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    document = _parse_toml(data)
    if document is not None:
        for key in ("tool", "alembic"):
            document = document.get(key) if isinstance(document, dict) else None
        return (document if isinstance(document, dict) else None), ""
    start = _TOML_TABLE.search(data)
    if start is None:
        return None, ""
    end = _NEXT_TABLE.search(data, start.end())
    document = _parse_toml(data[start.end() : end.start() if end else None])
    if document is None:
        return None, "it is not valid TOML, so its environment may be missed; repair it"
    return document, "it is not valid TOML, so Alembic refuses it; repair it ([tool.alembic] was read on its own)"


def _parse_toml(data: bytes) -> dict[str, Any] | None:
    """The document, `None` for what is no TOML; raises `TooLarge` and `Spent`."""
    try:
        return toml_source.parse(data.decode("utf-8", "surrogateescape"))
    except TooLarge:
        raise
    except ValueError:
        return None


def _line_of(data: bytes, key: bytes) -> int:
    found = re.search(rb"^[ \t]*" + key, data, re.MULTILINE)
    return data.count(b"\n", 0, found.start()) + 1 if found else 0
