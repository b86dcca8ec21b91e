from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.commit import CommitDraft, CommitSeries, Signature, write_commits
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import MirrorBusy, Mirrors
from onehead.gitrepo.process import GitTimeout, MissingObjects
from onehead.gitrepo.refs import list_refs
from onehead.gitrepo.remote import PushOutcome, PushStatus, RefUpdate, RemoteRefused, RemoteUnreachable
from onehead.gitrepo.tree import list_tree, read
from onehead.revisions.model import FileChange
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onehead.gitrepo.mirror import Mirror


BOT = Signature("onehead", "onehead@example.com", datetime(2024, 5, 1, 10, tzinfo=UTC))


def fixed(git: Git, start: str, data: bytes) -> str:
    draft = CommitDraft("Fix\n", [FileChange("a.py", data)])
    [[sha]] = write_commits(git, CommitSeries(start, [draft], BOT))
    return sha


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "cache", timeout=60)


@pytest.fixture
def mirror(repo: Repository, mirrors: Mirrors) -> Iterator[Mirror]:
    """The mirror of `repo`, held, not fetched yet."""
    with mirrors.hold(f"file://{repo.path}") as held:
        yield held


def test_commands_that_talk_to_the_forge_are_reported(repo: Repository, tmp_path: Path) -> None:
    steps: list[str] = []
    sha = repo.commit("main", {"a.py": "1"})
    mirrors = Mirrors(tmp_path / "cache", observe=lambda step, seconds: steps.append(step if seconds > 0 else ""))
    with mirrors.hold(f"file://{repo.path}") as held:
        held.fetch()
        held.push([RefUpdate("refs/heads/new", sha, None)])

    assert [*dict.fromkeys(steps)] == ["fetch", "ls-remote", "push"]


def test_the_size_of_all_mirrors_is_known_without_a_walk(repo: Repository, tmp_path: Path) -> None:
    repo.commit("main", {"a.bin": os.urandom(100_000).hex()})
    mirrors = Mirrors(tmp_path / "cache")
    with mirrors.hold(f"file://{repo.path}") as held:
        held.fetch()
    assert mirrors.size() == 0

    mirrors.make_room()
    assert 100_000 < mirrors.size() < 250_000


def hook(repo: Repository, name: str, script: str) -> None:
    place = repo.path / "hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def everything(git: Git) -> dict[str, str]:
    return {ref.name: ref.sha for ref in list_refs(git)}


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(repo: Repository, mirrors: Mirrors) -> None:
    repo.commit("main", {"a.py": "1\n"})
    with ForgeOverHttp(repo.path.parent) as other, Redirecting(other.url) as url:
        with mirrors.hold(f"{url}/{repo.path.name}", TOKEN) as held, pytest.raises(RemoteUnreachable) as caught:
            held.fetch()
        assert other.authorizations == set()
    assert "another address" in caught.value.message
    assert TOKEN not in caught.value.message


class Redirecting:
    """A server that sends every request to another one."""

    def __init__(self, target: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"{target}{self.path}")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class TestFetch:
    def test_the_mirror_equals_the_forge_each_time(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        topic = repo.commit("topic", {"b.py": "1\n"}, parents=[one])
        repo.tag("v1", one, "Release")
        repo.git("update-ref", "refs/pull/7/head", topic)
        repo.git("update-ref", "refs/notes/private", one)
        mirror.fetch()
        assert everything(mirror.git) == {
            "refs/heads/main": one,
            "refs/heads/topic": topic,
            "refs/pull/7/head": topic,
            "refs/tags/v1": one,
        }
        other = repo.commit("topic", {"c.py": "1\n"}, parents=[one])  # a forced push
        repo.git("update-ref", "-d", "refs/heads/main")
        repo.git("tag", "-d", "v1")
        repo.git("update-ref", "refs/heads/main/below", one)  # a directory where a branch was
        mirror.fetch()
        assert everything(mirror.git) == {
            "refs/heads/main/below": one,
            "refs/heads/topic": other,
            "refs/pull/7/head": topic,
        }
        assert list(list_tree(mirror.git, other).entries) == ["a.py", "c.py"]

    def test_the_default_branch(self, mirror: Mirror, repo: Repository) -> None:
        repo.git("symbolic-ref", "HEAD", "refs/heads/trunk")
        mirror.fetch()
        assert mirror.default_branch() is None  # nothing in it yet
        one = repo.commit("trunk", {"a.py": "1\n"})
        two = repo.commit("main", {"a.py": "2\n"})
        mirror.fetch()
        assert mirror.default_branch() == "refs/heads/trunk"
        assert mirror.git.run("rev-parse", "HEAD").decode().strip() == one
        repo.git("symbolic-ref", "HEAD", "refs/heads/main")
        assert mirror.default_branch() == "refs/heads/main"
        assert mirror.git.run("rev-parse", "HEAD").decode().strip() == two

    def test_a_clone_knows_the_default_branch(self, mirror: Mirror, repo: Repository) -> None:
        sha = repo.commit("trunk", {"a.py": "1\n"})
        repo.git("symbolic-ref", "HEAD", "refs/heads/trunk")
        mirror.fetch()
        assert mirror.git.run("symbolic-ref", "HEAD") == b"refs/heads/trunk\n"
        assert mirror.git.run("rev-parse", "HEAD").decode().strip() == sha

    def test_no_such_repository(self, mirrors: Mirrors, tmp_path: Path) -> None:
        with mirrors.hold(f"file://{tmp_path}/nowhere.git") as held, pytest.raises(RemoteRefused) as caught:
            held.fetch()
        assert "does not appear to be a git repository" in caught.value.message

    def test_variables_of_the_service_do_not_leak_in(
        self, mirror: Mirror, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sha = repo.commit("main", {"a.py": "1\n"})
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "stray"))
        mirror.fetch()
        assert everything(mirror.git) == {"refs/heads/main": sha}
        assert not (tmp_path / "stray").exists()

    def test_only_the_transport_of_the_url_is_open(self, mirrors: Mirrors, repo: Repository) -> None:
        repo.commit("main", {"a.py": "1\n"})
        with mirrors.hold(f"file://{repo.path}") as held:
            held.fetch()
            reading = held.git.ask("fetch", "origin")
        assert reading.code == 128
        assert "transport 'file' not allowed" in reading.err


class TestHealing:
    @pytest.mark.parametrize(
        "damage",
        [
            "rm HEAD",
            "rm config",
            "echo nonsense > config",
            "rm -r refs",
            "find objects -type f -delete",
            "rm -r objects",
            "for f in $(find objects -type f); do chmod +w $f; : > $f; done",
            "for f in $(find objects -type f); do chmod +w $f; echo rubbish > $f; done",
            "mkdir -p refs/heads; touch refs/heads/main.lock",
            "touch packed-refs.lock; git pack-refs --all 2>/dev/null; echo nonsense > packed-refs",
            "cd ..; for d in *.git; do rm -r $d; done",
        ],
    )
    @pytest.mark.parametrize("filters", ["true", "false"])
    def test_a_damaged_mirror_is_replaced(self, mirrors: Mirrors, tmp_path: Path, damage: str, filters: str) -> None:
        repo = Repository(tmp_path / "repo.git")
        repo.git("config", "uploadpack.allowFilter", filters)
        repo.commit("main", {"a.py": "1\n"})
        with mirrors.hold(f"file://{repo.path}") as held:
            held.fetch()
            subprocess.run(["sh", "-c", damage], cwd=held.git.directory, check=True)
            sha = repo.commit("main", {"b.py": "2\n"})
            held.fetch()
            assert everything(held.git) == {"refs/heads/main": sha}
            assert held.git.ask("fsck", "--strict").code == 0
            blobs = read(held.git, [entry.oid for entry in list_tree(held.git, sha).entries.values()]).data
            assert sorted(blobs.values()) == [b"1\n", b"2\n"]

    def test_what_a_fetch_does_not_notice_is_mended_on_request(self, mirror: Mirror, repo: Repository) -> None:
        sha = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        blob = mirror.git.run("rev-parse", f"{sha}:a.py").decode().strip()
        for file in (Path(mirror.git.directory) / "objects" / "pack").iterdir():
            file.unlink()
        mirror.fetch()
        mirror.rebuild()
        assert read(mirror.git, [blob]).data == {blob: b"1\n"}

    def test_a_forge_that_is_away_costs_no_mirror(self, mirrors: Mirrors, repo: Repository) -> None:
        sha = repo.commit("main", {"a.py": "1\n"})
        with mirrors.hold(f"file://{repo.path}") as held:
            held.fetch()
            away = repo.path.rename(repo.path.with_name("away"))
            with pytest.raises(RemoteRefused):
                held.fetch()
            assert everything(held.git) == {"refs/heads/main": sha}
            away.rename(repo.path)
            held.fetch()


class TestPush:
    def test_what_becomes_of_each_ref(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        moved = repo.commit("moved", {"b.py": "1\n"}, parents=[one])
        repo.branch("old", one)
        mirror.fetch()
        sha = fixed(mirror.git, one, b"2\n")
        outcomes = mirror.push(
            [
                RefUpdate("refs/heads/onehead/merge/x", sha, None),
                RefUpdate("refs/heads/main", sha, one),
                RefUpdate("refs/heads/moved", sha, one),
                RefUpdate("refs/heads/old", None, one),
                RefUpdate("refs/heads/nosuch", sha, one),
            ]
        )
        assert outcomes == [
            PushOutcome("refs/heads/onehead/merge/x", PushStatus.OK),
            PushOutcome("refs/heads/main", PushStatus.OK),
            PushOutcome("refs/heads/moved", PushStatus.STALE, "[rejected] (stale info)"),
            PushOutcome("refs/heads/old", PushStatus.OK),
            PushOutcome("refs/heads/nosuch", PushStatus.STALE, "[rejected] (stale info)"),
        ]
        assert everything(Git(repo.path)) == {
            "refs/heads/main": sha,
            "refs/heads/moved": moved,
            "refs/heads/onehead/merge/x": sha,
        }
        assert mirror.push([RefUpdate("refs/heads/main", sha, one)]) == [
            PushOutcome("refs/heads/main", PushStatus.UP_TO_DATE)
        ]
        assert mirror.push([]) == []

    def test_a_branch_is_rewritten_only_from_where_it_was_seen(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("main", {"a.py": "2\n"})
        mirror.fetch()
        assert mirror.push([RefUpdate("refs/heads/main", one, two)])[0].status is PushStatus.OK
        assert repo.sha("main") == one

    def test_a_hook_that_refuses(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        hook(repo, "pre-receive", "echo 'no: \033[31mtwo heads\033[0m'; echo 'see the docs' >&2; exit 1")
        assert mirror.push([RefUpdate("refs/heads/x", one, None)]) == [
            PushOutcome("refs/heads/x", PushStatus.REFUSED, "no:  two heads \nsee the docs")
        ]

    def test_a_hook_that_refuses_without_a_word_and_only_one_ref(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        hook(repo, "update", 'test "$1" = refs/heads/x')
        assert mirror.push([RefUpdate("refs/heads/x", one, None), RefUpdate("refs/heads/y", one, None)]) == [
            PushOutcome("refs/heads/x", PushStatus.OK),
            PushOutcome("refs/heads/y", PushStatus.REFUSED, "error: hook declined to update refs/heads/y"),
        ]

    def test_a_hook_that_refuses_the_whole_push_keeps_back_the_forbidden_ref_only(
        self, mirror: Mirror, repo: Repository, tmp_path: Path
    ) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("stale", {"a.py": "2\n"})
        mirror.fetch()
        log = tmp_path / "pushes"
        hook(
            repo,
            "pre-receive",
            f"echo push >> {log}; while read old new ref; do test $ref != refs/heads/r3 || exit 1; done",
        )
        updates = [RefUpdate(f"refs/heads/r{number}", one, None) for number in range(8)]
        found = mirror.push([*updates, RefUpdate("refs/heads/stale", one, one)])
        assert [each.status.name for each in found] == ["OK"] * 3 + ["REFUSED"] + ["OK"] * 4 + ["STALE"]
        assert [each.ref for each in found[:-1]] == [each.ref for each in updates]
        assert repo.sha("stale") == two
        assert repo.ref("refs/heads/r3") is None
        assert log.read_text().count("push") == 7

    def test_no_permission_said_by_the_hook_of_the_forge(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        hook(repo, "pre-receive", "echo 'Forgejo: User permission denied for writing.' >&2; exit 1")
        assert mirror.push([RefUpdate("refs/heads/x", one, None)]) == [
            PushOutcome("refs/heads/x", PushStatus.FORBIDDEN, "Forgejo: User permission denied for writing.")
        ]

    def test_somebody_is_faster_while_the_push_is_under_way(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        two = repo.commit("other", {"a.py": "2\n"}, parents=[one])
        mirror.fetch()
        hook(repo, "pre-receive", f"unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main {two}")
        sha = fixed(mirror.git, one, b"3\n")
        (outcome,) = mirror.push([RefUpdate("refs/heads/main", sha, one)])
        assert outcome.status is PushStatus.STALE
        assert repo.sha("main") == two

    def test_a_forge_that_is_away(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        repo.path.rename(repo.path.with_name("away"))
        with pytest.raises(RemoteRefused):
            mirror.push([RefUpdate("refs/heads/x", one, None)])

    def test_a_commit_that_the_mirror_does_not_have(self, mirror: Mirror, repo: Repository) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        mirror.fetch()
        with pytest.raises(MissingObjects):
            mirror.push([RefUpdate("refs/heads/x", "1" * len(one), None)])
        assert everything(Git(repo.path)) == {"refs/heads/main": one}

    def test_a_hook_that_hangs(self, repo: Repository, tmp_path: Path) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        with Mirrors(tmp_path / "cache", timeout=60).hold(f"file://{repo.path}") as held:
            held.fetch()
        hook(repo, "pre-receive", "sleep 20")
        start = time.monotonic()
        with Mirrors(tmp_path / "cache", timeout=1).hold(f"file://{repo.path}") as held, pytest.raises(GitTimeout):
            held.push([RefUpdate("refs/heads/x", one, None)])
        assert time.monotonic() - start < 10


class TestHolding:
    def test_one_thread_at_a_time(self, mirrors: Mirrors, repo: Repository) -> None:
        repo.commit("main", {"a.py": "1\n"})
        inside: list[int] = []
        most: list[int] = []

        def work() -> None:
            with mirrors.hold(f"file://{repo.path}") as held:
                inside.append(1)
                most.append(len(inside))
                held.fetch()
                inside.pop()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1, 1, 1, 1]

    def test_another_process_has_it(self, repo: Repository, tmp_path: Path) -> None:
        repo.commit("main", {"a.py": "1\n"})
        url = f"file://{repo.path}"
        code = (
            "import sys; from pathlib import Path; from onehead.gitrepo.mirror import Mirrors\n"
            "with Mirrors(Path(sys.argv[1])).hold(sys.argv[2]):\n    print('held', flush=True); sys.stdin.read()\n"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "cache"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        mine = Mirrors(tmp_path / "cache", timeout=0.3)
        with pytest.raises(MirrorBusy), mine.hold(url):
            pass
        with mine.hold(f"{url}2"):  # another repository is free
            pass
        holder.communicate()
        with mine.hold(url):
            pass

    def test_each_repository_has_its_own_place(self, mirrors: Mirrors) -> None:
        places = set()
        for url in ("http://h/o/r.git", "http://h/o/r", "http://h/O/R", "http://h:1/o/r", "http://h/../../o%2fr"):
            with mirrors.hold(url) as held:
                places.add(held.git.directory)
        assert len(places) == 5
        assert len({Path(place).parent for place in places}) == 1


class TestOverHttp:
    def test_the_token_opens_the_door_and_is_seen_nowhere(
        self, mirrors: Mirrors, repo: Repository, tmp_path: Path
    ) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        with ForgeOverHttp(tmp_path) as forge, mirrors.hold(f"{forge.url}/repo.git", TOKEN) as held:
            held.fetch()
            assert everything(held.git) == {"refs/heads/main": one}
            sha = fixed(held.git, one, b"2\n")
            assert held.push([RefUpdate("refs/heads/main", sha, one)]) == [
                PushOutcome("refs/heads/main", PushStatus.OK)
            ]
            assert forge.authorizations == {"Basic b25laGVhZDpzM2NyZXQtdG9rZW4="}
            on_disk = [p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()]
            assert not any(TOKEN.encode() in data or b"b25laGVhZ" in data for data in on_disk)
        assert repo.sha("main") == sha

    def test_a_wrong_token(self, mirrors: Mirrors, repo: Repository, tmp_path: Path) -> None:
        repo.commit("main", {"a.py": "1\n"})
        with (
            ForgeOverHttp(tmp_path) as forge,
            mirrors.hold(f"{forge.url}/repo.git", "wr0ng") as held,
            pytest.raises(RemoteRefused) as caught,
        ):
            held.fetch()
        assert "write:repository" in caught.value.hint
        assert "wr0ng" not in caught.value.message

    def test_a_token_that_may_only_read(self, mirrors: Mirrors, repo: Repository, tmp_path: Path) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        with ForgeOverHttp(tmp_path) as forge, mirrors.hold(f"{forge.url}/repo.git", TOKEN) as held:
            held.fetch()
            forge.writable = False
            (outcome,) = held.push([RefUpdate("refs/heads/x", one, None)])
        assert outcome.status is PushStatus.FORBIDDEN
        assert "403" in outcome.text

    def test_a_forge_in_trouble(self, mirrors: Mirrors, repo: Repository, tmp_path: Path) -> None:
        one = repo.commit("main", {"a.py": "1\n"})
        with ForgeOverHttp(tmp_path) as forge, mirrors.hold(f"{forge.url}/repo.git", TOKEN) as held:
            held.fetch()
            forge.broken = True
            with pytest.raises(RemoteUnreachable):
                held.fetch()
            with pytest.raises(RemoteUnreachable):
                held.push([RefUpdate("refs/heads/x", one, None)])
            assert [ref.name for ref in list_refs(held.git)] == ["refs/heads/main"]

    def test_no_forge_at_all(self, mirrors: Mirrors, tmp_path: Path) -> None:
        with ForgeOverHttp(tmp_path) as forge:
            url = f"{forge.url}/repo.git"
        with mirrors.hold(url) as held, pytest.raises(RemoteUnreachable):
            held.fetch()
