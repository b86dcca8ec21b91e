"""The text of a merge revision: exactly the style of the files around it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from onehead.errors import UsageError
from onehead.render import merge_revision
from onehead.revisions.edit import CannotEdit
from onehead.revisions.merge_file import House, MergeFile, NewRevision, merge_file, merge_message
from onehead.revisions.parse import parse
from onehead.revisions.revision import Revision
from onehead.revisions.style import Sibling, newest


def sibling(path: str, text: str | bytes) -> Sibling:
    data = text.encode() if isinstance(text, str) else text
    declared = parse(data)
    assert declared.revision is not None
    return Sibling(Revision(declared.revision, declared.parents or (), path, ""), data)


def planned(*siblings: Sibling, template: str | None = None, taken: tuple[str, ...] = ()) -> MergeFile:
    """A merge of the first two siblings."""
    return merge_file(House(siblings, "db/versions", template), siblings[:2], taken)


def made(*siblings: Sibling, template: str | None = None) -> NewRevision:
    return merge_revision(planned(*siblings, template=template))


MODERN = '''"""add teams

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
    op.create_table("teams", sa.Column("id", sa.Integer))


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("teams")
'''


def twin(text: str, new_id: str = "019") -> str:
    return text.replace("020", new_id).replace("05-01", "06-01")


def test_a_generated_house_gets_what_alembic_would_have_generated() -> None:
    revision = made(sibling("db/versions/020_add_teams.py", MODERN), sibling("db/versions/019_x.py", twin(MODERN)))
    assert (revision.id, revision.path, revision.parents) == (
        "021",
        "db/versions/021_merge_019_and_020.py",
        ("020", "019"),
    )
    assert (
        revision.data.decode()
        == '''"""merge 019 and 020

Revision ID: 021
Revises: 020, 019
Create Date: 2024-06-01 10:00:00.000001

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '021'
down_revision: Union[str, Sequence[str], None] = ('020', '019')
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
'''
    )


BLACK = '''# Copyright The Basketball Authors
# SPDX-License-Identifier: MIT

"""
Drop notes

Create Date: 2024-05-01T10:00:00+00:00
Revision ID: aaaaaaaaaaaa
Revises: 111111111111
"""

from __future__ import annotations

import geoalchemy2
from basketball.models import Note
from typing import Optional

# revision identifiers, used by Alembic.
revision: str = "aaaaaaaaaaaa"
down_revision: Optional[str] = "111111111111"
branch_labels: tuple[str, ...] | None = ("notes",)
depends_on: str = "222222222222"
basketball_version = "3.1"


def upgrade() -> None:
    """Drops the notes, which nobody reads."""
    Note.drop()


def downgrade() -> None:
    raise NotImplementedError
'''


def test_what_belongs_to_one_revision_is_left_out_and_the_rest_kept() -> None:
    other = BLACK.replace("aaaaaaaaaaaa", "bbbbbbbbbbbb").replace('("notes",)', "None").replace("05-01", "04-01")
    revision = made(sibling("db/versions/aaaaaaaaaaaa_.py", BLACK), sibling("db/versions/bbbbbbbbbbbb_.py", other))
    assert revision.path == "db/versions/9255d2302ff1_merge_aaaaaaaaaaaa_and_bbbbbbbbbbbb.py"
    assert (
        revision.data.decode()
        == '''# Copyright The Basketball Authors
# SPDX-License-Identifier: MIT

"""
merge aaaaaaaaaaaa and bbbbbbbbbbbb

Create Date: 2024-05-01T10:00:00+00:00
Revision ID: 9255d2302ff1
Revises: aaaaaaaaaaaa, bbbbbbbbbbbb
"""

from __future__ import annotations

from typing import Sequence, Union

# revision identifiers, used by Alembic.
revision: str = "9255d2302ff1"
down_revision: Union[str, Sequence[str], None] = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
branch_labels: tuple[str, ...] | None = None
depends_on = None
basketball_version = "3.1"


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
'''
    )


PYTHON_2 = """# -*- coding: utf-8 -*-
'''old

Revision ID: 020
Revises: 018

'''

# revision identifiers, used by Alembic.
revision = u'020'
down_revision = u'018'

from alembic import op
import sqlalchemy as sa


def upgrade(engine_name):
\tprint "moving", engine_name
\tglobals()["upgrade_%s" % engine_name]()


def downgrade(engine_name):
\tglobals()["downgrade_%s" % engine_name]()


def upgrade_teams():
\tpass
"""


def test_a_python_2_house_with_windows_line_endings_and_several_engines() -> None:
    text = PYTHON_2.replace("\n", "\r\n")
    revision = made(sibling("db/versions/020.py", text), sibling("db/versions/019.py", twin(text)))
    assert revision.path == "db/versions/021.py"
    expected = """'''merge 019 and 020

Revision ID: 021
Revises: 020, 019

'''

# revision identifiers, used by Alembic.
revision = u'021'
down_revision = (u'020', u'019')

from alembic import op
import sqlalchemy as sa


def upgrade(engine_name):
\tpass


def downgrade(engine_name):
\tpass
"""
    assert revision.data.decode() == expected.replace("\n", "\r\n")


def test_the_parameters_survive_without_the_imports_their_annotations_need() -> None:
    text = MODERN.replace("upgrade() ->", "upgrade(context: Context = DEFAULT, *, dry=False, **rest: Any) ->")
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data.decode()
    assert "def upgrade(context=None, *, dry=None, **rest) -> None:\n" in data


def test_a_merge_of_the_same_fashion_is_the_model_and_an_old_one_is_none() -> None:
    merge = twin(MODERN, "017").replace("'018'", "('015', '016')").replace('    """Upgrade schema."""\n', "")
    merge = merge.replace("import sqlalchemy as sa\n\n", "import sqlalchemy as sa\n").replace("add teams", "merge")
    heads = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    data = made(*heads, sibling("v/017_m.py", merge)).data.decode()
    assert "import sqlalchemy as sa\n\n# revision" in data
    assert '"""Upgrade schema."""' not in data
    old = sibling("v/017_m.py", "revision = '017'\ndown_revision = ('015', '016')\ndef upgrade(): pass\n")
    assert made(*heads, old).data == made(*heads).data


@pytest.mark.parametrize(
    ("annotation", "imports", "expected"),
    [
        ("", "", "down_revision = ("),
        (": str", "", "from typing import Sequence\n"),
        (": str", "", "down_revision: Sequence[str] = ("),
        (": str | None", "", "down_revision: str | tuple[str, ...] | None = ("),
        (": 't.Optional[str]'", "import typing as t\n", "down_revision: Union[str, Sequence[str], None] = ("),
        (": t.Optional[t.Sequence[str]]", "import typing as t\n", "import typing as t\n"),
        (": tuple[str, ...]", "", "down_revision: tuple[str, ...] = ("),
        (": Parents[tuple]", "from app import Parents\n", "down_revision = ("),
    ],
)
def test_the_annotation_is_true_of_several_parents_and_can_be_evaluated(
    annotation: str, imports: str, expected: str
) -> None:
    text = f"{imports}revision = '020'\ndown_revision{annotation} = '018'\n\n\ndef upgrade():\n    pass\n"
    data = made(sibling("v/020.py", text), sibling("v/019.py", twin(text))).data.decode()
    assert expected in data
    namespace: dict[str, object] = {}
    exec(compile(data, "merge", "exec"), namespace)  # noqa: S102 - our own text
    assert namespace["down_revision"] == ("020", "019")


def test_a_long_tuple_is_wrapped_only_in_a_house_that_formats() -> None:
    heads = [f"{letter * 32}" for letter in "abc"]
    for quote, wrapped in (("'", False), ('"', True)):
        text = f"revision = {quote}%s{quote}\ndown_revision = None\n\n\ndef upgrade():\n    pass\n"
        siblings = tuple(sibling(f"v/{head}.py", text % head) for head in heads)
        data = merge_revision(merge_file(House(siblings, "v"), siblings)).data.decode()
        assert (f'(\n    "{heads[0]}",\n    "{heads[1]}",\n    "{heads[2]}",\n)\n' in data) is wrapped


def test_two_makers_write_the_same_file_but_for_the_order_of_parents() -> None:
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    one, other = made(*siblings), merge_revision(merge_file(House(siblings, "v"), siblings[::-1]))
    assert (one.id, one.path) == (other.id, other.path)
    assert one.data.replace(b"020, 019", b"019, 020").replace(b"'020', '019'", b"'019', '020'") == other.data


def test_the_configured_file_template_decides_name_and_folder() -> None:
    template = "%%(year)d/%%(month).2d/%%(rev)s_%%(slug)s"
    siblings = (sibling("db/versions/2024/05/020_a.py", MODERN), sibling("db/versions/2024/06/019_b.py", twin(MODERN)))
    assert made(*siblings, template=template).path == "db/versions/2024/06/021_merge_019_and_020.py"
    assert made(*siblings, template="../%(rev)s").path == "db/versions/2024/06/021_merge_019_and_020.py"


def test_without_dates_the_name_follows_the_given_moment() -> None:
    text = "revision = '%s'\ndown_revision = None\n"
    siblings = (sibling("v/2023_01_02_aa11.py", text % "aa11"), sibling("v/2023_02_03_bb22.py", text % "bb22"))
    file = merge_file(House(siblings, "v"), siblings, when=datetime(2024, 5, 6, tzinfo=UTC))
    assert file.path == f"v/2024_05_06_{file.id}.py"
    assert file.create_date == ""


def test_ids_and_paths_in_use_elsewhere_are_avoided() -> None:
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    assert planned(*siblings, taken=("021",)).id == "022"
    assert merge_file(House(siblings, "v"), siblings, paths=["v/sub/031_other_branch.py"]).id == "032"
    words = (sibling("v/a.py", MODERN), sibling("v/b.py", twin(MODERN)))
    assert merge_file(House(words, "v"), words).path == "v/merge_019_and_020.py"
    assert merge_file(House(words, "v"), words, paths=["v/merge_019_and_020.py"]).path == "v/merge_019_and_020_021.py"


def test_where_the_imports_go_a_blank_line_stays() -> None:
    text = MODERN.replace("import sqlalchemy as sa", "from app import models").replace(
        ": Union[str, Sequence[str], None]", ""
    )
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data
    assert b'\n\n"""\n\n# revision identifiers' in data


def test_messages() -> None:
    assert merge_message(["021", "019"]) == "merge 019 and 021"
    assert merge_message(["c", "a", "b"]) == "merge a, b and c"
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    file = merge_file(House(siblings, "v"), siblings, message='join "x"\n and\\y """ ')
    assert file.message == "join 'x' and/y '''"
    assert merge_revision(file).data.startswith(b"\"\"\"join 'x' and/y '''\n\n")


def test_a_head_whose_id_is_no_plain_string_is_refused() -> None:
    bad = Sibling(Revision('a"b', (), "v/x.py", ""), b"revision = 'a\"b'\n")
    with pytest.raises(CannotEdit, match="plain string"):
        merge_file(House((bad,), "v"), (bad, sibling("v/019.py", MODERN)))


def test_unreadable_siblings_are_passed_over() -> None:
    broken = Sibling(Revision("020", ("018",), "v/020.py", ""), b"\xff\x00")
    plain = made(broken, Sibling(Revision("019", ("018",), "v/019.py", ""), b"((((")).data.decode()
    assert "revision = '021'\ndown_revision = ('020', '019')\nbranch_labels = None\ndepends_on = None\n" in plain
    assert made(broken, sibling("v/019.py", twin(MODERN))).data.decode().count("Union[str, Sequence[str], None]") == 3


OWN = '''"""{{ message | upper }}"""
revision = "{{ revision }}"
down_revision = ({% for parent in parents %}"{{ parent }}", {% endfor %})


{% for function in functions %}
{{ function.signature }}:
{{ indent }}pass
{% endfor %}
'''


def test_a_repository_may_have_its_own_template() -> None:
    file = planned(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    assert merge_revision(file, OWN).data.decode() == (
        '"""MERGE 019 AND 020"""\nrevision = "021"\ndown_revision = ("020", "019", )\n\n\n'
        "def upgrade() -> None:\n    pass\ndef downgrade() -> None:\n    pass\n"
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("revision = 'x'\n", "is not the revision 021"),
        (OWN.replace("{{ revision }}", "020"), "is not the revision 021"),
        ("{{ nothing }}", "undefined"),
        ("{% if %}", "Expected an expression"),
        ("{{ message * 1000000 }}", "not available"),
        ("{{ '%9999999d' % 1 }}", "not available"),
        ("{{ message.__class__.__mro__ }}", "unsafe"),
        ("{{ message.center(99999999) }}", "not safely callable"),
        ("{{ message | center(99999999) }}", "No filter named 'center'"),
        ("{{ range(9) }}", "Undefined is not safely callable"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% for a in message %}" * 6 + "{{ message }}" + "{% endfor %}" * 6, "more than 262144"),
        ("x" * 40000, "longer than 32768"),
    ],
)
def test_a_bad_or_hostile_template_is_refused_with_the_reason(template: str, reason: str) -> None:
    file = planned(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    with pytest.raises(UsageError, match=reason) as caught:
        merge_revision(file, template)
    assert caught.value.hint


def test_a_date_that_would_end_the_docstring_is_left_out() -> None:
    trap = twin(MODERN).replace('"""add', "'''add").replace('\n\n"""\nfrom', "\n\n'''\nfrom")
    trap = trap.replace("2024-06-01 10:00:00.000001", '2099-01-01 """ + exec("1") + """')
    data = made(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", trap)).data
    assert b"exec" not in data
    assert b"Create Date: 2024-05-01 10:00:00.000001\n" in data


def test_the_models_are_the_newest_and_the_nearest_merge() -> None:
    chain = [Revision("r0", (), "", "")] + [Revision(f"r{n}", (f"r{n - 1}",), "", "") for n in range(1, 20)]
    chain += [Revision("m", ("r3", "gone"), "", ""), Revision("x", ("m",), "", ""), Revision("y", ("r19",), "", "")]
    assert [each.id for each in newest(chain, ["y", "unknown"], 3)] == ["y", "r19", "r18"]
    assert [each.id for each in newest(chain, ["y", "x"], 3)] == ["y", "x", "r19", "m"]


def test_judging_needs_no_template_engine() -> None:
    code = "import sys, onehead.render; sys.exit('jinja2' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
