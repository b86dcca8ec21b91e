"""Who brought a file, where else it is, and what once was there.

Both decide how a fork may be repaired. A revision that has escaped its own branch may be in somebody's database, so
it must never be re-parented; and the person who brought a revision is the one to tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import CannotJudge
from onehead.gitrepo.git import BlobTooLarge, Git, Objects, conversation
from onehead.gitrepo.process import MissingObjects
from onehead.gitrepo.refs import COMMIT_FIELDS, COMMIT_FORMAT, LOG, Commit, Ref, list_refs, merge_bases, parse_commit
from onehead.gitrepo.tree import changes

if TYPE_CHECKING:
    from collections.abc import Collection

_NAMESPACES = ("refs/heads", "refs/remotes", "refs/tags", "refs/pull")
_RECORD = "//commit//"
"""Marks the beginning of a record of `git log`; no path looks like this."""
_MAX_TREE_BYTES = 1 << 26
"""Bytes; no directory that people work with comes near."""


class Holding(NamedTuple):
    """A ref that has at least one of the directories asked for, and directory → object id of its tree there."""

    ref: str
    sha: str
    directories: dict[str, str]


class Presence(NamedTuple):
    """What refs hold, by name, and object id of a tree → path inside it → object id of the file.

    A thousand branches share a handful of trees, so what is derived from a tree (revision ids, say) is best derived
    once for each object id of `trees`.
    """

    holdings: tuple[Holding, ...]
    trees: dict[str, dict[str, str]]


def introduced(
    git: Git, paths: Collection[str], head: str, not_in: Sequence[str], most: int | None = None
) -> dict[str, Commit]:
    """Who brought files to a branch: path → the newest commit that added it under this name; absent where none did.

    A file that a merge commit brought, and none of its parents had, is credited to the merge. In a shallow clone, the
    commits at which history was cut off are credited with nothing: they only seem to add everything.

    `not_in` are SHAs whose history is of no interest (the target). `most`: only so many commits are looked at that
    added something to the directories of the files; `None` for all.
    """
    found = _along_a_line(git, set(paths), head, not_in[0]) if len(not_in) == 1 and git.kept_open is not None else None
    if found is not None:
        return found
    return _added(git, paths, ("--topo-order", "-c", *_at_most(most)), (head, *(f"^{sha}" for sha in not_in)))


_MAX_LINE = 50
"""Commits of a branch that are read in an open conversation; git reads more of them faster."""

_ORDINARY = re.compile(
    rb"tree [0-9a-f]+\nparent ([0-9a-f]+)\n"
    rb"author ([^\s<>](?:[^<>\n]*[^\s<>])?) <([^<>\n]*)> ([0-9]{1,12}) [+-][0-9]{4}\n"
    rb"committer [^\n]+\n(?:gpgsig(?:-sha256)? [^\n]*\n(?: [^\n]*\n)*)?\n\n*([^\0]*)"
)
"""A commit with one parent, as it is stored: all but those with rare headers are so."""


def _along_a_line(git: Git, paths: set[str], head: str, target: str) -> dict[str, Commit] | None:
    """The same from a conversation that is open, where the branch is a line of ordinary commits; `None` elsewhere."""
    bases = merge_bases(git, target, head)
    found: dict[str, Commit] = {}
    sha = head
    for _ in range(_MAX_LINE):
        if [sha] == bases:
            return found
        with conversation(git) as objects:
            _, data = objects.history([sha]).get(sha, ("", b""))
        ordinary = _ORDINARY.fullmatch(data)
        if ordinary is None:
            return None
        parent, name, email, seconds, message = (part.decode("utf-8", "surrogateescape") for part in ordinary.groups())
        added = [path for path, entry in changes(git, sha, parent).items() if entry is None and path in paths]
        if added:
            subject = " ".join(takewhile(bool, map(str.rstrip, message.split("\n"))))
            found = dict.fromkeys(added, parse_commit([sha, name, email, seconds, subject])) | found
        sha = parent
    return None


def renamed(git: Git, commit: str) -> dict[str, str]:
    """New path → old path of the Python files that an ordinary commit has renamed, edits included.

    None is known where git would have to compare files that a mirror was cloned without.
    """
    options = ("-r", "-z", "-M", "--diff-filter=R", "--name-status", "--no-commit-id")
    try:
        out = git.run("diff-tree", *options, commit, "--", _python_below(""))
    except MissingObjects:
        if git.leaves_out() is None:
            raise
        return {}
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return dict(zip(fields[2::3], fields[1::3], strict=True))


def _python_below(directory: str) -> str:
    """A path for git: all that can be a revision file in a directory and below it."""
    escaped = re.sub(r"([\\*?\[])", r"\\\1", directory)
    return f":(top,glob){escaped}/**/*.py" if directory else ":(top,glob)**/*.py"


def _at_most(most: int | None) -> tuple[str, ...]:
    return () if most is None else (f"--max-count={most}",)


def landed(
    git: Git, paths: Collection[str], branch: str, not_in: Sequence[str] = (), most: int | None = None
) -> dict[str, Commit]:
    """How files came onto a branch: path → the commit of its first-parent line that added it under this name.

    For what came through a pull request that is the commit its merge wrote, not the author's own. `not_in` and `most`
    are those of `introduced`.
    """
    return _added(git, paths, ("--first-parent", "-m", *_at_most(most)), (branch, *(f"^{sha}" for sha in not_in)))


def _added(git: Git, paths: Collection[str], walk: Sequence[str], commits: Sequence[str]) -> dict[str, Commit]:
    """Path → the newest of these commits that added it."""
    wanted = set(paths)
    if not wanted:
        return {}
    # Directories, not the files: there are few, while thousands of paths would not fit a command line.
    # `top`, because git takes paths from the directory it runs in.
    places = sorted({f":(top,literal){path.rpartition('/')[0]}" for path in wanted})
    options = (*walk, "--diff-filter=A", "--name-only")
    cut_off = _shallow_commits(git)
    found: dict[str, Commit] = {}
    for commit, added in _log(git, *options, "--end-of-options", *commits, "--", *places):
        if commit.sha not in cut_off:
            for path in added:
                if path in wanted:
                    found.setdefault(path, commit)
    return found


def published_refs(git: Git, *more: str) -> list[Ref]:
    """Every branch, remote branch, tag and pull request, by name; and what stands below `more`."""
    return list_refs(git, *_NAMESPACES, *more)


def presence(git: Git, refs: Collection[Ref], directories: Collection[str], *, recursive: bool = False) -> Presence:
    """What refs hold in some directories, and with `recursive` below them; the empty one is the top.

    Raises:
        CannotJudge: a directory listing is unreasonably large.
    """
    commits = list(dict.fromkeys(ref.sha for ref in refs))
    if not commits:
        return Presence((), {})
    names = [directory.strip("/") for directory in directories]
    with conversation(git) as objects:
        questions = [f"{sha}:{name}" if name else f"{sha}^{{tree}}" for sha in commits for name in names]
        answers = iter(objects.look_up(questions))
        held: dict[str, dict[str, str]] = {}
        for sha in commits:
            infos = [(directory, next(answers)) for directory in directories]
            held[sha] = {directory: info.oid for directory, info in infos if info is not None and info.kind == "tree"}
        tops = {oid for trees in held.values() for oid in trees.values()}
        trees = _read_trees(objects, tops, binary=len(commits[0]) // 2, recursive=recursive)
    return Presence(tuple(Holding(ref.name, ref.sha, held[ref.sha]) for ref in refs if held[ref.sha]), trees)


def _log(git: Git, *args: str) -> list[tuple[Commit, list[str]]]:
    """Commits of `git log`, and the fields that tell of the files of each: paths with `--name-only`.

    Git puts a line feed before the first field of an ordinary commit and an empty field before that of a merge.
    """
    out = git.run(*LOG, "--no-renames", f"--format=%x00{_RECORD}%x00{COMMIT_FORMAT}", *args)
    fields = iter(out.decode("utf-8", "surrogateescape").split("\0"))
    found: list[tuple[Commit, list[str]]] = []
    first = False
    for field in fields:
        if field == _RECORD:
            found.append((parse_commit([next(fields) for _ in range(COMMIT_FIELDS)]), []))
            first = True
            continue
        if field:
            found[-1][1].append(field.removeprefix("\n") if first else field)
        first = False
    return found


def _shallow_commits(git: Git) -> set[str]:
    _, file = git.places()
    try:
        with open(file, encoding="ascii") as opened:  # noqa: PTH123 - pathlib takes 6 ms to load
            return set(opened.read().split())
    except FileNotFoundError:
        return set()


def _read_trees(objects: Objects, tops: set[str], binary: int, *, recursive: bool) -> dict[str, dict[str, str]]:
    blobs: dict[str, dict[str, str]] = {}
    folders: dict[str, dict[str, str]] = {}
    waiting = sorted(tops)
    while waiting:
        for oid, data in objects.contents(waiting, _MAX_TREE_BYTES):
            if isinstance(data, BlobTooLarge):
                raise CannotJudge(
                    f"The directory listing {oid[:10]} has {data.size} bytes, too many to be looked through.",
                    "Remove the branch or tag that holds it.",
                )
            blobs[oid], folders[oid] = _parse_tree(data, binary)
        below = {child for oid in waiting for child in folders[oid].values()} if recursive else set()
        waiting = sorted(below - blobs.keys())
    if recursive:
        return {oid: _flatten(oid, blobs, folders) for oid in tops}
    return blobs


def _flatten(oid: str, blobs: dict[str, dict[str, str]], folders: dict[str, dict[str, str]]) -> dict[str, str]:
    files = dict(blobs[oid])
    for name, child in folders[oid].items():
        files.update({f"{name}/{path}": blob for path, blob in _flatten(child, blobs, folders).items()})
    return files


def _parse_tree(data: bytes, binary: int) -> tuple[dict[str, str], dict[str, str]]:
    """A raw tree object, as name → id of its files and of its directories; `binary` is the length of an id."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for mode, name, oid in re.findall(rb"(\d+) ([^\0]+)\0(.{%d})" % binary, data, re.DOTALL):
        if mode != b"160000":  # a submodule holds no files of this repository
            which = folders if mode == b"40000" else files
            which[name.decode("utf-8", "surrogateescape")] = oid.hex()
    return files, folders


_MAX_COMMITS = 50


class Vanished(NamedTuple):
    """A commit that took a text out of a file: object ids of the file before and after; `None` where it was deleted."""

    commit: Commit
    path: str
    before: str
    after: str | None


def vanished(git: Git, text: str, directories: Sequence[str]) -> list[Vanished]:
    """Commits that removed a text from Python files below some directories, the newest first; merges are passed over.

    Nothing in the text has a meaning. The directory `""` is the top.

    Raises:
        FilesLeftOut: git has to read files that a mirror was cloned without.
    """
    if not text or "\0" in text:
        return []
    paths = [_python_below(directory) for directory in directories]
    options = ("--all", "--diff-filter=DM", "--raw", "--no-abbrev", f"--max-count={_MAX_COMMITS}")
    try:
        commits = _log(git, *options, f"-S{text}", "--", *paths)
    except MissingObjects:
        from onehead.gitrepo.left_out import refuse_left_out_of_history  # noqa: PLC0415 - hardly ever needed

        refuse_left_out_of_history(git, paths)
        raise
    found = []
    for commit, fields in commits:
        for about, path in zip(fields[::2], fields[1::2], strict=True):
            _, _, before, after, _ = about.split(" ")
            found.append(Vanished(commit, path, before, after if after.strip("0") else None))
    return found
