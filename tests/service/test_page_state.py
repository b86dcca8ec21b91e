"""What the page keeps of a repository, from what a run knows; and that it is little, whatever the repository holds."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256

import pytest

from onehead.databases.reported import ReportedDatabase
from onehead.forge.models import User
from onehead.plan.findings import Facts
from onehead.plan.rivals import Brought, Rival, RivalConflict
from onehead.plan.verdict import Point
from onehead.reports import page_model
from onehead.reports.page_model import MAX_PULLS, RepositoryGraph, ShownRepository, short_id
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.service.desired import KnownPull, KnownState, KnownTarget
from onehead.service.judge import Judged
from onehead.service.memory import OwnShelf
from onehead.service.page_state import (
    MAX_GRAPH_ROWS,
    MAX_NOTED,
    FileOrigin,
    Notes,
    graph_after,
    notes_of,
    shown_after,
    unnoted,
)
from onehead.service.page_store import FORM, PageStore
from onehead.service.page_view import PageView
from onehead.service.wire import Wire
from tests.plan.cases import ENVIRONMENT, examination, facts
from tests.service.test_desired import MAIN, point, snapshot
from tests.service.test_subjects import NOON, pull

NOTHING = Notes({}, {})


def judged(*given: Facts, brought: tuple[Revision, ...] = ()) -> Judged:
    items = tuple(Brought(ENVIRONMENT.path, each, None) for each in brought)
    return Judged(examination(*given), None, (), {}, {}, {}, "", items)


def on_main(*given: Facts) -> KnownTarget:
    return KnownTarget(MAIN, judged(*given))


def shown(known: KnownState, before: ShownRepository | None = None) -> ShownRepository:
    return shown_after(before, known, {}, (), NOON)


def rows(graph: RepositoryGraph) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.id, row.parents) for row in graph.targets[0].environments[0].rows]


def test_what_was_not_looked_at_stays_and_what_is_closed_goes() -> None:
    one, two = pull(1, "topic"), pull(2, "other")
    there = snapshot(one, two, heads=("topic", "other"))
    healthy = judged(facts("a", "b<a"))
    both = KnownState(
        there,
        targets=(on_main(facts("a; b<a")),),
        pulls=(
            KnownPull(one, point("topic"), MAIN, (), healthy),
            KnownPull(two, point("other"), MAIN, why="git is gone"),
        ),
    )
    first = shown(both)
    assert [(each.number, each.verdict, each.says) for each in first.pulls] == [
        (1, "ok", first.pulls[0].says),
        (2, "", "git is gone"),
    ]
    assert [(each.branch, each.verdict, each.environments[0].heads) for each in first.targets] == [
        ("main", "ok", ("b",))
    ]
    assert first.condition == "troubled"

    after = shown(KnownState(snapshot(one)), first)
    assert (after.targets, after.pulls) == (first.targets, first.pulls[:1])
    assert after.condition == "healthy"


def test_a_repair_is_named_where_it_was_offered() -> None:
    known = KnownState(snapshot(), targets=(on_main(facts("a; b<a; c<a")),))
    found = shown_after(None, known, {MAIN.point.ref: 7, "#1": 8}, (), NOON).targets[0]
    assert (found.verdict, found.plan, found.repair) == ("fork", "merge", 7)


def test_databases_are_compared_with_the_first_deployed_branch() -> None:
    known = KnownState(snapshot(), targets=(on_main(facts("a; b<a; c<b")),))
    reported = [ReportedDatabase("prod", "", ("b",), "2026-11-28T10:15:00Z", ())]
    found = shown_after(None, known, {}, reported, NOON)
    assert [(each.rows, each.missing, each.unknown) for each in found.databases] == [(("b",), 1, ())]
    kept = shown_after(found, KnownState(snapshot()), {}, None, NOON)
    assert kept.databases == found.databases


def test_a_graph_has_parents_first_and_keeps_what_is_missing() -> None:
    known = KnownState(snapshot(), targets=(on_main(facts("c<b; b<a,gone; a")),))
    graph = graph_after(RepositoryGraph(), known, NOTHING)
    assert rows(graph) == [("a", ()), ("b", ("a", "gone")), ("c", ("b",))]


def test_a_graph_has_dependencies_and_labels() -> None:
    chain = Graph(
        [Revision("a", (), "a.py", "1", branch_labels=("billing",)), Revision("b", (), "b.py", "2", ("a", "x"))]
    )
    known = KnownState(snapshot(), targets=(on_main(Facts(ENVIRONMENT, chain, None, chain)),))
    found = {row.id: (row.needs, row.labels) for row in graph_after(RepositoryGraph(), known, NOTHING).rows()}
    assert found == {"a": ((), ("billing",)), "b": (("a", "x"), ())}


def test_notes_stay_with_a_file_until_it_changes() -> None:
    known = KnownState(snapshot(), targets=(on_main(facts("a; b<a")),))
    wanted = unnoted(known, NOTHING)
    assert [(each.branch, each.id) for each in wanted] == [("main", "b"), ("main", "a")]
    notes = Notes(
        {each.blob: f"does {each.id}" for each in wanted},
        {("main", each.blob): FileOrigin("Ann", "f" * 40, 3) for each in wanted},
    )
    graph = graph_after(RepositoryGraph(), known, notes)
    assert {(row.does, row.author, row.pull) for row in graph.rows()} == {("does a", "Ann", 3), ("does b", "Ann", 3)}
    assert unnoted(known, notes_of(graph)) == []
    more = KnownState(snapshot(), targets=(on_main(facts("a; b<a; c<b")),))
    assert [each.id for each in unnoted(more, notes_of(graph))] == ["c"]


def test_what_a_pull_request_would_bring_is_drawn_until_it_is_closed() -> None:
    one = pull(1, "topic")
    known = KnownState(
        snapshot(one),
        targets=(on_main(facts("a")),),
        pulls=(
            KnownPull(
                one, point("topic"), MAIN, (), judged(facts("a", "b<a"), brought=(Revision("b", ("a",), "b.py", "1"),))
            ),
        ),
    )
    graph = graph_after(RepositoryGraph(), known, NOTHING)
    [proposed] = graph.proposed
    assert (proposed.pull, proposed.base, [(row.id, row.parents) for row in proposed.rows]) == (
        1,
        "main",
        [("b", ("a",))],
    )
    assert graph_after(graph, KnownState(snapshot(one)), NOTHING) == graph
    assert graph_after(graph, KnownState(snapshot()), NOTHING).proposed == ()


def test_an_id_is_cut_and_stays_unique() -> None:
    assert short_id("ae1027a6acf") == "ae1027a6acf"
    assert short_id(f"{LONG}a") != short_id(f"{LONG}b")
    assert short_id(f"{LONG}a") != short_id(f"{LONG}xa")
    assert short_id("a\u202eb") != short_id("a\u202db")
    assert short_id("a\u202eb\n").isprintable()
    assert len(short_id("\0" * 10_000_000)) == len(short_id(LONG)) == 80


def test_of_a_long_chain_the_newest_are_kept() -> None:
    count = MAX_GRAPH_ROWS + 100
    chain = Graph(Revision(f"{n:05}", (f"{n - 1:05}",) if n else (), f"v/{n:05}.py", f"{n:x}") for n in range(count))
    known = KnownState(snapshot(), targets=(on_main(Facts(ENVIRONMENT, chain, None, chain)),))
    assert len(unnoted(known, NOTHING)) == MAX_NOTED
    [environment] = graph_after(RepositoryGraph(), known, NOTHING).targets[0].environments
    assert (len(environment.rows), environment.older) == (MAX_GRAPH_ROWS, 100)
    assert (environment.rows[0].id, environment.rows[0].parents) == ("00100", ())
    assert environment.rows[1].parents == ("00100",)


def test_what_is_kept_has_another_number_where_it_has_another_form() -> None:
    kinds = [each for each in vars(page_model).values() if isinstance(each, type) and is_dataclass(each)]
    form = repr([(kind.__name__, [(each.name, each.type) for each in fields(kind)]) for kind in kinds])
    # Where this fails, raise FORM and write both here.
    assert (FORM, sha256(form.encode()).hexdigest()[:12]) == (1, "0d54cead82c1")


LONG = "x" * 100_000


@pytest.mark.slow
def test_whatever_a_repository_holds_little_of_it_is_kept() -> None:
    author = User(5, LONG)
    pulls = [replace(pull(n, f"b{n}"), title=LONG + str(n), author=author) for n in range(1, 300)]
    there = snapshot(*pulls, heads=tuple(f"b{n}" for n in range(1, 300)))
    huge = [
        Revision(f"{LONG}{n}", tuple(f"{LONG}p{k}" for k in range(50)), f"{n}.py", f"{n}", doc=LONG) for n in range(9)
    ]
    small = [Revision(f"r{n}", (), f"r{n}.py", f"b{n}", doc="many heads") for n in range(3000)]
    wide = Graph([*huge, *small])
    given = Facts(ENVIRONMENT._replace(path=LONG), wide, None, wide)
    rivals = tuple(Rival(n, RivalConflict.PARENT, LONG, LONG) for n in range(20))
    brought = tuple(huge)
    state = KnownState(
        there,
        targets=(on_main(given),),
        pulls=tuple(
            KnownPull(
                each, Point(f"refs/heads/b{each.number}", "1" * 40), MAIN, rivals, judged(facts("a"), brought=brought)
            )
            for each in pulls
        ),
    )
    reported = [ReportedDatabase("d" * 100, "", ("r" * 255,) * 100, "2026-11-28T10:15:00Z", ()) for _ in range(100)]
    found = shown_after(None, state, {}, reported, NOON)
    graph = graph_after(RepositoryGraph(), state, NOTHING)

    assert (len(found.pulls), found.more_pulls) == (MAX_PULLS, 300 - 1 - MAX_PULLS)
    assert len(json.dumps(Wire().write(found, ShownRepository))) < 600_000
    assert len(json.dumps(Wire().write(graph, RepositoryGraph))) < 3_000_000
    store = PageStore(OwnShelf())
    store.put("acme/shop", found)
    store.put_graph("acme/shop", graph)
    assert store.shown(["acme/shop"]) == {"acme/shop": found}
    assert store.graph("acme/shop") == graph
    view = PageView(store, "https://forge.example.org", lambda: NOON)
    status, html = view("acme/shop", "")
    assert status == 200
    assert len(json.dumps(html)) < 4_000_000
    assert view("", "")[0] == 200
