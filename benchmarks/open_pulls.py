"""A target moves: what it costs to judge every open pull request into it again, and to say so on each.

    .venv/bin/python -m benchmarks.open_pulls

prints a table of benchmarks/README.md. The forge is the tests' stand-in, in a process of its own; the CPU is that of
onehead and of the git processes it starts.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.counting import Counting
from benchmarks.standin import forge
from onehead.forge.api import ForgejoApi
from onehead.gitrepo.mirror import Mirrors
from onehead.logs import configure
from onehead.service.context import ServiceContext
from onehead.service.engine import BranchMoved, Everything, Job, Subject
from onehead.service.handler import handle
from tests.forgejos.administration import Administration, Api, clone_url
from tests.forgejos.port import eventually
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository


@dataclass(frozen=True)
class Cost:
    """CPU and wall time in seconds; requests by method."""

    cpu: float
    wall: float
    requests: Counter[str]


class Scene:
    """A repository with a chain, and so many open pull requests that each add a revision on its head."""

    def __init__(self, admin: Administration, place: Path, revisions: int, pulls: int) -> None:
        owner, bot = admin.create_user("ann"), admin.create_bot()
        self.hosted = admin.create_repository(owner)
        admin.add_collaborator(self.hosted, bot, "write")
        self.local = Repository(place / "local.git")
        self.push_url = clone_url(admin.url, self.hosted, owner)
        ids = [f"{number:04}" for number in range(revisions)]
        self.local.commit("main", merged(project(), chain(*zip(ids, [None, *ids], strict=False))))
        self.last = ids[-1]
        self._push("main")
        api = Api(admin.url, owner)
        eventually(lambda: api.get(self.hosted.path)["empty"] is False)
        for number in range(pulls):
            self.local.branch(f"work-{number}", "main")
            self.local.commit(f"work-{number}", revision(f"b{number:04}", self.last))
        self._push("refs/heads/*:refs/heads/*")
        for number in range(pulls):
            body = {"head": f"work-{number}", "base": "main", "title": f"Work {number}"}
            api.call("POST", f"{self.hosted.path}/pulls", body, expect=201)
        self.connection = Counting(admin.url, bot.token)
        self.context = ServiceContext(
            ForgejoApi(self.connection), Mirrors(place / "mirrors"), admin.url, bot.token, place / "cache"
        )
        api.close()

    def _push(self, what: str) -> None:
        self.local.git("push", "--quiet", self.push_url, what)

    def move_target(self, number: int) -> None:
        """Somebody else's revision lands on the head that everybody has built upon, and another one on that."""
        self.local.commit("main", revision(f"a{number:04}", self.last))
        self.last = f"a{number:04}"
        self._push("main")
        time.sleep(0.2)

    def cost_of(self, subject: Subject) -> Cost:
        """What one job costs."""
        self.connection.requests.clear()
        before, began = _cpu(), time.perf_counter()
        handle(Job(self.hosted.full_name, frozenset({subject})), self.context)
        return Cost(_cpu() - before, time.perf_counter() - began, self.connection.requests.copy())


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Measure each number of pull requests and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pulls", type=int, nargs="+", default=[1, 50, 500], help="open pull requests")
    parser.add_argument("--revisions", type=int, default=300, help="revisions of the chain (default: 300)")
    options = parser.parse_args()
    configure("console", level=logging.WARNING)
    found: dict[str, dict[int, Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="onehead-bench-") as name, forge() as (admin, _):
        for pulls in options.pulls:
            scene = Scene(admin, Path(name) / str(pulls), options.revisions, pulls)
            for row, cost in _rows(scene):
                found.setdefault(row, {})[pulls] = cost
                print(f"{pulls} pull requests, {row}: {cost.cpu:.2f} s of CPU, {cost.wall:.1f} s in all", flush=True)
    print(_table(found, options.pulls))


def _rows(scene: Scene) -> Iterator[tuple[str, Cost]]:
    yield "start-up: everything for the first time", scene.cost_of(Everything())
    scene.move_target(1)
    yield "the target moves: all collide, each gets a repair", scene.cost_of(BranchMoved("refs/heads/main"))
    yield "the target moves again: nothing new to say", scene.cost_of(BranchMoved("refs/heads/main"))
    yield "a sweep", scene.cost_of(Everything())


def _table(found: dict[str, dict[int, Cost]], sizes: list[int]) -> str:
    few, many = min(sizes), max(sizes)
    lines = [
        f"| what | {' | '.join(f'CPU s, {size}' for size in sizes)} | {many} against {few} | requests, {many} |",
        f"|---|{'--:|' * (len(sizes) + 2)}",
    ]
    for what, costs in found.items():
        ratio = costs[many].cpu / costs[few].cpu
        cells = [f"{costs[size].cpu:.2f}" for size in sizes]
        lines.append(f"| {what} | {' | '.join(cells)} | {ratio:.0f} times | {costs[many].requests.total()} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
