"""Pull requests without a branch: made by `git push origin HEAD:refs/for/main/TOPIC` (AGit)."""

from __future__ import annotations

import re

from alembic.script import ScriptDirectory

from tests.migrations import chain
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def collide(service: Service) -> int:
    """A proposal with 020 on 018, and main at 019; the clone stays at the proposal."""
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    copy.branch("mine")
    copy.commit(chain(("020", "018")), "OAuth tokens")
    copy.push("HEAD:refs/for/main/fix/oauth")
    [pull] = service.project.api.get(f"{service.project.repository.path}/pulls?state=open")
    copy.switch("main")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    copy.switch("mine")
    service.settle()
    return int(pull["number"])


def test_the_comment_calls_it_what_it_is_and_its_commands_work(service: Service) -> None:
    number = collide(service)
    [comment] = service.verdicts(number)
    body = comment["body"]
    assert "This pull request and `main` both add a migration after `018`\n" in body
    assert "refs/pull/" not in body
    assert "fork" not in body.partition("**Next:**")[2]
    assert service.laid_ready() == [f"refs/onehead/reparent/pr-{number}"]

    copy = service.project.copy
    pull, push = re.findall(r"`git (pull --ff-only [^`]+|push [^`]+)`", body.partition("**Next:**")[2])
    copy.git(*pull.split())
    copy.git(*push.replace("TOPIC", "fix/oauth").split())
    service.settle()

    assert ScriptDirectory(copy.folder / "alembic").get_heads() == ["020"]
    assert f"Merge main into pull request {number}" in copy.git("log", "--format=%s")
    assert "Resolved" in service.verdicts(number)[0]["body"]
    assert service.status(copy.git("rev-parse", "HEAD"))[0] == "success"
    assert service.laid_ready() == []


def test_apply_says_that_there_is_no_branch(service: Service) -> None:
    number = collide(service)
    answer = service.ask(number, "/onehead apply")
    assert "has no branch that could be pushed onto" in answer
    assert "`refs/for/main/…`" in answer
