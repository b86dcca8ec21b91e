"""`onehead next` on real clones: what it answers, and what `--write` does to files that nobody has committed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onehead.gitrepo import rewrite
from tests.cli.terminal_runs import Done, Run, clone
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.real_alembic import Deployment
from tests.repositories import Repository, environment


class Desk:
    """A person's clone, on their branch `mine` that began at 002, and the repository that it came from."""

    def __init__(self, place: Path, run: Run, start: Mapping[str, str] | None = None) -> None:
        self.run = run
        self.origin = Repository(place / "shop.git")
        self.origin.commit("main", start or merged(project(), chain(("001", None), ("002", "001"))), "Begin")
        self.work = clone(self.origin, place / "work")
        self.git("switch", "--quiet", "--create", "mine", "origin/main")

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.work, env=environment(), capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def put(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            place = self.work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def commit(self, files: Mapping[str, str], message: str = "Mine") -> None:
        self.put(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)

    def land(self, files: Mapping[str, str], *, merge: bool = True) -> None:
        """Somebody else lands on main, and the person has that in their branch."""
        self.origin.commit("main", files, "Theirs")
        self.git("fetch", "--quiet")
        if merge:
            self.git("merge", "--quiet", "--no-edit", "origin/main")

    def next(self, *args: str) -> Done:
        return self.run("next", "--repo", self.work, *args)

    def told(self, *args: str) -> dict[str, Any]:
        [found] = self.next(*args, "--format", "json").json["environments"]
        return dict(found)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.work / VERSIONS).iterdir()) if path.is_file()}

    def is_healthy(self) -> bool:
        """Whether Alembic finds one head, and `onehead check` does once all is committed."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "All")
        heads = Deployment(self.work, "sqlite://").heads()
        return len(heads) == 1 and self.run("check", "--repo", self.work, "--target", "origin/main").code == 0


@pytest.fixture
def desk(tmp_path: Path, run: Run) -> Desk:
    return Desk(tmp_path, run)


def test_before_the_migration_is_written(desk: Desk) -> None:
    done = desk.next("-m", "add teams")
    sha = desk.origin.sha("main")[:10]
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
alembic/versions: a new revision follows `002`.
  id `003`
  alembic revision -m 'add teams' --head 002 --rev-id 003

Read 1 environment, 2 of 2 revision files.
Asked: origin/main ({sha}) as this clone knows it. Without access to the forge (origin is at no forge), the branches \
that this clone knows count as what others bring.
This is a hint: nothing is locked. Two who ask at the same time get the same answer, and `check` then fails for the \
one who lands second.
"""
    )


def test_the_printed_command_makes_the_file(desk: Desk) -> None:
    command = str(desk.told("-m", "add teams")["command"])
    ini = desk.work / "alembic.ini"
    ini.write_text(f"{ini.read_text()}sqlalchemy.url = sqlite://\n")
    (desk.work / "alembic/script.py.mako").write_text(
        "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n\n\ndef upgrade():\n    pass\n"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(command, shell=True, cwd=desk.work, env={"PATH": path}, check=True, timeout=60)  # noqa: S602
    assert [each.split("'")[1] for each in (desk.work / VERSIONS / "003_add_teams.py").read_text().split("\n")[:2]] == [
        "003",
        "002",
    ]
    assert desk.told()["state"] == "in-place"


def test_without_a_forge_the_branches_of_origin_reserve_and_merged_ones_do_not(desk: Desk) -> None:
    desk.origin.branch("teams", "main")
    desk.origin.commit("teams", revision("003", "002", "teams"), author="Bea <bea@example.com>")
    desk.origin.branch("old", "main")
    desk.origin.branch("onehead/reparent/x", "main")
    desk.origin.commit("onehead/reparent/x", revision("004", "002", "repair"))
    desk.git("fetch", "--quiet")
    told = desk.told()
    assert (told["parent"], told["id"], told["number"]) == ("002", "004", 4)
    assert told["reserved"] == [
        {
            "id": "003",
            "number": 3,
            "path": f"{VERSIONS}/003_teams.py",
            "parents": ["002"],
            "place": "branch teams",
            "pull": None,
            "author": "Bea",
        }
    ]
    assert "`003` is reserved by branch teams (Bea); it follows `002` too.\n" in desk.next().out


def test_several_heads_on_the_target(desk: Desk) -> None:
    desk.land(chain(("003", "002"), ("004", "002")))
    done = desk.next()
    assert done.code == 1
    assert "there are 2 heads, `003` and `004`, so there is no telling what comes next" in done.out
    fix = f"onehead fix --repo {desk.work} --target origin/main"
    assert done.out.endswith(f"\nNext: {fix}\n")
    assert "Written: branch onehead/merge/origin/main" in desk.run(*fix.split()[1:]).out
    desk.put(revision("005", "004"))
    done = desk.next()
    assert (done.code, desk.told()["state"]) == (1, "in-place")
    assert done.out.endswith(f"\nNext: {fix}\n")
    desk.put(revision("006", "002"))
    refused = desk.next("--write")
    assert refused.code == 1
    assert "The target has to be at one head first" in refused.out
    assert refused.out.endswith("\nNothing was written.\n")
    assert "Nothing was written." not in desk.next().out


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        (merged(revision("003", "002", "one"), revision("003", "002", "two")), "broken: `003` is declared by 2 files"),
        (revision("003", "gone"), "there are 2 heads, `002` and `003`"),
    ],
)
def test_what_is_wrong_with_the_target_itself_comes_first(desk: Desk, files: dict[str, str], wrong: str) -> None:
    desk.land(files)
    done = desk.next()
    fix = f"onehead fix --repo {desk.work} --target origin/main"
    assert done.code == 1
    assert wrong in done.out
    assert done.out.endswith(f"\nNext: {fix}\n")
    assert "A person has to decide" in desk.run(*fix.split()[1:]).out


@pytest.mark.parametrize("how", ["untracked", "staged", "committed", "modified"])
def test_own_migrations_move_wherever_they_are(desk: Desk, how: str) -> None:
    mine = merged(revision("004", "002", "mine"), revision("005", "004", "more"))
    if how == "committed":
        desk.commit(mine)
    if how == "modified":
        desk.commit({path: text.replace("def upgrade", "# later\ndef upgrade") for path, text in mine.items()})
    if how != "committed":
        desk.put(mine)
    if how == "staged":
        desk.git("add", "--all")
    desk.land(revision("003", "002", "theirs"))
    before, index = desk.files(), desk.git("ls-files", "--stage")
    asked = desk.next()
    assert (asked.code, desk.files()) == (1, before)
    assert asked.out.startswith(
        "First `alembic downgrade 002`, on each database that has run `004` and `005` (your own, most likely): after "
        "the move, `alembic upgrade head` there exits with 0, but 003 never runs.\n"
    )
    assert asked.out.endswith(f"Next: onehead next --repo {desk.work} --write\n")

    done = desk.next("--write")
    assert done.code == 0
    assert "Yours, moved: `004` follows `003` instead of `002`.\n" in done.out
    assert done.out.endswith("\nNext: alembic upgrade head\n")
    changed = before["004_mine.py"].replace(b"Revises: 002", b"Revises: 003").replace(b'= "002"', b'= "003"')
    assert desk.files() == before | {"004_mine.py": changed}
    assert desk.git("ls-files", "--stage") == index

    again = desk.next("--write")
    assert (again.code, desk.files()) == (0, before | {"004_mine.py": changed})
    assert "Yours: `004` and `005` are in place." in again.out
    assert desk.is_healthy()


def test_a_real_database_gets_all_of_it_in_order(desk: Desk, tmp_path: Path) -> None:
    """The author's own one, which has run the branch: as the first line says, or by the way out."""
    desk.put(merged(revision("003", "002", "mine"), revision("004", "003", "more")))
    kept, lost = (Deployment(desk.work, f"sqlite:///{tmp_path}/{name}.db") for name in ("kept", "lost"))
    for database in (kept, lost):
        assert database.upgrade() == ("001", "002", "003", "004")
    desk.land(revision("003", "002", "theirs"), merge=False)
    [first] = desk.told()["downgrade_first"]
    assert kept.run(first) == ("004", "003")

    desk.git("merge", "--quiet", "--no-edit", "origin/main")
    told = desk.told("--write")
    assert [(each["id"], each["new_id"], each["new_parents"]) for each in told["own"]] == [
        # 004 is passed over: a database that holds it has run another revision under that id.
        ("003", "005", ["003"]),
        ("004", "006", ["005"]),
    ]
    assert sorted(desk.files()) == ["001_t001.py", "002_t002.py", "003_theirs.py", "005_mine.py", "006_more.py"]
    assert kept.heads() == ("006",)
    assert kept.upgrade() == ("003", "005", "006")
    assert kept.tables() == {"t001", "t002", "theirs", "mine", "more"}
    for command in told["way_out"]:
        lost.run(command)
    assert (lost.rows(), lost.tables()) == (("006",), kept.tables())
    assert Deployment(desk.work, f"sqlite:///{tmp_path}/new.db").upgrade() == ("001", "002", "003", "005", "006")


def test_several_roots_go_in_one_line(desk: Desk) -> None:
    desk.put(chain(("004", "002"), ("005", "002"), ("006", "001")))
    desk.land(revision("003", "002", "theirs"))
    assert desk.next("--write").code == 0
    told = desk.told()
    assert (told["state"], told["parent"]) == ("in-place", "006")
    assert desk.is_healthy()


def test_without_the_targets_head_it_writes_nothing_and_prints_the_merge(desk: Desk) -> None:
    desk.put(revision("004", "002", "mine"))
    desk.land(revision("003", "002", "theirs"), merge=False)
    before = desk.files()
    done = desk.next("--write")
    assert (done.code, desk.files()) == (1, before)
    assert "Your branch does not have `003` yet: merge the target first." in done.out
    merge = f"git -C {desk.work} merge origin/main"
    assert done.out.endswith(f"Next: {merge} && onehead next --repo {desk.work} --write\n")
    subprocess.run(merge, shell=True, env=environment(), check=True, timeout=60, capture_output=True)  # noqa: S602
    assert desk.next("--write").code == 0
    assert desk.is_healthy()


def test_a_branch_without_migrations_is_told_to_merge_before_the_command_works(desk: Desk) -> None:
    desk.land(revision("003", "002", "theirs"), merge=False)
    done = desk.next()
    assert (done.code, done.out.splitlines()[-1]) == (0, f"Next: git -C {desk.work} merge origin/main")


@pytest.mark.parametrize("how", ["work tree", "commit"])
@pytest.mark.parametrize("files", [["002_t002.py"], ["001_t001.py", "002_t002.py"]])
def test_what_the_branch_deletes_is_still_on_the_target_and_the_printed_command_brings_it_back(
    desk: Desk, how: str, files: list[str]
) -> None:
    before = desk.files()
    for name in files:
        (desk.work / VERSIONS / name).unlink()
    if how == "commit":
        desk.git("commit", "--quiet", "--all", "-m", "Away")
    done, told = desk.next(), desk.told()
    assert (done.code, told["parent"], told["id"], told["state"]) == (0, "002", "003", "none")
    assert f"Your branch deletes {' and '.join(f'`{name[:3]}`' for name in files)}, which the target has" in done.out
    command = done.out.partition("\nNext: ")[2].strip()
    assert command == told["merge_first"]
    subprocess.run(command, shell=True, cwd="/", env=environment(), check=True, timeout=60)  # noqa: S602
    assert desk.files() == before
    assert "deletes" not in desk.next().out


def test_what_is_restored_writes_over_nothing_that_was_edited(desk: Desk) -> None:
    (desk.work / VERSIONS / "002_t002.py").unlink()
    edited = desk.work / VERSIONS / "001_t001.py"
    edited.write_text(f"{edited.read_text()}# mine\n")
    command = desk.told()["merge_first"]
    subprocess.run(command, shell=True, cwd="/", env=environment(), check=True, timeout=60)  # noqa: S602
    assert edited.read_text().endswith("# mine\n")


def test_what_stands_in_place_of_a_deleted_one_is_followed(desk: Desk) -> None:
    (desk.work / VERSIONS / "002_t002.py").unlink()
    desk.put(revision("002b", "001", "instead"))
    done, told = desk.next(), desk.told()
    assert (done.code, told["parent"], told["merge_first"]) == (0, "002b", None)
    assert "Your branch deletes `002`, which the target has.\n" in done.out


def test_a_chain_that_moves_into_another_environment_is_answered_there(desk: Desk) -> None:
    desk.put({f"db/{path}": text for path, text in project().items()})
    desk.git("mv", VERSIONS, f"db/{VERSIONS}")
    found = desk.next("--format", "json").json["environments"]
    assert [(each["path"], each["parent"]) for each in found] == [(f"db/{VERSIONS}", "002")]
    assert "deletes" not in desk.next().out


@pytest.mark.parametrize(("broken", "code"), [("def broken(:\n", 0), ("revision = make()\n", 3)])
def test_a_file_that_the_branch_breaks_is_still_on_the_target_and_nothing_writes_over_it(
    desk: Desk, broken: str, code: int
) -> None:
    desk.put({f"{VERSIONS}/002_t002.py": broken})
    done, told = desk.next(), desk.told()
    assert (done.code, told["parent"], told["id"], told["merge_first"]) == (code, "002", "003", None)
    assert "`alembic/versions/002_t002.py` can't be read" in done.out
    assert "Your branch" not in done.out


def test_a_number_that_a_pushed_branch_has_is_given_up_and_the_second_run_keeps_it(desk: Desk) -> None:
    desk.origin.branch("teams", "main")
    desk.origin.commit("teams", revision("003", "002", "teams"))
    desk.git("fetch", "--quiet")
    desk.put(revision("003", "002", "mine"))
    assert desk.next().code == 1
    assert desk.next("--write").code == 0
    assert "004_mine.py" in desk.files()
    assert desk.next("--write").code == 0
    assert desk.told()["state"] == "in-place"


@pytest.mark.parametrize(
    ("ref", "place"), [("refs/tags/v1", "tag v1"), ("refs/remotes/origin/release/2", "branch origin/release/2")]
)
def test_what_is_published_is_refused_with_the_reason(desk: Desk, ref: str, place: str) -> None:
    desk.commit(revision("004", "002", "mine"))
    desk.git("update-ref", ref, "HEAD")
    desk.land(revision("003", "002", "theirs"))
    before = desk.files()
    done = desk.next("--write")
    assert (done.code, desk.files()) == (1, before)
    assert (
        f"Yours: `004` can't be moved.\n    because: `004` is also on {place}, so a database may have run it."
        in done.out
    )
    assert f"`onehead fix --repo {desk.work}` writes a merge revision" in done.out


def test_the_own_branch_on_the_remote_is_no_obstacle(desk: Desk) -> None:
    desk.commit(revision("004", "002", "mine"))
    desk.git("push", "--quiet", "origin", "mine")
    desk.git("fetch", "--quiet")
    desk.land(revision("003", "002", "theirs"))
    assert desk.next("--write").code == 0


def test_the_own_branch_may_have_another_name_on_the_remote(desk: Desk) -> None:
    desk.commit(revision("004", "002", "mine"))
    desk.git("push", "--quiet", "--set-upstream", "origin", "mine:ann/mine")
    desk.land(revision("003", "002", "theirs"))
    assert desk.next("--write").code == 0
    desk.git("restore", ".")
    # The branch that it was made from is not its own, though git may be told to push there.
    desk.git("update-ref", "-d", "refs/remotes/origin/ann/mine")
    desk.git("update-ref", "refs/remotes/origin/release", "mine")
    desk.git("branch", "--set-upstream-to", "origin/main")
    assert "is also on branch origin/release" in desk.next("--write").out


def test_what_the_policy_ignores_and_what_cannot_be_read_is_said(desk: Desk) -> None:
    desk.land({f"{VERSIONS}/odd.py": "revision = make()\ndown_revision = '002'\n"})
    done = desk.next()
    assert f"`{VERSIONS}/odd.py` can't be read (" in done.out
    assert "), so parent and number may be others.\n" in done.out
    assert "Read 1 environment, 2 of 3 revision files.\n" in done.out
    desk.land({".onehead.toml": f'ignore-environments = ["{VERSIONS}"]\n'})
    done = desk.next()
    assert done.code == 0
    assert done.out.startswith(
        f"1 environment left out by the policy.\nNot judged: `{VERSIONS}`, ignored by the policy"
    )


def test_lines_that_labels_tell_apart_have_a_command_each(desk: Desk) -> None:
    labelled = {
        path: text.replace("branch_labels: Union[str, Sequence[str], None] = None", f'branch_labels = "{label}"')
        for label, id_ in (("users", "003"), ("teams", "004"))
        for path, text in revision(id_, "002", label).items()
    }
    desk.land(labelled)
    told = desk.told("-m", "x")
    assert (told["parent"], [line["command"] for line in told["lines"]]) == (
        None,
        [f"alembic revision -m x --head {label}@head --rev-id 005" for label in ("teams", "users")],
    )
    assert desk.next().code == 0


def test_with_a_detached_head_the_only_branch_there_is_the_own_one(desk: Desk) -> None:
    desk.commit(revision("004", "002", "mine"))
    desk.land(revision("003", "002", "theirs"))
    desk.git("push", "--quiet", "origin", "mine")
    desk.git("switch", "--quiet", "--detach")
    assert desk.next("--write").code == 0
    desk.git("restore", ".")
    desk.git("branch", "second")
    assert "is also on branch mine" in desk.next("--write").out


def test_a_bare_repository_is_answered_and_nothing_can_be_written(desk: Desk) -> None:
    asked = desk.run("next", "--repo", desk.origin.path, "--target", "main", "--format", "json")
    assert (asked.code, asked.json["head"], asked.json["environments"][0]["id"]) == (0, None, "003")
    done = desk.run("next", "--repo", desk.origin.path, "--write")
    assert done.code == 2
    assert "has no work tree, so there is nothing to move" in done.err


def test_a_shallow_clone_moves_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.land(revision("003", "002", "theirs"))
    shallow = clone(desk.origin, tmp_path / "shallow", "--depth", "1", "--branch", "main")
    answer = desk.run("next", "--repo", shallow, "--format", "json").json["environments"][0]
    assert (answer["parent"], answer["id"]) == ("003", "004")
    for path, text in revision("005", "002", "mine").items():
        (shallow / path).write_text(text)
    done = desk.run("next", "--repo", shallow, "--write")
    assert done.code == 1
    assert "This clone is shallow, so other branches could not be looked at." in done.out


def test_where_there_is_no_environment(tmp_path: Path, run: Run) -> None:
    desk = Desk(tmp_path, run, {"README": "Nothing.\n"})
    done = desk.next("--write")
    assert done.code == 0
    assert done.out.startswith("No Alembic environment found (no alembic.ini")
    assert "hint" not in done.out


def test_each_environment_is_answered_and_one_can_be_chosen(tmp_path: Path, run: Run) -> None:
    second = {"billing/alembic.ini": "[alembic]\nscript_location = %(here)s\n", "billing/env.py": ""}
    start = merged(project(), chain(("001", None)), second, revision("b1f00aa11bb2", None, "bills", "billing/versions"))
    desk = Desk(tmp_path, run, start)
    found = desk.next("--format", "json").json["environments"]
    assert [(each["path"], each["parent"], each["id"]) for each in found] == [
        (VERSIONS, "001", "002"),
        ("billing/versions", "b1f00aa11bb2", None),
    ]
    assert found[1]["command"] == "(cd billing && alembic revision -m 'what it does' --head b1f00aa11bb2)"
    desk.put(merged(revision("003", None), revision("b2f00aa11bb2", None, "more", "billing/versions")))
    before = desk.files()
    done = desk.next("--write", "--environment", "billing/versions")
    assert "billing/versions" in done.out
    assert "alembic/versions:" not in done.out
    assert desk.files() == before
    assert desk.next("--environment", "nowhere").code == 2


@pytest.mark.parametrize("broken", ["def broken(:\n", "revision = make()\ndown_revision = '002'\n"])
def test_an_own_file_that_cannot_be_read_stops_the_move(desk: Desk, broken: str) -> None:
    desk.put(merged(revision("004", "002", "mine"), {f"{VERSIONS}/odd.py": broken}))
    desk.land(revision("003", "002", "theirs"))
    before = desk.files()
    done = desk.next("--write")
    assert (done.code in (1, 3), desk.files()) == (True, before)
    assert "can't be moved" in done.out


def test_a_modified_file_of_the_target_is_not_moved(desk: Desk) -> None:
    desk.put({path: f"{text}\n# a remark\n" for path, text in revision("002", "001").items()})
    told = desk.told("--write")
    assert (told["state"], told["own"]) == ("none", [])


def test_bytes_outside_stay_with_line_ends_and_a_byte_order_mark_and_so_does_the_mode(desk: Desk) -> None:
    [(path, text)] = revision("004", "002", "mine").items()
    file = desk.work / path
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    file.chmod(0o750)
    desk.land(revision("003", "002", "theirs"))
    before = file.read_bytes()
    assert desk.next("--write").code == 0
    assert file.read_bytes() == before.replace(b"Revises: 002", b"Revises: 003").replace(b'= "002"', b'= "003"')
    assert file.stat().st_mode & 0o777 == 0o750


def test_line_ends_that_git_turns_round_stay_as_they_are_in_the_work_tree(desk: Desk) -> None:
    desk.commit({".gitattributes": "*.py text eol=crlf\n"})
    [(path, text)] = revision("004", "002", "mine").items()
    (desk.work / path).write_bytes(text.replace("\n", "\r\n").encode())
    desk.land(revision("003", "002", "theirs"))
    assert desk.next("--write").code == 0
    new = text.replace("Revises: 002", "Revises: 003").replace('= "002"', '= "003"')
    assert (desk.work / path).read_bytes() == new.replace("\n", "\r\n").encode()


def test_a_symbolic_link_is_left_alone(desk: Desk) -> None:
    [(path, text)] = revision("004", "002", "mine").items()
    (desk.work / "elsewhere.py").write_text(text)
    (desk.work / path).symlink_to(desk.work / "elsewhere.py")
    desk.land(revision("003", "002", "theirs"))
    done = desk.next("--write")
    assert done.code != 0
    assert (desk.work / "elsewhere.py").read_text() == text


def test_a_file_that_changes_meanwhile_is_left_alone_with_the_edit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    [(path, text)] = revision("004", "002", "mine").items()
    desk.put({path: text})
    desk.land(revision("003", "002", "theirs"))
    put = rewrite._put

    def edit_first(draft: rewrite._Draft) -> None:
        draft.old.write_text(f"{text}\n# just typed\n")
        put(draft)

    monkeypatch.setattr(rewrite, "_put", edit_first)
    done = desk.next("--write")
    assert (done.code, (desk.work / path).read_text()) == (1, f"{text}\n# just typed\n")
    assert f"`{path}` has changed meanwhile, so it was left as it is. Nothing was written." in done.err
    assert [each.name for each in (desk.work / VERSIONS).iterdir() if each.name.startswith(".onehead")] == []


def test_another_file_under_the_new_name_is_never_written_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put(revision("003", "002", "mine"))
    desk.land(revision("003", "002", "theirs"))
    put = rewrite._put

    def make_first(draft: rewrite._Draft) -> None:
        draft.new.write_text("# mine\n")
        put(draft)

    monkeypatch.setattr(rewrite, "_put", make_first)
    done = desk.next("--write")
    assert done.code == 1
    assert "which exists already" in done.err
    assert (desk.work / VERSIONS / "004_mine.py").read_text() == "# mine\n"
    assert "003_mine.py" in desk.files()


@pytest.mark.parametrize(
    ("policy", "code", "files"),
    [
        # It is about repairs that nobody asked for.
        ('strategy = "merge"', 0, ["004_mine.py", "005_more.py"]),
        ("fresh-ids = true", 0, ["006_mine.py", "007_more.py"]),
        ('shared-databases = ["mi*"]', 1, ["004_mine.py", "005_more.py"]),
        ("nonsense = 1", 1, ["004_mine.py", "005_more.py"]),
    ],
)
def test_what_the_policy_forbids_is_not_done(desk: Desk, policy: str, code: int, files: list[str]) -> None:
    desk.put(merged(revision("004", "002", "mine"), revision("005", "004", "more")))
    desk.land({**revision("003", "002", "theirs"), ".onehead.toml": f"{policy}\n"})
    assert [desk.next("--write").code for _ in range(2)] == [code, code]
    assert list(desk.files()) == ["001_t001.py", "002_t002.py", "003_theirs.py", *files]
    assert len(Deployment(desk.work, "sqlite://").heads()) == 1 + code


def test_from_a_folder_of_the_clone_and_in_a_linked_work_tree(desk: Desk, tmp_path: Path) -> None:
    desk.put(revision("004", "002", "mine"))
    desk.land(revision("003", "002", "theirs"))
    done = desk.run("next", "--repo", desk.work / VERSIONS, "--write")
    assert (done.code, "Yours, moved" in done.out) == (0, True)
    linked = tmp_path / "linked"
    desk.git("worktree", "add", "--quiet", "-b", "linked", str(linked), "HEAD")
    for path, text in revision("005", "002", "other").items():
        (linked / path).write_text(text)
    assert desk.run("next", "--repo", linked, "--write").code == 0
    assert 'Union[str, Sequence[str], None] = "003"' in (linked / VERSIONS / "005_other.py").read_text()


def test_a_merge_in_progress_with_a_conflict_is_left_as_it_is(desk: Desk) -> None:
    desk.commit(merged(revision("003", "002", "same"), revision("004", "003", "more")))
    theirs = {path: text.replace("op.", "operations.") for path, text in revision("003", "002", "same").items()}
    desk.land(theirs, merge=False)
    with pytest.raises(subprocess.CalledProcessError):
        desk.git("merge", "--quiet", "origin/main")
    before, index = desk.files(), desk.git("ls-files", "--stage")
    assert b"<<<<<<<" in before["003_same.py"]
    desk.next("--write")
    assert (desk.files(), desk.git("ls-files", "--stage")) == (before, index)


def three_with_the_number_of_theirs(desk: Desk) -> dict[str, bytes]:
    """Three of one's own, of which the first has the number and id of one that has landed."""
    desk.put(merged(revision("003", "002", "mine"), revision("004", "003", "more"), revision("005", "004", "most")))
    desk.land(revision("003", "002", "theirs"))
    return desk.files()


MOVED = ["001_t001.py", "002_t002.py", "003_theirs.py", "006_mine.py", "007_more.py", "008_most.py"]


@pytest.mark.parametrize("step", range(6))
def test_what_is_interrupted_is_undone_and_can_be_repeated(
    step: int, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = three_with_the_number_of_theirs(desk)
    steps = iter(range(6))
    names: list[tuple[Any, str]] = [(Path, "replace"), (os, "link")]

    def until(call: Any) -> Any:
        def stepping(*args: Any) -> Any:
            if next(steps, None) == step:
                raise KeyboardInterrupt
            return call(*args)

        return stepping

    with monkeypatch.context() as patched:
        for place, name in names:
            patched.setattr(place, name, until(getattr(place, name)))
        done = desk.next("--write")

    assert (done.code, desk.files()) == (130, before)
    assert desk.next("--write").code == 0
    assert list(desk.files()) == MOVED
    assert desk.is_healthy()


@pytest.mark.parametrize("step", range(1, 6))
def test_what_is_killed_half_way_never_passes_for_another_order(
    step: int, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More and most build on mine: they may never end up before it."""
    three_with_the_number_of_theirs(desk)
    steps = iter(range(6))

    def until(call: Any) -> Any:
        def stepping(*args: Any) -> Any:
            if next(steps, None) == step:
                raise KeyboardInterrupt
            return call(*args)

        return stepping

    with monkeypatch.context() as patched:
        patched.setattr(rewrite, "_undone", lambda _draft: True)
        patched.setattr(Path, "replace", until(Path.replace))
        patched.setattr(os, "link", until(os.link))
        desk.next("--write")
    again = desk.next("--write")
    files = {name[4:-3]: text.decode() for name, text in desk.files().items()}
    ids, parents = (
        [re.search(rf'^{name}\b.* = "(\w+)"', files[each], re.MULTILINE)[1] for each in ("mine", "more", "most")]  # type: ignore[index]
        for name in ("revision", "down_revision")
    )
    assert again.code != 0 or parents == ["003", *ids[:2]]


def test_in_a_sparse_checkout_what_is_not_there_is_named(desk: Desk) -> None:
    desk.commit(merged(revision("003", "002", "mine"), {"app/a.py": "a = 1\n"}))
    desk.land(revision("003", "002", "theirs"))
    desk.git("sparse-checkout", "set", "--cone", "app")

    done = desk.next("--write")

    assert done.code == 1
    assert f"`{VERSIONS}/003_mine.py` is not in the work tree (`git sparse-checkout add` brings its folder)" in done.err
    desk.git("sparse-checkout", "add", VERSIONS)
    assert desk.next("--write").code == 0
    assert "004_mine.py" in desk.files()


def test_an_edit_that_git_was_told_to_overlook_stays(desk: Desk) -> None:
    desk.commit(revision("003", "002", "mine"))
    desk.land(revision("003", "002", "theirs"))
    file = desk.work / VERSIONS / "003_mine.py"
    desk.git("update-index", "--assume-unchanged", f"{VERSIONS}/003_mine.py")
    file.write_text(f"{file.read_text()}# mine alone\n")
    before = desk.files()

    done = desk.next("--write")

    assert (done.code, desk.files()) == (1, before)
    assert "is not what was read" in done.err
    assert "run it without `--write`: it shows what to change by hand" in done.err


def test_a_file_under_a_second_name_and_read_only_keeps_its_mode_and_the_other_its_content(desk: Desk) -> None:
    desk.put(revision("003", "002", "mine"))
    desk.land(revision("003", "002", "theirs"))
    file, other = desk.work / VERSIONS / "003_mine.py", desk.work / "kept.txt"
    os.link(file, other)
    file.chmod(0o444)
    before = other.read_bytes()
    assert desk.next("--write").code == 0
    assert other.read_bytes() == before
    assert (desk.work / VERSIONS / "004_mine.py").stat().st_mode & 0o777 == 0o444
