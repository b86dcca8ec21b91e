"""What every story of the service works with: the forge, the mirrors, and who we are there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.models import Repository, RepositoryName, User
from onehead.gitrepo.mirror import Mirrors
from onehead.plan.rivals import Brought, Rival
from onehead.plan.verdict import Examination
from onehead.service.analyzer import Analyzers

_MAX_REMEMBERED = 20_000
"""Judged branches of which the desk remembers what they bring; about half a kilobyte each."""


class Recollection:
    """What one process remembers between jobs, to save work. All of it may be lost at any moment."""

    def __init__(self) -> None:
        self._brought: OrderedDict[tuple[str, str, str], tuple[Brought, ...]] = OrderedDict()
        self._rivals: dict[tuple[str, str], dict[int, tuple[Rival, ...]]] = {}
        self._reported: dict[str, str] = {}

    def brought(self, clone_url: str, target: str, head: str) -> tuple[Brought, ...] | None:
        """What a commit brings to another one, if they were judged before."""
        return self._brought.get((clone_url, target, head))

    def learn_brought(self, clone_url: str, target: str, head: str, found: tuple[Brought, ...]) -> None:
        """Remember what a commit brings to another one."""
        self._brought[clone_url, target, head] = found
        while len(self._brought) > _MAX_REMEMBERED:
            self._brought.popitem(last=False)

    def rivals(self, clone_url: str, target: str) -> dict[int, tuple[Rival, ...]]:
        """The rivals of which the pull requests into a branch were told last."""
        return self._rivals.get((clone_url, target), {})

    def reported(self, clone_url: str) -> str | None:
        """The commit of what databases had reported when all was judged last; empty for none, `None`: not known."""
        return self._reported.get(clone_url)

    def learn_reported(self, clone_url: str, tip: str) -> None:
        """Remember with which reports of databases all was judged."""
        self._reported[clone_url] = tip

    def learn_rivals(self, clone_url: str, target: str, told: dict[int, tuple[Rival, ...]]) -> None:
        """Remember what the pull requests into a branch were told."""
        self._rivals[clone_url, target] = told


@dataclass
class Desk:
    """The service's tools.

    Attributes:
        api: the forge.
        mirrors: local copies of its repositories.
        forgejo_url: where the service reaches the forge, without a trailing slash; clone URLs that the forge tells
            are built from its own idea of its address, which may be another one.
        token: for git.
        bot: name of its account, where we were told; empty where the forge is to say.
        cache: where parsed files are remembered.
        covers: whether a repository is one that the service looks after.
        judged: told every verdict.
        ensure_webhook: makes the webhook of a repository anew, where somebody has deleted it and it can be made.
        rehearsal: whether nothing is really written: then nothing that was written is waited for.
        analyzers: the processes that judge; `None`: it is judged in this one.
        recollection: of earlier jobs.
    """

    api: ForgejoApi
    mirrors: Mirrors
    forgejo_url: str
    token: str
    cache: Path
    bot: str = ""
    covers: Callable[[Repository], bool] = lambda _repository: True
    judged: Callable[[RepositoryName, Examination], None] = lambda _name, _examination: None
    ensure_webhook: Callable[[Repository], object] = lambda _repository: None
    rehearsal: bool = False
    analyzers: Analyzers | None = None
    recollection: Recollection = field(default_factory=Recollection)

    @cached_property
    def me(self) -> User:
        """The account that the token belongs to."""
        return self.whoami()

    def whoami(self) -> User:
        """Ask the forge for it anew."""
        return own_account(self.api, self.bot)

    def clone_url(self, repository: Repository) -> str:
        """Where git finds the repository."""
        return self.url_of(repository.name)

    def url_of(self, name: RepositoryName) -> str:
        """Where git finds a repository."""
        return f"{self.forgejo_url}/{name}.git"
