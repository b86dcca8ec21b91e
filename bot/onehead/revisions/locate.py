"""Find every Alembic environment of a tree from its file names and its configuration files.

Alembic resolves the paths in these where it runs: relative ones against the working directory, `pkg:path` by importing
the package, absolute ones inside a container. None of that is known here; the directory that is meant is known by its
`env.py` or its revision files. Where no configuration names them, so are others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from onehead.revisions.config import (
    HERE,
    MAX_CONFIGS,
    Section,
    concerns_alembic,
    config_paths,
    is_alembic_ini,
    is_sample,
    read_config,
)
from onehead.revisions.environments import FileIndex, common, is_vendored, join, may_be_guessed, parent
from onehead.revisions.model import ConfigProblem, Environment, Location
from onehead.revisions.path_hints import has_hex_id, promises_revisions

# Deeper paths are no configuration that a person wrote.
_MAX_PARTS = 16
_MAX_ANCESTORS = 16
_DRIVE = r"[A-Za-z]:(?=/|$)"
# ${VAR}, $VAR, {{ var }}, {% ... %}, %(unknown)s, <var>, @VAR@: what a template or a deployment fills in.
_PLACEHOLDER = r"\$\w|\$\{|\{\{|\{%|%\(|<\w|@\w+@"


class WrittenPath(NamedTuple):
    """The components of a path in a configuration, `..` included, and what it starts from.

    `here`: the configuration's directory. `relative`: a working directory. `package`: the root of some import package.
    `somewhere`: a place outside (a container's `/app`, a variable), of which only the end can be found here.
    """

    anchor: str
    parts: tuple[str, ...]


def take_apart(text: str) -> WrittenPath:
    """Read a path as it is written in a configuration (`%(here)s` already replaced by `HERE`)."""
    text = text.strip().strip("\"'").replace("\\", "/")
    if HERE in text:
        return WrittenPath("here", _parts(text.rpartition(HERE)[2]))
    if re.search(_PLACEHOLDER, text):
        components = text.split("/")
        # A placeholder with blanks or a slash inside is cut in pieces by the split; each piece still shows a brace.
        last = max(index for index, part in enumerate(components) if re.search(_PLACEHOLDER, part) or "}" in part)
        return WrittenPath("somewhere", _parts("/".join(components[last + 1 :])))
    if text.startswith(("/", "~")):
        return WrittenPath("somewhere", _parts(text.partition("/")[2]))
    if re.match(_DRIVE, text):
        return WrittenPath("somewhere", _parts(text[2:]))
    if ":" in text:
        package, *rest = text.split(":")
        return WrittenPath("package", _parts("/".join([package.replace(".", "/"), *rest])))
    return WrittenPath("relative", _parts(text))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("/") if part.strip() not in ("", "."))[:_MAX_PARTS]


def find_script_directory(tree: FileIndex, text: str, here: str) -> str | None:
    """The directory that `script_location` means, written in a configuration in the directory `here`.

    The best one that looks like an Alembic environment, else one that at least exists. A directory whose content can't
    be seen (a submodule, a link that leads out) counts as one that looks like it.
    """
    written = take_apart(text)
    found = _search(tree, written, here, lambda guess: tree.is_script_directory(guess) or tree.is_blocked(guess))
    if found is None and written.anchor != "somewhere":
        found = next((guess for guess in _guesses(written, here) if tree.is_directory(guess)), None)
    return found


def find_version_directory(tree: FileIndex, text: str, here: str, script: str | None) -> tuple[str | None, bool]:
    """The directory that one of `version_locations` means, and whether anything shows that it is the right one.

    An empty directory cannot be seen in git, so a place beside `env.py` (in `script`) needs no files.
    """
    written = take_apart(text)
    found = _search(tree, written, here, lambda guess: tree.holds_revisions(guess) or tree.is_blocked(guess))
    if found is not None:
        return found, True
    guesses = list(_guesses(written, here)) if written.anchor != "somewhere" else []
    for guess in guesses:
        if tree.is_directory(guess) or (script is not None and f"{guess}/".startswith(f"{script}/")):
            return guess, True
    return (guesses[0] if guesses else None), False


def find_run_directory(tree: FileIndex, texts: Iterable[str], here: str, script: str | None) -> str:
    """The directory in which Alembic has to be run: it resolves relative paths against its working directory.

    `texts` are `script_location`, which means `script`, and each of `version_locations`. Where none is relative, it is
    that of the configuration, `here`.
    """
    relative = [parts for anchor, parts in map(take_apart, filter(None, texts)) if anchor == "relative"]
    bases = [here, "", *ancestors(here)]
    bases += [(script or "").removesuffix("/".join(parts)).rstrip("/") for parts in relative[:1]]

    def led(base: str) -> tuple[bool, int]:
        places = [_walk(base, parts) for parts in relative]
        return script is not None and script in places, sum(
            place is not None and tree.is_directory(place) for place in places
        )

    return max(bases, key=led)


def _search(tree: FileIndex, written: WrittenPath, here: str, fits: Callable[[str], bool]) -> str | None:
    """Exact places first, then the same end anywhere in the tree, then both with other letter case."""
    for guess in _guesses(written, here):
        if fits(guess):
            return guess
    ends = [written.parts[start:] for start in range(len(written.parts))]
    if written.anchor in ("here", "relative"):
        ends = ends[:1]
    for end in ends:
        found = _ending(tree, written, end, here, fits)
        if found is not None:
            return found
    return None


def _guesses(written: WrittenPath, here: str) -> Iterator[str]:
    """Where the path may lead, most likely first, each place once."""
    above = ancestors(here)
    bases = {
        "here": [here],
        "relative": [here, "", *above],
        "package": [join(base, source) for base in (here, *above) for source in ("", "src")],
        "somewhere": [here, *above],
    }[written.anchor]
    ends = [written.parts]
    if written.anchor in ("package", "somewhere") and not written.parts:
        return
    if written.anchor == "somewhere":
        ends = [written.parts[start:] for start in range(len(written.parts))]
    guesses = (_walk(base, end) for end in ends for base in bases)
    yield from dict.fromkeys(guess for guess in guesses if guess is not None)


def ancestors(folder: str) -> list[str]:
    """The directories above, nearest first, the top of the repository always last."""
    found: list[str] = []
    while folder and len(found) < _MAX_ANCESTORS:
        folder = parent(folder)
        found.append(folder)
    return found if found and not found[-1] else [*found, ""]


def _walk(base: str, parts: tuple[str, ...]) -> str | None:
    """Follow components from a directory; `None` when they lead out of the repository."""
    path = base.split("/") if base else []
    for part in parts:
        if part != "..":
            path.append(part)
        elif path:
            path.pop()
        else:
            return None
    return "/".join(path)


def _ending(
    tree: FileIndex, written: WrittenPath, end: tuple[str, ...], here: str, fits: Callable[[str], bool]
) -> str | None:
    """A directory anywhere that ends like this; the one nearest to the configuration, if one is nearest."""
    if not end or ".." in end:
        return None
    tail = "/" + "/".join(end).casefold()
    exact = _walk(here, end)
    matches = []
    for folder in tree.namesakes(end[-1]):
        if written.anchor == "here":
            if exact is None or folder.casefold() != exact.casefold():
                continue
        elif not f"/{folder}".casefold().endswith(tail):
            continue
        if fits(folder):
            # The same letters beat other letter case, whatever the distance.
            same = f"/{folder}".endswith("/" + "/".join(end))
            matches.append((same, common(folder.split("/"), here.split("/")), folder))
    if not matches:
        return None
    best = max(match[:2] for match in matches)
    nearest = [folder for same, shared, folder in matches if (same, shared) == best]
    # Two equally near: any choice would be arbitrary; each is found by its env.py anyway.
    return nearest[0] if len(nearest) == 1 else None


MAX_TOTAL_BYTES = 16 * 1024 * 1024
"""When the configurations of one tree are larger together, the rest is reported and not read."""
MAX_MODULES = 200
"""Python files of one environment in which a word about its directories is looked for."""
MAX_WRITTEN = 2000
"""More paths written in one tree's configurations are reported and not looked for."""


class Located(NamedTuple):
    """What file names and configurations show.

    `candidates` are directories outside of all environments, sorted, whose `.py` files may be revisions that nothing
    declares: read those that mention `down_revision` and give them to `environments.unconfigured`. `modules`:
    environments with revision files in sub-folders, which the configuration does not mention → the Python files near
    them, in which code may say it: read those and give what they say to `pinned`.
    """

    environments: tuple[Environment, ...]
    problems: tuple[ConfigProblem, ...]
    candidates: tuple[str, ...]
    modules: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def pinned(self, by_code: Collection[str]) -> Located:
        """The same with Alembic's default where the configuration is silent: sub-folders are not read.

        Not of the environments whose directories may be set `by_code`: for these, the ids have to decide.
        """
        environments = list(self.environments)
        for place, each in enumerate(environments):
            if each.path not in by_code and each.config is not None and not is_sample(each.config):
                locations = tuple(known._replace(recursive=bool(known.recursive)) for known in each.locations)
                environments[place] = each._replace(locations=locations)
        return self._replace(environments=tuple(environments))


def locate(tree: FileIndex, configs: Mapping[str, bytes | None]) -> Located:
    """Find the environments of one tree; never raises, whatever the paths and the bytes are.

    `configs` is the content of what `config_paths` names in it, `None` for what was not read.
    """
    sections, problems = _sections(configs)
    declared = [_environment(tree, section, problems) for section in sections]
    environments = _united([environment for environment in declared if environment is not None])
    environments += _with_env_py(tree, environments)
    return Located(
        environments=tuple(sorted(environments, key=lambda environment: environment.path)),
        problems=tuple(sorted(set(problems))),
        candidates=tuple(_candidates(tree, environments)),
        # Where a silent configuration leaves open whether the revision files in sub-folders belong.
        modules={
            each.path: modules_near(tree, each)
            for each in environments
            if each.config is not None
            and any(place.recursive is None and tree.covered([each]) - {place.path} for place in each.locations)
        },
    )


def modules_near(tree: FileIndex, environment: Environment) -> tuple[str, ...]:
    """The Python files beside `env.py` and the configuration and above: code in them may set the directories."""
    starts = [environment.script_location or "", parent(environment.config or "")]
    folders = dict.fromkeys(folder for start in starts for folder in (start, *ancestors(start)))
    return tuple(path for folder in folders for path in tree.folders.get(folder, ()))[:MAX_MODULES]


def _sections(configs: Mapping[str, bytes | None]) -> tuple[list[Section], list[ConfigProblem]]:
    """What the configurations declare, the most authoritative first."""
    read, problems = _read(configs)
    _pair(read)
    sections: list[Section] = []
    written = 0
    for section in [section for path in read for section in read[path]]:
        written += 1 + len(section.version_locations)
        if written > MAX_WRITTEN:
            reason = (
                f"the configurations up to here name more than {MAX_WRITTEN} directories: this one and those after it"
                " were not looked at, so environments may be missed"
            )
            problems.append(ConfigProblem(section.config, section.line, reason, unread=True))
            break
        sections.append(section)
    return sections, problems


def _read(configs: Mapping[str, bytes | None]) -> tuple[dict[str, list[Section]], list[ConfigProblem]]:
    """The sections of each configuration: samples last, then those near the top first, then by name."""
    wanted = config_paths(configs)
    problems: list[ConfigProblem] = []
    if len(wanted) > MAX_CONFIGS:
        reason = f"only {MAX_CONFIGS} of {len(wanted)} ini and toml files were read: environments may be missed"
        problems.append(ConfigProblem(wanted[MAX_CONFIGS], 0, reason, unread=True))
    read: dict[str, list[Section]] = {}
    size = 0
    for path in sorted(wanted[:MAX_CONFIGS], key=lambda path: (is_sample(path), path.count("/"), path)):
        data = configs[path]
        if data is not None:
            size += len(data) if concerns_alembic(data) else 0
            if size > MAX_TOTAL_BYTES:
                reason = (
                    f"the configurations up to here are larger than {MAX_TOTAL_BYTES // 1024**2} MiB together: this"
                    " one and those after it were not read, so environments may be missed"
                )
                problems.append(ConfigProblem(path, 0, reason, unread=True))
                break
            read[path], found = read_config(path, data)
            # A sample is filled in before anybody uses it: what is odd in it is meant to be.
            problems += [] if is_sample(path) else found
        elif is_alembic_ini(path):
            problems.append(
                ConfigProblem(path, 0, "it was not read, so environments that it declares may be missed", unread=True)
            )
    return read, problems


def _pair(read: dict[str, list[Section]]) -> None:
    """Alembic reads `alembic.ini` and `pyproject.toml` of one directory together."""
    for path, sections in read.items():
        folder, _, name = path.rpartition("/")
        beside = read.get(join(folder, "pyproject.toml"), [])
        if name == "alembic.ini" and sections and beside:
            read[path] = [section.filled_from(beside[0]) for section in sections]
            if beside[0].script_location is None:
                beside.clear()


def _environment(tree: FileIndex, section: Section, problems: list[ConfigProblem]) -> Environment | None:
    here = parent(section.config)
    found: list[ConfigProblem] = []
    script = _script_directory(tree, section, here, found)
    locations = _locations(tree, section, here, script, found)
    if not is_sample(section.config):
        problems += found
    if not locations:
        return None
    by_flask = section.script_location is None and script is not None
    if not by_flask:
        written = (section.script_location or "", *section.version_locations)
        run_from = find_run_directory(tree, written, here, script)
    else:
        # In the application: `flask db init` makes `migrations` beside it, and another name only when asked to.
        run_from = parent(here) if here.rpartition("/")[2] == "migrations" else ""
    return Environment(
        path=locations[0].path,
        config=section.config,
        section=section.name,
        script_location=None if script is None else tree.follow(script)[0],
        locations=locations,
        file_template=section.file_template,
        timezone=section.timezone,
        run_from=run_from,
        by_flask=by_flask,
    )


def _script_directory(tree: FileIndex, section: Section, here: str, problems: list[ConfigProblem]) -> str | None:
    if section.script_location is None:
        # Flask-Migrate: the command sets script_location to the directory of its alembic.ini.
        if is_alembic_ini(section.config) and tree.is_script_directory(here):
            return here
        reason = (
            f"[{section.name}] names no script_location and there is no env.py beside it, so the environment that it"
            " is for cannot be found by it; add script_location, or remove the section"
        )
        problems.append(ConfigProblem(section.config, section.line, reason))
        return None
    script = find_script_directory(tree, section.script_location, here)
    if script is None:
        reason = f"script_location = {_shown(section.script_location)} is no directory of this repository"
        file = _file_in_place(tree, section.script_location, here)
        if file:
            reason += f" ({file} is a file)"
        problems.append(
            ConfigProblem(section.config, section.line, f"{reason}, so its revisions are not watched; correct the path")
        )
    return script


def _locations(
    tree: FileIndex, section: Section, here: str, script: str | None, problems: list[ConfigProblem]
) -> tuple[Location, ...]:
    if not section.version_locations:
        return tuple(_places(tree, join(script, "versions"), section.recursive)) if script is not None else ()
    places: dict[str, Location] = {}
    for text in section.version_locations:
        place, sure = find_version_directory(tree, text, here, script)
        if place is not None:
            # Whoever lists the directories means these: Alembic's own default, one level, holds.
            for location in _places(tree, place, recursive=bool(section.recursive)):
                places.setdefault(location.path, location)
        if not sure:
            reason = (
                f"version_locations names {_shown(text)}, which is not in this repository, so revisions there are not"
                " watched; correct the path, or watch the repository that holds them"
            )
            problems.append(ConfigProblem(section.config, section.line, reason))
    return tuple(places.values())


def _places(tree: FileIndex, folder: str, recursive: bool | None) -> Iterator[Location]:
    """A version directory where its files really are, and the submodules in it that Alembic would walk into."""
    place, blocked = tree.follow(folder)
    yield Location(place, False if blocked else recursive, blocked)
    for submodule in tree.submodules_below(place) if recursive and not blocked else ():
        yield Location(submodule, recursive, submodule)


def _shown(text: str) -> str:
    return text.replace(HERE, "%(here)s").replace("\n", " ")[:80]


def _file_in_place(tree: FileIndex, text: str, here: str) -> str:
    parts = [part for part in text.replace(HERE, "").replace("\\", "/").split("/") if part not in ("", ".")][:32]
    for base in (here, ""):
        for end in range(1, len(parts) + 1):
            path = join(base, *parts[:end])
            if path in tree.files:
                return path
    return ""


def _united(declared: list[Environment]) -> list[Environment]:
    """One environment for each chain: the same files declared again, or a part of them, are no other chain."""
    kept: list[Environment] = []
    holders: dict[str, list[frozenset[str]]] = {}
    names: set[str] = set()
    # The widest first, so that a part always meets its whole; sorting keeps the order of authority otherwise.
    for environment in sorted(declared, key=lambda environment: -len(environment.locations)):
        places = frozenset(location.path for location in environment.locations)
        if any(places <= wider for wider in holders.get(environment.path, [])):
            continue
        for place in places:
            holders.setdefault(place, []).append(places)
        kept.append(_named_apart(environment, names))
    return kept


def _named_apart(environment: Environment, names: set[str]) -> Environment:
    """Two environments may share their first directory; the name must still be one's own."""
    free = [location for location in environment.locations if location.path not in names]
    first = free[0].path if free else f"{environment.path} [{environment.config}:{environment.section}]"
    names.add(first)
    # Nothing but the order changes: the named location comes first.
    locations = sorted(environment.locations, key=lambda location: location.path != first)
    return environment._replace(path=first, locations=tuple(locations))


def _with_env_py(tree: FileIndex, declared: list[Environment]) -> list[Environment]:
    """Directories with `env.py` and either a template or revisions, that no configuration names."""
    scripts = {environment.script_location for environment in declared}
    places = {location.path for environment in declared for location in environment.locations}
    found = []
    for folder in tree.script_directories:
        versions = join(folder, "versions")
        if folder in scripts or versions in places or is_vendored(folder):
            continue
        place = tree.follow(versions)[0]
        if place not in places and (join(folder, "script.py.mako") in tree.files or tree.holds_revisions(versions)):
            found.append(Environment(place, None, None, folder, tuple(_places(tree, versions, None))))
    return found


def _candidates(tree: FileIndex, environments: list[Environment]) -> Iterator[str]:
    covered = tree.covered(environments)
    for folder in tree.sorted_folders:
        if folder not in covered and may_be_guessed(folder):
            names = [path.rpartition("/")[2] for path in tree.folders[folder]]
            if names != ["env.py"] and (promises_revisions(folder) or any(map(has_hex_id, names))):
                yield folder
