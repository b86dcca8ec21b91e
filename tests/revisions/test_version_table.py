"""The version table that an env.py names: read as text, never run."""

from __future__ import annotations

import pytest

from onehead.revisions.version_table import VersionTableNames, version_table_in


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("context.configure(connection=c)", VersionTableNames()),
        ("context.configure(version_table='migrations')", VersionTableNames("migrations")),
        ("context.configure(version_table=None, version_table_schema='app')", VersionTableNames(None, "app")),
        ("TABLE: str = 'm'\ncontext.configure(version_table=TABLE)", VersionTableNames("m")),
        ("options = {'version_table_schema': 'app'}\ncontext.configure(**options)", VersionTableNames(None, "app")),
        (
            "def offline():\n  configure(version_table='m')\ndef online():\n  configure(version_table='m')",
            VersionTableNames("m"),
        ),
        (
            "context.configure(version_table='a')\ncontext.configure(version_table='b')",
            VersionTableNames(computed=("version_table",)),
        ),
        (
            "context.configure(version_table_schema=settings.schema)",
            VersionTableNames(computed=("version_table_schema",)),
        ),
        ("context.configure(version_table=f'{x}_version')", VersionTableNames(computed=("version_table",))),
        ("print 'version_table'", VersionTableNames(computed=("version_table", "version_table_schema"))),
        ("print 'python 2'", VersionTableNames()),
        ("", VersionTableNames()),
        ("\0", VersionTableNames()),
    ],
)
def test_what_is_said_in_plain_words_is_known(source: str, names: VersionTableNames) -> None:
    assert version_table_in(source.encode()) == names
