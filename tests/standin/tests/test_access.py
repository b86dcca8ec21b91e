from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.standin.access import BadCredentialsError, Caller, access, can, identify, writable_as_maintainer
from tests.standin.world import Issue, Pull, Repository, Token, User, World

ANN = User(1, "ann", "ann@example.org", "secret word")
BOB = User(2, "bob", "bob@example.org")
BOSS = User(3, "boss", "boss@example.org", is_admin=True)
CLUB = User(4, "club", "", is_organization=True, members={2})


@pytest.fixture
def world() -> World:
    made = World(Path("/nowhere"), "http://127.0.0.1:1")
    made.users = {user.id: user for user in (ANN, BOB, BOSS, CLUB)}
    made.tokens["t1"] = Token(1, "t", ANN, "t1", frozenset({"read:repository"}))
    return made


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header", ["token t1", "Token t1", "bearer t1", basic("x:t1"), basic("t1:"), basic("t1:x-oauth-basic")]
)
def test_ways_to_show_a_token(world: World, header: str) -> None:
    assert identify(world, header) == Caller(ANN, world.tokens["t1"])


def test_a_password_has_no_token(world: World) -> None:
    assert identify(world, basic("Ann:secret word")) == Caller(ANN)
    assert identify(world, None) == Caller()
    assert identify(world, None, "t1").user is ANN


@pytest.mark.parametrize("header", ["token t2", "Digest x", basic("ann:wrong"), basic("bob:"), "Basic %%%", "nonsense"])
def test_wrong_credentials(world: World, header: str) -> None:
    with pytest.raises(BadCredentialsError):
        identify(world, header)


@pytest.mark.parametrize(
    ("granted", "level", "categories", "lacking"),
    [
        ({"read:repository"}, "read", ("repository",), False),
        ({"read:repository"}, "write", ("repository",), True),
        ({"write:repository"}, "read", ("repository",), False),
        ({"write:issue"}, "read", ("repository",), True),
        ({"write:issue"}, "write", ("repository", "issue"), False),
        ({"all"}, "write", ("admin",), False),
        ({"read:user"}, "write", (), False),
    ],
)
def test_scopes(granted: set[str], level: str, categories: tuple[str, ...], *, lacking: bool) -> None:
    caller = Caller(ANN, Token(1, "t", ANN, "t", frozenset(granted)))

    assert caller.lacks_scope(level, categories) is lacking


def test_levels_of_access() -> None:
    public = Repository(1, ANN, "r", Path("/nowhere"), collaborators={2: "write"})
    private = Repository(2, CLUB, "r", Path("/nowhere"), private=True)

    assert [access(public, user) for user in (ANN, BOB, BOSS, CLUB, None)] == [
        "owner",
        "write",
        "owner",
        "read",
        "read",
    ]
    assert [access(private, user) for user in (ANN, BOB, BOSS, None)] == ["none", "owner", "owner", "none"]
    assert (can(public, BOB, "write"), can(public, BOB, "admin")) == (True, False)


@pytest.mark.parametrize(
    ("consent", "writer", "branches"), [(True, True, ["topic"]), (False, True, []), (True, False, [])]
)
def test_a_maintainer_may_push_to_a_fork_with_its_authors_consent(
    world: World, *, consent: bool, writer: bool, branches: list[str]
) -> None:
    base = Repository(1, BOSS, "r", Path("/nowhere"), collaborators={2: "write"} if writer else {})
    fork = Repository(2, ANN, "r", Path("/nowhere"), parent=base)
    pull = Pull(1, fork, "topic", "main", allow_maintainer_edit=consent)
    base.issues[1] = Issue(1, 1, ANN, "T", "", pull)
    world.repositories = {1: base, 2: fork}

    assert writable_as_maintainer(world, fork, BOB) == branches
