"""Every command that is printed works as it is printed: it is typed where it appeared, and so is what that prints.

A situation is a place, and what a person types there first. All commands of the output are carried out there by a
shell, one after the other, and those that these print too, until nothing more is asked for. Then the repair has to be
in, or the question that could not be answered has to have its answer.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.ci_jobs import VARIABLES
from tests.cli.terminal_runs import clone, story
from tests.migrations import revision
from tests.repositories import Repository, environment

MARKED = re.compile(r"^Next: (.+)$|^ {2,}((?:git|onehead) .+)$|`((?:git|onehead) [^`]+)`", re.MULTILINE)
VERB_ALONE = re.compile(r"onehead [a-z-]+$")
"""In a sentence it names the program; the command with what belongs to it comes after `Next:`."""
PLACEHOLDER = re.compile(r"(?<![\w/-])[A-Z][A-Z-]+(?![\w~^])")
MAX_COMMANDS = 12
"""Commands that one situation may lead to; the longest way out has five."""


def commands(printed: str) -> Iterator[str]:
    """What a text asks to type; not what it leaves to fill in."""
    for found in MARKED.finditer(printed):
        command = found[1] or found[2] or found[3]
        if not VERB_ALONE.match(command) and not PLACEHOLDER.search(command.replace("HEAD", "head")):
            yield command


class Place(NamedTuple):
    """Where something is typed, and what was typed there.

    Attributes:
        folder: the current directory.
        cache: of onehead.
        log: each command and its exit code, in order.
    """

    folder: Path
    cache: Path
    log: list[tuple[str, int]]

    def type(self, command: str) -> str:
        """Everything that a command prints."""
        program = f'onehead() {{ {shlex.quote(sys.executable)} -m onehead "$@"; }}\n'
        mine = {name: value for name, value in environment().items() if not name.startswith(VARIABLES)}
        done = subprocess.run(
            ["sh", "-c", program + command],
            cwd=self.folder,
            env=mine | {"ONEHEAD_CACHE_DIR": str(self.cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        self.log.append((command, done.returncode))
        return done.stdout

    def follow(self, first: str) -> list[str]:
        """Type a command, and all that is asked for from then on; each ends well, and asks for no more than that."""
        waiting, typed = [*commands(self.type(first))], [first]
        while waiting:
            command = waiting.pop(0)
            if command in typed:
                continue
            said = self.type(command)
            assert self.log[-1][1] in ((0, 1) if command.startswith("onehead ") else (0,)), f"{command}\n{said}"
            typed.append(command)
            assert len(typed) < MAX_COMMANDS
            waiting = [*commands(said), *waiting]
        return typed[1:]


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    """main at 003, and the branch `oauth`, which collides with it."""
    return story(tmp_path / "shop.git")


@pytest.fixture
def at(tmp_path: Path) -> Callable[[Path], Place]:
    return lambda folder: Place(folder, tmp_path / "cache", [])


Made = tuple[Path, str, str]
"""Where to type, what to type first, and what then has to be without findings."""
Situation = Callable[[Repository, Path], Made]
"""Makes one from the shop, in a folder of its own."""


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout


def checkout(shop: Repository, folder: Path) -> Made:
    return clone(shop, folder / "work", "--branch", "oauth"), "onehead check", "onehead check"


def another_branch(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--branch", "oauth")
    git(work, "switch", "--quiet", "main")
    sides = "onehead check --target main --head oauth"
    return work, sides, sides


def detached(shop: Repository, folder: Path) -> Made:
    """The recipe of both hooks."""
    work = clone(shop, folder / "work", "--branch", "oauth")
    git(work, "switch", "--quiet", "--detach")
    sides = "--target origin/main --head HEAD"
    return work, f"onehead fix {sides} --onto-branch onehead/repair", f"onehead check {sides}"


def on_the_branch_as_head(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--branch", "oauth")
    sides = "--target origin/main --head HEAD"
    return work, f"onehead fix {sides} --onto-branch onehead/repair", f"onehead check {sides}"


def only_on_the_remote(shop: Repository, folder: Path) -> Made:
    sides = "onehead check --target main --head oauth"
    return clone(shop, folder / "work"), sides, sides


def named_with_its_remote(shop: Repository, folder: Path) -> Made:
    return clone(shop, folder / "work"), "onehead check --target main --head origin/oauth", "onehead check --head oauth"


def two_remotes(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work")
    git(work, "remote", "add", "-f", "another", str(shop.path))
    sides = "onehead check --target main --head oauth"
    return work, sides, sides


def checked_out_elsewhere(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work")
    git(work, "worktree", "add", "--quiet", str(folder / "the other one"), "oauth")
    sides = "onehead check --target main --head oauth"
    return work, sides, sides


def from_outside(shop: Repository, folder: Path) -> Made:
    clone(shop, folder / "my work", "--branch", "oauth")
    return folder, "onehead check --repo 'my work'", "onehead check --repo 'my work'"


def from_a_folder_below(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--branch", "oauth")
    return work / "alembic", "onehead check", "onehead check"


def from_a_folder_below_upwards(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--branch", "oauth")
    return work / "alembic", "onehead check --repo ..", "onehead check --repo ../alembic"


def bare(shop: Repository, folder: Path) -> Made:
    sides = f"onehead check --repo {shlex.quote(str(shop.path))} --target main --head oauth"
    return folder, sides, sides


def inside_a_bare_one(shop: Repository, _: Path) -> Made:
    sides = "onehead check --target main --head oauth"
    return shop.path, sides, sides


def a_tag(shop: Repository, folder: Path) -> Made:
    shop.tag("v1", "oauth")
    sides = "onehead check --target origin/main --head"
    return clone(shop, folder / "work"), f"{sides} v1", f"{sides} HEAD"


def a_commit(shop: Repository, folder: Path) -> Made:
    sides = "onehead check --target origin/main --head"
    return clone(shop, folder / "work"), f"{sides} {shop.sha('oauth')}", f"{sides} HEAD"


def an_expression(shop: Repository, folder: Path) -> Made:
    shop.commit("oauth", {"README": "More.\n"})
    work = clone(shop, folder / "work", "--branch", "oauth")
    return work, "onehead check --target origin/main --head HEAD~1", "onehead check --target origin/main --head HEAD"


def a_name_for_shells(shop: Repository, folder: Path) -> Made:
    name = "it's-$(id>x);&"
    shop.branch(name, "oauth")
    shop.git("update-ref", "-d", "refs/heads/oauth")
    sides = f"onehead check --target main --head {shlex.quote(name)}"
    return clone(shop, folder / "work"), sides, sides


def a_tag_of_the_same_name(shop: Repository, folder: Path) -> Made:
    shop.tag("oauth", "main")
    sides = "onehead check --target origin/main --head refs/heads/oauth"
    return clone(shop, folder / "work", "--branch", "oauth"), sides, sides


def a_tag_with_the_name_of_the_repair(shop: Repository, folder: Path) -> Made:
    shop.tag("onehead/reparent/oauth", "main")
    return clone(shop, folder / "work", "--branch", "oauth"), "onehead check", "onehead check"


def a_forked_target(shop: Repository, folder: Path) -> Made:
    shop.commit("main", revision("006", "002"))
    return clone(shop, folder / "work", "--branch", "oauth"), "onehead check --at main", "onehead check --at main"


def a_forked_head(shop: Repository, folder: Path) -> Made:
    """The hook's other recipe: what was pushed by force, judged by itself."""
    shop.commit("main", revision("006", "002"))
    work = clone(shop, folder / "work")
    git(work, "switch", "--quiet", "--detach")
    return work, "onehead fix --target HEAD --onto-branch onehead/repair", "onehead check --at HEAD"


def asked_of_origin(shop: Repository, folder: Path) -> Made:
    """The target has moved since the clone was made."""
    work = clone(shop, folder / "work", "--branch", "oauth")
    shop.commit("main", revision("006", "003"))
    return work, "onehead check --fetch always", "onehead check --fetch always"


def one_branch(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--single-branch", "--branch", "oauth")
    return work, "onehead check --target main --head oauth", ""


def one_branch_cut_off(shop: Repository, folder: Path) -> Made:
    work = clone(shop, folder / "work", "--depth=1", "--branch", "oauth")
    return work, "onehead check --target origin/main --head oauth", ""


def all_branches_cut_off(shop: Repository, folder: Path) -> Made:
    shop.commit("main", {"README": "More.\n"})
    work = clone(shop, folder / "work", "--depth=1", "--no-single-branch", "--branch", "oauth")
    return work, "onehead check", ""


def cut_off_and_from_outside(shop: Repository, folder: Path) -> Made:
    clone(shop, folder / "my work", "--depth=1", "--branch", "oauth")
    return folder, "onehead check --repo 'my work' --target main --head oauth", ""


def cut_off_bare(shop: Repository, folder: Path) -> Made:
    clone(shop, folder / "copy.git", "--bare", "--depth=1", "--branch", "oauth")
    return folder / "copy.git", "onehead check --target main --head oauth", ""


def files_left_out(shop: Repository, folder: Path) -> Made:
    shop.git("config", "uploadpack.allowFilter", "true")
    work = clone(shop, folder / "work", "--filter=blob:none", "--no-checkout", "--branch", "oauth")
    return work, "onehead check", ""


REPAIRED: list[Situation] = [
    *(checkout, another_branch, detached, on_the_branch_as_head, only_on_the_remote, named_with_its_remote),
    *(checked_out_elsewhere, from_outside, from_a_folder_below, from_a_folder_below_upwards, bare, inside_a_bare_one),
    *(a_tag, a_commit, an_expression, a_name_for_shells, a_tag_of_the_same_name, a_tag_with_the_name_of_the_repair),
    *(a_forked_target, a_forked_head, asked_of_origin, two_remotes),
]
UNANSWERED: list[Situation] = [
    *(one_branch, one_branch_cut_off, all_branches_cut_off, cut_off_and_from_outside, cut_off_bare, files_left_out),
]
QUICK = (checkout, detached, bare, one_branch_cut_off)


def each(situations: list[Situation]) -> pytest.MarkDecorator:
    slow = pytest.mark.slow
    params = [pytest.param(one, id=one.__name__, marks=[] if one in QUICK else slow) for one in situations]
    return pytest.mark.parametrize("situation", params)


@each(REPAIRED)
def test_what_is_printed_on_the_way_to_a_repair_repairs(
    situation: Situation, shop: Repository, tmp_path: Path, at: Callable[[Path], Place]
) -> None:
    (tmp_path / "desk").mkdir()
    folder, first, afterwards = situation(shop, tmp_path / "desk")
    place = at(folder)
    typed = place.follow(first)
    assert re.search(r"^git .*\b(?:merge|switch|fetch) ", typed[-1])
    said = place.type(afterwards)
    assert place.log[-1][1] == 0, said
    assert not [*tmp_path.rglob("x")]


@each(UNANSWERED)
def test_what_is_printed_where_something_is_missing_brings_it(
    situation: Situation, shop: Repository, tmp_path: Path, at: Callable[[Path], Place]
) -> None:
    (tmp_path / "desk").mkdir()
    folder, first, _ = situation(shop, tmp_path / "desk")
    place = at(folder)
    typed = place.follow(first)
    assert place.log[0][1] in (2, 3), "nothing was missing"
    assert any(" fetch " in f" {command} " for command in typed)
    said = place.type(first)
    assert (place.log[-1][1], said.split(".")[0]) == (1, "Collision"), said


@pytest.mark.parametrize(
    "name",
    [
        "bad name",
        "a..b",
        "-x",
        "HEAD",
        "@{-1}",
        "a~1",
        "x.lock",
        "",
        "main/repair",
        "deep",
    ],
)
def test_a_name_that_no_branch_can_have_is_told_as_such(
    name: str, shop: Repository, at: Callable[[Path], Place]
) -> None:
    shop.branch("deep/er", "main")
    place = at(shop.path)
    said = place.type(f"onehead fix --target main --head oauth --onto-branch={shlex.quote(name)}")
    assert place.log[-1][1] == 2, said
    assert said.startswith(("onehead: `", "onehead: Git can't have both `"))
    assert f"`{name}`" in said
    assert said.endswith("\n  → Choose another name with `--onto-branch NAME`, such as onehead/repair.\n")


def test_a_place_is_named_without_detours(tmp_path: Path, at: Callable[[Path], Place]) -> None:
    empty = Repository(tmp_path / "empty" / "shop", bare=False)
    (tmp_path / "empty" / "deploy").mkdir()
    for folder, repo in ((empty.path, "."), (tmp_path / "empty" / "deploy", "../shop"), (empty.path, "./")):
        said = at(folder).type(f"onehead check --repo {repo}")
        assert f"The repository in {empty.path.resolve()} has no commits yet" in said


def test_what_a_damaged_repository_is_looked_at_with(
    shop: Repository, tmp_path: Path, at: Callable[[Path], Place]
) -> None:
    for pack in [*(shop.path / "objects" / "pack").glob("*.pack")]:
        data = pack.read_bytes()
        for file in pack.parent.glob(f"{pack.stem}.*"):
            file.unlink()
        shop.git("unpack-objects", "-q", data=data)
    tree = shop.git("rev-parse", "oauth:alembic/versions").strip()
    (shop.path / "objects" / tree[:2] / tree[2:]).unlink()
    place = at(tmp_path)
    said = place.type("onehead check --repo shop.git --target main --head oauth")
    assert place.log[-1][1] == 3
    [command] = commands(said)
    assert f"missing tree {tree}" in place.type(command)


@pytest.mark.parametrize("known", [True, False])
def test_what_brings_the_reports_of_databases(
    known: bool, shop: Repository, tmp_path: Path, at: Callable[[Path], Place]
) -> None:
    work = clone(shop, tmp_path / "my work")
    if known:
        shop.git("update-ref", "refs/onehead/databases", "main")
    place = at(tmp_path)
    [command] = re.findall(r"comes with: (.+)", place.type("onehead databases --repo 'my work'"))
    place.type(command)
    assert place.log[-1] == (command, 0)
    assert ("refs/onehead/databases" in git(work, "for-each-ref")) == known


@pytest.mark.parametrize(
    ("first", "printed"),
    [
        ("onehead doctor --repo 'my work' --at main --rows 003", "onehead fix --repo 'my work' --target main"),
        ("onehead explain --repo 'my work' --at main crash.log", "onehead check --repo 'my work' --target main"),
        ("onehead check --repo 'my work' --at main", "onehead fix --repo 'my work' --target main"),
        ("onehead graph --repo 'my work' --at main --around 0x", "onehead graph --repo 'my work' --at main --full"),
        (
            "onehead states --repo 'my work' --target origin/main --head origin/opaque",
            "onehead check --repo 'my work' --target origin/main --head origin/opaque",
        ),
        (
            "onehead states --repo 'my work' --at origin/oauth",
            "onehead states --repo 'my work' --at origin/oauth --rows 004",
        ),
        (
            "onehead explain --repo 'my work' --at main row.log",
            "git -C 'my work' log --all --oneline -Sgone",
        ),
    ],
)
def test_what_is_printed_about_another_repository_names_it(
    first: str, printed: str, shop: Repository, tmp_path: Path, at: Callable[[Path], Place]
) -> None:
    shop.branch("opaque", "oauth")
    shop.commit("main", revision("006", "002"))
    [(path, source)] = revision("007", "005").items()
    shop.commit(
        "opaque", {path: source.replace("op.create_table", "op.execute(__import__('shop').SQL); op.create_table")}
    )
    desk = tmp_path / "desk"
    clone(shop, desk / "my work", "--branch", "main")
    said = "FAILED: Multiple head revisions are present for given argument 'head'; please specify a specific target"
    (desk / "crash.log").write_text(f"ERROR [alembic.util.messaging] {said} revision\n  {said} revision\n")
    (desk / "row.log").write_text("FAILED: Can't locate revision identified by 'gone'\n")
    place = at(desk)
    told = [*commands(place.type(first).replace("REVISION", "004"))]
    assert printed in told
    for command in told:
        if not command.startswith(("git ", "onehead ")):
            continue
        assert not re.search(r"error:|No git repository|is not a git repository", place.type(command)), place.log
