"""What the processes that onehead starts see of its variables: a git that writes down all it was given, then works."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from onehead.child_process import NEEDED, OursHidden, all_but_our_own, needed
from onehead.cli.main import main
from onehead.gitrepo.git import Git, Objects
from onehead.gitrepo.mirror import Mirrors
from onehead.gitrepo.process import Quick
from onehead.gitrepo.remote import Origin, RefUpdate, delete_refs
from onehead.gitrepo.worktree import export
from tests.cli.terminal_runs import clone, story
from tests.test_architecture import SPAWNS, called, calls, modules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRETS = {
    "ONEHEAD_TOKEN": "s3cret",
    "ONEHEAD_TOKEN_FILE": "/run/s3cret",
    "ONEHEAD_WEBHOOK_SECRET": "s3cret",
    "ONEHEAD_REPORT_SECRET": "s3cret",
    "ONEHEAD_REPORT_KEY": "s3cret",
    "ONEHEAD_OF_TOMORROW": "s3cret",
}
FOREIGN = {"DATABASE_PASSWORD": "s3cret", "SSH_AUTH_SOCK": "/run/agent", "GIT_DIR": "/s3cret", "GIT_TRACE": "0"}
GITS_OWN = {
    *("GIT_ALLOW_PROTOCOL", "GIT_ASKPASS", "GIT_CONFIG_NOSYSTEM", "GIT_GRAFT_FILE", "GIT_NO_LAZY_FETCH", "GIT_PAGER"),
    "GIT_TEMPLATE_DIR",
    *("GIT_NO_REPLACE_OBJECTS", "GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT", "GIT_CONFIG_GLOBAL", "LANGUAGE", "LC_ALL"),
    # Of a scratch repository.
    *("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_WORK_TREE"),
}
OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


class Dumps:
    """What every git that was started has seen, one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def seen(self) -> list[dict[str, str]]:
        """Variables of each, the newest ones first read; they are read once."""
        found = []
        for file in self.folder.iterdir():
            lines = file.read_bytes().split(b"\0")
            found.append(dict(os.fsdecode(line).split("=", 1) for line in lines if b"=" in line))
            file.unlink()
        assert found, "no git was started"
        return found


class Place(NamedTuple):
    """A forge's repository, a clone of it, and where its main stands."""

    forge: Path
    work: Path
    main: str


@pytest.fixture
def place(tmp_path: Path) -> Place:
    repo = story(tmp_path / "forge" / "shop.git")
    return Place(repo.path, clone(repo, tmp_path / "work"), repo.sha("main"))


@pytest.fixture
def dumps(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dumps:
    assert place.work.is_dir()  # made before, with the git of the tests
    folder, program = tmp_path / "dumps", tmp_path / "bin" / "git"
    folder.mkdir()
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv -0 > {folder}/$$-"$1"\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in (SECRETS | FOREIGN).items():
        monkeypatch.setenv(name, value)
    return Dumps(folder)


def is_allowed(name: str) -> bool:
    return name in NEEDED | GITS_OWN | OF_THE_SHELL or name.startswith(("GIT_CONFIG_", "GIT_SSL_"))


# At the doors


def by_a_question(place: Place, _: Path) -> None:
    Git(place.forge).run("rev-parse", "main")


def by_a_conversation(place: Place, _: Path) -> None:
    with Objects(Git(place.forge)) as objects:
        objects.look_up(["main"])


def by_an_export(place: Place, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    export(Git(place.forge), place.main, tmp_path / "files")


def by_a_mirror(place: Place, tmp_path: Path) -> None:
    with Mirrors(tmp_path / "cache").hold(f"file://{place.forge}", "t0ken") as held:
        held.fetch()
        held.default_branch()
        held.push([RefUpdate("refs/heads/new", place.main, None)])


def by_a_distant_repository(place: Place, _: Path) -> None:
    delete_refs(f"file://{place.forge}", "t0ken", "refs/heads/oauth", lambda _: True)


def by_the_side_door(place: Place, _: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.forge)
        Quick(time.monotonic() + 60).ask("rev-parse", "main")


DOORS = (
    by_a_question,
    by_a_conversation,
    by_an_export,
    by_a_mirror,
    by_a_distant_repository,
    by_the_side_door,
)


@pytest.mark.parametrize("start", DOORS)
def test_git_sees_what_it_needs_and_no_more(
    start: Callable[[Place, Path], None], place: Place, tmp_path: Path, dumps: Dumps
) -> None:
    start(place, tmp_path)
    for seen in dumps.seen():
        assert [name for name in seen if not is_allowed(name)] == []
        assert "s3cret" not in " ".join(seen.values())
        assert seen["PATH"] == os.environ["PATH"]


def test_a_fetch_for_the_person_sees_all_but_what_is_onehead_s(
    place: Place, dumps: Dumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    assert Origin(Git(place.work)).advertised.tip("main") == place.main
    for seen in dumps.seen():
        assert {name: seen.get(name) for name in ("DATABASE_PASSWORD", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND")} == {
            "DATABASE_PASSWORD": "s3cret",
            "SSH_AUTH_SOCK": "/run/agent",
            "GIT_SSH_COMMAND": "ssh -i key",
        }
        assert [name for name in seen if name.startswith("ONEHEAD_")] == []
        assert "GIT_DIR" not in seen


def test_a_quarantine_is_seen_and_proxies_are(place: Place, dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "GIT_QUARANTINE_PATH": "/q",
        "https_proxy": "http://proxy:1",
        "SSL_CERT_FILE": "/ca",
        "GIT_SSL_CAINFO": "/ca",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    Git(place.forge).run("rev-parse", "main")
    (seen,) = dumps.seen()
    assert {name: seen.get(name) for name in given} == given


# Through the verbs


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--target", "origin/main", "--head", "origin/oauth"),
        ("check", "--target", "origin/main", "--head", "origin/oauth", "--fetch", "always"),
        ("fix", "--target", "origin/main", "--head", "origin/oauth", "--onto-branch", "repair"),
        ("graph",),
        ("states", "--target", "origin/main", "--head", "origin/oauth"),
        ("doctor", "--rows", "001"),
        ("databases",),
        ("explain", "log"),
        ("verify", "--dialect", "sqlite"),
    ],
    ids=" ".join,
)
def test_no_verb_hands_onehead_s_variables_on(
    words: tuple[str, ...], place: Place, tmp_path: Path, dumps: Dumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_text("alembic.util.exc.CommandError: Can't locate revision identified by '009'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))
    assert main([*words, "--repo", str(place.work)]) in (0, 1, 3)
    assert [name for seen in dumps.seen() for name in seen if name.startswith("ONEHEAD_")] == []


def test_the_service_starts_nothing_with_its_secrets_while_it_loads(dumps: Dumps) -> None:
    """GitPython asks git for its version as soon as it is imported."""
    code = "import os, onehead.service.serve; print(os.environ['ONEHEAD_TOKEN'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "s3cret\n"
    assert [name for seen in dumps.seen() for name in seen if name.startswith("ONEHEAD_")] == []


def test_the_two_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SECRETS | FOREIGN).items():
        monkeypatch.setenv(name, value)
    assert set(needed()) <= NEEDED
    assert needed()["PATH"] == os.environ["PATH"]
    assert set(os.environ) - set(all_but_our_own()) == set(SECRETS)
    before = dict(os.environ)
    with OursHidden():
        assert dict(os.environ) == all_but_our_own() == {k: v for k, v in before.items() if k not in SECRETS}
    assert dict(os.environ) == before


# In the source


def test_every_process_is_started_with_an_environment_of_its_own() -> None:
    """A call that names none hands all variables on."""
    starts = [
        (name, call)
        for name, tree in modules().items()
        for call in calls(tree)
        if called(call) in SPAWNS or ast.unparse(call.func) in ("subprocess.run", "subprocess.check_output")
    ]
    given: dict[str, set[str]] = {}
    for name, call in starts:
        named = [ast.unparse(word.value) for word in call.keywords if word.arg == "env"]
        given.setdefault(name, set()).update(named or [ast.unparse(call.args[2])])
    assert given.pop("verify.trial") == {"self._environment(place, fill)"}
    git = "{name: value for name, value in os.environ.items() if name == 'GIT_EXEC_PATH'}"
    assert given.pop("child_process") == {"needed()", f"needed() | {git} | {{'LANG': 'C.UTF-8'}}"}
    assert given == {"gitrepo.git": {"self.environment()"}, "gitrepo.process": {"surroundings()"}}
