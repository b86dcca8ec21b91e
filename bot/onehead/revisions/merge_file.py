"""A new merge revision: everything its file says, ready for the template.

All of it follows from the heads and the files around them, so two makers of the same merge write the same file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from onehead.revisions import naming
from onehead.revisions.anatomy import Anatomy, dissect
from onehead.revisions.annotations import Assignment
from onehead.revisions.docstring import create_date, written
from onehead.revisions.edit import CannotEdit, is_plain
from onehead.revisions.numbering import convention, merge_id, next_number
from onehead.revisions.style import Sibling, Style, house_style

_LINE = 88  # what black and ruff allow by default; only a house with their quotes is held to it


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision file to be created.

    Attributes:
        id: the value of `revision`.
        path: where the file goes, from the top of the repository.
        data: its content.
        parents: the value of `down_revision`, in order.
    """

    id: str
    path: str
    data: bytes
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class House:
    """Where a new revision moves in.

    Attributes:
        siblings: the environment's newest revisions, newest first (`style.newest` finds them).
        location: the version location that a `file_template` starts from, from the top of the repository.
        file_template: as configured; `None` where it isn't, then files are named like their siblings.
        truncate_slug_length: as configured.
    """

    siblings: tuple[Sibling, ...]
    location: str
    file_template: str | None = None
    truncate_slug_length: int = 40


@dataclass(frozen=True, slots=True)
class MergeFile:
    """What a merge revision says and how; the template turns it into text.

    Attributes:
        id: its revision id.
        path: where it goes, from the top of the repository.
        parents: the merged heads; Alembic runs the last one first.
        message: why it is there, one line.
        create_date: the newest `Create Date` among the parents, as they write it; empty where they have none.
        style: the look of the house.
    """

    id: str
    path: str
    parents: tuple[str, ...]
    message: str
    create_date: str
    style: Style

    @property
    def docstring(self) -> str:
        """The docstring with its quotes, in the layout of the house."""
        values = {"message": self.message, "id": self.id, "parents": ", ".join(self.parents), "date": self.create_date}
        return written(self.style.quotes, self.style.doc, values)

    @property
    def declarations(self) -> tuple[str, ...]:
        """The assignments of the header, one each; a long tuple takes several lines."""
        return tuple(self._declaration(each) for each in self.style.assignments)

    def _declaration(self, each: Assignment) -> str:
        start = f"{each.name}: {each.annotation} = " if each.annotation else f"{each.name} = "
        if each.name == "revision":
            return start + self._quoted(self.id)
        if each.name != "down_revision":
            return start + each.value
        ids = [self._quoted(parent) for parent in self.parents]
        line = f"{start}({', '.join(ids)})"
        if len(line) <= _LINE or self.style.quote[1] != '"':
            return line
        return start + "(\n" + "".join(f"{self.style.indent}{each},\n" for each in ids) + ")"

    def _quoted(self, text: str) -> str:
        prefix, quote = self.style.quote
        return f"{prefix}{quote}{text}{quote}"


def merge_file(
    house: House,
    parents: Sequence[Sibling],
    taken: Collection[str] = (),
    paths: Collection[str] = (),
    message: str = "",
    when: datetime | None = None,
    elsewhere: Collection[str] = (),
) -> MergeFile:
    """Everything a merge of `parents` says, in the house's style.

    Args:
        house: where it goes.
        parents: the heads to merge, the one to run first last: the default branch's head.
        taken: every revision id of the judged trees.
        paths: every path of the environment in the judged trees.
        message: one line; `merge A and B` by default, from the sorted heads.
        when: the moment to name the file by where no parent tells its own; pass something that follows from the
            commits, such as the newest parent's commit date, or two makers write two files.
        elsewhere: revision ids and file stems of other branches, tags and pull requests.

    Raises:
        CannotEdit: an id of a parent can't stand in a plain string.
    """
    ids = tuple(parent.revision.id for parent in parents)
    for each in ids:
        if not is_plain(each):
            raise CannotEdit(0, f"the id {each!r} can't be written as a plain string")
    text = " ".join(message.replace("\\", "/").replace('"', "'").split()) or merge_message(ids)
    short = naming.slug(text, house.truncate_slug_length)
    siblings = house.siblings or tuple(parents)
    made = convention([*dict.fromkeys([*(each.revision.id for each in siblings), *ids])])
    stems = {PurePosixPath(path).stem for path in [*paths, *(each.revision.path for each in (*siblings, *parents))]}
    numbered = stems if made.kind == "number" else set()
    new_id = merge_id(ids, made, {*taken, *numbered, *(each.revision.id for each in siblings)}, short, elsewhere)
    date, moment = _newest_date(parents)
    number = next_number([*stems, *taken], 4, elsewhere)
    values = naming.values(new_id, short, moment or when or datetime(1970, 1, 1, tzinfo=UTC), number)
    path = _path(house, parents, siblings, values, {*paths, *(each.revision.path for each in (*siblings, *parents))})
    return MergeFile(new_id, path, ids, text, date, house_style(siblings))


def merge_message(heads: Collection[str]) -> str:
    """`merge 019 and 021`; the same whatever the order, as it decides the file's name."""
    *some, last = sorted(heads)
    return f"merge {', '.join(some)} and {last}" if some else f"merge {last}"


def _path(
    house: House,
    parents: Sequence[Sibling],
    siblings: Sequence[Sibling],
    values: dict[str, object],
    paths: Collection[str],
) -> str:
    """Where the file goes: where `file_template` says, else beside the head that the merge goes onto."""
    folder = PurePosixPath(house.location)
    name = naming.filled(house.file_template, values) if house.file_template else None
    if name is None:
        folder = PurePosixPath(parents[-1].revision.path).parent
        template = naming.house_template(
            [(each.revision.id, PurePosixPath(each.revision.path).stem) for each in siblings]
        )
        name = naming.filled(template, values) or f"{values['rev']}_{values['slug']}"
    path = str(folder / f"{name}.py")
    return path if path not in paths else str(folder / f"{name}_{values['rev']}.py")


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")


def _newest_date(parents: Sequence[Sibling]) -> tuple[str, datetime | None]:
    """The newest `Create Date` of the parents, as written and as a moment: a merge is no older than what it merges."""
    found: list[tuple[datetime, str, datetime]] = []
    texts = []
    for parent in parents:
        file = dissect(parent.data)
        text = create_date(file) if isinstance(file, Anatomy) else ""
        if not text:
            continue
        texts.append(text)
        match = _ISO.match(text)
        try:
            moment = datetime.fromisoformat(match[0] if match else text)
        except ValueError:
            continue
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        found.append((aware, text, moment))
    if found:
        _, text, moment = max(found, key=lambda each: each[:2])
        return text, moment
    return max(texts, default=""), None
