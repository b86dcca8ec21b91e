"""The text of a merge revision: exactly the style of the files around it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from onehead.errors import UsageError
from onehead.render import from_template, stock_revision
from onehead.revisions.edit import CannotEdit
from onehead.revisions.merge_file import NewRevision, Sibling, merge_file, merge_message, newest
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse


def sibling(path: str, text: str | bytes) -> Sibling:
    data = text.encode() if isinstance(text, str) else text
    declared = parse(data)
    assert declared.revision is not None
    return Sibling(Revision(declared.revision, declared.parents or (), path, ""), data)


def made(*siblings: Sibling, template: str | None = None, taken: tuple[str, ...] = ()) -> NewRevision:
    """A merge of the first two siblings."""
    return merge_file(siblings[:2], siblings, "db/versions", template, taken, stock=stock_revision())


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

# revision identifiers, used by Alembic.
revision: str = "9255d2302ff1"
down_revision: tuple[str, ...] | None = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
branch_labels: tuple[str, ...] | None = None
depends_on = None
basketball_version = "3.1"


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
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
    expected = """# -*- coding: utf-8 -*-
'''merge 019 and 020

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


DECORATED = '''"""add teams"""
import functools
import json

from alembic import op
import sqlalchemy as sa
from basketball.schemas import each_schema, Season
from basketball.models import *

revision = "020"
down_revision = "018"

teams = sa.table("teams")
ORDER = ["a", "b"]


def in_order(schemas):
    def run(function):
        schema = json.dumps(schemas)
        return functools.wraps(function)(schema)

    return run


@in_order(
    ORDER,
)
@each_schema
def upgrade(
    schema: str,  # where
    *,
    season: "Season" = {"x": 1}["x"],
) -> None:  # noqa: D103
    # the table comes first
    op.create_table("teams", schema=schema)

    fill(teams)
    # and that is all


@each_schema
def downgrade(schema: str): op.drop_table("teams", schema=schema)


def fill(table):
    print(table)
'''


def test_decorators_and_parameters_stay_with_all_they_need_and_nothing_else() -> None:
    data = made(sibling("v/020_a.py", DECORATED), sibling("v/019_b.py", twin(DECORATED))).data.decode()
    assert (
        data
        == '''"""merge 019 and 020"""
import functools
import json

from alembic import op
import sqlalchemy as sa
from basketball.schemas import each_schema, Season

revision = "021"
down_revision = ("020", "019")

ORDER = ["a", "b"]


def in_order(schemas):
    def run(function):
        schema = json.dumps(schemas)
        return functools.wraps(function)(schema)

    return run


@in_order(
    ORDER,
)
@each_schema
def upgrade(
    schema: str,  # where
    *,
    season: "Season" = {"x": 1}["x"],
) -> None:  # noqa: D103
    pass


@each_schema
def downgrade(schema: str): pass
'''
    )


def test_what_a_name_needs_may_come_with_everything_of_a_module() -> None:
    imports = "from tools import *\nfrom app import models"
    text = MODERN.replace("def upgrade", "@seasonal\ndef upgrade", 1).replace("import sqlalchemy as sa", imports)
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data.decode()
    assert "from alembic import op\nfrom tools import *\n\n\n# revision" in data
    text = text.replace("from app import models", "from app import seasonal")
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data.decode()
    assert "from alembic import op\nfrom app import seasonal\n\n\n# revision" in data


SEVERAL = MODERN.replace("grade()", "grade(engine_name: str)")


@pytest.mark.parametrize(
    "calls",
    [
        'globals()["NAME_%s" % engine_name]()',
        'globals()[f"NAME_{engine_name}"]()',
        'eval("NAME_" + engine_name)()',
        'getattr(sys.modules[__name__], "NAME_" + engine_name)()',
        'if engine_name == "one":\n        NAME_one()\n    elif engine_name == "two":\n        NAME_two()',
    ],
)
def test_a_house_with_several_databases_keeps_a_function_for_each(calls: str) -> None:
    text = SEVERAL.replace("import sqlalchemy as sa", "import sqlalchemy as sa\nimport sys")
    create, drop = 'op.create_table("teams", sa.Column("id", sa.Integer))', 'op.drop_table("teams")'
    for name, does in (("upgrade", create), ("downgrade", drop)):
        text = text.replace(does, calls.replace("NAME", name))
        for engine in ("one", "two"):
            text += f'\n\ndef {name}_{engine}() -> None:\n    """Moves {engine}."""\n    {does}\n'
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data.decode()
    assert calls.replace("NAME", "upgrade") in data
    assert ("import sys" in data) is ("sys." in calls)
    assert 'def upgrade_one() -> None:\n    """Upgrade one schema."""\n    pass\n' in data
    assert data.endswith('def downgrade_two() -> None:\n    """Downgrade two schema."""\n    pass\n')
    assert "teams" not in data


def test_a_helper_of_one_revision_is_no_function_of_a_database() -> None:
    text = MODERN.replace("op.create_table", "upgrade_teams()\n    op.create_table")
    text += "\n\ndef upgrade_teams():\n    pass\n"
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data
    assert data == made(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN))).data


@pytest.mark.parametrize(
    "functions",
    [
        "from app.migrations import upgrade, downgrade\n",
        "upgrade = downgrade = print\n",
        "if True:\n    def upgrade():\n        pass\n",
        "def upgrade():\n    pass\n\n\nupgrade = print\n",
    ],
)
def test_functions_that_show_no_signature_are_no_model(functions: str) -> None:
    odd = MODERN[: MODERN.index("def upgrade")] + functions
    heads = (sibling("v/020_a.py", odd), sibling("v/019_b.py", twin(MODERN)))
    assert 'def upgrade() -> None:\n    """Upgrade schema."""\n    pass\n' in made(*heads).data.decode()
    none = made(heads[0], sibling("v/019_b.py", twin(odd))).data.decode()
    assert none.endswith("depends_on = None\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n")


def test_a_function_that_is_wrapped_afterwards_stays_wrapped() -> None:
    text = "import app\nrevision = '020'\ndown_revision = '018'\n\n\ndef upgrade(schema):\n    pass\n\n\n"
    text += "upgrade = app.each_schema(upgrade)\n"
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data.decode()
    assert "import app\n" in data
    assert data.endswith("def upgrade(schema):\n    pass\n\n\nupgrade = app.each_schema(upgrade)\n")


def test_a_downgrade_is_added_where_only_the_model_has_none() -> None:
    none = MODERN[: MODERN.index("\n\n\ndef downgrade")]
    heads = (sibling("v/020_a.py", none), sibling("v/019_b.py", twin(MODERN)))
    assert made(*heads).data == made(sibling("v/020_a.py", MODERN), heads[1]).data
    data = made(heads[0], sibling("v/019_b.py", twin(none))).data.decode()
    assert data.endswith('def upgrade() -> None:\n    """Upgrade schema."""\n    pass\n')


@pytest.mark.parametrize(
    ("annotation", "imports", "expected"),
    [
        ("", "", "down_revision = ("),
        (": str", "", "down_revision = ("),
        (": object", "", "down_revision: object = ("),
        (": str | None", "", "down_revision: str | tuple[str, ...] | None = ("),
        (": 't.Optional[str]'", "import typing as t\n", "down_revision = ("),
        (": t.Optional[t.Sequence[str]]", "import typing as t\n", "import typing as t\n"),
        (": tuple[str, ...]", "", "down_revision: tuple[str, ...] = ("),
        (": Parents", "from typing import Any as Parents\n", "down_revision: Parents = ("),
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
        data = merge_file(siblings, siblings, "v").data.decode()
        assert (f'(\n    "{heads[0]}",\n    "{heads[1]}",\n    "{heads[2]}",\n)\n' in data) is wrapped


def test_two_makers_write_the_same_file_but_for_the_order_of_parents() -> None:
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    one, other = made(*siblings), merge_file(siblings[::-1], siblings, "v")
    assert (one.id, one.path) == (other.id, other.path)
    assert one.data.replace(b"020, 019", b"019, 020").replace(b"'020', '019'", b"'019', '020'") == other.data


def test_the_configured_file_template_decides_name_and_folder() -> None:
    template = "%%(year)d/%%(month).2d/%%(rev)s_%%(slug)s"
    siblings = (sibling("db/versions/2024/05/020_a.py", MODERN), sibling("db/versions/2024/06/019_b.py", twin(MODERN)))
    assert made(*siblings, template=template).path == "db/versions/2024/06/021_merge_019_and_020.py"
    assert made(*siblings, template="../%(rev)s").path == "db/versions/2024/06/021_merge_019_and_020.py"


def dated(rev: str, date: str = "") -> str:
    line = f"\n\nCreate Date: {date}" if date else ""
    return f'"""x{line}"""\nrevision = "{rev}"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n'


def test_without_dates_inside_the_name_follows_the_names_around() -> None:
    siblings = (sibling("v/2023_01_02_aa11.py", dated("aa11")), sibling("v/2023_02_03_bb22.py", dated("bb22")))
    new = made(*siblings)
    assert new.path == f"v/2023_02_03_{new.id}.py"
    assert new.create_date == ""
    plain = (sibling("v/aa11_x.py", dated("aa11")), sibling("v/bb22_x.py", dated("bb22")))
    new = made(*plain, template="%(year)d_%(rev)s")
    assert new.path == f"v/{new.id}_merge_aa11_and_bb22.py"


@pytest.mark.parametrize(
    ("ids", "dates", "expected"),
    [
        (("20240501", "20240430"), ("2024-05-01 10:00:00", "2024-04-30 09:00:00"), "20240502 2024-05-02 10:00:00"),
        (("20240501", "20240430"), ("2024-05-07 10:00:00", "2024-04-30 09:00:00"), "20240502 2024-05-02 10:00:00"),
        (
            ("202405011059", "202404301200"),
            ("2024-05-01 10:59:07+00:00",) * 2,
            "202405011100 2024-05-01 11:00:07+00:00",
        ),
        (("202405011059", "202404301200"), ("", ""), "202405011100 "),
    ],
)
def test_where_ids_are_dates_name_id_and_date_agree(
    ids: tuple[str, str], dates: tuple[str, str], expected: str
) -> None:
    one, other = (
        sibling(f"v/{id_[:4]}-{id_[4:6]}-{id_[6:8]}_{id_}_x.py", dated(id_, date))
        for id_, date in zip(ids, dates, strict=True)
    )
    new = made(one, other)
    assert f"{new.id} {new.create_date}" == expected
    assert new.path.startswith(f"v/{new.id[:4]}-{new.id[4:6]}-{new.id[6:8]}_{new.id}_merge")
    assert (f"Create Date: {new.create_date}".encode() in new.data) is bool(new.create_date)


def test_a_file_that_was_dated_again_is_as_new_as_its_name() -> None:
    one = sibling("v/20260804_1845_aa11_x.py", dated("aa11", "2026-07-28 12:48:27+00:00"))
    new = made(one, sibling("v/20260801_0900_bb22_x.py", dated("bb22", "2026-08-01 09:00:03+00:00")))
    assert (new.path, new.create_date) == (
        f"v/20260804_1845_{new.id}_merge_aa11_and_bb22.py",
        "2026-08-04 18:45:00+00:00",
    )


def test_a_name_that_alembic_cut_is_no_manner() -> None:
    long = "merge_aaaaaaaaaaaaaaaa_and_a_word_that_is_too_"
    siblings = (sibling(f"v/aa11_{long}.py", dated("aa11")), sibling(f"v/bb22_{long}.py", dated("bb22")))
    assert made(*siblings).path == f"v/{made(*siblings).id}_merge_aa11_and_bb22.py"
    ids = [letter * 20 for letter in "ab"]
    siblings = (sibling(f"v/{ids[0]}_x.py", dated(ids[0])), sibling(f"v/{ids[1]}_x.py", dated(ids[1])))
    assert made(*siblings).path == f"v/{made(*siblings).id}_merge_{ids[0]}.py"


def test_ids_and_paths_in_use_elsewhere_are_avoided() -> None:
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    assert made(*siblings, taken=("021",)).id == "022"
    assert merge_file(siblings, siblings, "v", paths=["v/sub/031_other_branch.py"]).id == "032"
    words = (sibling("v/a.py", MODERN), sibling("v/b.py", twin(MODERN)))
    assert merge_file(words, words, "v").path == "v/merge_019_and_020.py"
    assert merge_file(words, words, "v", paths=["v/merge_019_and_020.py"]).path == "v/merge_019_and_020_021.py"


def test_where_something_goes_the_distance_stays() -> None:
    text = MODERN.replace("import sqlalchemy as sa\n", "\nTEAMS = dict()\n").replace("from alembic import op\n", "")
    text = text.replace(": Union[str, Sequence[str], None]", "").replace('"""\nfrom', '"""\n\nfrom')
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text))).data
    assert b'\n\n"""\n\n\n# revision identifiers' in data


def test_messages() -> None:
    assert merge_message(["021", "019"]) == "merge 019 and 021"
    assert merge_message(["c", "a", "b"]) == "merge a, b and c"
    siblings = (sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    assert made(*siblings).message == "merge 019 and 020"


def test_a_head_whose_id_is_no_plain_string_is_refused() -> None:
    bad = Sibling(Revision('a"b', (), "v/x.py", ""), b"revision = 'a\"b'\n")
    with pytest.raises(CannotEdit, match="plain string"):
        merge_file((bad, sibling("v/019.py", MODERN)), (bad,), "v")


def test_unreadable_siblings_are_passed_over() -> None:
    broken = Sibling(Revision("020", ("018",), "v/020.py", ""), b"\xff\x00")
    plain = made(broken, Sibling(Revision("019", ("018",), "v/019.py", ""), b"((((")).data.decode()
    assert "revision = '021'\ndown_revision = ('020', '019')\nbranch_labels = None\ndepends_on = None\n" in plain
    assert made(broken, sibling("v/019.py", twin(MODERN))).data.decode().count("Union[str, Sequence[str], None]") == 3


OWN = '''"""{{ message | upper }}"""
revision = "{{ revision }}"
down_revision = ({% for parent in parents %}"{{ parent }}", {% endfor %})


def upgrade():
    pass
'''


def test_a_repository_may_have_its_own_template() -> None:
    file = made(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    assert from_template(file, OWN).data.decode() == (
        '"""MERGE 019 AND 020"""\nrevision = "021"\ndown_revision = ("020", "019", )\n\n\ndef upgrade():\n    pass\n'
    )


def test_a_template_may_add_to_what_would_be_written() -> None:
    text = MODERN.replace("\n", "\r\n")
    file = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text)))
    own = from_template(file, "# {{ create_date }}\n\n{{ copy }}\n\n")
    assert own.data == b"# 2024-06-01 10:00:00.000001\r\n\r\n" + file.data
    assert (own.id, own.path, own.parents) == (file.id, file.path, file.parents)


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
    file = made(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", twin(MODERN)))
    with pytest.raises(UsageError, match=reason) as caught:
        from_template(file, template)
    assert caught.value.hint


def test_a_date_that_would_end_the_docstring_is_left_out() -> None:
    trap = twin(MODERN).replace('"""add', "'''add").replace('\n\n"""\nfrom', "\n\n'''\nfrom")
    trap = trap.replace("2024-06-01 10:00:00.000001", '2099-01-01 """ + exec("1") + """')
    data = made(sibling("v/020_a.py", MODERN), sibling("v/019_b.py", trap)).data
    assert b"exec" not in data
    assert b"Create Date: 2024-05-01 10:00:00.000001\n" in data


def test_the_models_are_the_newest() -> None:
    chain = [Revision("r0", (), "", "")] + [Revision(f"r{n}", (f"r{n - 1}",), "", "") for n in range(1, 20)]
    chain += [Revision("m", ("r3", "gone"), "", ""), Revision("x", ("m",), "", ""), Revision("y", ("r19",), "", "")]
    assert [each.id for each in newest(chain, ["y", "unknown"])[:3]] == ["y", "r19", "r18"]
    assert [each.id for each in newest(chain, ["y", "x"])[:4]] == ["y", "x", "r19", "m"]


def test_judging_needs_no_template_engine() -> None:
    code = "import sys, onehead.render; sys.exit('jinja2' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HEADED = """{top}
'''add teams

{inside}
Revision ID: {id}
Revises: 018

'''
from alembic import op

# revision identifiers, used by Alembic.
revision = "{id}"
down_revision = "018"
{below}

def upgrade():
    pass


def downgrade():
    pass
"""


def headed(rev_id: str, top: str = "", inside: str = "", below: str = "") -> Sibling:
    return sibling(f"v/{rev_id}_x.py", HEADED.format(id=rev_id, top=top, inside=inside, below=below))


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        ("# Copyright 2014 A. Jordan", "# Copyright 2016 B. Bird", ""),
        ("# Copyright 2014 A. Jordan", "", ""),
        ("# Copyright 2014 The Bulls\n", "# Copyright 2014 The Bulls\n", "# Copyright 2014 The Bulls\n"),
        ("# SPDX-License-Identifier: MIT", "# SPDX-License-Identifier: MIT", "# SPDX-License-Identifier: MIT"),
        (
            "# Copyright 2014 A. Jordan\n#\n# Licensed under the MIT licence.\n#",
            "# Copyright 2016 B. Bird\n#\n# Licensed under the MIT licence.\n#",
            "# Licensed under the MIT licence.",
        ),
        ("# @author: jordan", "# @author: jordan", ""),
        ("# Created by A. Jordan", "# Created by A. Jordan", ""),
        ("# Created on 2014-05-01", "# Created on 2014-05-02", ""),
        ("##########\n# jordan #\n##########", "##########\n# bird #\n##########", ""),
        ("# only here", "", ""),
        (
            "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# mine",
            "",
            "#!/usr/bin/env python\n# -*- coding: utf-8 -*-",
        ),
    ],
)
def test_a_header_names_nobody_and_no_year_that_have_nothing_to_do_with_the_merge(
    one: str, other: str, stays: str
) -> None:
    data = made(headed("020", top=one), headed("019", top=other)).data.decode()
    assert data.startswith(f"{stays}\n'''merge" if stays else "'''merge")


@pytest.mark.parametrize(
    "line", ["Author: A. Jordan", "Created by: A. Jordan", "Reviewed-by: B. Bird", "Ticket: NBA-23"]
)
def test_a_docstring_names_nobody_either(line: str) -> None:
    data = made(headed("020", inside=line), headed("019", inside=line.replace("23", "32"))).data.decode()
    assert "'''merge 019 and 020\n\nRevision ID: 021\nRevises: 020, 019\n\n'''\n" in data


def test_a_line_of_the_docstring_that_all_have_stays() -> None:
    heads = headed("020", inside="Component: teams\nChange: 1"), headed("019", inside="Component: teams\nChange: 2")
    assert "merge 019 and 020\n\nComponent: teams\nRevision ID: 021\n" in made(*heads).data.decode()


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        ("# Part of: 26.2", "# Part of: 26.2", True),
        ("# Part of: 26.2", "# Part of: 26.3", False),
        ('release = "26.2"', 'release = "26.3"', True),
        ('release = "26.2"', "", False),
        ('__author__ = "jordan"', '__author__ = "jordan"', False),
        ("teams = op.f", "teams = op.f", False),
        ("# ### end Alembic commands ###", "# ### end Alembic commands ###", False),
    ],
)
def test_what_stands_beside_the_header_stays_where_it_is_the_projects(one: str, other: str, *, stays: bool) -> None:
    data = made(headed("020", below=one), headed("019", below=other)).data.decode()
    assert (one in data) is stays


def test_a_comment_behind_a_value_stays_where_others_have_it() -> None:
    text = MODERN.replace("= '020'", "= '020'  # pragma: allowlist secret").replace("= '018'", "= '018'  # by jordan")
    data = made(sibling("v/020_a.py", text), sibling("v/019_b.py", twin(text).replace("jordan", "bird"))).data.decode()
    assert "revision: str = '021'  # pragma: allowlist secret\n" in data
    assert "= ('020', '019')\n" in data


def test_a_constant_that_some_have_is_not_the_projects() -> None:
    some = headed("020", below="BATCH = 1000"), headed("019"), headed("018", below="BATCH = 1000"), headed("017")
    assert b"BATCH" not in made(*some).data
    most = headed("020", below="BATCH = 1000"), headed("019", below="BATCH = 1000"), headed("018", below="BATCH = 1000")
    assert b"BATCH = 1000" in made(*most, headed("017")).data
