"""Text that would steer a terminal reaches none, whether from a command line, a variable, a repository or a server."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onehead.cli import graph
from onehead.cli.main import main
from onehead.errors import UsageError
from onehead.screen import Screen, Screens, bare, painter
from onehead.text import shown
from tests.cli.terminal_runs import Run, story
from tests.gitrepo.forge_over_http import Listener
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = "\x1b[31mX\x1b]0;title\x07\x9b2J\r\x08\x7f\u202eY\u2066Z\u200f\u2028"
SHOWN = r"\x1b[31mX\x1b]0;title\x07\x9b2J\r\x08\x7f\u202eY\u2066Z\u200f\u2028".replace(r"\r", r"\x0d")
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")

COLOURS = re.compile(r"\033\[[0-9;]*m")


class Tty(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_is_shown_instead() -> None:
    assert shown(EVIL) == SHOWN
    assert shown("a\tb\nc\u00e9\u2192 \U0001f600\u200d") == "a\tb\nc\u00e9\u2192 \U0001f600\u200d"
    for code in range(0x110000):
        assert not STEERS.search(shown(chr(code)))


# Every verb, with something hostile in every place of its command line

REPO = ("--repo", "{repo}")
SIDES = ("--target", "main", "--head", "oauth")
FORGE = ("--url", "http://{host}", "--token", "t0ken", "--repo", "o/r")

LINES: tuple[tuple[str, ...], ...] = (
    # `{}` is the hostile text.
    ("{}",),
    ("--{}",),
    ("check", "{}"),
    ("check", "--repo", "{}"),
    ("check", "--repo", "{place}"),
    ("check", *REPO, "--target", "{}"),
    ("check", *REPO, "--target", "main", "--head", "{}"),
    ("check", *REPO, "--format", "{}"),
    ("check", *REPO, *SIDES, "--fetch", "{}"),
    ("fix", *REPO, "--target", "{}"),
    ("fix", *REPO, *SIDES, "--onto-branch", "{}"),
    ("fix", *REPO, *SIDES, "--strategy", "{}"),
    ("graph", *REPO, "--at", "{}"),
    ("graph", "--repo", "{}"),
    ("states", *REPO, "--at", "{}"),
    ("states", *REPO, *SIDES, "--rows", "{}"),
    ("doctor", *REPO, "--at", "{}"),
    ("doctor", *REPO, "--at", "main", "--rows", "{}"),
    ("doctor", *REPO, "--at", "main", "--rows", "001", "--environment", "{}"),
    ("doctor", *REPO, "--at", "main", "--database-url", "{}"),
    ("doctor", *REPO, "--at", "main", "--database-url", "sqlite:///{}"),
    ("doctor", *REPO, "--at", "main", "--database-url", "{}://x"),
    ("doctor", *REPO, "--at", "main", "--database-url-file", "{}"),
    ("doctor", *REPO, "--at", "main", "--rows", "001", "--version-table", "{}"),
    ("report-rows", "--rows", "{}", "--repository", "o/r", "--database", "d", "--service", "http://{host}"),
    ("report-rows", "--rows", "001", "--repository", "{}", "--database", "d", "--service", "http://{host}"),
    ("report-rows", "--rows", "001", "--repository", "o/r", "--database", "{}", "--service", "http://{host}"),
    ("report-rows", "--rows", "001", "--repository", "o/r", "--database", "d", "--service", "{}"),
    ("report-rows", "--rows", "001", "--repository", "o/r", "--database", "d", "--service", "http://{host}/{}"),
    ("databases", *REPO, "--at", "{}"),
    ("explain", *REPO, "--at", "{}", "{log}"),
    ("explain", *REPO, "--at", "main", "{}"),
    ("explain", *REPO, "--at", "main", "{log}"),
    ("verify", *REPO, "--at", "{}"),
    ("verify", *REPO, "--target", "{}"),
    ("verify", *REPO, "--environment", "{}", "--dialect", "sqlite"),
    ("verify", *REPO, "--python", "{}"),
    ("verify", *REPO, "--env", "{}"),
    ("verify", *REPO, "--env", "{}=1"),
    ("verify", *REPO, "--prepare", "{}"),
    ("verify", *REPO, "--most", "{}"),
    ("verify", *REPO, "--timeout", "{}"),
    ("verify", *REPO, "--database-url", "{}"),
    ("serve", "--config", "{}"),
    ("serve", "--config", "{config}"),
    ("sweep", "--config", "{}"),
    ("sweep", "--config", "{config}"),
    ("install", "--url", "{}", "--token", "t0ken", "--repo", "o/r"),
    ("install", "--url", "http://{host}/{}", "--token", "t0ken", "--repo", "o/r"),
    ("install", *FORGE, "--service-url", "{}", "--bot", "b"),
    ("install", *FORGE, "--bot", "{}"),
    ("install", "--url", "http://{host}", "--token-file", "{}", "--repo", "o/r"),
    ("install", "--url", "http://{host}", "--token", "{}", "--repo", "o/r"),
    ("install", "--url", "http://{host}", "--token", "t0ken", "--repo", "{}"),
    ("install", "--url", "http://{host}", "--token", "t0ken", "--owner", "{}"),
    ("checkup", "--url", "http://{host}", "--token", "t0ken", "--repo", "o/{}"),
    ("uninstall", "--url", "http://{host}", "--token", "t0ken", "--repo", "o/{}"),
    ("install", "hook", "--repository", "{}"),
    ("install", "hook", "--server", "{}"),
    ("uninstall", "hook", "--repository", "{}"),
    ("pre-receive", "--timeout", "{}"),
    ("pre-receive", "--on-error", "{}"),
)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return story(tmp_path / "shop.git")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def filled(line: tuple[str, ...], tmp_path: Path, repo: Repository, listener: Listener) -> list[str]:
    log, config, place = tmp_path / "log", tmp_path / "config", tmp_path / EVIL.replace("\x00", "")
    log.write_text(f"alembic.util.exc.CommandError: Can't locate revision identified by '{EVIL}'\n")
    config.write_text(f'"{json.dumps(EVIL)[1:-1]}" = 1\nforgejo_url = "x"\n')
    place.mkdir()
    known = {"repo": repo.path, "host": listener.host, "log": log, "config": config, "place": place}
    line_of = "\n".join(line)
    for name, value in known.items():
        line_of = line_of.replace(f"{{{name}}}", str(value).replace("\n", ""))
    return [word.replace("{}", EVIL) for word in line_of.split("\n")]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_nothing_of_a_command_line_steers_the_terminal(
    line: tuple[str, ...],
    repo: Repository,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("ONEHEAD_REPORT_KEY", "key")
    monkeypatch.setattr("onehead.cli.report_rows._PAUSES", ())
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    monkeypatch.chdir(tmp_path)
    words = filled(line, tmp_path, repo, listener)
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    printed = capsys.readouterr()
    assert STEERS.findall(printed.out + printed.err) == []
    assert "Traceback" not in printed.err
    assert code in (0, 1, 2, 3)


VARIABLES = (
    *("ONEHEAD_FORGEJO_URL", "ONEHEAD_TOKEN", "ONEHEAD_TOKEN_FILE", "ONEHEAD_WEBHOOK_SECRET", "ONEHEAD_LISTEN"),
    *("ONEHEAD_PUBLIC_URL", "ONEHEAD_REPOSITORIES", "ONEHEAD_SWEEP", "ONEHEAD_CACHE_DIR", "ONEHEAD_LOG"),
    *("ONEHEAD_DATABASE_URL", f"ONEHEAD_{EVIL}", "ONEHEAD_SERVICE_URL"),
)
OF_CI = {
    "GITHUB_ACTIONS": "true",
    "FORGEJO_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": EVIL,
    "GITHUB_REF": f"refs/heads/{EVIL}",
    "GITHUB_BASE_REF": EVIL,
    "GITHUB_HEAD_REF": EVIL,
    "GITHUB_SHA": EVIL,
}


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("verb", ["serve", "sweep", "check", "report-rows", "checkup"])
def test_nothing_of_a_variable_steers_the_terminal(
    verb: str, variable: str, repo: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", "no address")
    monkeypatch.setenv(variable, EVIL if variable != "ONEHEAD_CACHE_DIR" else str(tmp_path / EVIL))
    more = {"report-rows": ("--rows", "1", "--repository", "o/r", "--database", "d"), "checkup": ("--repo", "o/r")}
    done = run(verb, *more.get(verb, ()))
    assert STEERS.findall(done.out + done.err) == []


def test_nothing_of_a_ci_job_steers_the_terminal(repo: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_CI.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repo.path))
    done = run("check", "--repo", repo.path)
    assert done.code in (2, 3)
    assert STEERS.findall(done.out + done.err) == []


# What the repository holds

HOSTILE_ID = "\x1b[31mX\u202e"


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize(
    "words",
    [
        ("check", *SIDES),
        ("fix", *SIDES),
        ("graph", "--at", "main"),
        ("graph", "--at", "main", "--format", "mermaid"),
        ("graph", "--at", "main", "--format", "svg"),
        ("states", *SIDES),
        ("doctor", "--at", "main", "--rows", HOSTILE_ID),
        ("databases", "--at", "main"),
        *(("check", *SIDES, "--format", form) for form in ("json", "sarif", "junit")),
    ],
    ids=" ".join,
)
def test_nothing_of_a_repository_steers_the_terminal(
    words: tuple[str, ...], terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    repo = Repository(tmp_path / "shop.git")
    author = "An\x1b[1mn <ann@example.com>"
    repo.commit("main", merged(project(), chain(("001", None))), "Be\x1b[2Jgin", author=author)
    repo.branch("oauth", "main")
    repo.commit("main", revision(HOSTILE_ID, "001", "evil"), "\x1b]0;title\x07", author=author)
    files = {name.replace(".py", f"{EVIL[:-1]}.py"): text for name, text in revision("003", "001", "b").items()}
    files["alembic/versions/004_\x9b.py"] = f'revision = "004"\ndown_revision = make("{EVIL}")\n'
    repo.commit("oauth", files, author=author)
    repo.branch("evil\u202e\u0085", "oauth")
    out, err = (Tty(), Tty()) if terminal else (io.StringIO(), io.StringIO())
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main([*words, "--repo", str(repo.path)]) in (0, 1, 3)
    printed = out.getvalue() + err.getvalue()
    assert printed
    assert STEERS.findall(COLOURS.sub("", printed) if terminal else printed) == []
    ours = {f"\033[{code}m" for code in ("1;32", "1;31", "1", "31", "33", "36", "0", "34", "32")}
    assert set(COLOURS.findall(printed)) <= (ours if terminal else set())
    if terminal:
        # Each colour begins and ends where our own words do: nobody else's text has any.
        assert "\033[31mX" not in printed
        assert "\033[2J" not in printed


# The screen itself


def test_a_screen_obeys_its_own_mark_only() -> None:
    tty = Tty()
    screen = Screen(tty)
    screen.write(painter(screen)("bad", "Collision") + EVIL + "\033[1;31mred\033[0m\n")  # type: ignore[arg-type]
    screen.writelines(["a\033", "b"])
    assert tty.getvalue() == f"\033[1;31mCollision\033[0m{SHOWN}\\x1b[1;31mred\\x1b[0m\na\\x1bb"
    other = Tty()
    Screen(other).write(painter(screen)("bad", "Collision"))  # type: ignore[arg-type]
    assert "\033" not in other.getvalue()


def test_screens_come_and_go() -> None:
    before = sys.stdout, sys.stderr
    with Screens():
        assert (bare(sys.stdout), bare(sys.stderr)) == before
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before


def test_a_fault_of_ours_is_no_verdict_and_steers_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise RuntimeError(EVIL)

    monkeypatch.setattr(graph, "run", fail)
    done = run("graph")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("onehead: Something is wrong inside onehead, so nothing was judged.\n  → ")
    assert f"RuntimeError: {SHOWN}" in done.err


def test_an_error_with_a_hint_is_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> int:
        raise UsageError(EVIL, EVIL)

    monkeypatch.setattr(graph, "run", refuse)
    assert run("graph").err == f"onehead: {SHOWN}\n  → {SHOWN}\n"


def test_bytes_that_are_no_text(run: Run, repo: Repository) -> None:
    done = run("check", "--repo", repo.path, "--target", os.fsdecode(b"\x1b\xff"))
    assert done.code == 2
    assert "`\\x1b" in done.err
