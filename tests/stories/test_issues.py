"""A crash that somebody reports in an issue: what the answer tells them."""

from __future__ import annotations

import json
import re

import pytest

from onehead.cli.main import main
from tests.basketball import TRUNK, feature
from tests.migrations import VERSIONS, chain, merged, revision
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

CRASH = """\
basketball-api has been crash-looping for 20 hours (240 restarts).

```
INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.
ERROR [alembic.util.messaging] Can't locate revision identified by '018'
  FAILED: Can't locate revision identified by '018'
```

The migration chain forks at 018 (019 and 020 both revise it) and the database has a single stamp, so alembic can't
resolve the fork. I propose to run `alembic stamp 019 021` and to restart.
"""


def basketball(service: Service, *, rejoined: bool = True) -> None:
    """The repository of the report: 019 and 020, 021 both on 018; 022 joins them, and three more follow."""
    copy = service.project.copy
    parents: list[str | None] = [None, *TRUNK[:-1]]
    copy.commit(merged(alembic_project(), chain(*zip(TRUNK, parents, strict=True))), "Up to 018")
    copy.commit(merged(feature("019", "018"), feature("020", "018"), feature("021", "020")), "Two features")
    if rejoined:
        copy.commit(revision("022", ("019", "021")), "Rejoin the chain")
        copy.commit(chain(("023", "022"), ("024", "023"), ("025", "024")), "Three more")
    copy.push()


def test_the_report_gets_the_answer_that_it_should_have_had(service: Service) -> None:
    basketball(service)
    number = service.project.open_issue("Crash loop", CRASH)
    reply = service.ask(number, "/onehead explain")
    main = service.project.copy.git("rev-parse", "main")[:10]

    # How main stands, and that the fork is not to blame.
    assert "**`main` is at one head, `025`.** The chain parts after `018` and is rejoined" in reply
    assert "If a deploy crashes, the cause is something else" in reply
    # What the crash means, how to tell, and what not to do.
    assert reply.count("> `ERROR [alembic.util.messaging] Can't locate revision identified by '018'`") == 1
    assert f"`018` is on `main` at {main}, so neither the chain nor the row in the database is wrong." in reply
    assert "Run `alembic heads` in that image" in reply
    assert "Do not `stamp`: that runs no migration" in reply
    # The graph.
    assert "```mermaid\ngraph LR\n" in reply
    assert "<b>022</b>" in reply
    # What each row means, and what the next deploy does to such a database.
    table = {
        cells[1].strip(): (cells[2].strip(), cells[3].strip())
        for cells in (line.split("|") for line in reply.split("\n"))
        if len(cells) == 5
    }
    assert table["`018`"] == ("18 of 25 revisions", "020 021 019 022 023 024 025")
    assert table["`019`"] == ("19 of 25 revisions", "020 021 022 023 024 025")
    assert table["`021`"] == ("20 of 25 revisions", "019 022 023 024 025")
    assert table["`025`"] == ("25 of 25 revisions", "nothing to do")
    assert table["nothing (fresh)"] == ("nothing", "001 002 003 … 025 (25)")
    assert "**Next:** find out which commit the crashing deploy was built from" in reply


def test_a_database_is_told_by_its_rows(service: Service) -> None:
    basketball(service)
    service.project.push_branch("badges", chain(("026", "025")))
    number = service.project.open_issue("Which database is which?")
    reply = service.ask(
        number,
        "\n".join(f"/onehead doctor {rows}" for rows in ("018", "019 021", "018 019", "025", "026", "0x9")),
    )
    sections = reply.split("**`/onehead doctor ")

    assert "`018`. Its rows claim 18 of 25 revisions; no table was looked at." in sections[1]
    assert ":white_check_mark: `alembic upgrade head` runs `020` `021` `019` `022` `023` `024` `025`." in sections[1]
    assert "`019` and `021`. Its rows claim 21 of 25 revisions; no table was looked at." in sections[2]
    assert "runs `022` `023` `024` `025`." in sections[2]
    assert ":x: `alembic upgrade head` stops: Requested revision 019 overlaps with other requested" in sections[3]
    assert "- **error** `overlapping-rows`: The rows 018 and 019 exclude each other" in sections[3]
    assert (
        "**Way out**, if what 018 and 019 make is really there, all of it:\n\n"
        "1. `alembic stamp --purge 019` (**destructive**: rewrites the rows (018, 019) and runs nothing: note them "
        "first)\n2. `alembic upgrade head` (safe: runs migrations, as a deploy does)\n"
    ) in sections[3]
    assert "`alembic upgrade head` has nothing to do." in sections[4]
    assert "- **error** `unknown-row`: No file of main declares 026" in sections[5]
    assert "026 is on branch badges: that was run on this database." in sections[5]
    assert "No branch, tag or earlier commit here has 0x9" in sections[6]
    assert ":question: Which deploy, or whose machine, has brought 0x9 into this database?" in sections[6]
    assert "No command is offered, as none is certain to help" in sections[6]
    assert "stops: Can't locate revision identified by '0x9'" in sections[6]


def test_a_doctor_says_which_branch_it_has_read(service: Service) -> None:
    basketball(service)
    copy, project = service.project.copy, service.project
    project.push_branch("release/1", merged({".onehead.toml": 'targets = ["release/*"]\n'}, chain(("1a", "025"))))
    copy.commit({".onehead.toml": 'targets = ["main", "release/*"]\n'}, "Deploy the release too")
    copy.push()
    project.push_branch("badges", chain(("026", "1a")), start="release/1")
    number = project.open_pull("badges", base="release/1")["number"]
    service.settle()
    tips = {name: copy.git("rev-parse", name)[:10] for name in ("main", "release/1")}

    there = service.ask(number, "/onehead doctor 1a")
    here = service.ask(project.open_issue("Which database is which?"), "/onehead doctor 1a 025")

    assert f"Judged by the files on `release/1` at {tips['release/1']}." in there
    assert f"Judged by the files on `main` at {tips['main']}." in here


def test_the_answer_is_the_diagnosis_of_the_terminal(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    basketball(service)
    number = service.project.open_issue("Which database is which?")
    work = service.project.copy
    work.git("fetch", "origin")
    for rows in ("018", "018,019", "019,019", "0x9"):
        reply = service.ask(number, f"/onehead doctor {rows.replace(',', ' ')}")
        capsys.readouterr()  # the service's log
        main(["doctor", "--repo", str(work.folder), "--at", "origin/main", "--rows", rows, "--format", "json"])
        [environment] = json.loads(capsys.readouterr().out)["environments"]
        section = reply.rpartition("**`/onehead doctor ")[2]
        assert [line.split("`")[1] for line in section.split("\n") if line.startswith("- **error**")] == [
            complaint["code"] for complaint in environment["complaints"]
        ]
        steps = [step for way in environment["ways_out"] for step in way["steps"]]
        assert [line.split("`")[1] for line in section.split("\n") if re.match(r"\d\. ", line)] == [
            step["command"] for step in steps
        ]
        assert section.count("(**destructive**: ") == sum(step["effect"] == "destructive" for step in steps)


def test_a_removed_revision_is_told_by_the_commit_that_took_it_away(service: Service) -> None:
    basketball(service)
    copy = service.project.copy
    copy.commit(chain(("026", "025")), "Badges")
    copy.push()
    copy.commit({"alembic/versions/026_t026.py": None}, "Take the badges back")
    copy.push()
    number = service.project.open_issue("Crash loop after a revert")
    reply = service.ask(number, "/onehead doctor 026")
    assert "Take the badges back removed the file of 026, after a database had run it." in reply


def test_a_fork_on_main_is_explained_with_its_repair(service: Service) -> None:
    basketball(service, rejoined=False)
    service.settle()
    [repair] = service.repairs()
    number = service.project.open_issue("Deploy fails")
    service.say(number, "FAILED: Multiple head revisions are present for given argument 'head'")
    reply = service.ask(number, "/onehead explain\n/onehead doctor 021")

    assert "**`main` has 2 heads (`019`, `021`) where one is meant to be.**" in reply
    assert "That is this very fork of `main`." in reply
    assert "| `018` | nothing of either side | :x: Multiple heads | 020 021 019 |" in reply
    assert "| `021` | something of the side of `021` | :x: Multiple heads | 019 |" in reply
    assert "| `019` and `021` | something of both sides | :x: Multiple heads | nothing to do |" in reply
    assert f"**Next:** merge #{repair['number']}; until then deploys can use `alembic upgrade heads`." in reply
    assert ":white_check_mark: once the heads are merged, `alembic upgrade head` runs `019`." in reply


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            merged(revision("003", "002", "teams"), revision("003", "002", "games")),
            "**`main` has 1 head (`003`), and its chain is broken.** `003` is declared by 2 files",
        ),
        (
            revision("003", "gone"),
            "**`main` has 2 heads (`002`, `003`), and its chain is broken.** ",
        ),
        (
            {f"{VERSIONS}/003.py": "revision = made()\ndown_revision = '002'\n"},
            "**`main` has 1 head (`002`), and not all of it can be read.** `alembic/versions/003.py`",
        ),
    ],
    ids=["twice", "missing parent", "unreadable"],
)
def test_a_chain_is_not_called_whole_because_it_has_one_head(
    service: Service, files: dict[str, str], said: str
) -> None:
    copy = service.project.copy
    copy.commit(merged(alembic_project(), chain(("001", None), ("002", "001"))), "Begin")
    copy.commit(files, "Break it")
    copy.push()
    reply = service.ask(service.project.open_issue("Deploy fails"), "/onehead explain")
    assert said in reply
    assert "walks the whole chain" not in reply


def test_what_makes_sense_only_in_a_pull_request_is_said_to(service: Service) -> None:
    basketball(service)
    number = service.project.open_issue("Please repair")
    reply = service.ask(number, "/onehead merge\n/onehead apply\n/onehead check\n/onehead ignore")
    assert reply.count("makes sense only in an open pull request.") == 4


def test_a_question_in_an_issue_of_which_no_webhook_told_is_answered_by_the_sweep(service: Service) -> None:
    basketball(service)
    number = service.project.open_issue("Crash loop", CRASH)
    service.settle()
    service.project.forgejo.lose_webhooks(True)
    said = service.say(number, "/onehead explain")
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.sweep()
    service.sweep()

    [reply] = service.answers(number)
    assert "so neither the chain nor the row in the database is wrong" in reply
    assert service.reactions(said) == ["eyes"]
