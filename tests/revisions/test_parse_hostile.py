"""Whatever the bytes are: parse never raises, never runs anything, and never takes long."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.model import MAX_BYTES, Declared
from onehead.revisions.parse import parse, plain_header, syntax_tree
from onehead.revisions.syntax import read_lines

PIECES = [
    *(b"revision", b"down_revision", b" = ", b"= ", b": str", b"'a'", b'"b"', b"(", b")", b"[", b"]", b",", b"\n"),
    *(b"\r", b"\t", b"    ", b"#", b'"""', b"'''", b"\\", b"None", b"def f():", b"if x:", b"import *", b"from x "),
    *(b"+", b"f'{x}'", b"\xff", b"\0", b"\xef\xbb\xbf", b"# coding: utf-7", b"global revision", b"lambda: ", b":="),
    *(b"print x", b"class A:", b";", b"<<<<<<< x", b"*", b"{", b"}", b"="),
]


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    found = parse(data)
    assert isinstance(found, Declared)
    assert found.broken == "" or (found.revision, found.parents) == (None, None)
    assert isinstance(read_lines(data), Declared)


HOSTILE = {
    "strings without commas": b"revision = (" + b'"a"  ' * 60 + b"x\n",
    "spaces after a colon": b"revision: " + b" " * 100_000 + b"!\n",
    "spaces in an import": b"import a" + b" " * 100_000 + b"!\n",
    "doubling strings": b'a = "x"\n' + b"a = a + a\n" * 80 + b"revision = a\ndown_revision = None\n",
    "doubling tuples": b'a = ("x",)\n' + b"a = a + a\n" * 80 + b"revision = 'r'\ndown_revision = a\n",
    "nested tuples": b'a = ("x",)\n' + b"a = (a, a)\n" * 80 + b"revision = a\ndown_revision = None\n",
    "a block that binds thousands": b"if x:\n"
    + b"".join(b"    v%d = 1\n" % n for n in range(8_000))
    + b"revision = x\n",
    "a chain of targets": b"a = " * 20_000 + b'"x"\nrevision = f(x)\n',
    "an unpacking of thousands": b", ".join(b"v%d" % n for n in range(8_000)) + b" = f()\nrevision = x\n",
    "deep signs": b"revision = " + b"-" * 50_000 + b"1\n",
    "deep attributes": b"revision = a" + b".a" * 50_000 + b"\n",
    "deep sums": b'revision = "a"' + b' + "a"' * 20_000 + b"\n",
    "deep brackets": b"revision = " + b"(" * 50_000 + b"\n",
    "deep with": b"with a: revision = a" + b".a" * 50_000 + b"\n",
    "openings that never close": b"print 1\n" + b"revision = (\n" * 50_000,
    "a megabyte in one line": b"print 1\nrevision = [" + b"0," * 500_000 + b"]\n",
    "comments": b"# a\n" * 100_000,
    "blank lines": b"\n" * 400_000,
    "an open docstring": b'"""' + b'" ' * 200_000,
    "too large": b"#" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.timeout(30)
def test_hostile_files_cost_little(data: bytes) -> None:
    started = time.process_time()
    parse(data)
    # Not a benchmark: what these guard against takes minutes, or all memory.
    assert time.process_time() - started < 10


def test_nothing_is_ever_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    touch = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    for source in (
        f"{touch}\nrevision = 'b'\ndown_revision = 'a'\n",
        f"revision = {touch} or 'b'\ndown_revision = 'a'\n",
        f"revision = f'{{{touch}}}'\ndown_revision = 'a'\n",
        f"class A(metaclass={touch}): pass\nrevision = 'b'\ndown_revision = [{touch}]\n",
        f"@{touch}\ndef upgrade(): print revision\nrevision = 'b'\ndown_revision = {touch}\n",
    ):
        data = source.encode()
        parse(data)
        plain_header(data)
        syntax_tree(data)
        read_lines(data)
    assert not trace.exists()
    exec(f"{touch}")  # noqa: S102 - the trap works
    assert trace.exists()


def test_a_large_file_of_data_is_read_by_its_header() -> None:
    rows = b"ROWS = [\n" + b"    ('revision', 1, 2, 3),\n" * 40_000 + b"]\n"
    found = parse(b"'''Rows'''\nrevision = 'b'\ndown_revision = 'a'\ndef upgrade():\n    pass\n" + rows)
    assert (found.revision, found.parents, found.doc) == ("b", ("a",), "Rows")


ROWS = b"def upgrade():\n    rows = [" + b"(1, 'a')," * 600_000 + b"]\n"


def test_a_plain_header_is_read_above_megabytes_without_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the parser was called")

    monkeypatch.setattr(ast, "parse", refuse)
    assert 5_000_000 < len(ROWS) < MAX_BYTES
    found = parse(b'"""Rows\n\nRevises: a\n"""\nrevision = "b"\ndown_revision = "a"\n\n' + ROWS)
    assert (found.revision, found.parents, found.doc, found.revises) == ("b", ("a",), "Rows", ("a",))


ABOVE = b'"""Rows"""\nROWS = [' + b"(1, 'a')," * 600_000 + b"]\n"


def test_a_file_that_is_too_large_is_read_by_its_lines_where_they_leave_no_doubt() -> None:
    found = parse(ABOVE + b"revision = 'b'\ndown_revision = 'a'\n")
    assert (found.revision, found.parents, found.dynamic, found.broken) == ("b", ("a",), (), "")


@pytest.mark.parametrize(
    "below",
    [
        b"revision = 'b'\nrevision = 'c'\ndown_revision = 'a'\n",
        b"revision = 'b'\nglobals()['revision'] = 'c'\ndown_revision = 'a'\n",
        b"revision = 'b'\n",
    ],
    ids=["twice", "a back door", "no parent"],
)
def test_what_was_not_parsed_may_stand_in_a_string_or_be_bound_again(below: bytes) -> None:
    assert parse(ABOVE + below).broken == (
        "it is larger than 1024 KiB, so it was not parsed, and its header is not plain"
    )


def test_a_file_that_is_too_large_and_shows_nothing_says_which_bound_it_exceeds() -> None:
    assert parse(b"x = " + b"1+" * 2_500_000 + b"1\n").broken == (
        "it is larger than 1024 KiB, so it was not parsed, and its header is not plain"
    )
    assert parse(b"x = " + b"1+" * 60_000 + b"1\n").broken == (
        "it has more than 100,000 words and signs, so it was not parsed, and its header is not plain"
    )


def test_a_header_that_was_left_open_does_not_end_the_readers() -> None:
    assert parse(b'"""' + b"a\n" * 400_000).broken
    assert parse(b"# a\n" * 100_000 + b"revision = 'b'\ndown_revision = None\n").revision == "b"
