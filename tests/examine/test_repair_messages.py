"""What the commits of a repair say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.policy import Strategy
from tests.examine.end_to_end import repaired
from tests.migrations import project, revision
from tests.repositories import Repository

DEEP = "services/league/basketball/database/migrations/alembic/versions"


def messages(folder: Path, versions: str, topic: tuple[str, ...], strategy: Strategy, name: str = "topic") -> list[str]:
    """The messages of a repair, the fix first; `topic`: the revisions of the branch, one on top of the other."""
    repo = Repository(folder / "repo")
    base = revision("018", None, versions=versions)
    repo.commit("main", project(versions) | base)
    repo.branch(name, "main")
    repo.commit("main", revision("019", "018", versions=versions))
    for parent, id_ in zip(("018", *topic), topic, strict=False):
        repo.commit(name, revision(id_, parent, f"mine{id_}", versions=versions))
    result = repaired(repo, name, strategy=strategy)
    assert result.written is not None
    count = 2 if result.written.merged_first else 1
    return repo.git("log", "-z", "--first-parent", f"-{count}", "--format=%B", result.sha()).rstrip("\0").split("\0")


@pytest.mark.parametrize(
    ("versions", "topic", "strategy", "subject"),
    [
        ("db/versions", ("020",), "auto", "db/versions: move this branch's migration onto the newest one"),
        ("db/versions", ("020", "021"), "auto", "db/versions: move this branch's migrations onto the newest one"),
        ("db/versions", ("020",), "merge", "db/versions: merge 2 heads of the migration chain"),
        ("db/versions", ("019",), "auto", "db/versions: give this branch's migration an id of its own"),
        (DEEP, ("020",), "auto", "migrations: move this branch's migration onto the newest one"),
    ],
)
def test_the_subject_is_short_and_says_how_many(
    tmp_path: Path, versions: str, topic: tuple[str, ...], strategy: Strategy, subject: str
) -> None:
    fix = messages(tmp_path, versions, topic, strategy)[0]
    first, _, body = fix.partition("\n\n")
    assert first == subject
    assert body
    assert all(len(line) <= 72 for line in body.splitlines() if " " in line)
    assert (DEEP in body) is (versions == DEEP)


def test_the_merge_beneath_names_both_sides_in_full(tmp_path: Path) -> None:
    name = "feature/" + "-".join(["a-rather-long-name"] * 4)
    _, below = messages(tmp_path, "db/versions", ("020",), "auto", name)
    subject, _, body = below.strip().partition("\n\n")
    assert subject == "Merge the target into this branch"
    assert body.split() == ["Merge", "main", "into", name]


def test_several_environments_have_one_subject_and_a_paragraph_each(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    places = ("one/versions", "two/versions")
    for place in places:
        repo.commit("main", project(place) | revision("018", None, versions=place))
    repo.branch("topic", "main")
    for place in places:
        repo.commit("main", revision("019", "018", versions=place))
        repo.commit("topic", revision("020", "018", versions=place))
    examined = repaired(repo)
    message = repo.git("log", "-1", "--format=%B", examined.sha())
    assert message.startswith("migrations: repair 2 environments\n\none/versions: move this branch's migration onto")
    assert "\n\ntwo/versions: move this branch's migration onto the newest one\n\n" in message
    assert all(len(line) <= 72 for line in message.splitlines())
