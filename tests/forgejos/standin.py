"""The stand-in Forgejo behind the tests' port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.forgejos.administration import PASSWORD, Administration
from tests.forgejos.port import Account, SentDelivery, eventually
from tests.standin.server import StandinServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.world import Timing


class StandinForgejo:
    """A stand-in in this process, with a site administrator."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.name = "stand-in"
        self.server = StandinServer(timing)
        self.url = self.server.url
        forge = self.server.forge
        boss = forge.add_user("boss", password=PASSWORD, is_admin=True)
        token = forge.add_token(boss, "tests", frozenset({"all"}))
        self.admin = Administration(self.url, Account(boss.id, boss.name, boss.email, PASSWORD, token.secret))

    def deliveries(self) -> list[SentDelivery]:
        return [
            SentDelivery(sent.uuid, sent.event_type, sent.body, sent.status)
            for sent in list(self.server.forge.world.deliveries)
        ]

    def lose_webhooks(self, lost: bool) -> None:
        self.server.forge.world.timing.lose_webhooks = lost

    def wait_until_quiet(self) -> None:
        eventually(lambda: self.server.forge.idle, within=60)

    def bare_repository(self, owner: str, name: str) -> Path:
        repository = self.server.forge.world.repository(owner, name)
        assert repository is not None
        return repository.path

    def server_hooks(self) -> Path | None:
        return None

    def stop(self) -> None:
        self.admin.close()
        self.server.stop()
