"""Commits that are written without a checkout, and the messages of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.errors import OneheadError
from onehead.gitrepo.commit import (
    WIDTH,
    BranchInUse,
    CommitDraft,
    CommitSeries,
    MergedIn,
    Signature,
    StaleRef,
    commit_message,
    update_ref,
    write_commits,
)
from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import write_merge, write_merged_tree
from onehead.gitrepo.process import GitFailed
from onehead.revisions.model import FileChange
from tests.repositories import Repository

BOT = Signature("onehead", "onehead@example.com", datetime(2024, 5, 1, 10, tzinfo=UTC))
ANN = Signature("Ann Ü", "ann@example.com", datetime(2024, 4, 1, 10, 30, tzinfo=timezone(timedelta(hours=2))))


def commit(
    git: Git,
    parent: str,
    changes: list[FileChange],
    message: str = "Change\n",
    author: Signature = BOT,
    committer: Signature | None = None,
) -> str:
    [[sha]] = write_commits(git, CommitSeries(parent, [CommitDraft(message, changes)], author, committer))
    return sha


def listing(repo: Repository, at: str) -> dict[str, str]:
    """path → mode"""
    lines = repo.git("ls-tree", "-r", "-z", at).split("\0")[:-1]
    return {line.partition("\t")[2]: line[:6] for line in lines}


def test_a_commit_with_every_kind_of_change(git: Git, repo: Repository) -> None:
    parent = repo.commit(
        "main",
        {"keep.py": "k\n", "edit.py": "1\n", "gone.py": "1\n", "old name.py": "1\n", "deep/x": "1\n"},
        modes={"edit.py": "100755", "old name.py": "100755"},
    )
    sha = commit(
        git,
        parent,
        [
            FileChange("edit.py", b"\xef\xbb\xbf2\r\n"),
            FileChange("gone.py", None),
            FileChange("old name.py", b"2\n", "new/na\nme.py"),
            FileChange("deep/caf\udce9.py", b"new\n"),
        ],
        "Subject\n\nBody ü\n",
        ANN,
        BOT,
    )
    assert listing(repo, sha) == {
        "keep.py": "100644",
        "edit.py": "100755",
        "new/na\nme.py": "100755",
        "deep/x": "100644",
        "deep/caf\udce9.py": "100644",
    }
    assert repo.read(sha, "edit.py") == "\ufeff2\r\n"
    assert repo.read(sha, "new/na\nme.py") == "2\n"
    assert repo.git("log", "-1", "--format=%P|%an|%ae|%ai|%cn|%ce|%ci|%B", sha) == (
        f"{parent}|Ann Ü|ann@example.com|2024-04-01 10:30:00 +0200"
        "|onehead|onehead@example.com|2024-05-01 10:00:00 +0000|Subject\n\nBody ü\n\n"
    )
    assert repo.sha("main") == parent


def test_twice_the_same_gives_the_same(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"a.py": "1\n"})
    one, two = (commit(git, parent, [FileChange("a.py", b"2\n")], "Edit\n", BOT) for _ in range(2))
    assert one == two


def test_the_configuration_of_a_person_changes_nothing(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {".gitattributes": "*.py text eol=lf filter=trap\n"})
    plain = commit(git, parent, [FileChange("a.py", b"1\r\n")], "Add\n", BOT)
    for key, value in [
        ("i18n.commitEncoding", "latin1"),
        ("commit.gpgSign", "true"),
        ("core.autocrlf", "true"),
        ("filter.trap.clean", "rev"),
        ("user.name", "Somebody"),
    ]:
        repo.git("config", key, value)
    assert commit(git, parent, [FileChange("a.py", b"1\r\n")], "Add\n", BOT) == plain
    assert repo.read(plain, "a.py") == "1\r\n"


def test_a_file_gives_way_to_a_directory_and_back(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"versions": "a file\n", "place/x": "1\n"})
    sha = commit(
        git,
        parent,
        [
            FileChange("versions/a.py", b"1\n"),
            FileChange("versions", None),
            FileChange("place", b"a file\n"),
            FileChange("place/x", None),
        ],
        "Swap\n",
        BOT,
    )
    assert listing(repo, sha) == {"versions/a.py": "100644", "place": "100644"}


def test_no_change_is_an_empty_commit(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"a.py": "1\n"})
    sha = commit(git, parent, [], "Nothing\n", BOT)
    assert repo.git("rev-parse", f"{sha}^{{tree}}") == repo.git("rev-parse", f"{parent}^{{tree}}")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (FileChange("nosuch.py", None), "'nosuch.py' can't be deleted or renamed: it is not in "),
        (FileChange("nosuch.py", b"1", "b.py"), "'nosuch.py' can't be deleted or renamed: it is not in "),
        (FileChange("a.py", b"1", "b.py"), "'a.py' can't be renamed to 'b.py': that exists in "),
        (FileChange("a.py", None, "c.py"), "'a.py' can't be deleted and renamed at once."),
    ],
)
def test_contradictions_are_refused(git: Git, repo: Repository, change: FileChange, complaint: str) -> None:
    parent = repo.commit("main", {"a.py": "1\n", "b.py": "1\n"})
    with pytest.raises(ValueError, match=complaint):
        commit(git, parent, [change], "No\n", BOT)


def test_a_date_without_a_time_zone_is_refused(git: Git, repo: Repository) -> None:
    naive = Signature("a", "b", datetime(2024, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        commit(git, repo.commit("main", {"a.py": "1\n"}), [], "No\n", naive)


def test_the_work_tree_and_the_index_are_left_alone(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo", bare=False)
    parent = repo.commit("main", {"a.py": "1\n"})
    repo.git("reset", "--quiet", "--hard")
    (repo.path / "a.py").write_text("being edited\n")
    (repo.path / "staged.py").write_text("staged\n")
    repo.git("add", "staged.py")
    before = repo.git("status", "--porcelain")
    sha = commit(Git(repo.path), parent, [FileChange("a.py", b"2\n")], "Edit\n", BOT)
    assert repo.git("status", "--porcelain") == before
    assert listing(repo, sha) == {"a.py": "100644"}


def test_a_merge_and_the_fix_on_top(git: Git, repo: Repository) -> None:
    base = repo.commit("main", {"a.py": "1\n"})
    ours = repo.commit("topic", {"b.py": "1\n"}, parents=[base])
    theirs = repo.commit("main", {"c.py": "1\n"})
    tree = write_merged_tree(git, ours, theirs)
    drafts = [
        CommitDraft("Merge main\n", [FileChange("c.py", b"resolved\n")], MergedIn(theirs, tree)),
        CommitDraft("Fix\n", [FileChange("b.py", b"2\n"), FileChange("c.py", b"2\n", "d.py")]),
    ]
    [[merge, fix]] = write_commits(git, CommitSeries(ours, drafts, BOT))
    update_ref(git, "refs/heads/onehead/reparent/topic", fix, None)
    assert repo.git("rev-list", "--parents", "-1", merge).split() == [merge, ours, theirs]
    assert repo.files("onehead/reparent/topic") == ["a.py", "b.py", "d.py"]
    assert repo.read(merge, "c.py") == "resolved\n"
    assert repo.git("diff", "--name-status", merge, fix) == "M\tb.py\nD\tc.py\nA\td.py\n"


@pytest.mark.parametrize("theirs_too", [{"c.py": "1\n"}, {"a.py": "1\n2\n3\nz\n"}])
def test_the_merge_beneath_is_the_one_that_git_makes(git: Git, repo: Repository, theirs_too: dict[str, str]) -> None:
    base = repo.commit("main", {"a.py": "1\n2\n3\n", "s/d.py": "1\n"})
    ours = repo.commit("topic", {"a.py": "x\n1\n2\n3\n", 's/"ö\\.py': "1\n"}, parents=[base])
    target = repo.commit("main", theirs_too)
    draft = CommitDraft("Merge main\n", merge=MergedIn(target, *write_merge(git, target, ours)))
    [[merge]] = write_commits(git, CommitSeries(ours, [draft], BOT))
    assert repo.git("rev-parse", f"{merge}^{{tree}}").strip() == write_merged_tree(git, target, ours)


def test_a_name_that_no_commit_can_hold(git: Git, repo: Repository) -> None:
    odd = Signature(" Ann <the\nfirst> ", "ann@example.com>\0", BOT.when)
    sha = commit(git, repo.commit("main", {"a.py": "1\n"}), [], "Odd\n", odd)
    assert repo.git("log", "-1", "--format=%an|%ae", sha) == "Ann thefirst|ann@example.com\n"


def test_an_unknown_parent(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"a.py": "1\n"})
    with pytest.raises(OneheadError):
        commit(git, "1" * len(parent), [])
    with pytest.raises(OneheadError):
        commit(git, "1" * len(parent), [FileChange("a.py", b"2\n")])


def test_nothing_but_objects_is_left(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"a.py": "1\n"})
    before = {path for path in repo.path.rglob("*") if path.relative_to(repo.path).parts[0] != "objects"}
    commit(git, parent, [FileChange("a.py", b"2\n")])
    assert {path for path in repo.path.rglob("*") if path.relative_to(repo.path).parts[0] != "objects"} == before


class TestUpdateRef:
    def test_only_from_where_it_was_seen(self, git: Git, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("main", {"a.py": "2\n"})
        update_ref(git, "refs/heads/new", one, None)
        assert repo.sha("new") == one
        update_ref(git, "refs/heads/new", two, one)
        assert repo.sha("new") == two
        for expected in (one, None):
            with pytest.raises(StaleRef) as caught:
                update_ref(git, "refs/heads/new", one, expected)
            assert caught.value.message == (
                "`refs/heads/new` was changed by somebody else meanwhile, so it was left alone."
            )
        with pytest.raises(StaleRef):
            update_ref(git, "refs/heads/nosuch", two, one)
        assert repo.sha("new") == two

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("refs/heads/a..b", GitFailed), ("refs/heads/a b", GitFailed), ("main", ValueError), ("--stdin", ValueError)],
    )
    def test_a_name_that_is_none(self, git: Git, repo: Repository, name: str, kind: type[Exception]) -> None:
        sha = repo.commit("main", {"a.py": "1\n"})
        before = sorted(repo.path.rglob("*"))
        with pytest.raises(kind):
            update_ref(git, name, sha, None)
        assert sorted(repo.path.rglob("*")) == before

    def test_a_branch_that_is_checked_out(self, tmp_path: Path) -> None:
        repo = Repository(tmp_path / "repo", bare=False)
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("other", {"a.py": "2\n"}, parents=[one])
        repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "other")
        for branch, place, sha in [("main", repo.path, one), ("other", tmp_path / "linked", two)]:
            with pytest.raises(BranchInUse) as caught:
                update_ref(Git(repo.path), f"refs/heads/{branch}", two, sha)
            assert f"is checked out in {place}," in caught.value.message

    def test_the_head_of_a_bare_repository_can_move(self, git: Git, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("other", {"a.py": "2\n"}, parents=[one])
        update_ref(git, "refs/heads/main", two, one)
        assert repo.sha("HEAD") == two


def test_the_first_commit_of_a_history(git: Git, repo: Repository) -> None:
    nothing = "0" * len(repo.commit("main", {"a": "1\n"}))
    drafts = [CommitDraft("One\n", [FileChange("b", b"1\n")]), CommitDraft("Two\n", [FileChange("c", b"2\n")])]
    [[one, two]] = write_commits(git, CommitSeries(nothing, drafts, BOT))
    assert repo.git("rev-list", "--parents", two).split() == [two, one, one]
    assert listing(repo, two) == {"b": "100644", "c": "100644"}
    with pytest.raises(ValueError, match="it is not in"):
        commit(git, nothing, [FileChange("a", None)])


def test_several_series_are_the_same_as_each_alone(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a.py": "1\n", "b.py": "1\n"})
    two = repo.commit("other", {"a.py": "2\n"}, parents=[one])
    nothing = "0" * len(one)
    series = [
        CommitSeries(one, [CommitDraft("A\n", [FileChange("a.py", b"3\n")]), CommitDraft("B\n")], BOT),
        CommitSeries(nothing, [CommitDraft("Root\n", [FileChange("c.py", b"1\n")])], BOT),
        CommitSeries(two, [CommitDraft("C\n", [FileChange("a.py", None)])], BOT),
        CommitSeries(nothing, [CommitDraft("Root\n", [FileChange("d.py", b"1\n")])], BOT),
    ]
    together = write_commits(git, *series)
    assert together == [found for each in series for found in write_commits(git, each)]
    assert [listing(repo, shas[-1]) for shas in together] == [
        {"a.py": "100644", "b.py": "100644"},
        {"c.py": "100644"},
        {"b.py": "100644"},
        {"d.py": "100644"},
    ]


def test_modes_that_are_known_are_kept_without_a_look(git: Git, repo: Repository) -> None:
    parent = repo.commit("main", {"a.py": "1\n"})
    draft = CommitDraft("Fix\n", [FileChange("a.py", b"2\n", "b.py")], modes={"a.py": "100755"})
    [[sha]] = write_commits(git, CommitSeries(parent, [draft], BOT))
    assert listing(repo, sha) == {"b.py": "100755"}


# Commit messages: a subject that a list of commits shows whole, and a body that a terminal shows whole.


def test_the_first_subject_that_fits_is_taken_and_a_better_one_said_in_the_body() -> None:
    assert commit_message(["a: b", "b"]) == "a: b\n"
    long = f"{'x' * 70}: b"
    assert commit_message([long, "b"], ["Why."]) == f"b\n\n{'x' * 70}:\nb\n\nWhy.\n"
    assert commit_message(["y" * 73]) == f"{'y' * 71}…\n\n{'y' * 73}\n"


@given(st.lists(st.text("ab -", max_size=200), min_size=1, max_size=3), st.lists(st.text("ab -", max_size=400)))
def test_no_line_is_longer_than_it_must_be_and_no_word_is_lost(subjects: list[str], body: list[str]) -> None:
    subject, _, rest = commit_message(subjects, body).partition("\n")
    assert len(subject) <= WIDTH
    assert all(len(line) <= WIDTH or " " not in line for line in rest.splitlines())
    assert rest.split()[-len(" ".join(body).split()) or len(rest.split()) :] == " ".join(body).split()
