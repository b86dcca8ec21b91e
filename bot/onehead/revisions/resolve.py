"""From a path as a configuration writes it to a directory of the tree, without running anything.

Alembic resolves these paths where it runs: relative ones against the working directory, `pkg:path` by importing
the package, absolute ones inside a container. None of that is known here, but the directory that is meant
is in the repository, and there is evidence: it holds `env.py`, or revision files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from onehead.revisions.ini import HERE
from onehead.revisions.tree import Tree, common, join, parent

# Deeper paths are no configuration that a person wrote.
_MOST_PARTS = 16
_MOST_ANCESTORS = 16
_DRIVE = re.compile(r"[A-Za-z]:(?=/|$)")
# ${VAR}, $VAR, {{ var }}, {% ... %}, %(unknown)s, <var>, @VAR@: what a template or a deployment fills in.
_PLACEHOLDER = re.compile(r"\$\w|\$\{|\{\{|\{%|%\(|<\w|@\w+@")


class Written(NamedTuple):
    """A path of a configuration, taken apart.

    Attributes:
        anchor: what the path starts from. `here`: the configuration's directory. `relative`: a working
            directory. `package`: the root of some import package. `somewhere`: a place outside (a container's
            `/app`, a variable), of which only the end can be found in the repository.
        parts: the components, `..` included.
    """

    anchor: str
    parts: tuple[str, ...]


def take_apart(text: str) -> Written:
    """Read a path as it is written in a configuration (`%(here)s` already replaced by `ini.HERE`)."""
    text = text.strip().strip("\"'").replace("\\", "/")
    if HERE in text:
        return Written("here", _parts(text.rpartition(HERE)[2]))
    if _PLACEHOLDER.search(text):
        components = text.split("/")
        last = max(index for index, part in enumerate(components) if _filled_in(part))
        return Written("somewhere", _parts("/".join(components[last + 1 :])))
    if text.startswith(("/", "~")):
        return Written("somewhere", _parts(text.partition("/")[2]))
    if _DRIVE.match(text):
        return Written("somewhere", _parts(text[2:]))
    if ":" in text:
        package, *rest = text.split(":")
        return Written("package", _parts("/".join([package.replace(".", "/"), *rest])))
    return Written("relative", _parts(text))


def _filled_in(component: str) -> bool:
    # A placeholder with blanks or a slash inside is cut in pieces by the split; each piece still shows a brace.
    return _PLACEHOLDER.search(component) is not None or "}" in component


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("/") if part.strip() not in ("", "."))[:_MOST_PARTS]


def find_script_directory(tree: Tree, text: str, here: str) -> str | None:
    """The directory that `script_location` means.

    Args:
        tree: the repository.
        text: the option's value.
        here: the directory of the configuration.

    Returns:
        The best directory that looks like an Alembic environment, else one that at least exists, else `None`. A
        directory whose content can't be seen (a submodule, a link that leads out) counts as one that looks like it.
    """
    written = take_apart(text)
    found = _search(tree, written, here, lambda guess: tree.is_script_directory(guess) or tree.is_blocked(guess))
    if found is None and written.anchor != "somewhere":
        found = next((guess for guess in _guesses(written, here) if tree.is_directory(guess)), None)
    return found


def find_version_directory(tree: Tree, text: str, here: str, script: str | None) -> tuple[str | None, bool]:
    """The directory that one of `version_locations` means.

    Args:
        tree: the repository.
        text: one value of the option.
        here: the directory of the configuration.
        script: the directory that `script_location` means.

    Returns:
        The directory, `None` when it is not in the repository; and whether there is anything to show that it is
        the right one. An empty directory cannot be seen in git, so a place beside `env.py` needs no files.
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


def find_run_directory(tree: Tree, texts: Iterable[str], here: str, script: str | None) -> str:
    """The directory in which Alembic has to be run: it resolves relative paths against its working directory.

    Args:
        tree: the repository.
        texts: `script_location` and each of `version_locations`, as written; empty for what is not said.
        here: the directory of the configuration, which it is where nothing is relative.
        script: the directory that `script_location` means.
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


def _search(tree: Tree, written: Written, here: str, fits: Callable[[str], bool]) -> str | None:
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


def _guesses(written: Written, here: str) -> Iterator[str]:
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
    while folder and len(found) < _MOST_ANCESTORS:
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


def _ending(tree: Tree, written: Written, end: tuple[str, ...], here: str, fits: Callable[[str], bool]) -> str | None:
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
