from __future__ import annotations

import pytest

from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, Job, PullChanged


def test_a_job_without_subjects_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a job for acme/shop without subjects asks for nothing$"):
        Job("acme/shop", frozenset())


def test_merging_unites_the_subjects_and_drops_repetitions() -> None:
    moved = BranchMoved("refs/heads/main")
    first = Job("acme/shop", frozenset({moved, PullChanged(7)}))
    second = Job("acme/shop", frozenset({BranchMoved("refs/heads/main"), BranchGone("refs/heads/main")}))

    assert first.merged_with(second) == Job(
        "acme/shop", frozenset({moved, PullChanged(7), BranchGone("refs/heads/main")})
    )


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ({Everything()}, True),
        ({Everything(), PullChanged(1)}, False),
        ({CommandGiven(comment=5, number=1)}, False),
    ],
)
def test_only_a_sweep_alone_is_routine(subjects: set[Everything], expected: bool) -> None:
    assert Job("acme/shop", frozenset(subjects)).is_routine is expected
