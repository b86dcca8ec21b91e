"""`onehead states` at a terminal: the table that people read, and what scripts get."""

from __future__ import annotations

import pytest

from tests.entrypoints.terminal_runs import Run, story
from tests.repositories import Repository

MULTIPLE = (
    "Multiple head revisions are present for given argument 'head'; please specify a specific target revision, "
    "'<branchname>@head' to narrow to a specific head, or 'heads' for all heads"
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return story(tmp_path_factory.mktemp("states") / "shop.git")


def test_text(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
Judged oauth ({repo.sha("oauth")[:10]}) as if merged into main ({repo.sha("main")[:10]}).
Read 1 environment, 5 of 5 revision files.

alembic/versions: the chain forks after 002
  side of main: 003
  side of oauth: 004, 005
  What `alembic upgrade head` does, by the content of alembic_version:

  As it is
    error  any       stops: {MULTIPLE}
                     way out: alembic upgrade heads

  With the merge revision 006 that joins 005 and 003
    ok     002       runs 003, 004, 005, 006, ends at 006
    ok     003       runs 004, 005, 006, ends at 006
    ok     004       runs 003, 005, 006, ends at 006
    ok     005       runs 003, 006, ends at 006
    ok     003, 004  runs 005, 006, ends at 006
    ok     003, 005  runs 006, ends at 006

  With 004 moved onto 003 (re-parent)
    loss   004       exits with 0, but 003 never runs
                     way out: alembic stamp --purge 002
                              alembic upgrade 003
                              alembic stamp --purge 004
                              alembic upgrade head
    loss   005       exits with 0, but 003 never runs
                     way out: alembic stamp --purge 002
                              alembic upgrade 003
                              alembic stamp --purge 005
                              alembic upgrade head
    error  003, 004  stops: Requested revision 004 overlaps with other requested revisions 003
                     way out: alembic stamp --purge 004
                              alembic upgrade head
    error  003, 005  stops: Requested revision 005 overlaps with other requested revisions 003
                     way out: alembic stamp --purge 005
                              alembic upgrade head
    ok     002       runs 003, 004, 005, ends at 005
    ok     003       runs 004, 005, ends at 005

  With 003 moved onto 005 (re-parent)
    loss   003       exits with 0, but 004 and 005 never run
                     way out: alembic stamp --purge 002
                              alembic upgrade 005
                              alembic stamp --purge 003
                              alembic upgrade head
    error  003, 004  stops: Requested revision 003 overlaps with other requested revisions 004
                     way out: alembic stamp --purge 004
                              alembic upgrade 005
                              alembic stamp --purge 003
                              alembic upgrade head
    error  003, 005  stops: Requested revision 003 overlaps with other requested revisions 005
                     way out: alembic stamp --purge 003
                              alembic upgrade head
    ok     002       runs 004, 005, 003, ends at 003
    ok     004       runs 005, 003, ends at 003
    ok     005       runs 003, ends at 003

A way out that runs lost revisions late is right only where the two sides touch different things: look first.
"""
    )


def test_json_for_one_content_of_the_table(repo: Repository, run: Run) -> None:
    sides = ("--repo", repo.path, "--target", "main", "--head", "oauth")
    told = run("states", *sides, "--rows", "004, 003", "--format", "json").json
    (environment,) = told["environments"]
    assert environment["command"] == "alembic upgrade head"
    assert environment["fork"] == {"parent": "002", "sides": [["003"], ["004", "005"]]}
    assert [(fix["fix"], fix["moved"], fix["onto"]) for fix in environment["fixes"]] == [
        ("none", None, None),
        ("merge", None, None),
        ("reparent", "004", "003"),
        ("reparent", "003", "005"),
    ]
    states = [fix["states"] for fix in environment["fixes"]]
    assert [len(found) for found in states] == [1, 1, 1, 1]
    assert states[2][0] == {
        "rows": ["003", "004"],
        "applied": ["003", "004"],
        "outcome": "error",
        "runs": [],
        "rows_after": ["003", "004"],
        "lost": [],
        "error": "Requested revision 004 overlaps with other requested revisions 003",
        "remedy": ["alembic stamp --purge 004", "alembic upgrade head"],
    }


def test_the_merge_goes_by_the_id_that_fix_gives_it(repo: Repository, run: Run) -> None:
    sides = ("--repo", repo.path, "--target", "main", "--head", "oauth")
    told = run("states", *sides, "--rows", "002", "--format", "json").json
    fixed = run("fix", *sides, "--strategy", "merge", "--format", "json").json
    runs = told["environments"][0]["fixes"][1]["states"][0]["runs"]
    after = run("check", "--repo", repo.path, "--target", fixed["sha"], "--format", "json").json
    assert runs[-1:] == after["environments"][0]["heads"]["target"]


def test_without_a_fork_there_is_little_to_tell(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main")
    assert done.code == 0
    assert done.out.splitlines()[3:] == [
        "alembic/versions: no fork",
        "  `alembic upgrade head` brings every database that followed this chain to 003.",
        "  To see one database, name what its alembic_version holds: onehead states --rows REVISION",
    ]
    told = run("states", "--repo", repo.path, "--at", "main", "--format", "json").json
    (environment,) = told["environments"]
    assert (environment["fork"], environment["fixes"]) == (None, [])


def test_a_fresh_database(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main", "--rows", "")
    assert done.out.splitlines()[-1] == "    ok     (empty)  runs 001, 002, 003, ends at 003"


def test_a_row_beside_its_ancestor(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main", "--rows", "001,002")
    assert done.out.splitlines()[-3:] == [
        "    error  001, 002  stops: Requested revision 002 overlaps with other requested revisions 001",
        "                     way out: alembic stamp --purge 002",
        "                              alembic upgrade head",
    ]
