"""What the page shows of a repository follows what happens there, on either engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from onehead.errors import OneheadError
from onehead.reports.page_model import GraphRow, ShownPull, ShownTarget
from onehead.service.engine import EmbeddedEngine, Engine
from onehead.service.memory import OwnShelf
from onehead.service.page_store import PageStore
from onehead.service.page_view import PageView
from onehead.service.postgres_engine import PostgresEngine
from tests.migrations import chain, merged, revision
from tests.postgres import POSTGRESQL, postgres
from tests.service.test_engine_contract import database
from tests.stories.colliding import BASE, collide
from tests.stories.conftest import Service
from tests.stories.test_databases import told

__all__ = ["postgres"]


class Kept:
    """The engine of the service, and what it keeps for the page."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.store = PageStore(OwnShelf())
        self.engine: PostgresEngine | None = None

    def make(self, handler: Callable[..., None], **named: object) -> Engine:
        """The engine."""
        if not self.url:
            return EmbeddedEngine(handler, **named)  # type: ignore[arg-type]
        self.engine = PostgresEngine(handler, url=self.url, **named)  # type: ignore[arg-type]
        self.store = PageStore(self.engine.shelf)
        return self.engine


@pytest.fixture(params=["embedded", POSTGRESQL])
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    found = Kept() if request.param == "embedded" else Kept(database(request.getfixturevalue("postgres")))
    yield found
    if found.engine is not None:
        found.engine.close()


@pytest.fixture
def engines(kept: Kept) -> Callable[..., Engine]:
    return kept.make


@pytest.fixture
def store(service: Service, kept: Kept) -> PageStore:
    service.context.page = kept.store
    return kept.store


def page_of(service: Service, store: PageStore, query: str = "") -> str:
    status, html = PageView(store, service.project.forgejo.url)(service.project.repository.full_name, query)
    assert status == 200
    return html


def target_of(service: Service, store: PageStore) -> ShownTarget:
    [found] = store.shown([service.project.repository.full_name]).values()
    [target] = found.targets
    return target


def pulls_of(service: Service, store: PageStore) -> dict[int, ShownPull]:
    [found] = store.shown([service.project.repository.full_name]).values()
    return {pull.number: pull for pull in found.pulls}


def rows_of(service: Service, store: PageStore) -> dict[str, GraphRow]:
    graph = store.graph(service.project.repository.full_name)
    [target] = graph.targets
    [environment] = target.environments
    return {row.id: row for row in environment.rows}


def test_a_collision_and_its_end_are_shown(service: Service, store: PageStore) -> None:
    name = service.project.repository.full_name
    number, _ = collide(service)
    [repair] = service.repairs()

    assert store.conditions() == {name: "colliding"}
    shown = pulls_of(service, store)
    mine = shown[number]
    assert (mine.verdict, mine.plan, mine.repair, mine.author) == (
        "collision",
        "reparent",
        repair["number"],
        service.project.owner.name,
    )
    assert mine.says.startswith("Once merged, the chain forks after 018: 2 heads (019 and 020)")
    target = target_of(service, store)
    assert (target.verdict, target.repair, target.coverage) == ("ok", None, (1, 3, 3, 0))
    assert [(each.heads, each.revisions) for each in target.environments] == [(("019",), 3)]
    rows = rows_of(service, store)
    assert list(rows) == ["017", "018", "019"]
    assert (rows["019"].does, rows["019"].message) == ("creates table `t019`", "t019")
    assert rows["019"].author == service.project.owner.name.title()
    assert rows["019"].commit == service.project.copy.git("rev-parse", "main").strip()
    [proposed] = store.graph(name).proposed
    assert [(row.id, row.pull, row.does) for row in proposed.rows] == [("020", number, "creates table `t020`")]
    html = page_of(service, store)
    assert f'href="{service.project.forgejo.url}/{name}/pulls/{repair["number"]}"' in html
    assert "creates table t020" in html

    service.project.merge(repair["number"])
    service.settle()

    assert store.conditions() == {name: "healthy"}
    assert {each.number: each.verdict for each in pulls_of(service, store).values()} == {number: "ok"}
    service.project.merge(number)
    service.settle()
    assert pulls_of(service, store) == {}
    rows = rows_of(service, store)
    assert (rows["020"].parents, rows["020"].pull) == (("019",), number)
    assert rows["019"].pull is None
    assert store.graph(name).proposed == ()


@pytest.mark.slow
def test_a_fork_of_a_deployed_branch_is_shown_with_its_repair(service: Service, store: PageStore) -> None:
    service.project.copy.commit(merged(BASE, chain(("019", "018")), revision("020", "018")), "Start")
    service.project.copy.push()
    service.settle()
    [repair] = service.repairs()

    target = target_of(service, store)
    assert (target.verdict, target.plan, target.repair) == ("fork", "merge", repair["number"])
    assert [each.code for each in target.problems] == ["fork"]
    assert [each.heads for each in target.environments] == [("019", "020")]
    assert store.conditions() == {service.project.repository.full_name: "forked"}


@pytest.mark.slow
def test_rivals_are_shown_and_what_a_look_leaves_out_stays(service: Service, store: PageStore) -> None:
    service.project.copy.commit(BASE, "Start")
    service.project.copy.push()
    for name, id_ in (("teams", "019"), ("oauth", "020")):
        service.project.push_branch(name, chain((id_, "018")))
    first, second = (service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth"))
    service.settle()

    shown = pulls_of(service, store)
    assert [(rival.number, rival.what) for rival in shown[first].rivals] == [(second, "018")]
    assert "Best order of merging" in page_of(service, store)
    service.project.edit_pull(second, title="OAuth at last")
    service.settle()
    after = pulls_of(service, store)
    assert (after[second].title, after[first]) == ("OAuth at last", shown[first])
    assert target_of(service, store).verdict == "ok"


@pytest.mark.slow
def test_databases_are_shown_where_they_are(
    service: Service, store: PageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    collide(service)
    assert told(service, monkeypatch, "--database", "production", "--row", "018") == 0
    assert told(service, monkeypatch, "--database", "lost", "--environment", "alembic/versions", "--row", "999") == 0

    [found] = store.shown([service.project.repository.full_name]).values()
    assert [(each.name, each.rows, each.missing, each.unknown) for each in found.databases] == [
        ("lost", ("999",), 3, ("999",)),
        ("production", ("018",), 1, ()),
    ]
    assert "1 revision" in page_of(service, store)


def test_trouble_is_shown_until_it_is_over(service: Service, store: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    collide(service)

    def away(*_arguments: object) -> None:
        raise OneheadError("Forgejo does not answer <now>.")

    with monkeypatch.context() as patched:
        patched.setattr(service.context.api, "repository", away)
        with pytest.raises(OneheadError):
            service.tell_everything()
    html = page_of(service, store)
    assert "Forgejo does not answer &lt;now&gt;." in html
    assert "collides" in html

    service.tell_everything()
    assert "Forgejo does not answer" not in page_of(service, store)


@pytest.mark.slow
def test_what_is_not_looked_after_is_not_shown(service: Service, store: PageStore) -> None:
    collide(service)
    service.context.covers = lambda _repository: False
    service.tell_everything()

    assert store.conditions() == {}
    assert PageView(store, "")(service.project.repository.full_name, "")[0] == 404
