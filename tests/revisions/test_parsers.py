"""Python's own parser: the one gate before it, what it refuses, and several threads that use it."""

from __future__ import annotations

import ast
import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from onehead.operations.model import Unknown
from onehead.operations.read import read
from onehead.operations.sql import operations_in
from onehead.plan.policy import read_policy_files
from onehead.revisions import parsers
from onehead.revisions.config import read_config
from onehead.revisions.edit import CannotEdit, open_revision
from onehead.revisions.model import Refusal
from onehead.revisions.parse import check, parse
from onehead.revisions.parsers import (
    SPENT,
    Spent,
    TooLarge,
    admit,
    examination,
    pieces,
    python,
    refusal_of,
    spend,
    unparsed,
)
from onehead.revisions.version_table import version_table_in

WORKED_OUT = b"import os\nrevision = 'b' + ''\ndown_revision = 'a'\ndef upgrade():\n    pass\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", 0),
        (b"x = 1\n", 4),
        (b"   \t  ", 0),
        ("straße".encode(), 1),
        (b"a" * 1_000, 1),
        (b"((((", 4),
        # Python before 3.12 looks for each field of an f-string from its start on.
        (b'f"' + b"{a}" * 16 * 1024 + b'"', 3 + 3 * 16 * 1024 + 3 * 16 * 1024),
        # In such an encoding a word may hide many.
        (b"# coding: utf-7\nx", 17),
        (b"# coding: latin-1\nx", 8),
    ],
)
def test_pieces_are_words_signs_and_line_ends(text: bytes, expected: int) -> None:
    assert abs(pieces(text) - expected) <= expected // 1_000


def test_a_text_has_a_bound_in_bytes_and_in_pieces() -> None:
    admit(b"a" * parsers.MAX_BYTES)
    with pytest.raises(TooLarge, match=r"^it is larger than 1024 KiB"):
        admit(b"a" * (parsers.MAX_BYTES + 1))
    admit(b"+" * parsers.MAX_PIECES)
    with pytest.raises(TooLarge, match=r"^it has more than 100,000 words and signs"):
        admit("+" * (parsers.MAX_PIECES + 1))


def test_all_that_is_parsed_in_one_examination_shares_one_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 10)
    with examination():
        admit(b"a b c d")
        with examination():
            admit(b"a b c d")
        with pytest.raises(Spent):
            admit(b"a b c d")
        with pytest.raises(Spent):
            spend(1)  # what would be small enough by chance depends on nothing
    with examination():
        admit(b"a b c d e f g h i j")


def test_outside_of_an_examination_only_the_bound_of_one_text_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 1)
    admit(b"a b c d")


def _refused(data: bytes) -> str:
    try:
        open_revision(data)
    except CannotEdit as refused:
        return refused.reason
    return ""


READERS: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "a revision": (SPENT, lambda: [parse(WORKED_OUT).broken]),
    "a file for a repair": (SPENT, lambda: [_refused(WORKED_OUT)]),
    "a policy": (
        f"This can't be read as TOML ({SPENT}), so no policy was read.",
        lambda: [each.message for each in read_policy_files({".onehead.toml": b"strategy = 1"}).problems],
    ),
    "ini": (
        f"{SPENT}: environments that it declares may be missed; make it smaller",
        lambda: [each.reason for each in read_config("alembic.ini", b"[alembic]")[1]],
    ),
    "toml": (
        f"{SPENT}: environments that it declares may be missed; make it smaller",
        lambda: [each.reason for each in read_config("pyproject.toml", b"[tool.alembic]")[1]],
    ),
    "operations": ("a file beyond what is read at once", lambda: _unknown(WORKED_OUT)),
    "env.py": ("version_table", lambda: version_table_in(b"version_table = 1").computed),
}
"""Reader → what it says where nothing was left for it, and whether it does."""


def _unknown(data: bytes) -> list[str]:
    return [step.does.why for step in read(data) if isinstance(step.does, Unknown)]


@pytest.mark.parametrize(("said", "reader"), READERS.values(), ids=READERS)
def test_every_reader_says_that_nothing_was_left_for_it(
    said: str, reader: Callable[[], Iterable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said not in reader()
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 0)
    with examination():
        assert said in reader()


def test_a_plain_header_takes_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", 0)
    with examination():
        assert parse(b"revision = 'b'\ndown_revision = 'a'\n").revision == "b"


def test_following_a_file_counts_too_not_only_parsing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"def upgrade():\n  for a in (1,2,3,4,5,6,7,8):\n    for b in (1,2,3,4,5,6,7,8):\n      f(a, b)\n"
    monkeypatch.setattr(parsers, "MAX_ALL_PIECES", pieces(data) + 100)
    with examination():
        assert _unknown(data)[-1] == "a file beyond what is read at once"


def test_branches_over_thousands_of_names_end_at_the_bound_of_one_file() -> None:
    names = b"".join(b"v%d = 1\n" % n for n in range(8_000))
    steps = read(names + b"def upgrade():\n" + b"  if x: pass\n" * 8_000)
    assert [step.does for step in steps] == [Unknown("there is more in this file than is read", "upgrade()")]


@pytest.mark.parametrize("text", ["/*" * 50_000, "$a" * 50_000 + "$", "[a" * 50_000, "x '", 'x "', "x `", "$$ a"])
def test_sql_in_which_something_stays_open_is_left_at_its_first_place(text: str) -> None:
    [found] = operations_in(text)
    assert isinstance(found, Unknown)
    assert found.words == frozenset()


@pytest.mark.parametrize("text", ["UPDATE a SET b = c[1]", "UPDATE a SET b = $$x$$", "UPDATE a /* b */ SET b = $1"])
def test_sql_in_which_all_is_closed_is_read(text: str) -> None:
    [found] = operations_in(text)
    assert not isinstance(found, Unknown)


def test_a_key_has_a_bound_wherever_it_stands() -> None:
    parts = parsers.MAX_PARTS
    assert parsers.toml("a" + ".a" * (parts - 1) + " = 1")
    for line in ("{} = 1", "[{}]", "b = {{ {} = 1 }}", '"b" = {{ {} = 1 }}'):
        for part in ("a", '"a.b"', "'a'", "-"):
            with pytest.raises(TooLarge, match="a key of more than 32 parts"):
                parsers.toml(line.format(" . ".join([part] * (parts + 1))))


def test_a_long_line_with_many_dots_that_are_no_keys_is_read() -> None:
    versions = ", ".join(['"1.2.3"'] * 500)
    assert len(parsers.toml(f"versions = [{versions}]")["versions"]) == 500


def test_what_is_too_long_to_be_written_out_is_named_by_its_place() -> None:
    module = python("\nx = " + "1+" * 400 + "1\ny = a.b")
    assert module is not None
    long, short = module.body
    assert (unparsed(long), unparsed(short)) == ("a long expression in line 2", "y = a.b")


@pytest.mark.parametrize(
    "data",
    [
        b"print 1\na = 'x'\n" + b"a = a + a\n" * 80 + b"revision = a\n",
        b"a = ('x',)\n" + b"a = a + a\n" * 80 + b"revision = a\n",
        b"print 1\n" + b"a = (\n" * 20_000 + b"revision = 'b'\n",
        b"print 1\n" + b'\\"""' * 20_000 + b"\nrevision = 'b'\n",
        b"x = " + b"1+" * 2_500_000 + b"1\n",
        b"revision = " + b"(" * 50_000,
    ],
    ids=["doubling strings", "doubling tuples", "openings", "escaped quotes", "megabytes", "brackets"],
)
def test_a_hostile_file_is_taken_apart_within_bounds_or_not_at_all(data: bytes) -> None:
    with suppress(CannotEdit):
        found = open_revision(data)
        assert all(len(each.value or "") <= 1024 for each in found.declared.values())


# What Python refuses in a file: what no version takes is certain, and what another version may take is not.


HEADER = b'revision = "b"\ndown_revision = "a"\n\n\ndef upgrade():\n'


def refused(body: str) -> Refusal | None:
    found = check(parse(HEADER + body.encode()), HEADER + body.encode())
    assert (found.revision, found.parents, found.checked) == ("b", ("a",), True)
    return found.refusal


@pytest.mark.parametrize("body", ["    pass\n", '    x = """\n<<<<<<< \n"""\n', "    print('\\d')\n"])
def test_what_python_takes(body: str) -> None:
    assert refused(body) is None


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("    op.drop_table('t'\n\n\ndef downgrade():\n    pass\n", 6),
        ("    op.drop_table('t'))\n", 6),
        ("    op.execute(f'DROP {x}'\n", 6),
        ("    x = (1]\n", 6),
        ("pass\n", 6),
        ("    x = 1\n   y = 2\n", 7),
        ("    x = 'abc\n", 6),
        ('    x = """abc\n', 6),
        ("    f('a' b)\n", 6),
        ("    if x\n        y\n", 6),
        ("    x = 1 2\n", 6),
        ("    f(a=1, b)\n", 6),
        ("    x = a \u2013 b\n", 6),
        ("<<<<<<< HEAD\n    a()\n=======\n    b()\n>>>>>>> topic\n", 6),
        ("    print 'x'\n>>>>>>> topic\n", 7),
    ],
)
def test_what_no_python_takes(body: str, line: int) -> None:
    found = refused(body)
    assert found is not None
    assert (found.line, found.certain) == (line, True)


PYTHON_2 = [
    "    print 'x'\n",
    "    exec code in names\n",
    "    x = `y`\n",
    "    if a <> b: pass\n",
    "    x = 0777\n",
    "    x = 10L\n",
    "    x = ur'a'\n",
    "    raise E, 'x'\n",
    "    try:\n        x\n    except A, e:\n        y\n",
    "    f = lambda (a, b): a\n",
    "        x\n\ty\n",
]
NEWER = ["    x = f'{a['b']}'\n", "    x = f'{\na}'\n", "    def f[T](x): pass\n", "    type X = int\n"]


@pytest.mark.parametrize("body", PYTHON_2 + (NEWER if sys.version_info < (3, 12) else []))
def test_what_another_version_may_take(body: str) -> None:
    found = refused(body)
    assert found is not None
    assert not found.certain


def test_conflict_markers_are_found_without_a_closer_look() -> None:
    found = parse(HEADER + b"    a()\n<<<<<<< HEAD\n    b()\n=======\n    c()\n>>>>>>> topic\n")
    assert found.refusal == Refusal(7, "it is not Python while git's conflict markers are in it", certain=True)
    assert parse(HEADER + b"    a(\n").refusal is None


def test_zero_bytes_and_what_is_too_large_or_too_deep() -> None:
    zeros = refusal_of(HEADER + b"    x = 1\0\n")
    assert zeros is not None
    assert zeros.certain
    assert refusal_of(b"x = (\n" + b"1,\n" * 200_000) is None
    assert refusal_of(b"x = " + b"-" * 50_000 + b"1\n") is None


# Python's own parser, as several threads of a service use it.


class _Slow:
    """Garbage that gives way to the other threads when it is collected."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0.00001)


@pytest.fixture
def busy_collector() -> Iterator[None]:
    """Collect garbage at every occasion."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("busy_collector")
def test_several_threads_parse_at_once() -> None:
    nested = f"x = {'[' * 40}1{']' * 40}\n" * 20

    def parse(_: int) -> str:
        _Slow()
        return ast.dump(parsers.parse(nested))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(parse, range(200)))) == 1


def test_threads_leave_the_warnings_as_they_were() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(parsers.python, ["x = '\\d'\n"] * 400))
    assert list(warnings.filters) == before


@pytest.mark.parametrize("text", ["print 'x'\n", "x = (\n", "x = 1\0", "(" * 3000])
def test_what_is_not_python_has_no_tree(text: str) -> None:
    assert parsers.python(text) is None
    with pytest.raises(parsers.NOT_PYTHON):
        parsers.parse(text)
