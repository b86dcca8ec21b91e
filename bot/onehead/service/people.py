"""Who brought what: the commit, the pull request and the person behind each side of a fork."""

from __future__ import annotations

from itertools import islice

from onehead.gitrepo.refs import Commit
from onehead.plan.findings import Code
from onehead.plan.forks import forks_of
from onehead.plan.verdict import Examination, Examined
from onehead.service.bench import Bench, Target
from onehead.service.landings import written
from onehead.service.troubles import NOT_JUDGED
from onehead.text import inline

MAX_FILES = 100
"""Revisions of one environment, the nearest to its heads: the forge is asked about each commit that brought one."""


def brought_by(bench: Bench, examination: Examination) -> dict[str, str]:
    """Path of a revision file → who brought it, as Markdown; for both sides of every fork."""
    key = examination.target.sha, examination.head.sha if examination.head else ""
    if key not in bench.credits:
        bench.credits[key] = _brought_by(bench, examination)
    return bench.credits[key]


def _brought_by(bench: Bench, examination: Examination) -> dict[str, str]:
    found: dict[str, str] = {}
    for examined in examination.environments:
        paths = _fork_paths(examined)
        theirs = paths & {revision.path for revision in examined.facts.target}
        writers = bench.landings.writers(theirs, examination.target.sha)
        for path, landing in bench.landings.commits(theirs, examination.target.sha).items():
            found[path] = _spoken(writers[path], _pull_behind(bench, examination, landing.sha))
        if examination.head is not None:
            not_in = [examination.target.sha]
            for path, commit in written(bench.git, paths - theirs, examination.head.sha, not_in).items():
                found[path] = _spoken(commit, None)
    return found


def pulls_behind(bench: Bench, examination: Examination) -> list[int]:
    """Pull requests through which the sides of the target's forks landed."""
    paths = {path for examined in examination.environments for path in _fork_paths(examined)}
    commits = bench.landings.commits(paths, examination.target.sha)
    pulls = {_pull_behind(bench, examination, commit.sha) for commit in commits.values()}
    return sorted(number for number in pulls if number is not None)


def _pull_behind(bench: Bench, examination: Examination, sha: str) -> int | None:
    """The pull request that brought a commit to the target; where that can't be told, the texts name the commit."""
    if bench.has_pulls:
        with bench.troubles.apart(examination.target.ref, "the pull request behind a commit could not be found"):
            return bench.landings.pull_behind(sha)
    return None


def pages_told(bench: Bench) -> dict[int, Target]:
    """Pull requests that brought forks → the deployed branch whose fork their page tells of.

    A release branch has the fork of the branch that it was made from, and a page has one comment: of several branches
    the first one speaks there.
    """
    found: dict[int, Target] = {}
    for target in bench.targets.values():
        with bench.troubles.apart(target.point.ref, NOT_JUDGED):
            examination = bench.judge(target, None).examination
            if examination.verdict != "ok":
                for number in pulls_behind(bench, examination):
                    found.setdefault(number, target)
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
        paths |= {graph.revisions[id_].path for id_ in islice(nearest, MAX_FILES - len(paths))}
        if len(paths) == MAX_FILES:
            break
    return paths


def _spoken(commit: Commit, pull: int | None) -> str:
    place = f" in #{pull}" if pull else f" in {commit.sha[:10]}"
    return f"{inline(commit.author_name, 60)}{place}"
