"""The adapter on a whole forge, the stand-in and a real one alike: every call once, every intent twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import MissingScope, NotFound, StateConflict, Unauthorised
from onehead.forge.intents import ForgeWriter, Marker, mark
from onehead.forge.models import Permissions, RepositoryName, Status, User
from onehead.text import inline
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forgejos.fixtures import Project
    from tests.forgejos.port import Account

REPAIR = "onehead/reparent/feature/oauth"


@dataclass(frozen=True, slots=True)
class Bot:
    """onehead's account with the least scopes, and what it knows of itself."""

    api: ForgejoApi
    me: User
    where: RepositoryName

    @property
    def writer(self) -> ForgeWriter:
        return ForgeWriter(self.api, self.where, self.me)


@pytest.fixture
def account(project: Project) -> Account:
    admin = project.forgejo.admin
    made = admin.create_bot()
    admin.add_collaborator(project.repository, made, "write")
    return made


@pytest.fixture
def bot(project: Project, account: Account) -> Iterator[Bot]:
    where = RepositoryName.parse(project.repository.full_name)
    with ForgejoApi(Connection(project.forgejo.url, account.token)) as api:
        # A forge needs seconds to notice the first push, and says 404 to everything about branches until then.
        eventually(lambda: not api.repository(where).empty)
        yield Bot(api, api.me(), where)


def test_who_and_where(bot: Bot, account: Account, project: Project) -> None:
    assert (bot.me.id, bot.me.login) == (account.id, account.name)
    assert bot.api.version().partition(".")[0].isdecimal()
    found = bot.api.repository(bot.where)
    assert (found.name, found.default_branch) == (bot.where, "main")
    assert found.permissions == Permissions(admin=False, push=True, pull=True)
    assert not any([found.empty, found.archived, found.mirror])
    assert found.clone_url.endswith(f"/{project.repository.full_name}.git")


@pytest.mark.parametrize("name", ["feature/oauth", "fix-#12", "100%41", "größe"])
def test_branch_of_any_name_is_found_and_deleted(name: str, bot: Bot, project: Project) -> None:
    sha = project.push_branch(name, {"a.txt": "a\n"})
    found = bot.api.branch(bot.where, name)
    assert (found.name, found.sha, found.protected) == (name, sha, False)
    assert bot.writer.delete_branch(name) is True
    assert bot.writer.delete_branch(name) is False
    with pytest.raises(NotFound):
        bot.api.branch(bot.where, name)
    assert bot.api.branch(bot.where, "main").name == "main"


def test_pull_is_made_once_and_edited_in_place(bot: Bot, project: Project) -> None:
    sha = project.push_branch(REPAIR, {"a.txt": "a\n"})

    def ensure(title: str, body: str) -> tuple[int, bool]:
        pull, written = bot.writer.ensure_pull(head=REPAIR, base="main", title=title, body=body)
        assert (pull.title, pull.body, pull.head.ref, pull.head.sha, pull.base.ref) == (
            title,
            body,
            REPAIR,
            sha,
            "main",
        )
        assert (pull.author, pull.is_open, pull.draft) == (bot.me, True, False)
        return pull.number, written

    body = mark(Marker("repair"), "why @nobody")
    assert ensure("Repair", body) == (1, True)
    assert ensure("Repair", body) == (1, False)
    assert ensure("Repair 019", body) == (1, True)
    assert ensure("Repair 019", body) == (1, False)
    assert [pull.number for pull in bot.api.open_pulls(bot.where)] == [1]
    with pytest.raises(StateConflict):
        bot.api.create_pull(bot.where, head=REPAIR, base="main", title="again", body="")


def test_closed_pull_gives_way_to_a_new_one(bot: Bot, project: Project) -> None:
    project.push_branch(REPAIR, {"a.txt": "a\n"})

    def ensure() -> tuple[int, bool]:
        pull, written = bot.writer.ensure_pull(head=REPAIR, base="main", title="Repair", body="why")
        return pull.number, written

    def close() -> bool:
        return bot.writer.close_pull(1, marker=Marker("closed"), reason="Not needed.")

    assert ensure() == (1, True)
    assert close() is True
    assert close() is False
    assert not bot.api.pull(bot.where, 1).is_open
    assert [comment.body for comment in bot.api.comments(bot.where, 1)] == [
        "<!-- onehead:closed v1 {} -->\nNot needed."
    ]
    assert ensure() == (2, True)
    assert ensure() == (2, False)


def test_long_title_is_stored_as_it_was_cut(bot: Bot, project: Project) -> None:
    project.push_branch(REPAIR, {"a.txt": "a\n"})
    for written in (True, False):
        pull, changed = bot.writer.ensure_pull(head=REPAIR, base="main", title="ä b " * 200, body="")
        assert changed is written
        assert 250 <= len(pull.title.encode()) <= 255


def test_one_comment_whatever_happens(bot: Bot, project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    number = project.open_pull("topic")["number"]
    # Somebody copies our marker before we have said anything.
    project.api.call(
        "POST",
        f"{project.repository.path}/issues/{number}/comments",
        {"body": mark(Marker("verdict"), "x")},
        expect=201,
    )

    def say(text: str, head: str) -> tuple[int, bool]:
        marker = Marker("verdict", facts={"head": head, "note": "a --> b"})
        comment, written = bot.writer.ensure_comment(number, marker=marker, text=text)
        assert comment.body == mark(marker, text)
        assert comment.author == bot.me
        return comment.id, written

    first, written = say("Two heads.", "a")
    assert written
    assert say("Two heads.", "a") == (first, False)
    assert say("Two heads.", "b") == (first, True)
    assert say(f"One head, {inline('@ann | #1')} ☕\n\n```diff\n-a\n+b\n```\n", "b") == (first, True)
    bot.api.create_comment(bot.where, number, mark(Marker("verdict"), "a double"))
    assert say("One head.", "b") == (first, True)
    comments = bot.api.comments(bot.where, number)
    assert [comment.author.id == bot.me.id for comment in comments] == [False, True]
    assert bot.writer.react(comments[0].id, "eyes") is True
    assert bot.writer.react(comments[0].id, "eyes") is False


def test_status_is_set_once(bot: Bot, project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    assert bot.api.status_with_creator(bot.where, sha, "onehead") is None

    def say(state: str, description: str, context: str = "onehead") -> bool:
        return bot.writer.set_status(sha, Status(context, state, description, "http://x.test/1"))

    assert say("failure", "Two heads.") is True
    assert say("failure", "Two heads.") is False
    assert say("success", "word " * 100) is True
    for number in range(55):
        assert say("warning", "later", f"ci {number}") is True
    assert say("success", "word " * 100) is False
    assert say("failure", "Two heads.") is True
    assert say("success", "first of all", "ci 0") is True
    found = {name: bot.api.status_with_creator(bot.where, sha, name) for name in ("onehead", "ci 54", "ci 55")}
    assert found == {
        "onehead": (Status("onehead", "failure", "Two heads.", "http://x.test/1"), bot.me),
        "ci 54": (Status("ci 54", "warning", "later", "http://x.test/1"), bot.me),
        "ci 55": None,
    }


def test_pull_of_a_merge(bot: Bot, project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    number = project.open_pull("topic")["number"]
    project.merge(number)
    merged = bot.api.pull(bot.where, number)
    assert merged.merged
    assert not merged.is_open
    assert bot.api.pull_of_commit(bot.where, project.pull(number)["merge_commit_sha"]).number == number
    with pytest.raises(NotFound):
        bot.api.pull_of_commit(bot.where, sha)


def test_token_without_a_scope_is_told_which(bot: Bot, project: Project, account: Account) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    number = project.open_pull("topic")["number"]
    token = project.forgejo.admin.create_token(account.name, ["write:repository", "read:user"])
    with ForgejoApi(Connection(project.forgejo.url, token)) as poor, pytest.raises(MissingScope) as caught:
        poor.create_comment(bot.where, number, "hello")
    assert caught.value.scopes == ("write:issue",)


def test_wrong_token(project: Project) -> None:
    with ForgejoApi(Connection(project.forgejo.url, "0" * 40)) as stranger, pytest.raises(Unauthorised):
        stranger.me()


def test_what_does_not_exist(bot: Bot) -> None:
    with pytest.raises(NotFound, match=r"GET /repos/nobody/nothing"):
        bot.api.repository(RepositoryName("nobody", "nothing"))
    with pytest.raises(NotFound):
        bot.api.pull(bot.where, 4711)
