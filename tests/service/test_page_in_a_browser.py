"""The page in a real browser: with a keyboard, on a phone, in the dark, for a screen reader, and without scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from onehead.service.memory import OwnShelf
from onehead.service.page_door import PageAccess, PageDoor
from onehead.service.page_store import PageStore
from onehead.service.page_view import PageView
from onehead.service.web import DoorMetrics, build_app
from tests.chromium import browser
from tests.forgejos.port import eventually
from tests.page_samples import FORKED, GRAPH, NOW, world
from tests.service.doors import Beside

__all__ = ["browser"]

pytestmark = pytest.mark.slow

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    """The address of the service."""
    store = PageStore(OwnShelf())
    for name, shown in world().items():
        store.put(name, shown)
    store.put_graph("acme/shop", GRAPH)
    store.put_graph("acme/league", FORKED)
    view = PageView(store, "https://forge.example.org", lambda: NOW)
    behind = Beside(show=view)
    app = build_app(None, None, behind, DoorMetrics(), PageDoor(PageAccess((TOKEN,)), behind))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@dataclass
class Visit:
    """A page that is open, all that it asked for, and what the browser complained about."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Visits:
    """Opens pages, each in a browser that knows nothing of the others."""

    def __init__(self, browser: Browser, root: str) -> None:
        self._browser = browser
        self.root = root
        self.open_now: list[Visit] = []

    def open(
        self, path: str, *, width: int = 1280, dark: bool = False, scripts: bool = True, password: str = TOKEN
    ) -> Visit:
        context = self._browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            http_credentials={"username": "ann", "password": password} if password else None,
        )
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.asked.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        self.open_now.append(visit)
        visit.page.goto(f"{self.root}{path}")
        return visit


@pytest.fixture
def visits(browser: Browser, root: str) -> Iterator[Visits]:
    found = Visits(browser, root)
    yield found
    for visit in found.open_now:
        visit.page.context.close()


PATHS = ["/repositories", "/repositories/acme/shop", "/repositories/acme/league", "/repositories/eve/hostile"]


@pytest.mark.parametrize(("path", "width"), [*product(PATHS, (320, 360, 840, 1280))])
def test_a_page_fits_and_nothing_is_asked_of_others(visits: Visits, path: str, width: int) -> None:
    visit = visits.open(path, width=width)
    wide, room = visit.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    assert visit.complaints == []
    assert visit.asked
    assert all(each.startswith(visits.root) for each in visit.asked)


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const channels = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return channels("Canvas");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("style, svg")) continue;
    const pair = [channels(getComputedStyle(element).color), ground(element)].map(light).sort((a, b) => b - a);
    found.push([(pair[0] + 0.05) / (pair[1] + 0.05), node.data.trim()]);
  }
  return found;
}"""


@pytest.mark.parametrize(("path", "dark"), [*product(PATHS, (False, True))])
def test_every_text_can_be_told_from_its_ground(visits: Visits, path: str, dark: bool) -> None:
    page = visits.open(path, dark=dark).page
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [each for each in contrasts if each[0] < 4.5] == []
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_screen_reader_finds_headings_landmarks_and_tables(visits: Visits, width: int) -> None:
    page = visits.open("/repositories/acme/shop", width=width).page
    seen = page.locator("body").aria_snapshot()
    for part in (
        'heading "acme/shop" [level=1]',
        'heading "Open pull requests" [level=2]',
        "- banner:",
        "- main:",
        "- contentinfo:",
        'table "Deployed branches and their heads"',
        'rowheader "main"',
        'rowheader "#12 Log in with OAuth by ann"',
        "- cell ",
        'region "The graph, which can be scrolled"',
    ):
        assert part in seen, part
    for name in ("Verdict", "Repair", "Rivals"):
        assert page.get_by_role("columnheader", name=name, exact=True).count() >= 1
    listed = visits.open("/repositories", width=width).page.locator("body").aria_snapshot()
    assert 'searchbox "Name contains"' in listed
    assert 'navigation "By condition"' in listed
    assert 'rowheader "acme/league"' in listed


def focused(page: Page) -> str:
    return str(page.evaluate("(document.activeElement.innerText || document.activeElement.id).trim()"))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_keyboard_is_enough(visits: Visits, scripts: bool) -> None:
    visit = visits.open("/repositories", scripts=scripts)
    page = visit.page
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    box = page.get_by_text("Skip to the content").bounding_box()
    assert box is not None
    assert box["width"] > 100
    page.keyboard.press("Tab")
    page.keyboard.type("SHOP")
    page.keyboard.press("Enter")
    page.wait_for_url("**/repositories?q=SHOP")
    assert page.locator("tbody").count() == 1
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "acme/shop":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert (focused(page), outline) == ("acme/shop", "solid")
    page.keyboard.press("Enter")
    page.wait_for_url("**/repositories/acme/shop")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    eventually(lambda: page.evaluate("document.activeElement.id") == "main")
    page.get_by_role("link", name="onehead · all repositories").press("Enter")
    page.wait_for_url("**/repositories")
    assert visit.complaints == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_folded_part_of_the_graph_is_opened(visits: Visits, scripts: bool) -> None:
    page = visits.open("/repositories/acme/shop", scripts=scripts).page
    assert page.locator("svg").get_by_text("009", exact=True).count() == 0
    page.locator("svg a").filter(has_text="revisions,").click()
    page.wait_for_url("**/repositories/acme/shop?open=*#graph")
    assert page.locator("svg").get_by_text("009", exact=True).count() == 1
    page.get_by_role("navigation", name="Deployed branches").get_by_role("link", name="release/2.1").click()
    page.wait_for_url("**/acme/shop?branch=release*")
    assert page.get_by_role("heading", name="Revisions of release/2.1").count() == 1


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("shop", ("oauth_tokens", "#17", "a head of main: creates table player_teams", "dora")),
        ("league", ("missing: no file declares it", "020_teams")),
    ],
)
def test_a_missing_parent_and_what_is_proposed_are_drawn(visits: Visits, name: str, texts: tuple[str, ...]) -> None:
    drawing = visits.open(f"/repositories/acme/{name}").page.locator("svg")
    for text in texts:
        assert drawing.get_by_text(text).count() >= 1, text


def test_a_drawing_is_scrolled_by_itself(visits: Visits) -> None:
    page = visits.open("/repositories/acme/shop", width=360).page
    region = page.get_by_role("region", name="The graph")
    wide, room = region.evaluate("element => [element.scrollWidth, element.clientWidth]")
    assert wide > room
    region.focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: region.evaluate("element => element.scrollLeft") > 0)


def test_with_another_token_there_is_a_plain_page(visits: Visits) -> None:
    visit = visits.open("/repositories", password="another-token-of-the-same-length")
    assert visit.page.get_by_role("heading", name="You are not signed in").count() == 1
    assert "acme" not in visit.page.content()
