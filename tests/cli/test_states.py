"""`onehead states` at a terminal: the table that people read, and what scripts get."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run, story
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

MANY = """\
  With the merge revision b4 that joins a3 and b3
    ok      000; a0; a1; 22 more            runs what is missing

  With a0 moved onto b3 (re-parent)
    loss    a0; a1; a2; 1 more              exits with 0, but b0, b1, b2 and b3 never run
                                            way out of a0: alembic stamp --purge 000
                                                           alembic upgrade b3
                                                           alembic stamp --purge a0
                                                           alembic upgrade head
    error   a0, b0; a0, b1; a0, b2; 9 more  stops: Requested revision a0 overlaps with other requested revisions b0
                                            way out of a0, b0: alembic stamp --purge b0
                                                               alembic upgrade b3
                                                               alembic stamp --purge a0
                                                               alembic upgrade head
    error   a0, b3; a1, b3; a2, b3; 1 more  stops: Requested revision a0 overlaps with other requested revisions b3
                                            way out of a0, b3: alembic stamp --purge a0
                                                               alembic upgrade head
    ok      000; b0; b1; 2 more             runs what is missing

"""
MULTIPLE = (
    "Multiple head revisions are present for given argument 'head'; please specify a specific target revision, "
    "'<branchname>@head' to narrow to a specific head, or 'heads' for all heads"
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return story(tmp_path_factory.mktemp("states") / "shop.git")


def overlaps(one: str, other: str) -> str:
    return f"Requested revision {one} overlaps with other requested revisions {other}"


def expected(one: str, other: str) -> str:
    return (
        f"Online migration expected to match one row when updating '{one}' to '{other}' in 'alembic_version'; 2 found"
    )


CORRUPT = f"""\
  Where the rows are wrong already (examples; `--rows ROWS` and `onehead doctor` show yours)
    (an id that no file has), which no file declares (2 more of the kind in `--format json`)
      error   with any fix: stops: Can't locate revision identified by '(an id that no file has)'
              no safe way out from here: no file declares (an id that no file has), so what ran is unknown.
              Deploy the version that has it; never stamp back.
    002 twice (2 more of the kind in `--format json`)
      error   with the merge, or with 004 on 003: stops: {expected("002", "003")}
              way out: alembic stamp --purge 002
                       alembic upgrade head
      error   with 003 on 005: stops: {expected("002", "004")}
              way out: alembic stamp --purge 002
                       alembic upgrade head
    002, 003, of which one includes the other (3 more of the kind in `--format json`)
      error   with the merge, or with 004 on 003: stops: {overlaps("003", "002")}
              way out: alembic stamp --purge 003
                       alembic upgrade head
      error   with 003 on 005: stops: {overlaps("003", "002")}
              way out: alembic stamp --purge 002
                       alembic upgrade 005
                       alembic stamp --purge 003
                       alembic upgrade head
    no row, although 002 has run (1 more of the kind in `--format json`)
      repeat  with any fix: runs 001, 002 again: the database stops it, or rows are changed twice
              way out: alembic stamp --purge 002
                       alembic upgrade head
    002, although 003 has run (4 more of the kind in `--format json`)
      repeat  with the merge, or with 004 on 003: runs 003 again: the database stops it, or rows are changed twice
              way out: alembic stamp --purge 003
                       alembic upgrade head
      repeat  with 003 on 005: runs 003 again: the database stops it, or rows are changed twice
              way out: alembic upgrade 005
                       alembic stamp --purge 003
                       alembic upgrade head
    003, 005, although only 002 has run
      loss    with the merge: exits with 0, but 003, 004 and 005 never run
              way out: alembic stamp --purge 002
                       alembic upgrade head
      error   with 004 on 003: stops: {overlaps("005", "003")}
              way out: alembic stamp --purge 002
                       alembic upgrade head
      error   with 003 on 005: stops: {overlaps("003", "005")}
              way out: alembic stamp --purge 002
                       alembic upgrade head

"""


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
  003 and 005: no conflict: every operation on both sides was understood, and they touch different things.
  Of 6 databases that may exist:
    as it is         6 stop
    with the merge   6 succeed
    with 004 on 003  2 lose revisions, 2 stop, 2 succeed
    with 003 on 005  1 loses revisions, 2 stop, 3 succeed

  What `alembic upgrade head` does, by the content of alembic_version:

  As it is
    error   any       stops: {MULTIPLE}
                      way out: alembic upgrade heads

  With the merge revision 006 that joins 005 and 003
    ok      002       runs 003, 004, 005, 006, ends at 006
    ok      003       runs 004, 005, 006, ends at 006
    ok      004       runs 003, 005, 006, ends at 006
    ok      005       runs 003, 006, ends at 006
    ok      003, 004  runs 005, 006, ends at 006
    ok      003, 005  runs 006, ends at 006

  With 004 moved onto 003 (re-parent)
    loss    004       exits with 0, but 003 never runs
                      way out: alembic stamp --purge 002
                               alembic upgrade 003
                               alembic stamp --purge 004
                               alembic upgrade head
    loss    005       exits with 0, but 003 never runs
                      way out: alembic stamp --purge 002
                               alembic upgrade 003
                               alembic stamp --purge 005
                               alembic upgrade head
    error   003, 004  stops: Requested revision 004 overlaps with other requested revisions 003
                      way out: alembic stamp --purge 004
                               alembic upgrade head
    error   003, 005  stops: Requested revision 005 overlaps with other requested revisions 003
                      way out: alembic stamp --purge 005
                               alembic upgrade head
    ok      002       runs 003, 004, 005, ends at 005
    ok      003       runs 004, 005, ends at 005

  With 003 moved onto 005 (re-parent)
    loss    003       exits with 0, but 004 and 005 never run
                      way out: alembic stamp --purge 002
                               alembic upgrade 005
                               alembic stamp --purge 003
                               alembic upgrade head
    error   003, 004  stops: Requested revision 003 overlaps with other requested revisions 004
                      way out: alembic stamp --purge 004
                               alembic upgrade 005
                               alembic stamp --purge 003
                               alembic upgrade head
    error   003, 005  stops: Requested revision 003 overlaps with other requested revisions 005
                      way out: alembic stamp --purge 003
                               alembic upgrade head
    ok      002       runs 004, 005, 003, ends at 003
    ok      004       runs 005, 003, ends at 003
    ok      005       runs 003, ends at 003

  Databases whose rows are wrong already are left out; `--all` shows an example of each kind.

A way out that runs lost revisions late is right only where the two sides touch different things: look first.
"""
    )


def test_rows_that_are_wrong_already_are_shown_when_all_is_asked_for(repo: Repository, run: Run) -> None:
    sides = ("states", "--repo", repo.path, "--target", "main", "--head", "oauth")
    without, done = run(*sides), run(*sides, "--all")
    assert (done.code, done.err) == (0, "")
    left_out = "  Databases whose rows are wrong already are left out; `--all` shows an example of each kind.\n\n"
    corrupt = CORRUPT.replace("`onehead doctor`", f"`onehead doctor --repo {repo.path}`")
    assert done.out == without.out.replace(left_out, corrupt)
    # A script filters for itself.
    assert run(*sides, "--format", "json").out == run(*sides, "--all", "--format", "json").out


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
        "again": [],
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
    command = f"onehead states --repo {repo.path} --at main"
    assert done.code == 0
    assert done.out.splitlines()[3:] == [
        "alembic/versions: no fork",
        "  `alembic upgrade head` brings every database that followed this chain to 003.",
        f"  To see one database, name what its alembic_version holds: `{command} --rows REVISION`",
    ]
    told = run("states", "--repo", repo.path, "--at", "main", "--format", "json").json
    (environment,) = told["environments"]
    assert (environment["fork"], environment["fixes"]) == (None, [])


def test_a_fresh_database(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main", "--rows", "")
    assert done.out.splitlines()[-1] == "    ok      (empty)  runs 001, 002, 003, ends at 003"


def test_a_row_beside_its_ancestor(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main", "--rows", "001,002")
    assert done.out.splitlines()[-3:] == [
        "    error   001, 002  stops: Requested revision 002 overlaps with other requested revisions 001",
        "                      way out: alembic stamp --purge 002",
        "                               alembic upgrade head",
    ]


def test_the_same_row_twice(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main~1", "--rows", "001,001")
    assert done.out.splitlines()[-3:] == [
        f"    error   001, 001  stops: {expected('001', '002')}",
        "                      way out: alembic stamp --purge 001",
        "                               alembic upgrade head",
    ]


def test_what_is_wrong_already_is_told_apart(repo: Repository, run: Run) -> None:
    """One list per fix, by the names that a doctor gives; the merge's own row under the fixes that do without it."""
    told = run("states", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json").json
    (environment,) = told["environments"]
    assert environment["both_sides"] == [{"heads": ["003", "005"], "verdict": "independent", "first": None}]
    nothing, merge, first, second = (
        [(state["ailment"], state["rows"]) for state in fix["corrupt"]] for fix in environment["fixes"]
    )
    unknown, beside = "(an id that no file has)", ["(an id that no file has)", "003"]
    assert nothing == first == second
    assert nothing == [
        ("unknown-row", [unknown]),
        ("unknown-row", beside),
        ("unknown-row", ["006"]),
        *(("repeated-row", [row, row]) for row in ("002", "003", "005")),
        *(("overlapping-rows", rows) for rows in (["002", "003"], ["002", "005"], ["004", "005"])),
        ("no-rows", []),
        ("no-rows", []),
        *(("ahead", rows) for rows in (["002"], ["002"], ["002"], ["003"], ["005"])),
        ("lost", ["003", "005"]),
    ]
    assert [each for each in merge if each not in nothing] == [("overlapping-rows", ["003", "006"])]
    assert [each for each in nothing if each not in merge] == [("unknown-row", ["006"])]
    taken_back = environment["fixes"][2]["corrupt"][2]
    assert (taken_back["rows"], taken_back["error"]) == (["006"], "Can't locate revision identified by '006'")
    assert taken_back["remedy"] == ["alembic stamp --purge 005", "alembic upgrade head"]


def test_many_databases_are_grouped_by_what_becomes_of_them(run: Run, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "long.git")
    sides = [(f"{side}{n}", f"{side}{n - 1}" if n else "000") for side in "ab" for n in range(4)]
    repo.commit("main", merged(project(), chain(("000", None), *sides)))
    out = run("states", "--repo", repo.path, "--at", "main").out
    assert out[out.index("  With the merge") : out.index("  With b0 moved")] == MANY
    assert "\n  A line with several databases shows the way out of the first; `--rows ROWS` shows another's.\n" in out


def test_what_is_forked_comes_first_and_one_environment_is_told_of_alone(run: Run, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "three.git")
    for folder in ("alpha", "beta", "gamma"):
        files = {f"{folder}/alembic.ini": "[alembic]\nscript_location = %(here)s\n", f"{folder}/env.py": ""}
        repo.commit("main", merged(files, revision("001", None, "one", f"{folder}/versions")))
    repo.branch("topic", "main")
    for branch, id_ in (("main", "002"), ("topic", "003")):
        repo.commit(branch, revision(id_, "001", f"of_{branch}", "gamma/versions"))
    repo.commit("topic", revision("002", "gone", "lost", "beta/versions"))
    sides = ("states", "--repo", repo.path, "--target", "main", "--head", "topic")
    done = run(*sides)
    order = [done.out.index(f"\n{folder}/versions: ") for folder in ("gamma", "beta", "alpha")]
    assert order == sorted(order)
    told = run(*sides, "--format", "json").json
    assert [each["path"] for each in told["environments"]] == ["alpha/versions", "beta/versions", "gamma/versions"]

    for name in ("gamma/versions", "./gamma/versions/"):
        alone = run(*sides, "--environment", name)
        assert (alone.code, "alpha" in alone.out, "beta" in alone.out) == (0, False, False)
        assert "gamma/versions: the chain forks after 001" in alone.out
    [only] = run(*sides, "--environment", "gamma/versions", "--format", "json").json["environments"]
    assert only["path"] == "gamma/versions"
    unknown = run(*sides, "--environment", "delta")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err.splitlines() == [
        "onehead: There is no environment 'delta' at topic.",
        "  → There are: alpha/versions, beta/versions, gamma/versions.",
    ]
