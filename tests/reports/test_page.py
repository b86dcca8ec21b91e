"""The page as HTML: what it shows, that nothing from a repository comes alive in it, and that anybody can read it."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from onehead.reports.page import (
    PER_PAGE,
    GraphQuestion,
    ListPart,
    ListQuestion,
    ago,
    list_page,
    list_part,
    message_page,
    refused_page,
    repository_page,
    styles,
)
from onehead.reports.page_model import (
    CONDITIONS,
    Condition,
    EnvironmentGraph,
    GraphRow,
    ProposedRows,
    RepositoryGraph,
    ShownDatabase,
    ShownEnvironment,
    ShownPull,
    ShownRepository,
    ShownTarget,
    TargetGraph,
)
from tests.page_samples import FORGE, FORKED, GRAPH, HOSTILE, LEAGUE, NOTHING, NOW, SHOP, healthy, sharing, world

VOID = {"meta", "input", "link", "br"}


class Document(HTMLParser):
    """A page: its elements, and that each is closed where it has to be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.styles.append(data)
        else:
            self.words = " ".join(f"{self.words} {data}".split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def part(shown: dict[str, ShownRepository], question: ListQuestion = ListQuestion()) -> ListPart:  # noqa: B008
    return list_part({name: each.condition for name, each in shown.items()}, question)


def listed(shown: dict[str, ShownRepository], question: ListQuestion = ListQuestion()) -> Document:  # noqa: B008
    return Document(list_page(part(shown, question), shown, FORGE, NOW))


def opened(shown: ShownRepository, graph: RepositoryGraph = NOTHING) -> Document:
    return Document(repository_page("acme/shop", shown, graph, FORGE, NOW))


PAGES = {
    "list": list_page(part(world()), world(), FORGE, NOW),
    "empty": list_page(part({}), {}, FORGE, NOW),
    "shop": repository_page("acme/shop", SHOP, GRAPH, FORGE, NOW),
    "league": repository_page("acme/league", LEAGUE, FORKED, FORGE, NOW),
    "hostile": repository_page("eve/hostile", HOSTILE, NOTHING, FORGE, NOW),
    "unknown": repository_page("acme/new", ShownRepository(NOW), NOTHING, FORGE, NOW),
    "message": message_page("Nothing & nobody."),
    "refused": refused_page(),
}
each_page = pytest.mark.parametrize("name", PAGES)


@each_page
def test_a_page_can_be_read_by_anybody(name: str) -> None:
    document = Document(PAGES[name])
    assert document.all("html") == [{"lang": "en"}]
    assert len(document.all("h1")) == len(document.all("main")) == 1
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(attributes.get("scope") for attributes in document.all("th"))
    assert len(document.all("caption")) == len(document.all("table"))
    for _, attributes in document.elements:
        assert {attributes.get("aria-labelledby"), attributes.get("for")} - {None} <= set(ids)
    for moment in document.all("time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)", str(moment["datetime"]))


@each_page
def test_nothing_of_a_page_is_fetched_run_or_styled_from_elsewhere(name: str) -> None:
    document = Document(PAGES[name])
    assert {tag for tag, _ in document.elements}.isdisjoint({"script", "img", "iframe", "link", "object", "b", "i"})
    assert document.styles == list(styles())[: len(document.styles)]
    for _, attributes in document.elements:
        assert not {key for key in attributes if key.startswith("on") or key in ("style", "src")}
        href = attributes.get("href") or "?"
        assert re.match(
            r"https://forge\.example\.org/|http://forgejo:3000/(acme|eve)/|[?#]|\.\./\.\./repositories$|repositories/",
            href,
        ), href


def test_what_a_repository_says_is_text() -> None:
    words = opened(HOSTILE).words
    for text in (
        "</title><script>alert(2)</script>",
        "<b>at all</b>",
        "</style><script>",
    ):
        assert text in words
    assert '"><script>alert(1)</script>' in words
    assert "<img src=x onerror=alert(1)>" in listed({"eve/hostile": HOSTILE}).words


HALF = "a\udcff\ud800\u202eb"
"""Bytes that are no UTF-8, half a character of JSON, and what turns the reading round: a branch may be named so."""


def test_any_text_at_all_makes_a_page_and_nothing_in_it_is_hidden() -> None:
    shown = ShownRepository(
        NOW,
        (ShownTarget(HALF, HALF, "ok", HALF, None, (ShownEnvironment(HALF, (HALF,), 1, 1),)),),
        (ShownPull(1, HALF, HALF, HALF, HALF, "ok", HALF, rivals=(sharing(2, HALF),)),),
        (ShownDatabase(HALF, HALF, (HALF,), HALF, None, (HALF,)),),
        trouble=HALF,
        url=f"https://forge.example.org/{HALF}",
    )
    chain = EnvironmentGraph(HALF, (GraphRow(HALF, (), HALF, HALF, HALF, HALF, labels=(HALF,)),))
    graph = RepositoryGraph(
        (TargetGraph(HALF, HALF, (chain,)), TargetGraph("main", HALF, (chain,))),
        (ProposedRows(1, HALF, HALF, (GraphRow("b", (HALF,), HALF, HALF, HALF, HALF, 1),)),),
    )
    question = GraphQuestion(HALF, (HALF,))
    one = repository_page(HALF, shown, graph, FORGE, NOW, question)
    several = list_page(part({HALF: shown}, ListQuestion(HALF[:1])), {HALF: shown}, FORGE, NOW)
    for page in (one, several):
        page.encode("utf-8")
        assert "a\ufffd\ufffdb" in Document(page).words
    assert "\u202e" not in several


@pytest.mark.parametrize("count", [3, 30])
def test_whether_there_is_a_folded_part_to_open(count: int) -> None:
    rows = tuple(GraphRow(f"{n:03}", (f"{n - 1:03}",) if n else (), "?open=all") for n in range(count))
    graph = RepositoryGraph((TargetGraph("main", "8" * 40, (EnvironmentGraph("versions", rows),)),))
    assert ("Follow a folded part to open it." in opened(healthy(), graph).words) == (count > 3)


def test_the_list_begins_with_what_is_worst() -> None:
    words = listed(world()).words
    assert words.index("acme/league") < words.index("acme/shop") < words.index("acme/atlas")
    assert "The chain forks after 019: 2 heads (020_seasons and 020_teams). Repair: #44" in words
    assert "5 open, 3 with rivals #12 ✕ collides repair #31" in words
    assert "1 environment, 19 of 19 files read" in words
    assert "staging holds an unknown row" in words
    assert "eu-archive 3 behind" in words


def test_the_list_has_pages_and_is_searched() -> None:
    conditions: dict[str, Condition] = {f"acme/r{number:05}": "healthy" for number in range(10_000)}
    conditions |= {"Acme/Forked": "forked", "acme/none": "plain"}
    first, last = list_part(conditions, ListQuestion()), list_part(conditions, ListQuestion(page=9_999))
    assert (first.found, first.pages, len(first.names), first.names[0]) == (10_002, 201, PER_PAGE, "Acme/Forked")
    assert (last.question.page, last.names) == (201, ("acme/r09999", "acme/none"))
    found = list_part(conditions, ListQuestion("FORK"))
    assert (found.names, dict(found.counts)) == (("Acme/Forked",), dict.fromkeys(CONDITIONS, 0) | {"forked": 1})
    assert list_part(conditions, ListQuestion("", "plain")).names == ("acme/none",)
    assert list_part(conditions, ListQuestion("", "nonsense")).names == ()


def test_the_pages_of_the_list_keep_what_was_asked() -> None:
    shown = {f"acme/r&{number:03}": healthy() for number in range(120)}
    document = listed(shown, ListQuestion("r&", "healthy", 2))
    links = [attributes["href"] for attributes in document.all("a") if attributes.get("rel")]
    assert links == ["?q=r%26&is=healthy", "?q=r%26&is=healthy&page=3"]
    assert [each.get("value") for each in document.all("input")] == ["r&", "healthy"]
    assert "Page 2 of 3, 120 repositories" in document.words
    assert "repositories/acme/r%26050" in [attributes.get("href") for attributes in document.all("a")]


def test_links_lead_to_the_forge_as_people_reach_it() -> None:
    found = [attributes.get("href") for attributes in opened(SHOP, GRAPH).all("a")]
    assert "https://forge.example.org/acme/shop/pulls/12" in found
    assert "https://forge.example.org/acme/shop/src/branch/release/2.1" in found
    assert f"https://forge.example.org/acme/shop/commit/{'d' * 40}" in found
    # What the forge has not named is taken from the settings.
    assert "http://forgejo:3000/acme/shop/pulls/1" in [each.get("href") for each in opened(HOSTILE).all("a")]


def test_an_empty_list_says_why() -> None:
    assert "No repository was looked at yet" in listed({}).words
    assert "No repository fits." in listed({"acme/shop": SHOP}, ListQuestion("nothing")).words


def test_a_repository_shows_what_is_open_and_in_which_order_to_merge_it() -> None:
    words = opened(SHOP).words
    assert "#12 Log in with OAuth by ann main ✕ collides shop/migrations/versions: Once merged" in words
    assert "#31 , re-parent the branch none" in words
    assert "#17 : both add a revision after 019 #25 : both use the number 20" in words
    order = words[words.index("Best order of merging") :]
    assert "#17 Teams of players: as it is #25 Ratings: as it is #23 Wish lists: to be repaired then" in order
    assert "after #17 : both add a revision after 019 after #25 : both use the number 20" in order
    assert "#24 Faster search by ben, a draft" in words


def test_a_repository_shows_where_its_databases_are() -> None:
    words = opened(SHOP).words
    assert "production shop/migrations/versions 019 up to date 2026-11-28 10:15 UTC" in words
    assert "staging shop/migrations/versions 021 ? unknown not known" in words
    assert "eu-archive billing/migrations/versions a01c 3 revisions" in words


def test_a_repository_shows_findings_and_trouble() -> None:
    words = opened(LEAGUE).words
    assert "✕ forked Read 1 environment, 21 of 21 revision files. Repair: #44 , merge the heads fork error The" in words
    assert "The chain forks after 019 : 2 heads ( 020_seasons and 020_teams )." in words
    assert "The last look could not be finished. Forgejo does not answer" in opened(HOSTILE).words


def test_a_condition_is_that_of_the_worst_part() -> None:
    found = {name: each.condition for name, each in world().items()}
    assert (found["acme/shop"], found["acme/league"], found["eve/hostile"]) == ("colliding", "forked", "forked")
    assert (found["acme/atlas"], found["acme/website"]) == ("healthy", "plain")
    assert ShownRepository(NOW, trouble="Away.").condition == "troubled"


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_how_long_ago(passed: timedelta, said: str) -> None:
    assert ago(NOW - passed, NOW) == said


def test_the_style_is_what_its_hash_is_of() -> None:
    for name, page in PAGES.items():
        [found] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[:1]
        assert b64encode(sha256(found.encode()).digest()) == b64encode(sha256(styles()[0].encode()).digest()), name
