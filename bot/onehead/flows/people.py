"""Who brought what: the commit, the pull request and the person behind each side of a fork."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.flows.bench import Bench
from onehead.forge.errors import NotFound
from onehead.gitrepo.history import introduced, landed
from onehead.gitrepo.refs import Commit
from onehead.plan.findings import Code
from onehead.plan.verdict import Examination, Examined
from onehead.quoting import inline


def brought_by(bench: Bench, examination: Examination) -> dict[str, str]:
    """Path of a revision file → who brought it, as Markdown; for both sides of every fork."""
    found: dict[str, str] = {}
    git = bench.mirror.git
    for examined in examination.environments:
        paths = _fork_paths(examined)
        theirs = {path for path in paths if path in {r.path for r in examined.facts.target}}
        on_target = landed(git, theirs, examination.target.sha)
        numbers = _pulls(bench, on_target.values())
        for path, commit in on_target.items():
            found[path] = _spoken(commit, numbers.get(commit.sha))
        if examination.head is not None:
            not_in = [examination.target.sha]
            for path, commit in introduced(git, paths - theirs, examination.head.sha, not_in).items():
                found[path] = _spoken(commit, None)
    return found


def pulls_behind(bench: Bench, examination: Examination) -> list[int]:
    """Pull requests through which the sides of the target's forks landed."""
    paths = {path for examined in examination.environments for path in _fork_paths(examined)}
    commits = landed(bench.mirror.git, paths, examination.target.sha)
    return sorted(set(_pulls(bench, commits.values()).values()))


def _fork_paths(examined: Examined) -> set[str]:
    """Files of all revisions above the places where the ways part."""
    graph = examined.facts.merged
    paths: set[str] = set()
    for finding in examined.findings:
        if finding.code in (Code.COLLISION, Code.FORK):
            heads = [id_ for id_ in finding.revisions if id_ in graph.heads]
            shared = frozenset.intersection(*(graph.ancestors(head) for head in heads))
            paths |= {graph.revisions[id_].path for id_ in graph.ancestors(*heads) - shared}
    return paths


def _pulls(bench: Bench, commits: Iterable[Commit]) -> dict[str, int]:
    """Commit → number of the pull request whose merge wrote it."""
    found = {}
    for sha in dict.fromkeys(commit.sha for commit in commits):
        try:
            found[sha] = bench.desk.api.pull_of_commit(bench.repository.name, sha).number
        except NotFound:
            continue  # pushed without a pull request
    return found


def _spoken(commit: Commit, pull: int | None) -> str:
    place = f" in #{pull}" if pull else f" in {commit.sha[:10]}"
    return f"{inline(commit.author_name, 60)}{place}"
