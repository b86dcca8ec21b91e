"""Alembic as the judge: merges of ours in environments that Alembic itself made, listed and really run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from onehead.revisions.merge_file import NewRevision, Sibling, merge_file, newest
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse

RELEASE = tuple(int(part) for part in metadata.version("alembic").split(".")[:2])
OTHERS = ["async", "multidb", "pyproject", "pyproject_async"]


class Project:
    """An Alembic project in a folder of its own, driven by Alembic's commands."""

    def __init__(self, folder: Path, template: str) -> None:
        self.folder, self.template = folder, template
        ini, toml = folder / "alembic.ini", folder / "pyproject.toml"
        self.config = Config(str(ini), toml_file=str(toml))
        command.init(self.config, str(folder / "migrations"), template=template)
        driver = "sqlite+aiosqlite" if "async" in template else "sqlite"
        ini.write_text(
            ini.read_text()
            .replace("driver://user:pass@localhost/dbname2", f"{driver}:///{folder}/two.db")
            .replace("driver://user:pass@localhost/dbname", f"{driver}:///{folder}/one.db")
        )

    @property
    def scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(
            Config(str(self.config.config_file_name), toml_file=self.config.toml_file_name)
        )

    def revise(self, rev_id: str, parent: str | None) -> None:
        """A revision that makes one table, in every database there is."""
        command.revision(self.config, f"table {rev_id}", rev_id=rev_id, head=parent or "base", splice=True)
        path = next(self.versions.glob(f"{rev_id}_*.py"))
        text = path.read_text()
        for name in ("upgrade", "upgrade_engine1", "upgrade_engine2"):
            start = text.find(f"def {name}()")
            if start >= 0:
                text = text[:start] + text[start:].replace(
                    "    pass", f"    op.execute('create table t{rev_id} (x int)')", 1
                )
        path.write_text(text)

    @property
    def versions(self) -> Path:
        return self.folder / "migrations" / "versions"

    def merge(self, *heads: str, template: str | None = None) -> NewRevision:
        """Our merge of the heads, written into the project."""
        siblings = {}
        for path in sorted(self.versions.rglob("*.py")):
            data = path.read_bytes()
            read = parse(data)
            assert read.revision is not None
            where = str(path.relative_to(self.folder))
            siblings[read.revision] = Sibling(Revision(read.revision, read.parents or (), where, ""), data)
        models = newest([each.revision for each in siblings.values()], heads)
        joined = [siblings[head] for head in heads]
        around = [siblings[each.id] for each in models]
        revision = merge_file(joined, around, "migrations/versions", template, list(siblings))
        target = self.folder / revision.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(revision.data)
        return revision

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *words], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tables(self, name: str) -> set[str]:
        connection = sqlite3.connect(self.folder / name)
        try:
            rows = connection.execute("select name from sqlite_master where name like 't%'").fetchall()
        finally:
            connection.close()
        return {row[0] for row in rows}


def forked(folder: Path, template: str, ids: tuple[str, str, str] = ("018", "019", "020")) -> Project:
    project = Project(folder, template)
    base, one, other = ids
    project.revise(base, None)
    project.revise(one, base)
    project.revise(other, base)
    assert set(project.scripts.get_heads()) == {one, other}
    return project


@pytest.mark.parametrize("template", ["generic", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_one_head_and_a_run_through_both_sides(tmp_path: Path, template: str) -> None:
    project = forked(tmp_path, template)
    merge = project.merge("020", "019")
    assert project.scripts.get_heads() == ["021"]
    assert project.scripts.get_revision("021").down_revision == ("020", "019")
    assert merge.id == "021"
    project.run("upgrade", "head")
    databases = ["one.db", "two.db"] if template == "multidb" else ["one.db"]
    assert [project.tables(name) for name in databases] == [{"t018", "t019", "t020"}] * len(databases)
    project.run("downgrade", "019")


@pytest.mark.parametrize("template", ["generic", "multidb"])
def test_a_merge_looks_like_the_one_alembic_would_have_made(tmp_path: Path, template: str) -> None:
    """Alembic's own `merge` with the same words gives the same file, also where there are several databases."""
    project = forked(tmp_path, template)
    ours = project.merge("020", "019")
    (tmp_path / ours.path).unlink()
    command.merge(project.config, ["020", "019"], message="merge 019 and 020", rev_id="021")
    theirs = (tmp_path / ours.path).read_text().rstrip().splitlines()
    expected = [line for line in theirs if not line.startswith("Create Date")]
    assert [line for line in ours.data.decode().splitlines() if not line.startswith("Create Date")] == expected


@pytest.mark.skipif(RELEASE < (1, 18), reason="needs Alembic 1.18, which makes the folders of a template")
def test_a_template_with_folders_in_a_recursive_environment(tmp_path: Path) -> None:
    project = Project(tmp_path, "generic")
    ini = tmp_path / "alembic.ini"
    template = "%%(year)d/%%(month).2d_%%(rev)s_%%(slug)s"
    ini.write_text(
        ini.read_text().replace(
            "[alembic]", f"[alembic]\nfile_template = {template}\nrecursive_version_locations = true"
        )
    )
    project.config = Config(str(ini))
    for rev_id, parent in (
        ("aaaaaaaaaaaa", "base"),
        ("bbbbbbbbbbbb", "aaaaaaaaaaaa"),
        ("cccccccccccc", "aaaaaaaaaaaa"),
    ):
        command.revision(project.config, "x", rev_id=rev_id, head=parent, splice=True)
    merge = project.merge("bbbbbbbbbbbb", "cccccccccccc", template=template)
    siblings = [path.relative_to(tmp_path) for path in project.versions.rglob("*_bbbbbbbbbbbb_x.py")]
    assert Path(merge.path).parent == siblings[0].parent
    assert ScriptDirectory.from_config(project.config).get_heads() == [merge.id]


@pytest.mark.parametrize("quotes", ["double", "single"])
@pytest.mark.parametrize("width", [88, 120])
def test_in_a_formatted_house_the_merge_needs_no_formatting(tmp_path: Path, quotes: str, width: int) -> None:
    ids = ("a" * 12, "b" * 12, "c" * 12)
    project = forked(tmp_path, "generic", ids)
    settings = tmp_path / "ruff.toml"
    settings.write_text(f'line-length = {width}\n[format]\nquote-style = "{quotes}"\n')
    ruff = [sys.executable, "-m", "ruff", "format", "--no-cache", "--config", str(settings)]
    subprocess.run([*ruff, str(project.versions)], check=True, capture_output=True)
    merge = project.merge(*ids[1:])
    done = subprocess.run(
        [*ruff, "--check", "--diff", str(tmp_path / merge.path)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert project.scripts.get_heads() == [merge.id]


def test_three_heads_become_one(tmp_path: Path) -> None:
    project = forked(tmp_path, "generic")
    project.revise("030", "018")
    merge = project.merge("030", "020", "019")
    assert (merge.id, merge.path) == ("031", "migrations/versions/031_merge_019_020_and_030.py")
    assert project.run("heads") == "031 (head)\n"
    project.run("upgrade", "head")
    assert project.tables("one.db") == {"t018", "t019", "t020", "t030"}


OLD_STYLE = '''# encoding: latin-1
"""old

Revision ID: {id}
Revises: {parent}
Create Date: 2013-05-0{day} 10:00:00.000001

"""

# revision identifiers, used by Alembic.
revision = '{id}'
down_revision = '{parent}'

from alembic import op
import sqlalchemy as sa


def upgrade():
    op.execute("create table t{id} (x int)")


def downgrade():
    pass
'''


def test_an_old_house_without_annotations(tmp_path: Path) -> None:
    project = Project(tmp_path, "generic")
    project.revise("018", None)
    for day, rev_id in enumerate(("019", "020"), 1):
        text = OLD_STYLE.format(id=rev_id, parent="018", day=day)
        (project.versions / f"{rev_id}_old.py").write_bytes(text.replace("\n", "\r\n").encode())
    merge = project.merge("020", "019")
    assert (
        merge.data.decode()
        == '''# encoding: latin-1
"""merge 019 and 020

Revision ID: 021
Revises: 020, 019
Create Date: 2013-05-02 10:00:00.000001

"""

# revision identifiers, used by Alembic.
revision = '021'
down_revision = ('020', '019')

from alembic import op
import sqlalchemy as sa


def upgrade():
    pass


def downgrade():
    pass
'''.replace("\n", "\r\n")
    )
    project.run("upgrade", "head")
    assert project.tables("one.db") == {"t018", "t019", "t020"}


PLAIN = '''"""add {id}

Revision ID: {id}
Revises: 018
"""
from alembic import op

revision = "{id}"
down_revision = "018"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table t{id} (x int)")


def downgrade():
    op.execute("drop table t{id}")
'''
SCHEMAS = """import functools


def each_schema(function):
    @functools.wraps(function)
    def run():
        for schema in ("a", "b"):
            function(schema)

    return run
"""
UP, DOWN = PLAIN[PLAIN.index("def upgrade") : PLAIN.index("\n\n\ndef down")], PLAIN[PLAIN.index("def downgrade") :]
WILD: dict[str, bytes] = {
    "typed": PLAIN.replace("revision =", "revision: str =").replace("():", "() -> None:").encode(),
    "no docstring": PLAIN[PLAIN.index("from alembic") :].encode(),
    "no downgrade": PLAIN[: PLAIN.index("\n\n\ndef downgrade")].encode(),
    "old line endings": PLAIN.replace("\n", "\r\n").encode(),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "latin-1": ("# -*- coding: latin-1 -*-\n# J\u00e9r\u00f4me\n" + PLAIN).encode("latin-1"),
    "tabs": PLAIN.replace("    ", "\t").encode(),
    "single quotes": PLAIN.replace('"""', "'''").encode(),
    "no last newline": PLAIN.rstrip().encode(),
    "licence": ("# Copyright 2012 Somebody {id}\n#\n# Licensed under the MIT licence.\n\n" + PLAIN).encode(),
    "__all__": PLAIN.replace("\n\n\ndef up", '\n__all__ = ["upgrade", "downgrade"]\n\n\ndef up').encode(),
    "helpers below": (PLAIN.replace("op.execute(", "run(") + "\n\ndef run(text):\n    op.execute(text)\n").encode(),
    "wrappers": PLAIN.replace(UP, UP.replace("    op.", "    if not context.is_offline_mode():\n        op."))
    .replace("import op", "import context, op")
    .encode(),
    "one line": PLAIN.replace("():\n    ", "(): ").encode(),
    "decorated": PLAIN.replace(
        "def upgrade():", "from schemas import each_schema\n@each_schema\ndef upgrade(schema: str):"
    )
    .replace("create table t{id}", "create table if not exists t{id}")
    .encode(),
    "decorated here": PLAIN.replace("def upgrade():", SCHEMAS + "\n\n@each_schema\ndef upgrade(schema: str):")
    .replace("create table t{id}", "create table if not exists t{id}")
    .encode(),
    "path changed": PLAIN.replace("def upgrade():", "@each_more\ndef upgrade(schema: str):")
    .replace("from alembic", "import os, sys\nsys.path.append(os.path.dirname(__file__) + '/../more')\nfrom alembic")
    .replace("import op\n", "import op\nfrom more_schemas import each_schema as each_more\n")
    .replace("create table t{id}", "create table if not exists t{id}")
    .encode(),
    "labelled": PLAIN.replace("branch_labels = None", "branch_labels = ('side{id}',)")
    .replace("depends_on = None", "depends_on = '018'")
    .encode(),
    "its own constants": PLAIN.replace('"018"', "BEFORE")
    .replace("revision =", 'BEFORE = "018"\nrevision =', 1)
    .encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("style", WILD)
def test_whatever_the_style_alembic_walks_through_the_merge_both_ways(tmp_path: Path, style: str) -> None:
    project = Project(tmp_path, "generic")
    project.revise("018", None)
    (tmp_path / "schemas.py").write_text(SCHEMAS)
    (tmp_path / "migrations" / "more").mkdir()
    (tmp_path / "migrations" / "more" / "more_schemas.py").write_text(SCHEMAS)
    for rev_id in ("019", "020"):
        (project.versions / f"{rev_id}_x.py").write_bytes(WILD[style].replace(b"{id}", rev_id.encode()))
    merge = project.merge("020", "019")
    assert parse(merge.data).parents == ("020", "019")
    assert b"create table" not in merge.data
    assert b"Somebody" not in merge.data
    assert (b"Licensed" in merge.data) is (style == "licence")
    assert (b"\r\n" in merge.data, merge.data[:3] == b"\xef\xbb\xbf") == (
        style == "old line endings",
        style == "byte order mark",
    )
    assert [line.split()[0] for line in project.run("heads").splitlines()] == ["021"]
    project.run("upgrade", "head")
    assert project.tables("one.db") == {"t018", "t019", "t020"}
    if style != "no downgrade":
        project.run("downgrade", "018")
        assert project.tables("one.db") == {"t018"}
