"""The hook in a Forgejo: what people read who push or merge something that would fork a deployed branch."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from onehead.cli.main import main
from tests.forgejos.administration import HostedRepository
from tests.forgejos.fixtures import Project, WorkCopies
from tests.forgejos.port import eventually
from tests.forgejos.workcopy import PushRefusedError
from tests.migrations import VERSIONS, chain, merged, revision
from tests.service.bare_server import wrapped_git
from tests.stories.colliding import BASE
from tests.stories.conftest import Service

Install = Callable[..., Path]


@pytest.fixture
def install(project: Project, tmp_path: Path) -> Iterator[Install]:
    """Put the hook into the project's repository, or where `--server` says; it is gone after the test.

    Variables are set in the hook itself: a forge gives its hooks an environment of its own.
    """
    places: list[tuple[str, str]] = []

    def put(*options: str, server: Path | None = None, **variables: str) -> Path:
        bare = project.forgejo.bare_repository(project.repository.owner, project.repository.name)
        place = ("--server", str(server)) if server else ("--repository", str(bare))
        assert main(["install", "hook", *place, *options]) == 0
        places.append(place)
        file = (server / "home/hooks" if server else bare / "hooks") / "pre-receive.d/onehead"
        words = {"ONEHEAD_CACHE_DIR": str(tmp_path / "cache"), **variables}
        setting = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in words.items())
        file.write_text(file.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{setting}", 1))
        return file

    yield put
    for place in places:
        assert main(["uninstall", "hook", *place]) == 0


def start(project: Project) -> None:
    """018 is on main."""
    project.copy.commit(BASE, "Start")
    project.copy.push()


def ask_to_merge(project: Project, number: int) -> httpx.Response:
    """Try to merge a pull request, past the forge's own "try again later"."""

    def ask() -> httpx.Response | None:
        response = project.api.ask("POST", f"{project.repository.path}/pulls/{number}/merge", {"Do": "merge"})
        return None if "try again later" in response.text else response

    response = eventually(ask)
    assert response is not None
    return response


def remote_lines(said: str) -> list[str]:
    return [line.removeprefix("remote:").strip() for line in said.splitlines() if line.startswith("remote:")]


@pytest.mark.slow
def test_a_push_that_would_fork_main_is_refused_in_plain_words(project: Project, install: Install) -> None:
    start(project)
    install()
    copy = project.copy
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    copy.commit(chain(("020", "018"), ("021", "020")), "OAuth tokens")

    with pytest.raises(PushRefusedError, match="pre-receive hook declined") as refusal:
        copy.push()

    lines = remote_lines(str(refusal.value))
    assert lines[:7] == [
        "onehead: push refused. main would have a head too many, and its next deploy would stop.",
        "",
        "alembic/versions: 2 heads (019, 021)",
        "○ 018  t018  (main)",
        "├─● 019  t019  ← head, main",
        "└─○ 020  t020  (this push)",
        "● 021  t021  ← head, this push",
    ]
    assert "onehead fix --target origin/main --head HEAD --onto-branch onehead/repair" in lines
    assert project.api.get(f"{project.repository.path}/branches/main")["commit"]["id"] == copy.git(
        "rev-parse", "HEAD~1"
    )
    copy.commit({f"{VERSIONS}/020_t020.py": None, f"{VERSIONS}/021_t021.py": None, **revision("020", "019")}, "Again")
    assert not [line for line in remote_lines(copy.push()) if "onehead" in line]


@pytest.mark.slow
def test_a_merge_that_would_fork_main_is_refused_until_the_repair_is_in(service: Service, install: Install) -> None:
    project = service.project
    start(project)
    install()
    project.push_branch("oauth", chain(("020", "018"), ("021", "020")))
    number = project.open_pull("oauth", title="OAuth tokens")["number"]
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    service.settle()

    answer = ask_to_merge(project, number)

    assert answer.status_code == 409
    message = answer.json()["message"]
    assert message.startswith("PushRejected with remote message: ")
    words = message.removeprefix("PushRejected with remote message: ").splitlines()
    assert [line.strip() for line in words if line.strip()][:4] == [
        "onehead: not merged. main would have a head too many, and its next deploy would stop.",
        "error collision: Once merged, the chain forks after `018`: 2 heads (`019` and `021`); `021` is the new one.",
        "Merge the repair into this branch first: the onehead bot, where there is one, opens a",
        "pull request with it. By hand, in a clone, on this branch:",
    ]
    assert project.pull(number)["merged"] is False

    [repair] = service.repairs()
    project.merge(repair["number"])
    service.settle()
    project.merge(number)
    assert project.pull(number)["merged"] is True


@pytest.mark.slow
def test_a_main_that_is_forked_already_takes_its_repair(service: Service, install: Install) -> None:
    project = service.project
    start(project)
    project.copy.commit(merged(chain(("019", "018")), chain(("020", "018"))), "A fork, before the hook was there")
    project.copy.push()
    install()
    service.settle()
    [repair] = service.repairs()

    project.copy.commit({"README.md": "# More\n"}, "Work goes on")
    project.copy.push()
    service.settle()
    project.merge(repair["number"])

    project.copy.pull()
    project.copy.commit(chain(("023", "019")), "A head of its own again")
    with pytest.raises(PushRefusedError, match="main would have a head too many"):
        project.copy.push()


def test_a_file_made_through_the_api_is_judged_too(project: Project, install: Install) -> None:
    start(project)
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    install()
    [(path, text)] = revision("020", "018").items()
    body = {"content": base64.b64encode(text.encode()).decode(), "message": "OAuth", "branch": "main"}

    answer = project.api.ask("POST", f"{project.repository.path}/contents/{path}", body)

    # Version 15 keeps the hook's words to itself.
    assert answer.status_code in {403, 500}
    if answer.status_code == 403:
        assert "main would have a head too many" in answer.text
    project.api.call("GET", f"{project.repository.path}/contents/{path}", expect=404)


def test_another_branch_is_warned(project: Project, install: Install) -> None:
    start(project)
    install()
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    project.copy.branch("oauth", "main~1")
    project.copy.commit(chain(("020", "018")), "OAuth tokens")

    lines = remote_lines(project.copy.push())

    told = lines.index("onehead: accepted, but oauth can't be merged into main like this.")
    assert lines[told + 1] == (
        "error collision: Once merged, the chain forks after `018`: 2 heads (`019` and `020`); `020` is the new one."
    )
    assert project.api.get(f"{project.repository.path}/branches/oauth")["name"] == "oauth"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "action", "reason"),
    [
        (
            "*' ls-tree '*",
            "echo 'out of luck' >&2; exit 70",
            "`git ls-tree` failed with exit code 70 and said: out of luck",
        ),
        ("*' ls-tree '*", "sleep 60", "The time that a push may wait for its verdict was over before there was one."),
    ],
    ids=["error", "time-out"],
)
@pytest.mark.parametrize("on_error", ["allow", "refuse"])
def test_what_can_not_be_judged_is_let_in_or_refused_as_the_server_wants_it(
    project: Project, install: Install, tmp_path: Path, case: str, action: str, reason: str, on_error: str
) -> None:
    start(project)
    install("--on-error", on_error, "--timeout", "2", PATH=wrapped_git(tmp_path / "bin", case, action))
    project.copy.commit(chain(("019", "018")), "Player teams")

    if on_error == "refuse":
        with pytest.raises(PushRefusedError, match="pre-receive hook declined") as refusal:
            project.copy.push()
        lines = remote_lines(str(refusal.value))
        assert lines[0] == "onehead: push refused. It could not be judged, and this server asks for a verdict."
    else:
        lines = remote_lines(project.copy.push())
        assert lines[0] == "onehead: accepted WITHOUT a verdict. This push could not be judged."
    assert lines[1] == reason
    # What does not touch a migration needs no verdict.
    project.copy.git("reset", "-q", "--hard", "HEAD~1")
    project.copy.commit({"README.md": "# More\n"})
    if on_error == "refuse":
        project.copy.push()


def test_the_hook_of_a_server_judges_all_its_repositories(project: Project, install: Install) -> None:
    folder = project.forgejo.server_hooks()
    start(project)
    if folder is None:  # there is no such place before version 16
        bare = project.forgejo.bare_repository(project.repository.owner, project.repository.name)
        assert main(["install", "hook", "--server", str(bare.parent)]) == 2
        return
    install(server=folder.parents[2])
    project.copy.commit(merged(chain(("019", "018")), chain(("020", "018"))), "Two at once")
    with pytest.raises(PushRefusedError, match="main would have a head too many"):
        project.copy.push()


def test_a_wiki_is_not_deployed(project: Project, work_copy: WorkCopies, tmp_path: Path) -> None:
    if project.forgejo.name == "stand-in":  # it has no wikis; tests/cli/test_pre_receive.py tells what is said
        return
    page = {"title": "Home", "content_base64": base64.b64encode(b"Hello").decode()}
    project.api.call("POST", f"{project.repository.path}/wiki/new", page, expect=201)
    owner, name = project.repository.owner, f"{project.repository.name}.wiki"
    bare = project.forgejo.bare_repository(owner, name)
    assert main(["install", "hook", "--repository", str(bare), "--on-error", "refuse"]) == 0
    hook = bare / "hooks/pre-receive.d/onehead"
    hook.write_text(hook.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n: > {tmp_path}/asked\n", 1))
    copy = work_copy(HostedRepository(owner, name), project.owner)
    branch = copy.git("ls-remote", "--symref", "origin", "HEAD").split()[1].removeprefix("refs/heads/")
    copy.git("fetch", "-q", "origin", branch)
    copy.git("checkout", "-q", "-B", branch, "FETCH_HEAD")
    copy.commit(merged(BASE, chain(("019", "018"), ("020", "018"))), "Examples")
    assert not [line for line in remote_lines(copy.push()) if "onehead" in line]
    assert (tmp_path / "asked").exists()
