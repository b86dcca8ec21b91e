"""Which repositories the service looks after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from onehead.forge.api import ForgejoApi
from onehead.forge.models import Repository, User


def repositories_in_scope(api: ForgejoApi, me: User, covers: Callable[[Repository], bool]) -> Iterator[Repository]:
    """Repositories that the settings name and the token may write to; archived, empty and mirrored ones are not."""
    return in_scope(api.repositories(me), covers)


def in_scope(repositories: Iterable[Repository], covers: Callable[[Repository], bool]) -> Iterator[Repository]:
    """Those of some repositories."""
    for repository in repositories:
        if not out_of_reach(repository) and covers(repository):
            yield repository


def out_of_reach(repository: Repository) -> str:
    """Why a repository can't be looked after, as a clause; empty when it can."""
    if repository.archived:
        return "it is archived"
    if repository.empty:
        return "it is empty"
    if repository.mirror:
        return "it is a mirror of another repository"
    if not repository.permissions.push:
        return "the token may not write to it"
    return ""
