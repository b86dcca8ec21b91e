"""Which commit a name means, how commits are related, and who made them."""

from __future__ import annotations

import os
import re
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.process import (
    AmbiguousRef,
    EmptyRepository,
    GitFailed,
    MissingObjects,
    ShallowHistory,
    UnknownRef,
    as_typed,
    explain,
    is_oid,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from onehead.gitrepo.git import Git

HEADS = "refs/heads/"
"""What the full names of branches begin with."""
PULLS = "refs/pull/"
"""What those begin with under which a forge keeps pull requests, also closed ones."""
DEFAULT_BRANCHES = ("main", "master", "develop")
"""What people call the branch that the others are merged into, where nothing else tells."""
LATEST = 253402300799
"""The last second a `datetime` can hold; a hostile commit may claim a later one."""


class Ref(NamedTuple):
    """A full name (`refs/heads/main`) and the commit it points to (a tag is followed to its commit)."""

    name: str
    sha: str


def head_of_pull(number: int) -> str:
    """The full name under which a forge keeps what a pull request proposes."""
    return f"{PULLS}{number}/head"


class Commit(NamedTuple):
    """Who made a commit, when (in UTC) and what for; the subject is the first paragraph of the message, in one line."""

    sha: str
    author_name: str
    author_email: str
    date: datetime
    subject: str

    @property
    def pull(self) -> int | None:
        """The number of the pull request that this brings, by its subject; `None` where that names none.

        Forgejo and Gitea write "Merge pull request 'Title' (#12) from a/b into main", and end a squash with `(#12)`;
        GitHub writes "Merge pull request #12 from a/b", Bitbucket "(pull request #12)". The title may name issues
        before it. Anybody can write that: it is shown, and nothing follows from it.
        """
        found = _BRINGS.fullmatch(self.subject) if len(self.subject) <= _MAX_SUBJECT else None
        return None if found is None else int(next(filter(None, found.groups())))


_MAX_SUBJECT = 1000
_BRINGS = re.compile(
    r"Merge pull request '.*' \(#(\d{1,9})\) from \S+(?: into \S+)?|Merge pull request #(\d{1,9}) from .*"
    r"|.*\(pull request #(\d{1,9})\)|.* \(#(\d{1,9})\)",
    re.ASCII,
)


def resolve(git: Git, ref: str) -> str:
    """The SHA of the commit that a name means.

    Takes whatever git takes (branch, tag, SHA, `HEAD~2`, `origin/main` …), and a branch name that exists only on a
    remote, because a CI checkout often has no local branches.

    Raises:
        UnknownRef: it means no commit.
        AmbiguousRef: a branch, a tag or several SHAs compete for it and differ. Git would silently take the tag.
        EmptyRepository: there is no commit at all.
    """
    if not ref or "\0" in ref:
        raise _unknown(git, ref)
    answer = git.ask("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    sha = answer.out.decode("ascii", "replace").strip()
    if answer.code == 0 and is_oid(sha):
        if "is ambiguous" in answer.err and not is_oid(ref):
            _refuse_rivals(git, ref)
        return sha
    trouble = explain("rev-parse", git.directory, answer.code, answer.err)
    if not isinstance(trouble, GitFailed | MissingObjects):
        raise trouble
    if "is ambiguous" in answer.err:
        raise AmbiguousRef(ref, f"Several commits begin with `{ref}`.", "Write more digits of the SHA.")
    found = _on_a_remote(git, ref)
    if found is None:
        raise _unknown(git, ref)
    return found


def list_refs(git: Git, *prefixes: str) -> list[Ref]:
    """All refs below the prefixes (`refs/heads`, `refs/tags`, `refs/remotes/origin` …; default: all), by name.

    Numbers in names count as such: `pull/9` comes before `pull/10`.
    Symbolic refs such as `refs/remotes/origin/HEAD`, and tags of something else than a commit, are left out.
    """
    form = "%(refname)%00%(symref)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"
    out = git.run("for-each-ref", "--sort=version:refname", f"--format={form}", *prefixes)
    found = []
    for line in out.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        name, symref, kind, sha, peeled_kind, peeled = line.split("\0")
        if symref:
            continue
        if kind == "commit":
            found.append(Ref(name, sha))
        elif peeled_kind == "commit":
            found.append(Ref(name, peeled))
    return found


def current_branch(git: Git) -> str | None:
    """Full name of the branch HEAD is on, born or not; `None` when HEAD is detached."""
    answer = git.ask("symbolic-ref", "--quiet", "HEAD")
    if answer.code == 0:
        return answer.out.decode("utf-8", "surrogateescape").strip()
    if answer.code == 1:
        return None
    raise explain("symbolic-ref", git.directory, answer.code, answer.err)


def destination(git: Git) -> Ref | None:
    """The branch that HEAD would be merged into, as far as the repository itself tells; `None` when it does not.

    In this order: the default branch of the remote (of the current branch's remote, else `origin`, else the only
    one), its `main`, `master` or `develop`, and then the local one of that name.
    """
    refs, heads_of, remotes, own_remote = {}, {}, set(), ""
    form = "%(HEAD)%00%(refname)%00%(objectname)%00%(symref)%00%(upstream:remotename)"
    out = git.run("for-each-ref", f"--format={form}", "refs/heads", "refs/remotes")
    for line in out.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        here, name, sha, symref, upstream = line.split("\0")
        refs[name] = sha
        if here == "*":
            own_remote = upstream
        if name.startswith("refs/remotes/"):
            remotes.add(name.split("/")[2])
            if symref and name.endswith("/HEAD"):
                heads_of[name.split("/")[2]] = symref
    preferred = [own_remote, "origin", *(remotes if len(remotes) == 1 else ())]
    remote = next((name for name in preferred if name in remotes), None)
    candidates = [heads_of.get(remote, "")] if remote else []
    candidates += [f"refs/remotes/{remote}/{branch}" for branch in DEFAULT_BRANCHES]
    candidates += [f"refs/heads/{branch}" for branch in DEFAULT_BRANCHES]
    return next((Ref(name, refs[name]) for name in candidates if name in refs), None)


def merge_base(git: Git, one: str, other: str) -> str | None:
    """The best common ancestor of two commits (one of the best, when their histories cross); `None` if unrelated.

    Raises:
        ShallowHistory: none is found, but the clone is shallow, so there may be one.
    """
    return next(iter(merge_bases(git, one, other)), None)


def merge_bases(git: Git, one: str, other: str) -> list[str]:
    """All of the best common ancestors of two commits: several when their histories cross, none if unrelated.

    Raises:
        ShallowHistory: none is found, but the clone is shallow, so there may be one.
    """
    near = _near_base(git, one, other)
    if near is not None:
        return [near]
    answer = git.ask("merge-base", "--all", "--end-of-options", one, other)
    if answer.code == 0:
        return answer.out.decode("ascii").split()
    if answer.code != 1:
        raise explain("merge-base", git.directory, answer.code, answer.err)
    if is_shallow(git):
        raise ShallowHistory(
            f"The common history of {one[:10]} and {other[:10]} is not in this shallow clone, "
            "so their merge can't be judged.",
            _deepen(git),
        )
    return []


_MAX_WALKED = 500
"""Commits that are looked at here for a common ancestor: so many lie between two branches that people work on."""

_ONE, _OTHER, _BENEATH = 1, 2, 4

_PARENTS = re.compile(rb"tree [0-9a-f]+\n((?:parent [0-9a-f]+\n)*)")
_COMMITTED = re.compile(rb"^committer .*> ([0-9]{1,18}) ", re.MULTILINE)


def _near_base(git: Git, one: str, other: str) -> str | None:
    """The only best common ancestor, found in a conversation that is open already; `None`: git is to say.

    As git does it: walk down from both, the youngest commit first, and note from where each is reached. What is
    reached from both is common; what lies beneath it is common too, and not the best. When nothing else is left to
    walk, every best one was seen, whatever the dates are. Where several were, it takes git to compare them.
    """
    if git.kept_open is None or os.path.exists(git.places()[1]):  # noqa: PTH110 - pathlib takes 6 ms to load
        return None
    reached: dict[str, int] = {}
    parents: dict[str, list[str]] = {}
    queue: list[tuple[int, str]] = []
    common = set()
    todo = [(one, _ONE), (other, _OTHER)]
    with git.kept_open as objects:
        while True:
            for sha, sides in todo:
                known = reached.get(sha, 0)
                if known | sides == known:
                    continue
                kind, data = objects.history([sha]).get(sha, ("", b""))
                header = _PARENTS.match(data)
                if kind != "commit" or header is None or len(reached) > _MAX_WALKED:
                    return None
                reached[sha] = known | sides
                parents[sha] = header[1].decode("ascii").split()[1::2]
                when = _COMMITTED.search(data)
                heappush(queue, (-int(when[1]) if when else 0, sha))
            if all(reached[sha] & _BENEATH for _, sha in queue):
                break
            _, sha = heappop(queue)
            sides = reached[sha]
            if sides == _ONE | _OTHER:
                common.add(sha)
                sides |= _BENEATH
            todo = [(parent, sides) for parent in parents[sha]]
    best = [sha for sha in common if not reached[sha] & _BENEATH]
    return best[0] if len(best) == 1 else None


def is_ancestor(git: Git, ancestor: str, descendant: str) -> bool:
    """Whether one commit is reachable from another (a commit is its own ancestor).

    Raises:
        ShallowHistory: it is not found, but the clone is shallow, so it may be.
    """
    answer = git.ask("merge-base", "--is-ancestor", "--end-of-options", ancestor, descendant)
    if answer.code == 0:
        return True
    if answer.code != 1:
        raise explain("merge-base", git.directory, answer.code, answer.err)
    if is_shallow(git):
        raise ShallowHistory(
            f"This shallow clone can't show whether {ancestor[:10]} is part of {descendant[:10]}.", _deepen(git)
        )
    return False


def reached(git: Git, commits: Collection[str], head: str) -> frozenset[str]:
    """Those of some commits that are part of one commit's history, found by one walk for all of them.

    A shallow clone does not hold all of that history: there, commits may be missing from the answer.
    """
    return frozenset(commits) - _between(git, head, commits) if commits else frozenset()


def reaching(git: Git, commits: Collection[str], ancestor: str) -> frozenset[str]:
    """Those of some commits that have one commit in their history, found by one walk for all of them.

    A shallow clone does not hold all of their history: there, commits may be missing from the answer.
    """
    wanted = frozenset(commits)
    return wanted & (_between(git, ancestor, wanted, "--ancestry-path") | {ancestor}) if wanted else wanted


def _between(git: Git, old: str, new: Iterable[str], *options: str) -> frozenset[str]:
    """Commits that some reach and an old one does not."""
    asked = "\n".join((*sorted(new), f"^{old}", ""))
    return frozenset(git.run("rev-list", *options, "--stdin", data=asked.encode("ascii")).decode("ascii").split())


def is_here(git: Git, sha: str) -> bool:
    """Whether a commit is in the repository."""
    return git.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0


def is_shallow(git: Git) -> bool:
    """Whether history was cut off when the repository was cloned."""
    return git.run("rev-parse", "--is-shallow-repository").strip() == b"true"


def fetch_everything(git: Git) -> str:
    """The command, as typed here, that brings what a clone lacks: each branch and all of its history.

    `git fetch --unshallow` alone is not it: it fails in a whole clone, and in a clone of one branch it brings no other.
    Empty where the clone has no remote, or several and none of them is origin.
    """
    remotes = git.run("remote").decode("utf-8", "surrogateescape").split("\n")[:-1]
    remote = "origin" if "origin" in remotes or len(remotes) != 1 else remotes[0]
    if remote not in remotes:
        return ""
    depth = ["--unshallow"] if is_shallow(git) else []
    return as_typed(git.directory, "fetch", *depth, remote, f"+refs/heads/*:refs/remotes/{remote}/*")


def _deepen(git: Git) -> str:
    command = fetch_everything(git)
    if not command:
        return "Clone it again, with the whole history: without `--depth`."
    return f"Fetch the whole history (`{command}`; in CI: `fetch-depth: 0` for the checkout step) and try again."


def _is_narrow(git: Git) -> bool:
    """Whether fetches bring chosen branches only, as in a clone of a single branch."""
    chosen = git.ask("config", "--get-regexp", r"^remote\..*\.fetch$").out.split()[1::2]
    return bool(chosen) and not any(each.partition(b":")[0].endswith((b"refs/heads/*", b"refs/*")) for each in chosen)


NO_PROGRAMS = ("--no-ext-diff", "--no-textconv")
"""For whatever compares files: programs of a configuration don't take part."""
LOG = ("log", "-z", "--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8", *NO_PROGRAMS)
"""`git log` without what a person's configuration adds to it."""
COMMIT_FORMAT = "%H%x00%an%x00%ae%x00%at%x00%s"
COMMIT_FIELDS = 5


def describe(git: Git, shas: Sequence[str]) -> dict[str, Commit]:
    """SHA → who made the commit, for any number of commits at once."""
    if not shas:
        return {}
    data = "".join(f"{sha}\n" for sha in dict.fromkeys(shas)).encode("ascii")
    out = git.run(*LOG, "--no-walk=unsorted", "--stdin", f"--format={COMMIT_FORMAT}", data=data)
    fields = out.decode("utf-8", "replace").split("\0")[:-1]
    commits = [parse_commit(fields[at : at + COMMIT_FIELDS]) for at in range(0, len(fields), COMMIT_FIELDS)]
    return {commit.sha: commit for commit in commits}


def are_signed(git: Git, sha: str, most: int) -> bool:
    """Whether the latest commits on the line of a branch all carry a signature, so many of them; none is verified."""
    headers = git.run("rev-list", "--header", "--first-parent", f"--max-count={most}", "--end-of-options", sha)
    records = [record.partition(b"\n\n")[0] for record in headers.split(b"\0") if record.strip()]
    return all(b"\ngpgsig" in record for record in records)


def parse_commit(fields: Sequence[str]) -> Commit:
    """Read the fields of one `COMMIT_FORMAT`."""
    from datetime import UTC, datetime  # noqa: PLC0415 - a healthy check describes no commit

    # Names come from anywhere and go everywhere: what is no text becomes a replacement character here.
    sha, name, email, seconds, subject = (
        f.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for f in fields
    )
    when = min(int(seconds), LATEST) if seconds.isdigit() else 0
    return Commit(sha, name, email, datetime.fromtimestamp(when, UTC), subject)


def _refuse_rivals(git: Git, ref: str) -> None:
    name = re.split(r"[~^@:]", ref, maxsplit=1)[0]
    rivals = list_refs(git, f"refs/heads/{name}", f"refs/tags/{name}", f"refs/remotes/{name}")
    rivals = [rival for rival in rivals if rival.name.split("/", 2)[2] == name]
    if len({rival.sha for rival in rivals}) > 1:
        names = " and ".join(f"`{rival.name}` ({rival.sha[:10]})" for rival in rivals)
        raise AmbiguousRef(
            ref, f"`{ref}` is ambiguous: {names} differ.", f"Write the full name, such as `{rivals[0].name}`."
        )


def _on_a_remote(git: Git, ref: str) -> str | None:
    if re.search(r"[*?\[\]\\~^:@{\s]", ref):
        return None
    found = {r.name.split("/")[2]: r.sha for r in list_refs(git, f"refs/remotes/*/{ref}") if r.name.endswith(f"/{ref}")}
    if "origin" in found:
        return found["origin"]
    return next(iter(found.values())) if len(set(found.values())) == 1 else None


def _unknown(git: Git, ref: str) -> UnknownRef | EmptyRepository:
    if not git.run("for-each-ref", "--count=1") and git.ask("rev-parse", "--verify", "--quiet", "HEAD").code != 0:
        return EmptyRepository(
            f"The repository in {git.directory} has no commits yet, so there is nothing to judge.",
            "Commit something first.",
        )
    branches, tags = as_typed(git.directory, "branch", "--all"), as_typed(git.directory, "tag")
    hint = f"`{branches}` and `{tags}` list the names there are."
    if is_shallow(git):
        hint = f"This clone is shallow, so it may be cut off. {_deepen(git)}"
    elif _is_narrow(git) and (command := fetch_everything(git)):
        hint = f"This clone has only some of the branches; `{command}` brings the others. {hint}"
    return UnknownRef(ref, f"`{ref}` names no commit of the repository in {git.directory}.", hint)
