"""`onehead check` at a terminal: the exact text of the main story, the other formats, and which sides are meant."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from onehead.plan.findings import Code
from tests.cli.terminal_runs import Run, clone, story
from tests.migrations import revision
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return story(tmp_path / "shop.git")


def test_the_main_story(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth")
    main, oauth = repo.sha("main")[:10], repo.sha("oauth")[:10]
    assert (done.code, done.err) == (1, "")
    assert (
        done.out
        == f"""\
Collision. Judged oauth ({oauth}) as if merged into main ({main}).
Read 1 environment, 5 of 5 revision files.

alembic/versions: 2 heads (003, 005)
  ○ 002  t002  (main)
  ├─● 003  player_teams  ← head, main
  └─○ 004  custom_notes  (this branch)
    ● 005  oauth_tokens  ← head, this branch
  ◆ repair: 004 would follow 003
  error collision: Once merged, the chain forks after `002`: 2 heads (`003` and `005`); `005` is the new one.
    → Run `onehead fix`, or merge the repair pull request into the branch.
  003 and 005: no conflict: every operation on both sides was understood, and they touch different things.
  Plan: re-parent. `004` moves from `002` onto `003`.
    because: `004` and `005` exist on no other branch or tag, so no shared database should have run them. \
If one has, it would silently skip `003`: use `--strategy merge`. The chain stays linear on `003`.

Next: onehead fix --repo {repo.path} --target main --head oauth
"""
    )


def test_of_two_files_with_one_id_the_one_that_moves_is_named_by_its_new_id(repo: Repository, run: Run) -> None:
    repo.branch("twice", "main~1")
    repo.commit("twice", revision("003", "002", "invoices"))
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "twice")
    assert (
        "Plan: re-issue. `alembic/versions/003_invoices.py` gets the id `006` instead of `003`; `006` moves from `002` "
        "onto `003`.\n"
    ) in done.out


def test_a_healthy_branch(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, "--target", "main")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
Healthy. Judged main ({repo.sha("main")[:10]}) by itself.
Read 1 environment, 3 of 3 revision files.
Not judged: what a branch would bring, for none was compared with `main`. Add `--head BRANCH`, or use `--at main`.

alembic/versions: 1 head (003)
"""
    )


def test_json_says_the_same(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json")
    told = done.json
    assert done.code == 1
    assert told["verdict"] == "collision"
    assert told["target"] == {"ref": "main", "sha": repo.sha("main")}
    assert told["head"] == {"ref": "oauth", "sha": repo.sha("oauth")}
    assert told["merge_base"] == repo.sha("main~1")
    assert told["coverage"] == {"environments": 1, "files": 5, "read": 5, "ignored": 0}
    (environment,) = told["environments"]
    assert environment["heads"] == {"target": ["003"], "head": ["005"], "merged": ["003", "005"]}
    assert environment["plan"]["kind"] == "reparent"
    assert environment["plan"]["changes"] == [
        {"path": "alembic/versions/004_custom_notes.py", "new_path": None, "deleted": False}
    ]
    assert [finding["revisions"] for finding in environment["findings"]] == [["002", "003", "005"]]


def test_sarif(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "sarif")
    log = done.json
    (analysis,) = log["runs"]
    rules = analysis["tool"]["driver"]["rules"]
    (result,) = analysis["results"]
    assert (done.code, log["version"]) == (1, "2.1.0")
    assert [rule["id"] for rule in rules] == [str(code) for code in Code]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "collision"
    assert result["level"] == "error"
    [place] = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "alembic/versions/005_oauth_tokens.py"
    assert place["physicalLocation"]["region"] == {"startLine": 16}


def test_junit(repo: Repository, run: Run) -> None:
    failed = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "junit")
    suite = ET.fromstring(failed.out)  # noqa: S314 - our own output
    assert failed.code == 1
    assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("testsuite", "1", "1", "0")
    (case,) = suite.findall("testcase")
    (failure,) = case.findall("failure")
    assert (case.get("name"), failure.get("type")) == ("alembic/versions", "collision")
    assert "`005` is the new one." in (failure.text or "")
    passed = ET.fromstring(run("check", "--repo", repo.path, "--target", "main", "--format", "junit").out)  # noqa: S314
    assert (passed.get("failures"), len(passed.findall("testcase/failure"))) == ("0", 0)


def test_control_characters_of_a_file_do_not_reach_the_terminal_or_the_xml(repo: Repository, run: Run) -> None:
    text = (
        revision("006", "003")["alembic/versions/006_t006.py"]
        .replace('"006"', '"0\\x1b[31m6"')
        .replace("t006", "\x1b[2J")
    )
    repo.commit("main", {"alembic/versions/006_t006.py": text}, parents=["main"])
    repo.commit("main", revision("007", "003"))
    plain = run("check", "--repo", repo.path, "--target", "main")
    xml = run("check", "--repo", repo.path, "--target", "main", "--format", "junit")
    assert plain.code == 1
    assert "\x1b" not in plain.out
    assert "0�[31m6" in plain.out
    ET.fromstring(xml.out)  # noqa: S314


def test_inside_a_checkout_the_branch_is_judged_against_the_remote_default(
    repo: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone(repo, tmp_path / "work", "--branch", "oauth"))
    done = run("check")
    first = done.out.splitlines()[0]
    assert done.code == 1
    assert first == (
        f"Collision. Judged oauth ({repo.sha('oauth')[:10]}) as if merged into origin/main ({repo.sha('main')[:10]})."
    )
    assert done.out.splitlines()[-1] == "Next: onehead fix --target origin/main --head oauth"


def test_inside_a_checkout_of_main(repo: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean main is compared with what is on the remote: nothing to report, and nothing hidden."""
    monkeypatch.chdir(clone(repo, tmp_path / "work"))
    done = run("check")
    main = repo.sha("main")[:10]
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        f"Healthy. Judged main ({main}) as if merged into origin/main ({main}).",
    )


def test_a_repository_of_its_own_on_main(tmp_path: Path, run: Run) -> None:
    repo = story(tmp_path / "own")
    done = run("check", "--repo", repo.path)
    assert (done.code, done.out.splitlines()[0]) == (0, f"Healthy. Judged main ({repo.sha('main')[:10]}) by itself.")


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("--publish", "Use `--publish` in a job of Forgejo Actions, GitHub Actions or Woodpecker"),
        ("--upload-sarif", "Use `--upload-sarif` in a job of GitHub Actions"),
    ],
)
def test_what_is_for_a_job_says_so_outside_of_one(repo: Repository, run: Run, option: str, place: str) -> None:
    done = run("check", "--repo", repo.path, option)
    assert (done.code, done.err.splitlines()[1]) == (0, f"  → {place}, without `--target`.")


def test_a_detached_head(repo: Repository, run: Run, tmp_path: Path) -> None:
    work = clone(repo, tmp_path / "work")
    Repository.git(repo, "-C", str(work), "checkout", "--quiet", "--detach", "origin/oauth")
    done = run("check", "--repo", work, "--format", "json")
    assert done.code == 1
    assert done.json["head"] == {"ref": "HEAD", "sha": repo.sha("oauth")}
    assert done.json["target"] == {"ref": "refs/remotes/origin/main", "sha": repo.sha("main")}


def test_check_leaves_nothing_behind(repo: Repository, run: Run) -> None:
    before = repo.git("count-objects", "-v")
    refs = repo.git("for-each-ref")
    run("check", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert repo.git("count-objects", "-v") == before
    assert repo.git("for-each-ref") == refs


# What is not judged


def test_at_judges_one_commit_by_itself(repo: Repository, run: Run) -> None:
    at = run("check", "--repo", repo.path, "--at", "oauth")
    assert (at.code, at.out.splitlines()[:2]) == (
        0,
        [f"Healthy. Judged oauth ({repo.sha('oauth')[:10]}) by itself.", "Read 1 environment, 4 of 4 revision files."],
    )
    assert "Not judged" not in at.out


@pytest.mark.parametrize("other", ["--target", "--head"])
def test_at_does_not_go_with_two_sides(repo: Repository, run: Run, other: str) -> None:
    done = run("check", "--repo", repo.path, "--at", "oauth", other, "main")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("onehead: `--at` judges one commit by itself")


def test_a_target_alone_says_that_nothing_was_compared(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, "--target", "main", "--format", "json")
    assert done.json["not_judged"] == [
        {
            "code": "no-comparison",
            "message": "what a branch would bring, for none was compared with `main`. Add `--head BRANCH`, or use "
            "`--at main`.",
            "paths": [],
        }
    ]


def test_without_an_environment_there_is_nothing_to_judge(tmp_path: Path, run: Run) -> None:
    plain = Repository(tmp_path / "plain")
    plain.commit("main", {"README": "x"})
    done = run("check", "--repo", plain.path, "--at", "main")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        f"Nothing to judge. Judged main ({plain.sha('main')[:10]}) by itself.",
    )
    told = run("check", "--repo", plain.path, "--at", "main", "--format", "json").json
    assert (told["verdict"], [each["code"] for each in told["not_judged"]]) == ("ok", ["no-environment"])


def test_an_environment_that_the_policy_ignores_is_named(repo: Repository, run: Run) -> None:
    repo.commit("main", {".onehead.toml": 'ignore-environments = ["alembic/*"]\n'})
    done = run("check", "--repo", repo.path, "--at", "main")
    assert done.code == 0
    assert done.out.startswith("Nothing to judge. ")
    assert "Not judged: `alembic/versions`, ignored by the policy (`ignore-environments`)." in done.out.splitlines()


def test_revision_files_that_are_not_committed_are_named(tmp_path: Path, run: Run) -> None:
    work = story(tmp_path / "shop", bare=False)
    work.git("reset", "--quiet", "--hard", "main")
    assert "not_judged" in run("check", "--repo", work.path, "--at", "main", "--format", "json").json
    [(path, text)] = revision("004", "003").items()
    (work.path / path).write_text(text)
    said = f"a revision file that is in the work tree and not committed: `{path}`. Commit, and check again."
    for args in (["--at", "main"], []):
        done = run("check", "--repo", work.path, *args)
        assert (done.code, done.out.splitlines()[2]) == (0, f"Not judged: {said}")
    # Another branch than the one that is checked out has nothing to do with the work tree.
    assert "Not judged" not in run("check", "--repo", work.path, "--at", "oauth").out
    sarif = run("check", "--repo", work.path, "--at", "main", "--format", "sarif").json
    [invocation] = sarif["runs"][0]["invocations"]
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [f"Not judged: {said}"]
    assert f"Not judged: {said}" in run("check", "--repo", work.path, "--at", "main", "--format", "junit").out
