"""Which repositories the service looks after."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onehead.forge.api import ForgejoApi
from onehead.forge.values import Repository


def repositories_in_scope(api: ForgejoApi, covers: Callable[[str], bool]) -> Iterator[Repository]:
    """Repositories that the settings name and the token may write to; archived, empty and mirrored ones are not."""
    for repository in api.repositories(api.me()):
        usable = not (repository.archived or repository.empty or repository.mirror)
        if usable and repository.permissions.push and covers(str(repository.name)):
            yield repository
