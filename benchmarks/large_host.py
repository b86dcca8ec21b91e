"""A host with thousands of repositories, made in seconds: all of a kind are hard links to one.

What people push later is in the repositories from the beginning, only no branch names it: a push is then a file, and
costs the forge nothing of what is measured.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from benchmarks.serving import Service, onehead, parent
from onehead.service.postgres_schema import upgrade
from onehead.verify.servers import running_postgresql
from tests.forgejos.port import BOT_SCOPES
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository as Local
from tests.standin import bare
from tests.standin.forge import Forge
from tests.standin.world import Issue, Pull, Repository, User, now

REVISIONS = 100
FILES = 100
"""Other files in each repository, of about 2 KB."""

OWNERS = 100
ALEMBIC_EVERY = 10
"""One repository in so many has migrations, and an open pull request with one."""

PROPOSALS_EVERY = 5
"""One in so many of the others has an open pull request."""


@dataclass(frozen=True, slots=True)
class Push:
    """A branch gets a commit."""

    repository: str
    branch: str
    sha: str


@dataclass(frozen=True, slots=True)
class Host:
    """Names of the repositories, and for each kind what can be pushed to a branch, in this order.

    `work`, of which there is a pull request, and `main` get a commit without a migration; then `main` gets a migration
    with the same parent as that of `work`, so that they collide. Repositories without Alembic have two pushes.
    """

    token: str
    with_alembic: list[str]
    without: list[str]
    pushes: list[tuple[str, str]]  # branch, commit
    pushes_without: list[tuple[str, str]]

    def some_pushes(self, number: int, *, alembic_every: int = 1, repositories: int = 0, seed: int = 1) -> list[Push]:
        """So many pushes, mixed up; those of one repository in their order.

        Args:
            number: of pushes.
            alembic_every: one repository in so many has migrations.
            repositories: over which they are spread.
            seed: of the order.
        """
        pushed = repositories // alembic_every
        plain = repositories - pushed
        waiting = [(name, list(self.pushes)) for name in self.with_alembic[:pushed]]
        waiting += [(name, list(self.pushes_without)) for name in self.without[:plain]]
        chance = random.Random(seed)
        found: list[Push] = []
        while len(found) < number and waiting:
            chance.shuffle(waiting)
            for name, left in waiting[: number - len(found)]:
                found.append(Push(name, *left.pop(0)))
            waiting = [each for each in waiting if each[1]]
        return found


def populate(forge: Forge, repositories: int, alembic_every: int = ALEMBIC_EVERY) -> Host:
    """Make the repositories. All have been quiet for two hours."""
    root = forge.world.root / "repositories"
    root.mkdir()
    with_alembic, pushes = _kind(root / "with", with_alembic=True)
    without, pushes_without = _kind(root / "without", with_alembic=False)
    owners = [forge.add_user(f"owner{number}") for number in range(min(OWNERS, repositories))]
    bot = forge.add_user("bot")
    host = Host(forge.add_token(bot, "bot", frozenset(BOT_SCOPES)).secret, [], [], pushes, pushes_without)
    for number in range(repositories):
        is_alembic = number % alembic_every == 0
        model, heads = (with_alembic, host.with_alembic) if is_alembic else (without, host.without)
        owner = owners[number % len(owners)]
        made = _repository(forge, owner, f"r{number}", bot, model, has_pull=is_alembic or number % PROPOSALS_EVERY == 1)
        heads.append(made.full_name)
    return host


def push(forge: Forge, pushes: list[Push]) -> None:
    """Push: branches, pull requests and times are as they would be afterwards; nothing is delivered."""
    with forge.world.lock:
        for each in pushes:
            if (repository := forge.world.repository(*each.repository.split("/"))) is None:
                raise KeyError(each.repository)
            repository.updated = now()
            _set(repository, f"refs/heads/{each.branch}", each.sha)
            for issue, pull in repository.open_pulls():
                if pull.head_branch == each.branch and pull.head_repository is repository:
                    issue.updated = now()
                    _set(repository, f"refs/pull/{issue.number}/head", each.sha)


def _set(repository: Repository, ref: str, sha: str) -> None:
    place = repository.path / ref
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f"{place.name}.lock")
    new.write_text(f"{sha}\n")
    new.replace(place)
    repository.refs[ref] = sha


def _kind(place: Path, *, with_alembic: bool) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Make the repository that all of a kind are; its refs, with its path under the name `path`, and later pushes."""
    bare.create_bare(place, "main")
    local = Local(place)
    ids = [f"{number:04}" for number in range(REVISIONS)]
    files = {f"app/part_{number}.py": f"# {number}\n" + "value = 1\n" * 200 for number in range(FILES)}
    migrations = merged(project(), chain(*zip(ids, [None, *ids], strict=False))) if with_alembic else {}
    main = local.commit("main", files | migrations)
    local.branch("work", "main")
    work = local.commit("work", revision("b000", ids[-1]) if with_alembic else {"app/more.py": "more = 1\n"})
    later = [
        ("work", local.commit("later-work", {"app/part_1.py": "value = 2\n"}, parents=[work])),
        ("main", local.commit("later-main", {"app/part_2.py": "value = 2\n"}, parents=[main])),
    ]
    if with_alembic:
        later.append(("main", local.commit("later-main", revision("a000", ids[-1]))))
    local.git("repack", "-adq")
    refs = {"refs/heads/main": main, "refs/heads/work": work, "refs/pull/1/head": work}
    for name in ("main", "work", "later-main", "later-work"):
        local.git("update-ref", "-d", f"refs/heads/{name}")
    lines = "".join(f"{sha} {ref}\n" for ref, sha in sorted(refs.items()))
    (place / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    return refs | {"path": str(place)}, later


def _repository(
    forge: Forge, owner: User, name: str, bot: User, model: dict[str, str], *, has_pull: bool
) -> Repository:
    place = forge.world.root / "repositories" / owner.name / f"{name}.git"
    source = Path(model["path"])
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/pull"):
        (place / folder).mkdir(parents=True)
    for file in ["HEAD", "config", "packed-refs", *(f"objects/pack/{each.name}" for each in _packs(source))]:
        os.link(source / file, place / file)
    (place / "hooks").symlink_to(source / "hooks")
    world = forge.world
    long_ago = now() - timedelta(hours=2)
    made = Repository(world.next_id("repository"), owner, name, place, is_empty=False, updated=long_ago)
    made.refs = {ref: sha for ref, sha in model.items() if ref.startswith("refs/")}
    made.collaborators[bot.id] = "write"
    if has_pull:
        pull = Pull(world.next_id("pull"), made, "work", "main", merge_base=made.tip("main"), check="mergeable")
        issue = Issue(world.next_id("issue"), 1, owner, "Work", "", pull, created=long_ago, updated=long_ago)
        made.issues[1] = issue
    world.repositories[made.id] = made
    return made


def _packs(source: Path) -> Iterator[Path]:
    return (source / "objects" / "pack").glob("pack-*")


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL of our own, with onehead's tables; `process` is the first of the server's."""

    url: str
    process: int
    connection: psycopg.Connection

    def figure(self, query: str) -> float:
        """The one number that a query gives."""
        found = self.connection.execute(query.encode()).fetchone()
        return float(found[0] or 0) if found else 0.0

    def depth(self) -> dict[str, float]:
        """How much waits: repositories, and rows of each table."""
        return {
            "repositories": self.figure("SELECT count(DISTINCT repository) FROM onehead_inbox"),
            "inbox": self.figure("SELECT count(*) FROM onehead_inbox"),
            "jobs": self.figure("SELECT count(*) FROM procrastinate_jobs"),
            "events": self.figure("SELECT count(*) FROM procrastinate_events"),
            "memory": self.figure("SELECT count(*) FROM onehead_memory"),
        }

    def connections(self) -> dict[str, float]:
        """How many connections each service holds, by its name."""
        found = self.connection.execute(
            "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {str(name): float(number) for name, number in found}

    def last_sweep(self) -> str:
        """Something that is another one after each sweep; empty before the first."""
        found = self.connection.execute("SELECT value FROM onehead_memory WHERE kind = 'sweep'").fetchone()
        return str(found[0]) if found else ""

    def wait_for_sweep(self, last: str = "") -> None:
        """Wait for a sweep that comes after the last one."""
        while self.last_sweep() == last:
            time.sleep(0.1)

    def is_idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self.figure(
            "SELECT (SELECT count(*) FROM onehead_inbox WHERE failed_at IS NULL)"
            " + (SELECT count(*) FROM procrastinate_jobs)"
        )


@contextmanager
def database() -> Iterator[Database]:
    """Start one, as it comes: with `fsync`."""
    with running_postgresql() as url:
        upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            yield Database(url, parent(connection.info.backend_pid), connection)


@contextmanager
def worker(forgejo: str, token: str, place: Path, database: Database, name: str) -> Iterator[Service]:
    """`onehead serve --role worker`."""
    with onehead(forgejo, token, place, "--role", "worker", name=name, ONEHEAD_DATABASE_URL=database.url) as service:
        yield service
