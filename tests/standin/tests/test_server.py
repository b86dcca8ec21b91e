from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import httpx

from tests.forgejos.administration import Api
from tests.forgejos.port import eventually
from tests.forgejos.standin import StandinForgejo
from tests.forgejos.workcopy import WorkCopy
from tests.standin.server import StandinServer
from tests.standin.world import Timing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forgejos.administration import HostedRepository


def own_threads() -> set[threading.Thread]:
    """Threads of this process; those that AnyIO lends to the servers of other tests come and go."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("AnyIO")}


def test_stopping_leaves_nothing_behind() -> None:
    before = own_threads()

    with StandinServer() as server:
        assert httpx.get(f"{server.url}/api/v1/version", trust_env=False).status_code == 200
        assert server.root.is_dir()

    assert not server.root.exists()
    assert own_threads() <= before
    with StandinServer(port=int(server.url.rsplit(":", 1)[1])) as again:
        assert again.url == server.url


class Scene:
    """A stand-in with timing of its own, a repository with a first commit, and its owner."""

    def __init__(self, timing: Timing, folder: Path) -> None:
        self.forgejo = StandinForgejo(timing)
        self.owner = self.forgejo.admin.create_user("ann")
        self.repository: HostedRepository = self.forgejo.admin.create_repository(self.owner)
        self.api = Api(self.forgejo.url, self.owner)
        self.copy = WorkCopy(folder / "clone", self.forgejo.url, self.repository, self.owner)
        self.copy.commit({"README.md": "# Project\n"})
        self.copy.push()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.forgejo.stop()


def test_a_first_push_is_noticed_late(tmp_path: Path) -> None:
    with Scene(Timing(push_update=4.0), tmp_path) as scene:
        scene.copy.push("main:refs/heads/topic")
        body = {"head": "topic", "base": "main", "title": "T"}
        path = f"{scene.repository.path}/pulls"

        refusal = scene.api.call("POST", path, body, expect=404)

        assert refusal["message"] == "The target couldn't be found."
        eventually(lambda: scene.api.ask("POST", path, body).status_code == 201)


def test_after_a_push_a_pull_request_is_checked_anew_and_stale_until_then(tmp_path: Path) -> None:
    with Scene(Timing(push_update=0.0, conflict_check=3.0), tmp_path) as scene:
        fork_point = scene.copy.git("rev-parse", "HEAD")
        scene.copy.branch("topic")
        scene.copy.commit({"a.txt": "a\n"})
        scene.copy.push()
        path = f"{scene.repository.path}/pulls"
        eventually(lambda: not scene.api.get(scene.repository.path)["empty"])
        body = {"head": "topic", "base": "main", "title": "T"}
        assert scene.api.call("POST", path, body, expect=201)["mergeable"] is True

        scene.copy.switch("main")
        base = scene.copy.commit({"b.txt": "b\n"})
        scene.copy.git("checkout", "-q", "-B", "topic", "main")
        scene.copy.commit({"a.txt": "a\nb\n"})
        scene.copy.push("main", "topic", force=True)

        eventually(lambda: not scene.api.get(f"{path}/1")["mergeable"])
        stale = scene.api.get(f"{path}/1")
        refusal = scene.api.call("POST", f"{path}/1/merge", {"Do": "merge"}, expect=405)
        eventually(lambda: scene.api.get(f"{path}/1")["mergeable"])
        fresh = scene.api.get(f"{path}/1")

        assert (stale["merge_base"], stale["changed_files"], stale["base"]["sha"]) == (fork_point, 2, base)
        assert refusal["message"] == "Please try again later"
        assert (fresh["merge_base"], fresh["changed_files"], fresh["base"]["sha"]) == (base, 1, base)


def test_the_forge_knows_when_it_has_nothing_left_to_do(tmp_path: Path) -> None:
    with Scene(Timing(push_update=2.0), tmp_path) as scene:
        busy = not scene.forgejo.server.forge.idle

        scene.forgejo.wait_until_quiet()

        assert (busy, scene.forgejo.server.forge.idle) == (True, True)
        assert scene.api.get(scene.repository.path)["empty"] is False
