"""`onehead check --publish` in a job, with the token of that job: a person without a server sees the comment.

The jobs run on the stand-in alone, see tests/forgejos/job.py. What else is told of the token is in
tests/standin/tests/test_job_token.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import Unavailable
from onehead.forge.intents import Marker, mark
from onehead.forge.models import Comment, PullRequest, RepositoryName
from tests.cli.ci_jobs import leave
from tests.cli.terminal_runs import Done, runner
from tests.forgejos.fixtures import Apis, Project, WorkCopies
from tests.forgejos.job import JobTokens, checkout, forgejo, job_of
from tests.migrations import chain, merged
from tests.stories.colliding import BASE, collision
from tests.stories.conftest import Service

__all__ = ["forgejo", "job_of"]

FORKS = "Once merged, the chain forks after 018: 2 heads (019 and 021); 021 is the new one."
Publish = Callable[..., Done]


@pytest.fixture
def publish(
    project: Project,
    job_of: JobTokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> Publish:
    """Runs the command in a new job of a pull request: `publish(12)`."""
    del logging_as_before
    run = runner(capsys, tmp_path / "cache", monkeypatch)
    for name in ("ONEHEAD_TOKEN", "ONEHEAD_TOKEN_FILE", "ONEHEAD_BOT", "FORGEJO_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made: list[Path] = []

    def start(
        number: int,
        *args: str,
        from_fork: bool = False,
        event: str = "",
        variables: Mapping[str, str] = MappingProxyType({}),
        late: Callable[[], object] = lambda: None,
        clone: tuple[str, ...] = (),
    ) -> Done:
        made.append(tmp_path / f"job-{len(made)}")
        project.forgejo.wait_until_quiet()
        token = job_of(from_fork=from_fork).token
        job = checkout(project, number, made[-1], *clone, token=token, event=event)
        job.enter(monkeypatch)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        late()
        return run("check", "--publish", *args)

    return start


def comments(project: Project, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.api.get(f"{project.repository.path}/issues/{number}/comments")
    return found


def statuses(project: Project, sha: str) -> list[tuple[str, str, str]]:
    found = project.api.get(f"{project.repository.path}/commits/{sha}/statuses")
    return [(each["context"], each["status"], each["description"]) for each in found]


def post(project: Project, number: int, body: str) -> int:
    path = f"{project.repository.path}/issues/{number}/comments"
    return int(project.api.call("POST", path, {"body": body}, expect=201)["id"])


def said(*sentences: str) -> str:
    return "".join(f"onehead: {each}\n" for each in sentences)


def mend(project: Project, branch: str = "oauth") -> str:
    """Do by hand what the comment asks for, and give the new commit."""
    copy = project.copy
    copy.switch(branch)
    copy.git("merge", "--no-edit", "--quiet", "main")
    sha = copy.commit(chain(("020", "019")), "Move it")
    copy.push()
    copy.switch("main")
    project.forgejo.wait_until_quiet()
    return sha


def test_a_collision_is_told_once_edited_in_place_and_ended(project: Project, publish: Publish) -> None:
    number, sha = collision(project, added=("020", "021"))

    done = publish(number)

    assert (done.code, done.out.splitlines()[0][:11]) == (1, "Collision. ")
    assert done.err == said(f"wrote the comment on #{number}.", f"set the status `onehead` of {sha[:10]}.")
    [comment] = comments(project, number)
    assert (comment["user"]["id"], comment["user"]["login"]) == (-2, "forgejo-actions")
    assert comment["body"].startswith('<!-- onehead:verdict v1 {"state":"problem"} -->\n')
    assert "`oauth` and `main` both add a migration after `018`" in comment["body"]
    by_hand = "**Next:** run `onehead fix --target main --head oauth` in a clone and push what it writes."
    assert by_hand in comment["body"]
    assert '+down_revision: Union[str, Sequence[str], None] = "019"' in comment["body"]
    # Nobody answers commands there.
    assert "/onehead" not in comment["body"]
    assert statuses(project, sha) == [("onehead", "failure", f"{FORKS} Next: see the comment.")]
    [status] = project.api.get(f"{project.repository.path}/commits/{sha}/statuses")
    assert status["target_url"] == comment["html_url"]
    assert project.api.get(f"{project.repository.path}/pulls?state=all")[0]["number"] == number
    assert [each["name"] for each in project.api.get(f"{project.repository.path}/branches")] == ["main", "oauth"]

    again = publish(number)
    assert (again.code, again.err) == (1, said(f"#{number} is up to date: nothing had to be written."))
    assert comments(project, number) == [comment]
    assert len(statuses(project, sha)) == 1

    mended = mend(project)
    ended = publish(number)
    assert (ended.code, ended.err) == (
        0,
        said("brought the comment up to date.", f"set the status `onehead` of {mended[:10]}."),
    )
    [edited] = comments(project, number)
    assert edited["id"] == comment["id"]
    assert "Resolved\n\nNothing is wrong here any more. `alembic upgrade head` finds one head, `021`." in edited["body"]
    assert [each[1] for each in statuses(project, mended)] == ["success"]


@pytest.mark.parametrize(("partial", "unknown"), [("tree:0", 2), ("blob:none", 0)])
def test_a_partial_clone_is_enough(partial: str, unknown: int, project: Project, publish: Publish) -> None:
    """Without the trees of older commits nobody knows who brought a file; nothing else is missing."""
    number, sha = collision(project, added=("020", "021"))

    done = publish(number, clone=(f"--filter={partial}",))

    assert done.err == said(f"wrote the comment on #{number}.", f"set the status `onehead` of {sha[:10]}.")
    [comment] = comments(project, number)
    assert comment["body"].count(" | ? |\n") == unknown
    assert '+down_revision: Union[str, Sequence[str], None] = "019"' in comment["body"]


def test_a_healthy_pull_request_gets_a_status_and_no_comment(project: Project, publish: Publish) -> None:
    project.copy.commit(BASE, "Start")
    project.copy.push()
    sha = project.push_branch("oauth", chain(("019", "018")))
    number = int(project.open_pull("oauth")["number"])

    done = publish(number, "--format", "json")

    assert (done.code, done.json["verdict"]) == (0, "ok")
    assert done.err == said(f"set the status `onehead` of {sha[:10]}.")
    assert comments(project, number) == []
    assert [each[:2] for each in statuses(project, sha)] == [("onehead", "success")]


def test_a_draft_gets_a_status_and_no_comment(project: Project, publish: Publish) -> None:
    number, sha = collision(project)
    project.edit_pull(number, title="WIP: OAuth")

    assert publish(number).code == 1

    assert comments(project, number) == []
    [(_, state, text)] = statuses(project, sha)
    assert (state, text.endswith("Next: mark it as ready; the repair is offered then.")) == ("failure", True)


def test_where_a_service_speaks_nothing_is_added(service: Service, publish: Publish) -> None:
    project = service.project
    number, sha = collision(project, added=("020", "021"))
    service.settle()
    [theirs] = service.comments(number)
    before = service.statuses(sha)

    done = publish(number)

    bot = service.bot.name
    assert done.code == 1
    assert done.err == said(
        f"{bot} comments on #{number} as onehead already, so no comment was written.",
        f"{bot} has set the status of {sha[:10]} already, so it was left as it is.",
    )
    assert comments(project, number) == [theirs]
    assert service.statuses(sha) == before


def test_the_comment_is_that_of_the_service_but_for_the_repair(
    project: Project, publish: Publish, request: pytest.FixtureRequest
) -> None:
    number, _ = collision(project, added=("020", "021"))
    publish(number)
    ours = comments(project, number)[0]["body"].splitlines()

    service: Service = request.getfixturevalue("service")
    service.tell_everything()
    theirs = service.verdicts(number)[0]["body"].splitlines()

    assert len(ours) == len(theirs)
    assert [line[:30] for line, other in zip(ours, theirs, strict=True) if line != other] == [
        '<!-- onehead:verdict v1 {"stat',
        "**If both land as they are, `a",
        "**Next:** run `onehead fix --t",
        "> Did somebody run this branch",
        "See doctor: once this is merge",
    ]


def test_a_service_that_comes_later_replaces_the_comment_and_believes_nothing_in_it(
    project: Project, publish: Publish, request: pytest.FixtureRequest, job_of: JobTokens, api_of: Apis
) -> None:
    number, sha = collision(project, added=("020", "021"))
    publish(number)
    [told] = comments(project, number)
    # Any workflow can write this: that somebody lives with the problem, and a comment that knows it as resolved.
    job, path = api_of(job_of()), project.repository.path
    problem: dict[str, object] = {"ignored": ["collision@alembic/versions:020,021"], "by": "ann"}
    forged = mark(Marker("answer", "1", problem), "ignored")
    ignored = job.call("POST", f"{path}/issues/{number}/comments", {"body": forged}, expect=201)
    resolved = mark(Marker("verdict", facts={"state": "ended", "as": "Resolved", "repair": 1}), "Resolved")
    job.call("PATCH", f"{path}/issues/comments/{told['id']}", {"body": resolved}, expect=200)

    service: Service = request.getfixturevalue("service")
    service.tell_everything()
    service.settle()

    [theirs] = service.verdicts(number)
    assert [each["id"] for each in comments(project, number)] == [ignored["id"], theirs["id"]]
    [repair] = service.repairs()
    assert f"merge #{repair['number']} into this branch" in theirs["body"]
    assert service.status(sha) == ("failure", f"{FORKS} Next: merge #{repair['number']}.")

    # And the action that is still there adds nothing from then on.
    assert "so no comment was written" in publish(number).err
    assert len(comments(project, number)) == 2


def test_a_service_leaves_a_persons_copy_of_the_marker_alone(service: Service) -> None:
    number, _ = collision(service.project)
    copied = post(service.project, number, mark(Marker("verdict"), "my own words"))
    service.settle()
    service.sweep()
    assert copied in [each["id"] for each in comments(service.project, number)]
    assert len(service.verdicts(number)) == 1


def test_what_another_workflow_has_written_as_the_same_account_turns_nothing_green(
    project: Project, publish: Publish, job_of: JobTokens, api_of: Apis
) -> None:
    number, sha = collision(project, added=("020", "021"))
    job, path = api_of(job_of()), project.repository.path
    keys: dict[str, object] = {"ignored": ["collision@alembic/versions:020,021"], "by": "ann"}
    job.call("POST", f"{path}/issues/{number}/comments", {"body": mark(Marker("answer", "1", keys), "x")}, expect=201)
    job.call(
        "POST",
        f"{path}/issues/{number}/comments",
        {"body": mark(Marker("verdict", facts={"state": "ended", "as": "Resolved"}), "All is well.")},
        expect=201,
    )
    job.call("POST", f"{path}/statuses/{sha}", {"context": "onehead", "state": "success"}, expect=201)

    done = publish(number)

    assert done.code == 1
    assert done.err == said("brought the comment up to date.", f"set the status `onehead` of {sha[:10]}.")
    assert "both add a migration after" in comments(project, number)[1]["body"]
    newest, *_ = project.api.get(f"{path}/commits/{sha}/status")["statuses"]
    assert (newest["status"], newest["description"]) == ("failure", f"{FORKS} Next: see the comment.")


def test_a_copied_marker_keeps_the_comment_away_and_not_the_status(project: Project, publish: Publish) -> None:
    number, sha = collision(project)
    post(project, number, mark(Marker("verdict"), "All is well."))

    done = publish(number)

    assert done.code == 1
    assert done.err.startswith(f"onehead: {project.owner.name} comments on #{number} as onehead already")
    assert len(comments(project, number)) == 1
    assert statuses(project, sha)[0][1] == "failure"


@pytest.mark.parametrize("own", [False, True], ids=["the same account", "another account"])
def test_of_two_jobs_at_once_one_comment_is_left(
    own: bool, project: Project, publish: Publish, job_of: JobTokens, api_of: Apis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other job, with its own token, writes after this one has looked and before it writes."""
    number, _ = collision(project, added=("020", "021"))
    job = api_of(job_of())
    create = ForgejoApi.create_comment
    others: list[int] = []

    def both(api: ForgejoApi, name: RepositoryName, page: int, body: str) -> Comment:
        path = f"{project.repository.path}/issues/{page}/comments"
        others.append(job.call("POST", path, {"body": body}, expect=201)["id"])
        return create(api, name, page, body)

    monkeypatch.setattr(ForgejoApi, "create_comment", both)

    done = publish(number, variables={"ONEHEAD_TOKEN": project.owner.token} if own else {})

    assert done.code == 1
    assert [each["id"] for each in comments(project, number)] == others


def test_what_other_workflows_have_forged_many_times_ends_in_one_comment(
    project: Project, publish: Publish, job_of: JobTokens, api_of: Apis
) -> None:
    number, _ = collision(project, added=("020", "021"))
    job, path = api_of(job_of()), f"{project.repository.path}/issues/{number}/comments"
    facts: dict[str, object] = {"state": "ended", "as": "Resolved", "repair": 10**9}
    for _ in range(3):
        job.call("POST", path, {"body": mark(Marker("verdict", facts=facts), "x" * 60_000)}, expect=201)

    assert publish(number).code == 1

    [comment] = comments(project, number)
    assert comment["body"].startswith('<!-- onehead:verdict v1 {"state":"problem"} -->\n')


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_EVENT_PATH": "/dev/zero"},
        {"GITHUB_EVENT_PATH": "/nowhere"},
        {"GITHUB_EVENT_PATH": "", "GITHUB_REF": f"refs/pull/{'9' * 5000}/head"},
        {"GITHUB_REPOSITORY": "../../x?y=z"},
        {"GITHUB_API_URL": "http://user:password@127.0.0.1:9/api/v1"},
        {"GITHUB_API_URL": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_whatever_the_job_says_of_itself_the_verdict_is_the_same(
    variables: dict[str, str], project: Project, publish: Publish
) -> None:
    number, _ = collision(project)
    done = publish(number, variables=variables)
    assert (done.code, done.out[:11]) == (1, "Collision. ")
    assert done.err.startswith("onehead: ")
    assert "password@" not in done.err


def test_a_forge_that_does_not_say_who_brought_a_file_is_asked_once(
    project: Project, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question may wait for minutes, and there may be a hundred."""
    number, sha = collision(project, added=("020", "021"))
    for id_, parent in (("0191", "019"), ("0192", "0191"), ("0193", "0192")):
        project.copy.commit(chain((id_, parent)), f"Add {id_}")
    project.copy.push()
    asked: list[str] = []

    def hang(_api: ForgejoApi, _name: RepositoryName, commit: str) -> PullRequest:
        asked.append(commit)
        raise Unavailable("Forgejo gave no answer.")

    monkeypatch.setattr(ForgejoApi, "pull_of_commit", hang)

    done = publish(number)

    assert done.code == 1
    assert len(asked) == 1
    assert f"onehead: wrote the comment on #{number}.\nonehead: set the status `onehead` of {sha[:10]}.\n" in done.err
    assert "the pull request behind a commit could not be found. Forgejo gave no answer." in done.err


def of_a_fork(project: Project, work_copy: WorkCopies, api_of: Apis) -> tuple[int, str]:
    project.copy.commit(BASE, "Start")
    project.copy.push()
    stranger = project.forgejo.admin.create_user("eve")
    theirs = work_copy(project.forgejo.admin.fork(project.repository, stranger), stranger)
    theirs.branch("oauth")
    sha = theirs.commit(chain(("020", "018")), "OAuth tokens")
    theirs.push()
    number = project.open_pull(f"{stranger.name}:oauth", title="OAuth tokens", by=api_of(stranger))["number"]
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    project.forgejo.wait_until_quiet()
    return int(number), sha


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_for_a_fork_the_comment_is_written_and_the_way_out_is_told_for_the_status(
    event: str, project: Project, publish: Publish, work_copy: WorkCopies, api_of: Apis
) -> None:
    """Forgejo gives both events a token that may only read, and who may read may comment."""
    number, sha = of_a_fork(project, work_copy, api_of)

    done = publish(number, from_fork=True, event=event)

    assert done.code == 1
    assert done.err.startswith(
        f"onehead: wrote the comment on #{number}.\n"
        f"onehead: #{number}: its status could not be set. Forgejo answered 403 to POST "
    )
    assert "`pull_request_target`" in done.err
    assert "as a secret" in done.err
    assert [each["user"]["id"] for each in comments(project, number)] == [-2]
    assert statuses(project, sha) == []
    # A token of one's own does the rest, and finds the comment of the job.
    repaired = publish(number, variables={"ONEHEAD_TOKEN": project.owner.token}, event=event)
    assert (repaired.code, repaired.err) == (1, said(f"set the status `onehead` of {sha[:10]}."))
    assert len(comments(project, number)) == 1


def test_a_pull_request_that_has_moved_on_is_told_of_by_another_job(project: Project, publish: Publish) -> None:
    number, sha = collision(project)
    newer: list[str] = []

    def push() -> None:
        newer.append(mend(project))

    done = publish(number, late=push)

    assert done.code == 1
    assert done.err == said(f"#{number} is at {newer[0][:10]} by now; the job of that commit writes about it.")
    assert (comments(project, number), statuses(project, sha)) == ([], [])


@pytest.mark.parametrize(
    ("fields", "words"), [({"state": "closed"}, "is closed"), ({"base": "release"}, "goes into release by now")]
)
def test_a_pull_request_that_is_another_by_now(
    fields: dict[str, str], words: str, project: Project, publish: Publish
) -> None:
    number, sha = collision(project)
    project.push_branch("release", {"a.txt": "a\n"})

    done = publish(number, late=lambda: project.edit_pull(number, **fields))

    assert (done.code, done.err) == (1, said(f"#{number} {words}, so nothing was written."))
    assert (comments(project, number), statuses(project, sha)) == ([], [])


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "onehead: not published: The job has no token.\n  → Give the job the token of an account"),
        ("0" * 40, "onehead: not published: Forgejo answered 401 to GET /user"),
    ],
    ids=["none", "wrong"],
)
def test_without_a_token_that_works_the_verdict_stands(
    token: str, told: str, project: Project, publish: Publish
) -> None:
    number, _ = collision(project)
    done = publish(number, variables={"GITHUB_TOKEN": token})
    assert done.code == 1
    assert done.err.startswith(told)
    assert comments(project, number) == []


def test_a_token_without_a_scope_gets_a_new_one(project: Project, publish: Publish) -> None:
    number, sha = collision(project)
    poor = project.forgejo.admin.create_token(project.owner.name, ["write:repository", "read:user"])
    done = publish(number, variables={"ONEHEAD_TOKEN": poor})
    assert done.code == 1
    assert f"onehead: #{number}: its comments could not be read. Forgejo answered 403 to GET " in done.err
    assert "  → Make a new token with write:repository, write:issue, read:user, and give it to the job.\n" in done.err
    # The status does not depend on it.
    assert [each[1] for each in statuses(project, sha)] == ["failure"]


def test_a_token_of_another_repository_reaches_nothing(project: Project, publish: Publish, forgejo: Any) -> None:
    number, _ = collision(project)
    owner = forgejo.admin.create_user("zoe")
    other = forgejo.admin.create_repository(owner)
    forge = forgejo.server.forge
    token = forge.add_job_token(forge.world.repository(*other.full_name.split("/"))).secret

    done = publish(number, variables={"GITHUB_TOKEN": token})

    assert done.code == 1
    assert done.err.startswith(f"onehead: not published: Forgejo answered 404 to GET {project.repository.path}/pulls/")
    assert comments(project, number) == []


def test_a_forge_that_is_away_hides_no_verdict(
    project: Project, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = collision(project)
    at_once = (Connection.__init__.__kwdefaults__ or {}) | {"sleep": lambda _seconds: None}
    monkeypatch.setattr(Connection.__init__, "__kwdefaults__", at_once)
    done = publish(number, variables={"FORGEJO_API_URL": "http://127.0.0.1:9/api/v1"})
    assert done.code == 1
    assert done.err.startswith("onehead: not published: Forgejo at 127.0.0.1:9 gave no answer to GET /user: ")
    assert done.err.endswith("  → Run the job again once the forge answers.\n")


def test_woodpecker_writes_with_the_token_of_an_account(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
) -> None:
    """That of the service's own account: a service that comes later goes on with the same comment."""
    del logging_as_before
    number, sha = collision(project)
    project.forgejo.wait_until_quiet()
    bot = project.forgejo.admin.create_bot()
    project.forgejo.admin.add_collaborator(project.repository, bot, "write")
    run = runner(capsys, tmp_path / "cache", monkeypatch)
    job = checkout(project, number, tmp_path / "job", "--filter=tree:0")
    leave(monkeypatch)
    variables = {
        "CI": "woodpecker",
        "CI_SYSTEM_NAME": "woodpecker",
        "CI_WORKSPACE": str(job.place),
        "CI_PIPELINE_EVENT": "pull_request",
        "CI_REPO": project.repository.full_name,
        "CI_REPO_DEFAULT_BRANCH": "main",
        "CI_FORGE_TYPE": "forgejo",
        "CI_FORGE_URL": project.forgejo.url,
        "CI_COMMIT_SHA": sha,
        "CI_COMMIT_SOURCE_BRANCH": "oauth",
        "CI_COMMIT_TARGET_BRANCH": "main",
        "CI_COMMIT_PULL_REQUEST": str(number),
        "ONEHEAD_TOKEN": bot.token,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(job.place)

    done = run("check", "--publish")

    assert done.code == 1
    assert done.err == said(f"wrote the comment on #{number}.", f"set the status `onehead` of {sha[:10]}.")
    assert [each["user"]["id"] for each in comments(project, number)] == [bot.id]


def test_a_push_is_judged_and_nothing_is_published(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number, _ = collision(project)
    run = runner(capsys, tmp_path / "cache", monkeypatch)
    job = checkout(project, number, tmp_path / "job", event="pull_request_target")
    job.enter(monkeypatch)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    done = run("check", "--publish")
    assert (done.code, done.err) == (
        0,
        said("nothing was published: this is the job of branch main, and comments belong to pull requests."),
    )


def test_at_a_terminal_there_is_nobody_to_tell(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    collision(project)
    run = runner(capsys, tmp_path / "cache", monkeypatch)
    done = run("check", "--publish", "--repo", project.copy.folder, "--target", "main")
    assert done.code == 0
    assert done.err.startswith("onehead: not published: What was judged is not what a CI job runs for.\n  → Use ")


def test_a_policy_of_the_branch_itself_decides_nothing(project: Project, publish: Publish) -> None:
    """The head can't switch off what it is judged by."""
    project.copy.commit(BASE, "Start")
    project.copy.push()
    edited = merged(chain(("020", "018")), {".onehead.toml": "ignore = ['alembic/**']\n"})
    project.push_branch("oauth", edited)
    number = int(project.open_pull("oauth")["number"])
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    assert publish(number).code == 1
    assert len(comments(project, number)) == 1
