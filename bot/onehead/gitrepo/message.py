"""Commit messages as git's own tools show them best: a short subject, and a body that fits into a terminal. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 72
"""Characters of a line; a longer word, such as a path, stands on a line of its own."""


def commit_message(subjects: Sequence[str], body: Iterable[str] = ()) -> str:
    """A message whose subject is the first that fits.

    Args:
        subjects: the best one first; of the last one, as much as fits is taken.
        body: its paragraphs, without line ends. Where the subject is not the first of `subjects`, that one comes before
            them.
    """
    subject = next((each for each in subjects if len(each) <= WIDTH), f"{subjects[-1][: WIDTH - 1]}…")
    paragraphs = [*([] if subject == subjects[0] else [subjects[0]]), *body]
    folded = ["\n".join(wrap(each, WIDTH, break_long_words=False, break_on_hyphens=False)) for each in paragraphs]
    return "\n\n".join([subject, *filter(None, folded)]) + "\n"
