"""Edits of revision files: exact bytes for every way people write them, a refusal for what is computed."""

from __future__ import annotations

import codecs

import pytest

from onehead.revisions.edit import CannotEdit, open_revision, reissue, reparent, rereference

GENERATED = b'''"""add teams

Revision ID: 020
Revises: 018
Create Date: 2024-05-01 10:00:00.000001

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '020'
down_revision: Union[str, Sequence[str], None] = '018'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("select '018'")  # 018 down_revision = '018'


def downgrade() -> None:
    """Downgrade schema."""
    pass
'''


def test_a_generated_file_changes_in_two_places_only() -> None:
    expected = GENERATED.replace(b"Revises: 018", b"Revises: 019").replace(b"None] = '018'", b"None] = '019'")
    assert reparent(GENERATED, ("018",), ("019",)) == expected
    assert reparent(expected, ("019",), ("018",)) == GENERATED


def test_the_new_id_stands_in_the_value_and_in_the_docstring() -> None:
    expected = GENERATED.replace(b"Revision ID: 020", b"Revision ID: 026").replace(b"str = '020'", b"str = '026'")
    assert reissue(GENERATED, "020", "026") == expected


HEADER = b"revision = '020'\n%s\n\n\ndef upgrade():\n    pass\n"


@pytest.mark.parametrize(
    ("line", "old", "new", "expected"),
    [
        (b"down_revision = '018'", ("018",), ("019",), b"down_revision = '019'"),
        (b'down_revision = "018"  # teams', ("018",), ("019",), b'down_revision = "019"  # teams'),
        (b"down_revision=u'018'", ("018",), ("019",), b"down_revision=u'019'"),
        (b'down_revision = """018"""', ("018",), ("019",), b'down_revision = """019"""'),
        (b"down_revision = '01' '8'", ("018",), ("019",), b"down_revision = '019'"),
        (b"down_revision = '01' + '8'", ("018",), ("019",), b"down_revision = '019'"),
        (
            b"down_revision = '018'; depends_on = '018'",
            ("018",),
            ("019",),
            b"down_revision = '019'; depends_on = '018'",
        ),
        (
            b"down_revision = (\n    # why\n    '018'  # here\n)",
            ("018",),
            ("019",),
            b"down_revision = (\n    # why\n    '019'  # here\n)",
        ),
        (b"OLD = '018'\ndown_revision = OLD", ("018",), ("019",), b"OLD = '018'\ndown_revision = '019'"),
        (
            b"down_revision = '017'\ndown_revision = '018'",
            ("018",),
            ("019",),
            b"down_revision = '017'\ndown_revision = '019'",
        ),
        (b"down_revision: None = None", (), ("019",), b"down_revision: None = '019'"),
        (b"down_revision = ()", (), ("019",), b"down_revision = '019'"),
        (b"down_revision = '018'", ("018",), (), b"down_revision = None"),
        (b"down_revision = ('018',)", ("018",), ("019",), b"down_revision = ('019',)"),
        (b"down_revision = '018'", ("018",), ("019", "021"), b"down_revision = ('019', '021')"),
        (b'down_revision = ("019", "021")', ("019", "021"), ("019", "026"), b'down_revision = ("019", "026")'),
        (b"down_revision = ('019', '021')", ("019", "021"), ("026",), b"down_revision = '026'"),
        (b"down_revision = ['019', \"021\"]", ("019", "021"), ("022", "023"), b"down_revision = ['022', \"023\"]"),
        (b"down_revision = ['a', 'b']", ("a", "b"), ("a", "b", "c"), b"down_revision = ['a', 'b', 'c']"),
        (b"down_revision = 'a', 'b'", ("a", "b"), ("a", "c"), b"down_revision = 'a', 'c'"),
        (b"down_revision = 'a', 'b'", ("a", "b"), ("a", "b", "c"), b"down_revision = ('a', 'b', 'c')"),
        (b"X = 'a'\ndown_revision = (X, 'b')", ("a", "b"), ("c", "b"), b"X = 'a'\ndown_revision = ('c', 'b')"),
        (b"X = ('a', 'b')\ndown_revision = X", ("a", "b"), ("c", "b"), b"X = ('a', 'b')\ndown_revision = ('c', 'b')"),
        (b"down_revision = ('a',) + ('b',)", ("a", "b"), ("a", "c"), b"down_revision = ('a',) + ('c',)"),
        (
            b"down_revision = (\n    'a',  # one\n    'b',  # two\n)  # end",
            ("a", "b"),
            ("c", "b"),
            b"down_revision = (\n    'c',  # one\n    'b',  # two\n)  # end",
        ),
        (
            b"down_revision = (\n    'a',\n    'b',\n)",
            ("a", "b"),
            ("a", "b", "c"),
            b"down_revision = (\n    'a',\n    'b',\n    'c',\n)",
        ),
    ],
)
def test_every_spelling_keeps_its_own_form(
    line: bytes, old: tuple[str, ...], new: tuple[str, ...], expected: bytes
) -> None:
    assert reparent(HEADER % line, old, new) == HEADER % expected


def test_a_base_takes_the_quotes_of_its_own_revision() -> None:
    data = b'revision = "020"\ndown_revision = None\n'
    assert reparent(data, (), ("019",)) == b'revision = "020"\ndown_revision = "019"\n'


@pytest.mark.parametrize(
    ("line", "new", "expected"),
    [
        (b"Revises: 018", ("019",), b"Revises: 019"),
        (b"Revises: 007", ("019",), b"Revises: 019"),
        (b"Revises: 018 (the parent)", ("019",), b"Revises: 019 (the parent)"),
        (b"Revises: 018, 007 ", ("019",), b"Revises: 019 "),
        (b"Revises:", ("019",), b"Revises: 019"),
        (b"Revises:018", ("019",), b"Revises:019"),
        (b"Revises: ", ("019",), b"Revises: 019"),
        (b"  Revises:\t018", ("019", "021"), b"  Revises:\t019, 021"),
        (b"Revises: ('018', '007')", ("019",), b"Revises: 019"),
        (b"Revises: 018", (), b"Revises: "),
        (b"It is no longer Revises: 018", ("019",), b"It is no longer Revises: 018"),
    ],
)
def test_the_revises_line_is_set_right(line: bytes, new: tuple[str, ...], expected: bytes) -> None:
    data = b'"""m\n\n%s\n"""\nrevision = "020"\ndown_revision = "018"\n'
    value = {0: b"None", 1: b'"019"', 2: b'("019", "021")'}[len(new)]
    assert reparent(data % line, ("018",), new) == (data % expected).replace(b'= "018"', b"= " + value)


def test_a_stale_line_alone_can_be_set_right() -> None:
    data = b'"""Revises: 007"""\nrevision = "020"\ndown_revision = "018"\n'
    assert reparent(data, ("018",), ("018",)) == data.replace(b"007", b"018")


@pytest.mark.parametrize(
    "data",
    [
        GENERATED.replace(b"\n", b"\r\n"),
        GENERATED.replace(b"\n", b"\r"),
        codecs.BOM_UTF8 + GENERATED,
        codecs.BOM_UTF8 + GENERATED.replace(b"\n", b"\r\n"),
        b"# -*- coding: latin-1 -*-\n" + GENERATED.replace(b"add teams", b"\xe9quipes \xff") + b"# \xe9\n",
        b"# -*- coding: cp1252 -*-\r\n" + GENERATED.replace(b"add teams", b"\x80 teams").replace(b"\n", b"\r\n"),
        b"# -*- coding: gbk -*-\n" + GENERATED.replace(b"add teams", "添加团队".encode("gbk")),
        GENERATED.replace(b"add teams", "équipes 🏀 ajoutées".encode()),
        GENERATED.replace(b"down_revision: U", b"x = '\xf0\x9f\x8f\x80'; down_revision: U"),
        GENERATED.replace(b"# revision identifiers", b"\x0c\n# revision identifiers"),
        GENERATED.replace(b"add teams", b"add\x0cteams\x0b\x1c\xc2\x85 \xe2\x80\xa8 here"),
        GENERATED.replace(b"    pass\n", b"\tpass"),
        GENERATED.replace(b"add teams", b"a path like C:\\data\\new"),
    ],
    ids=[
        "crlf",
        "cr",
        "bom",
        "bom-crlf",
        "latin-1",
        "cp1252",
        "gbk",
        "utf-8",
        "wide",
        "ff",
        "separators",
        "tab",
        "escape",
    ],
)
def test_line_endings_encodings_and_odd_bytes_survive(data: bytes) -> None:
    moved = reparent(data, ("018",), ("019",))
    assert moved == data.replace(b"Revises: 018", b"Revises: 019").replace(b"None] = '018'", b"None] = '019'")
    assert moved != data
    assert reparent(moved, ("019",), ("018",)) == data


PYTHON_2 = b'''# -*- coding: utf-8 -*-
"""old

Revision ID: 020
Revises: 018
"""
revision = '020'
down_revision = (
    '018'
)

import sqlalchemy as sa


def upgrade():
    print "moving", 0777
    down_revision = 'local'


def downgrade():
    print >>sys.stderr, "no"
'''


@pytest.mark.parametrize(
    "data",
    [
        PYTHON_2,
        PYTHON_2.replace(b"import sqlalchemy as sa", b"print 'loading'\nimport sqlalchemy as sa"),
        PYTHON_2.replace(b'print "moving", 0777', b"x = f'{d['a']}' f\"{'\n'.join(d)}\""),
        PYTHON_2.replace(b"\n", b"\r\n"),
        b"match = 1\n" + PYTHON_2.replace(b'    print "moving", 0777', b"    type Pair[T] = (T, T)\n    print 1"),
    ],
    ids=["functions", "header", "newer-f-string", "crlf", "newer-syntax"],
)
def test_files_that_this_python_cannot_parse(data: bytes) -> None:
    moved = reparent(data, ("018",), ("019",))
    assert moved == data.replace(b"Revises: 018", b"Revises: 019").replace(b"'018'", b"'019'")
    assert reparent(moved, ("019",), ("018",)) == data
    reissued = reissue(data, "020", "026")
    assert reissued == data.replace(b"ID: 020", b"ID: 026").replace(b"'020'", b"'026'")


def test_an_assignment_inside_a_string_is_none_even_where_the_file_cannot_be_parsed() -> None:
    trap = b'TEXT = """\ndown_revision = \'trap\'\n"""\nexec "x = 1"'
    file = open_revision(PYTHON_2.replace(b"import sqlalchemy as sa", trap))
    assert file.declared["down_revision"].value == "018"


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b"down_revision = parent()", 2, "computed by `parent()`"),
        (b"down_revision = module.PARENT", 2, "computed by `module.PARENT`"),
        (b"down_revision = f'{1}8'", 2, "computed by"),
        (b"down_revision = '%s' % '018'", 2, "computed by"),
        (b"if True:\n    down_revision = '018'", 0, "no plain assignment"),
        (b"down_revision = '018'\nif True:\n    down_revision = '017'", 2, "bound or changed elsewhere"),
        (
            b"down_revision = '018'\ntry:\n    import down_revision\nexcept E:\n    pass",
            2,
            "bound or changed elsewhere",
        ),
        (b"down_revision = ['018']\ndown_revision.append('b')", 2, "bound or changed elsewhere"),
        (b"down_revision = '018'\nfrom x import down_revision", 2, "an import binds it again"),
        (b"down_revision = '018'\ndef f():\n    global down_revision\n    down_revision = 1", 2, "bound or changed"),
        (b"down_revision = '018'\nglobals()['down_revision'] = '7'", 2, "bound or changed elsewhere"),
        (b"branch_labels, down_revision = None, '018'", 0, "no plain assignment"),
        (b"pass", 0, "no plain assignment"),
        (b"down_revision = '017'", 2, "`down_revision` is '017' and not 018"),
        (b"down_revision = depends_on = '018'", 2, "would not read as intended (depends_on)"),
        (b"PARENT = down_revision = '018'\ndepends_on = PARENT", 2, "would not read as intended (depends_on)"),
    ],
)
def test_what_needs_running_is_refused_with_its_line(body: bytes, line: int, reason: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        reparent(b"revision = '020'\n" + body + b"\n", ("018",), ("019",))
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert caught.value.message.endswith(".")
    assert "by hand" in caught.value.hint


def test_a_global_in_the_part_that_cannot_be_parsed_is_refused() -> None:
    with pytest.raises(CannotEdit, match="elsewhere in the file"):
        reparent(
            b"revision = '2'\ndown_revision = '1'\ndef f():\n    global down_revision\n    print 1\n", ("1",), ("3",)
        )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0revision = '020'\ndown_revision = '018'\n", "not text"),
        (b"# coding: no-such-codec\nrevision = '020'\ndown_revision = '018'\n", "can't be decoded"),
        (b"revision = '020'\ndown_revision = '018' \xff\n", "can't be decoded"),
        (b"<<<<<<< ours\n=======\n>>>>>>> theirs\n", "not Python"),
        (b"(" * 5000, "not Python"),
        (b"", "no plain assignment"),
    ],
)
def test_hostile_and_broken_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(CannotEdit, match=reason):
        reparent(data, ("018",), ("019",))


@pytest.mark.parametrize("new", ["", "a'b", 'a"b', "a\\b", "a\nb"])
def test_an_id_that_cannot_be_a_plain_string_is_refused(new: str) -> None:
    with pytest.raises(CannotEdit, match="can't be written as a plain string"):
        reparent(GENERATED, ("018",), (new,))


def test_an_id_outside_the_encoding_of_the_file_is_refused() -> None:
    with pytest.raises(CannotEdit, match="iso-8859-1"):
        reparent(b"# coding: latin-1\nrevision = 'a'\ndown_revision = 'b'\n", ("b",), ("\u0416",))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"down_revision = '020'\ndepends_on = '020'", b"down_revision = '026'\ndepends_on = '026'"),
        (b'down_revision = ("020", "021")', b'down_revision = ("026", "021")'),
        (b"down_revision = ('019',\n  '020')  # 020", b"down_revision = ('019',\n  '026')  # 020"),
        (b"down_revision = '0200'\ndepends_on = ['x', u'020']", b"down_revision = '0200'\ndepends_on = ['x', u'026']"),
        (b"P = ('020', 'x')\ndown_revision = P", b"P = ('020', 'x')\ndown_revision = ('026', 'x')"),
        (b"down_revision = '0200'\ndepends_on = other.depends", b"down_revision = '0200'\ndepends_on = other.depends"),
        (b"down_revision = '0200'", b"down_revision = '0200'"),
    ],
)
def test_references_follow_a_new_id(body: bytes, expected: bytes) -> None:
    head = b"revision = 'c020'\n"
    assert rereference(head + body + b"\n", {"020": "026"}) == head + expected + b"\n"


def test_references_in_the_docstring_follow_and_others_stay() -> None:
    data = (
        b'"""merge 020\n\nRevision ID: 022\nRevises: 019, 020\n"""\nrevision = "022"\ndown_revision = ("019", "020")\n'
    )
    expected = data.replace(b"019, 020", b"019, 026").replace(b'"019", "020"', b'"019", "026"')
    assert rereference(data, {"020": "026"}) == expected


@pytest.mark.parametrize(
    "body",
    [b"down_revision = parent()", b"down_revision = 'a'\ndepends_on = ['020'] + more()"],
)
def test_a_computed_reference_is_refused(body: bytes) -> None:
    with pytest.raises(CannotEdit, match="without running the file"):
        rereference(b"revision = 'b'\n" + body + b"\n", {"020": "026"})


def test_ids_that_change_places_are_not_taken_for_each_other() -> None:
    """One revision may get the id that another has lost."""
    data = b'"""x\n\nRevision ID: 003\nRevises: 001, 002\n"""\nrevision = "003"\ndown_revision = ("001", "002")\n'
    names = {"001": "002", "002": "003", "003": "004"}
    moved = data.replace(b"001, 002", b"002, 003").replace(b'"001", "002"', b'"002", "003"')
    assert rereference(data, names) == moved
    assert reissue(data, "003", "004", names) == moved.replace(b"ID: 003", b"ID: 004").replace(
        b'revision = "003"', b'revision = "004"'
    )


def test_a_wrong_old_id_is_refused() -> None:
    with pytest.raises(CannotEdit, match="`revision` is '020' and not 021"):
        reissue(GENERATED, "021", "026")
