"""Read the past of a branch: judge each commit that changed migrations, and look at how each incident came.

A commit is judged as `onehead check --at` judges it. One `git log` shows what changed; only commits that may concern an
environment are read, each file once, and mostly no more of a tree than what differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.examine.examine import TargetTree, environments_alone, examine, policies_in, read_policy
from onehead.examine.read import Listing, Memory, TreeReading, only_revisions_differ, read_trees
from onehead.gitrepo.first_parent import LineChange, LineCommit, first_parent_line, line_changes
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import introduced, shallow_commits
from onehead.gitrepo.process import AmbiguousRef, UnknownRef
from onehead.gitrepo.refs import describe, fetch_everything, reached, resolve
from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Contents, Differing, Entry, Tree, list_tree, read
from onehead.plan.incidents import (
    EnvironmentState,
    Foresight,
    History,
    Incident,
    IncidentOrigin,
    JudgedCommit,
    PastCommit,
    incidents_of,
    line_clock,
)
from onehead.plan.judge import named
from onehead.plan.policy import Policy, PolicyRead
from onehead.plan.verdict import Examination, Point
from onehead.revisions.model import MAX_BYTES
from onehead.revisions.path_hints import CONCERNS_US, is_revision_file, may_configure, suffices

MAX_COMMITS = 20_000
"""Commits of the branch that are looked at, the newest ones."""

MAX_READ_BYTES = 1 << 30
"""Of all files together that one look reads: the migrations of the largest projects over ten years are a tenth."""

MAX_EXPLAINED = 200
"""Incidents, the newest ones, of which it is looked for who wrote them and what a check would have said."""

MAX_JUDGED = 100_000_000
"""Revisions of all judged commits together, which takes minutes; the growth of a chain to 5,000 is a tenth of it."""

_MAX_SIDES = 8
"""Branches that one commit merged, of which each is judged."""

_MAX_AUTHOR = 200
_MAX_SUBJECT = 1000
"""Characters: each incident tells of its commits, and a message may be as long as anybody likes."""

_AT_ONCE = 64
"""Files that are read before their bytes are counted."""

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?"
_LINKS = (SYMLINK, SUBMODULE)

Watch = Callable[[int, int], None]
"""Told how many steps are done, and how many are known: a step is a commit, and then an incident."""


class Period(NamedTuple):
    """Which part of the past: since a date or a commit, by its name (`""`: from the start); so many commits at most."""

    since: str = ""
    commits: int | None = None


def look_back(
    git: Git, target: Point, period: Period, memory: Memory, until: datetime, watch: Watch = lambda _done, _all: None
) -> History:
    """The past of a branch; `until`: the time to which what is still open is counted.

    Raises:
        UsageError: the period begins with something that is no date and no commit.
        CannotJudge: the history could not be read.
    """
    line = [_past(each) for each in reversed(first_parent_line(git, target.sha, MAX_COMMITS + 1))]
    left_out = []
    is_cut_off = line[0].sha in shallow_commits(git)
    if len(line) > MAX_COMMITS:
        left_out.append(f"Only the newest {MAX_COMMITS:,} commits were looked at.")
    clock = line_clock([commit.committed for commit in line])
    start, first_time = _start(git, line, clock, period)
    if start == 0 and is_cut_off:
        left_out.append(_shallow(git, line[0]))
    # What the first commit of all has came with it, and so it has no start; a shallow history only seems to begin.
    has_start = start > 0 or is_cut_off
    place = max(0, start - 1)
    line = line[place:]
    clock = tuple(max(time, first_time) for time in clock[place:])
    walk = _Walk(git, target, memory)
    incidents, environments = incidents_of(walk.judged([commit.sha for commit in line], watch), has_start=has_start)
    if not walk.done:
        raise CannotJudge(f"{line[0].sha[:10]} is too large: {walk.exhausted}.", "Begin later: `--commits 100`.")
    if walk.done < len(line):
        left_out.append(
            f"Commits from {line[walk.done].sha[:10]} on were not looked at ({len(line) - walk.done:,}): with them, "
            f"{walk.exhausted}. `--since` and `--commits` choose a part."
        )
        line, clock = line[: walk.done], clock[: walk.done]
    if walk.ignored:
        left_out.append(f"Not judged: {named(sorted(walk.ignored))}, ignored by the policy (`ignore-environments`).")
    history = History(
        target,
        tuple(line),
        has_start,
        clock,
        sum(commit.committed != time for commit, time in zip(line, clock, strict=True) if time > first_time),
        max(int(until.timestamp()), clock[-1]),
        walk.changed,
        environments,
        incidents,
        left_out=tuple(left_out),
    )
    return history._replace(origins=dict(_origins(git, history, memory, watch)))


def _past(each: LineCommit) -> PastCommit:
    commit = each.commit
    name, subject = commit.author_name[:_MAX_AUTHOR], commit.subject[:_MAX_SUBJECT]
    return PastCommit(commit.sha, each.parents, name, each.committed, subject, commit.pull)


def _shallow(git: Git, first: PastCommit) -> str:
    command = fetch_everything(git)
    get = f"Fetch it (`{command}`; in CI: `fetch-depth: 0`)" if command else "Clone it again, without `--depth`,"
    return f"This clone is shallow: what was before {first.sha[:10]} is not in it. {get} to see all of it."


def _start(git: Git, line: list[PastCommit], clock: tuple[int, ...], period: Period) -> tuple[int, int]:
    """The place of the first commit of a period, and the earliest time that counts; one commit at least."""
    first, time = 0, 0
    if re.fullmatch(_DATE, period.since):
        try:
            date = datetime.fromisoformat(period.since)
        except ValueError as error:
            raise UsageError(
                f"`--since {period.since}` can't be read as a date: {error}.",
                "Write it like `2026-03-31` or `2026-03-31T14:00`, in UTC, or name a commit, a tag or a branch.",
            ) from error
        time = max(0, int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()))
        first = next((place for place, each in enumerate(clock) if each >= time), len(line))
    elif period.since:
        try:
            since = resolve(git, period.since)
        except AmbiguousRef:
            raise
        except UnknownRef as error:
            raise UsageError(
                f"`--since {period.since}` is no date, and names no commit.",
                "Write a date like `2026-03-31`, or name a commit, a tag or a branch.",
            ) from error
        known = reached(git, [commit.sha for commit in line], since)
        first = next((place for place, commit in enumerate(line) if commit.sha not in known), len(line))
    if period.commits is not None:
        first = max(first, len(line) - period.commits)
    if len(line) > MAX_COMMITS:
        first = max(first, 1)
    return first, time


class _Exhausted(Exception):
    """The history is larger than one look can take; says which bound it exceeds."""


class _Walk:
    """One walk along the line.

    How many commits are `done`, and how many of them `changed` what is judged; why it was not all, if it is
    `exhausted`; environments that the newest policy has `ignored`.
    """

    def __init__(self, git: Git, target: Point, memory: Memory) -> None:
        self.done = 0
        self.changed = 0
        self.exhausted = ""
        self.ignored: set[str] = set()
        self._git = git
        self._target = target
        self._memory = memory
        self._read_bytes = 0
        self._judged = 0
        self._concerning: dict[str, bool] = {}

    def judged(self, shas: list[str], watch: Watch) -> Iterator[JudgedCommit]:
        """Each commit that may concern an environment, judged by itself; the first one in any case."""
        try:
            newest = read_policy(self._git, self._target.sha)
            against = self._whole(shas[0], None, newest)
            yield self._judge(0, against)
            self.done = 1
            watched = _watched(against.reading)
            for sha, changes in line_changes(self._git, self._target.sha, len(shas) - 1):
                if sha != shas[self.done]:
                    raise CannotJudge("The history changed while it was read.", "Run it again.")
                concerning = [change for change in changes if self._concerns(change, watched)]
                if concerning:
                    against = self._next(sha, against, concerning, newest)
                    watched = _watched(against.reading)
                    self.changed += 1
                    yield self._judge(self.done, against)
                self.done += 1
                watch(self.done, len(shas))
        except _Exhausted as bound:
            self.exhausted = str(bound)

    def _judge(self, place: int, against: TargetTree) -> JudgedCommit:
        self._judged += sum(chain.files for chain in against.reading.survey.chains.values())
        if self._judged > MAX_JUDGED:
            raise _Exhausted(f"more than {MAX_JUDGED:,} revisions are to be judged")
        ignores = against.policy.policy.ignores
        self.ignored.update(path for path in against.reading.survey.chains if ignores(path))
        states = [
            EnvironmentState(
                facts.environment.path,
                facts.merged,
                tuple(finding for finding in findings if finding.severity == "error"),
            )
            for facts, findings in environments_alone(self._git, against, self._memory)
        ]
        return JudgedCommit(place, tuple(states))

    def _whole(self, sha: str, old: TreeReading | None, newest: PolicyRead) -> TargetTree:
        """A commit, read as a whole.

        The newest policy says what is ignored, and all where the commit has none: it is mostly younger than the past.
        """
        tree = list_tree(self._git, sha)
        [own] = policies_in([tree.entries], self._read)
        if own == PolicyRead(Policy()):
            own = newest
        policy = own.policy._replace(ignore_environments=newest.policy.ignore_environments)
        [reading] = read_trees([Listing(tree.entries)], self._read, self._memory, old)
        return TargetTree(tree, own._replace(policy=policy), reading)

    def _next(self, sha: str, before: TargetTree, changes: list[LineChange], newest: PolicyRead) -> TargetTree:
        """A commit by what differs from the one before it, where these are revision files and nothing else.

        What concerns no environment is not followed in the listing: nothing but what is read there counts.
        """
        old = before.reading
        changed = {change.path: change.new for change in changes if change.new is not None}
        entries = Differing(old.entries, changed, [change.path for change in changes if change.new is None])
        if not only_revisions_differ(entries, old):
            return self._whole(sha, old, newest)
        [reading] = read_trees([Listing(entries)], self._read, self._memory, old)
        if not all(chain.files for chain in reading.survey.chains.values()):
            return self._whole(sha, old, newest)
        known: dict[str, Entry] = {**old.entries, **changed}
        for path in entries.gone:
            del known[path]
        return TargetTree(Tree(sha, known), before.policy, reading._replace(entries=known))

    def _concerns(self, change: LineChange, watched: Mapping[str, bool]) -> bool:
        """Whether a change may concern an environment, as for a push (see `touched`)."""
        sides = [side for side in (change.old, change.new) if side is not None]
        path = change.path
        if suffices(path) or any(side.mode in _LINKS for side in sides):
            return True
        if may_configure(path):
            return any(self._concern(side.oid) for side in sides)
        folder, _, name = path.rpartition("/")
        return is_revision_file(name) and (
            folder in watched
            or any(below and f"{folder}/".startswith(f"{place}/" if place else "") for place, below in watched.items())
        )

    def _concern(self, oid: str) -> bool:
        """Whether a configuration speaks of Alembic or of onehead; one that is too large may."""
        if oid not in self._concerning:
            data = self._read([oid]).data.get(oid)
            self._concerning[oid] = data is None or re.search(CONCERNS_US.encode(), data) is not None
        return self._concerning[oid]

    def _read(self, oids: Iterable[str]) -> Contents:
        """Files, as long as they are not too many bytes together."""
        wanted = list(dict.fromkeys(oids))
        found = Contents({}, {})
        for at in range(0, len(wanted), _AT_ONCE):
            some = read(self._git, wanted[at : at + _AT_ONCE], MAX_BYTES)
            self._read_bytes += sum(map(len, some.data.values()))
            if self._read_bytes > MAX_READ_BYTES:
                raise _Exhausted(f"more than {MAX_READ_BYTES:,} bytes of files are to be read")
            found.data.update(some.data)
            found.too_large.update(some.too_large)
        return found


def _watched(reading: TreeReading) -> dict[str, bool]:
    """Directories whose files may be revisions, or code that says where these are → whether those below count too."""
    found = {path.rpartition("/")[0]: False for paths in reading.located.modules.values() for path in paths}
    settled = [chain.environment for chain in reading.survey.chains.values()]
    for environment in (*settled, *reading.located.environments):
        for place in environment.locations:
            found[place.path] = found.get(place.path, False) or bool(place.path or place.recursive)
    return found


def _origins(git: Git, history: History, memory: Memory, watch: Watch) -> Iterator[tuple[int, IncidentOrigin]]:
    """How the newest incidents came, by their number; not of those that are older than the look."""
    known: dict[str, list[Examination | str]] = {}
    numbered = list(enumerate(history.incidents))[-MAX_EXPLAINED:]
    done = len(history.line)
    for more, (number, incident) in enumerate(numbered, 1):
        watch(done + more, done + len(numbered))
        commit = history.line[incident.began]
        if incident.is_older or not commit.parents:
            continue
        if commit.sha not in known:
            known[commit.sha] = list(_examined(git, commit, history.target.ref, memory))
        yield number, IncidentOrigin(_authors(git, commit, incident), _foresight(incident, known[commit.sha]))


def _authors(git: Git, commit: PastCommit, incident: Incident) -> tuple[str, ...]:
    """Who added the files that an incident is about; of files that were only changed, whose commit was merged."""
    found = introduced(git, incident.paths, commit.sha, [commit.parents[0]])
    names = [found[path].author_name[:_MAX_AUTHOR] for path in sorted(found)]
    if not names:
        brought = describe(git, commit.parents[1:2] or [commit.sha])
        names = [each.author_name[:_MAX_AUTHOR] for each in brought.values()]
    return tuple(dict.fromkeys(names))


def _examined(git: Git, commit: PastCommit, target: str, memory: Memory) -> Iterator[Examination | str]:
    """The branches that a commit merged, each as if merged into the commit before; then, if all pass, the commit.

    A text says why one could not be judged.
    """
    before = Point(target, commit.parents[0])
    for sha in (*commit.parents[1 : 1 + _MAX_SIDES], commit.sha):
        try:
            found = examine(git, before, Point(sha, sha), memory=memory)[0]
        except OneheadError as error:
            yield error.message
            continue
        yield found
        if found.own_errors():
            return


def _foresight(incident: Incident, examined: list[Examination | str]) -> Foresight:
    """What a check would have said: that of the branch with errors in this environment, of the first one otherwise."""
    quiet = Foresight("", trouble=next((each for each in examined if isinstance(each, str)), ""))
    for each in examined:
        if isinstance(each, str) or each.head is None:
            continue
        for environment in each.environments:
            if environment.facts.environment.path == incident.found_in:
                own = tuple(f for f in environment.findings if f.severity == "error" and f.introduced_by == "head")
                if own:
                    return Foresight(each.head.sha, own, environment.plan)
        quiet = quiet if quiet.head else quiet._replace(head=each.head.sha)
    return quiet
