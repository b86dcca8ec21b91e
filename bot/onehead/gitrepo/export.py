"""The files of a commit in a folder of their own, and a person's work tree as a tree that git can be asked about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onehead.errors import UsageError
from onehead.gitrepo.command import Git
from onehead.gitrepo.scratch import scratch


def export(git: Git, treeish: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder, as a checkout would; the repository is not touched.

    Filters of a person's configuration don't run, so large files of git-lfs stay pointers. Submodules stay empty.

    Raises:
        OneheadError: an unknown commit, missing objects.
    """
    with scratch(git, _object_format(git), keep=False) as place:
        place.git.run("read-tree", treeish)
        place.git.variant(environment={"GIT_WORK_TREE": str(folder)}).run(
            "checkout-index", "--all", "--quiet", f"--prefix={folder}{os.sep}"
        )


@contextmanager
def work_tree(git: Git) -> Iterator[tuple[Git, str]]:
    """A work tree as it is, with what is not committed: a door to git that knows it, and the SHA of its tree.

    What git ignores and does not track is left out; submodules are as they are in the index. The person's index and
    objects are not touched.

    Raises:
        UsageError: there is no work tree.
    """
    top = top_of(git)
    if top is None:
        raise UsageError(f"{git.directory} has no work tree.", "Name the commit with `--at REF`.")
    with scratch(git, _object_format(git), keep=False) as place:
        index = git.run("rev-parse", "--path-format=absolute", "--git-path", "index")
        known = Path(os.fsdecode(index.removesuffix(b"\n")))
        if known.exists():
            shutil.copyfile(known, Path(place.git.environment()["GIT_DIR"]) / "index")
        inside = place.git.variant(environment={"GIT_WORK_TREE": str(top)})
        # From the top: added is what lies below the directory in which git runs. What can't be read stays as it was,
        # and so do submodules: git would ask each for its state in a process that runs the filters it configures.
        listed = inside.run("ls-files", "-z", "--stage").split(b"\0")
        links = [record.partition(b"\t")[2] for record in listed if record.startswith(b"160000 ")]
        paths = b"\0".join([b".", *(b":(exclude,top,literal)" + link for link in links), b""])
        options = ("--all", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
        inside.ask("-C", str(top), "add", *options, data=paths)
        yield place.git, inside.run("write-tree").decode("ascii").strip()


def top_of(git: Git) -> Path | None:
    """The top of the work tree; `None` in a bare repository.

    Raises:
        OneheadError: there is no repository.
    """
    git.places()
    answer = git.ask("rev-parse", "--show-toplevel")
    return Path(os.fsdecode(answer.out.removesuffix(b"\n"))) if answer.code == 0 and answer.out.strip() else None


def _object_format(git: Git) -> str:
    return git.run("rev-parse", "--show-object-format").decode("ascii").strip()
