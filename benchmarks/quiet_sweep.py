"""A sweep of many repositories in which nothing has changed: how many requests, and how much of our time.

    .venv/bin/python -m benchmarks.quiet_sweep

The forge is the tests' stand-in, in a process of its own. The aim is at most one request per repository.
"""

from __future__ import annotations

import argparse
import resource
from datetime import timedelta
from functools import partial
from pathlib import Path

from benchmarks.counting import Counting
from benchmarks.standin import forge
from onehead.forge.api import ForgejoApi
from onehead.service.memory import OwnShelf
from onehead.service.sweep import Attention
from tests.forgejos.port import BOT_SCOPES
from tests.standin.forge import Forge
from tests.standin.world import Issue, Repository, now


def populate(forge: Forge, repositories: int, owners: int) -> str:
    """So many repositories of so many owners, each with an issue, and all quiet for an hour; gives the bot's token."""
    people = [forge.add_user(f"owner{number}") for number in range(owners)]
    bot = forge.add_user("bot")
    long_ago = now() - timedelta(hours=1)
    for number in range(repositories):
        id_ = forge.world.next_id("repository")
        made = Repository(id_, people[number % owners], f"repository{number}", Path("/nowhere"), is_empty=False)
        made.collaborators[bot.id], made.updated = "write", long_ago
        made.issues[1] = Issue(forge.world.next_id("issue"), 1, made.owner, "Crash", "")
        made.issues[1].updated = long_ago
        forge.world.repositories[id_] = made
    return forge.add_token(bot, "bot", frozenset(BOT_SCOPES)).secret


def main() -> None:
    """Measure for few and for many owners, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=1_000)
    parser.add_argument("--owners", type=int, nargs="+", default=[1, 20, 900])
    options = parser.parse_args()
    print("| repositories | owners | looked at | requests | per repository | CPU ms |\n|--:|--:|--:|--:|--:|--:|")
    for owners in options.owners:
        with forge(partial(populate, repositories=options.repositories, owners=owners)) as (admin, token):
            connection = Counting(admin.url, token)
            api = ForgejoApi(connection)
            attention = Attention(api, lambda _repository: True, OwnShelf())
            for name in attention.due(attention.read(api.me())):
                attention.looked_at(name, attention.next_look(name))
            connection.requests.clear()
            before = _cpu()
            looked = len(attention.due(attention.read(api.me())))
            cpu = _cpu() - before
            asked = connection.requests.total()
            print(
                f"| {options.repositories:,} | {owners} | {looked} | {asked} | {asked / options.repositories:.3f} "
                f"| {cpu * 1000:.0f} |",
                flush=True,
            )
            connection.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
