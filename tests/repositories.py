"""Real git repositories for tests, built from dictionaries, without a work tree and with the same SHAs every time.

    repo = Repository(tmp_path / "repo")
    first = repo.commit("main", {"a.py": "x = 1\n"})
    repo.branch("topic", first)
    repo.commit("topic", {"b.py": "y = 2\n", "a.py": None})     # None deletes
    repo.merge("main", "topic")

Every commit is one hour later than the one before it, beginning on 2024-01-01 at noon (UTC).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START = 1704110400
"""Seconds of 2024-01-01T12:00:00Z, when the first commit is made."""
ANN = "Ann Author <ann@example.com>"


class Repository:
    """One repository on disk. Everything given as `at` or `parents` is anything git resolves."""

    def __init__(
        self, path: Path, *, bare: bool = True, object_format: str = "sha1", default_branch: str = "main"
    ) -> None:
        self.path = path
        self._made = 0
        path.mkdir(parents=True, exist_ok=True)
        kind = ["--bare", "--template="] if bare else ["--template="]
        self.git("init", "--quiet", *kind, f"--object-format={object_format}", f"--initial-branch={default_branch}")
        self._home = path if bare else path / ".git"
        (self._home / "hooks").mkdir(exist_ok=True)

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str = "Change",
        *,
        parents: Sequence[str] | None = None,
        author: str = ANN,
        modes: Mapping[str, str] | None = None,
    ) -> str:
        """Commit on a branch and return the SHA.

        Args:
            branch: short name; made if there is none.
            files: path → content, `None` to delete; all other files stay as they are in the first parent.
            message: of the commit.
            parents: instead of the branch's tip; `[]` makes a root.
            author: `Name <email>`.
            modes: path → `100755`, `120000` (the content is the link's target) or `160000` (it is a SHA).
        """
        if parents is None:
            parents = [branch] if self._has(branch) else []
        changes = [_change(path, content, (modes or {}).get(path, "100644")) for path, content in files.items()]
        return self._import(branch, b"".join(changes), message, parents, author)

    def merge(self, branch: str, other: str, message: str = "Merge", *, author: str = ANN) -> str:
        """Merge another commit into a branch, cleanly, and return the SHA of the merge commit."""
        tree = self.git("merge-tree", "--write-tree", branch, other).strip()
        return self._import(branch, f'M 040000 {tree} ""\n'.encode(), message, [branch, other], author)

    def wait(self, hours: int) -> None:
        """Let time pass: the next commit is so much later than it would have been, or earlier."""
        self._made += hours

    def branch(self, name: str, at: str) -> None:
        """Point a branch to a commit."""
        self.git("update-ref", f"refs/heads/{name}", f"{at}^{{commit}}")

    def tag(self, name: str, at: str, message: str = "") -> None:
        """Make a tag, annotated when it has a message."""
        self.git("tag", *(["-a", "-m", message] if message else []), name, at)

    def sha(self, at: str) -> str:
        """The SHA of a commit."""
        return self.git("rev-parse", "--verify", f"{at}^{{commit}}").strip()

    def ref(self, name: str) -> str | None:
        """What a ref with this full name points to."""
        return self.git("for-each-ref", "--format=%(objectname)", name).strip() or None

    def read(self, at: str, path: str) -> str:
        """The text of a file."""
        return self.git("cat-file", "blob", f"{at}:{path}")

    def files(self, at: str) -> list[str]:
        """The paths in a commit."""
        return self.git("ls-tree", "-r", "-z", "--name-only", at).split("\0")[:-1]

    def git(self, *args: str, data: bytes = b"", **variables: str) -> str:
        """Run git here, free of the configuration of whoever runs the tests, and return what it prints."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.path,
            input=data,
            env=environment() | variables,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise AssertionError(f"git {args} failed: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def _import(self, branch: str, changes: bytes, message: str, parents: Sequence[str], author: str) -> str:
        when = f"{START + 3600 * self._made} +0000"
        self._made += 1
        head = f"commit refs/heads/{branch}\nmark :1\nauthor {author} {when}\ncommitter {author} {when}\n".encode()
        text = message.encode()
        # `^0`: the commit that a name stands for, which may be the very branch that is written.
        lineage = "".join(f"{'merge' if n else 'from'} {name}^0\n" for n, name in enumerate(parents)).encode()
        if not parents and self._has(branch):
            self.git("update-ref", "-d", f"refs/heads/{branch}")
        stream = head + b"data %d\n%s\n" % (len(text), text) + lineage + changes + b"\nget-mark :1\n"
        return self.git("fast-import", "--quiet", "--force", data=stream).strip()

    def _has(self, branch: str) -> bool:
        """Whether there is such a branch, without starting git."""
        packed = self._home / "packed-refs"
        return (self._home / "refs/heads" / branch).is_file() or (
            packed.is_file() and f" refs/heads/{branch}\n" in packed.read_text(encoding="utf-8")
        )


def environment() -> dict[str, str]:
    """The environment for git in tests: nobody's configuration, a fixed identity and fixed dates."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return mine | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ann Author",
        "GIT_AUTHOR_EMAIL": "ann@example.com",
        "GIT_AUTHOR_DATE": f"{START} +0000",
        "GIT_COMMITTER_NAME": "Ann Author",
        "GIT_COMMITTER_EMAIL": "ann@example.com",
        "GIT_COMMITTER_DATE": f"{START} +0000",
        "LC_ALL": "C",
    }


def _change(path: str, content: str | bytes | None, mode: str) -> bytes:
    name = path.encode("utf-8", "surrogateescape")
    quoted = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    if content is None:
        return b"D " + quoted + b"\n"
    data = content.encode() if isinstance(content, str) else content
    if mode == "160000":
        return b"M 160000 %s %s\n" % (data, quoted)
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), quoted, len(data), data)
