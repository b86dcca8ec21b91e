"""Headers made from a grammar: the three readers agree with each other, and with really running the file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.parse import parse, plain_header, syntax_tree
from onehead.revisions.syntax import read_lines
from tests.revisions.test_parse_spellings import run

ids = st.sampled_from(["a", "b1", "018", "a1b2c3d4e5f6", "0411_add_x"])
quotes = st.sampled_from(["'{}'", '"{}"', "u'{}'", '("{}")', "'''{}'''", "('' '{}')"])


@st.composite
def strings(draw: st.DrawFn) -> str:
    return draw(quotes).format(draw(ids))


@st.composite
def values(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["none", "string", "tuple", "list", "sum", "empty", "lines"]))
    some = draw(st.lists(strings(), min_size=1, max_size=3))
    if kind == "none":
        return "None"
    if kind == "string":
        return some[0]
    if kind == "sum":
        return f"({some[0]},) + ({', '.join(some)},)"
    if kind == "lines":
        return "(\n    " + ",  # why\n    ".join(some) + ",\n)"
    if kind == "empty":
        return draw(st.sampled_from(["()", "[]"]))
    return f"({', '.join(some)},)" if kind == "tuple" else f"[{', '.join(some)}]"


type_hints = st.sampled_from(["", ": str", ": Union[str, None]", ": str | None", ": 'tuple[str, ...]'"])
noise = st.sampled_from(
    [
        "",
        "# revision = 'z'\n",
        "import os\n",
        "from typing import Union\n",
        "X = 'q'\n",
        "__all__ = ['revision']\n",
        "\n\n",
    ]
)
bodies = st.sampled_from(
    ["", "def upgrade():\n    pass\n", "def upgrade():\n    return revision\n", "class A:\n    pass\n"]
)


@st.composite
def headers(draw: st.DrawFn) -> str:
    lines = [draw(st.sampled_from(["", '"""Doc\n\nRevises: a\n"""\n', "'''Doc'''\n"])), "from typing import Union\n"]
    assignments = [("revision", draw(strings())), ("down_revision", draw(values()))]
    assignments += [(name, draw(values())) for name in draw(st.sets(st.sampled_from(["branch_labels", "depends_on"])))]
    if draw(st.booleans()):
        assignments.append(("down_revision", draw(values())))
    for name, value in draw(st.permutations(assignments)):
        lines += [draw(noise), f"{name}{draw(type_hints)} = {value}{draw(st.sampled_from(['', '  # x']))}\n"]
    return "".join([*lines, draw(noise), draw(bodies)])


@given(headers(), st.sampled_from(["\n", "\r\n"]))
def test_all_readers_say_what_running_the_file_says(source: str, ending: str) -> None:
    data = source.replace("\n", ending).encode()
    truth = run(data)[:4]
    assert parse(data)[:4] == truth
    plain, tree, lines = plain_header(data), syntax_tree(data), read_lines(data)
    assert tree is not None
    assert tree[:4] == truth
    assert plain is None or plain == tree
    assert lines.dynamic or lines[:4] == truth


USUAL = """\"\"\"x

Revises: a
\"\"\"
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "b"
down_revision = "a"
branch_labels = None
depends_on = None


def upgrade():
    pass
"""


def test_the_usual_header_takes_the_quick_way() -> None:
    found = plain_header(USUAL.encode())
    assert found is not None
    assert found == syntax_tree(USUAL.encode()) == read_lines(USUAL.encode())
