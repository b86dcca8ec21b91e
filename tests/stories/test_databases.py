"""A database has reported what it holds: the side that it ran is not moved any more."""

from __future__ import annotations

import itertools
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from onehead.cli import main, report_rows
from onehead.databases.reported import PATH, SIGNATURE, RowsReported, key_of, report_of, signature, written
from onehead.examine.ledger import remember
from onehead.examine.naming import DATABASES
from onehead.forge.models import PullRequest
from tests.migrations import chain
from tests.stories.colliding import BASE
from tests.stories.conftest import REPORT_SECRET, Service

DEPLOYS = itertools.count()
TODAY = datetime.now(UTC).strftime("%Y-%m-%d")


def start(service: Service) -> None:
    """018 on main."""
    service.project.copy.commit(BASE, "Start")
    service.project.copy.push()


def collide(service: Service) -> int:
    """A pull request with 020 and 021 on it, while main moves to 019."""
    service.project.push_branch("oauth", chain(("020", "018"), ("021", "020")), start="main")
    number = service.project.open_pull("oauth", title="OAuth tokens")["number"]
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    service.settle()
    return int(number)


def told(service: Service, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """What a deploy job does: `onehead report-rows`, with the key of the repository and nothing else."""
    name = service.project.repository.full_name
    monkeypatch.setenv("ONEHEAD_REPORT_KEY", key_of(REPORT_SECRET, name))
    monkeypatch.setenv("ONEHEAD_SERVICE_URL", service.url)
    # A report tells whole seconds; deploys are further apart than these tests.
    now = datetime.now(UTC) + timedelta(seconds=next(DEPLOYS))
    monkeypatch.setattr(report_rows, "datetime", SimpleNamespace(now=lambda _zone: now))
    code = main.main(["report-rows", "--repository", name, *words])
    service.settle()
    return code


def known(service: Service) -> dict[str, dict[str, Any]]:
    """The databases that the repository knows, straight from its ref."""
    copy = service.project.copy
    copy.git("fetch", "-q", "origin", f"+{DATABASES}:{DATABASES}")
    names = copy.git("ls-tree", "--name-only", DATABASES).split()
    found = [json.loads(copy.git("show", f"{DATABASES}:{name}")) for name in names]
    return {each["database"]: each for each in found}


def commits(service: Service) -> list[str]:
    """Subjects of what was written down, the newest first."""
    copy = service.project.copy
    copy.git("fetch", "-q", "origin", f"+{DATABASES}:{DATABASES}")
    return copy.git("log", "--format=%s", DATABASES).splitlines()


@pytest.mark.slow
def test_what_a_database_ran_is_merged_and_the_comment_says_which_database_and_when(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    assert told(service, monkeypatch, "--database", "production", "--rows", "018") == 0
    assert told(service, monkeypatch, "--database", "staging", "--rows", "020") == 0
    number = collide(service)

    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"
    [comment] = service.verdicts(number)
    assert (
        f"`020` has been run: the database `staging` held `020` on {TODAY}. After a re-parent, that database would "
        "silently skip the other side." in comment["body"]
    )
    assert "`production` held" not in comment["body"]
    lines = comment["body"].splitlines()
    assert "| `018`<br>:round_pushpin: **`production` is here** | 019 020 021 |" in "\n".join(lines)
    assert any(line.startswith("| `020`<br>:round_pushpin: **`staging` is here** | ") for line in lines)
    assert ":round_pushpin: **`staging` is here**" in repair["body"]


@pytest.mark.slow
def test_a_database_on_the_side_that_stays_does_not_hinder_the_move(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    number = collide(service)
    assert told(service, monkeypatch, "--database", "production", "--rows", "019") == 0

    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/reparent/oauth"
    [comment] = service.verdicts(number)
    assert "| `019`<br>:round_pushpin: **`production` is here** | 020 021 | 020 021 |" in (comment["body"])


@pytest.mark.slow
def test_a_report_that_comes_after_the_repair_changes_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    start(service)
    number = collide(service)
    [first] = service.repairs()
    assert first["head"]["ref"] == "onehead/reparent/oauth"

    assert told(service, monkeypatch, "--database", "staging", "--rows", "021") == 0

    [second] = service.repairs()
    assert second["head"]["ref"] == "onehead/merge/oauth"
    assert service.project.pull(first["number"])["state"] == "closed"
    [comment] = service.verdicts(number)
    assert f"the database `staging` held `021` on {TODAY}" in comment["body"]

    # What it was once is not forgotten when it is deployed otherwise.
    assert told(service, monkeypatch, "--database", "staging", "--rows", "019") == 0
    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/merge/oauth"]
    assert list(known(service)["staging"]["held"]) == ["021", "019"]
    [comment] = service.verdicts(number)
    assert "| `019`<br>:round_pushpin: **`staging` is here** |" in comment["body"]

    # The one who has the secret of the service can take it back, once that database is gone.
    monkeypatch.setenv("ONEHEAD_REPORT_SECRET", REPORT_SECRET)
    assert told(service, monkeypatch, "--database", "staging", "--forget") == 0
    assert known(service) == {}
    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/reparent/oauth"]
    assert commits(service) == ["Forget staging", "staging holds 019", "staging holds 021"]


@pytest.mark.slow
def test_nobody_moves_what_a_database_ran_even_when_it_is_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    number = collide(service)
    told(service, monkeypatch, "--database", "staging", "--rows", "020")

    answer = service.ask(number, "/onehead reparent")

    assert "That is not possible here: `020` has been run: the database `staging` held `020`" in answer
    assert "Take the merge, which is right for that database too" in answer
    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/merge/oauth"]


@pytest.mark.slow
def test_a_move_that_was_asked_for_is_withdrawn_when_a_database_turns_out_to_have_run_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    number = collide(service)
    service.ask(number, "/onehead reparent")
    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/reparent/oauth"]

    told(service, monkeypatch, "--database", "staging", "--rows", "020")

    assert service.repairs() == []
    [comment] = service.verdicts(number)
    assert "onehead does not repair this by itself." in comment["body"]
    assert f"`020` has been run: the database `staging` held `020` on {TODAY}." in comment["body"]
    service.ask(number, "/onehead merge")
    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/merge/oauth"]


@pytest.mark.slow
def test_a_row_that_nobody_has_is_kept_and_told_and_nothing_is_moved(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    told(service, monkeypatch, "--database", "staging", "--rows", "feedc0ffee12")
    number = collide(service)

    assert [pull["head"]["ref"] for pull in service.repairs()] == ["onehead/merge/oauth"]
    [comment] = service.verdicts(number)
    assert (
        f"What has run on `staging` is unknown: it has held `feedc0ffee12` since {TODAY}, which no file here and no "
        "other branch declares." in comment["body"]
    )
    assert "| `feedc0ffee12`<br>:round_pushpin: **`staging` is here** | :x: " in comment["body"]


@pytest.mark.slow
def test_explain_tells_where_databases_stand_although_nothing_is_forked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(service)
    told(service, monkeypatch, "--database", "production", "--rows", "017")
    told(service, monkeypatch, "--database", "lost", "--rows", "feedc0ffee12")
    api, path = service.project.api, service.project.repository.path
    issue = api.call("POST", f"{path}/issues", {"title": "Deploys"}, expect=201)["number"]
    service.settle()

    reply = service.ask(issue, "/onehead explain")

    assert "| `017`<br>:round_pushpin: **`production` is here** | 1 of 2 revisions | 018 |" in reply
    assert (
        "| `feedc0ffee12`<br>:round_pushpin: **`lost` is here** | nobody knows | :x: Can't locate revision "
        "identified by &#39;feedc0ffee12&#39; |".replace("&#39;", "'")
        in reply
    )


def test_the_same_rows_again_write_nothing_and_judge_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    start(service)
    service.settle()
    told(service, monkeypatch, "--database", "production", "--rows", "018")
    before, runs = commits(service), len(service.runs)

    def judge(_name: object) -> list[PullRequest]:
        raise AssertionError("nothing is to be judged")

    monkeypatch.setattr(service.context.api, "open_pulls", judge)

    told(service, monkeypatch, "--database", "production", "--rows", "018")

    assert len(service.runs) == runs + 1
    assert commits(service) == before == ["production holds 018"]


def test_reports_that_race_are_all_kept(service: Service) -> None:
    start(service)
    service.settle()
    context, name = service.context, service.project.repository.full_name
    url = f"{context.forgejo_url}/{name}.git"
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = RowsReported("production", "", ("018",), at)
    rival = RowsReported("staging", "", ("017",), at)
    with context.mirrors.hold(url, context.token) as mirror:
        fetch, raced = mirror.fetch, threading.Event()

        def fetch_and_lose() -> None:
            """Somebody else writes between our look and our push."""
            fetch()
            if not raced.is_set():
                raced.set()
                other = type(context.mirrors)(service.project.copy.folder.parent / "elsewhere")
                with other.hold(url, context.token) as theirs:
                    remember(theirs, [rival])

        mirror.fetch = fetch_and_lose  # type: ignore[method-assign]
        tip = remember(mirror, [report])

    assert {name: each["rows"] for name, each in known(service).items()} == {"production": ["018"], "staging": ["017"]}
    assert commits(service) == ["production holds 018", "staging holds 017"]
    assert service.project.copy.git("rev-parse", DATABASES) == tip


@pytest.mark.slow
def test_a_clone_uses_what_it_has_fetched(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(service)
    collide(service)
    told(service, monkeypatch, "--database", "staging", "--rows", "020")
    copy = service.project.copy
    copy.git("fetch", "-q", "origin", "oauth:oauth", f"{DATABASES}:{DATABASES}")
    monkeypatch.chdir(copy.folder)
    capsys.readouterr()

    assert main.main(["check", "--target", "main", "--head", "oauth"]) == 1
    printed = capsys.readouterr().out
    assert "Plan: merge." in printed
    assert f"because: `020` has been run: the database `staging` held `020` on {TODAY}." in printed

    assert main.main(["states", "--target", "main", "--head", "oauth"]) == 0
    assert "staging is here" in capsys.readouterr().out

    assert main.main(["databases", "--at", "main"]) == 1
    assert f"staging  020 since {TODAY}: 020 is declared by no file of main" in capsys.readouterr().out
    assert main.main(["databases", "--at", "oauth"]) == 0
    assert f"staging  020 since {TODAY}: lacks 1 of oauth\n" in capsys.readouterr().out


def test_a_sweep_keeps_what_databases_have_reported(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    start(service)
    told(service, monkeypatch, "--database", "production", "--rows", "018")
    service.sweep()
    assert list(known(service)) == ["production"]


def test_a_hostile_name_stays_a_name(service: Service) -> None:
    """Whoever has the key may call a database what they like: it reaches people as text."""
    start(service)
    hostile, name = "**@admin** <img src=x> | fixes #1 [x](http://e.example)", service.project.repository.full_name
    report = report_of(name, hostile, "", ["020|<b>@admin"], datetime.now(UTC))
    body = written(report)
    signed = {SIGNATURE: signature(key_of(REPORT_SECRET, name), body)}
    assert httpx.post(f"{service.url}{PATH}", content=body, headers=signed).status_code == 202
    service.settle()
    number = collide(service)

    [comment] = service.verdicts(number)
    # Left out: the picture, whose labels have their own rules, and what is code and so is shown as it is.
    prose = re.sub(r"```.*?```|``.*?``|`[^`]*`", "", comment["body"], flags=re.DOTALL)
    for alive in ("<img", "<b>", "](http", "@admin", "#1 ", "**@"):
        assert alive not in prose
    [row] = [line for line in comment["body"].splitlines() if "is here" in line]
    assert row.count("|") == 4
    assert row.startswith("| <code>020&#124;&#60;b&#62;&#64;")
