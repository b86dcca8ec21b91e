"""Parts that several reports share: colours, fields for JSON, both sides of a fork, files of findings, the diff."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from onehead.plan.findings import Code, Finding
from onehead.plan.forks import Fork, Interaction, between
from onehead.plan.verdict import Examination, Examined
from onehead.revisions.model import FileChange
from onehead.text import shortened
from onehead.text import visible as cleaned

Paint = Callable[[str, str], str]
"""Style name and text in, painted text out; the identity where there is no terminal."""


def fields(value: object, *names: str) -> dict[str, Any]:
    """Some fields of a value under their own names, as JSON has them: a tuple is a list."""
    found = ((name, getattr(value, name)) for name in names)
    return {name: list(each) if isinstance(each, tuple) else each for name, each in found}


def plain(_style: str, text: str) -> str:
    """Paint nothing."""
    return text


def visible(text: str) -> str:
    """Text from a repository as a terminal may see it: no control characters, nothing invisible."""
    return text if text.isprintable() else cleaned(text)


def named(id_: str) -> str:
    """An id as a line of text shows it."""
    return visible(shortened(id_))


INDEPENDENT = "no conflict: every operation on both sides was understood, and they touch different things"


def both_sides_lines(examined: Examined, fork: Fork) -> Iterator[str]:
    """One line per pair of heads; none where what they do was not read, as in a fork that the target has already."""
    return map(_said, between(examined.interactions, fork))


def independent_lines(examined: Examined) -> Iterator[str]:
    """The same for those that get along, where everything else is told as a finding."""
    return (_said(each) for each in examined.interactions if each.kind == "independent")


_SAID = {
    "independent": INDEPENDENT,
    "unknown": "a person has to decide whether they conflict; `onehead check` says where",
    "silent": "both orders run, and leave different tables or rows; `onehead check` says which",
    "order": "the order matters, and differs between databases; `onehead check` says why",
    "conflict": "they can't both run, in whichever order; `onehead check` says why",
}


def _said(interaction: Interaction) -> str:
    said, first = _SAID[interaction.kind], interaction.first
    if interaction.kind == "order" and first is not None:
        said = f"the side of {visible(first)} has to run first; `onehead check` says why"
    one, other = map(visible, interaction.heads)
    return f"  {one} and {other}: {said}."


def both_sides_document(examined: Examined, fork: Fork | None = None) -> list[dict[str, Any]]:
    """One object per pair of heads, of one fork or of all."""
    interactions = examined.interactions if fork is None else between(examined.interactions, fork)
    return [{"heads": list(each.heads), "verdict": each.kind, "first": each.first} for each in interactions]


MAX_SHOWN = 50
"""Revisions and files that one finding lists, in whatever form; of more, their number is told."""

Lines = Mapping[tuple[Code, str], int]
"""What a finding is about, and a file → the 1-based line in it; absent where there is none."""


class FilePlace(NamedTuple):
    """A file, and a 1-based line in it; 0 where no line can be named."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


def all_findings(examination: Examination) -> Iterator[tuple[Finding, Examined | None]]:
    """Every finding, and its environment; those of the whole repository first, without one."""
    yield from ((finding, None) for finding in examination.findings)
    yield from ((finding, each) for each in examination.environments for finding in each.findings)


def places(finding: Finding, examined: Examined | None, lines: Lines) -> list[FilePlace]:
    """The files of a finding. Views that show one place only show the first, so the branch's own stand there."""
    facts = examined.facts if examined else None
    inherited = facts.target.paths if facts and facts.head is not None else frozenset()
    ordered = sorted(finding.paths, key=lambda path: (path in inherited, path))
    operations = dict(finding.places)
    return [
        FilePlace(path, operations.get(path) or finding.line or lines.get((finding.code, path), 0))
        for path in ordered[:MAX_SHOWN]
    ]


def left_out(finding: Finding) -> int:
    """How many of its revisions, or of its files where these are more, are not listed."""
    return max(0, len(finding.revisions) - MAX_SHOWN, len(finding.paths) - MAX_SHOWN)


def diff(changes: Iterable[FileChange], before: Mapping[str, bytes]) -> str:
    """Unified diff of all changes, with one unchanged line around each.

    `before`: content of the files as they are, by path; a path that is absent is a new file.
    """
    from difflib import unified_diff  # noqa: PLC0415 - `check` shows no diff

    parts = []
    for change in changes:
        old, new = before.get(change.path), change.data
        name = change.new_path or change.path
        was = "/dev/null" if old is None else f"a/{change.path}"
        becomes = "/dev/null" if new is None else f"b/{name}"
        lines = unified_diff(_lines(old), _lines(new), was, becomes, n=1, lineterm="")
        parts += [line.rstrip("\r\n") for line in lines]
    return "\n".join(parts) + "\n" if parts else ""


def painted(text: str, paint: Paint) -> str:
    """A unified diff in the colours that git gives it."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return "".join(f"{paint(style, line) if (style := _style(line)) else line}\n" for line in lines)


def _style(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "strong"
    return {"@": "place", "+": "added", "-": "removed"}.get(line[:1], "")


def _lines(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8", "replace").split("\n")
