"""Which commits a command line or a CI job means, their judged examination, and how a printed command names them again.

A clone made for CI is cut off, holds one branch, and may be an hour old. What is missing is fetched; where that can't
be done, the clone's own state counts as far as it goes, and that is said.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from onehead.cli.pipeline import Pipeline, event_file, pipeline_of
from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.examine import naming
from onehead.examine.examine import Trees, examine, no_comparison, read_policy, uncommitted_revisions
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.process import OriginSilent, UnknownRef
from onehead.gitrepo.refs import Ref, current_branch, destination, fetch_everything, is_here, is_shallow, resolve
from onehead.plan.findings import Evidence, Facts
from onehead.plan.policy import Policy, Strategy, targets_of
from onehead.plan.verdict import Examination, Point
from onehead.reports.terminal import named_again, short_ref
from onehead.screen import bare
from onehead.text import listed

if TYPE_CHECKING:
    from types import SimpleNamespace
    from typing import TextIO

    from onehead.examine.changes import Repairs
    from onehead.examine.evidence import Others
    from onehead.gitrepo.remote import Advertised, Origin

_MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Bytes. Forges cap their payloads far below."""


class Sides(NamedTuple):
    """What is to be compared.

    Attributes:
        target: the branch that is deployed.
        head: the branch to judge; `None`: the target itself is judged.
        find: what a name means when it is typed here.
        found: how both were found, for people (`Forgejo Actions, pull request 12`); empty where they were named, or
            are those of the checkout.
        own: full names of refs that are the head's own, beside those of its branch.
        on_origin: branches and tags of origin whose commits are here, and why others could not be looked at (empty:
            there are none; `None`: only the clone itself can tell). It may ask origin, so call it only when needed.
        job: the CI job that told them; `None` where none did.
    """

    target: Point
    head: Point | None
    find: Callable[[str], Point]
    found: str = ""
    own: tuple[str, ...] = ()
    on_origin: Callable[[], tuple[Sequence[Ref], str | None]] = lambda: ((), None)
    job: Pipeline | None = None


def by_itself(options: argparse.Namespace) -> argparse.Namespace:
    """The options with what `--at` means: that commit as the target, and no head."""
    at = getattr(options, "at", None)
    if at is None:
        return options
    if options.target is not None or options.head is not None:
        raise UsageError(
            "`--at` judges one commit by itself, so it does not go with `--target` or `--head`.",
            "Give either `--at REF`, or `--target REF --head REF` for what a merge would bring.",
        )
    return argparse.Namespace(**{**vars(options), "target": at})


def commit_named(options: argparse.Namespace) -> tuple[Git, Point]:
    """The repository and the one commit of it that the options name."""
    git = Git(os.path.realpath(options.repo))
    return git, Point(options.at, resolve(git, options.at))


def two_sides(git: Git, options: argparse.Namespace) -> Sides:
    """Target and head of `--target` and `--head`; what is not given is found in the CI job, else in the checkout.

    With `--target` alone the target itself is judged. With neither, HEAD is judged against the branch that it would
    be merged into, or by itself when it is that branch.

    Raises:
        UsageError: a name means no commit, or there is no telling which branch HEAD would be merged into.
        CannotJudge: a CI job does not tell its sides, or what it needs is neither here nor to be had from origin.
    """
    job = _pipeline(git, options)
    if job is None and options.fetch != "always":

        @cache
        def find(name: str) -> Point:
            return Point(name, resolve(git, name))

        return Sides(*named_sides(git, options, find), find)
    with sign_of_life("asking origin"):
        return _Search(git, options, job).sides()


def named_sides(git: Git, options: argparse.Namespace, point: Callable[[str], Point]) -> tuple[Point, Point | None]:
    """The sides that the options name, and those of the checkout where they name none; `point` finds a commit."""
    if options.target is not None:
        return point(options.target), None if options.head is None else point(options.head)
    pushed = None if options.head else _pushed(git)
    head = pushed or point(options.head or "HEAD")
    into = destination(git)
    if into is None:
        raise UsageError(
            "onehead can't find the branch that this one would be merged into: there is no remote default branch, "
            "no main, master or develop.",
            "Name it: `onehead check --target BRANCH --head BRANCH`, or `--target BRANCH` alone to judge that branch.",
        )
    target = point(into.name)
    here = current_branch(git) if options.head is None and pushed is None else None
    if here == into.name:
        return target, None
    return target, Point(here, head.sha) if here else head


def _pushed(git: Git) -> Point | None:
    """What the pre-commit framework says is being pushed: it need not be what is checked out."""
    sha = os.environ.get("PRE_COMMIT_TO_REF", "")
    if not os.environ.get("PRE_COMMIT") or not sha or not is_here(git, sha):
        return None
    return Point(os.environ.get("PRE_COMMIT_LOCAL_BRANCH") or sha, sha)


def _pipeline(git: Git, options: argparse.Namespace) -> Pipeline | None:
    """The CI job that runs this, if the repository is the one that it has checked out."""
    try:
        job = pipeline_of(os.environ, _event())
    except CannotJudge:
        if options.target is not None:
            return None
        raise
    if job is None:
        return None
    its_own = job.workspace and os.path.realpath(options.repo) == os.path.realpath(job.workspace)
    return job if its_own or is_here(git, job.commit) else None


def _event() -> str:
    path = event_file(os.environ)
    if not path:
        return ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 6 ms to load
            return file.read(_MAX_EVENT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


_REMOTE = "refs/remotes/origin/"
_MAX_NAMED = 3


class _Search:
    """One search for both sides, for a CI job or with `--fetch always`; origin is asked once, for what is needed."""

    def __init__(self, git: Git, options: argparse.Namespace, job: Pipeline | None) -> None:
        self._git = git
        self._options = options
        self._job = job
        self._origin: Origin | None = None
        if options.fetch != "never":
            from onehead.gitrepo.remote import Origin  # noqa: PLC0415 - most checks ask no server

            self._origin = Origin(git)
        self._said: set[str] = set()
        self._silence = "" if self._origin else "was not asked (`--fetch never`)"

    def sides(self) -> Sides:
        job, found = self._job, ""
        if job is None or self._options.target is not None:
            target, head = named_sides(self._git, self._options, self._point)
        else:
            target, head = self._sides_of(job)
            found = f"{job.system}, {job.subject}"
        self._bring(target, head)
        judged = head or target
        told_by = job if found else None
        return Sides(target, head, self._point, found, self._own(judged), lambda: self._on_origin(judged), told_by)

    def _sides_of(self, job: Pipeline) -> tuple[Point, Point | None]:
        """A pull request against its base; a branch by itself where it is deployed, else against the default one."""
        head = self._head(job) if self._options.head is None else self._point(self._options.head)
        if job.base:
            return self._newest(job.base, job.base_sha), head
        default = self._default_branch(job)
        if not default:
            return named_sides(self._git, self._options, self._point)
        if self._options.head is not None:
            return self._newest(default), head
        if not job.branch or job.branch == default:
            return head, None
        target = self._newest(default)
        self._bring(target, None)
        policy = read_policy(self._git, target.sha).policy
        return (head, None) if job.branch in targets_of(policy, default, [job.branch]) else (target, head)

    def _head(self, job: Pipeline) -> Point:
        """The job's commit, by the name under which people know it."""
        name = job.branch or f"refs/tags/{job.tag}"
        if job.pull and self._tip(job.branch) != job.head:
            name = f"{job.pull}/head"  # of a fork, or pushed again since
        return Point(name, job.head)

    def _default_branch(self, job: Pipeline) -> str:
        told = job.default_branch or (self._advertised.default_branch if self._advertised else "")
        into = None if told else destination(self._git)
        return into.name.removeprefix(_REMOTE).removeprefix("refs/heads/") if into else told

    def _point(self, name: str) -> Point:
        """A name of the command line; one that means a branch of origin means it as it is there now."""
        short = name.removeprefix("refs/remotes/")
        branch = short.removeprefix("origin/")
        if branch != short:
            if sha := self._tip(branch):
                return Point(name, sha)
            self._say_old(branch)
        try:
            return Point(name, resolve(self._git, name))
        except UnknownRef:
            # A checkout step has no branches but its own.
            if sha := self._tip(name):
                return Point(name, sha)
            raise

    def _tip(self, branch: str) -> str | None:
        return self._advertised.tip(branch) if self._advertised else None

    def _newest(self, branch: str, otherwise: str = "") -> Point:
        """A branch of origin as it is now; where origin can't be asked, as the clone or else the job knows it."""
        name = f"{_REMOTE}{branch}"
        if self._advertised:
            sha = self._advertised.tip(branch)
            if sha is None:
                raise CannotJudge(
                    f"There is no branch `{branch}` on origin, so there is nothing to compare with.",
                    "It was deleted or renamed: point the pull request at another branch, or close it.",
                )
            return Point(name, sha)
        answer = self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        sha = answer.out.decode("ascii", "replace").strip()
        if answer.code != 0 and otherwise and is_here(self._git, otherwise):
            sha = otherwise
        if not sha:
            raise self._helpless(f"This clone does not hold `{branch}`")
        self._say_old(branch)
        return Point(name, sha)

    def _bring(self, target: Point, head: Point | None) -> None:
        """Fetch what is missing. Where origin can't be asked, what is there is judged, or says itself what it lacks."""
        commits = [target.sha, *([head.sha] if head else [])]
        absent = [sha for sha in commits if not is_here(self._git, sha)]
        if self._silence:
            if absent:
                raise self._helpless(f"This clone does not hold {absent[0][:10]}")
        elif self._origin is not None:
            try:
                self._origin.bring(*commits)
            except OriginSilent as trouble:
                self._heard(trouble)
                raise self._helpless("This clone does not hold all that is to be compared") from None

    @cached_property
    def _advertised(self) -> Advertised | None:
        """What origin has; `None` where it can't be asked, which `_silence` then explains."""
        if self._origin is None:
            return None
        try:
            return self._origin.advertised
        except OriginSilent as trouble:
            self._heard(trouble)
            return None

    def _heard(self, trouble: OriginSilent) -> None:
        self._silence = f"could not be asked ({trouble.message})"

    def _own(self, judged: Point) -> tuple[str, ...]:
        """Where a checkout step puts what the job is about, beside what the forge calls it."""
        job = self._job
        if job is None or judged.sha != job.head:
            return ()
        found = [f"refs/{place}{job.pull}/{end}" for place in ("", "remotes/") for end in ("head", "merge") if job.pull]
        if self._head(job).ref == job.branch:
            found += [f"refs/heads/{job.branch}", f"{_REMOTE}{job.branch}"]
        # Woodpecker's stands on a local branch that is named after the target.
        return (*found, *filter(None, [current_branch(self._git)]))

    def _on_origin(self, judged: Point) -> tuple[Sequence[Ref], str]:
        if is_shallow(self._git):
            return (), ""  # which is reason enough to be careful, and is told elsewhere
        if self._origin is None or self._advertised is None:
            return (), f"Origin {self._silence}, so its other branches and tags are not known."
        here, absent = self._origin.elsewhere()
        own = f"refs/heads/{judged.ref.removeprefix(_REMOTE).removeprefix('refs/heads/')}"
        names = [
            name.split("/", 2)[2]
            for name in absent
            if name != own and not name.startswith(f"refs/heads/{naming.BRANCHES}")
        ]
        if not names:
            return here, ""
        named = listed([f"`{name}`" for name in names], _MAX_NAMED)
        return here, f"Origin also has {named}, not held by this clone, so these could not be examined."

    def _say_old(self, branch: str) -> None:
        if self._origin is not None and self._silence and branch not in self._said:
            self._said.add(branch)
            aged = f"`{branch}` is compared as this clone knows it; it may have moved on."
            print(f"onehead: origin {self._silence}, so {aged}", file=sys.stderr)

    def _helpless(self, what: str) -> CannotJudge:
        if self._job:
            remedy = self._job.remedy
        else:
            command = fetch_everything(self._git)
            remedy = f"Fetch it: `{command}`." if command else "Clone it again, with all of its branches."
        return CannotJudge(f"{what}, and origin {self._silence}.", remedy)


class PreparedWork(NamedTuple):
    """An examination, how its sides were found and are named again, and what is needed to write its repair.

    `others`: the refs of the repository, and of origin, that it was compared with.
    """

    git: Git
    examination: Examination
    trees: Trees
    found: str
    find: Callable[[str], Point]
    others: Callable[[], Others]
    job: Pipeline | None

    def named(self, point: Point) -> str:
        """What to type for a side: the shortest name that means one commit here, else the commit itself."""
        for name in dict.fromkeys((short_ref(point.ref), point.ref)):
            with suppress(OneheadError):
                self.find(name)
                return name
        return point.sha

    def repairs(self) -> Repairs | None:
        """How the plans would be carried out, those that turn out impossible replaced by refusals; `None`: no plan."""
        kinds = {examined.plan.kind for examined in self.examination.environments}
        if not kinds & {"merge", "reparent", "reissue"}:
            return None
        from onehead.examine.changes import prepare  # noqa: PLC0415 - writing costs a start-up that judging need not pay

        return prepare(self.examination, self.trees)


def narrowed(examination: Examination, environment: str | None) -> Examination:
    """The examination of one environment alone; `None`: of all."""
    if environment is None:
        return examination
    path = os.path.normpath(environment)
    names = (environment, "" if path == "." else path)
    chosen = tuple(each for each in examination.environments if each.facts.environment.path in names)
    if not chosen:
        there = [each.facts.environment.path or "." for each in examination.environments]
        raise UsageError(
            f"There is no environment {environment!r} at {(examination.head or examination.target).ref}.",
            f"There are: {', '.join(there) or 'none'}.",
        )
    return examination._replace(environments=chosen)


@contextmanager
def examined(options: argparse.Namespace, strategy: Strategy | None = None) -> Iterator[PreparedWork]:
    """Resolve the sides, read both and judge.

    While the context lasts, all questions about objects are one conversation with git, and no circular garbage is
    looked for: that takes a tenth of the time, and finds none.
    """
    git = Git(os.path.realpath(options.repo))
    gc.disable()
    try:
        with kept_open(git):
            yield _examined(git, options, strategy)
    finally:
        # What is there counts as old from here on, or enabling would begin with a walk through all of it.
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def _examined(git: Git, options: argparse.Namespace, strategy: Strategy | None) -> PreparedWork:
    sides = two_sides(git, by_itself(options))
    memory = memory_for(git.directory)

    # Both only where something is to be repaired.
    @cache
    def others() -> Others:
        from onehead.examine.evidence import Others  # noqa: PLC0415

        more, unseen = sides.on_origin()
        return Others(git, memory, own=sides.own, more=more, unseen=unseen)

    def evidence(facts: Facts, policy: Policy) -> Evidence:
        from onehead.examine.evidence import gather_evidence  # noqa: PLC0415

        return gather_evidence(others(), facts, policy, sides.target, sides.head)

    with sign_of_life("reading revisions"):
        examination, trees = examine(git, sides.target, sides.head, strategy=strategy, memory=memory, evidence=evidence)
    # `fix` repairs a target by itself, and does not offer `--at`.
    alone = options.target is not None and options.head is None and getattr(options, "at", "") is None
    missing = [no_comparison(sides.target.ref)] if alone else []
    # A CI job works on what was committed, and people edit nothing there.
    missing += [] if sides.found else uncommitted_revisions(git, examination, trees)
    examination = examination._replace(unjudged=(*examination.unjudged, *missing))
    return PreparedWork(git, examination, trees, sides.found, sides.find, others, sides.job)


@contextmanager
def sign_of_life(what: str, stream: TextIO | None = None, after: float = 1.0) -> Iterator[None]:
    """A line on a terminal's standard error when the work inside takes longer than a second; gone afterwards."""
    terminal = bare(stream or sys.stderr)
    if not terminal.isatty():
        yield
        return
    from threading import Event, Timer  # noqa: PLC0415 - where nobody watches, nothing of it is needed

    is_shown = Event()

    def show() -> None:
        is_shown.set()
        print(f"\ronehead: {what} …", end="", file=terminal, flush=True)

    timer = Timer(after, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if is_shown.is_set():
            print("\r\033[K", end="", file=terminal, flush=True)


_COMMAND = r"`onehead (check|databases|doctor|explain|fix|graph|history|next|states|verify)((?: [^`\n]*)?)`"
_WITH_SIDES = ("check", "fix", "graph", "states")
_NAMES_SIDES = r" --(?:at|target|head) "


def again(options: argparse.Namespace | SimpleNamespace, text: str, *, with_bare: bool = True) -> str:
    """A text of a verb that reads a repository, its commands between backticks as they are typed where the verb was.

    `with_bare`: also those that are no more than a verb.
    """
    repo, sides = named_again(options.repo), _named_again(options)
    if not repo and not sides:
        return text

    def whole(found: re.Match[str]) -> str:
        verb, rest = found.groups()
        if not (rest or with_bare):
            return found[0]
        place = "" if " --repo " in rest else repo
        named = "" if verb not in _WITH_SIDES or re.search(_NAMES_SIDES, rest) else sides
        # `fix` repairs a target by itself where the others judge one.
        return f"`onehead {verb}{place}{named.replace(' --at ', ' --target ', 1) if verb == 'fix' else named}{rest}`"

    return re.sub(_COMMAND, whole, text)


def _named_again(options: argparse.Namespace | SimpleNamespace) -> str:
    at = getattr(options, "at", None)
    if not hasattr(options, "head"):
        # A verb with one side, which is HEAD unless another is named.
        return "" if at in (None, "HEAD") else f" --at {quote(at)}"
    named = {"at": at, "target": options.target, "head": options.head}
    given = "".join(f" --{name} {quote(ref)}" for name, ref in named.items() if ref is not None)
    # What was asked of origin has to be asked again.
    return given if options.fetch == "auto" else f"{given} --fetch {options.fetch}"
