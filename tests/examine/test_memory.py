"""What was parsed before: remembered across processes, and never in the way when the file is spoiled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.examine.read import Memory, memory_for
from onehead.revisions.model import Declared, Dynamic
from onehead.revisions.parse import parse
from onehead.revisions.parsers import SPENT

RICH = Declared("b", ("a", "c"), ("d",), ("x",), "doc ü", ("a",), (Dynamic("depends_on", 3, "f()"),))
SOURCES = [
    b"",
    b"revision = 'b'\ndown_revision = None\n",
    b"revision = f()\n",
    b"\0",
    b"x = = 1",
    b"revision = 'b'\ndown_revision = 'a'\nx = (\n",
]


@pytest.mark.parametrize("declared", [RICH, Declared(), *map(parse, SOURCES)])
def test_what_was_learned_is_known_to_the_next_process(tmp_path: Path, declared: Declared) -> None:
    first = memory_for("/srv/repo", tmp_path)
    first.learn({"1" * 40: declared})
    first.save()
    assert memory_for("/srv/repo", tmp_path).recall(["1" * 40, "2" * 40]) == {"1" * 40: declared}


def test_repositories_do_not_see_each_others_files(tmp_path: Path) -> None:
    first = memory_for("/srv/one", tmp_path)
    first.learn({"1" * 40: RICH})
    first.save()
    assert memory_for("/srv/two", tmp_path).recall(["1" * 40]) == {}


def test_nothing_is_written_when_nothing_is_new(tmp_path: Path) -> None:
    memory = memory_for("/srv/repo", tmp_path)
    memory.recall(["1" * 40])
    memory.save()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    memory = memory_for("/srv/repo", tmp_path / "file")
    memory.learn({"1" * 40: RICH})
    memory.save()
    assert memory.recall(["1" * 40]) == {"1" * 40: RICH}


def test_a_file_for_which_nothing_was_left_is_read_the_next_time(tmp_path: Path) -> None:
    memory = memory_for("/srv/repo", tmp_path)
    memory.learn({"1" * 40: Declared(broken=SPENT)})
    assert memory.recall(["1" * 40]) == {}


def test_without_a_place_it_only_remembers_here() -> None:
    memory = Memory(None)
    memory.learn({"1" * 40: RICH})
    memory.save()
    assert memory.recall(["1" * 40]) == {"1" * 40: RICH}


def test_the_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONEHEAD_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name, below in (
        ("ONEHEAD_CACHE_DIR", "parsed"),
        ("XDG_CACHE_HOME", "onehead/parsed"),
        ("HOME", ".cache/onehead/parsed"),
    ):
        memory = memory_for("/srv/repo")
        memory.learn({"1" * 40: RICH})
        memory.save()
        assert len(list((tmp_path / name / below).iterdir())) == 1
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "spoiled",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff", b'{"format": 0, "blobs": {}}', b"[" * 100_000],
)
def test_a_spoiled_file_is_read_anew(tmp_path: Path, spoiled: bytes) -> None:
    first = memory_for("/srv/repo", tmp_path)
    first.learn({"1" * 40: RICH})
    first.save()
    [file] = tmp_path.iterdir()
    file.write_bytes(spoiled)
    again = memory_for("/srv/repo", tmp_path)
    assert again.recall(["1" * 40]) == {}
    again.learn({"1" * 40: RICH})
    again.save()
    assert memory_for("/srv/repo", tmp_path).recall(["1" * 40]) == {"1" * 40: RICH}


@pytest.mark.parametrize(
    "record", [None, 5, [], ["b"], [1] * 20, {"a": 1}, ["b", 5, "", None], ["b", None, "", None, [], [], 7]]
)
def test_a_spoiled_record_is_read_anew(tmp_path: Path, record: object) -> None:
    first = memory_for("/srv/repo", tmp_path)
    first.learn({"1" * 40: RICH})
    first.learn({"2" * 40: RICH})
    first.save()
    [file] = tmp_path.iterdir()
    stored = json.loads(file.read_bytes())
    stored["blobs"]["1" * 40] = record
    file.write_text(json.dumps(stored))
    assert memory_for("/srv/repo", tmp_path).recall(["1" * 40, "2" * 40]) == {"2" * 40: RICH}


@given(st.lists(st.text(max_size=5), max_size=3), st.text(max_size=20))
def test_any_text_survives(ids: list[str], doc: str) -> None:
    memory = Memory(None)
    declared = Declared(ids[0] if ids else None, tuple(ids), tuple(ids), (), doc, tuple(ids))
    memory.learn({"1" * 40: declared})
    assert memory.recall(["1" * 40])["1" * 40] == declared
