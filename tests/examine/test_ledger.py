"""What databases reported, in the ref of a repository: written once, kept, forgotten, and never guessed at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from onehead.databases.reported import ReportedDatabase, RowsReported, after_report
from onehead.errors import CannotJudge
from onehead.examine.ledger import FULL, MAX_DATABASES, Ledger, encoded, file_of, read_ledger, remember
from onehead.examine.naming import DATABASES, EMAIL
from onehead.gitrepo.mirror import Mirror, Mirrors
from tests.repositories import Repository

FIRST, LATER = "2026-11-28T10:15:00Z", "2026-11-29T09:00:00Z"


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "shop.git", object_format=request.param)
    found.commit("main", {"README": "Shop\n"})
    return found


@pytest.fixture
def mirror(repo: Repository, tmp_path: Path) -> Iterator[Mirror]:
    with Mirrors(tmp_path / "cache").hold(f"file://{repo.path}") as held:
        yield held


def report(database: str, *rows: str, at: str = FIRST, environment: str = "") -> RowsReported:
    return RowsReported(database, environment, tuple(sorted(rows)), at)


def forget(database: str, at: str = LATER, environment: str = "") -> RowsReported:
    return RowsReported(database, environment, None, at)


def kept(mirror: Mirror) -> Ledger:
    mirror.fetch()
    return read_ledger(mirror.git)


def log(repo: Repository, form: str = "%s") -> list[str]:
    return repo.git("log", f"--format={form}", DATABASES).splitlines()


def test_a_report_is_a_commit_and_the_same_again_is_none(repo: Repository, mirror: Mirror) -> None:
    first = remember(mirror, [report("production", "018")])
    assert remember(mirror, [report("production", "018", at=LATER)]) == first == repo.sha(DATABASES)
    second = remember(mirror, [report("production", "019", at=LATER)])
    assert kept(mirror) == Ledger(
        second,
        (ReportedDatabase("production", "", ("019",), LATER, (("018", FIRST), ("019", LATER))),),
        "",
        frozenset({file_of("production", "")}),
    )
    assert log(repo, "%s|%ae|%aI") == [
        f"production holds 019|{EMAIL}|2026-11-29T09:00:00+00:00",
        f"production holds 018|{EMAIL}|2026-11-28T10:15:00+00:00",
    ]
    assert repo.git("rev-list", "--count", DATABASES).strip() == "2"


def test_several_at_once_are_one_push_and_the_order_of_time_counts(repo: Repository, mirror: Mirror) -> None:
    remember(
        mirror,
        {
            report("b", "019", at=LATER),
            report("a", "020"),
            report("b", "018"),
            report("b"),
            report("b", "019", at=FIRST),
        },
    )
    found = {known.name: known.rows for known in kept(mirror).databases}
    assert found == {"a": ("020",), "b": ("019",)}
    assert log(repo)[0] == "b holds 019"


def test_who_makes_it_twice_makes_the_same_commit(repo: Repository, mirror: Mirror) -> None:
    one = remember(mirror, [report("production", "018")])
    repo.git("update-ref", "-d", DATABASES)
    assert remember(mirror, [report("production", "018")]) == one


def test_a_database_is_forgotten_in_one_environment_or_in_all(repo: Repository, mirror: Mirror) -> None:
    here = [report("p", "1", environment="a"), report("p", "2", environment="b"), report("q", "3")]
    remember(mirror, here)
    remember(mirror, [forget("p", environment="a")])
    assert [(known.name, known.environment) for known in kept(mirror).databases] == [("p", "b"), ("q", "")]
    remember(mirror, [forget("p")])
    remember(mirror, [forget("nobody")])
    assert [known.name for known in kept(mirror).databases] == ["q"]
    assert log(repo)[:2] == ["Forget p", "Forget p"]
    # What was asked before a database reported again is done already.
    remember(mirror, [report("q", "4", at=LATER)])
    remember(mirror, [forget("q", at=FIRST)])
    assert [known.name for known in kept(mirror).databases] == ["q"]


@pytest.mark.slow
def test_more_databases_than_are_kept_make_everything_unsure(mirror: Mirror) -> None:
    remember(mirror, [report(f"d{number}", "018") for number in range(MAX_DATABASES)])
    assert (len(kept(mirror).databases), kept(mirror).trouble) == (MAX_DATABASES, "")
    tip = remember(mirror, [report("one more", "020")])
    ledger = kept(mirror)
    assert (len(ledger.databases), FULL in ledger.files) == (MAX_DATABASES, True)
    assert ledger.trouble == "More than 100 databases have reported their rows, and no more are kept."
    assert remember(mirror, [report("another", "020")]) == tip
    # Those that are known can still be heard, and room can be made.
    remember(mirror, [report("d1", "019", at=LATER)])
    remember(mirror, [forget("d0")])
    assert (len(kept(mirror).databases), kept(mirror).trouble) == (MAX_DATABASES - 1, "")


def spoil(repo: Repository, files: dict[str, str | bytes | None]) -> None:
    repo.git("update-ref", "refs/heads/spoilt", DATABASES)
    repo.git("update-ref", DATABASES, repo.commit("spoilt", files))
    repo.git("update-ref", "-d", "refs/heads/spoilt")


ODD: list[dict[str, object]] = [
    {"schema": "onehead.database/2"},
    {"database": "another"},
    {"database": "produc`tion"},
    {"database": 7},
    {"environment": None},
    {"rows": [18]},
    {"rows": "018"},
    {"rows": ["0\n18"]},
    {"at": "today"},
    {"held": {"018": 1}},
    {"held": {"018": "today"}},
    {"held": {"x" * 300: FIRST}},
    {"held": []},
    {"overfull": "no"},
]
GOOD = json.loads(encoded(after_report(None, "production", "", ["018"], FIRST)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '"text"',
        *(json.dumps({**GOOD, **changed}) for changed in ODD),
    ],
)
def test_what_is_not_as_it_was_written_is_said_and_not_guessed(repo: Repository, mirror: Mirror, content: str) -> None:
    remember(mirror, [report("staging", "019"), report("production", "018")])
    spoil(repo, {file_of("production", ""): content})
    ledger = kept(mirror)
    assert [known.name for known in ledger.databases] == ["staging"]
    assert ledger.trouble == (
        f"A file of `{DATABASES}` is not as onehead writes it, so what databases held is not sure."
    )


def test_a_file_of_somebody_elses_is_said_too_and_stays(repo: Repository, mirror: Mirror) -> None:
    remember(mirror, [report("production", "018")])
    spoil(repo, {"notes.txt": "mine\n"})
    assert "is not as onehead writes it" in kept(mirror).trouble
    remember(mirror, [report("production", "019", at=LATER)])
    assert kept(mirror).files == {"notes.txt", file_of("production", "")}


def test_a_flood_of_files_is_not_read(repo: Repository, mirror: Mirror) -> None:
    remember(mirror, [report("production", "018")])
    spoil(repo, {f"{number}.json": "{}" for number in range(300)})
    assert kept(mirror).trouble != ""


def test_nothing_is_known_where_nothing_was_fetched(repo: Repository, mirror: Mirror) -> None:
    mirror.fetch()
    assert read_ledger(mirror.git) == Ledger("", ())
    repo.git("update-ref", f"{DATABASES}/below", "refs/heads/main")
    assert kept(mirror) == Ledger("", ())


def test_a_server_that_takes_no_such_ref_is_told_of(repo: Repository, mirror: Mirror) -> None:
    hook = repo.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho only branches here >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CannotJudge, match=r"did not take `refs/onehead/databases`.*only branches here"):
        remember(mirror, [report("production", "018")])


def test_names_of_files_are_plain_and_unique() -> None:
    names = ["production", "Production", "../../etc/passwd", "a b", "a/b", "ж", "x" * 100]
    files = [file_of(name, "") for name in names] + [file_of("production", "a")]
    assert len(set(files)) == len(files)
    assert all(set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") and file.count(".") == 1 for file in files)
