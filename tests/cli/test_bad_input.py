"""What people get wrong, and what repositories hold: every case ends with its exit code and a next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run, clone, story
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.repositories import Repository

VERBS = ["check", "fix", "graph", "history", "next", "states"]


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return story(tmp_path / "shop.git")


@pytest.mark.parametrize("verb", VERBS)
def test_no_repository(verb: str, run: Run, tmp_path: Path) -> None:
    done = run(verb, "--repo", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"onehead: {tmp_path} is not a git repository.\n  → Name a checkout or a bare repository with `--repo DIR`.\n"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_such_directory(verb: str, run: Run, tmp_path: Path) -> None:
    done = run(verb, "--repo", tmp_path / "nowhere")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"onehead: {tmp_path}/nowhere can't be opened as a directory: No such file or directory.\n"
        "  → Name a checkout or a bare repository with `--repo DIR`.\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        ("check", "--target", "nope"),
        ("check", "--target", "main", "--head", "nope"),
        ("fix", "--target", "nope"),
        ("graph", "--at", "nope"),
        ("history", "--target", "nope"),
        ("next", "--target", "nope"),
        ("states", "--at", "nope"),
    ],
)
def test_an_unknown_ref(args: tuple[str, ...], repo: Repository, run: Run) -> None:
    done = run(*args, "--repo", repo.path)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"onehead: `nope` names no commit of the repository in {repo.path}.\n"
        f"  → `git -C {repo.path} branch --all` and `git -C {repo.path} tag` list the names there are.\n"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_repository(verb: str, run: Run, tmp_path: Path) -> None:
    empty = Repository(tmp_path / "empty.git")
    done = run(verb, "--repo", empty.path)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"onehead: The repository in {empty.path} has no commits yet, so there is nothing to judge.\n"
        "  → Commit something first.\n"
    )


def test_a_shallow_clone_says_how_to_deepen(repo: Repository, run: Run, tmp_path: Path) -> None:
    repo.commit("main", {"README": "More.\n"})
    work = clone(repo, tmp_path / "work", "--depth=1", "--no-single-branch", "--branch", "oauth")
    done = run("check", "--repo", work)
    assert (done.code, done.out) == (3, "")
    assert "is not in this shallow clone, so their merge can't be judged.\n" in done.err
    assert done.err.endswith(
        f"  → Fetch the whole history (`git -C {work} fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'`; "
        "in CI: `fetch-depth: 0` for the checkout step) and try again.\n"
    )


@pytest.mark.parametrize("verb", ["check", "graph", "states"])
def test_no_environment(verb: str, run: Run, tmp_path: Path) -> None:
    plain = Repository(tmp_path / "plain.git")
    plain.commit("main", {"README": "Nothing here.\n", "src/app.py": "revision = 1\n"})
    done = run(verb, "--repo", plain.path)
    assert done.code == 0
    assert "No Alembic environment found" in done.out
    told = run(verb, "--repo", plain.path, "--format", "json").json
    # What is drawn is drawn whole: a policy leaves nothing out of it.
    ignored = {} if verb == "graph" else {"ignored": 0}
    assert told["coverage"] == {"environments": 0, "files": 0, "read": 0, **ignored}
    assert told["environments"] == []


def test_no_code_of_the_repository_is_run(run: Run, tmp_path: Path) -> None:
    """A migration and an env.py that would write a file as soon as anybody imports them."""
    trace = tmp_path / "trace"
    bomb = f"open({str(trace)!r}, 'a').write('imported')\n"
    repo = Repository(tmp_path / "trap.git")
    files = merged(project(), chain(("001", None)))
    repo.commit("main", {path: bomb + text if path.endswith(".py") else text for path, text in files.items()})
    repo.branch("topic", "main")
    repo.commit("main", {path: bomb + text for path, text in revision("002", "001").items()})
    repo.commit("topic", {path: bomb + text for path, text in revision("003", "001").items()})
    sides = ("--repo", repo.path, "--target", "main", "--head", "topic")
    assert run("check", *sides).code == 1
    for strategy in ("reparent", "merge"):
        fixed = run("fix", *sides, "--strategy", strategy, "--format", "json").json
        assert run("check", "--repo", repo.path, "--target", "main", "--head", fixed["sha"]).code == 0
    assert run("graph", "--repo", repo.path, "--at", "topic").code == 0
    assert run("states", *sides).code == 0
    assert not trace.exists()


def test_a_new_file_that_can_not_be_read(repo: Repository, run: Run) -> None:
    repo.branch("torn", "main")
    text = revision("006", "003")[f"{VERSIONS}/006_t006.py"].replace('revision: str = "006"', "revision = make_id()")
    repo.commit("torn", {f"{VERSIONS}/006_t006.py": text})
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "torn")
    assert done.code == 3
    assert done.out.startswith("Could not judge. ")
    assert "Read 1 environment, 3 of 4 revision files.\n" in done.out
    assert "error dynamic-id: `alembic/versions/006_t006.py`, line " in done.out
    assert "`make_id()`" in done.out
    assert run("states", "--repo", repo.path, "--target", "main", "--head", "torn").code == 3


def test_an_old_file_that_can_not_be_read(repo: Repository, run: Run) -> None:
    """It was there before, so it hides nothing new; the verdict says that it was not read."""
    text = revision("006", "003")[f"{VERSIONS}/006_t006.py"].replace('revision: str = "006"', "revision = make_id()")
    repo.commit("main", {f"{VERSIONS}/006_t006.py": text})
    repo.branch("fine", "main")
    repo.commit("fine", {"README": "Words.\n"})
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "fine")
    assert done.code == 0
    assert "Read 1 environment, 3 of 4 revision files.\n" in done.out
    assert "  warning dynamic-id (the target has it already): `alembic/versions/006_t006.py`" in done.out


def test_at_does_not_go_with_the_two_sides(repo: Repository, run: Run) -> None:
    done = run("states", "--repo", repo.path, "--at", "main", "--head", "oauth")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("onehead: `--at` judges one commit by itself")


def test_an_unknown_option(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("check", "--colour")
    assert ended.value.code == 2
    assert "onehead check does not take '--colour'." in capsys.readouterr().err
