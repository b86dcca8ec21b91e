"""A sweep of many repositories in which nothing has changed: how many requests, and how much of our time.

    .venv/bin/python -m benchmarks.quiet_sweep
    .venv/bin/python -m benchmarks.quiet_sweep --forgejo /path/to/forgejo

The forge is the tests' stand-in, in a process of its own; with `--forgejo` a real one, in which strangers are busy in
a public repository of theirs, and which has a push and a comment to be found. The aim is at most 250 requests at 10,000
repositories, whatever the number of owners.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from benchmarks.counting import Counting
from benchmarks.real_forge import filled
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
    for number in range(repositories):
        long_ago = now() - timedelta(hours=1, seconds=number)
        id_ = forge.world.next_id("repository")
        made = Repository(id_, people[number % owners], f"repository{number}", Path("/nowhere"), is_empty=False)
        made.collaborators[bot.id], made.updated = "write", long_ago
        made.issues[1] = Issue(forge.world.next_id("issue"), 1, made.owner, "Crash", "")
        made.issues[1].updated = long_ago
        forge.world.repositories[id_] = made
    return forge.add_token(bot, "bot", frozenset(BOT_SCOPES)).secret


class Sweeps:
    """Sweeps of one service, which looks at once at what is due; each counted."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = Counting(url, token)
        self._api = ForgejoApi(self._connection)
        self._attention = Attention(self._api, lambda _repository: True, OwnShelf())
        self.requests, self.seconds, self.cpu = 0, 0.0, 0.0

    def __call__(self) -> list[str]:
        """Sweep; what was looked at."""
        self._connection.requests.clear()
        cpu, begun = _cpu(), time.monotonic()
        due = self._attention.due(self._attention.read(self._api.me()))
        self.requests, self.seconds = self._connection.requests.total(), time.monotonic() - begun
        self.cpu = _cpu() - cpu
        for name in due:
            self._attention.looked_at(name, self._attention.next_look(name))
        return due

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def main() -> None:
    """Measure for few and for many owners, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=10_000)
    parser.add_argument("--owners", type=int, nargs="+", default=[1, 900, 5_000])
    parser.add_argument("--forgejo", type=Path, help="the binary of a Forgejo")
    parser.add_argument("--strangers", type=int, nargs="+", default=[0, 100, 1_000, 50_000], help="their new issues")
    options = parser.parse_args()
    if options.forgejo:
        for owners in options.owners:
            _on_a_forgejo(options.forgejo, options.repositories, owners, options.strangers)
        return
    print("| repositories | owners | looked at | requests | CPU ms |\n|--:|--:|--:|--:|--:|")
    for owners in options.owners:
        with forge(partial(populate, repositories=options.repositories, owners=owners)) as (admin, token):
            sweep = Sweeps(admin.url, token)
            sweep()
            looked = len(sweep())
            print(
                f"| {options.repositories:,} | {owners:,} | {looked} | {sweep.requests} | {sweep.cpu * 1000:.0f} |",
                flush=True,
            )
            sweep.close()


def _on_a_forgejo(binary: Path, repositories: int, owners: int, strangers: Sequence[int]) -> None:
    print("| repositories | owners | strangers' new issues | found of 2 | else looked at | requests | seconds |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    with filled(binary) as forgejo:
        forgejo.add_repositories(repositories, owners)
        sweep = Sweeps(forgejo.url, forgejo.bot.token)
        sweep()
        settled: set[str] = set()
        for number, count in enumerate(strangers):
            forgejo.stranger_changes(count)
            changed = {forgejo.push(2 * number), forgejo.touch(repositories - 1 - number)}
            due = set(sweep())
            # What was changed in the round before, seconds ago, is looked at once more: it has not settled.
            others = len(due - changed - settled)
            print(
                f"| {repositories:,} | {owners:,} | {count:,} | {len(due & changed)} | {others} "
                f"| {sweep.requests} | {sweep.seconds:.1f} |",
                flush=True,
            )
            settled |= changed
        sweep.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
