"""What passes between the door and the engine's process."""

from __future__ import annotations

import json

import pytest

from onehead.databases.reported import RowsReported
from onehead.service.door import read_job, written_job
from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, Job, PullChanged


@pytest.mark.parametrize(
    "subject",
    [
        BranchMoved("refs/heads/main"),
        BranchGone("refs/heads/ä"),
        PullChanged(7),
        CommandGiven(3, 7, may_write=None),
        CommandGiven(3, 7, may_write=False),
        RowsReported("production", "alembic", ("018", "019"), "2026-11-28T10:15:00Z"),
        RowsReported("production", "", None, "2026-11-28T10:15:00Z"),
    ],
)
def test_a_job_arrives_as_it_was(subject: BranchMoved) -> None:
    job = Job("acme/shop", frozenset({subject, PullChanged(1)}), ("9f0c-1",))
    arrived = read_job(json.loads(json.dumps(written_job(job))))
    assert (arrived, arrived.deliveries) == (job, job.deliveries)


def test_a_door_asks_for_nothing_that_is_the_sweeps() -> None:
    with pytest.raises(ValueError, match="knows nothing of Everything"):
        read_job(written_job(Job("acme/shop", frozenset({Everything()}))))
