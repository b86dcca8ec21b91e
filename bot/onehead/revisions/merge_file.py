"""A new merge revision: its id, its place, and its text, which is its newest sibling's with nothing left to do.

All of it follows from the heads and the files around them, so two makers of the same merge write the same file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from onehead.revisions import file_names
from onehead.revisions.edit import Anatomy, CannotEdit, dissect, is_plain
from onehead.revisions.file_names import convention, date_of, merge_id, next_number, stem_of
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse
from onehead.revisions.sibling_copy import NewHeader, skeleton


@dataclass(frozen=True, slots=True)
class Sibling:
    """A revision of the environment and its file."""

    revision: Revision
    data: bytes


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision file to be created.

    Attributes:
        id: the value of `revision`.
        path: where the file goes, from the top of the repository.
        data: its content.
        parents: the value of `down_revision`; Alembic runs the last one first.
        message: why it is there, one line.
        create_date: what stands after `Create Date:`; empty where the parents have no date.
    """

    id: str
    path: str
    data: bytes
    parents: tuple[str, ...]
    message: str
    create_date: str


def newest(revisions: Sequence[Revision], heads: Sequence[str], count: int = 8) -> list[Revision]:
    """The revisions nearest to the heads, newest first: models for a new file.

    Args:
        revisions: the whole environment.
        heads: where to start, the most trusted first.
        count: how many.
    """
    known = {revision.id: revision for revision in revisions}
    found = list(dict.fromkeys(head for head in heads if head in known))
    for id_ in found:  # grows while it is walked: breadth first
        if len(found) >= count:
            break
        found += [parent for parent in known[id_].parents if parent in known and parent not in found]
    return [known[id_] for id_ in found[:count]]


def merge_file(
    parents: Sequence[Sibling],
    siblings: Sequence[Sibling],
    location: str,
    file_template: str | None = None,
    taken: Collection[str] = (),
    paths: Collection[str] = (),
    elsewhere: Collection[str] = (),
    *,
    stock: bytes = b"",
) -> NewRevision:
    """A merge of `parents`, in the manner of its siblings.

    Args:
        parents: the heads to merge, the one to run first last: the default branch's head.
        siblings: the environment's newest revisions, newest first (`newest` finds them).
        location: the version location that a `file_template` starts from, from the top of the repository.
        file_template: as configured; `None` where it isn't, then the file is named like its siblings.
        taken: every revision id of the judged trees.
        paths: every path of the environment in the judged trees.
        elsewhere: revision ids and file stems of other branches, tags and pull requests.
        stock: the model where no sibling can be one.

    Raises:
        CannotEdit: an id of a parent can't stand in a plain string.
    """
    ids = tuple(parent.revision.id for parent in parents)
    for each in ids:
        if not is_plain(each):
            raise CannotEdit(0, f"the id {each!r} can't be written as a plain string")
    message = merge_message(ids)
    short = file_names.slug(message)
    if short.endswith("_"):  # cut where Alembic cuts, and without a sign of it
        short = short.rstrip("_").removesuffix("_and")
    siblings = siblings or tuple(parents)
    around = [each.revision for each in (*siblings, *parents)]
    made = convention([*dict.fromkeys([*(each.revision.id for each in siblings), *ids])])
    stems = {stem_of(path) for path in [*paths, *(each.path for each in around)]}
    numbered = stems if made.kind == "number" else set()
    new_id = merge_id(ids, made, {*taken, *numbered, *(each.id for each in around)}, short, elsewhere)
    date, moment = _date(parents, new_id if made.kind == "date" else "")
    number = next_number([*stems, *taken], 4, elsewhere)
    values = file_names.values(new_id, short, moment, number)
    path = _path(location, file_template, parents, siblings, values, {*paths, *(each.path for each in around)})
    data = _text(siblings, stock, NewHeader(new_id, ids, message, date))
    return NewRevision(new_id, path, data, ids, message, date)


def merge_message(heads: Collection[str]) -> str:
    """`merge 019 and 021`; the same whatever the order, as it decides the file's name."""
    *some, last = sorted(heads)
    return f"merge {', '.join(some)} and {last}" if some else f"merge {last}"


def is_merge_of(data: bytes, revision_id: str, parents: tuple[str, ...]) -> bool:
    """Whether a file declares just this: its id and its parents, no label and no dependency."""
    read = parse(data)
    declared = (read.revision, read.parents, read.depends_on, read.branch_labels, read.dynamic, read.broken)
    return declared == (revision_id, parents, (), (), (), "")


def _text(siblings: Sequence[Sibling], stock: bytes, new: NewHeader) -> bytes:
    """The newest sibling's bytes where they can be copied, else the next one's."""
    files = [each.data for each in siblings]
    for number, data in enumerate([*files, stock]):
        others = [*files[:number], *files[number + 1 :]] if number < len(files) else []
        try:
            text = skeleton(data, others, new)
        except CannotEdit:
            continue
        if is_merge_of(text, new.id, new.parents):
            return text
    raise CannotEdit(0, f"the revision {new.id!r} can't be written")


def _path(
    location: str,
    file_template: str | None,
    parents: Sequence[Sibling],
    siblings: Sequence[Sibling],
    values: dict[str, object],
    paths: Collection[str],
) -> str:
    """Where the file goes: where `file_template` says, else beside the head that the merge goes onto."""
    folder = location
    name = file_names.filled(file_template, values) if file_template else None
    if name is None:
        folder = posixpath.dirname(parents[-1].revision.path)
        template = file_names.house_template([(each.revision.id, stem_of(each.revision.path)) for each in siblings])
        name = file_names.filled(template, values) or f"{values['rev']}_{values['slug']}"
    path = posixpath.normpath(posixpath.join(folder, f"{name}.py"))
    return path if path not in paths else posixpath.normpath(posixpath.join(folder, f"{name}_{values['rev']}.py"))


_CREATE_DATE = re.compile(r"(?:^|[\r\n])[ \t]*Create Date[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")


def _date(parents: Sequence[Sibling], dated_id: str) -> tuple[str, datetime | None]:
    """The newest date of the parents, as `Create Date` says it and as a moment: a merge is as new as what it joins.

    Dates that file names and ids begin with count too, and the merge's own id goes before all: name, id and
    `Create Date` agree. Where no parent has a `Create Date`, the merge gets none.
    """
    found: list[tuple[datetime, str, datetime]] = []
    texts = []
    for text in filter(None, map(_create_date, parents)):
        texts.append(text)
        match = _ISO.match(text)
        try:
            moment = datetime.fromisoformat(match[0] if match else text)
        except ValueError:
            continue
        found.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC), text, moment))
    _, text, written = max(found, key=lambda each: each[:2], default=(None, max(texts, default=""), None))
    names = [name for parent in parents for name in (stem_of(parent.revision.path), parent.revision.id)]
    named = max((date[0] for date in map(date_of, names) if date), default=None)
    newest_moment = written
    if named and (written is None or named > written.replace(tzinfo=None)):
        newest_moment = named.replace(tzinfo=written.tzinfo if written else None)
    date = date_of(dated_id)
    if date is not None:
        moment, units = date
        newest_moment = (newest_moment or moment).replace(**{unit: getattr(moment, unit) for unit in units})
    if newest_moment is None or newest_moment == written or not text:
        return text, newest_moment
    return str(newest_moment), newest_moment


def _create_date(parent: Sibling) -> str:
    """What the docstring says after `Create Date:`; empty where it says nothing that could stand in another one."""
    file = dissect(parent.data)
    if not isinstance(file, Anatomy):
        return ""
    found = next(filter(None, (_CREATE_DATE.search(file.text[start:end]) for start, end in file.strings)), None)
    text = found[1].strip(" \t\f\"'") if found else ""
    return text if re.fullmatch(r"[\w .:,/()+-]{1,60}", text) else ""
