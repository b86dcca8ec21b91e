"""`onehead graph` at a terminal: every environment of one commit, in four formats."""

from __future__ import annotations

import pytest

from tests.basketball import Basketball, basketball
from tests.cli.terminal_runs import Run
from tests.migrations import VERSIONS, project, revision


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Basketball:
    return basketball(tmp_path_factory.mktemp("graph") / "basketball.git")


def test_text(report: Basketball, run: Run) -> None:
    done = run("graph", "--repo", report.repo.path, "--at", "main")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
Revisions at main ({report.repo.sha("main")[:10]}), oldest first. Read 1 environment, 25 of 25 revision files.

alembic/versions: 25 revisions, 1 head (025)
  ○ 001  t001
  ○ 002  t002
  ⋮ 14 more
  ○ 017  t017
  ○ 018  t018
  ├─○ 019  player_teams
  ├─○ 020  custom_notes
  │ ○ 021  oauth_tokens
  ○ 022  t022  joins 019 and 021
  ○ 023  t023
  ○ 024  t024
  ● 025  t025  ← head

⋮ marks revisions that are not drawn: `--full` draws all, `--around REV` draws those near one.
"""
    )


def test_all_of_it(report: Basketball, run: Run) -> None:
    done = run("graph", "--repo", report.repo.path, "--at", "main", "--full")
    assert (done.code, "⋮" in done.out) == (0, False)
    assert sum("○ " in line or "● " in line for line in done.out.splitlines()) == 25


@pytest.mark.parametrize("name", ["020", "oauth"])
def test_what_is_around_a_revision(report: Basketball, run: Run, name: str) -> None:
    report.repo.branch(f"by-{name}", "main")
    path = next(p for p in report.repo.files("main") if "/020_" in p)
    text = report.repo.read("main", path) + 'branch_labels = "oauth"\n'
    report.repo.commit(f"by-{name}", {path: text})
    done = run("graph", "--repo", report.repo.path, "--at", f"by-{name}", "--around", name)
    assert done.code == 0
    assert "  ⋮ older ones\n" in done.out
    assert "├─○ 020  custom_notes\n" in done.out
    assert "001" not in done.out


def test_a_revision_that_is_not_there(report: Basketball, run: Run) -> None:
    unknown = run("graph", "--repo", report.repo.path, "--at", "main", "--around", "o19")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err.splitlines()[1] == "  → Did you mean 019?"
    several = run("graph", "--repo", report.repo.path, "--at", "main", "--around", "02")
    assert several.code == 2
    assert several.err.splitlines() == [
        "onehead: 6 revisions at main match '02', so it is not clear which one is meant.",
        "  → Write the id of one of them in full: 020, 021, 022, 023, 024, ….",
    ]
    with pytest.raises(SystemExit, match="2"):
        run("graph", "--repo", report.repo.path, "--around", "019", "--full")


def test_a_commit_by_its_sha(report: Basketball, run: Run) -> None:
    done = run("graph", "--repo", report.repo.path, "--at", report.forked)
    assert done.out.splitlines()[0] == (
        f"Revisions at {report.forked[:10]}, oldest first. Read 1 environment, 21 of 21 revision files."
    )
    assert done.out.splitlines()[2] == "alembic/versions: 21 revisions, 2 heads (019, 021)"


def test_json(report: Basketball, run: Run) -> None:
    done = run("graph", "--repo", report.repo.path, "--at", "main", "--format", "json")
    told = done.json
    assert told["at"] == {"ref": "main", "sha": report.repo.sha("main")}
    assert told["coverage"] == {"environments": 1, "files": 25, "read": 25}
    (environment,) = told["environments"]
    revisions = {entry["id"]: entry for entry in environment.pop("revisions")}
    assert environment == {
        "path": "alembic/versions",
        "config": "alembic.ini",
        "heads": ["025"],
        "bases": ["001"],
        "branch_points": ["018"],
        "merge_points": ["022"],
        "missing": [],
        "duplicates": [],
        "cycles": [],
        "unreadable": [],
    }
    assert len(revisions) == 25
    assert revisions["022"] == {
        "id": "022",
        "parents": ["019", "021"],
        "depends_on": [],
        "branch_labels": [],
        "path": "alembic/versions/022_t022.py",
        "doc": "t022",
    }


def test_what_is_wrong_is_said(report: Basketball, run: Run) -> None:
    repo = report.repo
    repo.branch("broken", "main")
    text = revision("026", "025")[f"{VERSIONS}/026_t026.py"]
    repo.commit(
        "broken",
        {
            f"{VERSIONS}/e09c9e678004_te09c9e678004.py": None,
            f"{VERSIONS}/025_copy.py": revision("025", "024")[f"{VERSIONS}/025_t025.py"],
            f"{VERSIONS}/026_t026.py": text.replace('revision: str = "026"', "revision = make_id()"),
        },
    )
    done = run("graph", "--repo", repo.path, "--at", "broken")
    assert done.code == 0
    troubles = [line for line in done.out.splitlines() if line.startswith(("  missing", "  duplicate", "  not read"))]
    assert troubles[0] == "  missing: 007 needs e09c9e678004, which no file declares"
    assert troubles[1] == (
        "  duplicate: 025 is declared by alembic/versions/025_copy.py and alembic/versions/025_t025.py"
    )
    assert troubles[2].startswith("  not read: alembic/versions/026_t026.py, line ")
    told = run("graph", "--repo", repo.path, "--at", "broken", "--format", "json").json
    (environment,) = told["environments"]
    assert told["coverage"] == {"environments": 1, "files": 26, "read": 25}
    assert environment["missing"] == [{"revision": "007", "parent": "e09c9e678004"}]
    assert [entry["id"] for entry in environment["duplicates"]] == ["025"]
    assert [entry["path"] for entry in environment["unreadable"]] == ["alembic/versions/026_t026.py"]


def test_several_environments_stand_in_one_diagram(report: Basketball, run: Run) -> None:
    repo = report.repo
    repo.branch("two", report.trunk)
    second = project("billing/versions")
    repo.commit(
        "two",
        {
            "billing/alembic.ini": "[alembic]\nscript_location = %(here)s\n",
            "billing/env.py": second["billing/env.py"],
            **revision("b1", None, "invoices", "billing/versions"),
        },
    )
    drawn = run("graph", "--repo", repo.path, "--at", "two", "--format", "mermaid").out
    assert drawn.count("graph LR\n") == 1
    assert '  subgraph e0["alembic/versions"]\n' in drawn
    assert '  subgraph e1["billing/versions"]\n' in drawn
    assert '    e1n0["<b>b1</b><br/>invoices"]\n' in drawn
    svg = run("graph", "--repo", repo.path, "--at", "two", "--format", "svg").out
    assert svg.count("<g transform=") == 2
    assert svg.index(">alembic/versions<") < svg.index(">billing/versions<")


def test_a_picture_of_a_part_and_of_everything(report: Basketball, run: Run) -> None:
    words = ("graph", "--repo", report.repo.path, "--at", "main", "--format", "svg")
    folded, full, part = run(*words).out, run(*words, "--full").out, run(*words, "--around", "020").out
    assert "… 17 revisions, 002 → 018" not in full
    assert "… 16 revisions, 002 → 017" in folded
    assert ">011<" in full
    assert ">018<" in part
    assert ">005<" not in part
    opened = run(*words, "--open", "017").out
    assert ">005<" in opened
    assert ">005<" not in folded


def test_a_run_is_opened_in_a_picture_alone(report: Basketball, run: Run) -> None:
    words = ("graph", "--repo", report.repo.path, "--at", "main", "--open", "017")
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert "goes with `--format svg` alone" in done.err
    unknown = run("graph", "--repo", report.repo.path, "--at", "main", "--format", "svg", "--open", "o19")
    assert "Did you mean 019?" in unknown.err
