"""Which options a printed command gets again; tests/cli/test_printed_commands.py types such commands."""

from __future__ import annotations

import pytest

from onehead.cli.sides import again
from onehead.cli.verbs import parse


@pytest.mark.parametrize(
    ("typed", "text", "printed"),
    [
        ("check", "Run `onehead fix`, or wait.", "Run `onehead fix`, or wait."),
        ("check --repo ../x", "Run `onehead fix`, or wait.", "Run `onehead fix --repo ../x`, or wait."),
        ("check --target a b", "`onehead fix --strategy merge`", "`onehead fix --target a --head b --strategy merge`"),
        ("check --at a", "`onehead fix`; `onehead check`", "`onehead fix --target a`; `onehead check --at a`"),
        ("states --head a", "`onehead states --rows 1`", "`onehead states --head a --rows 1`"),
        ("fix --fetch always", "`onehead check`", "`onehead check --fetch always`"),
        ("check --repo x --head a", "`onehead fix --target BRANCH`", "`onehead fix --repo x --target BRANCH`"),
        ("check --repo x", "`onehead fix --repo y --head z`", "`onehead fix --repo y --head z`"),
        ("check --repo x --head a", "`onehead doctor`", "`onehead doctor --repo x`"),
        ("graph --at a", "`onehead graph --full`", "`onehead graph --at a --full`"),
        ("graph", "`onehead graph --full`", "`onehead graph --full`"),
        ("verify --repo x --at a --target b", "see `onehead states`", "see `onehead states --repo x --at a`"),
        ("check --repo x", "`/onehead merge`, `onehead serve`, onehead fix", None),
        ("check --repo x", "`onehead\nfix`", None),
    ],
)
def test_a_command_is_printed_with_what_was_named(typed: str, text: str, printed: str | None) -> None:
    assert again(parse(typed.split()), text) == (text if printed is None else printed)


def test_names_are_quoted_for_a_shell() -> None:
    options = parse(["check", "--repo", "my work", "--head", "it's"])
    assert again(options, "`onehead fix`") == "`onehead fix --repo 'my work' --head 'it'\"'\"'s'`"


def test_a_bare_verb_may_only_name_the_program() -> None:
    text = "`onehead fix` writes it; `onehead fix --strategy merge` joins"
    told = again(parse(["check", "--head", "a"]), text, with_bare=False)
    assert told == "`onehead fix` writes it; `onehead fix --head a --strategy merge` joins"
