"""Mirrors without large files: what they hold, and what is fetched when it is needed after all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onehead.gitrepo.commit import CommitDraft, CommitSeries, MergedIn, write_commits
from onehead.gitrepo.git import Git, conversation
from onehead.gitrepo.history import introduced, renamed, vanished
from onehead.gitrepo.left_out import FilesLeftOut, PathChange, lacking, read_by_merge
from onehead.gitrepo.merge import merge_trees, write_clean_merge, write_merged_tree
from onehead.gitrepo.mirror import Mirror, Mirrors
from onehead.gitrepo.process import MissingObjects
from onehead.gitrepo.remote import PushOutcome, PushStatus, RefUpdate, RemoteUnreachable
from onehead.gitrepo.tree import Contents, Entry, list_tree, read
from onehead.revisions.model import MAX_BYTES
from onehead.throwaway import throwaway
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.gitrepo.test_mirror import BOT
from tests.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST = 10_000
_LINES = "".join(f"{number}\n" for number in range(2 * LARGEST // 5))


def large(*first: str, last: str = "") -> str:
    """A text that is too large to be a revision file: like others, but for what is told."""
    return "".join(f"{line}\n" for line in first) + _LINES + last


FORMS = {"file": "sha1", "http": "sha256"}


@pytest.fixture(params=FORMS)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def repo(scheme: str, tmp_path: Path) -> Repository:
    """A bare repository of a server that takes filters, as Forgejo does."""
    repo = Repository(tmp_path / "repo.git", object_format=FORMS[scheme])
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    return repo


@pytest.fixture
def url(scheme: str, repo: Repository) -> Iterator[str]:
    if scheme == "file":
        yield f"file://{repo.path}"
    else:
        with ForgeOverHttp(repo.path.parent) as forge:
            yield f"{forge.url}/{repo.path.name}"


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "cache", timeout=60, largest=LARGEST)


@pytest.fixture
def mirror(url: str, mirrors: Mirrors) -> Iterator[Mirror]:
    """The mirror of `repo`, held, not fetched yet."""
    with mirrors.hold(url, TOKEN) as held:
        yield held


def absent(git: Git) -> int:
    """How many objects of its history a repository lacks."""
    return git.run("rev-list", "--objects", "--all", "--missing=print").count(b"?")


def both_edit(repo: Repository) -> tuple[str, str, str]:
    """Three commits: a base with a large file, and two that edit it at either end and bring a small file each."""
    base = repo.commit("main", {"data/big.csv": large("x"), "small.py": "s\n", "other.bin": large("other")})
    main = repo.commit("main", {"data/big.csv": large("top", "x"), "m.py": "m\n", "more.bin": large("more")})
    topic = repo.commit("topic", {"data/big.csv": large("x", last="end\n"), "t.py": "t\n"}, parents=[base])
    return base, main, topic


class TestFetch:
    def test_large_files_stay_where_they_are(self, mirror: Mirror, repo: Repository) -> None:
        exact = "x" * LARGEST
        sha = repo.commit("main", {"a.py": "1\n", "exact.py": exact, "big.py": exact + "x", "data/b.bin": large()})
        mirror.fetch()
        assert mirror.git.leaves_out() == LARGEST
        oids = {path: entry.oid for path, entry in list_tree(mirror.git, sha).entries.items()}
        left_out = {oids["big.py"]: LARGEST + 1, oids["data/b.bin"]: LARGEST + 1}
        kept = {oids["a.py"]: b"1\n", oids["exact.py"]: exact.encode()}
        assert absent(mirror.git) == 2
        assert read(mirror.git, oids.values(), LARGEST) == Contents(kept, left_out)
        assert read(Git(mirror.git.directory), oids.values(), LARGEST) == Contents(kept, left_out)
        assert not [*Path(mirror.git.directory).glob("hooks/*")]

    def test_what_comes_later(self, mirror: Mirror, repo: Repository) -> None:
        repo.commit("main", {"a.py": "1\n", "big.bin": large("1")})
        mirror.fetch()
        for number in range(2, 5):
            sha = repo.commit("main", {f"a{number}.py": "1\n", "big.bin": large(str(number))})
            mirror.fetch()
            assert absent(mirror.git) == number
        assert [ref.decode() for ref in mirror.git.run("rev-parse", "main").split()] == [sha]
        assert "promisor" not in (Path(mirror.git.directory) / "config").read_text()

    def test_a_large_file_that_has_become_small(self, mirror: Mirror, repo: Repository) -> None:
        """The server sends how it differs from the large one, which it takes for known here."""
        lines = "".join(f"{number:07}\n" for number in range(LARGEST // 8 + 1))
        repo.commit("main", {"data.py": lines})
        repo.git("gc", "--quiet")
        mirror.fetch()
        assert absent(mirror.git) == 1
        sha = repo.commit("main", {"data.py": lines[: LARGEST // 2]})
        repo.git("gc", "--quiet")
        mark = Path(mirror.git.directory) / "mark"
        mark.touch()
        mirror.fetch()
        assert mark.exists()  # it was not cloned anew
        [oid] = [entry.oid for entry in list_tree(mirror.git, sha).entries.values()]
        assert read(mirror.git, [oid], LARGEST).data == {oid: lines[: LARGEST // 2].encode()}

    def test_a_lost_tree_is_no_file_that_was_left_out(self, mirror: Mirror, repo: Repository) -> None:
        sha = repo.commit("main", {"versions/a.py": "1\n"})
        mirror.fetch()
        with pytest.raises(MissingObjects), conversation(mirror.git) as objects:
            [*objects.contents(["1" * len(sha)], 10)]
        with pytest.raises(MissingObjects):
            read(mirror.git, ["1" * len(sha)], LARGEST + 1)  # as large a file would not have been left out

    def test_git_collects_garbage(self, mirror: Mirror, repo: Repository) -> None:
        """As a fetch does now and then, with what the fetch itself sees."""
        repo.commit("main", {"big.bin": large()})
        for number in range(3):
            sha = repo.commit("main", {f"{number}.py": "1\n"})
            mirror.fetch()
        mirror._filtering.run("gc", "--quiet", "--prune=now")
        assert len([*Path(mirror.git.directory).glob("objects/pack/*.pack")]) == 1
        assert absent(mirror.git) == 1
        repo.commit("main", {"last.py": "1\n"})
        mirror.fetch()
        assert list_tree(mirror.git, "main").entries.keys() - list_tree(mirror.git, sha).entries.keys() == {"last.py"}

    def test_nothing_is_fetched_behind_our_back(self, mirror: Mirror, repo: Repository) -> None:
        sha = repo.commit("main", {"big.bin": large()})
        mirror.fetch()
        answer = mirror._talking.ask("cat-file", "-p", f"{sha}:big.bin")
        assert (answer.code, absent(mirror.git)) == (128, 1)

    @pytest.mark.parametrize(
        ("key", "value"),
        [("uploadpack.allowFilter", "false"), ("uploadpackfilter.allow", "false")],
        ids=["ignores filters", "refuses filters"],
    )
    def test_a_server_that_takes_no_filter(self, mirror: Mirror, repo: Repository, key: str, value: str) -> None:
        repo.git("config", key, value)
        base, main, topic = both_edit(repo)
        mirror.fetch()
        assert (mirror.git.leaves_out(), absent(mirror.git)) == (None, 0)
        repo.git("config", key, "true")
        repo.commit("main", {"later.bin": large("later")})
        mirror.fetch()
        assert (mirror.git.leaves_out(), absent(mirror.git)) == (None, 0)
        assert merge_trees(mirror.git, main, topic).merge_base == base

    @pytest.mark.parametrize("key", ["uploadpack.allowFilter", "uploadpackfilter.allow"])
    def test_a_server_that_takes_no_filter_any_more(self, mirror: Mirror, repo: Repository, key: str) -> None:
        _, main, topic = both_edit(repo)
        mirror.fetch()
        left_out = absent(mirror.git)
        repo.git("config", key, "false")
        repo.commit("main", {"later.bin": large("later")})
        mirror.fetch()
        assert absent(mirror.git) in (0, left_out)
        assert mirror.with_files(lambda: write_clean_merge(mirror.git, main, topic))

    def test_a_whole_mirror_stays_whole(self, mirror: Mirror, repo: Repository, url: str) -> None:
        both_edit(repo)
        place = Path(mirror.git.directory)
        repo.git("clone", "--quiet", "--mirror", "--template=", str(repo.path), str(place))
        repo.git("--git-dir", str(place), "config", "remote.origin.url", url)
        (place / "mark").touch()
        repo.commit("main", {"later.bin": large("later")})
        mirror.fetch()
        assert (place / "mark").exists()
        assert (mirror.git.leaves_out(), absent(mirror.git)) == (None, 0)

    def test_a_mirror_of_a_version_that_left_out_more_is_cloned_anew(self, mirror: Mirror, repo: Repository) -> None:
        repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        mirror.git.run("config", "onehead.leavesOut", str(LARGEST - 1))
        mark = Path(mirror.git.directory) / "mark"
        mark.touch()
        mirror.fetch()
        assert (mirror.git.leaves_out(), mark.exists()) == (LARGEST, False)


def test_no_file_that_could_be_a_revision_is_left_out(repo: Repository, tmp_path: Path) -> None:
    sha = repo.commit("main", {"a.py": "x" * MAX_BYTES, "b.py": "x" * (MAX_BYTES + 1)})
    with Mirrors(tmp_path / "cache").hold(f"file://{repo.path}") as mirror:
        mirror.fetch()
        oids = [entry.oid for entry in list_tree(mirror.git, sha).entries.values()]
        assert [*read(mirror.git, oids, MAX_BYTES).too_large.values()] == [MAX_BYTES + 1]


class TestMerge:
    def test_what_both_sides_have_edited_is_fetched_in_one_go(self, mirror: Mirror, repo: Repository) -> None:
        base, main, topic = both_edit(repo)
        mirror.fetch()
        assert absent(mirror.git) == 5
        with pytest.raises(FilesLeftOut) as caught:
            merge_trees(mirror.git, main, topic)
        wanted = {repo.git("rev-parse", f"{sha}:data/big.csv").strip() for sha in (base, main, topic)}
        assert set(caught.value.oids) == wanted
        merged = mirror.with_files(lambda: merge_trees(mirror.git, main, topic))
        whole = merge_trees(Git(repo.path), main, topic)
        assert (dict(merged.entries), merged.conflicts) == (dict(whole.entries), {})
        assert merged.entries["data/big.csv"].oid not in wanted
        assert absent(mirror.git) == 2  # both of the files that nobody needs

    def test_a_conflict(self, mirror: Mirror, repo: Repository) -> None:
        base = repo.commit("main", {"big.bin": large("0")})
        main = repo.commit("main", {"big.bin": large("1")})
        topic = repo.commit("topic", {"big.bin": large("2")}, parents=[base])
        mirror.fetch()
        merged = mirror.with_files(lambda: merge_trees(mirror.git, main, topic))
        assert [*merged.conflicts] == ["big.bin"]
        assert mirror.with_files(lambda: write_clean_merge(mirror.git, main, topic)) is None

    def test_a_renamed_file_is_found_again(self, mirror: Mirror, repo: Repository) -> None:
        base = repo.commit("main", {"big.csv": large("x")})
        main = repo.commit("main", {"big.csv": large("top", "x")})
        moved = {"big.csv": None, "moved.csv": large("x", last="end\n")}
        topic = repo.commit("topic", moved, parents=[base])
        mirror.fetch()
        merged = mirror.with_files(lambda: merge_trees(mirror.git, main, topic))
        assert dict(merged.entries) == dict(merge_trees(Git(repo.path), main, topic).entries)
        assert [*merged.entries] == ["moved.csv"]

    def test_unrelated_and_crossing_histories(self, mirror: Mirror, repo: Repository) -> None:
        base = repo.commit("main", {"big.csv": large("x")})
        repo.commit("main", {"big.csv": large("top", "x")})
        repo.commit("topic", {"big.csv": large("x", last="end\n")}, parents=[base])
        one = repo.merge("main", "topic")
        repo.branch("main", "main~1")
        other = repo.merge("topic", "main")
        one = repo.commit("one", {"big.csv": large("first", "top", "x", last="end\n")}, parents=[one])
        other = repo.commit("other", {"big.csv": large("top", "x", last="end\nlast\n")}, parents=[other])
        alien = repo.commit("alien", {"big.csv": large("y"), "a.py": "a\n"}, parents=[])
        mirror.fetch()
        whole = Git(repo.path)
        for side in (other, alien):
            merged = mirror.with_files(lambda side=side: merge_trees(mirror.git, one, side))  # type: ignore[misc]
            wanted = merge_trees(whole, one, side)
            assert (dict(merged.entries), merged.conflicts) == (dict(wanted.entries), wanted.conflicts)

    @pytest.mark.parametrize("open_", [True, False])
    def test_clean_merges_are_written_without_large_files(self, mirror: Mirror, repo: Repository, open_: bool) -> None:
        base = repo.commit("main", {"a.py": "1\n", "old.bin": large("old")})
        main = repo.commit("main", {"big.bin": large("new"), "m.py": "m\n"})
        topic = repo.commit("topic", {"b.py": "1\n", "theirs.bin": large("theirs")}, parents=[base])
        mirror.fetch()
        sha = merged_in(mirror.git if open_ else Git(mirror.git.directory), main, topic)
        assert absent(mirror.git) == 3
        assert mirror.push([RefUpdate("refs/heads/repair", sha, None)])[0].status is PushStatus.OK
        assert repo.files("repair") == ["a.py", "b.py", "big.bin", "m.py", "old.bin", "theirs.bin"]
        assert repo.git("fsck", "--connectivity-only") == ""

    def test_a_forge_that_is_away_meanwhile(self, mirror: Mirror, repo: Repository) -> None:
        _, main, topic = both_edit(repo)
        mirror.fetch()
        away = repo.path.rename(repo.path.with_name("away"))
        with pytest.raises(Exception, match=r"refused access|not be reached") as caught:
            mirror.with_files(lambda: merge_trees(mirror.git, main, topic))
        assert not isinstance(caught.value, MissingObjects)
        away.rename(repo.path)
        assert mirror.with_files(lambda: merge_trees(mirror.git, main, topic)).conflicts == {}

    def test_a_server_that_gives_no_single_object(self, tmp_path: Path, mirrors: Mirrors) -> None:
        repo = Repository(tmp_path / "old.git")
        repo.git("config", "uploadpack.allowFilter", "true")
        _, main, topic = both_edit(repo)
        with mirrors.hold(f"file://{repo.path}") as held:
            old = held._filtering.variant(config=(("protocol.version", "0"),))
            held._filtering = old
            held.fetch()
            assert absent(held.git) == 5
            assert held.with_files(lambda: merge_trees(held.git, main, topic)).conflicts == {}
            assert (held.git.leaves_out(), absent(held.git)) == (None, 0)


def merged_in(git: Git, target: str, head: str) -> str:
    """A commit on the head that merges the target into it, with a fix on top."""
    merge = CommitDraft("Merge\n", (), MergedIn(target, write_merged_tree(git, target, head)))
    [[sha]] = write_commits(git, CommitSeries(head, [merge], BOT))
    return sha


class TestPushToAFork:
    @pytest.fixture
    def fork(self, repo: Repository, scheme: str) -> Repository:
        """A fork of the first commit alone, with a branch of its own."""
        base = repo.commit("main", {"a.py": "1\n", "old.bin": large("old")})
        repo.commit("main", {"big.bin": large("new"), "m.py": "m\n"})
        topic = repo.commit("topic", {"b.py": "1\n"}, parents=[base])
        repo.git("update-ref", "refs/pull/1/head", topic)
        fork = Repository(repo.path.with_name("fork.git"), object_format=FORMS[scheme])
        fork.git("fetch", "--quiet", str(repo.path), "refs/pull/1/head:refs/heads/topic")
        repo.git("update-ref", "-d", "refs/heads/topic")
        return fork

    def test_what_it_lacks_is_fetched_first(self, mirror: Mirror, repo: Repository, fork: Repository, url: str) -> None:
        mirror.fetch()
        main, topic = repo.sha("main"), fork.sha("topic")
        sha = merged_in(mirror.git, main, topic)
        assert len(lacking(mirror.git, [sha], [topic])) == 1
        there = url.replace("repo.git", "fork.git")
        assert mirror.push([RefUpdate("refs/heads/topic", sha, topic)], there) == [
            PushOutcome("refs/heads/topic", PushStatus.OK)
        ]
        assert fork.read("topic", "big.bin") == large("new")
        assert absent(mirror.git) == 1  # the fork has the old one

    def test_what_it_has_on_another_branch_is_not(
        self, mirror: Mirror, repo: Repository, fork: Repository, url: str
    ) -> None:
        fork.git("fetch", "--quiet", str(repo.path), "main:refs/heads/main")
        fork.commit("main", {"more.py": "1\n"})
        fork.git("update-ref", "refs/heads/copy", repo.sha("main"))
        mirror.fetch()
        topic = fork.sha("topic")
        sha = merged_in(mirror.git, repo.sha("main"), topic)
        there = url.replace("repo.git", "fork.git")
        assert mirror.push([RefUpdate("refs/heads/topic", sha, topic)], there)[0].status is PushStatus.OK
        assert absent(mirror.git) == 2

    def test_a_fork_that_is_away(self, mirror: Mirror, repo: Repository, fork: Repository, url: str) -> None:
        mirror.fetch()
        topic = fork.sha("topic")
        sha = merged_in(mirror.git, repo.sha("main"), topic)
        with pytest.raises(Exception, match="refused access") as caught:
            mirror.push([RefUpdate("refs/heads/topic", sha, topic)], url.replace("repo.git", "gone.git"))
        assert not isinstance(caught.value, MissingObjects | RemoteUnreachable)


class TestHistory:
    def test_who_brought_what_takes_no_large_file(self, mirror: Mirror, repo: Repository) -> None:
        both_edit(repo)
        repo.merge("main", "topic")
        sha = repo.commit("main", {"small.py": None, "renamed.py": "s\n", "more.bin": None, "moved.bin": large("m2")})
        mirror.fetch()
        assert introduced(mirror.git, ["t.py"], "main", [])["t.py"].sha == repo.sha("topic")
        assert renamed(mirror.git, sha) == {"renamed.py": "small.py"}

    def test_large_python_files(self, mirror: Mirror, repo: Repository) -> None:
        repo.commit(
            "main", {"versions/a.py": "revision = '1'\n", "versions/big.py": large("x"), "data.bin": large("d")}
        )
        sha = repo.commit("main", {"versions/big.py": None, "versions/a.py": None, "versions/new.py": large("y")})
        mirror.fetch()
        assert renamed(mirror.git, sha) == {}
        with pytest.raises(FilesLeftOut):
            vanished(mirror.git, "'1'", ["versions"])
        found = mirror.with_files(lambda: vanished(mirror.git, "'1'", ["versions"]))
        assert [(each.commit.sha, each.path) for each in found] == [(sha, "versions/a.py")]
        assert absent(mirror.git) == 1


def entry(path: str, oid: str) -> Entry:
    return Entry(path, "100644", oid)


def changed(**paths: str) -> dict[str, PathChange]:
    """Path → `old>new`, by letters; `.` stands for slashes in paths."""
    found = {}
    for name, change in paths.items():
        old, _, new = change.partition(">")
        path = name.replace("_", "/")
        found[path] = PathChange(entry(path, old) if old else None, entry(path, new) if new else None)
    return found


@pytest.mark.parametrize(
    ("one", "other", "needed"),
    [
        ({"a": "1>2"}, {"b": "3>4"}, ""),
        ({"a": "1>2"}, {"a": "1>3"}, "123"),
        ({"a": "1>2"}, {"a": "1>2"}, ""),
        ({"a": ">2"}, {"a": ">3"}, "23"),
        ({"a": "1>"}, {"a": "1>3"}, "13"),
        ({"a": "1>", "b": ">2"}, {"a": "1>3"}, "123"),
        ({"a": "1>", "b": ">1"}, {"a": "1>3"}, "13"),  # git knows it by its id
        ({"a": "1>", "b": ">2"}, {"c": "4>5"}, ""),  # nobody asks where it went
        ({"d_a": "1>", "e_a": ">2"}, {"d_c": ">5"}, "12"),  # the directory may have moved
        ({"d_a": "1>", "e_a": ">2"}, {"c": ">5"}, ""),
    ],
)
def test_what_a_merge_reads(one: dict[str, str], other: dict[str, str], needed: str) -> None:
    assert read_by_merge(changed(**one), changed(**other)) == set(needed)
    assert read_by_merge(changed(**other), changed(**one)) == set(needed)


LINES = [f"line {number}\n" for number in range(12)]
NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/a"])
CONTENTS = st.sets(st.integers(0, 11), max_size=4).map(
    lambda cut: "".join(f"{line.strip()} cut\n" if at in cut else line for at, line in enumerate(LINES))
)
TREES = st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=5)
SIDES = st.dictionaries(NAMES, st.none() | CONTENTS, max_size=5)


@pytest.mark.slow
class TestEveryMerge:
    @given(before=TREES, ours=SIDES, theirs=SIDES)
    @settings(deadline=None)
    def test_git_reads_nothing_else(
        self, before: Mapping[str, str], ours: Mapping[str, str | None], theirs: Mapping[str, str | None]
    ) -> None:
        """Git merges where no file is but those that it was said to read; and makes of them what it makes of all."""
        with throwaway("merge") as place:
            repo = Repository(place / "repo.git")
            base = repo.commit("base", before)
            sides = [
                repo.commit(name, within(before, side), parents=[base]) for name, side in (("m", ours), ("t", theirs))
            ]
            whole = merge_trees(Git(repo.path), *sides)
            for oid in {each.oid for sha in (base, *sides) for each in list_tree(Git(repo.path), sha).entries.values()}:
                (repo.path / "objects" / oid[:2] / oid[2:]).rename(repo.path / oid)
            repo.git("config", "onehead.leavesOut", "1")
            try:
                merged = merge_trees(Git(repo.path), *sides)
            except FilesLeftOut as lack:
                for oid in lack.oids:
                    (repo.path / oid).rename(repo.path / "objects" / oid[:2] / oid[2:])
                merged = merge_trees(Git(repo.path), *sides)
            assert (dict(merged.entries), merged.conflicts) == (dict(whole.entries), whole.conflicts)


def within(before: Mapping[str, str], side: Mapping[str, str | None]) -> dict[str, str | None]:
    """The same changes, but for deletions of what is not there."""
    return {path: text for path, text in side.items() if text is not None or path in before}
