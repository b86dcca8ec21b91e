"""Where a revision, a finding and a version table are written: branches, past commits, lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from onehead.databases.schema_effects import SchemaEffects, schema_effects_of
from onehead.databases.states import Former, RevisionLocation, read_rows
from onehead.examine.evidence import Others, spoken
from onehead.examine.examine import Trees
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import vanished
from onehead.gitrepo.refs import Ref
from onehead.gitrepo.tree import read
from onehead.operations.conflicts import summary
from onehead.operations.model import Step
from onehead.operations.read import read as operations_of
from onehead.plan.findings import Code, Facts
from onehead.plan.verdict import Examination
from onehead.reports.terminal import MAX_SHOWN
from onehead.revisions.edit import CannotEdit, open_revision
from onehead.revisions.environments import join
from onehead.revisions.model import MAX_BYTES
from onehead.revisions.parse import parse
from onehead.revisions.parsers import examination
from onehead.revisions.syntax import line_number
from onehead.revisions.version_table import VersionTableNames, version_table_in

_MAX_TOLD_FILE = 256 * 1024  # bytes of a file of which it is said what it does
_MAX_REFS = 5
_MAX_RENAMED = 50
"""Revisions of one chain of renamed ones that are followed."""


def locations_of(others: Others, facts: Facts, ids: Iterable[str]) -> dict[str, RevisionLocation]:
    """Look on every branch, tag and pull request, and then in history, for revisions that an environment lacks."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    places = facts.environment.locations
    standing = others.standing(facts, facts.merged)
    former = formerly(others, facts, wanted)
    found = {}
    for id_ in wanted:
        holdings = [each for each in standing.with_id(id_) if not others.is_ours(Ref(each.ref, each.sha))]
        refs = tuple(dict.fromkeys(spoken(each.ref) for each in holdings))[:_MAX_REFS]
        found[id_] = RevisionLocation(refs) if refs else _in_the_past(others.git, id_, [place.path for place in places])
        if id_ in former and found[id_].removed:
            found[id_] = found[id_]._replace(renamed=former[id_].id)
    return found


def formerly(others: Others, facts: Facts, rows: Iterable[str]) -> dict[str, Former]:
    """What became of ids that no file declares any more, where a revision does the very same under another one.

    The file of the old id is looked for on every ref, and then in history. The revision of today has the same message
    and the same operations; a re-parent that takes the next number leaves both alone. What it followed is told as well,
    where that was renamed too.
    """
    found: dict[str, Former] = {}
    todo = [row.text for row in read_rows(facts.merged, rows) if row.kind == "unknown"]
    for id_ in todo:  # grows while it is walked
        blob = None if id_ in found or len(found) == _MAX_RENAMED else _last_file(others, facts, id_)
        data = None if blob is None else _contents(others.git, [blob]).get(blob)
        if data is None:
            continue
        old = parse(data)
        alike = [each for each in facts.merged if each.doc == old.doc]
        contents = _contents(others.git, [each.blob for each in alike])
        does = _operations(data)
        same = [each for each in alike if each.blob in contents and _operations(contents[each.blob]) == does]
        if len(same) == 1:
            found[id_] = Former(same[0].id, old.parents or ())
            todo += [parent for parent in old.parents or () if parent not in facts.merged]
    return _complete(found, facts)


def _complete(found: dict[str, Former], facts: Facts) -> dict[str, Former]:
    """Those of which all that they followed is known too: of the others nobody can say what a database has run."""
    while True:
        known = {id_: e for id_, e in found.items() if all(p in facts.merged or p in found for p in e.parents)}
        if len(known) == len(found):
            return known
        found = known


def _last_file(others: Others, facts: Facts, id_: str) -> str | None:
    """Object id of a file that declares a revision, on any ref or in history."""
    standing = others.standing(facts, facts.merged)
    if id_ in standing.files:
        return standing.files[id_].blob
    directories = [place.path for place in facts.environment.locations]
    past = (each.before for each in vanished(others.git, id_, directories))
    return next((blob for blob in past if _declared(others.git, blob) == id_), None)


def _operations(data: bytes) -> list[Step]:
    return [step._replace(line=0) for step in operations_of(data)]


def _contents(git: Git, blobs: list[str]) -> dict[str, bytes]:
    return read(git, blobs, MAX_BYTES).data


def _in_the_past(git: Git, id_: str, directories: list[str]) -> RevisionLocation:
    for each in vanished(git, id_, directories):
        if _declared(git, each.before) != id_:
            continue
        after = "" if each.after is None else _declared(git, each.after) or ""
        if after != id_:
            return RevisionLocation((), f"{each.commit.sha[:10]} {each.commit.subject}", after)
    return RevisionLocation()


def _declared(git: Git, blob: str) -> str | None:
    data = _contents(git, [blob]).get(blob)
    return None if data is None else parse(data).revision


MAX_FILES = 500
"""Files in which a line is looked for; the places in all others are told without one."""

_NAMES = {
    **dict.fromkeys((Code.DUPLICATE_ID, Code.ID_TOO_LONG, Code.INVALID_ID, Code.AMBIGUOUS_PREFIX), "revision"),
    **dict.fromkeys((Code.DUPLICATE_LABEL, Code.DYNAMIC_LABEL), "branch_labels"),
}
"""The name whose value a finding is about; of all others it is the parent."""
_WHOLE_FILE = {Code.BODY_CHANGED, Code.NOT_A_REVISION, Code.NOT_LOADED, Code.TEXT_CONFLICT}


def lines_of(examination: Examination, trees: Trees) -> dict[tuple[Code, str], int]:
    """Code and path of each finding about a revision → the 1-based line of what it is about."""
    wanted = dict(islice(_wanted(examination), MAX_FILES))
    data = trees.read(set(wanted.values())).data if wanted else {}
    found = {(code, path): _line(data.get(blob, b""), code) for (code, path), blob in wanted.items()}
    return {key: line for key, line in found.items() if line}


def _wanted(examination: Examination) -> Iterator[tuple[tuple[Code, str], str]]:
    for examined in examination.environments:
        blobs = {revision.path: revision.blob for revision in examined.facts.merged}
        for finding in examined.findings:
            if not (finding.line or finding.places) and finding.code not in _WHOLE_FILE:
                yield from (((finding.code, path), blobs[path]) for path in finding.paths[:MAX_SHOWN] if path in blobs)


def _line(data: bytes, code: Code) -> int:
    try:
        file = open_revision(data)
    except CannotEdit:
        return 0
    label = file.label("Revises") if code is Code.STALE_REVISES else None
    if label is not None:
        return line_number(file.text, label[0])
    declared = file.declared.get(_NAMES.get(code, "down_revision"))
    return declared.line if declared else 0


@examination()
def schema_effects_in(facts: Facts, trees: Trees) -> dict[str, SchemaEffects]:
    """What each revision leaves behind in a schema, by its id."""
    data = trees.read({revision.blob for revision in facts.merged.revisions.values()}).data
    return {
        revision.id: schema_effects_of(operations_of(data[revision.blob]))
        for revision in facts.merged.revisions.values()
        if revision.blob in data
    }


@examination()
def effects_in(git: Git, blobs: Collection[str]) -> dict[str, str]:
    """What revision files do to a schema, a clause for each that could be read, by git's id of the file."""
    data = read(git, blobs, _MAX_TOLD_FILE).data
    return {blob: summary(operations_of(content)) for blob, content in data.items()}


def version_table_of(facts: Facts, trees: Trees) -> VersionTableNames:
    """The version table of an environment, as far as its `env.py` says so in plain words."""
    script = facts.environment.script_location
    entry = None if script is None else trees.target.entries.get(join(script, "env.py"))
    if entry is None:
        return VersionTableNames(computed=("version_table", "version_table_schema"))
    data = trees.read([entry.oid]).data
    return version_table_in(data[entry.oid]) if entry.oid in data else VersionTableNames()
