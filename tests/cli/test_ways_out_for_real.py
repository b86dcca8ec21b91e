"""Every way out that onehead prints, typed in by real Alembic on a database that stands where it is printed for.

The repairs are those that `onehead fix` writes: plain, with the next free numbers, and under new ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from onehead.databases.upgrade import in_order
from tests.cli.terminal_runs import Run
from tests.migrations import VERSIONS, merged, project, revision
from tests.postgres import POSTGRESQL, Postgres, postgres
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository

__all__ = ["postgres"]


def file(id_: str, parent: str | None, name: str = "") -> dict[str, str]:
    """A revision that makes the table `t_<what its id ends with>`; the name of its file, where that is not the id."""
    table = f"t_{id_.rpartition('_')[2]}"
    [source] = revision(id_, parent, table).values()
    return {f"{VERSIONS}/{name or id_}.py": source}


class Story(NamedTuple):
    """Files that both sides have, those of main and of the branch `topic`, and the new ids that a re-parent gives."""

    begun: dict[str, str]
    main: dict[str, str]
    topic: dict[str, str]
    new_ids: dict[str, str] | None
    policy: str = ""


BEGUN = merged(file("0001_shop", None), file("0002_items", "0001_shop"))
ORDERS = merged(file("0003_orders", "0002_items"), file("0004_refunds", "0003_orders"))
STORIES = {
    "plain": Story(BEGUN, ORDERS, merged(file("0005_phone", "0002_items"), file("0006_fax", "0005_phone")), {}),
    "renumbered": Story(BEGUN, ORDERS, file("0003_phone", "0002_items"), {"0003_phone": "0005_phone"}),
    "renumbered chain": Story(
        BEGUN,
        ORDERS,
        merged(file("0004_phone", "0002_items"), file("0005_fax", "0004_phone"), file("0006_mail", "0005_fax")),
        {"0004_phone": "0007_phone", "0005_fax": "0008_fax", "0006_mail": "0009_mail"},
    ),
    "renumbered in part": Story(
        BEGUN,
        ORDERS,
        merged(file("0003_phone", "0002_items"), file("fafafafafafa", "0003_phone", "0004_fax")),
        {"0003_phone": "0005_phone"},
    ),
    "fresh ids": Story(
        merged(file("a1a1a1a1a1a1", None), file("a2a2a2a2a2a2", "a1a1a1a1a1a1")),
        file("b1b1b1b1b1b1", "a2a2a2a2a2a2"),
        merged(file("c1c1c1c1c1c1", "a2a2a2a2a2a2"), file("c2c2c2c2c2c2", "c1c1c1c1c1c1")),
        None,
        "fresh-ids = true\n",
    ),
}


class Place:
    """A database server, and how to get an empty database there."""

    def __init__(self, kind: str, empty: Callable[[], str]) -> None:
        self.kind = kind
        self._empty = empty

    def at(self, folder: Path, rows: list[str], tables: set[str]) -> Deployment:
        """The files of a folder, beside a database that holds these rows and tables and nothing else."""
        real = Deployment(folder, self._empty())
        execute(real.url, *(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)" for table in sorted(tables)))
        real.set_rows(rows)
        return real


@pytest.fixture(scope="module", params=[POSTGRESQL, "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh()

        def empty() -> str:
            execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
            return url
    else:
        database = tmp_path_factory.mktemp("sqlite") / "database"

        def empty() -> str:
            database.unlink(missing_ok=True)
            return f"sqlite:///{database}"

    return Place(request.param, empty)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def told(story: Story, path: Path) -> Repository:
    repo = Repository(path)
    policy = {".onehead.toml": story.policy} if story.policy else {}
    repo.commit("main", merged(project(), policy, story.begun))
    repo.branch("topic", "main")
    repo.commit("main", story.main)
    repo.commit("topic", story.topic)
    return repo


def by_hand(repo: Repository, tree: str, fix: Mapping[str, Any], folder: Path) -> Path:
    """The direction that onehead never takes: a side that is published, moved by its first revision."""
    assert fix["new_ids"] == []
    made = checked_out(repo, tree, folder)
    [moved] = (each for each in (made / VERSIONS).iterdir() if f'revision: str = "{fix["moved"]}"' in each.read_text())
    new, count = re.subn(r"(\ndown_revision: [^=]*= ).*", rf'\1"{fix["onto"]}"', moved.read_text())
    assert count == 1
    moved.write_text(new)
    return made


def deployed(repo: Repository, run: Run, folder: Path, fixes: list[dict[str, Any]]) -> Iterator[tuple[Any, Path]]:
    """Each fix, and the files as they are once it is merged into main."""
    both = ("--repo", repo.path, "--target", "main", "--head", "topic")
    union = repo.git("merge-tree", "--write-tree", "main", "topic").strip()
    written = set()
    for number, fix in enumerate(fixes):
        place = folder / str(number)
        if fix["fix"] == "none":
            yield fix, checked_out(repo, union, place)
        elif fix["fix"] in written:
            yield fix, by_hand(repo, union, fix, place)
        else:
            written.add(fix["fix"])
            done = run("fix", *both, "--strategy", fix["fix"], "--format", "json")
            sha = done.json["sha"]
            yield fix, checked_out(repo, repo.git("merge-tree", "--write-tree", "main", sha).strip(), place)


def attempt(real: Deployment, command: str) -> str:
    """What Alembic stops with; empty where it does not."""
    try:
        real.run(command)
    except (CommandError, DBAPIError) as stop:
        return in_order(str(stop))
    return ""


def tables_of(files: Mapping[str, str]) -> dict[str, str]:
    """Revision id → the table that it makes."""
    found = {}
    for source in files.values():
        id_, made = re.search(r'revision: str = "(.*)"', source), re.search(r'create_table\("(\w+)"', source)
        assert id_
        assert made
        found[id_[1]] = made[1]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_what_states_says_happens_and_every_way_out_leads_out(
    name: str, place: Place, run: Run, tmp_path: Path
) -> None:
    story = STORIES[name]
    repo = told(story, tmp_path / "repo")
    done = run("states", "--repo", repo.path, "--target", "main", "--head", "topic", "--format", "json")
    [environment] = done.json["environments"]
    shared = set(tables_of(story.begun).values())
    table = tables_of(merged(story.begun, story.main, story.topic))
    seen = set()
    for fix, folder in deployed(repo, run, tmp_path / "deployed", environment["fixes"]):
        new_ids = {each["old"]: each["new"] for each in fix["new_ids"]}
        heads = Deployment(folder, "sqlite://").heads()
        for state in (*fix["states"], *fix["corrupt"]):
            tables = shared | {table[id_] for id_ in state["applied"]}
            real = place.at(folder, state["rows"], tables)
            if state["outcome"] == "error":
                assert attempt(real, "alembic upgrade head") == state["error"]
            elif state["outcome"] != "repeat":
                assert list(real.upgrade()) == state["runs"]
                assert list(real.rows()) == state["rows_after"]
                after = {new_ids.get(id_, id_): made for id_, made in table.items()}
                assert real.tables() == set(table.values()) - {after[id_] for id_ in state["lost"]}
            if not state["remedy"]:
                assert state["outcome"] == "ok" or "unknown-row" in str(state.get("ailment")), (fix["fix"], state)
                continue
            seen.add((fix["fix"], fix["onto"], state["outcome"]))
            real = place.at(folder, state["rows"], tables)
            for line in state["remedy"]:
                real.run(line)
            assert real.tables() == set(table.values())
            assert real.rows() == (heads if fix["fix"] != "none" else tuple(environment_heads(done)))
    stops = ("reparent", max(tables_of(story.main)), "error")
    assert stops in seen


def environment_heads(done: Any) -> list[str]:
    """The ends of both sides of the fork."""
    [environment] = done.json["environments"]
    return sorted(side[-1] for side in environment["fork"]["sides"])


@pytest.mark.parametrize("name", STORIES)
def test_everything_names_the_new_ids(name: str, run: Run, tmp_path: Path) -> None:
    story = STORIES[name]
    repo = told(story, tmp_path / "repo")
    both = ("--repo", repo.path, "--target", "main", "--head", "topic")
    plan = run("check", *both, "--format", "json").json["environments"][0]["plan"]
    new_ids = {each["old"]: each["new"] for each in plan["new_ids"]}
    if story.new_ids is None:
        assert set(new_ids) == set(tables_of(story.topic))
        assert not set(new_ids.values()) & set(new_ids)
    else:
        assert new_ids == story.new_ids
    fixed = run("fix", *both, "--format", "json")
    assert fixed.json["environments"][0]["plan"]["new_ids"] == plan["new_ids"]
    kept = set(tables_of(story.topic)) - set(new_ids)
    files = repo.files(fixed.json["sha"])
    ids = set(tables_of({path: repo.read(fixed.json["sha"], path) for path in files if path.startswith(VERSIONS)}))
    assert ids == {*tables_of(story.begun), *tables_of(story.main), *kept, *new_ids.values()}
    states = run("states", *both, "--format", "json").json["environments"][0]["fixes"]
    assert [each["new_ids"] for each in states if each["fix"] == "reparent"] == [plan["new_ids"], []]
    text = run("check", *both).out
    assert all(f"`{old}`" in text and f"`{new}`" in text for old, new in new_ids.items())
    shown = run("states", *both).out
    assert all(f"{old} as {new}" in shown for old, new in new_ids.items())


TRIED = STORIES | {
    "the same id": Story(
        BEGUN,
        merged(file("0003", "0002_items", "0003_orders")),
        merged(file("0003", "0002_items", "0003_phone"), file("0004", "0003", "0004_fax")),
        None,
    ),
    "a second base": Story(BEGUN, ORDERS, file("0005_phone", None), {}),
    "two lines that meet": Story(
        BEGUN,
        ORDERS,
        merged(
            file("0005_phone", "0001_shop"),
            file("0006_fax", "0002_items"),
            {
                path: source.replace('"0006_fax"', '("0005_phone", "0006_fax")')
                for path, source in file("0007_both", "0006_fax").items()
            },
        ),
        {},
    ),
}
TRIED["the same id"].topic.update(
    {path: source.replace("t_0003", "t_phone") for path, source in TRIED["the same id"].topic.items()}
)


QUICK = ["renumbered"]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in TRIED if name not in QUICK]


@pytest.mark.parametrize("name", [*QUICK, *SLOW])
def test_the_authors_own_database_gets_well_before_and_after(name: str, place: Place, run: Run, tmp_path: Path) -> None:
    story = TRIED[name]
    repo = told(story, tmp_path / "repo")
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "topic", "--format", "json")
    [own] = done.json["own_databases"]
    branch = checked_out(repo, "topic", tmp_path / "branch")
    merge = repo.git("merge-tree", "--write-tree", "main", done.json["sha"]).strip()
    repaired = checked_out(repo, merge, tmp_path / "repaired")
    everything = set(tables_of(story.begun).values()) | set(tables_of(story.main).values())
    everything |= {each for source in story.topic.values() for each in re.findall(r'create_table\("(\w+)"', source)}

    tried = place.at(branch, [], set())
    tried.upgrade("heads")
    assert list(tried.rows()) == own["rows"]
    assert own["before"]
    for line in own["before"]:
        tried.run(line)
    merged_in_time = Deployment(repaired, tried.url)
    merged_in_time.upgrade()
    assert (merged_in_time.tables(), merged_in_time.rows()) == (everything, merged_in_time.heads())

    tried = place.at(branch, [], set())
    tried.upgrade("heads")
    late = Deployment(repaired, tried.url)
    stop = attempt(late, "alembic upgrade head")
    assert bool(stop) == (own["outcome"] != "loss")
    if own["outcome"] == "loss":
        assert late.tables() != everything
    assert own["after"]
    for line in own["after"]:
        late.run(line)
    assert (late.tables(), late.rows()) == (everything, late.heads())


LANDED = ["merged, branch kept", "merged, branch gone", "squashed, branch kept"]


@pytest.mark.parametrize("how", [LANDED[0], *(pytest.param(each, marks=pytest.mark.slow) for each in LANDED[1:])])
@pytest.mark.parametrize("name", [*QUICK, *SLOW])
def test_the_doctor_brings_every_database_of_the_branch_home(
    name: str, how: str, place: Place, run: Run, tmp_path: Path
) -> None:
    """Whichever revision of the branch it has run last, once the repair is on main."""
    story = TRIED[name]
    repo = told(story, tmp_path / "repo")
    fixed = run("fix", "--repo", repo.path, "--target", "main", "--head", "topic", "--format", "json").json
    branch = checked_out(repo, "topic", tmp_path / "branch")
    tree = repo.git("merge-tree", "--write-tree", "main", fixed["sha"]).strip()
    parents = ["-p", "main"] if how.startswith("squashed") else ["-p", "main", "-p", fixed["sha"]]
    landed = repo.git("commit-tree", *parents, "-m", "Land topic", tree).strip()
    repo.git("update-ref", "refs/heads/main", landed)
    repo.git("update-ref", "-d", f"refs/heads/{fixed['branch']}")
    if how.endswith("gone"):
        repo.git("update-ref", "-d", "refs/heads/topic")
    deployed = checked_out(repo, "main", tmp_path / "deployed")
    files = {path: repo.read("main", path) for path in repo.files("main") if VERSIONS in path}
    everything = set(tables_of(files).values())
    for stop in tables_of(story.topic):
        tried = place.at(branch, [], set())
        tried.upgrade(stop)
        url = Deployment(branch, tried.url).url
        at = ("doctor", "--repo", repo.path, "--at", "main", "--format", "json")
        seen = run(*at, "--database-url", url)
        assert seen.code == 1
        [found] = seen.json["environments"]
        codes = [each["code"] for each in found["complaints"]]
        assert "unknown-row" not in codes
        new_ids = {each["old"]: each["new"] for each in fixed["environments"][0]["plan"]["new_ids"]}
        if stop in new_ids and name != "the same id":
            assert codes == ["renamed-row"]
            by_rows = run(*at, "--rows", ",".join(tried.rows())).json["environments"][0]
            assert by_rows["ways_out"] == found["ways_out"]
        [way, *_] = found["ways_out"]
        real = Deployment(deployed, tried.url)
        for step in way["steps"]:
            real.run(step["command"])
        assert (real.tables(), real.rows()) == (everything, real.heads())
        assert run(*at, "--database-url", url).code == 0
