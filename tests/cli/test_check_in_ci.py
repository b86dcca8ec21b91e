"""`onehead check` in CI jobs, without options: clones as each system makes them, from an origin on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.ci_jobs import (
    PULLS,
    Job,
    Pull,
    clone,
    forgejo,
    github,
    gitlab,
    gitlab_variables,
    push,
    with_everything,
    woodpecker,
)
from tests.cli.terminal_runs import Run, story
from tests.migrations import merged, project, revision
from tests.repositories import Repository

NAMES = {
    forgejo: "Forgejo Actions, pull request 12",
    github: "GitHub Actions, pull request 12",
    gitlab: "GitLab CI, merge request 12",
    woodpecker: "Woodpecker, pull request 12",
}
each_system = pytest.mark.parametrize("system", PULLS, ids=lambda made: made.__name__)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = story(tmp_path_factory.mktemp("forge") / "origin.git")
    for number in range(3):
        repo.commit("main", {f"src/{number}.txt": "x\n"})
    repo.branch("fine", "main")
    repo.commit("fine", revision("006", "003"))
    return repo.path


@pytest.fixture
def origin(template: Path, tmp_path: Path) -> Repository:
    """main at 003; `oauth` (004, 005) collides with it, `fine` (006) stands on it."""
    shutil.copytree(template, tmp_path / "origin.git")
    return Repository(tmp_path / "origin.git")


def first(text: str) -> str:
    return text.splitlines()[0]


def left(job: Job) -> tuple[str, str, str, str]:
    """What a step must not change."""
    return (
        job.git("for-each-ref"),
        job.git("status", "--porcelain"),
        job.git("config", "--list", "--local"),
        (job.place / ".git" / "HEAD").read_text(encoding="utf-8"),
    )


@each_system
def test_a_pull_request_that_collides(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = system(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    before = left(job)
    done = run("check")
    assert (done.code, done.err) == (1, "")
    assert first(done.out) == (
        f"Collision. {NAMES[system]}: judged oauth ({origin.sha('oauth')[:10]}) as if merged into "
        f"origin/main ({origin.sha('main')[:10]})."
    )
    assert done.out.splitlines()[-1] == "Next: onehead fix --target origin/main --head oauth"
    assert left(job) == before


@each_system
def test_a_pull_request_that_is_fine(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system(origin, tmp_path / "job", "fine").enter(monkeypatch)
    done = run("check", "--format", "json")
    assert (done.code, done.err, done.json["verdict"]) == (0, "", "ok")
    assert done.json["target"] == {"ref": "refs/remotes/origin/main", "sha": origin.sha("main")}
    assert done.json["head"] == {"ref": "fine", "sha": origin.sha("fine")}
    assert done.json["coverage"] == {"environments": 1, "files": 4, "read": 4, "ignored": 0}


@each_system
def test_the_base_is_the_newest_and_not_the_one_of_an_hour_ago(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = system(origin, tmp_path / "job", "fine")
    if system is not woodpecker:  # which never fetches more than one commit by itself
        with_everything(job)
    job.enter(monkeypatch)
    assert run("check").code == 0
    origin.commit("main", revision("007", "003"))
    done = run("check")
    assert (done.code, done.err) == (1, "")
    assert f"origin/main ({origin.sha('main')[:10]})" in first(done.out)


@pytest.mark.parametrize("system", [forgejo, github, gitlab])
def test_a_clone_that_holds_everything_can_tell_that_nothing_has_escaped(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refs under which a checkout step keeps the pull request are no other branches that hold it."""
    origin.branch("staging", "main~2")
    with_everything(system(origin, tmp_path / "job", "oauth")).enter(monkeypatch)
    done = run("check", "--format", "json")
    [environment] = done.json["environments"]
    assert environment["plan"]["kind"] == "reparent"


@pytest.mark.parametrize("system", [forgejo, gitlab, woodpecker])  # GitHub's merge commit stays cut off
def test_what_stands_on_a_branch_that_the_clone_does_not_hold_may_have_escaped(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its history was fetched a clone is not shallow any more, and still holds one branch only."""
    origin.branch("staging", "oauth")
    origin.commit("staging", {"deployed": "yes\n"})
    job = system(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert "Plan: merge." in done.out
    assert "Origin also has `fine` and `staging`, not held by this clone, " in done.out


@pytest.mark.parametrize("system", [forgejo, gitlab, woodpecker])
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_branch_or_tag_of_origin_at_the_very_commit_that_is_judged_is_an_escape(
    system: Pull,
    everything: bool,
    kind: str,
    origin: Repository,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clone has the commit, and no name for it but the pull request's."""
    origin.git("update-ref", "-d", "refs/heads/fine")
    if kind == "branch":
        origin.branch("staging", "oauth")
    else:
        origin.tag("v1", "oauth", "A release")
    job = system(origin, tmp_path / "job", "oauth")
    if everything:
        with_everything(job)
    job.enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert "Plan: merge." in done.out
    where = "branch origin/staging" if kind == "branch" else "tag v1"
    assert f"`004` is also on {where}, so a database may have run it" in done.out


@pytest.mark.parametrize("system", [forgejo, gitlab, woodpecker])
def test_the_pull_requests_own_names_are_no_escape(
    system: Pull, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.git("update-ref", "-d", "refs/heads/fine")
    job = system(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    assert "Plan: re-parent" in run("check").out
    assert "Plan: re-parent" in run("check", "--target", "origin/main", "--head", "HEAD").out


def test_a_young_branch_in_a_shallow_clone(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough history for a verdict is not enough for the plan, which says why it is careful."""
    for number in range(60):
        origin.commit("main", {f"more/{number}": "x\n"})
    origin.branch("young", "main~1")
    origin.commit("young", revision("008", "003"))
    origin.commit("main", revision("007", "003"))
    forgejo(origin, tmp_path / "job", "young").enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert "Plan: merge." in done.out
    assert "This clone is shallow" in done.out


def test_a_pull_request_from_a_fork(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its branch may be called like one of ours, and is not that one."""
    job = forgejo(origin, tmp_path / "job", "oauth")
    origin.branch("oauth", "main~1")
    job.enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert "judged pull/12/head (" in first(done.out)


def test_a_stacked_pull_request_is_judged_against_its_own_base(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.branch("top", "oauth")
    origin.commit("top", revision("010", "005"))
    forgejo(origin, tmp_path / "job", "top", base="oauth").enter(monkeypatch)
    done = run("check")
    assert done.code == 0
    assert f"as if merged into origin/oauth ({origin.sha('oauth')[:10]})" in first(done.out)


def test_a_base_that_is_gone(origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.branch("old", "main")
    job = forgejo(origin, tmp_path / "job", "fine", base="old")
    origin.git("update-ref", "-d", "refs/heads/old")
    job.enter(monkeypatch)
    done = run("check")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "onehead: There is no branch `old` on origin, so there is nothing to compare with.\n"
        "  → It was deleted or renamed: point the pull request at another branch, or close it.\n"
    )


def test_an_event_that_can_not_be_read(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables say enough, as long as the head is checked out."""
    job = forgejo(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "nowhere.json"))
    assert run("check").code == 1
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request_target")
    done = run("check")
    assert (done.code, done.out) == (3, "")
    assert "does not show which commit is to be judged.\n  → " in done.err
    assert run("check", "--target", "HEAD").code == 0


# Pushes


def test_the_default_branch_is_judged_by_itself_and_origin_is_not_asked(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = push(origin, tmp_path / "job", "main")
    job.git("remote", "set-url", "origin", "file:///nowhere")
    job.enter(monkeypatch)
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert first(done.out) == (
        f"Healthy. Forgejo Actions, branch main: judged main ({origin.sha('main')[:10]}) by itself."
    )


def test_the_default_branch_is_judged_as_it_was_pushed(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit("main", revision("007", "002"))
    forked = origin.sha("main")
    job = push(origin, tmp_path / "job", "main")
    origin.commit("main", revision("008", ("003", "007")))
    job.enter(monkeypatch)
    done = run("check", "--format", "json")
    assert (done.code, done.json["verdict"]) == (1, "fork")
    assert (done.json["target"], done.json["head"]) == ({"ref": "main", "sha": forked}, None)


def test_another_branch_is_judged_against_the_default_one(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert first(done.out).startswith("Collision. Forgejo Actions, branch oauth: judged oauth (")
    assert f"as if merged into origin/main ({origin.sha('main')[:10]})" in first(done.out)


@pytest.mark.parametrize("everything", [False, True])
def test_a_branch_that_the_policy_names_is_a_target_too(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    origin.commit("main", {".onehead.toml": 'targets = ["main", "release/*"]\n'})
    origin.branch("release/1", "oauth")
    push(origin, tmp_path / "job", "release/1", everything=everything).enter(monkeypatch)
    done = run("check")
    assert done.code == 0
    assert first(done.out) == (
        f"Healthy. Forgejo Actions, branch release/1: judged release/1 ({origin.sha('oauth')[:10]}) by itself."
    )


def test_a_tag_is_judged_by_itself(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.tag("v1", "oauth")
    push(origin, tmp_path / "job", "v1", kind="tag").enter(monkeypatch)
    done = run("check")
    assert done.code == 0
    assert first(done.out) == (f"Healthy. Forgejo Actions, tag v1: judged v1 ({origin.sha('oauth')[:10]}) by itself.")


def test_where_the_default_branch_is_not_told_origin_tells_it(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = push(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    assert "as if merged into origin/main" in first(run("check").out)


def test_a_branch_on_gitlab(origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "job"
    clone(origin, place, origin.sha("oauth"), "refs/remotes/origin/oauth", "--depth=20")
    job = Job(place, gitlab_variables(place, origin.sha("oauth")) | {"CI_COMMIT_BRANCH": "oauth"})
    job.enter(monkeypatch)
    assert first(run("check").out).startswith("Collision. GitLab CI, branch oauth: judged oauth (")


# What is given goes before what is found


def test_explicit_options_win(origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_everything(forgejo(origin, tmp_path / "job", "oauth")).enter(monkeypatch)
    alone = run("check", "--target", "HEAD")
    assert (alone.code, first(alone.out)) == (0, f"Healthy. Judged HEAD ({origin.sha('oauth')[:10]}) by itself.")
    both = run("check", "--target", "origin/main", "--head", "origin/fine")
    assert (both.code, first(both.out)[:28]) == (0, "Healthy. Judged origin/fine ")
    head = run("check", "--head", "origin/fine")
    assert (head.code, first(head.out)[:62]) == (0, "Healthy. Forgejo Actions, pull request 12: judged origin/fine ")
    assert "as if merged into origin/main" in first(head.out)


@pytest.mark.parametrize("target", ["origin/main", "refs/remotes/origin/main", "main"])
def test_a_target_that_the_clone_does_not_hold_is_found_on_origin(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    forgejo(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    done = run("check", "--target", target, "--head", "HEAD", "--format", "json")
    assert done.code == 1
    assert done.json["target"] == {"ref": target, "sha": origin.sha("main")}
    assert run("check", "--target", "nope", "--head", "HEAD").code == 2


def test_fix_and_states_find_the_same_sides(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = with_everything(forgejo(origin, tmp_path / "job", "oauth"))
    job.enter(monkeypatch)
    states = run("states")
    assert first(states.out).startswith("Forgejo Actions, pull request 12: judged oauth (")
    fix = run("fix", "--format", "json").json
    assert (fix["branch"], fix["target"]["sha"]) == ("onehead/reparent/oauth", origin.sha("main"))
    assert run("states", "--at", "HEAD").code == 0


# Where origin can't be asked


def test_a_clone_that_holds_it_all_is_judged_as_it_is(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = with_everything(forgejo(origin, tmp_path / "job", "oauth"))
    job.git("remote", "set-url", "origin", f"file://{tmp_path}/gone")
    job.enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert done.err == (
        f"onehead: origin could not be asked (fatal: '{tmp_path}/gone' does not appear to be a git repository), so "
        "`main` is compared as this clone knows it; it may have moved on.\n"
    )
    assert "so its other branches and tags are not known." in done.out
    assert "Plan: merge." in done.out


@pytest.mark.parametrize(
    ("system", "remedy"),
    [
        (forgejo, "Give the checkout step `fetch-depth: 0`."),
        (github, "Give the checkout step `fetch-depth: 0`."),
        (gitlab, "Give the job the variable `GIT_DEPTH: 0`."),
        (
            woodpecker,
            "Give the clone step `partial: false` and `depth: 0`, and the git of this step a token of its own.",
        ),
    ],
)
def test_a_clone_that_lacks_something_says_how_to_get_it(
    system: Pull, remedy: str, origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = system(origin, tmp_path / "job", "oauth")
    job.git("remote", "set-url", "origin", f"file://{tmp_path}/gone")
    job.enter(monkeypatch)
    done = run("check")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "onehead: This clone does not hold `main`, and origin could not be asked (fatal: "
        f"'{tmp_path}/gone' does not appear to be a git repository).\n  → {remedy}\n"
    )


def test_it_can_be_told_not_to_ask(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = forgejo(origin, tmp_path / "job", "oauth")
    job.enter(monkeypatch)
    cut_off = run("check", "--fetch", "never")
    assert (cut_off.code, cut_off.out) == (3, "")
    assert cut_off.err.startswith(
        "onehead: This clone does not hold `main`, and origin was not asked (`--fetch never`)."
    )
    with_everything(job)
    done = run("check", "--fetch", "never")
    assert (done.code, done.err) == (1, "")
    assert "Origin was not asked (`--fetch never`), so its other branches" in done.out


# Outside of CI


def test_a_checkout_that_is_not_the_jobs_is_none_of_its_business(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that looks at another repository too, such as one of its own tests."""
    forgejo(origin, tmp_path / "job", "oauth").enter(monkeypatch)
    other = Repository(tmp_path / "other")
    other.commit("main", merged({"alembic.ini": "[alembic]\nscript_location = alembic\n"}, revision("001", None)))
    done = run("check", "--repo", other.path)
    assert (done.code, done.err) == (0, "")
    assert first(done.out).startswith("Healthy. Judged main (")


def test_a_terminal_never_asks_by_itself(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "work"
    origin.git("clone", "--quiet", "--branch", "fine", f"file://{origin.path}", str(place))
    Job(place).enter(monkeypatch)
    origin.commit("main", revision("007", "003"))
    assert run("check").code == 0
    assert run("check", "--target", "origin/main", "--head", "fine").code == 0
    asked = run("check", "--fetch", "always")
    assert (asked.code, asked.err) == (1, "")
    assert f"origin/main ({origin.sha('main')[:10]})" in first(asked.out)
    assert run("check", "--target", "origin/main", "--head", "fine", "--fetch", "always").code == 1
    # Nothing was kept under a name.
    assert run("check").code == 0


def test_a_shallow_clone_at_a_terminal(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "work"
    origin.git(
        "clone", "--quiet", "--depth=1", "--no-single-branch", "--branch", "oauth", f"file://{origin.path}", str(place)
    )
    Job(place).enter(monkeypatch)
    assert run("check").code == 3
    assert run("check", "--fetch", "always").code == 1


# The pre-commit framework


def test_what_is_pushed_counts_and_not_what_is_checked_out(
    origin: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "work"
    origin.git("clone", "--quiet", "--branch", "fine", f"file://{origin.path}", str(place))
    pushed = {
        "PRE_COMMIT": "1",
        "PRE_COMMIT_TO_REF": origin.sha("oauth"),
        "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/oauth",
        "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/oauth",
    }
    Job(place, pushed).enter(monkeypatch)
    done = run("check")
    assert done.code == 1
    assert first(done.out).startswith("Collision. Judged oauth (")
    monkeypatch.setenv("PRE_COMMIT_TO_REF", "f" * 40)
    assert first(run("check").out).startswith("Healthy. Judged fine (")


def test_what_a_head_is_called_gives_the_runner_no_command(
    origin: Repository, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder whose name is one begins a line of the text, and a message may hold the older form."""
    folder = "::add-mask::a/migrations"
    files = {f"{folder.partition('/')[0]}/alembic.ini": "[alembic]\nscript_location = migrations\n"}
    files |= {f"{folder}/env.py": project()["alembic/env.py"], **revision("2", "9", versions=f"{folder}/versions")}
    message = revision("007", "002", "x")["alembic/versions/007_x.py"].replace('"""x', '"""##[error]x')
    origin.branch("evil", "main")
    origin.commit("evil", {**files, "alembic/versions/007_x.py": message})
    github(origin, tmp_path / "job", "evil").enter(monkeypatch)

    done = run("check")

    assert done.code == 1
    assert "add-mask" in done.out
    assert "[error]x" in done.out
    assert [line for line in done.out.splitlines() if line.lstrip().startswith("::") or "##[" in line] == []
