"""Facts in, findings out: which files Alembic stops at, and which it never looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onehead.plan.attribution import finding_of, named, side_of
from onehead.plan.facts import Facts
from onehead.plan.findings import KINDS, Code, Finding, Severity
from onehead.revisions.graph import Graph
from onehead.revisions.model import Unreadable


def missing(facts: Facts) -> Iterator[Finding]:
    """Parents and dependencies that Alembic does not find."""
    known = {file.id for file in facts.merged.unreadable}
    old = frozenset(facts.target.missing) if facts.head is not None else frozenset()
    elsewhere = _may_be_elsewhere(facts)
    hidden = [file.path for file in facts.merged.unreadable if file.id is None]
    unread = {revision.id: revision.path for revision in facts.unloaded}
    for id_, parent in facts.merged.missing:
        if parent in known:
            continue
        path = facts.merged.revisions[id_].path
        removed = facts.head is not None and parent in facts.target
        if elsewhere(parent) and not removed:
            if (id_, parent) not in old:
                message = f"{named([id_])} follows {named([parent])}, which is not in this environment."
                yield finding_of(facts, Code.MISSING_PARENT, side_of(facts, False), message, [id_], [path], "warning")
            continue
        stops, blinds, paths = "every Alembic command stops with KeyError.", False, [path]
        if parent in unread:
            message = f"{named([id_])} needs {named([parent])}, and Alembic does not load `{unread[parent]}`; {stops}"
            paths = [path, unread[parent]]
        elif removed:
            message = f"{named([id_])} still needs {named([parent])}, which this branch removes; {stops}"
        elif hidden:
            message = (
                f"{named([id_])} names {named([parent])} as its parent; no file that can be read declares that id, but "
                f"{named(hidden)} may."
            )
            blinds = True
        elif parent in facts.elsewhere:
            message = (
                f"{named([id_])} names {named([parent])} as its parent, which only another environment of this "
                f"repository declares; {stops}"
            )
        else:
            message = f"{named([id_])} names {named([parent])} as its parent, and no file declares that id; {stops}"
        yield finding_of(
            facts, Code.MISSING_PARENT, side_of(facts, False), message, [id_, parent], paths, blinds=blinds
        )


def _may_be_elsewhere(facts: Facts) -> Callable[[str], bool]:
    """Whether the chain may go on where onehead can't look, in another package; or did not load before either."""
    environment = facts.environment
    unseen = environment.config is not None and any(problem.path == environment.config for problem in facts.problems)
    before = frozenset(parent for _, parent in facts.target.missing) if facts.head is not None else frozenset()
    return lambda parent: (
        parent in before
        or unseen
        or not environment.certain
        or (parent in facts.elsewhere and (environment.config is None or facts.set_in_code))
    )


def unreadable(facts: Facts) -> Iterator[Finding]:
    """Files among the revisions of which it is not known what they declare, or which declare too little."""
    codes = {
        "dynamic": Code.DYNAMIC_ID,
        "broken": Code.UNREADABLE_FILE,
        "not-a-revision": Code.NOT_A_REVISION,
        "unreachable": Code.UNREADABLE_FOLDER,
    }
    old = {(file.path, file.blob) for file in facts.target.unreadable}
    old |= {("", file.blob) for file in facts.target.unreadable}
    named_parents = frozenset(parent for revision in facts.target for parent in revision.parents)
    for file in facts.merged.unreadable:
        known = (file.path, file.blob) in old or ("", file.blob) in old
        code = codes[file.kind]
        where = f"`{file.path}`" + (f", line {file.line}" if file.line else "")
        message = f"{where}: {file.reason}."
        severity: Severity | None = None
        if code is Code.NOT_A_REVISION and not facts.environment.certain:
            severity = "warning"
        blinds = None if facts.head is not None else _blinds_alone(named_parents, file)
        if blinds is False and KINDS[code].blinds:
            severity = "warning"
        side = side_of(facts, known)
        ids = [file.id] if file.id else []
        found = finding_of(facts, code, side, message, ids, [file.path], severity, blinds)
        yield found._replace(line=file.line)
    yield from _dynamic_labels(facts)


def _blinds_alone(named_parents: frozenset[str], unreadable: Unreadable) -> bool:
    """Whether an unreadable file can hide a fork when a branch is judged by itself.

    It can't when its id is named as a parent by a revision that can be read: then it is no head, and the chain above
    it is known.
    """
    if unreadable.kind == "not-a-revision":
        return False
    return unreadable.id is None or unreadable.id not in named_parents


def refused(facts: Facts) -> Iterator[Finding]:
    """Files that Python can't load, although their place in the chain is known."""
    old = {revision.blob for revision in facts.target} if facts.head is not None else frozenset[str]()
    for revision in facts.merged:
        refusal = revision.refusal
        # What another version of Python may load is mentioned to whoever brings it, and to nobody else.
        if refusal is None or not (refusal.certain or (facts.head is not None and revision.blob not in old)):
            continue
        where = f"`{revision.path}`" + (f", line {refusal.line}" if refusal.line else "")
        message = f"{where}: {refusal.reason}; every Alembic command stops with SyntaxError."
        severity: Severity = "error"
        if not refusal.certain:
            message = (
                f"{where}: {refusal.reason}, says the version that onehead runs on. The one that runs the migrations "
                "may load the file; its header could be read."
            )
            severity = "note"
        side = side_of(facts, revision.blob in old)
        found = finding_of(
            facts, Code.UNREADABLE_FILE, side, message, [revision.id], [revision.path], severity, blinds=False
        )
        yield found._replace(line=refusal.line)


def unloaded(facts: Facts) -> Iterator[Finding]:
    """Revisions that never run. Copies of loaded ones, and old ones that were put away, are meant to be there."""
    if not facts.unloaded:
        return
    known = {*facts.merged.revisions, *facts.target.revisions}
    if facts.head is None:
        above = Graph([*facts.merged, *facts.unloaded]).descendants(*facts.merged.revisions)
        left = [r for r in facts.unloaded if r.id in above or not facts.merged.revisions]
    else:
        left = [r for r in facts.unloaded if r.id not in facts.old_unloaded or not facts.merged.revisions]
    for revision in left:
        if revision.id not in known:
            why = (
                "lies in a sub-folder, which Alembic reads only with `recursive_version_locations = true`"
                if any(revision.path.startswith(f"{place.path}/") for place in facts.environment.locations)
                else f"lies outside of `{facts.environment.path}`, where the target's revisions are now"
            )
            message = f"`{revision.path}` {why}: {named([revision.id])} never runs."
            side = side_of(facts, revision.id in facts.old_unloaded)
            yield finding_of(facts, Code.NOT_LOADED, side, message, [revision.id], [revision.path])


def _dynamic_labels(facts: Facts) -> Iterator[Finding]:
    old = {revision.blob for revision in facts.target}
    for revision in facts.merged:
        if revision.blob not in old:
            for name in revision.computed:
                message = f"`{revision.path}` computes its `{name}`, so it could not be compared with the others."
                yield finding_of(facts, Code.DYNAMIC_LABEL, "head", message, [revision.id], [revision.path])
