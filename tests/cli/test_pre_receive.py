"""`onehead pre-receive` in a real hook of a real repository: real pushes, real quarantine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.repositories import environment
from tests.service.bare_server import ZERO, Server, wrapped_git

BASE = merged(project(), chain(("017", None), ("018", "017"), ("019", "018")))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """018 and 019 are on `main`."""
    made = Server(tmp_path)
    made.commit("main", BASE)
    assert made.push("main") == (True, "")
    return made


def test_a_push_that_goes_on_from_the_head_is_accepted_in_silence(server: Server) -> None:
    new = server.commit("main", revision("020", "019"))
    assert server.push("main") == (True, "")
    assert server.tip("main") == new


def test_a_push_that_forks_is_refused_and_the_way_out_works_as_it_is_printed(server: Server, tmp_path: Path) -> None:
    old = server.tip("main")
    server.commit("main", merged(revision("020", "018", "oauth"), revision("021", "020", "scopes")))

    accepted, words = server.push("main")

    assert not accepted
    assert server.tip("main") == old
    assert words.startswith(
        """\
onehead: push refused. main would have a head too many, and its next deploy would stop.

alembic/versions: 2 heads (019, 021)
  ○ 018  t018  (main)
  ├─● 019  t019  ← head, main
  └─○ 020  oauth  (this push)
    ● 021  scopes  ← head, this push
"""
    )
    clone = tmp_path / "clone"
    server.developer.git("clone", "--quiet", str(server.developer.path), str(clone))
    server.developer.git("-C", str(clone), "remote", "set-url", "origin", f"file://{server.bare.path}")
    typed = [
        line for line in words.splitlines() if line.startswith(("  git ", "  onehead ")) and "NEW-NAME" not in line
    ]
    assert len(typed) == 4
    type_in(clone, typed)
    assert '"019"\n' in server.bare.read("main", f"{VERSIONS}/020_oauth.py")


def test_the_page_shows_what_is_really_said(server: Server) -> None:
    server.commit("main", merged(revision("020", "018", "oauth"), revision("021", "020", "scopes")))
    _, words = server.push("main")
    page = (Path(__file__).parents[2] / "docs/how-to/pre-receive.md").read_text(encoding="utf-8")
    shown = "".join(f"remote: {line}".rstrip() + "\n" for line in words.splitlines())
    assert f"```\n{shown}```\n" in page


def type_in(clone: Path, lines: list[str]) -> None:
    """Carry out the commands that were printed."""
    script = f'set -e\nonehead() {{ {sys.executable} -m onehead "$@" || [ $? -eq 1 ]; }}\n' + "\n".join(lines)
    done = subprocess.run(
        ["sh", "-c", script], cwd=clone, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_push_by_force_is_judged_by_what_it_leaves(server: Server, tmp_path: Path) -> None:
    server.commit("other", {f"{VERSIONS}/019_t019.py": None, **revision("020", "018")}, at="main~0")
    accepted, words = server.push("+other:main")
    assert accepted
    assert "warning history-edited: `019` is removed." in words

    server.commit("forked", merged(BASE, revision("020", "018"), revision("021", "018")), at="main")
    server.developer.git("update-ref", "refs/heads/forked", server.developer.commit("forked", {}, parents=[]))
    rewritten = server.developer.commit("forked", merged(BASE, revision("020", "018")), parents=[])
    accepted, words = server.push("+forked:main")
    assert not accepted
    assert server.developer.sha("forked") == rewritten
    clone = tmp_path / "clone"
    server.developer.git("clone", "--quiet", "--branch", "forked", str(server.developer.path), str(clone))
    type_in(clone, [line for line in words.splitlines() if line.startswith(("  onehead ", "  git merge "))])
    fixed = server.developer.git("-C", str(clone), "rev-parse", "HEAD").strip()
    server.developer.git("fetch", "--quiet", str(clone), f"{fixed}:refs/heads/fixed")
    assert server.push("+fixed:main")[0]


def test_a_forked_branch_can_be_worked_on_and_repaired_but_not_made_worse(server: Server) -> None:
    server.bare.git("fetch", "--quiet", str(server.developer.path), "main")
    server.commit("main", revision("020", "018"))
    # It was forked before the hook was there.
    server.bare.git("fetch", "--quiet", str(server.developer.path), "+main:main")

    server.commit("main", revision("021", "020"))
    accepted, words = server.push("main")
    assert accepted
    assert words == (
        "onehead: main was forked before this push and still is: heads 019 and 021.\n"
        "  Its next deploy stops. The repair: onehead fix --target main"
    )

    server.commit("worse", revision("022", "018"), at="main")
    assert not server.push("worse:main")[0]

    server.commit("main", revision("023", ("019", "021")))
    assert server.push("main") == (True, "onehead: main is at one head again in alembic/versions: 023. Thank you.")


def test_other_branches_are_warned_and_accepted(server: Server) -> None:
    new = server.commit("oauth", revision("020", "018"), at="main~0")
    accepted, words = server.push("oauth")
    assert accepted
    assert server.tip("oauth") == new
    assert words.splitlines()[:2] == [
        "onehead: accepted, but oauth can't be merged into main like this.",
        "  error collision: Once merged, the chain forks after `018`: 2 heads (`019` and `020`); `020` is the new one.",
    ]
    server.commit("oauth", {"README": "more\n"})
    assert server.push("oauth") == (True, "")
    server.commit("oauth", revision("020", "019"))
    assert server.push("oauth") == (True, "")


def test_another_branch_is_compared_with_the_target_as_the_same_push_leaves_it(server: Server) -> None:
    server.commit("oauth", revision("020", "019"), at="main")
    server.commit("main", revision("0195", "019"))
    accepted, words = server.push("main", "oauth")
    assert accepted
    assert "2 heads (`0195` and `020`)" in words


def test_several_branches_are_taken_together_or_not_at_all(server: Server) -> None:
    old = server.tip("main")
    server.commit("main", revision("020", "018"))
    server.commit("fine", {"README": "more\n"}, at="main~1")
    accepted, words = server.push("main", "fine")
    assert not accepted
    assert words.splitlines()[-1] == (
        "Nothing of this push was accepted: its branches are taken together or not at all."
    )
    assert (server.tip("main"), server.tip("fine")) == (old, None)


def test_of_several_deployed_branches_the_first_that_is_refused_is_told(server: Server) -> None:
    server.commit("main", {".onehead.toml": 'targets = ["release/*", "main"]\n'})
    assert server.push("main", "main:release/1") == (True, "")
    server.commit("release/1", revision("020", "018"), at="main")
    server.commit("main", revision("021", "018"))
    accepted, words = server.push("release/1", "main")
    assert not accepted
    assert words.startswith("onehead: push refused. main would have a head too many")
    assert "release/1" not in words


def test_tags_and_other_refs_are_no_branches(server: Server) -> None:
    server.commit("odd", revision("020", "018"), at="main")
    server.developer.tag("v1", "odd")
    assert server.push("refs/tags/v1", "odd:refs/for/main", "odd:refs/onehead/state") == (True, "")


def test_a_deleted_branch_is_nobodys_business(server: Server) -> None:
    server.commit("release/1", {"README": "x\n"}, at="main")
    assert server.push("release/1")[0]
    assert server.push(":release/1") == (True, "")


def test_a_first_push_of_a_forked_project_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.commit("main", merged(BASE, revision("020", "018")))
    accepted, words = server.push("main")
    assert not accepted
    assert "main would have a head too many" in words
    assert "onehead fix --target HEAD --onto-branch onehead/repair" in words


def test_a_first_push_with_a_file_that_can_not_be_read_is_accepted_and_told(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.commit("main", merged(BASE, {f"{VERSIONS}/odd.py": "x = (\n"}))
    accepted, words = server.push("main")
    assert accepted
    assert "error unreadable-file: `alembic/versions/odd.py`, line 1" in words
    server.commit("main", {f"{VERSIONS}/new.py": "y = (\n"})
    accepted, words = server.push("main")
    assert not accepted
    assert words.startswith("onehead: push refused. It is not known whether main would stay at one head.\n")
    assert "odd.py" not in words


def test_where_head_names_a_branch_that_nobody_has_the_usual_one_is_deployed(tmp_path: Path) -> None:
    server = Server(tmp_path, default_branch="trunk")
    server.commit("main", BASE)
    assert server.push("main") == (True, "")
    server.commit("main", revision("020", "018"))
    assert not server.push("main")[0]


def test_sha256(tmp_path: Path) -> None:
    server = Server(tmp_path, object_format="sha256")
    server.commit("main", BASE)
    assert server.push("main") == (True, "")
    server.commit("main", revision("020", "018"))
    assert not server.push("main")[0]


# Whose rules count


def test_the_default_branch_says_which_branches_are_deployed(server: Server) -> None:
    server.commit("main", {".onehead.toml": 'targets = ["main", "release/*"]\n'})
    assert server.push("main") == (True, "")
    server.commit("release/1", merged(revision("020", "018")), at="main")
    accepted, words = server.push("release/1")
    assert not accepted
    assert words.startswith("onehead: push refused. release/1 would have a head too many")
    # One that is cut from main and has nothing of its own brings nothing.
    assert server.push("main:release/2") == (True, "")
    server.commit("release/2", revision("020", "018"), at="main")
    assert not server.push("release/2")[0]


def test_a_new_release_branch_is_not_blamed_for_the_fork_that_main_has(server: Server) -> None:
    server.commit("main", {".onehead.toml": 'targets = ["main", "release/*"]\n', **revision("020", "018")})
    server.bare.git("fetch", "--quiet", str(server.developer.path), "+main:main")
    assert server.push("main:release/1") == (True, "")


def test_a_push_can_not_relax_the_rules_it_is_judged_by(server: Server) -> None:
    server.commit("main", {".onehead.toml": "allowed-heads = 2\n", **revision("020", "018")})
    assert not server.push("main")[0]
    server.commit("calm", {".onehead.toml": "allowed-heads = 2\n"}, at="main~1")
    assert server.push("calm:main") == (True, "")
    server.commit("calm", revision("020", "018"))
    assert server.push("calm:main") == (True, "")


def test_a_policy_that_can_not_be_read_is_refused(server: Server) -> None:
    server.commit("main", {".onehead.toml": 'target = ["main"]\n'})
    accepted, words = server.push("main")
    assert not accepted
    assert "error bad-policy: `.onehead.toml`, line 1: `target` is not a key of onehead's policy." in words


# What Forgejo says about a push


def test_wikis_and_the_servers_own_pushes_are_let_through(server: Server) -> None:
    server.commit("main", revision("020", "018"))
    assert server.push("main", GITEA_REPO_IS_WIKI="false")[0] is False
    assert server.push("main", GITEA_REPO_IS_WIKI="true") == (True, "")
    server.commit("main", revision("021", "018"))
    assert server.push("main", GITEA_INTERNAL_PUSH="true") == (True, "")


def test_a_merge_is_told_in_one_message(server: Server) -> None:
    server.commit("main", revision("020", "018"))
    accepted, words = server.push("main", GITEA_PUSH_TRIGGER="pr-merge-to-base")
    assert not accepted
    assert words.startswith("onehead: not merged. main would have a head too many")
    assert "○" not in words


# No verdict


def ask(server: Server, *options: str, lines: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program as the hook does, in the bare repository."""
    return subprocess.run(
        [sys.executable, "-m", "onehead", "pre-receive", *options],
        cwd=server.bare.path,
        input=lines,
        env=environment() | {"ONEHEAD_CACHE_DIR": str(server.cache)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def forking(server: Server) -> str:
    """The line of a push that is to be refused, its objects already there: in a pack, for which git is asked."""
    old = server.tip("main")
    new = server.commit("main", revision("020", "018"))
    server.bare.git("-c", "fetch.unpackLimit=1", "fetch", "--quiet", str(server.developer.path), "main")
    return f"{old} {new} refs/heads/main\n"


@pytest.mark.parametrize(
    ("options", "code", "first"),
    [
        ((), 0, "onehead: accepted WITHOUT a verdict. This push could not be judged."),
        (("--on-error", "allow"), 0, "onehead: accepted WITHOUT a verdict. This push could not be judged."),
        (
            ("--on-error", "refuse"),
            1,
            "onehead: push refused. It could not be judged, and this server asks for a verdict.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["diff-tree", "ls-tree", "for-each-ref", "cat-file"])
def test_git_that_fails(
    server: Server, tmp_path: Path, options: tuple[str, ...], code: int, first: str, command: str
) -> None:
    path = wrapped_git(tmp_path / "bin", f"*' {command} '*", "echo 'out of luck' >&2; exit 70")
    done = ask(server, *options, lines=forking(server), PATH=path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[0] == first
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["diff-tree", "ls-tree", "cat-file"])
@pytest.mark.parametrize(("on_error", "code"), [("allow", 0), ("refuse", 1)])
def test_the_time_is_limited_wherever_it_is_spent(
    server: Server, tmp_path: Path, on_error: str, code: int, command: str
) -> None:
    path = wrapped_git(tmp_path / "bin", f"*' {command} '*", "sleep 50")
    began = time.monotonic()
    done = ask(server, "--timeout", "1", "--on-error", on_error, lines=forking(server), PATH=path)
    assert done.returncode == code
    assert "  The time that a push may wait for its verdict was over before there was one.\n" in done.stderr
    assert 1 <= time.monotonic() - began < 20


def test_a_warning_is_not_worth_a_refusal(server: Server, tmp_path: Path) -> None:
    old = server.tip("main")
    new = server.commit("oauth", revision("020", "018"), at="main")
    server.bare.git("fetch", "--quiet", str(server.developer.path), "oauth")
    server.bare.branch("oauth", old or "")
    path = wrapped_git(tmp_path / "bin", "*' merge-base '*", "sleep 50")
    line = f"{old} {new} refs/heads/oauth\n"
    done = ask(server, "--timeout", "1", "--on-error", "refuse", lines=line, PATH=path)
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            "onehead: accepted. It is not known whether it would collide once merged:",
            "  The time that a push may wait for its verdict was over before there was one.",
        ],
    )


def test_a_repository_whose_head_is_no_branch(server: Server) -> None:
    line = forking(server)
    server.bare.git("update-ref", "--no-deref", "HEAD", server.tip("main") or "")
    done = ask(server, "--on-error", "refuse", lines=line)
    assert done.returncode == 1
    assert "HEAD of the repository names no branch, so it is not known which branch is deployed." in done.stderr
    assert "  → On the server, in the repository: git symbolic-ref HEAD refs/heads/main\n" in done.stderr


def test_many_branches_at_once_are_judged_where_they_are_deployed(server: Server) -> None:
    line = forking(server)
    tip = line.split(" ")[1]
    many = "".join(f"{ZERO} {tip} refs/heads/b{number}\n" for number in range(30))
    told = ask(server, lines=many)
    assert (told.returncode, told.stderr.splitlines()) == (
        0,
        [
            "onehead: accepted. It is not known whether it would collide once merged:",
            "  30 branches at once are too many to look at each.",
        ],
    )
    done = ask(server, lines=many + line)
    assert done.returncode == 1
    assert done.stderr.startswith("onehead: push refused. main would have a head too many")


@pytest.mark.parametrize("lines", ["hello\n", "a b refs/heads/main\n", "1 2\n"])
def test_wrong_usage(server: Server, lines: str) -> None:
    done = ask(server, lines=lines)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "onehead: Standard input is not what git gives to a pre-receive hook.\n"
        "  → It has one line for each ref: OLD-SHA NEW-SHA REF.\n"
    )


def test_nothing_pushed(server: Server) -> None:
    assert (ask(server, lines="").returncode, ask(server, lines="").stderr) == (0, "")


def test_a_pusher_who_hangs_up_changes_no_verdict(server: Server) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "onehead", "pre-receive"],
        cwd=server.bare.path,
        input=forking(server).encode(),
        env=environment() | {"ONEHEAD_CACHE_DIR": str(server.cache)},
        stdout=subprocess.PIPE,
        stderr=write,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 1


def test_no_pushed_code_is_run_and_nothing_is_left_behind(server: Server, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    bomb = f"open({str(trace)!r}, 'a').write('run')\n"
    before = server.bare.git("count-objects", "-v")
    server.commit("main", {path: bomb + text for path, text in revision("020", "018").items()})
    assert not server.push("main")[0]
    assert not trace.exists()
    assert server.bare.git("count-objects", "-v") == before
