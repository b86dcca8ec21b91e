"""What 0.1.0 has left behind is taken over: its comments, repairs, refs, decisions, hooks, caches and settings.

tests/data/takeover-0.1.0 holds what 0.1.0 itself has made, on a forge and in its cache directory; see the README there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pytest

from onehead.cli import main
from onehead.settings import Secret, Settings, load
from tests.forgejos import stored
from tests.forgejos.fixtures import Apis, Project, WorkCopies
from tests.forgejos.port import Account
from tests.forgejos.standin import StandinForgejo
from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.service.bare_server import Server
from tests.standin import gitside
from tests.stories.conftest import Service

STATE = Path(__file__).parents[1] / "data" / "takeover-0.1.0"
PULLS = json.loads((STATE / "state.json").read_text(encoding="utf-8"))["pulls"]


@pytest.fixture
def forgejo() -> Iterator[StandinForgejo]:
    """A forge that holds what was stored, and nothing else."""
    running = StandinForgejo()
    stored.restore(STATE, running)
    yield running
    running.stop()


@pytest.fixture
def project(
    forgejo: StandinForgejo,
    api_of: Apis,
    work_copy: WorkCopies,
    tmp_path: Path,
) -> Project:
    """The stored repository and its owner, and the cache directory as 0.1.0 left it."""
    content = stored.read(STATE, forgejo)
    repository = stored.hosted(content)
    owner = stored.account(forgejo, content["owner"])
    copy = work_copy(repository, owner)
    for branch in PULLS:
        if branch != "forked":
            copy.git("branch", branch, f"origin/{branch}")
    _leave_cache(tmp_path, f"{forgejo.url}/{repository.full_name}.git", forgejo.url)
    return Project(forgejo, repository, owner, api_of(owner), copy)


@pytest.fixture
def bot(forgejo: StandinForgejo) -> Account:
    return stored.account(forgejo, stored.read(STATE, forgejo)["bot"], bot=True)


def _leave_cache(place: Path, url: str, forge: str) -> None:
    """The mirror and the memory of parsed files, under the names that 0.1.0 gives them."""
    path = url.removeprefix(f"{forge}/").removesuffix(".git").replace("/", "-")
    mirror = place / "mirrors" / f"{path}-{sha256(url.encode()).hexdigest()[:16]}.git"
    mirror.mkdir(parents=True)
    gitside.run(mirror, "init", "-q", "--bare", "--initial-branch=main")
    config = (STATE / "mirror-config").read_text(encoding="utf-8").replace(stored.PLACEHOLDER, forge)
    (mirror / "config").write_text(config, encoding="utf-8")
    stored.import_stream(STATE, path.partition("-")[0], mirror)
    (mirror / "made-by").write_text("0.1.0", encoding="utf-8")
    memory = place / "parsed" / f"{crc32(url.encode()):08x}.json"
    memory.parent.mkdir()
    memory.write_bytes((STATE / "parsed.json").read_bytes())


class Page(NamedTuple):
    """A pull request, as far as onehead may have written on it."""

    state: str
    body: str
    head: str
    comments: dict[int, str]  # the bot's, by id

    @classmethod
    def all(cls, service: Service) -> dict[int, Page]:
        found = service.project.api.get(f"{service.project.repository.path}/pulls?state=all&limit=50")
        return {pull["number"]: cls.of(service, pull) for pull in found}

    @classmethod
    def of(cls, service: Service, pull: dict[str, Any]) -> Page:
        comments = {each["id"]: each["body"] for each in service.comments(pull["number"])}
        return cls(pull["state"], pull["body"], pull["head"]["sha"], comments)


def take_over(service: Service) -> None:
    """The first sweep of today's onehead."""
    service.tell_everything()
    service.settle()


def known(service: Service) -> list[str]:
    """The subjects of what databases have reported, the newest first."""
    copy = service.project.copy
    copy.git("fetch", "-q", "origin", "+refs/onehead/databases:refs/onehead/databases")
    return copy.git("log", "--format=%s", "refs/onehead/databases").splitlines()


def test_every_page_is_edited_in_place_and_none_is_added(service: Service) -> None:
    before = Page.all(service)
    offered = service.onehead_branches()
    take_over(service)
    after = Page.all(service)

    assert len(after) == 19
    assert {number: (page.state, list(page.comments)) for number, page in after.items()} == {
        number: (page.state, list(page.comments)) for number, page in before.items()
    }
    for name in PULLS:
        [verdict] = service.verdicts(PULLS[name])
        old = before[PULLS[name]].comments[verdict["id"]]
        # What has ended is left as it was said; the others say it in the words of today.
        assert (verdict["body"] == old) == (name in ("ignored", "solved"))
    replies = {id_: text for page in before.values() for id_, text in page.comments.items() if ":answer " in text}
    assert len(replies) == 3
    assert replies.items() <= {id_: text for page in after.values() for id_, text in page.comments.items()}.items()

    assert service.onehead_branches() == offered
    assert service.laid_ready() == [f"refs/onehead/reparent/pr-{PULLS['forked']}"]
    assert {each["head"]["ref"]: each["base"]["ref"] for each in service.repairs()} == {
        "onehead/reparent/moved": "moved",
        "onehead/merge/joined": "joined",
        "onehead/merge/deployed": "deployed",
        "onehead/reparent/taken": "taken",
        "onehead/reissue/twice": "twice",
    }
    for repair in service.repairs():
        assert repair["body"] != before[repair["number"]].body


@pytest.mark.slow
def test_a_second_sweep_writes_nothing(service: Service) -> None:
    take_over(service)
    before, refs = Page.all(service), service.project.copy.git("ls-remote", "origin")
    service.tell_everything()
    service.settle()
    assert Page.all(service) == before
    assert service.project.copy.git("ls-remote", "origin") == refs


@pytest.mark.slow
def test_what_people_had_decided_still_holds(service: Service) -> None:
    before = Page.all(service)
    take_over(service)
    copy = service.project.copy
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()

    after = Page.all(service)
    ignored, taken = PULLS["ignored"], PULLS["taken"]
    assert service.status(after[ignored].head)[0] == "success"
    assert [each for each in service.repairs() if each["base"]["ref"] in ("ignored", "declined")] == []
    [theirs] = [each for each in service.repairs() if each["base"]["ref"] == "taken"]
    assert theirs["head"]["sha"] == before[theirs["number"]].head  # a person's commit is on it
    assert service.status(after[taken].head)[0] == "failure"
    [joined] = [each for each in service.repairs() if each["base"]["ref"] == "joined"]
    assert joined["head"]["ref"] == "onehead/merge/joined"

    assert "chooses the repair again" in service.ask(PULLS["joined"], "/onehead auto")
    [joined] = [each for each in service.repairs() if each["base"]["ref"] == "joined"]
    assert joined["head"]["ref"] == "onehead/reparent/joined"
    service.ask(ignored, "/onehead unignore")
    assert service.status(after[ignored].head)[0] == "failure"
    assert len(service.verdicts(ignored)) == 1
    assert "onehead/reparent/ignored" in service.onehead_branches()


@pytest.mark.slow
def test_a_repair_that_was_offered_is_merged_and_everything_of_it_goes(service: Service) -> None:
    take_over(service)
    [repair] = [each for each in service.repairs() if each["base"]["ref"] == "moved"]
    service.project.merge(repair["number"])
    service.settle()

    [verdict] = service.verdicts(PULLS["moved"])
    assert '"state":"problem"' not in verdict["body"]
    assert service.status(service.project.pull(PULLS["moved"])["head"]["sha"])[0] == "success"
    assert "onehead/reparent/moved" not in service.onehead_branches()


@pytest.mark.slow
def test_what_databases_had_reported_is_read_and_continued(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    take_over(service)
    assert known(service) == ["staging holds 080", "production holds 018"]
    [verdict] = service.verdicts(PULLS["deployed"])
    assert "`080` has been run: the database `staging` held `080`" in verdict["body"]
    assert "**`production` is here**" in verdict["body"]

    name = service.project.repository.full_name
    monkeypatch.setenv("ONEHEAD_REPORT_KEY", (STATE / "report-key").read_text(encoding="utf-8").strip())
    monkeypatch.setenv("ONEHEAD_SERVICE_URL", service.url)
    assert main.main(["report-rows", "--repository", name, "--database", "production", "--rows", "019"]) == 0
    service.settle()
    assert known(service) == ["production holds 019", "staging holds 080", "production holds 018"]


@pytest.mark.slow
def test_its_mirror_is_kept_and_its_memory_replaced(service: Service, tmp_path: Path) -> None:
    [memory] = (tmp_path / "parsed").iterdir()
    old = json.loads(memory.read_bytes())
    take_over(service)

    [place] = (tmp_path / "mirrors").glob("*.git")
    assert (place / "made-by").read_text(encoding="utf-8") == "0.1.0"
    [memory] = (tmp_path / "parsed").iterdir()
    new = json.loads(memory.read_bytes())
    assert new["format"] != old["format"]
    assert new["blobs"].keys() & old["blobs"].keys()  # read anew


def test_its_hook_goes_on_judging_and_is_renewed(tmp_path: Path) -> None:
    """It refuses what can't be judged, so an upgrade that it does not find its way into would refuse every push."""
    server = Server(tmp_path, "--on-error", "refuse")
    hook = server.bare.path / "hooks" / "pre-receive.d" / "onehead"
    renewed = hook.read_text(encoding="utf-8")
    left = (STATE / "hook").read_text(encoding="utf-8").replace("python=PYTHON", f"python={sys.executable}")
    hook.write_text(left, encoding="utf-8")

    server.commit("main", merged(alembic_project(), chain(("018", None), ("019", "018"))))
    assert server.push("main") == (True, "")
    server.commit("main", chain(("020", "018")))
    accepted, words = server.push("main")
    assert not accepted
    assert words.startswith("onehead: push refused. main would have a head too many")

    assert "written." in server.install("--on-error", "refuse")
    assert hook.read_text(encoding="utf-8") == renewed
    assert server.push("main") == (False, words)


def test_its_settings_load() -> None:
    assert load({}, STATE / "onehead.toml") == Settings(
        forgejo_url="https://git.example.org/forgejo",
        token=Secret("0123456789" * 4),
        bot="",
        webhook_secret=(Secret("the-new-one"), Secret("the-old-one")),
        report_secret=(Secret("long-enough-to-derive-keys-of-deploy-jobs"),),
        listen=("::1", 8687),
        public_url="https://onehead.example.org",
        repositories=("acme/*", "topic:alembic"),
        sweep="7,37 * * * *",
        cache_dir=Path("/var/cache/onehead"),
        cache_size=0.8,
        page_token=(),
        page_proxies=(),
        page_user_header="X-Forwarded-User",
        database_url=None,
        worker="",
        log="json",
    )
