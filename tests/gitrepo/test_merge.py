from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.commit import CommitDraft, CommitSeries, MergedIn, Signature, write_commits
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.merge import MergedTree, PathConflict, merge_trees, write_clean_merge, write_merged_tree
from onehead.gitrepo.process import GitTooOld, MissingObjects, ShallowHistory
from onehead.gitrepo.tree import Contents, Entry, list_tree, read
from onehead.revisions.model import FileChange
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path

LINES = "".join(f"line {number}\n" for number in range(20))
OTHERS = "".join(f"another {number}\n" for number in range(20))


def objects_on_disk(repo: Repository) -> list[str]:
    return sorted(str(path) for path in (repo.path / "objects").rglob("*") if path.is_file())


def entry(git: Git, sha: str, path: str) -> Entry:
    return list_tree(git, sha).entries[path]


def test_a_clean_merge(git: Git, repo: Repository) -> None:
    base = repo.commit("main", {"both.py": LINES, "old.py": "1\n", "gone.py": "1\n"})
    head = repo.commit("topic", {"both.py": LINES.replace("line 19", "LINE 19"), "b.py": "b\n"}, parents=[base])
    target = repo.commit("main", {"both.py": LINES.replace("line 0\n", "LINE 0\n"), "gone.py": None, "t.py": "t\n"})
    before = objects_on_disk(repo)
    merged = merge_trees(git, target, head)
    assert objects_on_disk(repo) == before
    assert merged.merge_base == base
    assert sorted(merged.entries) == ["b.py", "both.py", "old.py", "t.py"]
    assert merged.conflicts == {}
    together = merged.entries["both.py"].oid
    expected = LINES.replace("line 0\n", "LINE 0\n").replace("line 19", "LINE 19").encode()
    assert merged.fresh == Contents({together: expected}, {})
    assert git.ask("cat-file", "-e", together).code != 0
    # The same as git itself, and with the listing that is known already.
    tree = repo.git("merge-tree", "--write-tree", target, head).strip()
    assert dict(merged.entries) == list_tree(git, tree).entries
    assert merge_trees(git, target, head, listed={target: list_tree(git, target)}).entries == merged.entries


def test_a_file_that_is_too_large_to_be_shown(git: Git, repo: Repository) -> None:
    base = repo.commit("main", {"both.py": LINES})
    head = repo.commit("topic", {"both.py": LINES + "end\n"}, parents=[base])
    target = repo.commit("main", {"both.py": "start\n" + LINES})
    merged = merge_trees(git, target, head, limit=100)
    assert merged.fresh == Contents({}, {merged.entries["both.py"].oid: len(LINES) + 10})


def test_the_merged_tree_can_be_left_in_the_repository(git: Git, repo: Repository) -> None:
    base = repo.commit("main", {"both.py": LINES})
    head = repo.commit("topic", {"both.py": LINES + "end\n"}, parents=[base])
    target = repo.commit("main", {"both.py": "start\n" + LINES})
    tree = write_merged_tree(git, target, head).oid
    assert list_tree(git, tree).entries == dict(merge_trees(git, target, head).entries)
    assert repo.read(tree, "both.py") == "start\n" + LINES + "end\n"


def test_one_side_contains_the_other(git: Git, repo: Repository) -> None:
    old = repo.commit("main", {"a.py": "1\n"})
    new = repo.commit("main", {"b.py": "2\n"})
    everything = list_tree(git, new).entries
    expected = MergedTree(old, everything, {}, Contents({}, {}))
    assert merge_trees(git, old, new) == expected
    assert merge_trees(git, new, old) == expected
    assert merge_trees(git, new, new) == MergedTree(new, everything, {}, Contents({}, {}))
    known = list_tree(git, new)
    assert merge_trees(git, old, new, listed={new: known}).entries is known.entries


SIDES: list[dict[str, str | None]] = [
    {},
    {"mine.py": "1\n"},
    {"mine.py": "2\n"},
    {"mine.py/inside.py": "1\n"},
    {"dir/a.py": "changed\n"},
    {"dir/a.py": None, "moved/a.py": LINES},
    {"dir/a.py": None},
    {"dir": "a file\n", "dir/a.py": None, "dir/b.py": None},
    {"dir/c.py": "1\n", "plain.py": "changed\n"},
]


@pytest.mark.parametrize("theirs", SIDES)
@pytest.mark.parametrize("ours", SIDES)
def test_it_is_what_git_makes_of_any_two_changes(
    git: Git, repo: Repository, theirs: dict[str, str | None], ours: dict[str, str | None]
) -> None:
    base = repo.commit("main", {"dir/a.py": LINES, "dir/b.py": "b\n", "plain.py": "1\n"})
    head = repo.commit("topic", {**ours, "head.txt": "1\n"}, parents=[base])
    target = repo.commit("main", {**theirs, "target.txt": "1\n"})
    merged = merge_trees(git, target, head)
    done = git.ask("merge-tree", "--write-tree", "-z", target, head)
    assert bool(merged.conflicts) == (done.code == 1)
    everything = list_tree(git, done.out.partition(b"\0")[0].decode()).entries
    clean = {path: found for path, found in everything.items() if path not in merged.conflicts}
    assert {path: found for path, found in merged.entries.items() if path in clean} == clean


@pytest.mark.parametrize("theirs", SIDES)
@pytest.mark.parametrize("ours", SIDES)
def test_a_commit_of_the_merge_holds_the_same_when_git_is_asked_less(
    git: Git, repo: Repository, theirs: dict[str, str | None], ours: dict[str, str | None]
) -> None:
    base = repo.commit("main", {"dir/a.py": LINES, "dir/b.py": "b\n", "plain.py": "1\n"})
    head = repo.commit("topic", {**ours, "head.txt": "1\n"}, parents=[base], modes={"head.txt": "100755"})
    target = repo.commit("main", {**theirs, "target.txt": "1\n"})
    expected = write_clean_merge(git, target, head)
    with kept_open(git):
        made = write_clean_merge(git, target, head)
        if made is None or expected is None:
            assert made is expected
            return
        changes = [FileChange("head.txt", b"2\n"), FileChange("new.txt", b"3\n")]
        drafts = [CommitDraft("Merge\n", (), MergedIn(target, made)), CommitDraft("Fix\n", changes)]
        ann = Signature("Ann", "ann@example.com", datetime.now(UTC))
        [[merge, fix]] = write_commits(git, CommitSeries(head, drafts, ann))
    assert repo.git("rev-parse", f"{merge}^{{tree}}").strip() == expected.oid
    assert repo.git("diff", "--name-status", merge, fix) == "M\thead.txt\nA\tnew.txt\n"
    assert list_tree(git, fix).entries["head.txt"].mode == "100755"


class TestConflicts:
    def test_content(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"f.py": "1\n", "calm.py": "1\n"})
        head = repo.commit("topic", {"f.py": "2\n"}, parents=[base])
        target = repo.commit("main", {"f.py": "3\n"})
        merged = merge_trees(git, target, head)
        assert merged.conflicts == {
            "f.py": PathConflict("f.py", entry(git, base, "f.py"), entry(git, target, "f.py"), entry(git, head, "f.py"))
        }
        assert list(merged.entries) == ["calm.py"]
        assert merged.fresh == Contents({}, {})

    def test_both_added(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"calm.py": "1\n"})
        head = repo.commit("topic", {'n "1"\n.py': "2\n"}, parents=[base])
        target = repo.commit("main", {'n "1"\n.py': "3\n"})
        name = 'n "1"\n.py'
        assert merge_trees(git, target, head).conflicts == {
            name: PathConflict(name, None, entry(git, target, name), entry(git, head, name))
        }

    def test_deleted_and_edited(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"a.py": "1\n", "b.py": "2\n", "calm.py": "1\n"})
        head = repo.commit("topic", {"a.py": "changed\n", "b.py": None}, parents=[base])
        target = repo.commit("main", {"a.py": None, "b.py": "changed\n"})
        assert merge_trees(git, target, head).conflicts == {
            "a.py": PathConflict("a.py", entry(git, base, "a.py"), None, entry(git, head, "a.py")),
            "b.py": PathConflict("b.py", entry(git, base, "b.py"), entry(git, target, "b.py"), None),
        }

    def test_renamed_differently(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"a.py": LINES})
        head = repo.commit("topic", {"a.py": None, "theirs.py": LINES}, parents=[base])
        target = repo.commit("main", {"a.py": None, "ours.py": LINES})
        assert merge_trees(git, target, head).conflicts == {
            "a.py": PathConflict("a.py", entry(git, base, "a.py"), None, None),
            "ours.py": PathConflict("ours.py", None, entry(git, target, "ours.py"), None),
            "theirs.py": PathConflict("theirs.py", None, None, entry(git, head, "theirs.py")),
        }

    def test_renamed_differently_and_edited_by_both(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"a.py": LINES})
        head = repo.commit("topic", {"a.py": None, "theirs.py": LINES + "end\n"}, parents=[base])
        target = repo.commit("main", {"a.py": None, "ours.py": "start\n" + LINES})
        merged = merge_trees(git, target, head)
        ours, theirs = entry(git, target, "ours.py"), entry(git, head, "theirs.py")
        assert merged.conflicts["ours.py"] == PathConflict("ours.py", None, ours, None)
        assert merged.conflicts["theirs.py"] == PathConflict("theirs.py", None, None, theirs)
        assert read(git, [ours.oid, theirs.oid]).data.keys() == {ours.oid, theirs.oid}

    def test_two_files_renamed_to_one_name_and_edited_by_the_other_side(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"a.py": LINES, "b.py": OTHERS})
        head = repo.commit("topic", {"a.py": LINES + "end\n", "b.py": None, "c.py": OTHERS}, parents=[base])
        target = repo.commit("main", {"a.py": None, "b.py": OTHERS + "end\n", "c.py": LINES})
        assert merge_trees(git, target, head).conflicts == {
            "c.py": PathConflict("c.py", None, entry(git, target, "c.py"), entry(git, head, "c.py"))
        }

    def test_a_file_where_the_other_side_has_a_directory(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"calm.py": "1\n"})
        head = repo.commit("topic", {"place": "a file\n"}, parents=[base])
        target = repo.commit("main", {"place/a.py": "1\n"})
        merged = merge_trees(git, target, head)
        (name,) = merged.conflicts
        assert name.startswith("place~")
        assert merged.conflicts[name] == PathConflict(
            name, None, None, Entry(name, "100644", entry(git, head, "place").oid)
        )
        assert sorted(merged.entries) == ["calm.py", "place/a.py"]

    def test_a_rename_is_followed_and_edits_meet_in_it(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"versions/a.py": LINES})
        head = repo.commit("topic", {"versions/a.py": None, "versions/b.py": LINES}, parents=[base])
        target = repo.commit("main", {"versions/a.py": LINES + "end\n"})
        merged = merge_trees(git, target, head)
        assert {path: e.oid for path, e in merged.entries.items()} == {
            "versions/b.py": entry(git, target, "versions/a.py").oid
        }
        assert merged.conflicts == {}


def test_unrelated_histories(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a.py": "1\n", "same.py": "1\n"})
    other = repo.commit("other", {"b.py": "1\n", "same.py": "1\n"})
    merged = merge_trees(git, one, other)
    assert (merged.merge_base, sorted(merged.entries), merged.conflicts) == (None, ["a.py", "b.py", "same.py"], {})


def test_a_criss_cross_merge(git: Git, repo: Repository) -> None:
    root = repo.commit("main", {"f.py": LINES})
    left = repo.commit("left", {"f.py": "left\n" + LINES}, parents=[root])
    right = repo.commit("right", {"f.py": LINES + "right\n"}, parents=[root])
    repo.merge("left", right)
    repo.merge("right", left)
    target = repo.commit("left", {"t.py": "1\n"})
    head = repo.commit("right", {"f.py": "left\n" + LINES + "right\nmore\n"})
    assert len(repo.git("merge-base", "--all", target, head).split()) == 2
    merged = merge_trees(git, target, head)
    assert merged.merge_base in (left, right)
    assert merged.conflicts == {}
    assert merged.entries["f.py"] == entry(git, head, "f.py")


def test_configuration_does_not_change_the_verdict_and_no_driver_runs(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo", bare=False)
    base = repo.commit("main", {"a.py": LINES, ".gitattributes": "*.py merge=trap\n"})
    head = repo.commit("topic", {"a.py": None, "b.py": LINES.replace("line 3", "LINE 3")}, parents=[base])
    target = repo.commit("main", {"a.py": LINES.replace("line 3", "Line 3")})
    repo.git("reset", "--quiet", "--hard")
    git = Git(repo.path)
    plain = merge_trees(git, target, head)
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "attributes").write_text("*.py merge=trap\n")
    repo.git("config", "merge.trap.driver", f"touch {tmp_path}/trace")
    repo.git("config", "merge.renames", "false")
    assert merge_trees(git, target, head) == plain
    assert list(plain.conflicts) == ["b.py"]
    assert not (tmp_path / "trace").exists()
    repo.git("config", "merge.renames", "true")
    repo.git("-c", "core.bare=false", "merge-tree", "--write-tree", target, head)
    assert (tmp_path / "trace").exists()  # git alone would have run it


def test_a_shallow_clone_with_enough_history_and_one_without(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    origin.commit("main", {"a.py": "0\n"})
    base = origin.commit("main", {"a.py": "1\n"})
    head = origin.commit("topic", {"b.py": "1\n"}, parents=[base])
    target = origin.commit("main", {"c.py": "1\n"})
    for depth in (1, 2):
        place = tmp_path / f"{depth}.git"
        origin.git(
            "clone", "--quiet", "--bare", f"--depth={depth}", "--no-single-branch", f"file://{origin.path}", str(place)
        )
    with pytest.raises(ShallowHistory):
        merge_trees(Git(tmp_path / "1.git"), target, head)
    merged = merge_trees(Git(tmp_path / "2.git"), target, head)
    assert (merged.merge_base, sorted(merged.entries)) == (base, ["a.py", "b.py", "c.py"])


def test_a_partial_clone_fetches_nothing(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    base = origin.commit("main", {"a.py": LINES})
    head = origin.commit("topic", {"a.py": LINES + "end\n"}, parents=[base])
    target = origin.commit("main", {"a.py": "start\n" + LINES})
    origin.git("config", "uploadpack.allowFilter", "true")
    origin.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{origin.path}", str(tmp_path / "p.git"))
    with pytest.raises(MissingObjects):
        merge_trees(Git(tmp_path / "p.git"), target, head)


def test_a_repository_in_a_place_with_a_difficult_name(tmp_path: Path) -> None:
    repo = Repository(tmp_path / 'a:b "c" d\\e')
    base = repo.commit("main", {"a.py": "1\n"})
    head = repo.commit("topic", {"b.py": "1\n"}, parents=[base])
    target = repo.commit("main", {"c.py": "1\n"})
    assert sorted(merge_trees(Git(repo.path), target, head).entries) == ["a.py", "b.py", "c.py"]


def test_a_repository_that_borrows_objects_and_a_linked_worktree(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    base = origin.commit("main", {"a.py": "1\n"})
    head = origin.commit("topic", {"b.py": "1\n"}, parents=[base])
    target = origin.commit("main", {"c.py": "1\n"})
    origin.git("clone", "--quiet", "--shared", str(origin.path), str(tmp_path / "borrower"))
    origin.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "topic")
    for place in ("borrower", "linked"):
        assert sorted(merge_trees(Git(tmp_path / place), target, head).entries) == ["a.py", "b.py", "c.py"]


def test_an_old_git(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = repo.commit("main", {"a.py": LINES})
    head = repo.commit("topic", {"a.py": LINES + "end\n"}, parents=[base])
    target = repo.commit("main", {"a.py": "start\n" + LINES})
    real = repo.git("--exec-path").strip()
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = merge-tree ] && exit 129\n'
        '[ "$1" = version ] && echo git version 2.30.2 && exit 0\n'
        f'exec {real}/git "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(GitTooOld) as caught:
        merge_trees(Git(repo.path), target, head)
    assert caught.value.message == "Git 2.30 can't merge without a work tree."


def test_nothing_is_left_in_the_temporary_directory(
    git: Git, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = repo.commit("main", {"a.py": "1\n"})
    head = repo.commit("topic", {"b.py": "1\n"}, parents=[base])
    target = repo.commit("main", {"c.py": "1\n"})
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    merge_trees(git, target, head)
    assert list(place.iterdir()) == []


def test_a_tree_to_commit_only_where_git_can_merge_by_itself(git: Git, repo: Repository) -> None:
    base = repo.commit("main", {"a": "1\n", "b": "1\n"})
    clean = repo.commit("clean", {"b": "2\n"}, parents=[base])
    clash = repo.commit("clash", {"a": "3\n"}, parents=[base])
    main = repo.commit("main", {"a": "2\n"})

    tree = write_clean_merge(git, main, clean)

    assert tree is not None
    assert (repo.git("show", f"{tree.oid}:a"), repo.git("show", f"{tree.oid}:b")) == ("2\n", "2\n")
    assert write_clean_merge(git, main, clash) is None
