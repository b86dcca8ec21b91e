"""The tools of every story, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from urllib.parse import urlsplit

import structlog

from onehead.errors import UsageError
from onehead.flows.desk import Desk
from onehead.flows.setup import ensure_webhook
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.dry_run import Deed, Done, WatchedApi
from onehead.forge.models import Repository, RepositoryName
from onehead.gitrepo.mirror import Mirrors
from onehead.gitrepo.remote import RefUpdate
from onehead.plan.verdict import Examination
from onehead.settings import Settings
from onehead.throwaway import remove_left_over

log = structlog.get_logger(__name__)

Judged = Callable[[RepositoryName, Examination], None]


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who is told everything that is written to the forge; in a rehearsal it is told and not written."""

    tell: Callable[[Done], None]
    rehearsal: bool


def equip(settings: Settings, *, judged: Judged, witness: Witness | None = None) -> Desk:
    """Open everything that the stories need.

    Args:
        settings: what was told.
        judged: is told every verdict.
        witness: is told every deed; `None` where nobody wants to know.

    Raises:
        UsageError: nothing can be kept in the cache directory.
    """
    _make_cache(settings.cache_dir)
    remove_left_over(gettempdir())
    token = settings.token.reveal()
    connection = Connection(settings.forgejo_url, token)
    api = ForgejoApi(connection)
    if witness is not None:
        api = WatchedApi(connection, witness.tell, rehearsal=witness.rehearsal, bot=settings.bot)
    rehearsal = witness is not None and witness.rehearsal
    return Desk(
        api=api,
        mirrors=Mirrors(settings.cache_dir / "mirrors", pushing=_pushing(witness)),
        forgejo_url=settings.forgejo_url,
        token=token,
        cache=settings.cache_dir / "parsed",
        bot=settings.bot,
        covers=lambda repository: settings.covers(str(repository.name), repository.topics),
        judged=judged,
        ensure_webhook=(lambda _repository: None) if rehearsal else _mending(settings, api),
        rehearsal=rehearsal,
    )


def _mending(settings: Settings, api: ForgejoApi) -> Callable[[Repository], None]:
    """Makes a deleted webhook anew, where it is known what it has to be like."""

    def mend(repository: Repository) -> None:
        if not settings.public_url or not settings.webhook_secret:
            return
        if ensure_webhook(api, repository, settings.public_url, settings.webhook_secret[0].reveal()):
            log.info("Made or corrected the repository's webhook.", repository=str(repository.name))

    return mend


def _pushing(witness: Witness | None) -> Callable[[str, RefUpdate], bool]:
    def push(url: str, update: RefUpdate) -> bool:
        if witness is not None:
            owner, _, name = urlsplit(url).path.strip("/").removesuffix(".git").rpartition("/")
            where = update.ref.removeprefix("refs/heads/")
            witness.tell(Done(RepositoryName(owner.rpartition("/")[2], name), Deed.PUSHED, where))
        return witness is None or not witness.rehearsal

    return push


def _make_cache(folder: Path) -> None:
    """Find out now, and not in every job, that nothing can be kept."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"onehead can't write to its cache, {folder}: {error.strerror}.",
            "Correct the owner or the permissions, or name another directory with ONEHEAD_CACHE_DIR.",
        ) from error
