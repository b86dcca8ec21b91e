"""A host with thousands of repositories, one in ten with Alembic: what sweeps cost, with a mirror of each and without.

    .venv/bin/python -m benchmarks.sweeps --repositories 1000 10000

The forge is the tests' stand-in, in a process of its own; CPU and git processes are those of onehead. Repositories of
one kind share what the forge has on disk, so that thousands are made at once; onehead can't tell. `--whole` mirrors
every repository, as onehead did before it looked first. A look costs the same on a large host as on a small one, so a
sweep looks at `--looks` of the repositories that need it, chosen by chance, and passes over the others.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any
from unittest.mock import patch

from benchmarks.counting import Counting
from benchmarks.standin import forge
from onehead.forge.api import ForgejoApi
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirrors
from onehead.logs import configure
from onehead.service import context as service_context
from onehead.service.context import ServiceContext
from onehead.service.engine import Everything, Job
from onehead.service.handler import handle
from onehead.service.memory import OwnShelf
from onehead.service.sweep import Attention
from tests.forgejos.port import BOT_SCOPES
from tests.migrations import chain, project
from tests.repositories import Repository
from tests.standin import bare, gitside
from tests.standin.forge import Forge
from tests.standin.world import Repository as Hosted
from tests.standin.world import now

AT_ONCE = 4
"""Jobs side by side, as in the service."""
_IN_TEN = ("alembic", "python", "python", "python", "go", "go", "go", "documents", "documents", "documents")
_PUSHED = 101
"""One repository in so many is pushed to, of all kinds; those have a place of their own on the forge's disk."""


@dataclass(frozen=True)
class Cost:
    """What a sweep costs; times in seconds, disk in bytes."""

    looked_at: int
    requests: int
    git: Counter[str]
    cpu: float
    wall: float
    disk: int


def populate(host: Forge, repositories: int) -> tuple[str, str]:
    """Make the host, quiet for an hour; the tokens of the bot and of somebody who pushes."""
    kinds = {kind: _kind(host.world.root / "kinds" / f"{kind}.git", kind) for kind in dict.fromkeys(_IN_TEN)}
    people = [host.add_user(f"owner{number}") for number in range(max(1, repositories // 20))]
    bot, pusher = host.add_user("bot"), host.add_user("pusher")
    for number in range(repositories):
        owner, place = people[number % len(people)], kinds[_IN_TEN[number % 10]].path
        if number % _PUSHED == 1:
            source, place = place, host.world.root / "own" / f"{number}.git"
            bare.create_bare(place, "main", source)
        id_ = host.world.next_id("repository")
        made = Hosted(id_, owner, f"repository{number}", place, is_empty=False, refs=gitside.read_refs(place))
        made.collaborators |= {bot.id: "write", pusher.id: "write"}
        made.updated = now() - timedelta(hours=1)
        host.world.repositories[id_] = made
    scopes = frozenset(BOT_SCOPES)
    return host.add_token(bot, "bot", scopes).secret, host.add_token(pusher, "pusher", scopes).secret


def _kind(place: Path, kind: str) -> Repository:
    """Two branches, sixty commits, a hundred files and an image."""
    chance = random.Random(kind)
    made = Repository(place)
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    suffix = {"documents": "md", "go": "go"}.get(kind, "py")

    def text() -> str:
        return "".join(f"{chance.getrandbits(64):016x} = {number}\n" for number in range(chance.randrange(20, 200)))

    files: dict[str, str | bytes | None] = {f"part{n % 10}/piece{n}.{suffix}": text() for n in range(100)}
    files["logo.png"] = chance.randbytes(200_000)
    if kind in ("python", "alembic"):
        files |= {"pyproject.toml": f"[project]\nname = '{kind}'\n", "tox.ini": "[tox]\n"}
    if kind == "alembic":
        ids = [f"{number:04}" for number in range(50)]
        files |= project() | chain(*zip(ids, [None, *ids], strict=False))
    made.commit("main", files)
    for number in range(60):
        made.commit("main", {f"part{number % 10}/piece{number}.{suffix}": text()})
    made.branch("next", "main~2")
    made.git("repack", "-adq")
    return made


class Host:
    """The service beside a host."""

    def __init__(self, url: str, token: str, place: Path) -> None:
        self.connection = Counting(url, token)
        self._mirrors = place / "mirrors"
        api = ForgejoApi(self.connection)
        self._context = ServiceContext(api, Mirrors(self._mirrors), url, token, place / "parsed")
        self._attention = Attention(api, lambda _repository: True, OwnShelf())

    def sweep(self, most: int) -> Cost:
        """Look at what has changed, or was never looked at: at so many, chosen by chance, and pass over the others."""
        self.connection.requests.clear()
        began, before = time.perf_counter(), _cpu()
        with _git_processes() as started:
            due = sorted(self._attention.due(self._attention.read(self._context.me)))
            chosen = random.Random(0).sample(due, most) if len(due) > most else due
            for name in due if chosen is not due else ():
                self._attention.looked_at(name, self._attention.next_look(name))
            with ThreadPoolExecutor(AT_ONCE) as threads:
                for _ in threads.map(self._look, chosen):
                    pass
        return Cost(
            len(chosen),
            self.connection.requests.total(),
            started,
            _cpu() - before,
            time.perf_counter() - began,
            _disk(self._mirrors),
        )

    def _look(self, name: str) -> None:
        look = self._attention.next_look(name)
        handle(Job(name, frozenset({Everything()})), self._context)
        self._attention.looked_at(name, look)


@contextmanager
def _git_processes() -> Iterator[Counter[str]]:
    """Counts those that onehead starts meanwhile, by their first word; what these start themselves is not counted."""
    verbs: Counter[str] = Counter()
    real = Git.start

    def start(git: Git, *args: str, **more: Any) -> Popen[bytes]:
        verbs[args[0]] += 1
        return real(git, *args, **more)

    with patch.object(Git, "start", start):
        yield verbs


def _push_to(url: str, token: str, places: Iterable[str], scratch: Path) -> None:
    """One commit more on the branch `next` of each."""
    for number, name in enumerate(places):
        address = url.replace("://", f"://pusher:{token}@") + f"/{name}.git"
        clone = scratch / f"clone{number}"
        gitside.run(scratch, "clone", "--quiet", "--depth=1", "--branch=next", address, str(clone))
        (clone / "more.txt").write_text("more\n")
        gitside.run(clone, "add", "more.txt")
        who = gitside.identity(("Pia", "pia@example.org"), ("Pia", "pia@example.org"))
        gitside.run(clone, "commit", "--quiet", "--message=More", env=who)
        gitside.run(clone, "push", "--quiet", "origin", "HEAD:next")
        shutil.rmtree(clone)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _disk(place: Path) -> int:
    files = (Path(folder, name) for folder, _, names in os.walk(place) for name in names)
    return sum(file.lstat().st_blocks * 512 for file in files)


def main() -> None:
    """Measure hosts of each size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, nargs="+", default=[1_000])
    parser.add_argument("--looks", type=int, default=1_000, help="repositories that one sweep looks at (default: 1000)")
    parser.add_argument("--whole", action="store_true", help="mirror every repository, without a look at it first")
    options = parser.parse_args()
    configure("console", level=logging.WARNING)
    if options.whole:
        service_context.refs_without_alembic = lambda *_arguments: None  # type: ignore[attr-defined]
    columns = "repositories", "sweep", "looked at", "requests", "git", "of it to the forge", "CPU s", "s", "mirrors MB"
    print(f"| {' | '.join(columns)} |\n|--:|---|{'--:|' * 7}", flush=True)
    for number in options.repositories:
        _measure(number, options.looks)


def _measure(number: int, looks: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="onehead-bench-") as name,
        forge(partial(populate, repositories=number)) as (admin, (token, pusher)),
    ):
        host = Host(admin.url, token, Path(name))
        _show(number, "first", host.sweep(looks))
        time.sleep(61)  # what changed just before a sweep is looked at once more
        _show(number, "nothing has changed", host.sweep(looks))
        if number > looks:
            return  # some of those that are pushed to would be looked at for the first time
        pushed = [f"owner{n % max(1, number // 20)}/repository{n}" for n in range(1, number, _PUSHED)]
        _push_to(admin.url, pusher, pushed, Path(name))
        _show(number, f"{len(pushed)} were pushed to", host.sweep(looks))


def _show(number: int, sweep: str, cost: Cost) -> None:
    talks = sum(cost.git[verb] for verb in ("fetch", "ls-remote", "push"))
    print(
        f"| {number:,} | {sweep} | {cost.looked_at:,} | {cost.requests:,} | {cost.git.total():,} | {talks:,} "
        f"| {cost.cpu:.1f} | {cost.wall:.0f} | {cost.disk / 1_000_000:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
