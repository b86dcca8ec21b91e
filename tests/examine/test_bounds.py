"""What the files of an examination may cost together, whoever asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.examine.changes import prepare
from onehead.examine.examine import examine, read_target
from onehead.examine.locations import schema_effects_in
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.plan.findings import Code, Evidence
from onehead.plan.plans import Refuse
from onehead.plan.verdict import Examination, Point
from onehead.revisions import parsers
from tests.migrations import VERSIONS, chain, merged, project
from tests.repositories import Repository
from tests.shapes import SHAPES, make

WORKED_OUT = "import os\nrevision = 'b{n}' + ''\ndown_revision = '002'\n\ndef upgrade():\n    pass\n"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """`main` has two plain revisions; `topic` adds ten that have to be parsed."""
    repo = Repository(tmp_path / "shop.git")
    repo.commit("main", merged(project(), chain(("001", None), ("002", "001"))))
    repo.branch("topic", "main")
    repo.commit("topic", {f"{VERSIONS}/b{n}.py": WORKED_OUT.format(n=n) for n in range(10)})
    return repo


def judged(repo: Repository, memory: Memory) -> Examination:
    points = [Point(name, repo.sha(name)) for name in ("main", "topic")]
    git = Git(repo.path)
    return examine(git, *points, memory=memory, evidence=lambda _f, _p: Evidence())[0]


def unread(examination: Examination) -> list[str]:
    [examined] = examination.environments
    return sorted(file.path for file in examined.facts.merged.unreadable)


def test_what_is_left_when_all_is_spent_is_named_and_the_same_each_time(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unread(judged(repo, Memory(None))) == []
    one = parsers.pieces(WORKED_OUT.format(n=0).encode())
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 5 * one)
    first = judged(repo, Memory(None))
    assert 0 < len(unread(first)) < 10
    assert unread(judged(repo, Memory(None))) == unread(first)
    [examined] = first.environments
    told = [finding for finding in examined.findings if finding.code == Code.UNREADABLE_FILE]
    assert sorted(path for finding in told for path in finding.paths) == unread(first)
    assert all(finding.severity == "error" for finding in told)


def test_what_was_read_before_costs_nothing_so_the_next_time_the_rest_is_read(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = parsers.pieces(WORKED_OUT.format(n=0).encode())
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 5 * one)
    memory = Memory(None)
    left = [len(unread(judged(repo, memory))) for _ in range(12)]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


def test_a_target_that_is_read_for_many_branches_has_an_allowance_of_its_own(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 0)
    against = read_target(Git(repo.path), Point("main", repo.sha("main")), Memory(None))
    assert not any(chain.graph.unreadable for chain in against.reading.survey.chains.values())


def test_the_bodies_of_all_revisions_share_one(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    point = Point("main", repo.sha("main"))
    examination, trees = examine(Git(repo.path), point, None, memory=Memory(None), evidence=lambda _f, _p: Evidence())
    facts = examination.environments[0].facts
    assert not any(each.unseen for each in schema_effects_in(facts, trees).values())
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 100)
    assert any(each.unseen for each in schema_effects_in(facts, trees).values())


def test_nobody_waits_for_hundreds_of_merges(tmp_path: Path) -> None:
    """Each would be modelled on files that have to be read; a chain with so many forks is no accident."""
    shape = SHAPES["lines on a trunk"](60)
    repo = make(tmp_path / "shop.git", shape)
    git, points = Git(repo.path), [Point(name, repo.sha(name)) for name in ("main", "side")]
    found, trees = examine(git, *points, memory=Memory(None), evidence=lambda _f, _p: Evidence())
    [examined] = prepare(found, trees).examination.environments
    assert isinstance(examined.plan, Refuse)
    assert "merge revisions would be needed, and at most 50 are written" in examined.plan.reasons[0].message
