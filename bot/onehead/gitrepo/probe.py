"""Look at a repository without a mirror: its refs, and of some commits the paths and a few files.

Most repositories of a forge have no Alembic, and their trees tell so without history and content. What is fetched goes
into a folder that is gone afterwards.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from onehead.gitrepo.git import Git
from onehead.gitrepo.process import explain
from onehead.gitrepo.remote import QUIETLY, access, refuse_redirect, remote_trouble
from onehead.throwaway import throwaway

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Probe:
    """One repository, while it is looked at. Its `git` has what was fetched, no token, and can't reach the network."""

    def __init__(self, url: str, reading: Git, talking: Git) -> None:
        self.git = reading
        self._url = url
        self._talking = talking

    @cached_property
    def refs(self) -> dict[str, str]:
        """Full name of each ref → object, as they are on the forge; a tag that is an object of its own is not followed.

        Raises:
            RemoteUnreachable: the forge does not answer; worth trying again.
            RemoteRefused: no such repository for this token.
            GitTimeout: it takes too long.
        """
        out = self._talk("ls-remote", "--refs", "--", self._url)
        lines = (line.partition("\t") for line in out.decode("utf-8", "surrogateescape").split("\n")[:-1])
        return {name: oid for oid, _, name in lines}

    def fetch_trees(self, commits: Collection[str]) -> None:
        """Have some commits, without their history and, where the forge can leave it out, without content.

        Raises as `refs`, and:
            OneheadError: the forge does not give them; they may be gone.
        """
        form = "sha256" if any(len(commit) == 64 for commit in commits) else "sha1"
        self.git.run("init", "--quiet", "--bare", "--template=", f"--object-format={form}")
        self._fetch(commits, "--depth=1", "--filter=blob:none")

    def fetch_blobs(self, oids: Collection[str]) -> None:
        """Have the content of some files of commits that were fetched. Raises as `fetch_trees`."""
        self._fetch(oids, "--no-filter")

    def _fetch(self, oids: Collection[str], *options: str) -> None:
        data = "".join(f"{oid}\n" for oid in sorted(oids)).encode("ascii")
        self._talk("fetch", *QUIETLY, *options, "--stdin", "--", "origin", data=data)

    def _talk(self, *args: str, data: bytes = b"") -> bytes:
        answer = self._talking.ask(*args, data=data)
        refuse_redirect(self._talking, self._url, answer)
        if answer.code != 0:
            raise remote_trouble(answer.err) or explain(args[0], self._url, answer.code, answer.err)
        return answer.out


@contextmanager
def probing(url: str, token: str = "", *, timeout: float = 300.0) -> Iterator[Probe]:
    """Look at a repository, by its clone URL; `timeout` is for one git command.

    Raises:
        ValueError: the URL or token can't be one.
    """
    reach = access(url, token)
    with throwaway("probe") as place:
        reading = Git.of_our_own(place, timeout=timeout, secrets=reach.secrets)
        talking = reading.variant(
            environment={"GIT_ALLOW_PROTOCOL": reach.protocols},
            # What is asked for by its id is not here: there is nothing to tell the forge of.
            config=(*reach.config, ("remote.origin.url", url), ("fetch.negotiationAlgorithm", "noop")),
        )
        yield Probe(url, reading, talking)
