"""Write commits without a work tree, their messages and patches. Nobody's index is touched.

Everything that goes into a commit is given, dates included, so making it twice gives the same SHA: two makers (a
redelivered webhook, the sweep) meet instead of competing. However many commits there are, one `git fast-import` writes
them.
"""

from __future__ import annotations

import re
from itertools import count, islice
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import CannotJudge, UsageError
from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import WrittenTree, scratch
from onehead.gitrepo.process import explain
from onehead.gitrepo.refs import NO_PROGRAMS
from onehead.gitrepo.tree import parse_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from onehead.revisions.model import FileChange

_NEW_FILE = "100644"
_REF = "refs/heads/written"
"""Where the commits stand while they are made; nobody sees it, and it is gone afterwards."""


class StaleRef(CannotJudge):
    """A ref is not where it was expected to be: somebody moved it meanwhile."""


class UnusableName(UsageError):
    """No branch can have this name, or none as long as another one is there."""


class BranchInUse(CannotJudge):
    """A branch is checked out somewhere, so moving it would change a person's work tree under their hands."""


class Signature(NamedTuple):
    """Who makes a commit and when. `when` must be aware of its time zone; git keeps whole seconds."""

    name: str
    email: str
    when: datetime

    def line(self) -> str:
        """As it stands in a commit."""
        if self.when.tzinfo is None:
            raise ValueError("A signature needs a date with a time zone, or its commit would depend on the machine.")
        name, email = (text.translate(_NOT_IN_A_NAME).strip() for text in (self.name, self.email))
        return f"{name} <{email}> {int(self.when.timestamp())} {self.when:%z}"


_NOT_IN_A_NAME = dict.fromkeys(map(ord, "<>\n\0"))


class MergedIn(NamedTuple):
    """What a commit merges into the one before it: another commit, and the tree of both."""

    theirs: str
    tree: WrittenTree


class CommitDraft(NamedTuple):
    """A commit to be made on top of another one.

    A merge makes its `changes` on top of what git made of both sides. `modes`: path → mode of those files of `changes`
    that exist; `None` where git is to be asked.
    """

    message: str
    changes: Sequence[FileChange] = ()
    merge: MergedIn | None = None
    modes: Mapping[str, str] | None = None


class CommitSeries(NamedTuple):
    """Commits to be made, each on top of the one before, and the first on `start`.

    Zeros of the length of a SHA: it has no parent, and its tree begins empty.
    """

    start: str
    drafts: Sequence[CommitDraft]
    author: Signature
    committer: Signature | None = None


def write_commits(git: Git, *series: CommitSeries) -> list[list[str]]:
    """Make commits and return the SHAs of each series. No ref is moved.

    Files keep their mode (a new one is `100644`); a renamed file takes its mode along.

    Raises:
        ValueError: a change contradicts the tree or itself (deletes or renames what is not there, renames onto
            another file, deletes and renames at once).
    """
    marks = count(1)
    stream = [part for each in series for part in _stream(git, each, marks)]
    with scratch(git, series[0].start, keep=True) as place:
        out = place.git.run("fast-import", "--quiet", "--done", data=b"".join([*stream, b"done\n"]))
    shas = iter(out.decode("ascii").split())
    return [list(islice(shas, len(each.drafts))) for each in series]


def _stream(git: Git, series: CommitSeries, marks: Iterator[int]) -> Iterator[bytes]:
    """Commits as fast-import reads them."""
    author, committer = series.author, series.committer or series.author
    signatures = f"author {author.line()}\ncommitter {committer.line()}\n"
    base, changed = series.start if series.start.strip("0") else "", dict[str, str | None]()
    parent = base
    for draft in series.drafts:
        mark = next(marks)
        if draft.merge is not None:
            base, changed = draft.merge.tree.oid, {each.path: each.mode for each in draft.merge.tree.more}
        existing = _listed(git, base, draft.changes) if draft.modes is None else draft.modes
        modes = _modes(base, draft.changes, existing, changed)
        message = draft.message.encode("utf-8")
        if not parent:  # else it would go on where the last series ended
            yield f"reset {_REF}\n".encode()
        yield f"commit {_REF}\nmark :{mark}\n{signatures}data {len(message)}\n".encode()
        yield message + b"\n"
        if parent:
            yield f"from {parent}\n".encode()
        if draft.merge is not None:
            theirs, (tree, more) = draft.merge
            yield f'merge {theirs}\nM 040000 {tree} ""\n'.encode()
            for entry in more:
                yield f"M {entry.mode} {entry.oid} ".encode() + _quoted(entry.path) + b"\n"
        yield from _changed(draft.changes, modes)
        yield f"\nget-mark :{mark}\n".encode()
        parent = f":{mark}"


def update_ref(git: Git, ref: str, sha: str, expected_old: str | None) -> None:
    """Point a ref, given by its full name, to a commit, if it still is where it was last seen; `None`: nowhere.

    Raises:
        StaleRef: it points elsewhere.
        BranchInUse: the branch is checked out in a work tree.
        UnusableName: it would lie below another ref, or another one lies below it.
        ValueError: the name is not a full one; git would make a stray file of it.
    """
    if not ref.startswith("refs/"):
        raise ValueError(f"{ref!r} is not the full name of a ref.")
    place = _work_tree_of(git, ref)
    if place:
        raise BranchInUse(
            f"`{ref}` is checked out in {place}, and moving it would make that work tree look edited.",
            "Write to another branch and merge it there.",
        )
    old = expected_old if expected_old is not None else "0" * len(sha)
    answer = git.ask("update-ref", "--no-deref", "--end-of-options", ref, sha, old)
    if answer.code == 0:
        return
    if "but expected" in answer.err or "reference already exists" in answer.err or "unable to resolve" in answer.err:
        raise StaleRef(
            f"`{ref}` was changed by somebody else meanwhile, so it was left alone.",
            "Judge the repository again: the repair may look different now.",
        )
    other = re.search(r"'(refs/\S+)' exists; cannot create '", answer.err)
    if other:
        raise UnusableName(
            f"Git can't have both `{ref.removeprefix('refs/heads/')}` and `{other[1].removeprefix('refs/heads/')}`: "
            "one would lie inside the other.",
            _OTHER_NAME,
        )
    raise explain("update-ref", git.directory, answer.code, answer.err)


def is_branch_name(git: Git, name: str) -> bool:
    """Whether a branch can have this name (what `git branch` takes, but nothing that stands for another name)."""
    if name.startswith("-") or name == "HEAD" or "\0" in name:
        return False
    return git.ask("check-ref-format", f"refs/heads/{name}").code == 0


def refuse_bad_name(git: Git, name: str) -> None:
    """Tell a name that no branch can have before any work is done.

    Raises:
        UnusableName: it is one.
    """
    if not is_branch_name(git, name):
        raise UnusableName(f"`{name}` can't be the name of a branch.", _OTHER_NAME)


_OTHER_NAME = "Choose another name with `--onto-branch NAME`, such as onehead/repair."


def _work_tree_of(git: Git, ref: str) -> str | None:
    for record in git.run("worktree", "list", "--porcelain", "-z").decode("utf-8", "surrogateescape").split("\0\0"):
        about = dict(line.split(" ", 1) for line in record.split("\0") if " " in line)
        if about.get("branch") == ref:
            return about["worktree"]
    return None


def _listed(git: Git, base: str, changes: Sequence[FileChange]) -> dict[str, str]:
    """Path → mode of the files of a commit or tree that changes are about; an empty base has none."""
    paths = [path for change in changes for path in (change.path, change.new_path) if path is not None]
    if not paths or not base:
        return {}
    out = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", base, *paths)
    return {path: entry.mode for path, entry in parse_listing(out).items()}


def _modes(
    base: str, changes: Sequence[FileChange], listed: Mapping[str, str], changed: dict[str, str | None]
) -> dict[str, str]:
    """Path → mode of the files that the changes are about and that exist; refuses contradictory changes.

    `listed` says so of `base`, and `changed` what became of files since: the mode, or `None` for what is gone. The
    changes are noted there too.
    """
    existing = {path: mode for path, mode in (dict(listed) | changed).items() if mode is not None}
    for change in changes:
        moves = change.new_path is not None and change.new_path != change.path
        if change.data is None and change.new_path is not None:
            raise ValueError(f"{change.path!r} can't be deleted and renamed at once.")
        if (change.data is None or moves) and change.path not in existing:
            raise ValueError(f"{change.path!r} can't be deleted or renamed: it is not in {base}.")
        if moves and change.new_path in existing:
            raise ValueError(f"{change.path!r} can't be renamed to {change.new_path!r}: that exists in {base}.")
        changed[change.path] = None
        if change.data is not None:
            changed[change.new_path or change.path] = existing.get(change.path, _NEW_FILE)
    return existing


def _changed(changes: Sequence[FileChange], modes: dict[str, str]) -> Iterator[bytes]:
    """Changes as fast-import reads them: removals first, so that a file can give way to a directory."""
    for change in changes:
        if change.path in modes and (change.data is None or change.new_path is not None):
            yield b"D " + _quoted(change.path) + b"\n"
    for change in changes:
        if change.data is not None:
            # Inline, and so without filters: the bytes are final, whatever a person has configured.
            path = _quoted(change.new_path or change.path)
            yield f"M {modes.get(change.path, _NEW_FILE)} inline ".encode() + path + b"\n"
            yield f"data {len(change.data)}\n".encode() + change.data + b"\n"


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode("utf-8", "surrogateescape")


def patch_of(git: Git, sha: str) -> str:
    """The change of one ordinary commit as `git am` and `git apply` take it, message and author included.

    Bytes that are not UTF-8 are shown as replacement characters: such a patch can be read, but not applied.
    """
    out = git.run("format-patch", "-1", "--stdout", "--no-signature", "--full-index", "--binary", *NO_PROGRAMS, sha)
    return out.decode("utf-8", "replace")


WIDTH = 72
"""Characters of a line; a longer word, such as a path, stands on a line of its own."""


def commit_message(subjects: Sequence[str], body: Iterable[str] = ()) -> str:
    """A message whose subject is the first that fits; of the last one, as much as fits is taken.

    Where it is not the first of `subjects`, that one comes before the paragraphs of the body.
    """
    subject = next((each for each in subjects if len(each) <= WIDTH), f"{subjects[-1][: WIDTH - 1]}…")
    paragraphs = [*([] if subject == subjects[0] else [subjects[0]]), *body]
    folded = ["\n".join(wrap(each, WIDTH, break_long_words=False, break_on_hyphens=False)) for each in paragraphs]
    return "\n\n".join([subject, *filter(None, folded)]) + "\n"
