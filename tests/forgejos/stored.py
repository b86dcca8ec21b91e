"""Put the stored state of a forge (tests/data/takeover-0.1.0) into a stand-in."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.forgejos.administration import PASSWORD, HostedRepository
from tests.forgejos.port import BOT_SCOPES, Account
from tests.standin import bare, gitside
from tests.standin.world import Comment, Issue, Pull, Repository, Status, User, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.forgejos.standin import StandinForgejo

PLACEHOLDER = "http://forgejo.invalid"
"""What stands for the forge's address in the stored texts."""

Stored = dict[str, Any]


def read(folder: Path, forgejo: StandinForgejo) -> Stored:
    """The stored pages, with the address that the forge has today."""
    text = (folder / "state.json").read_text(encoding="utf-8").replace(PLACEHOLDER, forgejo.url)
    return dict(json.loads(text))


def restore(folder: Path, forgejo: StandinForgejo) -> Stored:
    """Make the forge hold what is stored, with the numbers that everything had, and give what was read."""
    stored = read(folder, forgejo)
    world = forgejo.server.forge.world
    with world.lock:
        for each in stored["users"]:
            if world.user(each["name"]) is None:
                forgejo.server.forge.add_user(each["name"], email=each["email"], password=PASSWORD)
            user = world.user(each["name"])
            assert user is not None
            assert user.id == each["id"]
        for each in stored["repositories"]:
            _repository(world, folder, each)
        for each in stored["repositories"]:
            _pages(world, each)
        _go_on_counting(world)
    return stored


def hosted(stored: Stored) -> HostedRepository:
    """The repository that the service looks after; the others are its forks."""
    first = stored["repositories"][0]
    return HostedRepository(first["owner"], first["name"])


def account(forgejo: StandinForgejo, name: str, *, bot: bool = False) -> Account:
    """One of the stored accounts, with a new token."""
    user = _user(forgejo.server.forge.world, name)
    token = forgejo.admin.create_token(name, BOT_SCOPES if bot else ("all",))
    return Account(user.id, user.name, user.email, PASSWORD, token)


def import_stream(folder: Path, owner: str, repository: Path) -> None:
    """Give a bare repository the commits and refs that one of this owner had."""
    gitside.run(repository, "fast-import", "--quiet", stdin=(folder / f"{owner}.stream").read_bytes())


def _repository(world: World, folder: Path, stored: Stored) -> None:
    owner = _user(world, stored["owner"])
    path = world.root / "repositories" / owner.name / f"{stored['name']}.git"
    bare.create_bare(path, stored["default_branch"])
    import_stream(folder, owner.name, path)
    assert gitside.read_refs(path) == stored["refs"]
    repository = Repository(
        stored["id"],
        owner,
        stored["name"],
        path,
        parent=_named(world, stored["parent"]),
        collaborators={int(user): access for user, access in stored["collaborators"].items()},
        refs=stored["refs"],
        is_empty=False,
        statuses={sha: [_status(world, each) for each in found] for sha, found in stored["statuses"].items()},
    )
    world.repositories[repository.id] = repository


def _pages(world: World, stored: Stored) -> None:
    repository = world.repositories[stored["id"]]
    repository.issues = {int(number): _issue(world, each) for number, each in stored["issues"].items()}


def _issue(world: World, stored: Stored) -> Issue:
    return Issue(
        stored["id"],
        stored["number"],
        _user(world, stored["poster"]),
        stored["title"],
        stored["body"],
        stored["pull"] and _pull(world, stored["pull"]),
        is_closed=stored["is_closed"],
        comments=[_comment(world, each) for each in stored["comments"]],
        created=datetime.fromisoformat(stored["created"]),
        updated=datetime.fromisoformat(stored["updated"]),
        closed=stored["closed"] and datetime.fromisoformat(stored["closed"]),
    )


def _pull(world: World, stored: Stored) -> Pull:
    return Pull(
        stored["id"],
        _named(world, stored["head_repository"]),
        stored["head_branch"],
        stored["base_branch"],
        merge_base=stored["merge_base"],
        check=stored["check"],
        opened=0.0,
        allow_maintainer_edit=stored["allow_maintainer_edit"],
    )


def _comment(world: World, stored: Stored) -> Comment:
    return Comment(
        stored["id"],
        _user(world, stored["poster"]),
        stored["body"],
        datetime.fromisoformat(stored["created"]),
        datetime.fromisoformat(stored["updated"]),
        [(name, _user(world, who), datetime.fromisoformat(when)) for name, who, when in stored["reactions"]],
    )


def _status(world: World, stored: Stored) -> Status:
    return Status(**stored | {"creator": _user(world, stored["creator"]), "created": _time(stored)})


def _time(stored: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(stored["created"])


def _user(world: World, name: str) -> User:
    user = world.user(name)
    assert user is not None, name
    return user


def _named(world: World, full_name: str | None) -> Repository | None:
    owner, _, name = (full_name or "").partition("/")
    return world.repository(owner, name)


def _go_on_counting(world: World) -> None:
    """What is made next gets numbers that nothing stored has."""
    issues = [issue for repository in world.repositories.values() for issue in repository.issues.values()]
    used = {
        "user": max(world.users),
        "repository": max(world.repositories),
        "issue": max(issue.id for issue in issues),
        "pull": max(issue.pull.id for issue in issues if issue.pull is not None),
        "comment": max(comment.id for issue in issues for comment in issue.comments),
    }
    world._ids |= {kind: itertools.count(last + 1) for kind, last in used.items()}
