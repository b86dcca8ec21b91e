"""A bare repository that was pushed as ordinary files, and a checkout whose configuration names programs: none runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.commit import patch_of
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import vanished
from onehead.gitrepo.process import PlantedRepository
from onehead.gitrepo.worktree import work_tree
from tests.cli.terminal_runs import Run, clone, story
from tests.migrations import VERSIONS
from tests.repositories import Repository, environment

if TYPE_CHECKING:
    from pathlib import Path


PROGRAMS = {
    # Every setting that makes git start something: `{}` is the program.
    "alias.rev-parse": "!{}",
    "alias.log": "!{}",
    "alias.evil": "!{}",
    "browser.x.cmd": "{}",
    "commit.gpgSign": "true",
    "core.alternateRefsCommand": "{}",
    "core.askPass": "{}",
    "core.editor": "{}",
    "core.fsmonitor": "{}",
    "core.gitProxy": "{}",
    "core.hooksPath": "{dir}",
    "core.pager": "{}",
    "core.sshCommand": "{}",
    "credential.helper": "!{}",
    "diff.evil.command": "{}",
    "diff.evil.textconv": "{}",
    "diff.external": "{}",
    "filter.evil.clean": "{}",
    "filter.evil.process": "{}",
    "filter.evil.smudge": "{}",
    "gc.auto": "1",
    "gpg.program": "{}",
    "gpg.ssh.defaultKeyCommand": "{}",
    "interactive.diffFilter": "{}",
    "log.showSignature": "true",
    "maintenance.auto": "true",
    "merge.default": "evil",
    "merge.evil.driver": "{}",
    "pager.log": "{}",
    "pager.rev-parse": "{}",
    "pack.packSizeLimit": "1",
    "protocol.allow": "always",
    "protocol.ext.allow": "always",
    "remote.origin.promisor": "true",
    "remote.origin.uploadpack": "{}",
    "remote.origin.proxy": "socks5://127.0.0.1:1",
    "remote.origin.vcs": "evil",
    "remote.evil.promisor": "true",
    "remote.evil.url": "ext::{} %S",
    "remote.lazy.promisor": "true",
    "remote.lazy.url": "git@127.0.0.1:x/y",
    "sequence.editor": "{}",
    "trailer.sign.command": "{}",
    "uploadpack.packObjectsHook": "{}",
}
HOOKS = (
    "reference-transaction",
    "post-index-change",
    "pre-auto-gc",
    "post-checkout",
    "fsmonitor-watchman",
    "pre-commit",
)
ATTRIBUTES = "* diff=evil merge=evil filter=evil text=auto\n"

VERBS = (
    ("check", "--target", "main", "--head", "oauth"),
    ("fix", "--target", "main", "--head", "oauth", "--onto-branch", "repair"),
    ("graph", "--at", "main"),
    ("states", "--target", "main", "--head", "oauth"),
    ("doctor", "--at", "main", "--rows", "009"),
    ("databases", "--at", "main"),
    ("explain", "--at", "main", "log"),
    ("verify", "--at", "main", "--dialect", "sqlite"),
)


class Trap:
    """A program that leaves a trace, and a configuration that names it wherever git would start one."""

    def __init__(self, folder: Path) -> None:
        self.trace = folder / "trace"
        self.hooks = folder / "trap-hooks"
        self.hooks.mkdir()
        self.program = folder / "trap"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.trace}\ncat\n')
        self.program.chmod(0o755)
        for name in HOOKS:
            (self.hooks / name).symlink_to(self.program)

    def set_in(self, git_directory: Path) -> None:
        for key, value in PROGRAMS.items():
            filled = value.format(self.program, dir=self.hooks)
            git(git_directory, "config", "--file", str(git_directory / "config"), "--add", key, filled)
        for name in HOOKS:
            (git_directory / "hooks").mkdir(exist_ok=True)
            shutil.copy(self.program, git_directory / "hooks" / name)
        (git_directory / "info").mkdir(exist_ok=True)
        (git_directory / "info" / "attributes").write_text(ATTRIBUTES)


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


def git(place: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path, trap: Trap) -> Path:
    """A checkout of a repository whose folder `backend` holds what git takes for a repository, as it was pushed."""
    inner = story(tmp_path / "inner.git")
    trap.set_in(inner.path)
    outer = story(tmp_path / "outer.git")
    files = {
        f"backend/{file.relative_to(inner.path)}": file.read_bytes() for file in inner.path.rglob("*") if file.is_file()
    }
    outer.commit("main", files)
    work = clone(outer, tmp_path / "work")
    assert git(work / "backend", "rev-parse", "--git-dir").strip() == "."  # git itself would open it
    return work


@pytest.mark.parametrize("place", ["backend", "backend/objects", "backend/refs/heads"])
@pytest.mark.parametrize("way", ["--repo", "here"])
@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_planted_repository_is_not_opened(
    words: tuple[str, ...],
    way: str,
    place: str,
    checkout: Path,
    trap: Trap,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "log"
    log.write_text("Can't locate revision identified by '009'\n")
    words = tuple(str(log) if word == "log" else word for word in words)
    if way == "here":
        monkeypatch.chdir(checkout / place)
    done = run(*words, *(("--repo", str(checkout / place)) if way == "--repo" else ()))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"onehead: {checkout}/backend is a repository inside the work tree of another one, {checkout}. A push can have "
        "put it there, with a configuration that makes git run programs, so it is not opened.\n"
        f"  → Name the checkout itself: `--repo {checkout}`. If the inner repository is yours and is meant, "
        "move it out of the work tree.\n"
    )
    assert not trap.trace.exists()


def test_it_is_refused_too_where_a_job_would_fetch(
    checkout: Path, trap: Trap, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "backend")
    assert run("check", "--fetch", "always").code == 2
    assert run("check", "--fetch", "always", "--repo", checkout / "backend").code == 2
    assert not trap.trace.exists()


def test_the_checkout_around_it_is_judged(checkout: Path, trap: Trap, run: Run) -> None:
    assert run("check", "--repo", checkout, "--target", "origin/main", "--head", "origin/oauth").code == 1
    assert not trap.trace.exists()


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "checkout"])
def test_no_setting_of_a_repository_makes_git_run_a_program(
    bare: bool, words: tuple[str, ...], trap: Trap, run: Run, tmp_path: Path
) -> None:
    """What CI has written into `.git/config` counts for the fetch that is asked for and for nothing else."""
    log = tmp_path / "log"
    log.write_text("Can't locate revision identified by '009'\n")
    words = tuple(str(log) if word == "log" else word for word in words)
    repo = story(tmp_path / "shop", bare=bare)
    repo.commit("main", {".gitattributes": ATTRIBUTES})
    if not bare:
        repo.git("reset", "--quiet", "--hard")
        (repo.path / "README").write_text("Not committed.\n")
    trap.set_in(repo.path if bare else repo.path / ".git")
    assert run(*words, "--repo", repo.path).code in (0, 1)
    assert not trap.trace.exists()
    if words[0] == "verify" and not bare:
        assert run("verify", "--dialect", "sqlite", "--repo", repo.path).code == 0  # the work tree as it is
        assert not trap.trace.exists()


def test_no_setting_of_a_submodule_does_either(trap: Trap, tmp_path: Path) -> None:
    inner = story(tmp_path / "inner.git")
    inner.commit("main", {".gitattributes": ATTRIBUTES})
    outer = story(tmp_path / "outer", bare=False)
    outer.git("reset", "--quiet", "--hard")
    place = "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{inner.path}", "sub: [1]"
    outer.git(*place)
    trap.set_in(outer.path / ".git" / "modules" / "sub: [1]")
    (outer.path / "sub: [1]" / "alembic.ini").write_text("Edited.\n")
    (outer.path / "alembic.ini").write_text("Edited.\n")
    with work_tree(Git(outer.path)) as (inside, tree):
        assert inside.run("cat-file", "blob", f"{tree}:alembic.ini") == b"Edited.\n"
        assert inside.run("rev-parse", f"{tree}:sub: [1]").decode().strip() == inner.sha("main")
    assert not trap.trace.exists()


def test_the_trap_works(trap: Trap, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop", bare=False)
    repo.git("reset", "--quiet", "--hard")
    trap.set_in(repo.path / ".git")
    subprocess.run(["git", "log", "-p", "-1", "--all"], cwd=repo.path, env=environment(), check=False, timeout=60)
    assert trap.trace.exists()


def test_looking_for_a_lost_text_and_making_a_patch_convert_nothing(trap: Trap, tmp_path: Path) -> None:
    """A program that turns files into text takes part in `git log -S`."""
    repo = story(tmp_path / "shop.git")
    repo.commit("main", {f"{VERSIONS}/003_player_teams.py": None})
    trap.set_in(repo.path)
    [gone] = vanished(Git(repo.path), 'revision: str = "003"', [VERSIONS])
    assert gone.path == f"{VERSIONS}/003_player_teams.py"
    assert "player_teams" in patch_of(Git(repo.path), repo.sha("main"))
    assert not trap.trace.exists()


@pytest.mark.parametrize(
    "url", ["ext::{} %S", "git@127.0.0.1:x/y", "ssh://127.0.0.1:1/x", "file:///{}", "http://127.0.0.1:9/x"]
)
def test_what_a_partial_clone_lacks_is_not_fetched_by_a_program(url: str, trap: Trap, tmp_path: Path, run: Run) -> None:
    origin = story(tmp_path / "origin.git")
    origin.git("config", "uploadpack.allowFilter", "true")
    origin.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{origin.path}", str(tmp_path / "part.git"))
    git(tmp_path / "part.git", "remote", "set-url", "origin", url.format(trap.program))
    trap.set_in(tmp_path / "part.git")
    done = run("check", "--repo", tmp_path / "part.git", "--target", "main", "--head", "oauth")
    assert done.code == 3
    assert not trap.trace.exists()


# Which repositories are planted, and which are not


def bare_at(place: Path) -> Repository:
    return story(place)


def opens(directory: Path) -> str:
    """The repository that our door opens there."""
    return os.fsdecode(Git(directory).run("rev-parse", "--absolute-git-dir")).strip()


def test_repositories_that_no_push_can_have_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = story(tmp_path / "outer", bare=False)
    outer.git("reset", "--quiet", "--hard")
    inner = story(tmp_path / "inner.git")
    protocol = ("-c", "protocol.file.allow=always")
    outer.git(*protocol, "submodule", "--quiet", "add", f"file://{inner.path}", "sub")
    outer.git("worktree", "add", "--quiet", "--detach", "linked/deep", "main")
    # A clone inside of another's work tree, such as a vendored one; and the lay-out where all work trees are linked.
    outer.git("clone", "--quiet", f"file://{inner.path}", "vendor/inner")
    hub = tmp_path / "hub"
    hub.mkdir()
    git(hub, "clone", "--quiet", "--bare", f"file://{inner.path}", ".bare")
    (hub / ".git").write_text("gitdir: ./.bare\n")
    git(hub, "worktree", "add", "--quiet", "--detach", "main", "main")
    (tmp_path / "alias").symlink_to(outer.path)
    assert {
        place: opens(tmp_path / place)
        for place in (
            *("outer", "outer/alembic", "outer/.git", "outer/.git/objects", "outer/sub", "outer/sub/alembic"),
            *("outer/.git/modules/sub", "outer/linked/deep", "outer/vendor/inner", "outer/vendor/inner/.git"),
            *("inner.git", "inner.git/refs", "hub", "hub/.bare", "hub/main", "alias", "alias/.git"),
        )
    } == {
        "outer": f"{outer.path}/.git",
        "outer/alembic": f"{outer.path}/.git",
        "outer/.git": f"{outer.path}/.git",
        "outer/.git/objects": f"{outer.path}/.git",
        "outer/sub": f"{outer.path}/.git/modules/sub",
        "outer/sub/alembic": f"{outer.path}/.git/modules/sub",
        "outer/.git/modules/sub": f"{outer.path}/.git/modules/sub",
        "outer/linked/deep": f"{outer.path}/.git/worktrees/deep",
        "outer/vendor/inner": f"{outer.path}/vendor/inner/.git",
        "outer/vendor/inner/.git": f"{outer.path}/vendor/inner/.git",
        "inner.git": str(inner.path),
        "inner.git/refs": str(inner.path),
        "hub": f"{hub}/.bare",
        "hub/.bare": f"{hub}/.bare",
        "hub/main": f"{hub}/.bare/worktrees/main",
        "alias": f"{outer.path}/.git",
        "alias/.git": f"{outer.path}/.git",
    }
    # A variable that points elsewhere has no say.
    monkeypatch.setenv("GIT_DIR", str(inner.path))
    assert opens(outer.path) == f"{outer.path}/.git"


def in_a_folder(outer: Path) -> Path:
    return bare_at(outer / "backend").path


def deep_down(outer: Path) -> Path:
    return bare_at(outer / "a" / "b" / "c").path


def in_a_submodule(outer: Path) -> Path:
    other = story(outer.parent / "other.git")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{other.path}", "sub")
    return bare_at(outer / "sub" / "evil").path


def in_a_linked_work_tree(outer: Path) -> Path:
    git(outer, "worktree", "add", "--quiet", "--detach", "../linked", "main")
    return bare_at(outer.parent / "linked" / "evil").path


def behind_a_link(outer: Path) -> Path:
    bare_at(outer / "backend")
    (outer.parent / "shortcut").symlink_to(outer / "backend")
    return outer.parent / "shortcut"


def as_what_a_git_file_names(outer: Path) -> Path:
    bare_at(outer / "evil")
    (outer / "sub").mkdir()
    (outer / "sub" / ".git").write_text("gitdir: ../evil\n")
    return outer / "sub"


def with_objects_of_another(outer: Path) -> Path:
    """`commondir` takes the place of objects and refs."""
    bare_at(outer / "evil")
    (outer / "thin").mkdir()
    (outer / "thin" / "HEAD").write_text("ref: refs/heads/main\n")
    (outer / "thin" / "commondir").write_text("../evil\n")
    return outer / "thin"


def with_linked_parts(outer: Path) -> Path:
    inner = bare_at(outer / "evil").path
    (outer / "thin").mkdir()
    for name in ("HEAD", "config", "objects", "refs"):
        (outer / "thin" / name).symlink_to(inner / name)
    return outer / "thin"


def inside_another_planted_one(outer: Path) -> Path:
    bare_at(outer / "backend")
    return bare_at(outer / "backend" / "evil").path


@pytest.mark.parametrize(
    "plant",
    [
        in_a_folder,
        deep_down,
        in_a_submodule,
        in_a_linked_work_tree,
        behind_a_link,
        as_what_a_git_file_names,
        with_objects_of_another,
        with_linked_parts,
        inside_another_planted_one,
    ],
)
def test_repositories_that_a_push_can_have_made(plant: object, tmp_path: Path) -> None:
    assert callable(plant)
    outer = story(tmp_path / "outer", bare=False)
    outer.git("reset", "--quiet", "--hard")
    place = plant(outer.path)
    for door in (Git(place), Git(place).variant(), Git(place).as_the_person("file")):
        with pytest.raises(PlantedRepository) as caught:
            door.run("rev-parse", "HEAD")
        assert caught.value.exit_code == 2
