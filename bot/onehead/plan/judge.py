"""Facts in, findings out: what is wrong, who brought it, and how bad that is. A pure function that can't fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from onehead.plan.facts import Facts
from onehead.plan.findings import KINDS, Code, Finding, Severity, Side
from onehead.plan.forks import Fork, forks_of, new_lineages
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision, Unreadable

_FORBIDDEN = re.compile(r"[@+:-]")

MAX_ID = 32
"""Width of `alembic_version.version_num`."""
_MOST_NAMED = 5


def judge(facts: Facts) -> tuple[Finding, ...]:
    """All findings of one environment, worst first.

    With a head, what the target had already is reported as a note and never blocks the branch; without one, the
    target itself is judged and everything counts.
    """
    found = [
        *_forks(facts),
        *_duplicates(facts),
        *_labels(facts),
        *_cycles(facts),
        *_missing(facts),
        *_unreadable(facts),
        *_history(facts),
        *_ids(facts),
        *_competing(facts),
        *_stale(facts),
        *_conflicts(facts),
        *_configuration(facts),
    ]
    rank = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda f: (rank[f.severity], list(Code).index(f.code), f.revisions, f.paths)))


def _finding(
    facts: Facts,
    code: Code,
    side: Side,
    message: str,
    revisions: Iterable[str] = (),
    paths: Iterable[str] = (),
    severity: Severity | None = None,
    blinds: bool | None = None,
) -> Finding:
    kind = KINDS[code]
    inherited = side == "target" and facts.head is not None
    # A file that could not be read before either hides nothing new, but stays worth a look.
    lessened: Severity = "warning" if kind.blinds else "note"
    return Finding(
        code,
        lessened if inherited else (severity or kind.severity),
        side,
        message,
        tuple(sorted(set(revisions))),
        tuple(sorted(set(paths))),
        (kind.blinds if blinds is None else blinds) and not inherited,
    )


def _side(facts: Facts, old: bool) -> Side:
    """Who brought it: the head, unless the target has it already or there is no head."""
    return "target" if facts.head is None or old else "head"


def named(ids: Iterable[str]) -> str:
    """Ids as people read them: `a`, `b` and `c`."""
    quoted = [f"`{id_}`" for id_ in ids]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else "none"


def _forks(facts: Facts) -> Iterator[Finding]:
    for fork in forks_of(facts):
        yield _fork(facts, fork)
    if facts.head is None:
        return
    for head in new_lineages(facts.target, facts.merged):
        others = [other for other in facts.merged.heads if other != head]
        if others:  # alone, it is the first revision of a new environment
            message = (
                f"{named([head])} is a head of its own beside {named(others)}; it is labelled or unrelated, so it is "
                "taken as meant."
            )
            yield _finding(facts, Code.NEW_BASE, "head", message, [head], [facts.merged.revisions[head].path])


def _fork(facts: Facts, fork: Fork) -> Finding:
    heads, after = named(fork.heads), f" after {named(fork.points)}" if fork.points else ""
    paths = [facts.merged.revisions[head].path for head in fork.heads]
    if facts.head is None:
        message = (
            f"The chain forks{after}: {len(fork.heads)} heads ({heads}) where one is meant to be.{_allowed(facts)}"
        )
        return _finding(facts, Code.FORK, "target", message, (*fork.heads, *fork.points), paths)
    if fork.introduced_by == "target":
        message = f"The target is forked already{after}: {heads}. This branch did not bring it."
        return _finding(facts, Code.FORK, "target", message, (*fork.heads, *fork.points), paths)
    new = f"{named(fork.new)} {'is the new one' if len(fork.new) == 1 else 'are new'}"
    message = f"Once merged, the chain forks{after}: {len(fork.heads)} heads ({heads}); {new}.{_allowed(facts)}"
    return _finding(facts, Code.COLLISION, "head", message, (*fork.heads, *fork.points), paths)


def _allowed(facts: Facts) -> str:
    if facts.allowed_heads == 1:
        return ""
    return f" The policy allows {facts.allowed_heads} heads here, and there are {len(facts.merged.heads)}."


def _duplicates(facts: Facts) -> Iterator[Finding]:
    for id_, found in facts.merged.duplicates.items():
        paths = [revision.path for revision in found]
        old = len(facts.target.definitions.get(id_, ())) >= len(found)
        same = len({revision.blob for revision in found}) == 1
        message = (
            f"{named([id_])} is declared by {len(found)} files; Alembic keeps one of them and never runs the rest."
        )
        if same:
            message += " Their content is the same, so one of them is a copy to delete."
        yield _finding(facts, Code.DUPLICATE_ID, _side(facts, old), message, [id_], paths)


def _labels(facts: Facts) -> Iterator[Finding]:
    def owners(graph: Graph) -> dict[str, list[Revision]]:
        found: dict[str, list[Revision]] = {}
        for revision in graph.revisions.values():
            for label in revision.branch_labels:
                found.setdefault(label, []).append(revision)
        return found

    old = owners(facts.target)
    for label, found in owners(facts.merged).items():
        # A computed label stands as its source text: the same text on two revisions proves nothing.
        if len(found) > 1 and not any("branch_labels" in revision.computed for revision in found):
            ids = [revision.id for revision in found]
            message = (
                f"The branch label `{label}` is declared by {named(ids)}; every Alembic command stops with an error."
            )
            side = _side(facts, len(old.get(label, ())) >= len(found))
            yield _finding(facts, Code.DUPLICATE_LABEL, side, message, ids, [revision.path for revision in found])


def _cycles(facts: Facts) -> Iterator[Finding]:
    ids = facts.merged.cycles
    if ids:
        side = _side(facts, set(ids) <= set(facts.target.cycles))
        paths = [facts.merged.revisions[id_].path for id_ in ids]
        message = f"{named(ids)} follow or need each other in a circle; every Alembic command stops with an error."
        yield _finding(facts, Code.CYCLE, side, message, ids, paths)


def _missing(facts: Facts) -> Iterator[Finding]:
    known = {unreadable.id for unreadable in facts.merged.unreadable}
    hidden = [unreadable.path for unreadable in facts.merged.unreadable if unreadable.id is None]
    for id_, parent in facts.merged.missing:
        if parent in known:
            continue
        path = facts.merged.revisions[id_].path
        removed = facts.head is not None and parent in facts.target
        if _may_be_elsewhere(facts, parent) and not removed:
            if facts.head is None or (id_, parent) not in facts.target.missing:
                message = f"{named([id_])} follows {named([parent])}, which is not in this environment."
                yield _finding(facts, Code.MISSING_PARENT, _side(facts, False), message, [id_], [path], "warning")
            continue
        if hidden and not removed:
            message = (
                f"{named([id_])} names {named([parent])} as its parent; no file that can be read declares that id, but "
                f"{named(hidden)} may."
            )
            yield _finding(facts, Code.MISSING_PARENT, _side(facts, False), message, [id_, parent], [path], blinds=True)
            continue
        message = (
            f"{named([id_])} still needs {named([parent])}, which this branch removes; "
            "every Alembic command stops with KeyError."
            if removed
            else f"{named([id_])} names {named([parent])} as its parent, and no file declares that id; "
            "every Alembic command stops with KeyError."
        )
        yield _finding(facts, Code.MISSING_PARENT, _side(facts, False), message, [id_, parent], [path])


def _may_be_elsewhere(facts: Facts, parent: str) -> bool:
    """Whether the chain may go on where onehead can't look, in another package; or did not load before either."""
    environment = facts.environment
    unseen = environment.config is not None and any(problem.path == environment.config for problem in facts.problems)
    before = facts.head is not None and parent in {missing for _, missing in facts.target.missing}
    return before or unseen or parent in facts.elsewhere or not environment.certain


def _unreadable(facts: Facts) -> Iterator[Finding]:
    codes = {"dynamic": Code.DYNAMIC_ID, "broken": Code.UNREADABLE_FILE, "not-a-revision": Code.NOT_A_REVISION}
    old = {(unreadable.path, unreadable.blob) for unreadable in facts.target.unreadable}
    old |= {("", unreadable.blob) for unreadable in facts.target.unreadable}
    for unreadable in facts.merged.unreadable:
        known = (unreadable.path, unreadable.blob) in old or ("", unreadable.blob) in old
        code = codes[unreadable.kind]
        where = f"`{unreadable.path}`" + (f", line {unreadable.line}" if unreadable.line else "")
        message = f"{where}: {unreadable.reason}."
        severity: Severity | None = None
        if code is Code.NOT_A_REVISION and not facts.environment.certain:
            severity = "warning"
        blinds = None if facts.head is not None else _blinds_alone(facts, unreadable)
        if blinds is False and KINDS[code].blinds:
            severity = "warning"
        side = _side(facts, known)
        ids = [unreadable.id] if unreadable.id else []
        found = _finding(facts, code, side, message, ids, [unreadable.path], severity, blinds)
        yield found._replace(line=unreadable.line)
    yield from _dynamic_labels(facts)


def _blinds_alone(facts: Facts, unreadable: Unreadable) -> bool:
    """Whether an unreadable file can hide a fork when a branch is judged by itself.

    It can't when its id is named as a parent by a revision that can be read: then it is no head, and the chain above
    it is known.
    """
    if unreadable.kind == "not-a-revision":
        return False
    named_parents = {parent for revision in facts.target for parent in revision.parents}
    return unreadable.id is None or unreadable.id not in named_parents


def _dynamic_labels(facts: Facts) -> Iterator[Finding]:
    old = {revision.blob for revision in facts.target}
    for revision in facts.merged:
        if revision.blob not in old:
            for name in revision.computed:
                message = f"`{revision.path}` computes its `{name}`, so it could not be compared with the others."
                yield _finding(facts, Code.DYNAMIC_LABEL, "head", message, [revision.id], [revision.path])


def _history(facts: Facts) -> Iterator[Finding]:
    if facts.head is None:
        return
    unreadable = {name for each in facts.merged.unreadable for name in (each.id, each.path)}
    removed = []
    for id_, old in facts.target.revisions.items():
        if id_ in facts.target.duplicates or id_ in facts.merged.duplicates:
            continue
        new = facts.merged.revisions.get(id_)
        if new is None:
            if unreadable.isdisjoint((id_, old.path)):
                removed.append(old)
        elif set(new.parents) != set(old.parents):
            inserted = [parent for parent in new.parents if parent not in facts.target]
            what = f"{named(inserted)} is put beneath it" if inserted else f"it now follows {named(new.parents)}"
            message = f"The parent of {named([id_])} was {named(old.parents)}; {what}."
            yield _finding(facts, Code.HISTORY_EDITED, "head", message, [id_, *inserted], [new.path])
        elif new.blob != old.blob:
            message = f"The content of {named([id_])} changed after it was published."
            yield _finding(facts, Code.BODY_CHANGED, "head", message, [id_], [new.path])
    if removed:
        yield _removed(facts, removed)


def _removed(facts: Facts, revisions: list[Revision]) -> Finding:
    """One finding for all: a squash removes hundreds."""
    ids = [revision.id for revision in revisions]
    what = (
        f"{named(ids)} {'is' if len(ids) == 1 else 'are'}" if len(ids) <= _MOST_NAMED else f"{len(ids)} revisions are"
    )
    it, stand = ("it", "at it") if len(ids) == 1 else ("them", "at one of them")
    message = (
        f'{what} removed. Databases that stand {stand} stop with "Can\'t locate revision"; those that never ran {it} '
        "never will."
    )
    for id_ in ids:
        heirs = [other for other in facts.merged.revisions if len(other) > 3 and other.startswith(id_)]
        if len(heirs) == 1:
            # Alembic takes an unknown row for the beginning of an id, runs on from there, and leaves both rows.
            message += (
                f" A database at {named([id_])} is taken to be at {named(heirs)}, whose id begins the same: its next "
                "upgrade seems to work, and the one after that fails with overlapping rows."
            )
    return _finding(facts, Code.HISTORY_EDITED, "head", message, ids, [revision.path for revision in revisions])


def _ids(facts: Facts) -> Iterator[Finding]:
    longest = max((len(id_) for id_ in facts.target.revisions), default=0) if facts.head is not None else 0
    for id_, revision in facts.merged.revisions.items():
        if facts.head is not None and id_ in facts.target:
            continue
        side = _side(facts, False)
        if len(id_) > max(MAX_ID, longest):
            message = f"{named([id_])} has {len(id_)} characters; `alembic_version` holds {MAX_ID}."
            # Alone, an id that is already deployed proves that the project widened the column.
            severity: Severity | None = "warning" if facts.head is None else None
            yield _finding(facts, Code.ID_TOO_LONG, side, message, [id_], [revision.path], severity)
        if _FORBIDDEN.search(id_):
            message = f"{named([id_])} holds a character that Alembic does not allow in an id."
            severity = "warning" if facts.head is None else None
            yield _finding(facts, Code.INVALID_ID, side, message, [id_], [revision.path], severity)
    yield from _prefixes(facts)


def _prefixes(facts: Facts) -> Iterator[Finding]:
    if facts.head is None:
        return
    open_prefixes: list[str] = []
    for longer in sorted(facts.merged.revisions):
        while open_prefixes and not longer.startswith(open_prefixes[-1]):
            open_prefixes.pop()
        for shorter in open_prefixes:
            # An id of three digits begins many longer ones; nobody means those by it.
            if len(shorter) > 3 and not (shorter in facts.target and longer in facts.target):
                message = f"{named([longer])} begins with {named([shorter])}: a shortened id may mean either."
                path = facts.merged.revisions[longer].path
                yield _finding(facts, Code.AMBIGUOUS_PREFIX, "head", message, [shorter, longer], [path])
        open_prefixes.append(longer)


def _competing(facts: Facts) -> Iterator[Finding]:
    merges: dict[frozenset[str], list[Revision]] = {}
    for revision in facts.merged.revisions.values():
        if len(revision.parents) > 1:
            merges.setdefault(frozenset(revision.parents), []).append(revision)
    for parents, found in merges.items():
        new = [r for r in found if facts.head is not None and r.id not in facts.target]
        if len(found) > 1 and new:
            ids = [revision.id for revision in found]
            message = f"{named(ids)} all merge {named(sorted(parents))}; one merge is enough."
            yield _finding(facts, Code.COMPETING_MERGES, "head", message, ids, [r.path for r in found])


def _stale(facts: Facts) -> Iterator[Finding]:
    old = {revision.blob for revision in facts.target}
    for revision in facts.merged:
        if facts.head is None or revision.blob in old or revision.revises is None:
            continue
        if set(revision.revises) != set(revision.parents):
            message = (
                f"The docstring of {named([revision.id])} says `Revises: {', '.join(revision.revises)}`; "
                f"its `down_revision` is {named(revision.parents)}."
            )
            yield _finding(facts, Code.STALE_REVISES, "head", message, [revision.id], [revision.path])


def _conflicts(facts: Facts) -> Iterator[Finding]:
    if facts.conflicts:
        paths = ", ".join(f"`{path}`" for path in facts.conflicts)
        message = f"Git can't merge {paths} by itself; both sides' files were judged together."
        yield _finding(facts, Code.TEXT_CONFLICT, "head", message, (), facts.conflicts)


def _configuration(facts: Facts) -> Iterator[Finding]:
    for problem in facts.problems:
        side = _side(facts, problem in facts.old_problems)
        line = f", line {problem.line}" if problem.line else ""
        message = f"`{problem.path}`{line}: {problem.reason}."
        yield _finding(facts, Code.UNREADABLE_CONFIG, side, message, (), [problem.path])._replace(line=problem.line)
