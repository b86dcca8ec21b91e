"""Tests of judging: what it finds is a value that can be sent to another process."""

from __future__ import annotations

import json
from pathlib import Path

from onehead.examine.read import memory_for
from onehead.examine.repair import confirm, write_drafts
from onehead.gitrepo.git import Git
from onehead.plan.verdict import Point
from onehead.service.judge import Analysis, Judge, Judged
from onehead.service.wire import Wire
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

WRITTEN = (
    "# {}\nrevision = '0003'\ndown_revision = '0002'\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
)


def analysis_of(mirror: Path, cache: Path) -> Analysis:
    return Analysis(Git.of_our_own(mirror), memory_for("https://forge.test/ann/shop.git", cache))


def collision(place: Path) -> tuple[Analysis, Git, Point, Point]:
    """Two branches that each add a revision on the same head."""
    repository = Repository(place / "repository.git")
    repository.commit("main", merged(project(), chain(("a1", None), ("a2", "a1"))))
    repository.branch("oauth", "main")
    head = repository.commit("oauth", revision("b1", "a2"))
    target = repository.commit("main", revision("a3", "a2"))
    analysis = analysis_of(repository.path, place / "cache")
    points = Point("refs/heads/main", target), Point("refs/heads/oauth", head)
    return analysis, Git.of_our_own(repository.path), *points


def test_what_was_judged_is_a_value_from_which_the_repair_is_written(tmp_path: Path) -> None:
    analysis, git, target, head = collision(tmp_path)
    sent = json.dumps(Wire().write(analysis.judge(target, head, None), Judged))
    judged: Judged = Wire().read(json.loads(sent), Judged)
    assert judged.examination.verdict == "collision"
    assert "+Revises: a3" in judged.diff
    assert [item.revision.id for item in judged.brought] == ["b1"]
    assert list(judged.tables) == ["alembic/versions"]
    draft = judged.repair
    assert draft is not None
    assert draft.kind == "reparent"
    [written] = write_drafts(git, [draft])
    assert written.merged_first
    confirm(draft, analysis.written(target, Point(head.ref, written.sha)))
    repaired = analysis.judge(target, Point(head.ref, written.sha), None)
    assert repaired.is_ok
    assert repaired.repair is None


def test_nothing_is_judged_twice(tmp_path: Path) -> None:
    analysis, _, target, head = collision(tmp_path)
    learnt: list[Judged] = []
    judge = Judge(analysis, learnt.append)
    assert judge.judged(target, head) is judge.judged(target, head)
    assert judge.judged(target, head, "merge").repair != judge.judged(target, head).repair
    assert len(learnt) == 2


def test_what_can_not_be_read_is_tried_once(tmp_path: Path) -> None:
    analysis, _, target, _ = collision(tmp_path)
    judge = Judge(analysis, lambda _judged: None)
    missing = Point("refs/heads/gone", "1" * 40)
    errors = []
    for _ in range(2):
        try:
            judge.judged(target, missing)
        except Exception as error:
            errors.append(error)
    assert len(errors) == 2
    assert errors[0] is errors[1]
