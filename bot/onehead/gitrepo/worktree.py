"""A person's checkout: what it holds beside its commit, and the command that takes a repair into it.

Names and content are compared here, for git's own comparison may run filters that the configuration names.
"""

# `check` runs in every commit, and pathlib takes as long to load as a hundred revisions to read.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import UsageError
from onehead.gitrepo.git import has_work_tree
from onehead.gitrepo.merge import scratch
from onehead.gitrepo.process import as_typed
from onehead.gitrepo.tree import SUBMODULE, SYMLINK

if TYPE_CHECKING:
    from pathlib import Path

    from onehead.gitrepo.git import Git
    from onehead.gitrepo.tree import Entry

_MAX_COMPARED = 50
"""Files whose content is compared, those changed last first: what was just edited is among them."""
_MAX_BYTES = 8 * 1024 * 1024


def checked_out(git: Git) -> tuple[str, str] | None:
    """The top of the work tree and the commit that is checked out there; `None` for a bare repository."""
    if not has_work_tree(git.directory):
        return None
    answer = git.ask("rev-parse", "--show-toplevel", "--verify", "HEAD")
    lines = os.fsdecode(answer.out).split("\n")
    return (lines[0], lines[1]) if answer.code == 0 and len(lines) > 1 else None


def uncommitted(
    top: str,
    entries: Mapping[str, Entry],
    folders: Mapping[str, bool],
    counts: Callable[[str], bool],
) -> list[str]:
    """Files of some directories of the work tree that are not in the commit, or not as they are there; sorted.

    `folders`: directory → whether its sub-folders count too. `counts` says whether a file of this name is looked at.
    """
    found, known = [], []
    for path, changed in _files(top, folders, counts):
        if path in entries:
            known.append((-changed, path))
        else:
            found.append(path)
    found += [path for _, path in sorted(known)[:_MAX_COMPARED] if _differs(os.path.join(top, path), entries[path])]
    return sorted(found)


def _files(top: str, folders: Mapping[str, bool], counts: Callable[[str], bool]) -> Iterator[tuple[str, int]]:
    """Path and time of the last change."""
    todo = dict(folders)
    while todo:
        folder, deep = todo.popitem()
        with suppress(OSError), os.scandir(os.path.join(top, folder)) as items:
            for item in items:
                path = f"{folder}/{item.name}" if folder else item.name
                if item.is_file(follow_symlinks=False):
                    if counts(item.name):
                        yield path, item.stat(follow_symlinks=False).st_mtime_ns
                elif deep and item.is_dir(follow_symlinks=False) and item.name not in (".git", "__pycache__"):
                    todo[path] = True


def _differs(file: str, entry: Entry) -> bool:
    """Whether a file is not what the commit holds; other line ends are no difference, for git may write them."""
    from hashlib import sha1, sha256  # noqa: PLC0415 - only where there is a work tree

    if entry.mode in (SYMLINK, SUBMODULE):
        return False
    try:
        with open(file, "rb") as opened:
            data = opened.read(_MAX_BYTES)
    except OSError:
        return False
    make = sha1 if len(entry.oid) == 40 else sha256
    forms = (data, data.replace(b"\r\n", b"\n"))
    return entry.oid not in {make(b"blob %d\0%b" % (len(form), form)).hexdigest() for form in forms}


class _Here(NamedTuple):
    """What a repository has, and what is checked out here: the short name of a branch, and a commit; empty for none.

    `elsewhere`: short name of each local branch → the other work tree where it is checked out, or empty. `others`: full
    names of all other refs.
    """

    is_bare: bool
    current: str
    head: str
    elsewhere: dict[str, str]
    others: frozenset[str]


def taking(git: Git, ref: str, sha: str, branch: str) -> str:
    """The command, as typed here, that brings a branch (by its short name) into the one that it grew from.

    Empty where a bare repository has no such branch: then the new branch is all there is to take. `ref` is what was
    repaired, as it was named (a branch, a branch of a remote, `HEAD`, any commit), and `sha` what that means.
    """
    here, place = _here(git), git.directory
    name, remote = _branch_of(git, here, ref)
    # A tag of that name, or a name such as `@` or that of a commit, goes before the branch.
    merge = ("merge", branch if full_name(git, branch) == f"refs/heads/{branch}" else f"refs/heads/{branch}")
    if not name:
        if here.head == sha and not here.is_bare:
            return as_typed(place, *merge)
        return "" if here.is_bare else as_typed(place, "switch", branch)
    if name == here.current and not here.is_bare:
        return as_typed(place, *merge)
    if here.elsewhere.get(name):
        return as_typed(here.elsewhere[name], *merge)
    if here.is_bare:
        return as_typed(place, "fetch", ".", f"refs/heads/{branch}:refs/heads/{name}")
    switch = ("switch", name) if name in here.elsewhere else ("switch", "--create", name, "--track", remote)
    return f"{as_typed(place, *switch)} && {as_typed(place, *merge)}"


def _here(git: Git) -> _Here:
    form = "%(refname)%00%(HEAD)%00%(worktreepath)"
    current, elsewhere, others = "", {}, []
    for line in git.run("for-each-ref", f"--format={form}").decode("utf-8", "surrogateescape").split("\n")[:-1]:
        name, mark, tree = line.split("\0")
        if not name.startswith("refs/heads/"):
            others.append(name)
            continue
        short = name.removeprefix("refs/heads/")
        current = short if mark == "*" else current
        elsewhere[short] = "" if mark == "*" else tree
    is_bare = git.run("rev-parse", "--is-bare-repository").strip() == b"true"
    head = git.ask("rev-parse", "--verify", "--quiet", "HEAD").out.decode("ascii", "replace").strip()
    return _Here(is_bare, current, head, elsewhere, frozenset(others))


def _branch_of(git: Git, here: _Here, ref: str) -> tuple[str, str]:
    """The local branch that a name stands for, and the remote's branch that it comes from; both may be empty."""
    full = full_name(git, ref)
    if not full:  # a name that only a remote has, which `resolve` takes too
        named = [other for other in here.others if other.startswith("refs/remotes/") and other.endswith(f"/{ref}")]
        full = next((name for name in sorted(named, key=lambda name: (name.split("/")[2] != "origin", name))), "")
    if full.startswith("refs/heads/"):
        return full.removeprefix("refs/heads/"), ""
    if full.startswith("refs/remotes/"):
        return full.split("/", 3)[3], full.removeprefix("refs/remotes/")
    return "", ""


def full_name(git: Git, name: str) -> str:
    """Of the ref that git takes a name for; empty where it is none."""
    answer = git.ask("rev-parse", "--verify", "--quiet", "--symbolic-full-name", "--end-of-options", name)
    return answer.out.decode("utf-8", "surrogateescape").strip()


def export(git: Git, treeish: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder, as a checkout would; the repository is not touched.

    Filters of a person's configuration don't run, so large files of git-lfs stay pointers. Submodules stay empty.
    """
    with scratch(git, _any_id(git), keep=False) as place:
        place.git.run("read-tree", treeish)
        place.git.variant(environment={"GIT_WORK_TREE": str(folder)}).run(
            "checkout-index", "--all", "--quiet", f"--prefix={folder}{os.sep}"
        )


@contextmanager
def work_tree(git: Git, folders: Collection[str] | None = None) -> Iterator[tuple[Git, str]]:
    """A work tree as it is, with what is not committed: git with it, and the SHA of its tree.

    What git ignores and does not track is left out; submodules are as they are in the index. With `folders`, files that
    git does not track count in these alone. The person's index and objects are not touched.

    Raises:
        UsageError: there is no work tree.
    """
    top = top_of(git)
    if top is None:
        raise UsageError(f"{git.directory} has no work tree.", "Name the commit with `--at REF`.")
    with scratch(git, _any_id(git), keep=False) as place:
        index = git.run("rev-parse", "--path-format=absolute", "--git-path", "index")
        with suppress(FileNotFoundError):
            from shutil import copyfile  # noqa: PLC0415

            copyfile(os.fsdecode(index.removesuffix(b"\n")), os.path.join(place.git.environment()["GIT_DIR"], "index"))
        inside = place.git.variant(environment={"GIT_WORK_TREE": str(top)})
        # From the top: added is what lies below the directory in which git runs. What can't be read stays as it was,
        # and so do submodules: git would ask each for its state in a process that runs the filters it configures.
        listed = inside.run("ls-files", "-z", "--stage").split(b"\0")
        links = [record.partition(b"\t")[2] for record in listed if record.startswith(b"160000 ")]
        left_out = [b":(exclude,top,literal)" + link for link in links]

        def add(option: str, *paths: bytes) -> None:
            options = (option, "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
            inside.ask("-C", str(top), "add", *options, data=b"\0".join([*paths, *left_out, b""]))

        add("--all" if folders is None else "--update", b".")
        for folder in filter(lambda folder: (top / folder).is_dir(), folders or ()):
            add("--all", b":(top,literal)" + os.fsencode(folder))
        yield place.git, inside.run("write-tree").decode("ascii").strip()


@contextmanager
def work_commit(git: Git, folders: Collection[str]) -> Iterator[tuple[Git, str | None]]:
    """The same as a commit on top of HEAD, and the repository of the person with that commit in it; `None` if bare.

    What is written or fetched there meanwhile is gone afterwards, the commit too.
    """
    if top_of(git) is None:
        with scratch(git, _any_id(git), keep=False) as place:
            yield _beside(git, place.git), None
        return
    with work_tree(git, folders) as (inside, tree):
        head = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}").out.decode("ascii", "replace").strip()
        maker = inside.variant(environment=_NOBODY)
        parent = ("-p", head) if head else ()
        yield _beside(git, inside), maker.run("commit-tree", *parent, "-m", "Work tree", tree).decode("ascii").strip()


_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "nobody"), ("EMAIL", "nobody@noreply.invalid"), ("DATE", "1000000000 +0000"))
}


def _beside(git: Git, inside: Git) -> Git:
    """A repository that sees the objects of a throw-away one too, and writes new ones there."""
    variables = inside.environment()
    names = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
    return git.variant(environment={name: variables[name] for name in names})


def top_of(git: Git) -> Path | None:
    """The top of the work tree; `None` in a bare repository."""
    from pathlib import Path  # noqa: PLC0415

    git.places()
    answer = git.ask("rev-parse", "--show-toplevel")
    return Path(os.fsdecode(answer.out.removesuffix(b"\n"))) if answer.code == 0 and answer.out.strip() else None


def _any_id(git: Git) -> str:
    """What is as long as the ids of objects here."""
    form = git.run("rev-parse", "--show-object-format").strip()
    return "0" * (64 if form == b"sha256" else 40)
