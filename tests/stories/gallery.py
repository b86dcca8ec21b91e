"""The gallery of comments, as a real Forgejo shows them: docs/images/gallery/, which docs/gallery.md explains.

`make gallery` runs this file; it needs a Forgejo in ONEHEAD_TEST_FORGEJO and Chromium, and takes two minutes. Plain
`make test` does not: it checks that the page and the pictures belong together (tests/test_diagrams.py).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser, chromium
from tests.diagrams import IMAGES
from tests.forgejos.administration import PASSWORD, HostedRepository
from tests.forgejos.fixtures import Apis, Project, WorkCopies
from tests.forgejos.port import BOT_SCOPES, Account, Forgejo, eventually
from tests.forgejos.real import VARIABLE
from tests.forgejos.start import binaries, start
from tests.migrations import VERSIONS, merged, revision
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service
from tests.stories.test_issues import CRASH, basketball

__all__ = ["browser"]

GALLERY = IMAGES / "gallery"
WIDTH, HEIGHT = 1180, 4000
"""Pixels of the window: as high as the longest page, or lazily drawn graphs would be left out."""
SHARPNESS = 1.3
QUALITY = 75

START = merged(alembic_project(), revision("017", None, "games"), revision("018", "017", "seasons"))
TEAMS = revision("019", "018", "player_teams")
OAUTH = merged(revision("020", "018", "oauth_accounts"), revision("021", "020", "oauth_tokens"))

Shoot = Callable[..., None]
"""Takes a picture of a comment, or of the text of a pull request or issue: its name, its number, the comment."""


@pytest.fixture(scope="module")
def forgejo() -> Iterator[Forgejo]:
    """The first real one that is named."""
    if chromium() is None:
        pytest.exit("The gallery is photographed by Chromium: `apt-get install chromium` brings one.", returncode=2)
    if not binaries():
        pytest.exit(f"The gallery shows a real Forgejo: name its binary in {VARIABLE}.", returncode=2)
    running = start(binaries()[0])
    yield running
    running.stop()


def account(forgejo: Forgejo, name: str, full_name: str, scopes: tuple[str, ...] = ("all",)) -> Account:
    email = f"{name}@example.org"
    body = {"username": name, "full_name": full_name, "email": email, "password": PASSWORD}
    user = forgejo.admin.api.call("POST", "/admin/users", {**body, "must_change_password": False}, expect=201)
    return Account(user["id"], name, email, PASSWORD, forgejo.admin.create_token(name, scopes))


@pytest.fixture(scope="module")
def ann(forgejo: Forgejo) -> Account:
    """Who owns the project."""
    return account(forgejo, "ann", "Ann")


@pytest.fixture(scope="module")
def ben(forgejo: Forgejo) -> Account:
    """Who has a fork of it."""
    return account(forgejo, "ben", "Ben")


@pytest.fixture(scope="module")
def one_bot(forgejo: Forgejo) -> Account:
    """The account of onehead, the same in every picture."""
    return account(forgejo, "onehead", "onehead", BOT_SCOPES)


@pytest.fixture
def bot(one_bot: Account) -> Account:
    """The same for each story."""
    return one_bot


@pytest.fixture
def project(
    forgejo: Forgejo, ann: Account, api_of: Apis, work_copy: WorkCopies, request: pytest.FixtureRequest
) -> Project:
    """A repository for each story."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:20]
    body = {"name": name, "private": False, "default_branch": "main"}
    forgejo.admin.api.call("POST", f"/admin/users/{ann.name}/repos", body, expect=201)
    repository = HostedRepository(ann.name, name)
    copy, api = work_copy(repository, ann), api_of(ann)
    copy.commit(START, "Games and seasons")
    copy.push()
    eventually(lambda: api.get(repository.path)["empty"] is False)
    return Project(forgejo, repository, ann, api, copy)


@pytest.fixture
def shoot(browser: Browser, project: Project) -> Shoot:
    """A camera for the pages of a story."""
    GALLERY.mkdir(parents=True, exist_ok=True)

    def take(name: str, number: int, comment: int | None = None, *, dark: bool = False, until: str = "") -> None:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light")
        page.goto(f"{project.forgejo.url}/{project.repository.full_name}/issues/{number}")
        place = f"#issuecomment-{comment}" if comment else ".timeline-item.first"
        (GALLERY / f"{name}.webp").write_bytes(picture(page, f"{place} .comment-container", until))
        page.close()

    return take


def picture(page: Page, selector: str, until: str) -> bytes:
    """A picture of one element, down to the end of another one in it, once its graph is drawn."""
    page.wait_for_load_state("networkidle")
    found = page.locator(selector).first
    expect(found.locator(".is-loading")).to_have_count(0)
    page.wait_for_timeout(1000)
    box = found.bounding_box()
    last = found.locator(until).first.bounding_box() if until else box
    assert box is not None
    assert last is not None
    clip = {**box, "height": last["y"] + last["height"] - box["y"], "scale": SHARPNESS}
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY, "clip": clip})
    return base64.b64decode(taken["data"])


def collide(
    service: Service,
    branch: Mapping[str, str | None] = OAUTH,
    main: Mapping[str, str | None] = TEAMS,
    *,
    escaped: bool = False,
) -> int:
    """A pull request, while main moves; `escaped`: another branch holds it too."""
    project = service.project
    project.push_branch("oauth", branch)
    if escaped:
        project.copy.git("push", "-q", "origin", "oauth:staging")
    number = int(project.open_pull("oauth", title="Log in with OAuth", body="Two new tables.")["number"])
    project.copy.commit(main, "Player teams")
    project.copy.push()
    service.settle()
    return number


def verdict(service: Service, number: int) -> int:
    """The comment that says how a pull request is."""
    [comment] = service.verdicts(number)
    return int(comment["id"])


def answer(service: Service, number: int, text: str) -> int:
    """The reply to a comment."""
    service.ask(number, text)
    return int(service.comments(number)[-1]["id"])


def test_reparent(service: Service, shoot: Shoot) -> None:
    number = collide(service)
    comment = verdict(service, number)
    shoot("reparent", number, comment)
    shoot("collision", number, comment, until=".mermaid-block")
    shoot("collision-dark", number, comment, until=".mermaid-block", dark=True)
    shoot("answer-help", number, answer(service, number, "/onehead help"))
    shoot("answer-misspelt", number, answer(service, number, "/onehead explane"))
    shoot("answer-doctor", number, answer(service, number, "/onehead doctor 021"))
    shoot("answer-merge", number, answer(service, number, "/onehead merge"))
    answer(service, number, "/onehead auto")
    [repair] = service.repairs()
    shoot("pull-request", repair["number"])
    service.project.merge(repair["number"])
    service.settle()
    shoot("ended", number, verdict(service, number))


def test_merge(service: Service, shoot: Shoot) -> None:
    number = collide(service, escaped=True)
    shoot("merge", number, verdict(service, number))
    shoot("answer-explain", number, answer(service, number, "/onehead explain"))
    shoot("answer-ignore", number, answer(service, number, "/onehead ignore this branch is thrown away"))


def test_reissue(service: Service, shoot: Shoot) -> None:
    number = collide(service, merged(revision("019", "018", "oauth_accounts"), revision("020", "019", "oauth_tokens")))
    shoot("reissue", number, verdict(service, number))


def test_refuse(service: Service, shoot: Shoot) -> None:
    number = collide(service, revision("021", "020", "oauth_tokens"))
    shoot("refuse", number, verdict(service, number))


def test_fork_on_main(service: Service, shoot: Shoot) -> None:
    service.project.copy.commit(merged(TEAMS, OAUTH), "Teams and OAuth")
    service.project.copy.push()
    service.settle()
    [repair] = service.repairs()
    shoot("pull-request-into-main", repair["number"])


def test_repaired_elsewhere(service: Service, shoot: Shoot) -> None:
    project = service.project
    project.copy.commit(TEAMS, "Player teams")
    project.copy.push()
    project.push_branch("oauth", OAUTH, start="main~1")
    project.push_branch("join", merged(OAUTH, revision("022", ("021", "019"), "join_both")))
    number = int(project.open_pull("oauth", title="Log in with OAuth")["number"])
    service.settle()
    shoot("repaired-elsewhere", number, verdict(service, number))


def test_by_hand(service: Service, shoot: Shoot, ben: Account, work_copy: WorkCopies, api_of: Apis) -> None:
    project = service.project
    fork = project.forgejo.admin.fork(project.repository, ben)
    theirs = work_copy(fork, ben)
    theirs.branch("oauth")
    theirs.commit(OAUTH, "Log in with OAuth")
    theirs.push()
    number = int(project.open_pull("ben:oauth", title="Log in with OAuth", by=api_of(ben))["number"])
    project.copy.commit(TEAMS, "Player teams")
    project.copy.push()
    service.settle()
    shoot("by-hand", number, verdict(service, number))


def test_heads_up(service: Service, shoot: Shoot) -> None:
    project = service.project
    project.push_branch("teams", TEAMS)
    project.push_branch("oauth", OAUTH)
    first = int(project.open_pull("teams", title="Player teams")["number"])
    project.open_pull("oauth", title="Log in with OAuth")
    service.settle()
    shoot("heads-up", first, verdict(service, first))


def test_warned(service: Service, shoot: Shoot) -> None:
    service.project.push_branch("cleanup", {f"{VERSIONS}/018_seasons.py": None})
    number = int(service.project.open_pull("cleanup", title="Clean up")["number"])
    service.settle()
    shoot("warned", number, verdict(service, number))


def test_policy(service: Service, shoot: Shoot) -> None:
    service.project.push_branch("rules", {".onehead.toml": 'strategy = "merge"\nfresh_ids = true\n'})
    number = int(service.project.open_pull("rules", title="Rules for repairs")["number"])
    service.settle()
    shoot("policy", number, verdict(service, number))


def test_crash(service: Service, shoot: Shoot) -> None:
    service.project.copy.commit(dict.fromkeys(START), "Begin anew")
    basketball(service)
    number = service.project.open_issue("Crash loop since the last deploy", CRASH)
    shoot("answer-crash", number, answer(service, number, "/onehead explain"))
