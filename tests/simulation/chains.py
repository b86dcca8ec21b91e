"""An oracle: what the migrations of a tree are, told by Alembic's own graph and not by onehead's.

The files are those that the walk itself wrote, so they may be run, as Alembic runs them.
"""

from __future__ import annotations

import subprocess
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from alembic.script.revision import Revision, RevisionMap

from tests.migrations import VERSIONS
from tests.standin import gitside

Seen = dict[str, tuple[str, tuple[str, ...]] | None]
"""Blob → the id and parents that it declares; `None` where it declares none."""


class Revised(NamedTuple):
    """One revision file."""

    path: str
    blob: str
    id: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Chain:
    """The revisions of one tree, by path; two files may declare one id."""

    files: tuple[Revised, ...]

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(each.id for each in self.files)

    @cached_property
    def twice(self) -> frozenset[str]:
        """Ids that more than one file declares."""
        count = Counter(each.id for each in self.files)
        return frozenset(id_ for id_, times in count.items() if times > 1)

    @cached_property
    def missing(self) -> frozenset[str]:
        """Parents that no file declares."""
        return frozenset(parent for each in self.files for parent in each.parents if parent not in self.ids)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """What `alembic heads` prints; only of a chain that is whole."""
        assert not self.missing
        revisions = [Revision(each.id, each.parents or None) for each in self.files]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ids that are there twice
            return tuple(sorted(RevisionMap(lambda: revisions).heads))

    @property
    def is_whole(self) -> bool:
        return not self.missing and not self.twice


class Merged(NamedTuple):
    """What git makes of a target and a branch; `conflicts` are paths outside of the migrations."""

    chain: Chain
    conflicts: frozenset[str]


class Reader:
    """Reads chains out of one bare repository; what was read once is remembered."""

    def __init__(self, path: Path, seen: Seen) -> None:
        self._path = path
        self._seen = seen  # by blob; shared between repositories
        self._chains: dict[str, Chain] = {}
        self._merges: dict[tuple[str, str], Merged] = {}
        self._trees: dict[str, str] = {}
        self._authors: dict[str, str] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._grown: dict[tuple[str, str], bool] = {}

    def author(self, commit: str) -> str:
        """The e-mail address of a commit's author."""
        if commit not in self._authors:
            self._authors[commit] = gitside.text(self._path, "log", "-1", "--format=%ae", commit)
        return self._authors[commit]

    def file(self, commit: str, path: str) -> str:
        """The text of a file; empty where there is none."""
        if (commit, path) not in self._files:
            found = gitside.text(self._path, "ls-tree", "--full-tree", commit, path)
            text = gitside.run(self._path, "cat-file", "blob", found.split()[2]).decode() if found else ""
            self._files[commit, path] = text
        return self._files[commit, path]

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is part of the history of another one."""
        if (tip, commit) not in self._grown:
            self._grown[tip, commit] = gitside.succeeds(self._path, "merge-base", "--is-ancestor", commit, tip)
        return self._grown[tip, commit]

    def tree(self, commit: str) -> str:
        """The id of a commit's tree."""
        if commit not in self._trees:
            self._trees[commit] = gitside.text(self._path, "rev-parse", f"{commit}^{{tree}}")
        return self._trees[commit]

    def chain(self, treeish: str) -> Chain:
        """The chain of a commit or tree, by its full id."""
        if treeish not in self._chains:
            listing = gitside.text(self._path, "ls-tree", "-r", "--full-tree", treeish, f"{VERSIONS}/")
            entries = [line.split(None, 3) for line in listing.splitlines()]
            self._chains[treeish] = self._of({(path, blob) for _, _, blob, path in entries})
        return self._chains[treeish]

    def _by_path(self, treeish: str) -> dict[str, Revised]:
        return {each.path: each for each in self.chain(treeish).files}

    def merged(self, target: str, head: str) -> Merged:
        """The chain as it would be once merged; in a conflict both sides' files count."""
        key = target, head
        if key not in self._merges:
            command = ["git", "merge-tree", "--write-tree", "-z", "--no-messages", target, head]
            run = subprocess.run(command, cwd=self._path, env=gitside.environment(), capture_output=True, check=False)
            assert run.returncode in (0, 1), run.stderr
            tree, *rest = [field for field in run.stdout.decode().split("\0") if field]
            sides = [line.replace("\t", " ").split(" ", 3) for line in rest]
            entries = {(each.path, each.blob) for each in self.chain(tree).files}
            conflicted = {path for *_, path in sides}
            # Of a file that both renamed, git shows what it made of the two contents; what each side has is asked for.
            own = {"2": self._by_path(target), "3": self._by_path(head)}
            both = set()
            for _, blob, stage, path in sides:
                if stage in own and path.startswith(VERSIONS):
                    ours, here = own["2"].get(path), own[stage].get(path)
                    # Two versions of one file that declare one id will be one revision, whatever a person makes of it.
                    if stage == "2" or ours is None or here is None or here.id != ours.id:
                        both.add((path, here.blob if here is not None else blob))
            entries = {entry for entry in entries if entry[0] not in conflicted} | both
            outside = frozenset(path for path in conflicted if not path.startswith(VERSIONS))
            self._merges[key] = Merged(self._of(entries), outside)
        return self._merges[key]

    def _of(self, entries: set[tuple[str, str]]) -> Chain:
        self._run({blob for _, blob in entries if blob not in self._seen})
        files = []
        for path, blob in sorted(entries):
            declared = self._seen[blob]
            if declared is not None and path.endswith(".py"):
                files.append(Revised(path, blob, *declared))
        return Chain(tuple(files))

    def _run(self, blobs: set[str]) -> None:
        """Run files as Alembic does, and take what they declare; conflict markers declare nothing."""
        if not blobs:
            return
        order = sorted(blobs)
        output = gitside.run(self._path, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in order).encode())
        for blob in order:
            header, _, output = output.partition(b"\n")
            size = int(header.split()[2])
            content, output = output[:size], output[size + 1 :]
            self._seen[blob] = _declared(content)


def _declared(content: bytes) -> tuple[str, tuple[str, ...]] | None:
    module: dict[str, object] = {}
    try:
        exec(compile(content, "revision", "exec"), module)  # noqa: S102 - written by the walk itself
    except SyntaxError:
        return None
    parents = module["down_revision"]
    match parents:
        case None:
            return str(module["revision"]), ()
        case str():
            return str(module["revision"]), (parents,)
        case tuple() | list():
            return str(module["revision"]), tuple(str(parent) for parent in parents)
    raise AssertionError(f"not a down_revision: {parents!r}")
