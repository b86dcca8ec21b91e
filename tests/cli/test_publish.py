"""`check --publish` and `--upload-sarif` beyond Forgejo: GitHub by its documented shapes, and who has no forge."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections.abc import Iterator
from gzip import decompress
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from onehead.cli.pipeline import ForgeOfJob, forge_of
from tests.cli.ci_jobs import forgejo, github, gitlab, push, woodpecker
from tests.cli.terminal_runs import Run, story
from tests.forge.github_samples import JOB, PATH, ROOT, TOKEN, account, comment, pull, status
from tests.repositories import Repository

NUMBER = 12
COMMENTS = f"{PATH}/issues/{NUMBER}/comments"
REFUSED = {"message": "Resource not accessible by integration"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return story(tmp_path_factory.mktemp("forge") / "origin.git").path


@pytest.fixture
def origin(template: Path, tmp_path: Path) -> Repository:
    """main at 003; `oauth` (004, 005) collides with it."""
    shutil.copytree(template, tmp_path / "origin.git")
    return Repository(tmp_path / "origin.git")


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=ROOT, assert_all_called=False) as router:
        router.get("/user").respond(403, json=REFUSED)
        router.get(url__regex=r".*/users/.*").respond(json=account(JOB.login, JOB.id, "Bot"))
        yield router


@pytest.fixture
def job(origin: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Repository:
    """The job of pull request 12 on GitHub, which checks out a merge."""
    del logging_as_before
    github(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    for name in ("ONEHEAD_TOKEN", "ONEHEAD_TOKEN_FILE", "ONEHEAD_BOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_API_URL", ROOT)
    monkeypatch.setenv("GITHUB_REPOSITORY", "courtside/basketball-api")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    return origin


def answers(api: respx.MockRouter, origin: Repository, *, fork: bool = False) -> tuple[list[dict[str, Any]], str]:
    """A GitHub on which everything is allowed: the comments that are there, and the commit of the head."""
    there: list[dict[str, Any]] = []
    sha = origin.sha("oauth")
    made = pull()
    made["head"] |= {"sha": sha}
    if not fork:
        made["head"]["repo"] = made["base"]["repo"]

    def create(request: httpx.Request) -> httpx.Response:
        there.append(comment(91, json.loads(request.content)["body"]))
        return httpx.Response(201, json=there[-1])

    api.get(f"{PATH}/pulls/{NUMBER}").respond(json=made)
    api.get(COMMENTS).mock(side_effect=lambda _: httpx.Response(200, json=there))
    api.post(COMMENTS).mock(side_effect=create)
    api.get(f"{PATH}/commits/{sha}/statuses").respond(json=[])
    api.get(url__regex=r".*/commits/.*/pulls").respond(json=[])
    api.post(f"{PATH}/statuses/{sha}").respond(201, json=status("onehead", "failure"))
    return there, sha


def sent(api: respx.MockRouter, method: str) -> list[tuple[str, dict[str, Any]]]:
    calls = (call.request for call in api.calls if call.request.method == method)
    return [(request.url.path, json.loads(request.content)) for request in calls]


def test_a_collision_gets_a_comment_and_a_status(job: Repository, api: respx.MockRouter, run: Run) -> None:
    there, sha = answers(api, job)

    done = run("check", "--publish")

    assert done.code == 1
    assert done.err == f"onehead: wrote the comment on #12.\nonehead: set the status `onehead` of {sha[:10]}.\n"
    [(first, written), (second, said)] = sent(api, "POST")
    assert (first, second) == (COMMENTS, f"{PATH}/statuses/{sha}")
    assert written["body"].startswith('<!-- onehead:verdict v1 {"state":"problem"} -->\n')
    assert "run `onehead fix --target main --head oauth` in a clone" in written["body"]
    assert said == {
        "context": "onehead",
        "state": "failure",
        "description": said["description"],
        "target_url": there[0]["html_url"],
    }
    assert said["description"].startswith("Once merged, the chain forks after 002: 2 heads")
    assert len(said["description"]) <= 140


def test_what_is_right_is_not_written_again(job: Repository, api: respx.MockRouter, run: Run) -> None:
    there, sha = answers(api, job)
    run("check", "--publish")
    [_, (_, said)] = sent(api, "POST")
    kept = {**status("onehead", "failure"), "description": said["description"], "target_url": said["target_url"]}
    api.get(f"{PATH}/commits/{sha}/statuses").respond(json=[kept])
    before = len(sent(api, "POST"))

    done = run("check", "--publish")

    assert done.err == "onehead: #12 is up to date: nothing had to be written.\n"
    assert (len(sent(api, "POST")), sent(api, "PATCH"), len(there)) == (before, [], 1)


@pytest.mark.usefixtures("job")
def test_an_address_that_is_none_is_the_jobs(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "https://api.github.test?x")

    done = run("check", "--publish")

    assert done.code == 1
    assert "onehead: not published: The address" in done.err
    assert "`GITHUB_API_URL`" in done.err
    assert "ONEHEAD_FORGEJO_URL" not in done.err


JUNK: list[dict[str, Any]] = [
    {"text": "<html>a proxy</html>"},
    {"json": []},
    {"json": {"id": "x"}},
    {"json": None},
    {"content": b"[" * 100_000},
    {"content": b"9" * 5000},
    {"content": b'"\\ud800'},
    {"json": {}, "headers": {"X-Total-Count": "9" * 5000}},
    {"status_code": 302, "headers": {"Location": "https://evil.test/api"}},
    {"status_code": 302, "headers": {"Location": "//[evil"}},
    {"status_code": 302},
    {"status_code": 204},
    *({"status_code": code, "json": {"message": f"it is {TOKEN}"}} for code in (401, 403, 404, 409, 422, 423)),
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk)[:40])
@pytest.mark.parametrize("place", ["first", "reads", "writes"])
def test_whatever_the_forge_answers_the_exit_code_is_that_of_the_verdict(
    place: str, junk: dict[str, Any], job: Repository, api: respx.MockRouter, run: Run
) -> None:
    _, sha = answers(api, job)
    answer = {"status_code": 200} | junk
    match place:
        case "first":
            api.get("/user").respond(**answer)
        case "reads":
            for path in (COMMENTS, f"{PATH}/commits/{sha}/statuses"):
                api.get(path).respond(**answer)
            api.get(url__regex=r".*/commits/.*/pulls").respond(**answer)
        case "writes":
            api.post(COMMENTS).respond(**answer)
            api.post(f"{PATH}/statuses/{sha}").respond(**answer)

    done = run("check", "--publish")

    assert done.code == 1
    assert done.out.startswith("Collision. ")
    assert "Traceback" not in done.err
    # A setting of the service says nothing in a job.
    assert "ONEHEAD_FORGEJO_URL" not in done.err
    assert TOKEN not in done.out + done.err
    assert {call.request.url.host for call in api.calls} == {httpx.URL(ROOT).host}


def test_a_defect_hides_no_verdict_and_shows_no_text_of_its_own(
    job: Repository, api: respx.MockRouter, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(api, job)

    def fail(*_: object) -> None:
        raise ValueError(TOKEN)

    monkeypatch.setattr("onehead.forge.api.ForgejoApi.create_comment", fail)
    first = run("check", "--publish")
    monkeypatch.setattr("onehead.forge.github.GitHubApi.pull", fail)
    second = run("check", "--publish")

    said = "Something is wrong inside onehead (ValueError, fail in test_publish.py). Report this. It changes nothing "
    said += "in the verdict."
    assert (first.code, second.code) == (1, 1)
    status, told = first.err.splitlines()
    assert status.startswith("onehead: set the status")
    assert told == f"onehead: #12: its page could not be brought up to date. {said}"
    assert second.err == f"onehead: not published: {said}\n"


@pytest.mark.parametrize(
    ("fork", "own", "way"),
    [
        (True, False, "Let the workflow run on `pull_request_target`"),
        (False, False, "`pull-requests: write`"),
        (True, True, "the token of an account that may write to the repository"),
    ],
)
def test_a_token_that_may_only_read_is_explained(
    fork: bool, own: bool, way: str, job: Repository, api: respx.MockRouter, run: Run
) -> None:
    _, sha = answers(api, job, fork=fork)
    if own:
        api.get("/user").respond(json=account("ann", 7))
    api.post(COMMENTS).respond(403, json=REFUSED)
    api.post(f"{PATH}/statuses/{sha}").respond(403, json=REFUSED)

    done = run("check", "--publish")

    assert done.code == 1
    lines = done.err.splitlines()
    assert [line.partition(". GitHub answered 403 to POST ")[0] for line in lines[::2]] == [
        "onehead: #12: its page could not be brought up to date",
        "onehead: #12: its status could not be set",
    ]
    assert all(line.startswith("  → ") and way in line for line in lines[1::2])


def test_findings_are_handed_to_code_scanning(job: Repository, api: respx.MockRouter, run: Run) -> None:
    route = api.post(f"{PATH}/code-scanning/sarifs").respond(202, json={"id": "47177e22"})

    done = run("check", "--upload-sarif")

    assert (done.code, done.err) == (1, "onehead: handed the findings to code scanning.\n")
    body = json.loads(route.calls.last.request.content)
    assert (body["commit_sha"], body["ref"]) == (job.sha("oauth"), "refs/pull/12/head")
    log = json.loads(decompress(b64decode(body["sarif"])))
    assert log["version"] == "2.1.0"
    assert "collision" in {result["ruleId"] for result in log["runs"][0]["results"]}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("answer", [403, 404])
def test_where_code_scanning_is_off_one_line_says_so(answer: int, api: respx.MockRouter, run: Run) -> None:
    api.post(f"{PATH}/code-scanning/sarifs").respond(answer, json={"message": "Code scanning is not enabled"})

    done = run("check", "--upload-sarif")

    why = "code scanning is off here, or the job lacks the permission `security-events: write`"
    assert done.code == 1
    assert done.err == f"onehead: no findings were uploaded: {why} (GitHub answered {answer}).\n"


def test_forgejo_has_no_code_scanning(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgejo(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    done = run("check", "--upload-sarif")
    assert (done.code, done.err) == (1, "onehead: no findings were uploaded: Forgejo has no code scanning.\n")


@pytest.mark.parametrize(("system", "name"), [(gitlab, "GitLab CI"), (woodpecker, "Woodpecker")])
def test_a_system_without_a_forge_that_can_be_written_to(
    system: Any, name: str, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    done = run("check", "--publish")
    assert done.code == 1
    assert done.err.splitlines() == [
        f"onehead: not published: {name} names no Forgejo or GitHub that could be written to.",
        "  → Without one, `--format junit` or `--format sarif` is what a job can show.",
    ]


def test_a_push_has_nothing_to_publish(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(origin, tmp_path / "job", "main").enter(monkeypatch)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    done = run("check", "--publish")
    assert (done.code, done.err) == (
        0,
        "onehead: nothing was published: this is the job of branch main, and comments belong to pull requests.\n",
    )


ACTIONS = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop"}


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        (ACTIONS, ForgeOfJob("github", "https://api.github.com", "acme/shop")),
        (ACTIONS | {"GITHUB_API_URL": "https://ghe/api/v3"}, ForgeOfJob("github", "https://ghe/api/v3", "acme/shop")),
        (
            ACTIONS | {"FORGEJO_ACTIONS": "true", "GITHUB_API_URL": "https://git.test/api/v1"},
            ForgeOfJob("forgejo", "https://git.test/api/v1", "acme/shop"),
        ),
        (
            ACTIONS | {"GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.test/"},
            ForgeOfJob("forgejo", "https://git.test/api/v1", "acme/shop"),
        ),
        (ACTIONS | {"FORGEJO_ACTIONS": "true"}, None),
        ({"GITHUB_ACTIONS": "true"}, None),
        ({"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/shop"}, None),
        (
            {"CI_FORGE_TYPE": "forgejo", "CI_FORGE_URL": "https://git.test/", "CI_REPO": "acme/shop"},
            ForgeOfJob("forgejo", "https://git.test/api/v1", "acme/shop"),
        ),
        (
            {"CI_FORGE_TYPE": "github", "CI_FORGE_URL": "https://github.com", "CI_REPO": "acme/shop"},
            ForgeOfJob("github", "https://api.github.com", "acme/shop"),
        ),
        ({"CI_FORGE_TYPE": "bitbucket", "CI_FORGE_URL": "https://x.test", "CI_REPO": "acme/shop"}, None),
    ],
)
def test_the_forge_of_a_job(variables: dict[str, str], found: ForgeOfJob | None) -> None:
    assert forge_of(variables) == found
