"""Repositories with large files: mirrors do without them, and fetch those that a verdict or a repair needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.mirror import Mirror, Mirrors
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.migrations import chain, merged
from tests.stories.colliding import BASE
from tests.stories.test_fork_pulls import collide

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.stories.conftest import Service

LARGEST = 100_000
LINES = "".join(f"{number:09}\n" for number in range(LARGEST // 10 + 1))
"""Of a file that is just too large."""


@pytest.fixture
def fetched(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The service keeps mirrors without files that tests can afford; how many large files it fetched, each time."""
    service.context.mirrors = Mirrors(tmp_path / "narrow", largest=LARGEST)
    times: list[int] = []
    real = Mirror._bring

    def count(mirror: Mirror, oids: Collection[str]) -> None:
        times.append(len(oids))
        real(mirror, oids)

    monkeypatch.setattr(Mirror, "_bring", count)
    return times


def left_out(service: Service) -> int:
    """How many large files are not in the mirror."""
    url = f"{service.context.forgejo_url}/{service.project.repository.full_name}.git"
    with service.context.mirrors.hold(url) as mirror:
        return mirror.git.run("rev-list", "--objects", "--all", "--missing=print").count(b"?")


def test_both_sides_have_edited_a_large_file(service: Service, fetched: list[int]) -> None:
    project = service.project
    start = merged(BASE, {"data/teams.csv": LINES, "data/logo.bin": f"logo\n{LINES}"})
    project.copy.commit(start, "Start")
    project.copy.push()
    sha = project.push_branch("oauth", merged(chain(("020", "018")), {"data/teams.csv": f"{LINES}last\n"}))
    number = project.open_pull("oauth")["number"]
    project.copy.commit(merged(chain(("019", "018")), {"data/teams.csv": f"first\n{LINES}"}), "Player teams")
    project.copy.push()
    service.settle()

    assert service.status(sha)[0] == "failure"
    assert "cannot judge" not in service.verdicts(number)[0]["body"]
    [repair] = service.repairs()
    assert fetched == [3]
    assert left_out(service) == 1  # nobody needs the logo
    project.merge(repair["number"])
    service.settle()
    project.copy.git("fetch", "-q", "origin", "oauth")
    assert project.copy.git("show", "FETCH_HEAD:data/teams.csv") == f"first\n{LINES}last"
    assert "## :tada: Repaired" in service.verdicts(number)[0]["body"]


@pytest.mark.slow
def test_both_sides_have_put_something_else_in_the_place_of_a_large_file(service: Service, fetched: list[int]) -> None:
    project = service.project
    project.copy.commit(merged(BASE, {"logo.bin": f"1\n{LINES}"}), "Start")
    project.copy.push()
    project.push_branch("oauth", merged(chain(("020", "018")), {"logo.bin": f"2\n{LINES}"}))
    number = project.open_pull("oauth")["number"]
    project.copy.commit(merged(chain(("019", "018")), {"logo.bin": f"3\n{LINES}"}), "Player teams")
    project.copy.push()
    service.settle()

    assert fetched == [3]
    assert service.repairs() == []
    assert "logo.bin" in service.verdicts(number)[0]["body"]


def test_a_fork_is_given_the_large_files_that_it_lacks(
    service: Service, fetched: list[int], work_copy: WorkCopies, api_of: Apis
) -> None:
    policy = {".onehead.toml": 'delivery = "push"\n', "old.bin": f"old\n{LINES}"}
    number, theirs, _ = collide(
        service, work_copy, api_of, edits=True, policy=policy, target={"new.bin": f"new\n{LINES}"}
    )
    theirs.pull()

    assert fetched == [1]
    assert theirs.git("show", "HEAD:new.bin") == f"new\n{LINES}".strip()
    assert "019" in theirs.git("show", "HEAD:alembic/versions/020_t020.py")
    assert "is repaired" in service.verdicts(number)[0]["body"]
