"""REST: the statuses of commits. They are only ever added; the newest of a context counts."""

from __future__ import annotations

from typing import Any

from tests.standin import gitside, shapes
from tests.standin.merging import latest_statuses, worst
from tests.standin.rest import Answer, Call, RefusedError, Routes
from tests.standin.world import Status

routes = Routes("repository")


def _status(call: Call, item: Status) -> dict[str, Any]:
    return shapes.status(call.forge.world, call.repo, item)


@routes.post("/repos/{owner}/{repo}/statuses/{sha}", "write")
def create_status(call: Call) -> Answer:
    """Add a status. Neither the state nor the context is checked: both may even be missing."""
    sha = gitside.resolve(call.repo.path, call.path["sha"])
    if not sha:
        raise RefusedError(404, call.path["sha"], [])
    kept = call.repo.statuses.setdefault(sha, [])
    item = Status(
        id=len(kept) + 1,
        sha=sha,
        state=call.body.get("state") or "",
        context=call.body.get("context") or "",
        description=call.body.get("description") or "",
        target_url=call.body.get("target_url") or "",
        creator=call.doer,
    )
    kept.append(item)
    return Answer(201, _status(call, item))


@routes.get("/repos/{owner}/{repo}/statuses/{ref:path}")
def statuses(call: Call) -> Answer:
    return _statuses(call)


@routes.get("/repos/{owner}/{repo}/commits/{ref}/statuses")
def statuses_of_ref(call: Call) -> Answer:
    return _statuses(call)


def _statuses(call: Call) -> Answer:
    sha = gitside.resolve(call.repo.path, call.path["ref"]) or call.path["ref"]
    # Newest first by the second; within one second in the order they came.
    newest_first = sorted(call.repo.statuses.get(sha, []), key=lambda item: item.created, reverse=True)
    return call.paged(newest_first, lambda item: _status(call, item), all_without_page=True)


@routes.get("/repos/{owner}/{repo}/commits/{ref}/status")
def combined_status(call: Call) -> Answer:
    if call.repo.is_empty:
        raise RefusedError(500, "")
    sha = gitside.resolve(call.repo.path, call.path["ref"])
    found = latest_statuses(call.repo, sha)
    state = worst([item.state for item in found])
    empty = {
        "state": "",
        "sha": "",
        "total_count": 0,
        "statuses": None,
        "repository": None,
        "commit_url": "",
        "url": "",
    }
    if not found:
        return Answer(200, empty)
    shown = {
        "state": "failure" if state == "error" else state,
        "sha": sha,
        "total_count": len(found),
        "statuses": [_status(call, item) for item in found],
        "repository": shapes.repository(call.forge.world, call.repo, call.level),
    }
    return Answer(200, empty | shown, {"X-Total-Count": str(len(found))})
