"""Ids in the manner of the house: what is recognised, what comes next, and what a moved chain is renumbered to."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.file_names import (
    Convention,
    Renumbered,
    convention,
    file_number,
    fresh_id,
    merge_id,
    next_number,
    renumber,
)
from onehead.revisions.model import Revision


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], Convention()),
        (["e09c9e678004", "1a2b3c4d5e6f"], Convention("hex", 12)),
        (["0123456789ab" * 2 + "01234567", "f" * 32], Convention("hex", 32)),
        (["019", "018", "017", "e09c9e678004"], Convention("number", 3)),
        (["0412", "0411"], Convention("number", 4)),
        (["10", "9", "8"], Convention("number", 1)),
        (["100", "099"], Convention("number", 3)),
        (["0411_add_x", "0410_teams", "0409_y"], Convention("number", 4, "", slug=True)),
        (["rev_012", "rev_011"], Convention("number", 3, "rev_")),
        (["20240501", "20240430"], Convention("date", 0)),
        (["202405011030_add", "202404301200_y"], Convention("date", 0, "", slug=True)),
        (["abc123", "def456", "0a1b2c"], Convention("hex", 6)),
        (["123456789012", "e09c9e678004", "1a2b3c4d5e6f"], Convention("hex", 12)),
        (["words_only", "e09c9e67", "more_words"], Convention("hex", 12)),
        (["v3.2.0.a", "v3.0.0.d"], Convention("hex", 12)),
    ],
)
def test_conventions(ids: list[str], expected: Convention) -> None:
    assert convention(ids) == expected


def test_a_merge_has_the_same_id_whoever_makes_it() -> None:
    hexadecimal = Convention()
    first = merge_id(["aaaaaaaaaaaa", "bbbbbbbbbbbb"], hexadecimal, ["cccccccccccc"])
    assert first == merge_id(["bbbbbbbbbbbb", "aaaaaaaaaaaa"], hexadecimal, [])
    assert first == "9255d2302ff1"
    assert first != merge_id(["aaaaaaaaaaaa", "bbbbbbbbbbbb"], hexadecimal, [first])


@pytest.mark.parametrize(
    ("heads", "house", "taken", "expected"),
    [
        (["019", "021"], Convention("number", 3), ["e09c9e678004", "025"], "026"),
        (["019", "021"], Convention("number", 3), ["099", "20240501_x", "123456"], "100"),
        (["9", "10"], Convention("number", 1), [], "11"),
        (["rev_011", "rev_012"], Convention("number", 3, "rev_"), [], "rev_013"),
        (["0411_b", "0411_a"], Convention("number", 4, "", slug=True), ["0412_c"], "0413_merge_a_and_b"),
        (["0412_b", "0411_a"], Convention("number", 4, "", slug=True), [], "0413_merge_0411_and_0412"),
        (["20240501", "20240430"], Convention("date", 0), [], "20240502"),
        (["20240501", "20241231"], Convention("date", 0), ["20250101"], "20250102"),
        (["202405011059_x", "202404301200_y"], Convention("date", 0, "", slug=True), [], "202405011100_merge_a_and_b"),
        (["2024_05_31", "2024_04_30"], Convention("date", 0), [], "2024_06_01"),
    ],
)
def test_the_next_id_of_a_merge(heads: list[str], house: Convention, taken: list[str], expected: str) -> None:
    assert merge_id(heads, house, taken, "merge_a_and_b") == expected


def test_an_id_fits_the_version_table_and_ends_with_a_word() -> None:
    house = Convention("number", 4, "", slug=True)
    slug = "merge_0411_add_teams_and_0411_add_notes"
    assert merge_id(["0411_a", "0411_b"], house, [], slug) == "0412_merge_0411_add_teams"


@given(
    st.sets(st.from_regex(r"[0-9a-f]{4,12}", fullmatch=True), max_size=30),
    st.text(max_size=8),
    st.integers(min_value=4, max_value=40),
)
def test_a_fresh_hex_id_clashes_with_no_other_not_even_as_a_prefix(taken: set[str], seed: str, width: int) -> None:
    made = fresh_id(seed, Convention("hex", width), taken)
    assert re.fullmatch(r"[0-9a-f]+", made)
    assert len(made) == min(width, 32)
    assert not any(made.startswith(other) or other.startswith(made) for other in taken)


@pytest.mark.parametrize(
    ("name", "number"),
    [("0411_add_x", 411), ("019", 19), ("v2-users", 2), ("20240501_x", None), ("2024_05_01", None), ("abc", None)],
)
def test_numbers_of_files(name: str, number: int | None) -> None:
    assert file_number(name) == number


def test_the_next_number_leaves_other_counters_alone() -> None:
    assert next_number(["019_a", "021_b", "7654321_build", "20240501"], 3) == 22


def revision(revision_id: str, path: str, *parents: str) -> Revision:
    return Revision(revision_id, parents, f"db/versions/{path}", "")


def test_a_chain_whose_number_is_taken_gets_the_next_ones() -> None:
    target = [revision("018", "018_base.py"), revision("019", "019_teams.py", "018")]
    chain = [revision("019", "019_notes.py", "018"), revision("020", "020_more.py", "019")]
    assert renumber(chain, target, ["021"]) == (
        Renumbered("019", "022", "db/versions/019_notes.py", "db/versions/022_notes.py"),
        Renumbered("020", "023", "db/versions/020_more.py", "db/versions/023_more.py"),
    )


def test_an_id_that_is_the_whole_file_name_changes_with_it() -> None:
    target = [revision("0411_a", "0411_a.py", "0410_z")]
    assert renumber([revision("0411_b", "0411_b.py", "0410_z")], target) == (
        Renumbered("0411_b", "0412_b", "db/versions/0411_b.py", "db/versions/0412_b.py"),
    )


def test_a_random_id_stays_when_only_the_file_is_numbered() -> None:
    target = [revision("aaaaaaaaaaaa", "0411_aaaaaaaaaaaa_a.py")]
    chain = [revision("bbbbbbbbbbbb", "0411_bbbbbbbbbbbb_b.py")]
    assert renumber(chain, target) == (
        Renumbered(
            "bbbbbbbbbbbb",
            "bbbbbbbbbbbb",
            "db/versions/0411_bbbbbbbbbbbb_b.py",
            "db/versions/0412_bbbbbbbbbbbb_b.py",
        ),
    )


@pytest.mark.parametrize(
    ("target", "chain"),
    [
        ([("019", "019_a.py")], [("020", "020_b.py")]),
        ([("aaaaaaaaaaaa", "aaaaaaaaaaaa_x.py")], [("bbbbbbbbbbbb", "019_b.py")]),
        ([("a", "2024_05_01_a.py")], [("b", "2024_05_01_b.py")]),
        ([], [("019", "019_b.py")]),
    ],
)
def test_nothing_is_renumbered_without_need(target: list[tuple[str, str]], chain: list[tuple[str, str]]) -> None:
    assert renumber([revision(*each) for each in chain], [revision(*each) for each in target]) == ()
