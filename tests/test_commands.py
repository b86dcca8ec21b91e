"""What is a command, and what only looks like one."""

from __future__ import annotations

import pytest

from onehead.commands import COMMANDS, MAX_COMMANDS, CommandName, CommentCommand, Mistake, commands_in, usage

CHECK = CommentCommand(CommandName.CHECK)


@pytest.mark.parametrize("verb", [verb for verb in CommandName if verb is not CommandName.DOCTOR])
def test_every_command_is_read_by_its_name(verb: CommandName) -> None:
    assert commands_in(f"/onehead {verb}") == (CommentCommand(verb),)
    assert commands_in(f"Dear bot,\r\n/OneHead  {verb.upper()}\r\nplease") == (CommentCommand(verb),)


def test_the_table_and_the_names_are_the_same() -> None:
    assert list(COMMANDS) == list(CommandName)
    assert usage(CommandName.DOCTOR) == "/onehead doctor ROW…"
    assert usage(CommandName.APPLY) == "/onehead apply"


def test_several_commands_keep_their_order() -> None:
    assert commands_in("/onehead merge\ntext\n\n- /onehead check\n- /onehead apply") == (
        CommentCommand(CommandName.MERGE),
        CHECK,
        CommentCommand(CommandName.APPLY),
    )


@pytest.mark.parametrize(
    "text",
    [
        "> /onehead check",
        "> somebody wrote:\n/onehead check",
        "```\n/onehead check\n```",
        "~~~~\n/onehead check\n~~~~",
        "```\n/onehead check",
        "    /onehead check",
        "text\n\n\t/onehead check",
        "`/onehead check`",
        "<!-- /onehead check -->",
        "<!--\n/onehead check\n-->",
        "text <!--\n/onehead check\n--> text",
        "<pre>\n/onehead check\n</pre>",
        "[/onehead check](http://example.org)",
        "# /onehead check",
        "| a |\n|---|\n| /onehead check |",
        "\\/onehead check",
        "I would write /onehead check here",
        "/oneheadcheck",
        "/onehead-check",
        "x/onehead check",
        "<details>\n<summary>log</summary>\n/onehead check\n</details>",
    ],
)
def test_what_is_quoted_or_shown_is_no_command(text: str) -> None:
    assert commands_in(text) == ()


def test_emphasis_does_not_make_a_command() -> None:
    assert commands_in("**/onehead check**") == ()


def test_a_bare_call_asks_for_help() -> None:
    assert commands_in("/onehead") == (CommentCommand(CommandName.HELP),)


@pytest.mark.parametrize("rows", ["018, 019", "`018` 019", "018,019,", "'018' \"019\""])
def test_rows_are_read_however_they_are_listed(rows: str) -> None:
    assert commands_in(f"/onehead doctor {rows}") == (CommentCommand(CommandName.DOCTOR, rows=("018", "019")),)


def test_a_row_that_stands_there_twice_is_named_twice() -> None:
    assert commands_in("/onehead doctor 018 018") == (CommentCommand(CommandName.DOCTOR, rows=("018", "018")),)


def test_a_reason_is_the_rest_of_the_line() -> None:
    assert commands_in("/onehead ignore we   squash\nnext week") == (
        CommentCommand(CommandName.IGNORE, reason="we squash"),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/onehead repaernt", "There is no such command. Did you mean `/onehead reparent`?"),
        ("/onehead 42", "There is no such command. `/onehead help` lists them all."),
        ("/onehead apply later", "`/onehead apply` takes nothing after it. Write it on a line of its own."),
        (
            "/onehead doctor",
            "Name the rows of `alembic_version`, at most 20: `/onehead doctor 018` or `/onehead doctor 019 020`.",
        ),
    ],
)
def test_mistakes_say_what_to_write_instead(line: str, message: str) -> None:
    assert commands_in(line) == (Mistake(line, message),)


def test_no_more_than_ten_commands_are_read() -> None:
    found = commands_in("/onehead check\n" * 30)
    assert found[:MAX_COMMANDS] == (CHECK,) * MAX_COMMANDS
    assert isinstance(found[MAX_COMMANDS], Mistake)
    assert len(found) == MAX_COMMANDS + 1


def test_hostile_texts_cost_little_and_give_nothing() -> None:
    assert commands_in("/onehead check\n" * 100_000) == ()
    assert commands_in(">" * 5000 + " /onehead check") == ()
    assert commands_in("[" * 20_000 + "\n/onehead check") in ((CHECK,), ())
    assert commands_in("\0/onehead check\0") == (CHECK,)
