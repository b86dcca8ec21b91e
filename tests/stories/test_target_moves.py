"""A target moves: no event is sent for the pull requests into it, and all of them are judged again in one pass."""

from __future__ import annotations

from typing import Any

import pytest

from onehead.forge.client import ApiAnswer, Connection
from onehead.gitrepo.mirror import Mirror
from onehead.service.engine import BranchMoved, Job
from tests.migrations import chain, merged
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def test_open_pull_requests_go_from_heads_up_to_collision_without_a_push(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    shas = {name: service.project.push_branch(name, chain((name, "018"))) for name in ("019", "020", "021")}
    numbers = {name: service.project.open_pull(name, title=name)["number"] for name in shas}
    service.settle()
    before = {name: service.verdicts(number)[0] for name, number in numbers.items()}
    assert all("Heads-up" in comment["body"] for comment in before.values())
    assert all(service.status(sha)[0] == "success" for sha in shas.values())

    service.project.merge(numbers["019"])
    service.settle()

    for name in ("020", "021"):
        [after] = service.verdicts(numbers[name])
        assert after["id"] == before[name]["id"]
        assert f"`{name}` and `main` both add a migration after `018`" in after["body"]
        assert service.status(shas[name])[0] == "failure"
    assert sorted(repair["base"]["ref"] for repair in service.repairs()) == ["020", "021"]


def test_all_of_them_share_one_fetch_and_one_list_of_pull_requests(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one more pull request costs is a handful of requests for its own comment, status and repair."""
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    names = [f"02{number}" for number in range(4)]
    for name in names:
        service.project.push_branch(name, merged(chain((name, "018")), {f"{name}.txt": "x\n"}))
        service.project.open_pull(name, title=f"WIP: {name}")
    service.settle()
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.project.forgejo.wait_until_quiet()
    service.settle()

    fetches, requests = [], []
    fetch, send = Mirror.fetch, Connection.send

    def counted_fetch(mirror: Mirror) -> None:
        fetches.append(mirror)
        fetch(mirror)

    def counted_send(connection: Connection, method: str, path: str, *rest: Any, **more: Any) -> ApiAnswer:
        requests.append(f"{method} {path.removeprefix(service.project.repository.path)}")
        return send(connection, method, path, *rest, **more)

    monkeypatch.setattr(Mirror, "fetch", counted_fetch)
    monkeypatch.setattr(Connection, "send", counted_send)
    service.project.forgejo.lose_webhooks(True)
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.engine.submit(Job(service.project.repository.full_name, frozenset({BranchMoved("refs/heads/main")})))
    service.engine.wait_until_idle(30)

    assert len(fetches) == 1
    assert requests.count("GET /pulls") == 1
    assert all(service.status(service.project.copy.git("rev-parse", name))[0] == "failure" for name in names)
    shared = [line for line in requests if line in ("GET ", "GET /pulls")]
    assert len(shared) == 2
    # The target's own status (read, write), and for each draft: its comments and its status, unchanged.
    assert len(requests) <= 6 + 3 * len(names), requests
