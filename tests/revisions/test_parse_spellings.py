"""Every spelling of a header that real files have, each held against really running the file."""

from __future__ import annotations

import pytest

from onehead.revisions.model import Declared, Revision, Unreadable
from onehead.revisions.parse import parse, revision_of

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")


def run(source: bytes) -> Declared:
    """What Alembic would take from the module, by running it."""
    names: dict[str, object] = {}
    exec(compile(source, "revision.py", "exec"), names)  # noqa: S102 - the oracle, on text of our own

    def strings(name: str) -> tuple[str, ...]:
        value = names.get(name)
        items = [value] if isinstance(value, str) else list(value or ())  # type: ignore[call-overload]
        return tuple(dict.fromkeys(items))

    parents = strings("down_revision") if "down_revision" in names else None
    return Declared(
        str(names["revision"]) if "revision" in names else None,
        parents,
        tuple(filter(None, strings("depends_on"))),
        tuple(filter(None, strings("branch_labels"))),
    )


def known(source: bytes) -> tuple[object, ...]:
    found = parse(source)
    assert (found.dynamic, found.broken) == ((), "")
    return found[:4]


ANNOTATIONS = [
    "str",
    "Union[str, Sequence[str], None]",
    "Union[str, None]",
    "str | Sequence[str] | None",
    "None",
    "str | None",
    "tuple[str] | None",
    "str | tuple[str, ...] | None",
    "Optional[str]",
    "'str | None'",
]


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_annotations(annotation: str) -> None:
    source = (
        "from typing import Optional, Sequence, Union\n"
        f'revision: {annotation} = "b"\ndown_revision: {annotation} = ("a", "c")\n'
        f"branch_labels: {annotation} = None\ndepends_on: {annotation} = 'd'\n"
    ).encode()
    assert known(source) == ("b", ("a", "c"), ("d",), ()) == run(source)[:4]


SPELLINGS = {
    "plain": 'revision = "b"\ndown_revision = "a"',
    "single quotes": "revision = 'b'\ndown_revision = 'a'",
    "base": "revision = 'b'\ndown_revision = None",
    "empty tuple": "revision = 'b'\ndown_revision = ()",
    "empty list": "revision = 'b'\ndown_revision = []",
    "empty string": "revision = 'b'\ndown_revision = ''",
    "tuple": "revision = 'm'\ndown_revision = ('a', 'c')",
    "tuple without brackets": "revision = 'm'\ndown_revision = 'a', 'c'",
    "one in a tuple": "revision = 'm'\ndown_revision = ('a',)",
    "brackets but no tuple": "revision = ('m')\ndown_revision = ('a')",
    "trailing comma": "revision = 'm'\ndown_revision = ('a', 'c', )",
    "list": "revision = 'm'\ndown_revision = ['a', 'c']",
    "doubled parent": "revision = 'm'\ndown_revision = ('a', 'a')",
    "several lines": "revision = 'm'\ndown_revision = (\n    'a',\n    # why\n    'c',\n)",
    "bracketed string": "revision = (\n    'b'\n)\ndown_revision = (\n    'a'\n)",
    "adjacent strings": "revision = 'b' 'c'\ndown_revision = ('a' 'd')",
    "adjacent strings in a tuple": "revision = 'b'\ndown_revision = ('a' 'd', 'e')",
    "concatenation": "revision = 'b' + 'c'\ndown_revision = ('a',) + ('d',)",
    "names": "BASE = 'a'\nrevision = 'b'\ndown_revision = BASE",
    "names in a tuple": "X = 'a'\nrevision = 'b'\ndown_revision = (X, 'c')",
    "f-string": "N = '7'\nrevision = f'b{N}'\ndown_revision = f'a'",
    "chained": "down_revision = revision = 'b'\ndown_revision = 'a'",
    "unpacking": "revision, down_revision = 'b', 'a'",
    "unpacking a list": "[revision, down_revision] = ['b', None]",
    "swap": "revision, down_revision = 'a', 'b'\nrevision, down_revision = down_revision, revision",
    "twice": "revision = 'x'\ndown_revision = 'y'\nrevision = 'b'\ndown_revision = 'a'",
    "twice, first computed": "revision = str(1)\nrevision = 'b'\ndown_revision = 'a'",
    "grown": "revision = 'b'\nrevision += 'c'\ndown_revision = ('a',)\ndown_revision += ('d',)",
    "annotation after": "revision = 'b'\nrevision: str\ndown_revision = 'a'",
    "annotation before": "revision: str\nrevision = 'b'\ndown_revision = 'a'",
    "several statements": "revision = 'b'; down_revision = 'a'",
    "comments": "revision = 'b'  # not 'c'\n# revision = 'd'\ndown_revision = 'a'  # 'e'",
    "escapes": "revision = '\\x62'\ndown_revision = '\\u0061'",
    "raw": "revision = r'b'\ndown_revision = u'a'",
    "triple quotes": "revision = '''b'''\ndown_revision = \"\"\"a\"\"\"",
    "labels and dependencies": "revision = 'b'\ndown_revision = 'a'\nbranch_labels = ('x', 'y')\ndepends_on = ['d']",
    "empty label": "revision = 'b'\ndown_revision = 'a'\nbranch_labels = ''\ndepends_on = ''",
    "no spaces": "revision='b'\ndown_revision='a'",
    "many spaces": "revision   =   'b'\ndown_revision\t=\t'a'",
    "form feed": "\x0crevision = 'b'\n\x0c\ndown_revision = 'a'",
    "used in the body": "revision = 'b'\ndown_revision = 'a'\ndef upgrade():\n    print(revision)",
    "local in the body": "revision = 'b'\ndown_revision = 'a'\ndef upgrade():\n    revision = 'c'\n    depends_on = 1",
    "assigned below": "def upgrade():\n    pass\nrevision = 'b'\ndown_revision = 'a'",
    "bound in a class": "revision = 'b'\ndown_revision = 'a'\nclass T:\n    revision = 'c'",
    "comprehension": "revision = 'b'\ndown_revision = 'a'\nx = [revision for revision in ('y', 'z')]",
    "star import first": "from string import *\nrevision = 'b'\ndown_revision = 'a'",
    "star import last": "revision = 'b'\ndown_revision = 'a'\nfrom string import *",
    "equality": "revision = 'b'\ndown_revision = 'a'\nassert revision == 'b'",
    "in a string": 'revision = "b"\ndown_revision = "a"\nTEXT = """\nrevision = \'c\'\n"""',
    "in the docstring": '"""Text\nrevision = \'c\'\n"""\nrevision = "b"\ndown_revision = "a"',
    "continued line": "revision = \\\n    'b'\ndown_revision = 'a'",
    "no newline at the end": "down_revision = 'a'\nrevision = 'b'",
    "unrelated lambda": "f = lambda revision=1: revision\nrevision = 'b'\ndown_revision = 'a'",
}


@pytest.mark.parametrize("source", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_what_is_read_is_what_running_it_gives(source: str, ending: str) -> None:
    data = source.replace("\n", ending).encode()
    assert known(data) == run(data)[:4]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfrevision = 'b'\ndown_revision = 'a'\n",
        b"# -*- coding: latin-1 -*-\n'''caf\xe9'''\nrevision = 'b'\ndown_revision = 'a'\n",
        b"# " + b"x" * 300 + b"\n# coding: latin-1\n'''caf\xe9'''\nrevision = 'b'\ndown_revision = 'a'\n",
        "'''café'''\nrevision = 'b'\ndown_revision = 'a'\n".encode(),
        b"# coding: unicode_escape\nrevision = 'c'\ndown_revision = 'a'\n\\x72evision = 'b'\n",
        b"#\rrevision = 'c'\ndown_revision = 'a'\rrevision = 'b'\n",
        b"revision = 'c' # x\rrevision = 'b'\ndown_revision = 'a'\n",
    ],
    ids=["bom", "latin-1", "late cookie", "utf-8", "escaping codec", "return in a comment", "return after a value"],
)
def test_bytes_mean_what_python_takes_them_for(data: bytes) -> None:
    assert known(data) == ("b", ("a",), (), ()) == run(data)[:4]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("revision = make()\ndown_revision = 'a'", ["revision"]),
        ("from x import revision\ndown_revision = 'a'", ["revision"]),
        ("import x as revision\ndown_revision = 'a'", ["revision"]),
        ("revision = 'b'\ndown_revision = get_down_revision(revision)", ["down_revision"]),
        ("revision = 'b'\ndown_revision = BASELINE", ["down_revision"]),
        ("revision = 5\ndown_revision = 'a'", ["revision"]),
        ("revision = None\ndown_revision = 'a'", ["revision"]),
        ("revision = ('b',)\ndown_revision = 'a'", ["revision"]),
        ("revision = 'b'\ndown_revision = 18", ["down_revision"]),
        ("revision = 'b'\ndown_revision = ('a', 5)", ["down_revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nif True:\n    down_revision = 'c'", ["down_revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nfor revision in 'xy':\n    pass", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nwith open('x') as revision:\n    pass", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\ndel revision", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\n_ = (revision := 'c')", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\ndef f(x=(revision := 'c')):\n    pass", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\ndef revision():\n    pass", ["revision"]),
        ("def f():\n    global revision\n    revision = 'c'\nrevision = 'b'\ndown_revision = 'a'\nf()", ["revision"]),
        ("revision = 'b'\ndown_revision = ['a']\ndown_revision.append('c')", ["down_revision"]),
        ("revision = 'b'\ndown_revision = ['a']\ndown_revision[0] = 'c'", ["down_revision"]),
        ("revision = 'b'\nX = ['a']\ndown_revision = X\nX.append('c')", ["down_revision"]),
        ("from x import *", ["revision", "down_revision"]),
        ("revision = 'b'\nfrom x import *", ["down_revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nexec('revision = 1')", ["revision", "down_revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nglobals()['x'] = 1", ["revision", "down_revision"]),
        ("revision, down_revision = 'ba'", ["revision", "down_revision"]),
        ("revision, *down_revision = 'b', 'a', 'c'", ["revision", "down_revision"]),
        ("revision = 'b'\ndown_revision = f'{x}'", ["down_revision"]),
        ("revision = f'{\"b\":>4}'\ndown_revision = 'a'", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nmatch x:\n    case revision:\n        pass", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\ntry:\n    pass\nexcept E as revision:\n    pass", ["revision"]),
        ("revision = 'b'\ndown_revision = 'a'\nbranch_labels = cli.EXPAND", ["branch_labels"]),
        ("revision = 'b'\ndown_revision = 'a'\ndepends_on = [x for x in y]", ["depends_on"]),
        ("revision = 'b'\ndown_revision = 'a' or 'c'", ["down_revision"]),
        ("revision = 'b'\ndown_revision = 'a%s' % 1", ["down_revision"]),
        ("revision = 'b'\ndown_revision = {'a': 1}", ["down_revision"]),
        ("revision = 'b'\ndown_revision = b'a'", ["down_revision"]),
    ],
)
def test_what_only_running_would_tell_is_dynamic_and_never_guessed(source: str, names: list[str]) -> None:
    found = parse(source.encode())
    assert [dynamic.name for dynamic in found.dynamic] == names
    assert found.broken == ""


def test_a_dynamic_value_says_where_and_what() -> None:
    found = parse(b"revision = 'b'\n\ndown_revision = get_down_revision(\n    revision)\n")
    assert [tuple(dynamic) for dynamic in found.dynamic] == [("down_revision", 3, "get_down_revision(revision)")]
    outcome = revision_of("versions/b.py", "0" * 40, found)
    assert isinstance(outcome, Unreadable)
    assert (outcome.kind, outcome.id, outcome.line) == ("dynamic", "b", 3)
    assert outcome.reason == (
        "`down_revision` is not a plain string but `get_down_revision(revision)`, "
        "which is only known once the file runs"
    )


PYTHON_2 = '"""Old\n\nRevises: a\n"""\nrevision = "b"\ndown_revision = (\n    "a",\n    "c",\n)\ndepends_on = None\n'


@pytest.mark.parametrize(
    "body",
    [
        'def upgrade():\n    print "done"\n',
        "def upgrade():\n    exec 'x' in {}\n",
        "def upgrade():\n    try:\n        pass\n    except E, e:\n        pass\n    revision = 1\n",
        "def upgrade():\n    return 0777 + revision\n",
        "def upgrade():\n    x = something !!! from the future\n    revision\n",
    ],
)
def test_a_body_that_this_python_cannot_parse_does_not_matter(body: str) -> None:
    found = parse((PYTHON_2 + body).encode())
    assert (found.revision, found.parents, found.doc, found.revises) == ("b", ("a", "c"), "Old", ("a",))
    assert (found.dynamic, found.broken) == ((), "")


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("print 'x'\nrevision = 'b'\ndown_revision = f(\n  1)\n", ["down_revision"]),
        ("print 'x'\nrevision = 'b'\ndown_revision = ('a',)\ndown_revision += ('c',)\n", ["down_revision"]),
        ("print 'x'\nrevision = 'b'\ndown_revision = 'a'\nif 1:\n    down_revision = 'c'\n", ["down_revision"]),
        ("print 'x'\nrevision = 'b'\ndown_revision = ['a']\ndown_revision.append('c')\n", ["down_revision"]),
        ("print 'x'\nrevision = (\ndown_revision = 'a'\n", ["revision"]),
    ],
)
def test_the_line_scan_gives_up_rather_than_guess(header: str, names: list[str]) -> None:
    found = parse(header.encode())
    assert [dynamic.name for dynamic in found.dynamic] == names


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (
            b"revision = 'b'\n<<<<<<< HEAD\ndown_revision = 'a'\n=======\ndown_revision = 'c'\n>>>>>>> x\n",
            2,
            "it is not Python while git's conflict markers are in it",
        ),
        (b"\0\0", 0, "it holds zero bytes, so it is not text that Python reads"),
        (b"x = = 1\n", 1, "it is not Python that this version understands (invalid syntax)"),
    ],
)
def test_what_is_no_python_is_broken(data: bytes, line: int, reason: str) -> None:
    found = parse(data)
    assert (found.line, found.broken) == (line, reason)


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("0a1b2c.py", "down_revision = 'a'", "0a1b2c"),
        ("0a1b2c.py", "down_revision = 'a'\nrevision = 'b'", "b"),
        ("0a1b2c_x.py", "down_revision = 'a'", "not-a-revision"),
        ("helper.py", "X = 1", "not-a-revision"),
        ("b.py", "revision = 'b'", "not-a-revision"),
        ("empty.py", "", "not-a-revision"),
    ],
)
def test_what_alembic_makes_of_a_file(name: str, source: str, kind: str) -> None:
    outcome = revision_of(f"versions/{name}", "0" * 40, parse(source.encode()))
    assert (outcome.id if isinstance(outcome, Revision) else outcome.kind) == kind


@pytest.mark.parametrize(
    ("docstring", "doc", "revises"),
    [
        ('"""add users\n\nRevision ID: b\nRevises: a\n"""', "add users", ("a",)),
        ('"""\nadd users\n\nRevises: a, c\n"""', "add users", ("a", "c")),
        ('"""x\n\nRevises: \n"""', "x", ()),
        ('"""x\n\nRevises: None\n"""', "x", ()),
        ("'''x'''", "x", None),
        ("r'''x\nRevises: a'''", "x", ("a",)),
        ("", "", None),
    ],
)
def test_docstrings(docstring: str, doc: str, revises: tuple[str, ...] | None) -> None:
    found = parse(f"{docstring}\nrevision = 'b'\ndown_revision = 'a'\n".encode())
    assert (found.revision, found.doc, found.revises) == ("b", doc, revises)
