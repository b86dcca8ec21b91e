from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from onehead.service.engine import Everything, Job, PullChanged, Subject, WorkQueue


def job(repository: str, *subjects: int | Subject) -> Job:
    return Job(repository, frozenset(PullChanged(s) if isinstance(s, int) else s for s in subjects))


def queue_of(*jobs: Job) -> WorkQueue:
    queue = WorkQueue()
    for each in jobs:
        queue.add(each, 0)
    return queue


def test_jobs_of_one_repository_are_merged_and_others_are_not() -> None:
    queue = queue_of(job("a/a", 1), job("b/b", 2), job("a/a", 3))

    assert queue.waiting == 2
    assert [queue.take(0), queue.take(0), queue.take(0)] == [job("a/a", 1, 3), job("b/b", 2), None]
    assert (queue.waiting, queue.running) == (0, 2)


def test_what_arrives_during_a_run_makes_one_more_run_afterwards() -> None:
    queue = queue_of(job("a/a", 1))
    first = queue.take(0)
    assert first is not None
    queue.add(job("a/a", 2), 0)
    queue.add(job("a/a", 3), 0)

    assert queue.take(0) is None
    queue.finish(first)
    assert queue.take(0) == job("a/a", 2, 3)
    assert queue.take(0) is None


def test_a_failed_run_keeps_its_subjects_until_it_is_due() -> None:
    queue = queue_of(job("a/a", 1))
    first = queue.take(0)
    assert first is not None
    queue.postpone(first, due=5)

    assert (queue.next_due(), queue.waiting, queue.running) == (5, 1, 0)
    assert queue.take(4.9) is None
    assert queue.take(5) == job("a/a", 1)
    assert queue.next_due() is None


def test_an_event_does_not_wait_for_the_retry_and_takes_its_subjects_along() -> None:
    queue = queue_of(job("a/a", 1))
    first = queue.take(0)
    assert first is not None
    queue.postpone(first, due=1000)
    queue.add(job("a/a", 2), 0)

    assert queue.take(0) == job("a/a", 1, 2)
    assert queue.next_due() is None


def test_a_failed_run_with_news_is_due_at_once() -> None:
    queue = queue_of(job("a/a", 1))
    first = queue.take(0)
    assert first is not None
    queue.add(job("a/a", 2), 0)
    queue.postpone(first, due=1000)

    assert queue.next_due() is None
    assert queue.take(0) == job("a/a", 1, 2)


def test_events_go_before_the_sweep_and_lift_a_repository_out_of_it() -> None:
    queue = queue_of(
        job("a/a", Everything()), job("b/b", Everything()), job("c/c", 1), job("b/b", 2), job("c/c", Everything())
    )

    assert [queue.take(0) for _ in range(4)] == [
        job("c/c", 1, Everything()),
        job("b/b", 2, Everything()),
        job("a/a", Everything()),
        None,
    ]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, no subject is lost and no repository runs twice at once."""

    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue()
        self.now = 0.0
        self.owed: dict[str, set[Subject]] = {}  # added, not yet in a run that finished
        self.running: dict[str, Job] = {}

    @rule(
        repository=st.sampled_from(["a/a", "b/b", "c/c"]),
        subject=st.one_of(st.integers(1, 4).map(PullChanged), st.just(Everything())),
    )
    def add(self, repository: str, subject: Subject) -> None:
        self.queue.add(job(repository, subject), 0)
        self.owed.setdefault(repository, set()).add(subject)

    @rule(target=taken)
    def take(self) -> object:
        next_job = self.queue.take(self.now)
        if next_job is None:
            return multiple()
        assert next_job.repository not in self.running
        assert next_job.subjects == self.owed.pop(next_job.repository)
        self.running[next_job.repository] = next_job
        return next_job

    @rule(done=consumes(taken))
    def finish(self, done: Job) -> None:
        del self.running[done.repository]
        self.queue.finish(done)

    @rule(failed=consumes(taken), delay=st.floats(0, 10))
    def postpone(self, failed: Job, delay: float) -> None:
        del self.running[failed.repository]
        self.owed.setdefault(failed.repository, set()).update(failed.subjects)
        self.queue.postpone(failed, self.now + delay)

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.running == len(self.running)
        assert self.queue.waiting == len(self.owed)

    def teardown(self) -> None:
        for left in list(self.running.values()):
            self.finish(left)
        later = self.now + 1000
        while (rest := self.queue.take(later)) is not None:
            assert rest.subjects == self.owed.pop(rest.repository)
            self.queue.finish(rest)
        assert self.owed == {}


TestAnyOrder = AnyOrder.TestCase
