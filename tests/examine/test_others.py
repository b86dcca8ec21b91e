"""The refs of a repository: their order, and which revisions they hold."""

from __future__ import annotations

from pathlib import Path

from onehead.examine.evidence import Others, RefIndex
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import Holding
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse, revision_of
from tests.repositories import Repository


def test_pull_requests_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "shop.git")
    sha = repo.commit("main", {"README.md": "x\n"})
    repo.tag("v1", sha)
    for number in (100, 9, 10):
        repo.git("update-ref", f"refs/pull/{number}/head", sha)
    names = [ref.name for ref in Others(Git(repo.path), Memory(None)).refs]
    assert names == [
        "refs/heads/main",
        "refs/pull/9/head",
        "refs/pull/10/head",
        "refs/pull/100/head",
        "refs/tags/v1",
    ]


class Counted(dict[str, list[Revision]]):
    """Revisions by tree, which counts how often it is asked."""

    asked = 0

    def __getitem__(self, tree: str) -> list[Revision]:
        self.asked += 1
        return super().__getitem__(tree)


def test_a_tree_that_thousands_of_refs_share_is_gone_through_once() -> None:
    ours, theirs = made("018"), made("019", "017", "018")
    for count in (2, 2000):
        refs = [Holding(f"refs/heads/b{number:04}", f"{number:040}", {"versions": "old"}) for number in range(count)]
        trees = Counted(old=[ours], new=[ours, theirs])
        last = Holding("refs/tags/v1", "f" * 40, {"versions": "new", "copy": "new"})
        standing = RefIndex([*refs, last], trees)
        assert standing.with_id("018") == standing.with_blob(ours.blob) == [*refs, last]
        assert standing.with_id("019") == [last]
        assert standing.with_id("020") == []
        assert list(standing.merges()) == [(theirs, last)] * 2
        assert standing.names(lambda at: at.ref.startswith("refs/heads/")) == {"018", "018_x"}
        assert standing.names(lambda at: at.ref == "refs/tags/v1") == {"018", "018_x", "019", "019_x"}
        assert standing.names(lambda _at: False) == frozenset()
        assert trees.asked == 2


def made(id_: str, *parents: str) -> Revision:
    text = f"revision = {id_!r}\ndown_revision = {parents!r}\n".encode()
    found = revision_of(f"{id_}_x.py", f"blob of {id_}", parse(text))
    assert isinstance(found, Revision)
    return found
