"""What origin has and this clone lacks: CI clones are cut off, hold a single branch, or leave files out.

Only where a CI job or a person asked for it (`entrypoints/sides.py`). Nothing but objects is added, and the note of
where history is cut off is moved back: no ref, no work tree and no configuration changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import CannotJudge
from onehead.gitrepo.errors import GitTimeout, ShallowHistory
from onehead.gitrepo.objects import conversation
from onehead.gitrepo.refs import Ref, is_shallow, merge_base

if TYPE_CHECKING:
    from onehead.gitrepo.command import Git

PATIENCE = 300.0
"""Seconds that everything asked of origin may take together."""
_PROTOCOLS = "file:git:http:https:ssh"
"""Those that git itself allows by default; the others start a program that the configuration names."""
_STALLED = (("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "30"))
"""A connection below 1 kB/s for 30 seconds is given up."""
_QUIETLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
_NO_REFS = ("--refmap=", "--no-prune", "--no-prune-tags")
_FIRST_STEP = 50
"""Commits. Most branches are younger; each further step is ten times as deep, and the third is all there is."""
_ALL = 2147483647
"""What git itself takes for an endless depth."""
_MOST_ROUNDS = 4
"""One fetch brings all that is missing, as far as it can be seen; trees that come with it may show more."""


class OriginSilent(CannotJudge):
    """Origin could not be asked, or did not give what was asked for."""


class Advertised(NamedTuple):
    """What origin has.

    Attributes:
        default_branch: its short name; empty where HEAD names none.
        refs: full name → SHA; a tag is followed to what it tags.
    """

    default_branch: str
    refs: dict[str, str]

    def tip(self, branch: str) -> str | None:
        """Where a branch is now."""
        return self.refs.get(f"refs/heads/{branch}")


class Origin:
    """The remote `origin` of a checkout, reached with the credentials that the checkout has."""

    def __init__(self, git: Git, *, seconds: float = PATIENCE) -> None:
        """Name the checkout; nothing is asked yet."""
        self._git = git
        self._talking = git.as_the_person(_PROTOCOLS).variant(config=_STALLED)
        self._end = time.monotonic() + seconds
        self._seconds = seconds

    @cached_property
    def advertised(self) -> Advertised:
        """What origin has now; asked once.

        Raises:
            OriginSilent: it can't be asked.
        """
        out = self._talk("ls-remote", "--symref", "--", "origin", "HEAD", "refs/heads/*", "refs/tags/*")
        default, refs = "", {}
        for line in out.decode("utf-8", "surrogateescape").split("\n")[:-1]:
            value, _, name = line.partition("\t")
            if name == "HEAD" and value.startswith("ref: "):
                default = value.removeprefix("ref: refs/heads/")
            elif name.startswith(("refs/heads/", "refs/tags/")):
                # The commit of an annotated tag comes after the tag itself.
                refs[name.removesuffix("^{}")] = value
        return Advertised(default, refs)

    def bring(self, *commits: str) -> None:
        """Have one commit, or two and their common history, in the clone, as far as origin has them.

        Args:
            commits: SHAs.

        Raises:
            OriginSilent: origin can't be asked, or has no such commit.
        """
        for depth in self._depths():
            if self._is_known(*commits):
                break
            self._talk("fetch", *_QUIETLY, *_NO_REFS, *depth, "--", "origin", *commits)
        self._complete(commits)

    def elsewhere(self) -> tuple[list[Ref], list[str]]:
        """Branches and tags of origin, whatever this clone calls them or has no name for.

        A checkout step fetches commits and hardly any names: a commit that is here may be on other branches all the
        same.

        Returns:
            Those whose commit is here, as a clone of everything would call them; and full names, as on origin, of those
            whose commit is not.

        Raises:
            OriginSilent: it can't be asked.
        """
        refs = self.advertised.refs
        shas = sorted(set(refs.values()))
        with conversation(self._git) as objects:
            found = dict(zip(shas, objects.look_up(shas), strict=True))
        here, absent = [], []
        for name, sha in refs.items():
            info = found[sha]
            if info is None:
                absent.append(name)
            elif info.kind == "commit":
                here.append(Ref(name.replace("refs/heads/", "refs/remotes/origin/", 1), sha))
        return here, absent

    def _depths(self) -> Iterator[tuple[str, ...]]:
        """How deep to fetch, from step to step."""
        if not is_shallow(self._git):
            yield ()
            return
        # Deeper than all that is there, so that no step cuts off what the clone has.
        depth = _FIRST_STEP + int(self._git.run("rev-list", "--count", "--all"))
        yield (f"--depth={depth}",)
        yield (f"--depth={10 * depth}",)
        yield (f"--depth={_ALL}",)

    def _is_known(self, *commits: str) -> bool:
        if any(self._git.ask("cat-file", "-e", f"{sha}^{{commit}}").code != 0 for sha in commits):
            return False
        try:
            if len(commits) > 1:
                merge_base(self._git, *commits)
        except ShallowHistory:
            return False
        return True

    def _complete(self, commits: tuple[str, ...]) -> None:
        """Fetch what a partial clone has left out of the trees that are to be compared."""
        if self._git.ask("config", "--get", "remote.origin.promisor").out.strip() != b"true":
            return
        base = merge_base(self._git, *commits) if len(commits) > 1 else None
        roots = (*commits, *([base] if base else []))
        for _ in range(_MOST_ROUNDS):
            out = self._git.run("rev-list", "--objects", "--no-walk", "--missing=print", *roots)
            missing = [line[1:] for line in out.splitlines() if line.startswith(b"?")]
            if not missing:
                return
            # As git itself fetches a single missing object, only all of them at once, and trees with all that is in
            # them: what the clone has of a tree can't be told to origin.
            alone = self._talking.variant(config=(("fetch.negotiationAlgorithm", "noop"),))
            options = (*_QUIETLY, *_NO_REFS, "--no-filter", "--stdin")
            self._talk("fetch", *options, "--", "origin", data=b"\n".join([*missing, b""]), git=alone)

    def _talk(self, *args: str, data: bytes = b"", git: Git | None = None) -> bytes:
        left = max(self._end - time.monotonic(), 0.01)
        door = git or self._talking
        try:
            answer = door.ask(*args, data=data, timeout=left)
        except GitTimeout:
            raise OriginSilent(f"origin did not answer within {self._seconds:g} seconds") from None
        if answer.code != 0:
            from onehead.gitrepo.redirect import destination  # noqa: PLC0415 - most origins answer

            where = destination(door, "origin", answer)
            if where is not None:
                raise OriginSilent(
                    f"origin redirects to {where}; git would send credentials there, so onehead does not follow; if "
                    "origin has moved, run `git remote set-url origin NEW-ADDRESS`"
                )
            lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
            telling = sorted(lines, key=lambda line: (not line.startswith("fatal:"), not line.startswith("error:")))
            raise OriginSilent((telling or [f"git {args[0]} failed and said nothing"])[0])
        return answer.out
