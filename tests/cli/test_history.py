"""`onehead history` at a terminal: text, JSON, a picture, and the bar while it reads."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from onehead.cli.main import main
from onehead.examine.history import MAX_COMMITS, MAX_EXPLAINED, MAX_JUDGED, MAX_READ_BYTES
from onehead.reports.history import MAX_ROWS
from tests.cli.terminal_runs import Run
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.reports.drawings import SVG, elements, parsed, words
from tests.repositories import Repository

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "how-to" / "history.md"
REFERENCE = DOCS / "reference" / "commands.md"


def pull(repo: Repository, number: int, title: str, files: dict[str, str | None], author: str, at: str) -> None:
    """A pull request that grew from a commit, and was merged by Cleo."""
    name = f"topic-{number}"
    repo.branch(name, at)
    repo.commit(name, files, title, author=f"{author} <{author.lower()}@example.com>")
    subject = f"Merge pull request '{title}' (#{number}) from {name} into main"
    repo.merge("main", name, subject, author="Cleo <cleo@example.com>")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A fork of twenty hours that was joined, a double id, and a missing parent, over a year."""
    repo = Repository(tmp_path_factory.mktemp("history") / "shop.git")
    repo.commit("main", merged(project(), chain(("017", None), ("018", "017"))), "Begin")
    start = repo.sha("main")
    repo.wait(1000)
    pull(repo, 21, "Teams", {**revision("019", "018", "teams")}, "Ada", start)
    pull(repo, 22, "OAuth tokens", {**revision("020", "018", "oauth_tokens")}, "Ben", start)
    repo.wait(19)
    repo.commit(
        "main", revision("021", ("019", "020"), "merge"), "Join the heads (#23)", author="Ada <ada@example.com>"
    )
    repo.wait(2000)
    start = repo.sha("main")
    pull(repo, 31, "Invoices", {**revision("022", "021", "invoices")}, "Ada", start)
    pull(repo, 32, "Payments", {**revision("022", "021", "payments")}, "Ben", start)
    repo.wait(70)
    new = {f"{VERSIONS}/022_payments.py": None, **revision("023", "022", "payments")}
    repo.commit("main", new, "Give payments its own id (#33)", author="Ben <ben@example.com>")
    repo.wait(3000)
    repo.commit("main", revision("025", "024", "refunds"), "Refunds (#41)", author="Ben <ben@example.com>")
    repo.wait(40)
    repo.commit("main", revision("024", "023", "ledger"), "The forgotten file (#42)", author="Ben <ben@example.com>")
    return repo


def test_the_page_shows_what_is_printed(shop: Repository, run: Run) -> None:
    done = run("history", "--repo", shop.path)
    assert (done.code, done.err) == (0, "")
    assert f"```\n{done.out}```\n" in PAGE.read_text(encoding="utf-8")


def test_the_bounds_are_those_of_the_page() -> None:
    body = " ".join(REFERENCE.read_text(encoding="utf-8").split())
    assert MAX_READ_BYTES == 1 << 30
    assert f"The newest {MAX_COMMITS:,} commits of the branch are looked at, and up to 1 GiB of files" in body
    assert f"and {MAX_JUDGED // 10**6} million revisions" in body
    assert f"Of the newest {MAX_EXPLAINED} incidents" in body
    assert f"lists {MAX_ROWS} incidents of each environment" in body


def test_totals_come_first(shop: Repository, run: Run) -> None:
    first, second, *_ = run("history", "--repo", shop.path).out.splitlines()
    assert first == (
        "main: 1 fork, 1 duplicate id and 1 missing parent in 8 months; `alembic upgrade head` would have stopped for "
        "61 h."
    )
    assert second.endswith("; 8 changed migrations or their configuration.")


def test_json(shop: Repository, run: Run) -> None:
    told = run("history", "--repo", shop.path, "--format", "json").json
    assert told["totals"] == {
        "incidents": [
            {"code": "fork", "count": 1},
            {"code": "duplicate-id", "count": 1},
            {"code": "missing-parent", "count": 1},
        ],
        "open": 0,
        "seconds_wrong": (20 + 71 + 41) * 3600,
        "seconds_stopped": (20 + 41) * 3600,
        "seconds_unjudged": 0,
    }
    fork = told["incidents"][0]
    assert (fork["heads"], fork["brought"], fork["authors"]) == (["019", "020"], ["020"], ["Ben"])
    assert (fork["began"]["pull"], fork["ended"]["pull"], fork["ending"]) == (22, 23, "merge")
    assert [error["code"] for error in fork["check"]["errors"]] == ["collision"]
    assert fork["check"]["plan"] == {"kind": "reparent", "words": "re-parent 020 onto 019"}
    gap = told["incidents"][2]
    assert (gap["missing"], gap["brought"], gap["ending"], gap["repaired_with"]) == (
        ["024"],
        ["025"],
        "restored",
        ["024"],
    )
    assert fork["check"]["head"] == shop.sha("topic-22")


def test_a_picture(shop: Repository, run: Run) -> None:
    drawn = run("history", "--repo", shop.path, "--format", "svg").out
    root = parsed(drawn)
    assert root.get("role") == "img"
    named = [each.get("id") for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")]
    assert (root.get("aria-labelledby") or "").split() == named
    assert "1 fork, 1 duplicate id and 1 missing parent" in words(drawn)
    [description] = elements(drawn, "desc")
    assert "fork: 019 and 020 in alembic/versions, brought by #22 Ben; merge revision 021, #23 Ada." in str(
        description.text
    )
    kinds = [each.get("class") for each in elements(drawn, "rect", "block") if each.find(f"{SVG}title") is not None]
    assert kinds == ["block stops", "block doubled", "block stops"]
    assert "prefers-color-scheme: dark" in drawn
    assert re.findall(r"<script|href=|url\(|@import|\bon\w+=", drawn) == []
    width = float(root.get("width") or 0)
    assert all(float(each.get("x", 0)) + float(each.get("width", 0)) <= width for each in elements(drawn, "rect"))


def test_a_picture_of_one_that_is_open(run: Run, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "open.git")
    repo.commit("main", merged(project(), chain(("001", None))))
    repo.commit("main", chain(("002", "001"), ("003", "001")))
    drawn = run("history", "--repo", repo.path, "--format", "svg").out
    [block] = elements(drawn, "rect", "open")
    assert float(block.get("width") or 0) > 900
    assert "1 incident still open" in words(drawn)
    text = run("history", "--repo", repo.path).out
    assert "still open" in text.splitlines()[-2]


@pytest.mark.parametrize("form", ["text", "json", "svg"])
def test_nothing_but_what_can_be_shown(run: Run, tmp_path: Path, form: str) -> None:
    """Subjects, names and paths are anybody's."""
    repo = Repository(tmp_path / "odd.git")
    versions = "alembic\x1b[31m<b>/versions"
    repo.commit("main", merged(project(versions), revision("001", None, versions=versions)))
    author = "\x1b]0;Eve\x07 & \u202e <eve@example.com>"
    repo.commit("main", revision("002<", "x\x1b", versions=versions), "\x1b[2J (#1)", author=author)
    done = run("history", "--repo", repo.path, "--format", form)
    assert done.code == 0
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", done.out) == []
    if form == "svg":
        assert len(elements(done.out, "rect", "block")) > 0
    if form == "json":
        json.loads(done.out)


def test_without_an_environment(run: Run, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "plain.git")
    repo.commit("main", {"README": "x\n"})
    for form in ("text", "svg"):
        done = run("history", "--repo", repo.path, "--format", form)
        assert (done.code, "nothing to judge" in done.out) == (0, True)
    assert run("history", "--repo", repo.path, "--format", "json").json["environments"] == []


def test_a_look_at_one_moment_counts_commits(shop: Repository, run: Run, tmp_path: Path) -> None:
    def first(*args: str) -> str:
        return str(run("history", "--repo", shop.path, *args).out.splitlines()[0])

    assert first("--since", "2100-01-01") == "main: there is no commit to look at."
    repo = Repository(tmp_path / "small.git")
    repo.commit("main", merged(project(), chain(("001", None))), "Begin")
    assert run("history", "--repo", repo.path).out.startswith("main: nothing was wrong in 1 commit.\n")


def test_exit_codes(shop: Repository, run: Run, tmp_path: Path) -> None:
    unknown = run("history", "--repo", shop.path, "--target", "nobody")
    assert (unknown.code, unknown.out) == (2, "")
    wrong = run("history", "--repo", shop.path, "--since", "next week")
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2,
        "onehead: `--since next week` is no date, and names no commit.",
    )
    with pytest.raises(SystemExit, match="2"):
        run("history", "--repo", shop.path, "--commits", "0")
    nameless = Repository(tmp_path / "trunk.git", default_branch="trunk")
    nameless.commit("trunk", {"README": "x\n"})
    done = run("history", "--repo", nameless.path)
    assert done.code == 2
    assert f"onehead history --repo {nameless.path} --target BRANCH" in done.err
    empty = Repository(tmp_path / "empty.git")
    assert run("history", "--repo", empty.path, "--target", "main").code == 3
    damaged = Repository(tmp_path / "damaged.git")
    damaged.commit("main", merged(project(), chain(("001", None))))
    tree = damaged.git("rev-parse", "main^{tree}").strip()
    damaged.git("repack", "-a", "-d")
    damaged.git("unpack-objects", data=next((damaged.path / "objects/pack").glob("*.pack")).read_bytes())
    for pack in (damaged.path / "objects/pack").iterdir():
        pack.chmod(0o600)
        pack.unlink()
    loose = damaged.path / "objects" / tree[:2] / tree[2:]
    if loose.exists():
        loose.unlink()
    assert run("history", "--repo", damaged.path).code == 3


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_only(shop: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("history", "--repo", shop.path).err == ""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "100")):
        monkeypatch.setenv(name, value)
    terminal: Any = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["history", "--repo", str(shop.path)]) == 0
    assert "Looking back" in terminal.getvalue()
    assert re.search(r"\d+/\d+", terminal.getvalue())


def test_a_message_and_a_name_may_be_as_long_as_anybody_likes(run: Run, tmp_path: Path) -> None:
    """Each incident tells of its commits, so they are cut."""
    repo = Repository(tmp_path / "shop.git")
    repo.commit("main", merged(project(), chain(("001", None), ("002", "001"))), "Begin")
    long = f"{'a' * 50_000} <a@example.com>"
    repo.commit(
        "main", revision("003", "001", "fork"), "Merge pull request '" + "' (#1) from a into " * 20_000, author=long
    )
    done = run("history", "--repo", repo.path, "--target", "main", "--format", "json")
    assert done.code == 0
    [incident] = done.json["incidents"]
    assert [len(name) for name in incident["authors"]] == [200]
    assert (len(incident["began"]["subject"]), len(incident["began"]["author"])) == (1000, 200)
    assert incident["began"]["pull"] is None
