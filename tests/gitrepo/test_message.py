"""Commit messages: a subject that a list of commits shows whole, and a body that a terminal shows whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onehead.gitrepo.commit import WIDTH, commit_message


def test_the_first_subject_that_fits_is_taken_and_a_better_one_said_in_the_body() -> None:
    assert commit_message(["a: b", "b"]) == "a: b\n"
    long = f"{'x' * 70}: b"
    assert commit_message([long, "b"], ["Why."]) == f"b\n\n{'x' * 70}:\nb\n\nWhy.\n"
    assert commit_message(["y" * 73]) == f"{'y' * 71}…\n\n{'y' * 73}\n"


@given(st.lists(st.text("ab -", max_size=200), min_size=1, max_size=3), st.lists(st.text("ab -", max_size=400)))
def test_no_line_is_longer_than_it_must_be_and_no_word_is_lost(subjects: list[str], body: list[str]) -> None:
    subject, _, rest = commit_message(subjects, body).partition("\n")
    assert len(subject) <= WIDTH
    assert all(len(line) <= WIDTH or " " not in line for line in rest.splitlines())
    assert rest.split()[-len(" ".join(body).split()) or len(rest.split()) :] == " ".join(body).split()
