"""The header of a new revision file: which assignments, in which order, under which type annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onehead.revisions.anatomy import NAMES, Anatomy
from onehead.revisions.imports import names_in

_PLURAL = re.compile(r"\b(?:[Ss]equence|[Tt]uple|[Ll]ist|[Ii]terable|[Cc]ollection|Any|object)\b")
_MODERN = re.compile(r"\||\b(?:tuple|list|dict|set)\[")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line of the header.

    Attributes:
        name: what is assigned.
        annotation: source of its type annotation, empty for none.
        value: source of the value, for the names that are the same in every merge.
    """

    name: str
    annotation: str = ""
    value: str = "None"


def assignments(files: Sequence[Anatomy], typing: Mapping[str, object], *, merge: bool) -> tuple[Assignment, ...]:
    """The header as the first of `files` writes it.

    Labels and dependencies belong to one revision, so both are empty here. A variable of the house's own is taken
    over where other files have it too.

    Args:
        files: models, the best first.
        typing: the names that the model imports for annotations.
        merge: whether the model is a merge itself, so that its annotation of `down_revision` is right for several.
    """
    model = files[0]
    header = []
    for declared in sorted(model.declared.values(), key=lambda each: each.line):
        name, source = declared.name, model.text[declared.start : declared.end]
        if name in ("revision", "down_revision"):
            header.append(Assignment(name, declared.annotation))
        elif name in NAMES and _is_empty(model, name):
            header.append(Assignment(name, declared.annotation, source))
        elif name in NAMES:
            others = (file.declared[name].annotation for file in files if _is_empty(file, name))
            header.append(Assignment(name, next(others, "")))
        elif declared.form in ("str", "none") and not declared.computed and _shared(files, name):
            header.append(Assignment(name, declared.annotation, source))
    if "down_revision" not in model.declared:
        header.insert(1, Assignment("down_revision", model.declared["revision"].annotation))
    modern = any(_MODERN.search(each.annotation) for each in header)
    return tuple(_possible(each, typing, modern=modern, merge=merge) for each in header)


def _is_empty(file: Anatomy, name: str) -> bool:
    declared = file.declared.get(name)
    return declared is not None and not declared.computed and not declared.ids


def _shared(files: Sequence[Anatomy], name: str) -> bool:
    return any(name in file.declared for file in files[1:])


def _possible(each: Assignment, typing: Mapping[str, object], *, modern: bool, merge: bool) -> Assignment:
    """An annotation that is true of the new value and can be evaluated with the imports that there will be."""
    annotation = each.annotation
    if each.name == "down_revision" and annotation and not merge and not _PLURAL.search(annotation):
        annotation = _plural(annotation, modern=modern)
    elif not names_in(annotation) <= set(typing):
        annotation = ""
    return Assignment(each.name, annotation, each.value)


def _plural(annotation: str, *, modern: bool) -> str:
    """The annotation widened to several parents; nothing newer than what the house's own annotations need."""
    if "|" in annotation:
        return "str | tuple[str, ...] | None"
    if re.search(r"\b(?:Union|Optional)\b", annotation):
        return "Union[str, Sequence[str], None]"
    return "tuple[str, ...]" if modern else "Sequence[str]"
