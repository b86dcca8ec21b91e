"""Read `alembic.ini`, its kin and `[tool.alembic]`, without `configparser`, which gives up too early. Pure.

It follows Python's ConfigParser, which Alembic uses, and goes on where that one refuses the whole file (keys given
twice, lines that are no setting, placeholders of a template, bytes that are not UTF-8): its revisions exist anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from onehead.revisions import parsers
from onehead.revisions.environments import is_vendored
from onehead.revisions.model import ConfigProblem
from onehead.revisions.parsers import Spent, TooLarge, admit
from onehead.revisions.path_hints import may_configure

HERE = "\ufdd0"
"""Replaces `%(here)s`, the directory of the file; a code point that Unicode keeps free of any meaning."""

_SECTION = re.compile(r"\[(?P<name>.+)\]")
_REFERENCE = re.compile(r"%%|%\(([^()%\n]{1,200})\)s")
# Alembic's ConfigParser allows ten levels; longer results are no paths, and doubling ones are an attack.
_MAX_LEVELS = 10
_MAX_VALUE_LENGTH = 16_384


class Option:
    """One value as written: its lines, continuations included, and the 1-based number of the first one."""

    def __init__(self, first: str, line: int) -> None:
        self.lines = [first]
        self.line = line

    @property
    def text(self) -> str:
        """The lines, joined by line feeds."""
        return "\n".join(self.lines).strip()


class Ini:
    """A file as read: section → the options it sets itself, with keys in lower case, and the line of its header.

    `problem` is the first thing that Python's ConfigParser, hence Alembic, refuses, and its line.
    """

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Option]] = {}
        self.defaults: dict[str, Option] = {}
        self.lines: dict[str, int] = {}
        self.problem: tuple[int, str] | None = None

    def options(self, section: str) -> dict[str, Option]:
        """What Alembic sees in a section: its own options over those of `[DEFAULT]`."""
        return {**self.defaults, **self.sections.get(section, {})}

    def open_section(self, name: str, line: int) -> dict[str, Option]:
        """The options to which those below a header belong."""
        if name == "DEFAULT":
            return self.defaults
        if name in self.sections:
            reason = f"the section [{name[:40]}] is there twice, so Alembic refuses the file"
            self.report(line, f"{reason}; make it one (both are read here)")
        self.lines.setdefault(name, line)
        return self.sections.setdefault(name, {})

    def report(self, line: int, reason: str) -> None:
        """Keep the first problem."""
        self.problem = self.problem or (line, reason)


def read_ini(data: bytes) -> Ini:
    """Read an ini file, whatever the bytes are; the last of two equal keys counts. Raises as `admit` does."""
    admit(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    ini = Ini()
    options: dict[str, Option] | None = None
    option: Option | None = None
    indent = 0
    # Not splitlines(): ConfigParser reads lines as text files do, so a form feed ends none.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):
            continue
        depth = len(line) - len(line.lstrip())
        if not stripped or (option is not None and depth > indent):
            if option is not None:
                option.lines.append(stripped)
            continue
        option, indent = None, depth
        if header := _SECTION.match(stripped):
            options = ini.open_section(header["name"], number)
            continue
        key, *value = re.split("[=:]", stripped, maxsplit=1)
        key = key.strip().lower()
        if options is None or not key or not value:
            ini.report(number, "it is neither a section nor a setting, so Alembic refuses the file; remove it")
            continue
        if key in options:
            reason = f"the key {key[:40]} is there twice in one section, so Alembic refuses the file"
            ini.report(number, f"{reason}; keep one (the last is used here)")
        option = options[key] = Option(value[0].strip(), number)
    return ini


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
        if text is None or level > _MAX_LEVELS:
            return None
        done[name] = text  # a value that refers to itself finds itself as written
        pieces, length, start = [], 0, 0
        for match in _REFERENCE.finditer(text):
            found = "%" if match[1] is None else value(match[1].lower(), level + 1)
            pieces += [text[start : match.start()], match[0] if found is None else found]
            length += len(pieces[-1])
            start = match.end()
            if length > _MAX_VALUE_LENGTH:
                return text
        done[name] = "".join(pieces) + text[start:]
        return done[name]

    return {name: value(name, 0) or "" for name in names if name in values}


MAX_CONFIGS = 2000
"""More configuration files of one tree are reported and not read."""

_SAMPLE = "samples?|example|template|tmpl|tpl|dist"
_ALEMBIC_INI = re.compile(r"[^/]*alembic[^/]*\.(?:ini|cfg)(?:\.[\w-]+){0,2}", re.IGNORECASE)
# Templates that make new projects, documents and programs are no configurations.
_NO_CONFIG = re.compile(r"\.(?:mako|py|pyc|md|rst|html|lock|orig|rej)$", re.IGNORECASE)
_ANY_INI = re.compile(rf"[^/]+\.(?:ini|cfg)(?:\.(?:{_SAMPLE}|default|in|j2|jinja2?))?", re.IGNORECASE)
_IS_SAMPLE = rf"(?i)(?:^|[._-])(?:{_SAMPLE})(?:[._-]|$)|\.(?:ini|cfg)\."


def config_paths(paths: Iterable[str]) -> list[str]:
    """The files that may configure Alembic, its own first; `locate.locate` reads `MAX_CONFIGS` of them."""
    ranked = {(_rank(path), path.count("/"), path) for path in paths if may_configure(path)}
    return [path for rank, _, path in sorted(ranked) if rank < _NONE and not is_vendored(path)]


_NONE = 3


def _rank(path: str) -> int:
    name = path.rpartition("/")[2]
    if is_alembic_ini(path):
        return 0
    if name in ("pyproject.toml", "setup.cfg"):
        return 1
    # Pyramid, Pylons and others keep [alembic] in a file of any name, such as development.ini.
    return 2 if _ANY_INI.fullmatch(name) else _NONE


def is_alembic_ini(path: str) -> bool:
    """Whether a file is Alembic's by its name, or a sample of such a file."""
    name = path.rpartition("/")[2]
    return _ALEMBIC_INI.fullmatch(name) is not None and _NO_CONFIG.search(name) is None


def is_sample(path: str) -> bool:
    """Whether a configuration waits to be copied or filled in, and is not read by Alembic under this name."""
    return re.search(_IS_SAMPLE, path.rpartition("/")[2]) is not None


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
_LEGACY_SEPARATOR = r", *| +|\n"
_TOML_HEADER = rb"\[[ \t]*tool[ \t]*\.[ \t]*[\"']?alembic[\"']?[ \t]*\]"
_TOML_TABLE = rb"(?m)^[ \t]*" + _TOML_HEADER + rb"[^\n]*\n?"
_NEXT_TABLE = rb"(?m)^[ \t]*\[[ \t]*[\[A-Za-z\"']"


class Section(NamedTuple):
    """One section that declares, or helps to declare, an environment.

    Values are as written but interpolated, `%(here)s` as `HERE`, and `None` or empty where they are not set. `line` is
    that of `script_location`, else of the section.
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
        options = ("script_location", "version_locations", "recursive", "file_template", "timezone")
        return self._replace(**{name: getattr(other, name) for name in options if getattr(self, name) in (None, ())})


def concerns_alembic(data: bytes) -> bool:
    """Whether a file may configure Alembic; most ini and toml files don't, and are not worth reading."""
    return b"script_location" in data or b"[alembic]" in data or b"tool.alembic" in data


def read_config(path: str, data: bytes) -> tuple[list[Section], list[ConfigProblem]]:
    """The sections of one configuration file, and what is wrong; nothing for a file without Alembic. Never raises."""
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
    return _section(path, name, line, _split(path, values, line, problems), recursive, values)


def _section(
    path: str, name: str, line: int, places: tuple[str, ...], recursive: bool | None, values: Mapping[str, str]
) -> Section:
    script, template, timezone = (values.get(key) or None for key in ("script_location", "file_template", "timezone"))
    return Section(path, name, line, script, places, recursive, template, timezone)


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
        pieces = re.split(_LEGACY_SEPARATOR, text)
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
    listed = table.get("version_locations")
    written = [place for place in listed if isinstance(place, str)] if isinstance(listed, list) else []
    pieces = [interpolate({"place": place}, ["place"])["place"] for place in written]
    if "version_locations" in values:
        pieces = [values["version_locations"]]
    recursive = table.get("recursive_version_locations")
    if recursive is not None and not isinstance(recursive, bool):
        reason = "recursive_version_locations is not a boolean, so Alembic refuses the file; write true or false"
        problems.append(ConfigProblem(path, _line_of(data, rb"recursive_version_locations"), reason))
        recursive = None
    places = _limited([piece for piece in pieces if piece], path, line, problems)
    return [_section(path, "tool.alembic", line, places, recursive, values)], problems


def _alembic_table(data: bytes) -> tuple[Mapping[str, object] | None, str]:
    """The table `[tool.alembic]`, read on its own where the whole file can't be; and what is wrong."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    document = _parse_toml(data)
    if document is not None:
        for key in ("tool", "alembic"):
            document = document.get(key) if isinstance(document, dict) else None
        return (document if isinstance(document, dict) else None), ""
    start = re.search(_TOML_TABLE, data)
    if start is None:
        return None, ""
    table = data[start.end() :]
    end = re.search(_NEXT_TABLE, table)
    document = _parse_toml(table[: end.start()] if end else table)
    if document is None:
        return None, "it is not valid TOML, so its environment may be missed; repair it"
    return document, "it is not valid TOML, so Alembic refuses it; repair it ([tool.alembic] was read on its own)"


def _parse_toml(data: bytes) -> dict[str, Any] | None:
    """The document, `None` for what is no TOML; raises `TooLarge` and `Spent`."""
    try:
        return parsers.toml(data.decode("utf-8", "surrogateescape"))
    except TooLarge:
        raise
    except ValueError:
        return None


def _line_of(data: bytes, key: bytes) -> int:
    found = re.search(rb"^[ \t]*" + key, data, re.MULTILINE)
    return data.count(b"\n", 0, found.start()) + 1 if found else 0
