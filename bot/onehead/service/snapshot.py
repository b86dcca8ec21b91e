"""A repository as it is now: pull requests, refs, the comments on its pages, and who brought its revisions.

Nothing here writes. Our own comments on a page are all the memory that onehead has. Anybody can copy a hidden marker,
so only those in comments of our own account count. Choices that people made with commands stand in the facts of our
answers; the newest of each kind counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Literal

import structlog

from onehead.examine import naming
from onehead.examine.examine import read_policy
from onehead.forge.admin import Administration
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotFound, Unavailable
from onehead.forge.intents import Marker, parse
from onehead.forge.models import ACTIONS, Comment, PullRequest, Repository, RepositoryName, User
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import introduced, landed, renamed
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import HEADS, PULLS, Commit, are_signed, describe, is_ancestor, list_refs
from onehead.plan.findings import Code
from onehead.plan.forks import forks_of
from onehead.plan.policy import Policy, Strategy, targets_of
from onehead.plan.verdict import Examination, Examined, Point
from onehead.service.troubles import Troubles
from onehead.text import inline

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed branch by its short name, and the policy in its own tree."""

    name: str
    point: Point
    policy: Policy


@dataclass(frozen=True)
class Snapshot:
    """What is there."""

    repository: Repository
    git: Git  # the mirror, for questions about history
    me: int  # id of our own account
    pulls: tuple[PullRequest, ...]  # all open ones
    heads: Mapping[str, str]  # short branch name → commit
    pull_heads: Mapping[int, str]  # number of a pull request → the commit of its branch, closed ones included
    laid_ready: Mapping[str, str]  # full name of a ref with a repair for a branch in a fork → commit
    targets: Mapping[str, Target]  # short name → deployed branch; the default branch first
    reported: str  # commit of what databases have reported; empty where none has
    has_pulls: bool  # whether there can be any: they may be switched off, or hidden from the bot's account
    is_mirrored: bool = True  # where it is not, nothing hints at Alembic, and `git` and `heads` hold next to nothing

    @property
    def main(self) -> Target:
        """The target that branches without a pull request are judged against."""
        return next(iter(self.targets.values()))

    def head_of(self, pull: PullRequest) -> Point | None:
        """The branch of a pull request as it was fetched; `None` where it could not be.

        Forgejo moves `refs/pull/N/head` some time after the branch itself.
        """
        sha = self.heads.get(pull.head.ref) if pull.is_local else self.pull_heads.get(pull.number)
        return None if sha is None else Point(f"{HEADS}{pull.head.ref}" if pull.has_branch else pull.head.ref, sha)

    def is_ours(self, pull: PullRequest) -> bool:
        """Whether it is a repair of ours."""
        return pull.head.ref.startswith(naming.BRANCHES) and pull.author.id == self.me

    def repairs_into(self, branch: str) -> list[PullRequest]:
        """Our open repair pull requests into a branch."""
        return self._repairs.get(branch, [])

    def proposing(self, branch: str) -> list[PullRequest]:
        """The open pull requests of a branch."""
        return [pull for pull in self.pulls if pull.head.ref == branch and pull.is_local]

    @cached_property
    def _repairs(self) -> dict[str, list[PullRequest]]:
        found: dict[str, list[PullRequest]] = defaultdict(list)
        for pull in self.pulls:
            if self.is_ours(pull):
                found[pull.base.ref].append(pull)
        return found

    @cached_property
    def untouched(self) -> frozenset[str]:
        """Repair branches with which nothing is lost: we wrote the last commit, or all of it has landed."""
        tips = {name: sha for name, sha in self.heads.items() if name.startswith(naming.BRANCHES)}
        authors = {sha: commit.author_email for sha, commit in describe(self.git, list(tips.values())).items()}
        return frozenset(
            name
            for name, sha in tips.items()
            if authors[sha] == naming.EMAIL
            or ((into := self.heads.get(naming.repaired_by(name))) is not None and is_ancestor(self.git, sha, into))
        )


def take_snapshot(
    me: User, repository: Repository, pulls: tuple[PullRequest, ...] | None, mirror: Mirror, troubles: Troubles
) -> Snapshot | None:
    """Look at a repository; `None` where its default branch does not exist yet.

    Pull requests (see `open_pulls`) are listed before branches are fetched: a branch may be newer, never older.
    """
    mirror.fetch()
    heads = {ref.name.removeprefix(HEADS): ref.sha for ref in list_refs(mirror.git, HEADS)}
    if repository.default_branch not in heads:
        log.info("The default branch does not exist yet; nothing to do.", repository=str(repository.name))
        return None
    laid_ready = {ref.name: ref.sha for ref in list_refs(mirror.git, naming.LAID_READY)}
    reported = laid_ready.pop(naming.DATABASES, "")
    return Snapshot(
        repository=repository,
        git=mirror.git,
        me=me.id,
        pulls=pulls or (),
        heads=heads,
        pull_heads={
            int(number): ref.sha
            for ref in list_refs(mirror.git, PULLS)
            if (number := ref.name.split("/")[2]).isdecimal()
        },
        laid_ready=laid_ready,
        targets=_targets(mirror.git, repository, heads, troubles),
        reported=reported,
        has_pulls=pulls is not None,
    )


def open_pulls(api: ForgejoApi, repository: Repository) -> tuple[PullRequest, ...] | None:
    """All open pull requests; `None` where there are none to see: switched off, or hidden from the bot's account."""
    if repository.has_pulls:
        with suppress(NotFound):
            return tuple(api.open_pulls(repository.name))
    log.warning(
        "Pull requests are switched off, or hidden from the bot's account; only branches are judged.",
        repository=str(repository.name),
        hint="Switch them on in the settings of the repository (Units), or let the bot's team see them.",
    )
    return None


def _targets(git: Git, repository: Repository, heads: dict[str, str], troubles: Troubles) -> dict[str, Target]:
    """The deployed branches: which they are, the default branch says; what is wanted of each, it says itself.

    Where one can't say it, what the default branch says holds: as a deployed branch it is judged all the same.
    """
    main = repository.default_branch
    policies = {main: read_policy(git, heads[main]).policy}
    names = [name for name in targets_of(policies[main], main, heads) if not name.startswith(naming.BRANCHES)]
    for name in names:
        if name != main:
            with troubles.apart(f"{HEADS}{name}", "its policy could not be read"):
                policies[name] = read_policy(git, heads[name]).policy
    return {
        name: Target(name, Point(f"{HEADS}{name}", heads[name]), policies.get(name, policies[main])) for name in names
    }


VERDICT = "verdict"  # kind of the one comment that says how a pull request stands
ANSWER = "answer"  # kind of the replies to commands; `about` is the id of the comment that is answered

PROBLEM, HEADS_UP, WARNED, ENDED = "problem", "heads-up", "warned", "ended"
"""What the one comment is about at present; kept in its marker."""


@dataclass(frozen=True, slots=True)
class IgnoredFindings:
    """Somebody has decided, for a reason or none, to live with the problems of that time: see `problem_keys`."""

    by: str
    reason: str
    problems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Choices:
    """What people chose for one pull request, by commands.

    `strategy` is the repair that was asked for, and when; `None` where nobody asked, or took it back.
    """

    strategy: Strategy | None = None
    strategy_at: datetime | None = None
    ignored: IgnoredFindings | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The comments of one pull request or issue, oldest first: all of them, or those of the last days.

    Where others can write as our account too, the facts in its markers are not `believed`: they are as if empty.
    """

    number: int
    comments: tuple[Comment, ...]
    me: int
    believed: bool = True

    def ours(self, kind: str) -> Iterator[tuple[Comment, Marker]]:
        """Our comments of one kind, oldest first."""
        for comment in self.comments:
            marker = parse(comment.body) if comment.author.id == self.me else None
            if marker is not None and marker.kind == kind:
                yield comment, marker if self.believed else Marker(kind, marker.about)

    @property
    def of_jobs(self) -> tuple[int, ...]:
        """Ids of the comments with a verdict that `check --publish` has written in CI jobs, as Forgejo's own account.

        Nothing in them is believed, for any workflow can write as that one; nor is such a marker in anybody else's
        comment, for anybody can copy it.
        """
        verdicts = (each for each in self.comments if each.author.id == ACTIONS.id != self.me)
        return tuple(each.id for each in verdicts if (found := parse(each.body)) is not None and found.kind == VERDICT)

    @property
    def verdict(self) -> Marker | None:
        """The marker of the comment that says how the pull request stands; `None` where nothing was said yet."""
        return next((marker for _, marker in self.ours(VERDICT)), None)

    @property
    def state(self) -> str:
        """What the one comment is about at present; empty where there is none."""
        return str(self.verdict.facts.get("state", "")) if self.verdict is not None else ""

    @property
    def ended_as(self) -> str:
        """The title under which the comment told how it ended; empty where nothing was said or something goes on."""
        marker = self.verdict
        return str(marker.facts.get("as", "")) if marker is not None and self.state == ENDED else ""

    @property
    def earlier_repair(self) -> int | None:
        """The number of the repair pull request that the comment points to."""
        known = self.verdict.facts.get("repair") if self.verdict else None
        return known if isinstance(known, int) else None

    @property
    def url(self) -> str:
        """The address of the comment that says how the pull request stands; empty where there is none."""
        return next((comment.html_url for comment, _ in self.ours(VERDICT)), "")

    def answer_to(self, comment: int) -> Marker | None:
        """The marker of our reply to the commands in a comment; `None` where there is none."""
        return next((marker for _, marker in self.ours(ANSWER) if marker.about == str(comment)), None)

    @property
    def choices(self) -> Choices:
        """What people chose; a later choice replaces an earlier one of its kind."""
        strategy: Strategy | None = None
        strategy_at: datetime | None = None
        ignored: IgnoredFindings | None = None
        for reply, marker in self.ours(ANSWER):
            if "strategy" in marker.facts:
                strategy, strategy_at = _strategy(marker), reply.created_at
            if "ignored" in marker.facts:
                ignored = _ignored(marker)
        return Choices(strategy, strategy_at, ignored)


class Pages:
    """The pages of one repository, each read once."""

    def __init__(self, api: ForgejoApi, repository: RepositoryName, me: int) -> None:
        self._api = api
        self._repository = repository
        self._me = me
        self._read: dict[int, Page] = {}

    def __getitem__(self, number: int) -> Page:
        if number not in self._read:
            self._read[number] = Page(number, tuple(self._api.comments(self._repository, number)), self._me)
        return self._read[number]

    def forget(self, number: int) -> None:
        """Read the page again when it is next asked for: something was written there."""
        self._read.pop(number, None)


def _strategy(marker: Marker) -> Strategy | None:
    """What was asked for; `auto` takes it back, so that the policy decides."""
    asked = marker.facts["strategy"]
    return asked if asked == "merge" or asked == "reparent" else None  # noqa: PLR1714 - narrows the type


def _ignored(marker: Marker) -> IgnoredFindings | None:
    problems = marker.facts["ignored"]
    if not isinstance(problems, list):
        return None
    by, reason = marker.facts.get("by"), marker.facts.get("reason")
    return IgnoredFindings(str(by or "somebody"), str(reason or ""), frozenset(str(problem) for problem in problems))


def problem_keys(examination: Examination) -> frozenset[str]:
    """What the judged side brings, by names that stay the same when only the target moves."""
    keys = {
        f"{finding.code}@:{finding.message}"
        for finding in examination.findings
        if finding.severity == "error" and finding.introduced_by == examination.judged
    }
    for examined in examination.environments:
        for finding in examined.findings:
            if finding.severity == "error" and finding.introduced_by == examination.judged:
                own = [id_ for id_ in finding.revisions if id_ not in examined.facts.target]
                keys.add(f"{finding.code}@{examined.facts.environment.path}:{','.join(own)}")
    return frozenset(keys)


_MAX_FILES = 100
"""Revisions of one environment, the nearest to its heads: the forge is asked about each commit that brought one."""

_MAX_LOOKED_AT = 10  # commits on the line of a branch that all have to be signed to tell of a rule

Signing = Literal["no", "likely", "required"]


class Provenance:
    """Asked for each pull request into a branch, mostly for the same files: found out once."""

    def __init__(self, snapshot: Snapshot, api: ForgejoApi, troubles: Troubles) -> None:
        self._snapshot = snapshot
        self._git = snapshot.git
        self._api = api
        self._troubles = troubles
        self._commits: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._writers: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._pulls: dict[str, int | None] = {}
        self._gave_no_answer = False
        self._brought: dict[tuple[Point, Point | None], dict[str, str]] = {}
        self._signing: dict[str, Signing] = {}

    def brought_by(self, examination: Examination) -> dict[str, str]:
        """Path of a revision file → who brought it, as Markdown; for both sides of every fork."""
        known = self._brought.get((examination.target, examination.head))
        if known is not None:
            return known
        found = self._brought[examination.target, examination.head] = {}
        for examined in examination.environments:
            paths = _fork_paths(examined)
            theirs = paths & {revision.path for revision in examined.facts.target}
            writers = self._writers_of(theirs, examination.target.sha)
            for path, commit in self._landed(theirs, examination.target.sha).items():
                found[path] = _spoken(writers[path], self._pull_behind(examination, commit.sha))
            if examination.head is not None:
                not_in = [examination.target.sha]
                for path, commit in _written(self._git, paths - theirs, examination.head.sha, not_in).items():
                    found[path] = _spoken(commit, None)
        return found

    def pulls_behind(self, examination: Examination) -> tuple[int, ...]:
        """Pull requests through which the sides of the target's forks landed."""
        paths = {path for examined in examination.environments for path in _fork_paths(examined)}
        commits = self._landed(paths, examination.target.sha)
        pulls = {self._pull_behind(examination, commit.sha) for commit in commits.values()}
        return tuple(sorted(number for number in pulls if number is not None))

    def signing(self, target: Target) -> Signing:
        """Whether a deployed branch takes signed commits only; what onehead writes is not signed.

        "no" also where that can't be told. Forgejo tells the rules of a branch to administrators of the repository
        alone. To everybody it tells that there are some; then the branch's own latest commits have to tell the rest.
        """
        if target.name not in self._signing:
            self._signing[target.name] = "no"
            with suppress(Exception):  # a repair is of use without this
                self._signing[target.name] = self._find_signing(target)
        return self._signing[target.name]

    def _find_signing(self, target: Target) -> Signing:
        name = self._snapshot.repository.name
        if self._snapshot.repository.permissions.admin:
            rule = Administration(self._api.connection).rule_for(name, target.name)
            return "required" if rule is not None and "require_signed_commits" in rule.other else "no"
        if are_signed(self._git, target.point.sha, _MAX_LOOKED_AT):
            return "likely" if self._api.branch(name, target.name).protected else "no"
        return "no"

    def _landed(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit on the line of a branch that brought it; `branch` is the SHA of its tip."""
        key = frozenset(paths), branch
        if key not in self._commits:
            self._commits[key] = landed(self._git, paths, branch)
        return self._commits[key]

    def _writers_of(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit in which somebody wrote it; what brought it to the branch may be a merge by another person.

        It is looked for in what has come to the branch since the first of the files landed. Where history is cut off,
        the commit that brought it stands in.
        """
        key = frozenset(paths), branch
        if key not in self._writers:
            brought = self._landed(paths, branch)
            found = dict(brought)
            if brought:
                oldest = [*brought.values()][-1]
                before = self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{oldest.sha}^")
                not_in = [before.out.decode("ascii").strip()] if before.code == 0 else []
                found |= _written(self._git, paths, branch, not_in)
            self._writers[key] = found
        return self._writers[key]

    def _pull_behind(self, examination: Examination, sha: str) -> int | None:
        """The pull request whose merge wrote a commit; where that can't be told, the texts name the commit."""
        if sha not in self._pulls:
            self._pulls[sha] = None  # also where the forge does not say: it is asked once in a run
            doing = "the pull request behind a commit could not be found"
            if self._snapshot.has_pulls and not self._gave_no_answer:
                with self._troubles.apart(examination.target.ref, doing) as asked, suppress(NotFound):
                    self._pulls[sha] = self._api.pull_of_commit(self._snapshot.repository.name, sha).number
                # Of a hundred files each would wait as long in vain.
                self._gave_no_answer = isinstance(asked.error, Unavailable)
        return self._pulls[sha]


def _written(git: Git, paths: Collection[str], branch: str, not_in: Sequence[str]) -> dict[str, Commit]:
    """Path → the commit in which a person wrote it: a repair of ours may have renamed it since.

    `branch` is the SHA of a tip; the history of those in `not_in` is of no interest.
    """
    found = introduced(git, paths, branch, not_in)
    for path, commit in list(found.items()):
        if commit.author_email == naming.EMAIL and (before := renamed(git, commit.sha).get(path)) is not None:
            found[path] = _written(git, [before], f"{commit.sha}^", not_in).get(before, commit)
    return found


def _fork_paths(examined: Examined) -> set[str]:
    """Files of all revisions above the places where the ways part."""
    graph = examined.facts.merged
    paths: set[str] = set()
    for fork in (
        forks_of(examined.facts) if any(f.code in (Code.COLLISION, Code.FORK) for f in examined.findings) else ()
    ):
        heads = [*fork.new, *(head for head in fork.heads if head not in fork.new)]
        own = graph.ancestors(*heads) - graph.ancestors(*fork.points)
        nearest = dict.fromkeys([*heads, *reversed(graph.parents_first(own))])
        paths |= {graph.revisions[id_].path for id_ in islice(nearest, _MAX_FILES - len(paths))}
        if len(paths) == _MAX_FILES:
            break
    return paths


def _spoken(commit: Commit, pull: int | None) -> str:
    place = f" in #{pull}" if pull else f" in {commit.sha[:10]}"
    return f"{inline(commit.author_name, 60)}{place}"
