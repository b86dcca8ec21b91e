"""File names: Alembic's own rule for `file_template`, and the names of the siblings where there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.file_names import DEFAULT, filled, slug, template_of, usual_template, values

MOMENT = datetime(2024, 5, 1, 9, 8, 7, tzinfo=UTC)


@given(st.text(max_size=70), st.integers(min_value=5, max_value=60))
def test_slugs_are_those_of_alembic(message: str, longest: int) -> None:
    scripts = ScriptDirectory(Path(__file__).parent, file_template="x%(slug)s", truncate_slug_length=longest)
    named = scripts._rev_path(Path(), "rev", message, MOMENT).name
    assert f"x{slug(message, longest)}.py" == named


@pytest.mark.parametrize(
    "template",
    [
        DEFAULT,
        "%%(rev)s_%%(slug)s",
        "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d-%%(rev)s_%%(slug)s",
        "%(year)04d%(month)02d%(day)02d_%(rev)s",
        "%(epoch)s_%(rev)s",
        "%(year)d/%(month)02d/%(rev)s_%(slug)s",
        "%(slug).10s_%(rev)s_%(second)2d",
    ],
)
def test_templates_give_the_names_alembic_gives(template: str) -> None:
    scripts = ScriptDirectory(Path(__file__).parent, file_template=template.replace("%%(", "%("))
    expected = scripts._rev_path(Path(), "abc", "Merge A and B", MOMENT)
    assert f"{filled(template, values('abc', 'merge_a_and_b', MOMENT))}.py" == str(expected)


@pytest.mark.parametrize(
    "template",
    [
        "../%(rev)s",
        "/etc/%(rev)s",
        "%(nothing)s",
        "%(rev)d",
        "%(rev)",
        "100%",
        "%(rev)s\n",
        "%(rev)999999999s",
        "a//%(rev)s",
        "",
    ],
)
def test_templates_that_lead_elsewhere_or_ask_for_more_are_not_used(template: str) -> None:
    assert filled(template, values("abc", "x", MOMENT)) is None


@pytest.mark.parametrize(
    ("rev", "stem", "template"),
    [
        ("abcdef", "abcdef_add_x", "%(rev)s_%(slug)s"),
        ("abcdef", "abcdef_", "%(rev)s_%(slug)s"),
        ("abcdef", "abcdef_add_a_column_and_an_index_to_the_", "%(rev)s_%(slug)s"),
        ("abcdef", "2024-05-01_add_a_column_and_an_index_to_the_", "%(year)04d-%(month)02d-%(day)02d_%(slug)s"),
        ("abcdef", "abcdef", "%(rev)s"),
        ("abcdef", "abcdef-add-x", "%(rev)s-%(slug)s"),
        ("abcdef", "add_x_abcdef", "%(slug)s_%(rev)s"),
        ("0411_add_x", "0411_add_x", "%(rev)s"),
        ("0411", "0411_add_x", "%(rev)s_%(slug)s"),
        ("abcdef", "0411_abcdef_add_x", "%(number)04d_%(rev)s_%(slug)s"),
        ("abcdef", "0411_add_x", "%(number)04d_%(slug)s"),
        ("abcdef", "add_x", "%(slug)s"),
        (
            "abcdef",
            "2024_05_01_1030-abcdef_x",
            "%(year)04d_%(month)02d_%(day)02d_%(hour)02d%(minute)02d-%(rev)s_%(slug)s",
        ),
        ("abcdef", "20240501103059_abcdef", "%(year)04d%(month)02d%(day)02d%(hour)02d%(minute)02d%(second)02d_%(rev)s"),
        ("abcdef", "2024-05-01_x", "%(year)04d-%(month)02d-%(day)02d_%(slug)s"),
        ("abcdef", "1714550000_abcdef_x", "%(epoch)d_%(rev)s_%(slug)s"),
        (
            "abcdef",
            "xx_2026_04_10_1800_abcdef_x",
            "xx_%(year)04d_%(month)02d_%(day)02d_%(hour)02d%(minute)02d_%(rev)s_%(slug)s",
        ),
        (
            "abcdef",
            "rev-2024-03-23-08:47:20-abcdef_",
            "rev-%(year)04d-%(month)02d-%(day)02d-%(hour)02d:%(minute)02d:%(second)02d-%(rev)s_%(slug)s",
        ),
        ("abcdef", "12_24_1256_abcdef_x", "%(rev)s_%(slug)s"),
        ("v3.2.0.a", "v3.2.0.a_", "%(rev)s_%(slug)s"),
        ("19", "2019_19_x", "%(number)04d_%(rev)s_%(slug)s"),
    ],
)
def test_how_a_sibling_is_named(rev: str, stem: str, template: str) -> None:
    assert template_of(rev, stem) == template


def test_the_manner_of_most_siblings_wins_and_of_the_newest_among_equals() -> None:
    assert usual_template([("a", "a_x"), ("b", "0012_b"), ("c", "0011_c")]) == "%(number)04d_%(rev)s"
    assert usual_template([("a", "a_x"), ("b", "0012_b")]) == "%(rev)s_%(slug)s"
    assert usual_template([]) == DEFAULT
