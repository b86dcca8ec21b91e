"""A job on a Forgejo: a private repository, cloned as the checkout step does it, and a check without options."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal_runs import Done, runner
from tests.forgejos.fixtures import Project
from tests.forgejos.job import checkout
from tests.migrations import chain, merged
from tests.migrations import project as alembic_project


@pytest.fixture
def pull(project: Project) -> int:
    """A pull request whose branch is old: main went on for longer than a first fetch reaches."""
    copy = project.copy
    copy.commit(merged(alembic_project(), chain(("017", None), ("018", "017"))), "Start")
    copy.push()
    project.push_branch("oauth", chain(("020", "018")))
    number = int(project.open_pull("oauth")["number"])
    for number_of_commit in range(60):
        copy.commit({f"notes/{number_of_commit}": "x\n"}, "Notes")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    project.api.call("PATCH", project.repository.path, {"private": True}, expect=200)
    return number


@pytest.mark.parametrize("options", [(), ("--filter=tree:0",)], ids=["shallow", "partial"])
def test_a_pull_request_of_a_private_repository(
    project: Project,
    pull: int,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = runner(capsys, tmp_path / "cache", monkeypatch)
    job = checkout(project, pull, tmp_path / "job", *options)
    job.enter(monkeypatch)
    refs = job.git("for-each-ref")

    done: Done = run("check")

    head, main = project.pull(pull)["head"]["sha"], project.copy.git("rev-parse", "main")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines()[0] == (
        f"Collision. Forgejo Actions, pull request {pull}: judged oauth ({head[:10]}) as if merged into "
        f"origin/main ({main[:10]})."
    )
    assert job.git("for-each-ref") == refs
    assert job.git("status", "--porcelain") == ""

    job.git("config", "--unset", f"http.{project.forgejo.url}/.extraheader")
    alone = run("check")
    # What was fetched is still there; whether main has moved on since, nobody tells without the token.
    assert alone.code == 1
    assert alone.err.startswith("onehead: origin could not be asked (fatal: ")
    assert alone.err.endswith("so `main` is compared as this clone knows it; it may have moved on.\n")
