"""The past of real repositories: when each incident began, who brought it, how it ended, and Alembic's own count."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from onehead.errors import CannotJudge, UsageError
from onehead.examine import history as looking_back
from onehead.examine.examine import examine
from onehead.examine.history import Period, look_back
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git, kept_open
from onehead.plan.findings import Code
from onehead.plan.incidents import EndKind, History, Incident
from onehead.plan.verdict import Point
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.real_alembic import checked_out
from tests.repositories import START, Repository

HOUR = 3600
ALL = Period()
NOW = datetime(2024, 2, 1, tzinfo=UTC)
BOB, CY = "Bob <bob@example.com>", "Cy <cy@example.com>"
HEADER = "branch_labels: Union[str, Sequence[str], None] = None"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """`main` at 002."""
    made = Repository(tmp_path / "shop.git")
    made.commit("main", merged(project(), chain(("001", None), ("002", "001"))), "Begin")
    return made


def look(repo: Repository, period: Period = ALL, *, branch: str = "main", memory: Memory | None = None) -> History:
    git = Git(repo.path)
    with kept_open(git):
        return look_back(git, Point(branch, repo.sha(branch)), period, memory or Memory(None), NOW)


def only(repo: Repository) -> tuple[History, Incident]:
    told = look(repo)
    [incident] = told.incidents
    return told, incident


def merged_by_pull(repo: Repository, number: int, files: Mapping[str, str | None], *, author: str, at: str) -> str:
    """What Forgejo writes when a pull request is merged: the branch grew from `at`."""
    name = f"topic-{number}"
    repo.branch(name, at)
    repo.commit(name, files, f"Work {number}", author=author)
    return repo.merge("main", name, f"Merge pull request 'Work' (#{number}) from {name} into main")


def forked(repo: Repository) -> str:
    """Two pull requests that each add a revision after 002; the commit that forks."""
    start = repo.sha("main")
    merged_by_pull(repo, 1, revision("003", "002"), author=BOB, at=start)
    return merged_by_pull(repo, 2, revision("004", "002"), author=CY, at=start)


def test_two_merges_fork_and_a_merge_revision_joins(repo: Repository) -> None:
    fork = forked(repo)
    repo.commit("main", {"README": "more\n"})
    joined = repo.commit("main", revision("005", ("003", "004")), "Join (#3)", author=BOB)
    told, incident = only(repo)
    began, ended = told.line[incident.began], told.line[incident.ended or 0]
    assert (began.sha, began.pull, ended.sha, ended.pull, ended.author) == (fork, 2, joined, 3, "Bob")
    assert (incident.code, incident.heads, incident.brought) == (Code.FORK, ("003", "004"), ("004",))
    assert (incident.ending, incident.repaired_with) == (EndKind.MERGE, ("005",))
    assert told.stopped == 2 * HOUR
    assert (told.commits, told.changed) == (5, 3)
    [came] = told.origins.values()
    assert came.authors == ("Cy",)
    assert came.foresight is not None
    assert came.foresight.head == began.parents[1]
    assert [error.code for error in came.foresight.errors] == [Code.COLLISION]
    assert came.foresight.plan is not None
    assert came.foresight.plan.kind == "reparent"


def test_repaired_by_a_new_parent(repo: Repository) -> None:
    forked(repo)
    repo.commit("main", {**revision("004", "003")}, "Follow 003")
    _, incident = only(repo)
    assert (incident.ending, incident.repaired_with) == (EndKind.REPARENT, ("004",))


def test_repaired_by_a_revert(repo: Repository) -> None:
    forked(repo)
    repo.commit("main", dict.fromkeys(revision("004", "002")), "Revert it")
    _, incident = only(repo)
    assert (incident.ending, incident.repaired_with) == (EndKind.REVERTED, ("004",))


def test_still_open_counts_until_now(repo: Repository) -> None:
    forked(repo)
    told, incident = only(repo)
    assert (incident.ended, incident.ending) == (None, EndKind.OPEN)
    assert told.interval(incident) == (START + 4 * HOUR, int(NOW.timestamp()))
    assert told.stopped == NOW.timestamp() - START - 4 * HOUR


def test_a_double_id(repo: Repository) -> None:
    repo.commit("main", revision("002", "001", "other"), "Second 002")
    repo.commit("main", {f"{VERSIONS}/002_other.py": None, **revision("003", "002", "other")}, "Another id")
    told, incident = only(repo)
    assert (incident.code, incident.ending, incident.repaired_with) == (Code.DUPLICATE_ID, EndKind.REISSUE, ("003",))
    assert told.stopped == 0
    [came] = told.origins.values()
    assert came.foresight is not None
    assert came.foresight.plan is not None
    assert came.foresight.plan.kind == "reissue"


def test_a_missing_parent(repo: Repository) -> None:
    repo.commit("main", revision("004", "003"), "Too early")
    repo.commit("main", revision("003", "002"), "Late")
    _, incident = only(repo)
    assert (incident.code, incident.ending, incident.repaired_with) == (
        Code.MISSING_PARENT,
        EndKind.RESTORED,
        ("003",),
    )


def test_a_circle(repo: Repository) -> None:
    repo.commit("main", merged(revision("003", "004"), revision("004", "003")), "Circle")
    repo.commit("main", revision("003", "002"), "Cut")
    _, incident = only(repo)
    assert (incident.code, incident.ending) == (Code.CYCLE, EndKind.REPARENT)


def test_a_conflict_that_was_committed(repo: Repository) -> None:
    marked = '<<<<<<< a\nrevision = "003"\n=======\nrevision = "004"\n>>>>>>> b\n'
    repo.commit("main", {f"{VERSIONS}/003_x.py": marked}, "Oh")
    repo.commit("main", {f"{VERSIONS}/003_x.py": None, **revision("003", "002")}, "Corrected")
    _, incident = only(repo)
    assert (incident.code, incident.began, incident.ended) == (Code.UNREADABLE_FILE, 1, 2)


def test_a_file_that_python_can_not_load_below_its_header(repo: Repository) -> None:
    [(path, text)] = revision("003", "002").items()
    repo.commit("main", {path: f"{text}\n<<<<<<< mine\n"}, "Oh")
    repo.commit("main", {path: text}, "Corrected")
    _, incident = only(repo)
    assert (incident.code, incident.stops, incident.ending) == (Code.UNREADABLE_FILE, True, EndKind.EDITED)


def test_squashes(repo: Repository) -> None:
    """No merge commit shows the branch: the commit is judged against the one before."""
    repo.commit("main", revision("003", "002"), "Add three (#1)", author=BOB)
    fork = repo.commit("main", revision("004", "002"), "Add four (#2)", author=CY)
    told, incident = only(repo)
    assert (told.line[incident.began].sha, told.line[incident.began].pull) == (fork, 2)
    [came] = told.origins.values()
    assert came.authors == ("Cy",)
    assert came.foresight is not None
    assert (came.foresight.head, came.foresight.errors[0].code) == (fork, Code.COLLISION)


def test_an_octopus_that_brings_both_sides(repo: Repository) -> None:
    repo.branch("a", "main")
    repo.branch("b", "main")
    repo.commit("a", revision("003", "002"), author=BOB)
    repo.commit("b", revision("004", "002"), author=CY)
    both = merged(revision("003", "002"), revision("004", "002"))
    made = repo.commit("main", both, "Merge both", parents=["main", "a", "b"])
    told, incident = only(repo)
    assert (incident.brought, incident.heads) == (("003", "004"), ("003", "004"))
    came = told.origins[0]
    assert came.authors == ("Bob", "Cy")
    # Each branch by itself passes; what landed does not.
    assert came.foresight is not None
    assert (came.foresight.head, came.foresight.errors[0].code) == (made, Code.COLLISION)


def test_heads_that_are_meant(repo: Repository) -> None:
    labelled = {
        path: text.replace(HEADER, f'branch_labels = ("{id_}",)')
        for id_, parent in (("expand", "002"), ("contract", "002"))
        for path, text in revision(id_, parent).items()
    }
    repo.commit("main", labelled, "Two lines")
    assert look(repo).incidents == ()


def test_the_newest_policy_counts_where_there_was_none(repo: Repository) -> None:
    forked(repo)
    assert len(look(repo).incidents) == 1
    repo.commit("main", {".onehead.toml": "allowed-heads = 2\n"})
    assert look(repo).incidents == ()
    repo.commit("main", {".onehead.toml": 'ignore-environments = ["alembic/*"]\n'})
    ignored = look(repo)
    assert (ignored.environments, ignored.incidents) == ((), ())
    assert ignored.left_out == ("Not judged: `alembic/versions`, ignored by the policy (`ignore-environments`).",)


def test_the_policy_of_a_commit_counts_for_it(repo: Repository) -> None:
    repo.commit("main", {".onehead.toml": "allowed-heads = 2\n"})
    forked(repo)
    repo.commit("main", {".onehead.toml": None, **revision("005", ("003", "004"))})
    assert look(repo).incidents == ()


def test_several_environments_and_one_that_moves(repo: Repository) -> None:
    repo.commit(
        "main", merged(project("billing/versions"), project(), revision("b1", None, versions="billing/versions"))
    )
    repo.commit("main", {"billing/alembic.ini": "[alembic]\nscript_location = %(here)s\n"})
    two = merged(revision("b2", "b1", versions="billing/versions"), revision("b3", "b1", versions="billing/versions"))
    repo.commit("main", two, "Fork of billing")
    forked(repo)
    moved = {path: None for path in repo.files("main") if path.startswith("billing/")}
    there = {path.replace("billing/", "pay/"): repo.read("main", path) for path in moved}
    repo.commit("main", {**moved, **there}, "Move billing")
    repo.commit("main", revision("b4", ("b2", "b3"), versions="pay/versions"), "Join billing")
    repo.commit("main", {path: None for path in repo.files("main") if path.startswith("alembic")}, "Drop the other")
    told = look(repo)
    shown = {
        (each.environment, told.line[each.began].subject, told.line[each.ended or 0].subject, each.ending)
        for each in told.incidents
    }
    assert shown == {
        ("pay/versions", "Fork of billing", "Join billing", EndKind.MERGE),
        (
            VERSIONS,
            "Merge pull request 'Work' (#2) from topic-2 into main",
            "Drop the other",
            EndKind.ENVIRONMENT_REMOVED,
        ),
    }
    by_path = {each.path: each for each in told.environments}
    assert by_path.keys() == {VERSIONS, "pay/versions"}
    assert by_path["pay/versions"].former == ("billing/versions",)
    assert by_path[VERSIONS].vanished == len(told.line) - 1


@pytest.mark.parametrize("place", ["steps", "db/steps", "db/steps/2024"])
def test_revisions_anywhere(tmp_path: Path, place: str) -> None:
    """No name promises them, but the configuration names the place."""
    repo = Repository(tmp_path / "shop.git")
    top = place.removesuffix("/2024")
    ini = f"[alembic]\nscript_location = alembic\nversion_locations = {top}\nrecursive_version_locations = true\n"
    repo.commit("main", merged(project(), {"alembic.ini": ini}))
    plain = {number: next(iter(revision(f"r{number}", "r1" if number > 1 else None).values())) for number in (1, 2, 3)}
    repo.commit("main", {f"{place}/one.py": plain[1]})
    repo.commit("main", {f"{place}/two.py": plain[2]})
    repo.commit("main", {f"{place}/three.py": plain[3]})
    repo.commit("main", {f"{place}/three.py": None})
    told, incident = only(repo)
    assert (incident.environment, incident.began, incident.ended, told.changed) == (top, 3, 4, 4)


def test_all_revisions_go_and_others_come(repo: Repository) -> None:
    repo.commit("main", dict.fromkeys(chain(("001", None), ("002", "001"))))
    repo.commit("main", chain(("101", None), ("102", "101"), ("103", "101")))
    repo.commit("main", revision("103", "102"))
    _, incident = only(repo)
    assert (incident.began, incident.ended, incident.brought) == (2, 3, ("101", "102", "103"))


def test_a_link_in_the_place_of_the_directory(repo: Repository) -> None:
    gone = dict.fromkeys(chain(("001", None), ("002", "001")))
    repo.commit("main", {**gone, VERSIONS: "/srv/revisions"}, modes={VERSIONS: "120000"})
    repo.commit("main", {VERSIONS: None, **chain(("001", None), ("002", "001"))})
    told, incident = only(repo)
    assert (incident.is_unjudged, incident.began, incident.ended) == (True, 1, 2)
    assert told.unjudged == HOUR


def dated(repo: Repository, seconds: int) -> None:
    """Give the newest commit of main another time."""
    old = repo.sha("main")
    parents = [f"-p{sha}" for sha in repo.git("rev-parse", f"{old}^@").split()]
    subject = repo.git("log", "-1", "--format=%s", old).strip()
    new = repo.git(
        "commit-tree", *parents, "-m", subject, f"{old}^{{tree}}", GIT_COMMITTER_DATE=f"{seconds} +0000"
    ).strip()
    repo.branch("main", new)


def test_a_clock_that_runs_back(repo: Repository) -> None:
    forked(repo)
    dated(repo, START - 1000 * HOUR)
    repo.commit("main", revision("005", ("003", "004")))
    told, _ = only(repo)
    # The fork counts from the commit before it: its own time can't be right.
    assert (told.corrected, told.stopped) == (1, 3 * HOUR)
    dated(repo, START + 10**9)
    later, _ = only(repo)
    assert later.corrected == 1


@pytest.mark.parametrize("since", ["2024-01-01T15:30", "2024-01-01T15:30:00+00:00", "main~2"])
def test_a_period_begins(repo: Repository, since: str) -> None:
    forked(repo)  # merges at 14:00 and 16:00
    repo.commit("main", {"README": "x\n"})
    repo.commit("main", revision("005", ("003", "004")))
    told, incident = look(repo, Period(since)), only(repo)[1]
    assert incident.began == 2
    if since == "main~2":
        [older] = told.incidents
        assert (told.commits, older.is_older, older.began, older.ended) == (2, True, 0, 2)
        assert told.origins == {}
    else:
        [seen] = told.incidents
        assert (told.commits, seen.is_older, seen.began, seen.ended) == (3, False, 1, 3)
        assert told.clock[0] == START + 3 * HOUR + HOUR // 2


def test_the_newest_commits_only(repo: Repository) -> None:
    forked(repo)
    repo.commit("main", {"README": "x\n"})
    assert [each.is_older for each in look(repo, Period(commits=1)).incidents] == [True]
    assert [each.is_older for each in look(repo, Period(commits=2)).incidents] == [False]
    assert look(repo, Period(commits=99)).commits == 4
    nothing = look(repo, Period("main"))
    assert (nothing.commits, [each.is_older for each in nothing.incidents]) == (0, [True])


@pytest.mark.parametrize("since", ["2024-13-01", "31.12.2023", "no-such-tag"])
def test_a_period_that_can_not_be_read(repo: Repository, since: str) -> None:
    with pytest.raises(UsageError, match=since):
        look(repo, Period(since))


def test_a_shallow_clone_says_what_it_lacks(repo: Repository, tmp_path: Path) -> None:
    forked(repo)
    repo.commit("main", {"README": "x\n"})
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.path}", str(tmp_path / "clone"))
    git = Git(tmp_path / "clone")
    told = look_back(git, Point("main", repo.sha("main")), Period(), Memory(None), NOW)
    [said] = told.left_out
    assert "shallow" in said
    assert f"git -C {tmp_path / 'clone'} fetch --unshallow origin" in said
    assert [(each.is_older, each.ended) for each in told.incidents] == [(True, None)]


def test_only_so_many_commits(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(repo)
    monkeypatch.setattr(looking_back, "MAX_COMMITS", 2)
    told = look(repo)
    assert (told.commits, told.left_out) == (2, ("Only the newest 2 commits were looked at.",))
    assert [each.is_older for each in told.incidents] == [False]


def test_files_are_read_as_long_as_they_are_not_too_much(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(repo)
    repo.commit("main", {**revision("005", ("003", "004"), "x" * 5000)}, "Huge")
    monkeypatch.setattr(looking_back, "MAX_READ_BYTES", 10_000)
    told = look(repo)
    [said] = told.left_out
    assert said.startswith(
        f"Commits from {repo.sha('main')[:10]} on were not looked at (1): with them, more than 10,000 bytes of"
    )
    assert [each.ended for each in told.incidents] == [None]
    monkeypatch.setattr(looking_back, "MAX_READ_BYTES", 10)
    with pytest.raises(CannotJudge, match=r"is too large: more than 10 bytes of files are to be read\."):
        look(repo)


def test_commits_are_judged_as_long_as_it_is_not_too_much(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(repo)
    monkeypatch.setattr(looking_back, "MAX_JUDGED", 6)
    told = look(repo)
    [said] = told.left_out
    newest = repo.sha("main")[:10]
    assert said.startswith(
        f"Commits from {newest} on were not looked at (1): with them, more than 6 revisions are to be judged. "
    )
    assert (told.commits, told.incidents) == (2, ())


def test_a_huge_file_is_not_read(repo: Repository) -> None:
    repo.commit("main", {f"{VERSIONS}/009_rows.py": b"#" * (9 << 20)}, "Rows")
    repo.commit("main", {f"{VERSIONS}/009_rows.py": None}, "None")
    _, incident = only(repo)
    assert (incident.code, incident.finding.blinds, incident.stops) == (Code.UNREADABLE_FILE, True, False)


def test_what_was_parsed_is_remembered(repo: Repository, tmp_path: Path) -> None:
    forked(repo)
    first, again = Memory(str(tmp_path / "m.json")), None
    told = look(repo, memory=first)
    again = Memory(str(tmp_path / "m.json"))
    assert look(repo, memory=again) == told
    assert (again.misses, first.misses > 0) == (0, True)


class Walk:
    """A random history of one environment: what people do to a chain, wisely or not."""

    def __init__(self, seed: int, place: Path) -> None:
        self.chance = random.Random(seed)
        self.repo = Repository(place)
        self.files: dict[str, tuple[str, str | tuple[str, ...] | None]] = {}
        self.made = 0
        self.repo.commit("main", project())
        for _ in range(16):
            self.step()

    def step(self) -> None:
        people = [self.grow, self.grow, self.beside, self.join, self.move, self.remove, self.double, self.merge]
        doing = self.chance.choice([*people, self.other, self.configure])
        changes = doing()
        if changes is not None:
            self.repo.commit("main", changes, doing.__name__)

    def write(self, path: str, id_: str, parents: str | tuple[str, ...] | None) -> dict[str, str | None]:
        self.files[path] = (id_, parents)
        [text] = revision(id_, parents).values()
        return {path: text}

    def new(self, parents: str | tuple[str, ...] | None) -> dict[str, str | None]:
        self.made += 1
        return self.write(f"{VERSIONS}/{self.made:03}_x.py", f"r{self.made:03}", parents)

    def ids(self) -> list[str]:
        return sorted({id_ for id_, _ in self.files.values()})

    def heads(self) -> list[str]:
        used = {
            p for _, parents in self.files.values() for p in ((parents,) if isinstance(parents, str) else parents or ())
        }
        return [id_ for id_ in self.ids() if id_ not in used]

    def grow(self) -> dict[str, str | None]:
        heads = self.heads()
        return self.new(self.chance.choice(heads) if heads else None)

    def beside(self) -> dict[str, str | None]:
        return self.new(self.chance.choice(self.ids()) if self.files else None)

    def join(self) -> dict[str, str | None]:
        heads = self.heads()
        return self.new(tuple(heads)) if len(heads) > 1 else self.grow()

    def move(self) -> dict[str, str | None] | None:
        if len(self.ids()) < 2:
            return None
        path = self.chance.choice(sorted(self.files))
        id_ = self.files[path][0]
        return self.write(path, id_, self.chance.choice([each for each in self.ids() if each != id_]))

    def remove(self) -> dict[str, str | None] | None:
        if len(self.files) < 3:
            return None
        path = self.chance.choice(sorted(self.files))
        del self.files[path]
        return {path: None}

    def double(self) -> dict[str, str | None] | None:
        if not self.files:
            return None
        self.made += 1
        id_, parents = self.files[self.chance.choice(sorted(self.files))]
        return self.write(f"{VERSIONS}/{self.made:03}_y.py", id_, parents)

    def merge(self) -> None:
        """A branch from one commit back, with a revision of its own."""
        if self.repo.git("rev-list", "--count", "main").strip() == "1":
            return
        self.repo.branch("topic", "main~1")
        self.repo.commit("topic", self.beside())
        self.repo.merge("main", "topic", "merge")

    def configure(self) -> dict[str, str | None]:
        """Something else in the configuration, or the other way to declare the environment."""
        ini = "[alembic]\nscript_location = alembic\n"
        return {"alembic.ini": f"{ini}# {self.chance.random()}\n", "pyproject.toml": f"# {self.chance.random()}\n"}

    def other(self) -> dict[str, str | None]:
        return {"app.py": f"x = {self.chance.random()}\n"}


def is_broken(repo: Repository, at: str, folder: Path) -> bool:
    """Whether Alembic counts several heads at a commit, fails, or warns of a revision that is there twice."""
    config = Config(checked_out(repo, at, folder) / "alembic.ini")
    config.set_main_option("script_location", str(folder / "alembic"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            heads = ScriptDirectory.from_config(config).get_heads()
        except Exception:  # in whichever way it fails, no command works
            return True
    return len(heads) > 1 or any("present more than once" in str(each.message) for each in warned)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 15))])
def test_incidents_are_where_alembic_finds_something_wrong(seed: int, tmp_path: Path) -> None:
    repo = Walk(seed, tmp_path / "walk.git").repo
    told = look(repo)
    ours = {
        place
        for each in told.incidents
        for place in range(each.began, len(told.line) if each.ended is None else each.ended)
    }
    theirs = {place for place, commit in enumerate(told.line) if is_broken(repo, commit.sha, tmp_path / f"at-{place}")}
    assert ours == theirs
    git = Git(repo.path)
    for place, commit in enumerate(told.line):
        there = {each.code for each in told.incidents if each.began <= place < (each.ended or len(told.line))}
        alone, _ = examine(git, Point(commit.sha, commit.sha), None, strategy="merge", memory=Memory(None))
        assert there == {error.code for error in alone.own_errors()}
    assert told.line[-1].sha == repo.sha("main")
