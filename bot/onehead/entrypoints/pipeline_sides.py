"""The two sides where origin may be asked: names from the CI job, commits as they are on origin now.

A clone made for CI is cut off, holds one branch, and may be an hour old. What is missing is fetched; where that can't
be done, the clone's own state counts as far as it goes, and that is said.
"""

from __future__ import annotations

import argparse
import sys
from functools import cached_property

from onehead.entrypoints.sides import OnOrigin, Sides, is_here, named_sides
from onehead.entrypoints.terminal import SignOfLife
from onehead.errors import CannotJudge
from onehead.examine import naming
from onehead.examine.examine import read_policy
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import UnknownRef
from onehead.gitrepo.refs import current_branch, destination, fetch_everything, is_shallow, resolve
from onehead.gitrepo.remote import Advertised, Origin, OriginSilent
from onehead.pipeline import Pipeline
from onehead.plan.policy import targets_of
from onehead.plan.verdict import Point

_REMOTE = "refs/remotes/origin/"
_MOST_NAMED = 3


def sides_of_job(git: Git, options: argparse.Namespace, job: Pipeline | None) -> Sides:
    """What `two_sides` promises, for a CI job or with `--fetch always` (then `job` may be `None`)."""
    with SignOfLife("asking origin"):
        return _Search(git, options, job).sides()


class _Search:
    """One search for both sides; origin is asked at most once, and only for what is needed."""

    def __init__(self, git: Git, options: argparse.Namespace, job: Pipeline | None) -> None:
        self._git = git
        self._options = options
        self._job = job
        self._origin = None if options.fetch == "never" else Origin(git)
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
        return Sides(
            target, head, self._point, found, self._own(head or target), lambda: self._on_origin(head or target)
        )

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
        if job.pull and (self._advertised is None or self._advertised.tip(job.branch) != job.head):
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
            sha = self._advertised.tip(branch) if self._advertised else None
            if sha is not None:
                return Point(name, sha)
            self._say_old(branch)
        try:
            return Point(name, resolve(self._git, name))
        except UnknownRef:
            # A checkout step has no branches but its own.
            sha = self._advertised.tip(name) if self._advertised else None
            if sha is None:
                raise
            return Point(name, sha)

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

    def _on_origin(self, judged: Point) -> OnOrigin:
        """What stands on other branches and tags of origin."""
        if is_shallow(self._git):
            return OnOrigin()  # which is reason enough to be careful, and is told elsewhere
        if self._origin is None or self._advertised is None:
            return OnOrigin(unseen=f"Origin {self._silence}, so its other branches and tags are not known.")
        here, absent = self._origin.elsewhere()
        own = f"refs/heads/{judged.ref.removeprefix(_REMOTE).removeprefix('refs/heads/')}"
        names = [
            name.split("/", 2)[2]
            for name in absent
            if name != own and not name.startswith(f"refs/heads/{naming.BRANCHES}")
        ]
        if not names:
            return OnOrigin(tuple(here))
        more = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
        shown = [*(f"`{name}`" for name in names[:_MOST_NAMED]), *more]
        listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
        unseen = f"Origin also has {listed}, not held by this clone, so these could not be examined."
        return OnOrigin(tuple(here), unseen)

    def _say_old(self, branch: str) -> None:
        if self._origin is not None and self._silence and branch not in self._said:
            self._said.add(branch)
            print(
                f"onehead: origin {self._silence}, so `{branch}` is compared as this clone knows it; it may have moved "
                "on.",
                file=sys.stderr,
            )

    def _helpless(self, what: str) -> CannotJudge:
        if self._job:
            remedy = self._job.remedy
        else:
            command = fetch_everything(self._git)
            remedy = f"Fetch it: `{command}`." if command else "Clone it again, with all of its branches."
        return CannotJudge(f"{what}, and origin {self._silence}.", remedy)
