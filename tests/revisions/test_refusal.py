"""What Python refuses in a file: what no version takes is certain, and what another version may take is not."""

from __future__ import annotations

import sys

import pytest

from onehead.revisions.model import Refusal
from onehead.revisions.parse import check, parse
from onehead.revisions.parsers import refusal_of

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
