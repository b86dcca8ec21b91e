"""From a repository to its written repair, and what real Alembic says about the result."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import ScriptDirectory

from onehead.examine.changes import Repairs, prepare
from onehead.examine.evidence import Others, gather_evidence
from onehead.examine.examine import Trees, examine
from onehead.examine.probe import MAX_CONFIGURATION_BYTES, MAX_FILES, may_hold_environments
from onehead.examine.read import Memory
from onehead.examine.repair import WrittenRepair, write_repair
from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import merge_trees
from onehead.gitrepo.tree import files_in, read
from onehead.plan.plans import Plan
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Examination, Point
from tests.migrations import VERSIONS
from tests.repositories import Repository


@dataclass
class Repaired:
    """One repair from end to end; `written` is `None` where there was nothing to write."""

    repo: Repository
    repairs: Repairs
    written: WrittenRepair | None
    target: Point
    head: Point | None

    @property
    def examination(self) -> Examination:
        return self.repairs.examination

    @property
    def plan(self) -> Plan:
        [examined] = self.examination.environments
        return examined.plan

    def sha(self) -> str:
        assert self.written is not None
        return self.written.sha

    def changed(self) -> list[str]:
        """`M path`, `A path`, `R old new`: what the one commit with the fix does, according to git."""
        sha = self.sha()
        out = self.repo.git("diff", "--name-status", "--find-renames=10%", f"{sha}^", sha)
        return [" ".join([words[0][0], *words[1:]]) for words in (line.split("\t") for line in out.splitlines())]

    def merged(self) -> str:
        """The tree once the repaired branch is merged into its target."""
        if self.head is None:
            return self.sha()
        return self.repo.git("merge-tree", "--write-tree", self.target.sha, self.sha()).strip()

    def rebased(self) -> str:
        """The commit once the repaired branch is rebased onto its target: merge commits are dropped on the way."""
        with TemporaryDirectory() as folder:
            self.repo.git("worktree", "add", "--quiet", "--detach", folder, self.sha())
            try:
                self.repo.git("-C", folder, "rebase", "--quiet", self.target.sha)
                return self.repo.git("-C", folder, "rev-parse", "HEAD").strip()
            finally:
                self.repo.git("worktree", "remove", "--force", folder)

    def alembic_heads(self, *versions: str) -> list[str]:
        """Heads that Alembic sees on the branch itself, merged and rebased; the three must be the same."""
        seen = {at: alembic_heads(self.repo, at, *versions) for at in self.stands()}
        [heads] = {tuple(found) for found in seen.values()}
        return list(heads)

    def stands(self) -> list[str]:
        return [self.sha()] if self.head is None else [self.sha(), self.merged(), self.rebased()]


def judged(
    repo: Repository, head: str | None = "topic", *, target: str = "main", strategy: Strategy | None = "auto"
) -> tuple[Examination, Trees, Git]:
    """Both sides examined, with all evidence."""
    git = Git(str(repo.path))
    into = Point(f"refs/heads/{target}", repo.sha(target))
    branch = None if head is None else Point(f"refs/heads/{head}", repo.sha(head))
    memory = Memory(None)
    examination, trees = examine(
        git,
        into,
        branch,
        strategy=strategy,
        memory=memory,
        evidence=lambda facts, policy: gather_evidence(Others(git, memory), facts, policy, into, branch),
    )
    # Whatever is found, the service must have seen beforehand that there may be something.
    if examination.environments or examination.findings:
        assert is_suspected(git, *(point.sha for point in (into, branch) if point is not None))
    return examination, trees, git


def is_suspected(git: Git, *commits: str) -> bool:
    """Whether the service would examine a repository with these commits, rather than pass it over unseen."""
    return may_hold_environments(
        files_in(git, commits, MAX_FILES), lambda oids: read(git, oids, MAX_CONFIGURATION_BYTES)
    )


def repaired(
    repo: Repository, head: str | None = "topic", *, target: str = "main", strategy: Strategy | None = "auto"
) -> Repaired:
    """Examine, prepare and write."""
    examination, trees, git = judged(repo, head, target=target, strategy=strategy)
    repairs = prepare(examination, trees)
    written = write_repair(git, repairs, trees)
    return Repaired(repo, repairs, written, examination.target, examination.head)


def conflicts(repo: Repository) -> list[str]:
    """Paths that git can't merge by itself."""
    return list(merge_trees(Git(str(repo.path)), repo.sha("main"), repo.sha("topic")).conflicts)


def alembic_heads(repo: Repository, treeish: str, *versions: str) -> list[str]:
    """What Alembic loads from a tree; it runs the files, as a deploy does."""
    with TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(_archive(repo, treeish))) as packed:
            packed.extractall(folder)
        places = [str(Path(folder) / place) for place in versions or (VERSIONS,)]
        return sorted(ScriptDirectory(folder, version_locations=places).get_heads())


def _archive(repo: Repository, treeish: str) -> bytes:
    return repo.git("archive", "--format=zip", treeish).encode("utf-8", "surrogateescape")
