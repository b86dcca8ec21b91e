"""Which parent, id and number a migration takes, with the open pull requests of a forge in view."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.databases.reported import after_report
from onehead.examine.ledger import encoded, file_of
from onehead.examine.naming import DATABASES
from tests.cli.terminal_runs import Run, runner
from tests.forgejos.fixtures import Project
from tests.migrations import revision
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, tmp_path / "terminal", monkeypatch)


def proposed(project: Project, *branches: str) -> list[int]:
    """Pull requests that each add a revision 019 of their own onto 018."""
    project.copy.commit(BASE, "Start")
    project.copy.push()
    numbers = []
    for name in branches:
        project.push_branch(name, revision("019", "018", name))
        numbers.append(int(project.open_pull(name, title=name)["number"]))
    return numbers


def test_a_comment_is_answered_for_the_pull_request_and_for_a_new_migration(service: Service) -> None:
    old, young = proposed(service.project, "teams", "oauth")
    service.settle()
    ann = service.project.owner.name

    assert service.ask(old, "/onehead next") == (
        f"""\
**`/onehead next`**

**a new revision follows `019`.**

- id `020`
- `alembic revision -m 'what it does' --head 019 --rev-id 020`
- Yours: `019` is in place.
- `019` is reserved by pull request &#35;&#8203;{young} (branch oauth, {ann}); it follows `018` too.

<sub>Judged by `main` at {service.project.copy.git("rev-parse", "main")[:10]} and all open pull requests. This is a \
hint: nothing is locked. Two who ask at the same time get the same answer, and `check` then fails for the one who \
lands second.</sub>
"""
    )
    reply = service.ask(young, "/onehead next")
    assert "- Yours, to move: `019` becomes `020`.\n" in reply
    assert (
        f"- `019` is reserved by pull request &#35;&#8203;{old} (branch teams, {ann}); it follows `018` too.\n" in reply
    )
    assert "First `alembic downgrade 018`, on each database that has run `019`" in reply
    assert "**Next:** in a clone of the branch, `git fetch`, then `onehead next --write`." in reply

    issue = service.project.open_issue("What is next?")
    reply = service.ask(issue, "/onehead next")
    assert "**a new revision follows `018`.**\n\n- id `020`\n" in reply
    assert reply.count("`019` is reserved by pull request") == 2

    # What is closed reserves nothing, though the forge keeps its commits.
    for number in (old, young):
        service.project.close_pull(number)
        service.project.copy.git("push", "-q", "origin", ":teams" if number == old else ":oauth")
    assert "- id `019`\n" in service.ask(issue, "/onehead next")


def test_the_answer_says_when_the_target_has_to_be_merged_first(service: Service) -> None:
    [number] = proposed(service.project, "teams")
    copy = service.project.copy
    copy.commit(revision("019", "018", "landed"), "Landed")
    copy.push()
    service.settle()
    reply = service.ask(number, "/onehead next")
    assert "- Yours, to move: `019` becomes `020` and follows `019` instead of `018`.\n" in reply
    assert "- Your branch does not have `019` yet: merge the target first.\n" in reply
    assert (
        "**Next:** in a clone of the branch, `git fetch`, then `git merge origin/main`, then `onehead next --write`."
        in (reply)
    )


def test_the_heads_up_says_what_to_take(service: Service) -> None:
    for number in proposed(service.project, "teams", "oauth")[1:]:
        service.settle()
        [comment] = service.verdicts(number)
        assert (
            "Which id and number are free: comment `/onehead next`, or run `onehead next` in your clone. Once another "
            "one is merged, `onehead next --write` moves this one behind it.\n"
        ) in comment["body"]


def test_a_repository_without_alembic(service: Service) -> None:
    issue = service.project.open_issue("What is next?")
    assert "There is no Alembic environment on `main`" in service.ask(issue, "/onehead next")


def test_the_clones_own_token_opens_the_forge_and_pull_requests_go_before_branches(project: Project, run: Run) -> None:
    old, young = proposed(project, "teams", "oauth")
    copy = project.copy
    where = ("next", "--repo", copy.folder, "--target", "origin/main")
    copy.git("fetch", "-q")

    found = run(*where, "--format", "json").json
    [place] = found["environments"]
    assert (found["source"], found["trouble"], place["id"]) == ("forge", None, "020")
    assert [(each["pull"], each["place"], each["author"]) for each in place["reserved"]] == [
        (old, "branch teams", project.owner.name),
        (young, "branch oauth", project.owner.name),
    ]

    # Of the two, the older one keeps its number, and the younger one makes room.
    copy.switch("teams")
    assert run(*where, "--write").code == 0
    assert copy.git("status", "--porcelain") == ""
    copy.switch("oauth")
    assert run(*where, "--write").code == 0
    assert copy.git("status", "--porcelain", "--untracked-files=all").split("\n") == [
        "D alembic/versions/019_oauth.py",
        "?? alembic/versions/020_oauth.py",
    ]
    assert run(*where, "--write").code == 0


def test_settings_name_the_forge_and_what_the_clone_lacks_is_fetched_for_the_moment(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    [number] = proposed(project, "teams")
    copy = project.copy
    copy.git("branch", "-D", "teams")
    copy.git("update-ref", "-d", "refs/remotes/origin/teams")
    copy.git("remote", "set-url", "origin", f"{project.forgejo.url}/{project.repository.full_name}.git")
    copy.git("reflog", "expire", "--expire=all", "--all")
    copy.git("gc", "--quiet", "--prune=now")
    where = ("next", "--repo", copy.folder, "--format", "json")

    found = run(*where).json
    assert (found["source"], found["trouble"]) == ("branches", "ONEHEAD_FORGEJO_URL and ONEHEAD_TOKEN are not both set")
    assert found["environments"][0]["id"] == "019"

    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", project.forgejo.url)
    monkeypatch.setenv("ONEHEAD_TOKEN", project.owner.token)
    before = copy.git("count-objects", "-v"), copy.git("for-each-ref")
    found = run(*where).json
    assert (found["source"], found["trouble"], found["environments"][0]["id"]) == ("forge", None, "020")
    assert [each["pull"] for each in found["environments"][0]["reserved"]] == [number]
    assert (copy.git("count-objects", "-v"), copy.git("for-each-ref")) == before

    project.close_pull(number)
    assert run(*where).json["environments"][0]["id"] == "019"


def test_what_a_database_has_reported_is_not_moved_though_the_clone_knows_nothing_of_it(
    project: Project, run: Run
) -> None:
    proposed(project, "teams")
    copy = project.copy
    copy.commit(revision("019", "018", "landed"), "Landed")
    copy.push()
    copy.git("checkout", "-q", "--orphan", "reports")
    copy.git("rm", "-rfq", ".")
    known = after_report(None, "staging", "", ("020",), "2026-11-28T10:15:00Z")
    copy.commit({file_of("staging", ""): encoded(known).decode()}, "Reports")
    copy.git("push", "-q", "origin", f"HEAD:{DATABASES}")
    copy.git("checkout", "-q", "-b", "mine", "origin/main")
    copy.git("branch", "-D", "reports")
    copy.commit(revision("020", "018", "mine"), "Mine")
    done = run("next", "--repo", copy.folder, "--target", "origin/main", "--write")
    assert done.code == 1
    assert "`020` has been run: the database `staging` held `020` on 2026-11-28." in done.out
    assert copy.git("status", "--porcelain") == ""
    assert DATABASES not in copy.git("for-each-ref")


def test_in_a_clone_of_a_fork_the_remote_of_the_target_is_asked(project: Project, run: Run, tmp_path: Path) -> None:
    [number] = proposed(project, "teams")
    copy = project.copy
    copy.git("remote", "rename", "origin", "upstream")
    copy.git("remote", "add", "origin", str(tmp_path / "fork.git"))
    found = run("next", "--repo", copy.folder, "--target", "upstream/main", "--format", "json").json
    assert (found["source"], found["target"]["ref"]) == ("forge", "refs/remotes/upstream/main")
    assert [each["pull"] for each in found["environments"][0]["reserved"]] == [number]


@pytest.mark.parametrize("wrong", ["token", "address"])
def test_a_forge_that_does_not_answer_is_said_and_branches_count(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    proposed(project, "teams")
    copy = project.copy
    copy.git("fetch", "-q")
    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", project.forgejo.url if wrong == "token" else "http://127.0.0.1:9")
    monkeypatch.setenv("ONEHEAD_TOKEN", "wrong" if wrong == "token" else project.owner.token)
    done = run("next", "--repo", copy.folder)
    assert done.code == 0
    assert "Without access to the forge (" in done.out
    assert "`019` is reserved by branch teams" in done.out
    assert project.owner.token not in done.out
