"""The bare repositories: creating them, asking git about them, and writing to them as the forge itself does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.standin.world import Repository, User


_KNOWN_COMMITS: set[tuple[Path, str]] = set()


class GitError(Exception):
    """A git command failed. `stderr` is what it said."""

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        super().__init__(f"git {' '.join(arguments)}: {stderr.strip()}")
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Received:
    """One line of what a push changed."""

    before: str
    after: str
    ref: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give git's environment: nothing of the machine's own configuration, nothing that asks on a terminal."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **(extra or {}),
    }


def run(path: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> bytes:
    """Run git in `path` and give its output.

    Raises:
        GitError: git exited with anything but 0.
    """
    result = subprocess.run(
        ["git", *arguments], cwd=path, env=environment(env), input=stdin, capture_output=True, timeout=60, check=False
    )
    if result.returncode:
        raise GitError(arguments, result.stderr.decode(errors="replace"))
    return result.stdout


def text(path: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> str:
    return run(path, *arguments, env=env, stdin=stdin).decode(errors="replace").strip()


def succeeds(path: Path, *arguments: str) -> bool:
    try:
        run(path, *arguments)
    except GitError:
        return False
    return True


def read_refs(path: Path) -> dict[str, str]:
    """Give every ref of a repository and the object it names."""
    lines = text(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def resolve(path: Path, name: str) -> str:
    """Give the commit that a branch, tag, full ref or SHA names, or "" when there is none."""
    if not name or name.startswith("-"):
        return ""
    if (path, name) in _KNOWN_COMMITS:
        return name
    for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        try:
            found = text(path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}")
        except GitError:
            continue
        if found == name:
            _KNOWN_COMMITS.add((path, name))  # nothing is ever collected here, so it stays true
        return found
    return ""


def merge_base(path: Path, one: str, other: str) -> str:
    try:
        return text(path, "merge-base", one, other)
    except GitError:
        return ""


def merges_cleanly(path: Path, base: str, head: str) -> bool:
    """Tell whether git can merge two commits without a conflict."""
    return succeeds(path, "merge-tree", "--write-tree", base, head)


def short_stat(path: Path, start: str, end: str) -> tuple[int, int, int]:
    """Give (changed files, added lines, removed lines) between two commits."""
    files = added = removed = 0
    for line in text(path, "diff", "--numstat", "--no-renames", start, end).splitlines():
        plus, minus, _ = line.split("\t", 2)
        files += 1
        added += int(plus) if plus != "-" else 0
        removed += int(minus) if minus != "-" else 0
    return files, added, removed


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str, str]  # name, e-mail, RFC 3339 time
    committer: tuple[str, str, str]
    message: str
    changes: tuple[tuple[str, str], ...]  # (A, M or D, path), against the first parent


def line_counts(path: Path, shas: list[str]) -> dict[str, tuple[int, int]]:
    """Give (added lines, removed lines) of commits, each against its first parent."""
    counts = dict.fromkeys(shas, (0, 0))
    if not shas:
        return counts
    options = ["--no-walk=unsorted", "--numstat", "--no-renames", "--diff-merges=first-parent", "--format=%x1e%H"]
    for record in run(path, "log", *options, *shas).decode(errors="replace").split("\x1e")[1:]:
        sha, *lines = record.split("\n")
        numbers = [line.split("\t")[:2] for line in lines if line]
        plus, minus = (sum(int(pair[side]) for pair in numbers if pair[side] != "-") for side in (0, 1))
        counts[sha] = plus, minus
    return counts


_RECORD = "%x1e%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B%x1f"


def log(path: Path, *selection: str) -> list[Commit]:
    """Read commits, newest first, with the files each changed. `selection` is what `git log` takes."""
    arguments = ["log", f"--format={_RECORD}", "--name-status", "--no-renames", "--diff-merges=first-parent", "-z"]
    output = run(path, *arguments, *selection).decode(errors="replace")
    return [_commit(record) for record in output.split("\x1e")[1:]]


def _commit(record: str) -> Commit:
    sha, tree, parents, an, ae, at, cn, ce, ct, message, files = record.split("\x1f")
    names = [name for name in files.replace("\n", "").split("\0") if name]
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=(an, ae, at),
        committer=(cn, ce, ct),
        message=message,
        changes=tuple(zip(names[::2], names[1::2], strict=True)),
    )


def identity(author: tuple[str, str], committer: tuple[str, str]) -> dict[str, str]:
    """Give the environment that makes git commit as these two (name, e-mail)."""
    return {
        "GIT_AUTHOR_NAME": author[0],
        "GIT_AUTHOR_EMAIL": author[1],
        "GIT_COMMITTER_NAME": committer[0],
        "GIT_COMMITTER_EMAIL": committer[1],
    }


def signature(user: User) -> tuple[str, str]:
    """Give the name and e-mail a user commits with through the web."""
    return user.full_name or user.name, user.email


class Workshop:
    """A throw-away clone in which the forge merges, rebases and commits before it pushes like anybody else.

    Pushing (instead of updating refs) is what makes the repository's hooks see these commits too.
    """

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository = repository
        self.path = folder

    def git(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> str:
        return text(self.path, *arguments, env=env, stdin=stdin)

    def push(self, sha: str, branch: str, env: Mapping[str, str]) -> list[Received]:
        """Push one commit to a branch of the repository through its hooks.

        Raises:
            GitError: the push was refused; `stderr` has the hooks' words as `remote:` lines.
        """
        with receiving() as (report, extra):
            target = f"{sha}:refs/heads/{branch}"
            self.git("push", "--quiet", str(self.repository.path), target, env={**env, **extra})
            return report()


@contextmanager
def workshop(repository: Repository) -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="standin-work-") as name:
        folder = Path(name) / "clone"
        run(Path(name), "clone", "-q", "--shared", "--no-checkout", str(repository.path), str(folder))
        yield Workshop(repository, folder)


@contextmanager
def receiving() -> Iterator[tuple[Reporter, dict[str, str]]]:
    """Give a way to learn what a push changed: (a function to call after it, environment for it)."""
    with tempfile.NamedTemporaryFile(prefix="standin-received-") as file:
        reporter = Reporter(Path(file.name))
        yield reporter, {"STANDIN_RECEIVED": file.name}


@dataclass(frozen=True, slots=True)
class Reporter:
    file: Path

    def __call__(self) -> list[Received]:
        lines = (line.split(" ", 2) for line in self.file.read_text().splitlines() if line)
        return [Received(*line) for line in lines]


def remote_words(stderr: str) -> str:
    """Pick what the hooks of the other side said out of a failed push."""
    lines = (line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:"))
    return "\n".join(line for line in lines if line)
