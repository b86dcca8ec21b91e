"""What the command line says about itself, and to whoever mistypes it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from onehead.cli.main import main
from onehead.cli.verbs import GROUPS, VERBS, Verb, parse
from tests.cli.terminal_runs import Run, story

EVERY: dict[str, Verb] = {
    **VERBS,
    **{f"{name} {word}": verb for name, first in VERBS.items() for word, verb in first.more.items()},
}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_onehead_alone_helps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    shown = capsys.readouterr().out
    for group, names in GROUPS.items():
        assert f"\n{group}:\n" in shown
        for name in names:
            assert f"\n  {name:16} {EVERY[name].help}\n" in shown


def test_every_verb_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_help_has_a_sentence_an_example_and_the_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: onehead {name} ")
    assert EVERY[name].help[1:] in shown
    assert f"\nexample:\n  {EVERY[name].example}\n" in shown
    assert "\nexit codes:\n  0 " in shown


@pytest.mark.parametrize("name", EVERY)
def test_the_example_is_accepted(name: str) -> None:
    words = shlex.split(EVERY[name].example)
    assert words[: 1 + len(name.split())] == ["onehead", *name.split()]
    assert parse(words[1:]).run_by == EVERY[name].run_by


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["chek"], "there is no verb 'chek'. Did you mean 'check'?"),
        (["docter", "--rows", "018"], "there is no verb 'docter'. Did you mean 'doctor'?"),
        (["frobnicate"], "there is no verb 'frobnicate'."),
        (["check", "--formt", "json"], "onehead check does not take '--formt'. Did you mean --format?"),
        (["check", "--traget=main"], "onehead check does not take '--traget'. Did you mean --target?"),
        (["install", "hook", "--repostory", "x", "--server", "y"], "Did you mean --repository?"),
        (["check", "a", "b"], "onehead check does not take 'b'."),
        (["check", "a", "--head", "b"], "'a' and --head 'b' both name the branch to judge; leave one out"),
        (["--repo", ".", "check"], "write the verb first"),
    ],
)
def test_what_is_mistyped_is_guessed(words: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert meant in refusal(capsys, *words)


def test_a_wrong_option_shows_the_usage_of_its_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "states", "--row", "018", "--nonsense").startswith("usage: onehead states ")


def test_no_password_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "s3cret" not in refusal(capsys, "check", "main", "postgresql://ann:s3cret@db/shop")


@pytest.mark.parametrize("verb", ["check", "fix", "states"])
def test_a_branch_may_be_named_without_an_option(verb: str) -> None:
    assert parse([verb, "feature-b", "--target", "main"]).head == "feature-b"
    assert parse([verb]).head is None
    assert parse([verb, "--head", "x"]).head == "x"


def test_the_branch_that_is_named_is_judged(run: Run, tmp_path: Path) -> None:
    where = ("--repo", story(tmp_path / "shop.git").path, "--target", "main")
    named = run("check", "oauth", *where)
    assert (named.code, named.out) == (1, run("check", "--head", "oauth", *where).out)
