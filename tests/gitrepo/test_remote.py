"""A remote: how it is reached, what its answers mean, and what is deleted there."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.gitrepo.process import GitResult
from onehead.gitrepo.remote import (
    Access,
    PushOutcome,
    PushStatus,
    RefUpdate,
    RemoteRefused,
    RemoteUnreachable,
    access,
    delete_refs,
    push_arguments,
    read_push,
    remote_text,
    remote_trouble,
)
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.repositories import Repository

ONE, TWO = "1" * 40, "2" * 40
LIMITS = (("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "30"))


def test_how_a_remote_is_reached() -> None:
    encoded = "b25laGVhZDp0MGtlbg=="
    assert access("https://forge.example:3000/o/r.git", "t0ken") == Access(
        "https",
        (*LIMITS, ("http.https://forge.example:3000/.extraHeader", f"Authorization: Basic {encoded}")),
        (encoded, "t0ken"),
    )
    assert access("http://forge.example/o/r.git", "") == Access("http:https", LIMITS, ())
    assert access("file:///o/r.git", "") == Access("file", LIMITS, ())


@pytest.mark.parametrize(
    ("url", "token", "complaint"),
    [
        ("ext::sh -c touch% /x", "", "begins with"),
        ("git@forge.example:o/r.git", "", "begins with"),
        ("ssh://git@forge.example/o/r.git", "", "begins with"),
        ("--upload-pack=x", "", "begins with"),
        ("https://forge.example", "", "names a repository"),
        ("https://forge.example/o/r\n.git", "", "begins with"),
        ("https://bob:pw@forge.example/o/r.git", "", "credentials"),
        ("https://t0ken@forge.example/o/r.git", "", "credentials"),
        ("https://forge.example/o/r.git", "a\r\nX-Evil: 1", "white space"),
    ],
)
def test_what_is_no_clone_url_and_no_token(url: str, token: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        access(url, token)


def test_each_ref_moves_only_from_where_it_was_seen() -> None:
    updates = [
        RefUpdate("refs/heads/a", ONE, None),
        RefUpdate("refs/heads/b", ONE, TWO),
        RefUpdate("refs/heads/c", None, TWO),
    ]
    assert push_arguments(updates) == [
        "--porcelain",
        "--force-with-lease=refs/heads/a:",
        f"--force-with-lease=refs/heads/b:{TWO}",
        f"--force-with-lease=refs/heads/c:{TWO}",
        "--",
        "origin",
        f"{ONE}:refs/heads/a",
        f"{ONE}:refs/heads/b",
        ":refs/heads/c",
    ]


@pytest.mark.parametrize(
    ("line", "err", "expected"),
    [
        (f"*\t{ONE}:refs/heads/a\t[new branch]", "", (PushStatus.OK, "")),
        (f" \t{ONE}:refs/heads/a\t1111..2222", "", (PushStatus.OK, "")),
        (f"+\t{ONE}:refs/heads/a\t1111...2222 (forced update)", "", (PushStatus.OK, "")),
        ("-\t:refs/heads/a\t[deleted]", "", (PushStatus.OK, "")),
        (f"=\t{ONE}:refs/heads/a\t[up to date]", "", (PushStatus.UP_TO_DATE, "")),
        (
            f"!\t{ONE}:refs/heads/a\t[rejected] (stale info)",
            "error: failed to push some refs",
            (PushStatus.STALE, "[rejected] (stale info)"),
        ),
        (
            f"!\t{ONE}:refs/heads/a\t[remote rejected] (cannot lock ref 'refs/heads/a': is at 2 but expected 3)",
            "",
            (PushStatus.STALE, "[remote rejected] (cannot lock ref 'refs/heads/a': is at 2 but expected 3)"),
        ),
        (
            f"!\t{ONE}:refs/heads/a\t[remote rejected] (pre-receive hook declined)",
            "remote: Forgejo: Not allowed to push to protected branch main        \nTo x\n",
            (PushStatus.REFUSED, "Forgejo: Not allowed to push to protected branch main"),
        ),
        (
            f"!\t{ONE}:refs/heads/a\t[remote rejected] (pre-receive hook declined)",
            "remote: \nremote: Forgejo: User permission denied for writing.\n",
            (PushStatus.FORBIDDEN, "Forgejo: User permission denied for writing."),
        ),
        (
            f"!\t{ONE}:refs/heads/a\t[remote rejected] (deletion of the current branch prohibited)",
            "",
            (PushStatus.REFUSED, "[remote rejected] (deletion of the current branch prohibited)"),
        ),
    ],
)
def test_every_answer_to_a_push(line: str, err: str, expected: tuple[PushStatus, str]) -> None:
    out = f"To https://forge.example/o/r.git\n{line}\nDone\n".encode()
    update = RefUpdate("refs/heads/a", ONE, None)
    assert read_push(GitResult(1, out, err), [update]) == [PushOutcome("refs/heads/a", *expected)]


def test_a_push_that_breaks_off() -> None:
    updates = [RefUpdate("refs/heads/a", ONE, None), RefUpdate("refs/heads/b", ONE, None)]
    half = f"To x\n*\t{ONE}:refs/heads/a\t[new branch]\n".encode()
    for err in ("fatal: the remote end hung up unexpectedly", "error: something quite new"):
        with pytest.raises(RemoteUnreachable) as caught:
            read_push(GitResult(128, half, err), updates)
        assert err in caught.value.message


def test_a_push_that_is_forbidden_altogether() -> None:
    err = "fatal: unable to access 'https://forge.example/o/r.git/': The requested URL returned error: 403"
    (outcome,) = read_push(GitResult(128, b"", err), [RefUpdate("refs/heads/a", ONE, None)])
    assert outcome.status is PushStatus.FORBIDDEN
    assert outcome.text == f"The forge refused access to the repository: {err}"


def test_text_of_the_forge_is_plain() -> None:
    err = "Counting objects\nremote: \x1b[31mNo\x1b[0m, two heads\t\x07here        \nremote:\nremote: bye\nTo x"
    assert remote_text(err) == "No , two heads  here\n\nbye"


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("fatal: unable to access 'http://h/': Could not resolve host: h", RemoteUnreachable),
        ("fatal: unable to access 'http://h/': Failed to connect to h port 1: Connection refused", RemoteUnreachable),
        ("fatal: unable to access 'http://h/': The requested URL returned error: 502", RemoteUnreachable),
        ("error: RPC failed; curl 56 Recv failure\nfatal: early EOF", RemoteUnreachable),
        ("fatal: unable to access 'https://h/': server certificate verification failed", RemoteUnreachable),
        ("fatal: Authentication failed for 'http://h/'", RemoteRefused),
        ("fatal: could not read Username for 'http://h': terminal prompts disabled", RemoteRefused),
        ("remote: Not found.\nfatal: repository 'http://h/o/r.git/' not found", RemoteRefused),
        ("fatal: bad object 1234", type(None)),
        ("fatal: Unable to create '/x/packed-refs.lock': File exists.", type(None)),
    ],
)
def test_whose_trouble_it_is(err: str, kind: type[object]) -> None:
    assert type(remote_trouble(err)) is kind


def refs(repo: Repository) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)").split()


def test_what_is_chosen_goes_and_the_rest_stays(repo: Repository) -> None:
    tip = repo.commit("main", {"a": "1\n"})
    for name in ("onehead/merge/pr-1", "onehead/reparent/pr-2", "onehead/databases", "other/x"):
        repo.git("update-ref", f"refs/{name}", tip)
    gone = ["refs/onehead/merge/pr-1", "refs/onehead/reparent/pr-2"]
    url = f"file://{repo.path}"
    assert delete_refs(url, "", "refs/onehead/*", lambda ref: "/pr-" in ref) == [
        PushOutcome(ref, PushStatus.OK) for ref in gone
    ]
    assert refs(repo) == ["refs/heads/main", "refs/onehead/databases", "refs/other/x"]
    assert delete_refs(url, "", "refs/onehead/*", lambda ref: "/pr-" in ref) == []


def test_a_forge_is_reached_with_the_token_and_says_no_in_words(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "shop.git")
    repo.git("update-ref", "refs/onehead/databases", repo.commit("main", {"a": "1\n"}))
    with ForgeOverHttp(tmp_path) as forge:
        url = f"{forge.url}/shop.git"
        with pytest.raises(RemoteRefused):
            delete_refs(url, "wrong", "refs/onehead/*", lambda _: True)
        forge.writable = False
        [outcome] = delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True)
        assert outcome.status in (PushStatus.REFUSED, PushStatus.FORBIDDEN)
        forge.writable = True
        assert delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True) == [
            PushOutcome("refs/onehead/databases", PushStatus.OK)
        ]
        forge.broken = True
        with pytest.raises(RemoteUnreachable):
            delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True)
    assert refs(repo) == ["refs/heads/main"]
