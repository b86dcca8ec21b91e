"""Find what is wrong with an environment, who brought it, and how bad it is. A pure function that can't fail."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from onehead.plan.findings import KINDS, Code, Facts, Finding, Severity, Side, bounded
from onehead.plan.forks import Fork, forks_of, new_lineages, unnamed_heads
from onehead.plan.policy import PolicyProblem
from onehead.revisions.graph import Graph
from onehead.revisions.model import ConfigProblem, Revision
from onehead.text import MAX_NAMED, quoted, shortened


def finding_of(
    facts: Facts,
    code: Code,
    side: Side,
    message: str,
    revisions: Iterable[str] = (),
    paths: Iterable[str] = (),
    severity: Severity | None = None,
    blinds: bool | None = None,
) -> Finding:
    """A finding as bad as its kind is, or less where the target has it already."""
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


def side_of(facts: Facts, old: bool) -> Side:
    """Who brought it: the head, unless the target has it already or there is no head."""
    return "target" if facts.head is None or old else "head"


def named(ids: Collection[str]) -> str:
    """Ids as people read them: `a`, `b` and `c`."""
    return quoted(ids) or "none"


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
    old = {file.blob for file in facts.target.unreadable}
    named_parents = frozenset(parent for revision in facts.target for parent in revision.parents)
    for file in facts.merged.unreadable:
        code = codes[file.kind]
        message = f"{_place(file.path, file.line)}: {file.reason}."
        severity: Severity | None = None
        if code is Code.NOT_A_REVISION and not facts.environment.certain:
            severity = "warning"
        # Whose id a revision that can be read names as its parent is no head, and the chain above it is known.
        blinds = None if facts.head is not None else KINDS[code].blinds and file.id not in named_parents
        if blinds is False and KINDS[code].blinds:
            severity = "warning"
        side = side_of(facts, file.blob in old)
        ids = [file.id] if file.id else []
        found = finding_of(facts, code, side, message, ids, [file.path], severity, blinds)
        yield found._replace(line=file.line)
    old = {revision.blob for revision in facts.target}
    for revision in facts.merged:
        for name in revision.computed if revision.blob not in old else ():
            message = f"`{revision.path}` computes its `{name}`, so it could not be compared with the others."
            yield finding_of(facts, Code.DYNAMIC_LABEL, "head", message, [revision.id], [revision.path])


def _place(path: str, line: int) -> str:
    return f"`{path}`, line {line}" if line else f"`{path}`"


def refused(facts: Facts) -> Iterator[Finding]:
    """Files that Python can't load, although their place in the chain is known."""
    old = {revision.blob for revision in facts.target} if facts.head is not None else frozenset[str]()
    for revision in facts.merged:
        refusal = revision.refusal
        # What another version of Python may load is mentioned to whoever brings it, and to nobody else.
        if refusal is None or not (refusal.certain or (facts.head is not None and revision.blob not in old)):
            continue
        where = _place(revision.path, refusal.line)
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


_MAX_EXACT_LENGTH = 3
"""An id of three digits begins many longer ones; nobody means those by it, and neither does Alembic."""
_FORBIDDEN = re.compile(r"[@+:-]")
_MAX_NAMED = 5


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
        *missing(facts),
        *unreadable(facts),
        *refused(facts),
        *unloaded(facts),
        *_history(facts),
        *_ids(facts),
        *_competing(facts),
        *_stale(facts),
        *_conflicts(facts),
        *configuration_findings(facts.problems, facts.old_problems, alone=facts.head is None),
    ]
    return bounded(sorted(found, key=lambda f: (_RANK[f.severity], _ORDER[f.code], f.revisions, f.paths)))


_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
_ORDER = {code: number for number, code in enumerate(Code)}


def _forks(facts: Facts) -> Iterator[Finding]:
    forks = forks_of(facts)
    for fork in forks:
        yield _fork(facts, fork)
    heads = facts.merged.heads
    if len(heads) < 2:  # alone, it is the first revision of a new environment
        return
    if facts.head is None:
        meant = () if forks or len(heads) <= facts.allowed_heads else unnamed_heads(facts.merged)
        why = "has no branch label that distinguishes it from the others, so only `alembic upgrade heads` reaches it"
    else:
        meant = new_lineages(facts.target, facts.merged, certain=facts.environment.certain)
        why = "has a label of its own or may be a separate chain, so it is taken as meant"
    for head in meant:
        some = [other for other in heads[: _MAX_NAMED + 1] if other != head]
        beside = named(some) if len(heads) == len(some) + 1 else f"{len(heads) - 1} others"
        message = f"{named([head])} is a head of its own beside {beside}; it {why}."
        path = facts.merged.revisions[head].path
        yield finding_of(facts, Code.NEW_BASE, side_of(facts, False), message, [head], [path])


def _fork(facts: Facts, fork: Fork) -> Finding:
    heads, after = named(fork.heads), f" after {named(fork.points)}" if fork.points else ""
    paths = [facts.merged.revisions[head].path for head in fork.heads]
    if facts.head is None:
        message = (
            f"The chain forks{after}: {len(fork.heads)} heads ({heads}) where one is meant to be.{_allowed(facts)}"
        )
        return finding_of(facts, Code.FORK, "target", message, (*fork.heads, *fork.points), paths)
    if fork.introduced_by == "target":
        message = f"The target is forked already{after}: {heads}. This branch did not bring it."
        return finding_of(facts, Code.FORK, "target", message, (*fork.heads, *fork.points), paths)
    new = f"{named(fork.new)} {'is the new one' if len(fork.new) == 1 else 'are new'}"
    message = f"Once merged, the chain forks{after}: {len(fork.heads)} heads ({heads}); {new}.{_allowed(facts)}"
    return finding_of(facts, Code.COLLISION, "head", message, (*fork.heads, *fork.points), paths)


def _allowed(facts: Facts) -> str:
    if facts.allowed_heads == 1:
        return ""
    return f" The policy allows {facts.allowed_heads} heads here, and there are {len(facts.merged.heads)}."


def _duplicates(facts: Facts) -> Iterator[Finding]:
    for id_, found in facts.merged.duplicates.items():
        paths = [revision.path for revision in found]
        old = len(facts.target.definitions(id_)) >= len(found)
        same = len({revision.blob for revision in found}) == 1
        message = (
            f"{named([id_])} is declared by {len(found)} files; Alembic keeps one of them and never runs the rest."
        )
        if same:
            message += " Their content is the same, so one of them is a copy to delete."
        yield finding_of(facts, Code.DUPLICATE_ID, side_of(facts, old), message, [id_], paths)


def _labels(facts: Facts) -> Iterator[Finding]:
    for label, ids in facts.merged.labelled.items():
        found = [facts.merged.revisions[id_] for id_ in ids]
        # A computed label stands as its source text: the same text on two revisions proves nothing.
        if len(ids) > 1 and not any("branch_labels" in revision.computed for revision in found):
            message = (
                f"The branch label `{label}` is declared by {named(ids)}; every Alembic command stops with an error."
            )
            side = side_of(facts, len(facts.target.labelled.get(label, ())) >= len(ids))
            yield finding_of(facts, Code.DUPLICATE_LABEL, side, message, ids, [revision.path for revision in found])


def _cycles(facts: Facts) -> Iterator[Finding]:
    ids = _apart(facts).cycles
    if ids:
        side = side_of(facts, set(ids) <= set(facts.target.cycles))
        paths = [facts.merged.revisions[id_].path for id_ in ids]
        message = f"{named(ids)} follow or need each other in a circle; every Alembic command stops with an error."
        yield finding_of(facts, Code.CYCLE, side, message, ids, paths)


def _apart(facts: Facts) -> Graph:
    """The chain with one definition of each id, the published one: a circle through two is no more than the second."""
    graph = facts.merged
    if not graph.duplicates or not graph.cycles:
        return graph
    known = {(revision.path, revision.blob) for revision in facts.target}
    found = (min(graph.definitions(id_), key=lambda r: (r.path, r.blob) not in known) for id_ in graph.revisions)
    return Graph(found, graph.unreadable)


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
            message = f"The parent of {named([id_])} was {named(old.parents)}; {what}.{_again(facts, id_)}"
            yield finding_of(facts, Code.HISTORY_EDITED, "head", message, [id_, *inserted], [new.path])
        elif new.blob != old.blob:
            message = f"The content of {named([id_])} changed after it was published."
            yield finding_of(facts, Code.BODY_CHANGED, "head", message, [id_], [new.path])
    if removed:
        yield _removed(facts, removed)


def _again(facts: Facts, id_: str) -> str:
    """What becomes of databases that ran a revision whose parent was changed since; empty where nothing does."""
    again = run_again(facts, id_)
    if not again:
        return ""
    return (
        f" A database at {named([id_])} has run {named(again)} already, and its next upgrade runs "
        f"{'it' if len(again) == 1 else 'them'} again."
    )


def run_again(facts: Facts, *heads: str) -> tuple[str, ...]:
    """Revisions that databases at published ones have run, and that stand beneath these no more; sorted."""
    return tuple(
        sorted(id_ for id_ in facts.target.ancestors(*heads) - facts.merged.ancestors(*heads) if id_ in facts.merged)
    )


def _removed(facts: Facts, revisions: list[Revision]) -> Finding:
    """One finding for all: a squash removes hundreds."""
    ids = [revision.id for revision in revisions]
    what = f"{named(ids)} {'is' if len(ids) == 1 else 'are'}" if len(ids) <= _MAX_NAMED else f"{len(ids)} revisions are"
    it, there = ("it", "at it") if len(ids) == 1 else ("them", "at one of them")
    message = (
        f'{what} removed. Databases {there} stop with "Can\'t locate revision"; those that never ran {it} never will.'
    )
    gone = frozenset(ids)
    away = [revision.path for revision in facts.unloaded if revision.id in gone]
    if away:
        message += f" Alembic does not load {named(away)}, where {'it is' if len(away) == 1 else 'they are'} now."
    for id_, heir in islice(_taken_for(ids, facts.merged), _MAX_NAMED):
        # Alembic takes an unknown row for the beginning of an id, runs on from there, and leaves both rows.
        message += (
            f" A database at {named([id_])} is taken to be at {named([heir])}, whose id begins the same: its next "
            "upgrade seems to work, and the one after that fails with overlapping rows."
        )
    return finding_of(facts, Code.HISTORY_EDITED, "head", message, ids, [revision.path for revision in revisions])


def _taken_for(ids: Iterable[str], graph: Graph) -> Iterator[tuple[str, str]]:
    """Ids that are the beginning of exactly one other, and that one."""
    known = sorted(other for other in graph.revisions if len(other) > _MAX_EXACT_LENGTH)
    for id_ in ids:
        at = bisect_left(known, id_)
        heirs = [other for other in known[at : at + 2] if other.startswith(id_)]
        if len(heirs) == 1:
            yield id_, heirs[0]


def _ids(facts: Facts) -> Iterator[Finding]:
    longest = max((len(id_) for id_ in facts.target.revisions), default=0) if facts.head is not None else 0
    for id_, revision in facts.merged.revisions.items():
        if facts.head is not None and id_ in facts.target:
            continue
        side = side_of(facts, False)
        if len(id_) > max(facts.id_width, longest):
            holds = f"`alembic_version` holds {facts.id_width}"
            # An id that is already deployed proves that the project widened the column, and not how far.
            severity: Severity | None = None
            if facts.head is None:
                severity = "warning"
            elif longest > facts.id_width:
                severity, holds = "warning", f"the longest so far has {longest}"
            message = f"{named([id_])} has {len(id_)} characters; {holds}."
            yield finding_of(facts, Code.ID_TOO_LONG, side, message, [id_], [revision.path], severity)
        if _FORBIDDEN.search(id_):
            message = f"{named([id_])} holds a character that Alembic does not allow in an id."
            severity = "warning" if facts.head is None else None
            yield finding_of(facts, Code.INVALID_ID, side, message, [id_], [revision.path], severity)
    yield from _prefixes(facts)


def _prefixes(facts: Facts) -> Iterator[Finding]:
    if facts.head is None:
        return
    # Of all that an id begins with, the longest is named: of that one the same is said.
    begun: list[tuple[str, str | None]] = []
    for longer in sorted(id_ for id_ in facts.merged.revisions if len(id_) > _MAX_EXACT_LENGTH):
        while begun and not longer.startswith(begun[-1][0]):
            begun.pop()
        nearest, nearest_new = begun[-1] if begun else (None, None)
        shorter = nearest_new if longer in facts.target else nearest
        if shorter is not None:
            message = f"{named([longer])} begins with {named([shorter])}: a shortened id may mean either."
            path = facts.merged.revisions[longer].path
            yield finding_of(facts, Code.AMBIGUOUS_PREFIX, "head", message, [shorter, longer], [path])
        begun.append((longer, nearest_new if longer in facts.target else longer))


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
            yield finding_of(facts, Code.COMPETING_MERGES, "head", message, ids, [r.path for r in found])


def _stale(facts: Facts) -> Iterator[Finding]:
    old = {revision.blob for revision in facts.target}
    for revision in facts.merged:
        if facts.head is None or revision.blob in old or revision.revises is None:
            continue
        if set(revision.revises) != set(revision.parents):
            said = ", ".join(map(shortened, revision.revises[:MAX_NAMED]))
            message = (
                f"The docstring of {named([revision.id])} says `Revises: {said}`; "
                f"its `down_revision` is {named(revision.parents)}."
            )
            yield finding_of(facts, Code.STALE_REVISES, "head", message, [revision.id], [revision.path])


def _conflicts(facts: Facts) -> Iterator[Finding]:
    if facts.conflicts:
        message = f"Git can't merge {named(facts.conflicts)} by itself; both sides' files were judged together."
        yield finding_of(facts, Code.TEXT_CONFLICT, "head", message, (), facts.conflicts)


def policy_findings(
    problems: Iterable[PolicyProblem], old: Collection[PolicyProblem], *, alone: bool
) -> Iterator[Finding]:
    """What the judged tree's policy can't use, without what was `old` in the target's; `alone`: that one is judged."""
    # Not the line: it changes with every line that is written above.
    known = {(problem.path, problem.message) for problem in old}
    for problem in problems:
        inherited = not alone and (problem.path, problem.message) in known
        yield _finding(Code.BAD_POLICY, problem, problem.message, "warning" if inherited else None, alone=alone)


def configuration_findings(
    problems: Iterable[ConfigProblem], old: Collection[ConfigProblem], *, alone: bool
) -> Iterator[Finding]:
    """What can't be understood of configuration, an environment's or nobody's; arguments as above."""
    for problem in problems:
        inherited = not alone and problem in old
        lessened: Severity | None = "note" if inherited else None
        found = _finding(Code.UNREADABLE_CONFIG, problem, f"{problem.reason}.", lessened, alone=alone)
        # A branch may have written it just so that nobody sees what it declares.
        unread = problem.unread and found.introduced_by == "head"
        yield found._replace(severity="error", blinds=True) if unread else found


def _finding(
    code: Code, problem: PolicyProblem | ConfigProblem, message: str, inherited: Severity | None, *, alone: bool
) -> Finding:
    """With the severity that it has where it is `inherited`, and then answered for by the target."""
    side: Side = "target" if alone or inherited else "head"
    told = f"{_place(problem.path, problem.line)}: {message}"
    return Finding(code, inherited or KINDS[code].severity, side, told, paths=(problem.path,), line=problem.line)
