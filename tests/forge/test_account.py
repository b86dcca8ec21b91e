"""Whose token it is, on a forge: also where the token may not ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from onehead.errors import UsageError
from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.client import Connection
from onehead.forge.errors import MissingScope, NotFound
from tests.forgejos.fixtures import Project
from tests.forgejos.port import Account

NARROW = ("write:repository", "write:issue")


@contextmanager
def holding(project: Project, token: str) -> Iterator[ForgejoApi]:
    with ForgejoApi(Connection(project.forgejo.url, token)) as api:
        yield api


@pytest.fixture
def bot(project: Project) -> Account:
    account = project.forgejo.admin.create_bot()
    project.forgejo.admin.add_collaborator(project.repository, account, "write")
    return account


@pytest.fixture
def narrow(project: Project, bot: Account) -> str:
    return project.forgejo.admin.create_token(bot.name, NARROW, [project.repository])


def test_a_token_for_named_repositories_is_agreed_to_be_of_the_named_account(
    project: Project, bot: Account, narrow: str
) -> None:
    with holding(project, narrow) as api:
        found = own_account(api, bot.name.upper())

    assert (found.id, found.login) == (bot.id, bot.name)


def test_without_a_name_the_way_out_is_said(project: Project, narrow: str) -> None:
    with holding(project, narrow) as api, pytest.raises(MissingScope) as trouble:
        own_account(api, "")

    assert trouble.value.scopes == ("read:user",)
    assert "set ONEHEAD_BOT to the account's name" in trouble.value.hint


@pytest.mark.parametrize("level", ["write", "admin"])
def test_the_name_of_another_account_is_noticed(project: Project, bot: Account, narrow: str, level: str) -> None:
    project.forgejo.admin.add_collaborator(project.repository, bot, level)

    with holding(project, narrow) as api, pytest.raises(UsageError) as trouble:
        own_account(api, project.owner.name)

    assert trouble.value.message == f"The token belongs to another account than {project.owner.name}."


def test_the_name_of_nobody_is_noticed(project: Project, narrow: str) -> None:
    with holding(project, narrow) as api, pytest.raises(NotFound, match="Forgejo knows no account nobody-at-all"):
        own_account(api, "nobody-at-all")


def test_a_token_that_knows_its_name_needs_none_and_a_wrong_one_is_noticed(project: Project, bot: Account) -> None:
    with holding(project, bot.token) as api:
        assert own_account(api, "").id == own_account(api, bot.name.title()).id == bot.id
        with pytest.raises(UsageError, match=f"The token belongs to {bot.name}, not to somebody"):
            own_account(api, "somebody")


def test_what_an_administrator_is_told_proves_nothing(project: Project) -> None:
    admin = project.forgejo.admin
    chief = admin.create_user("chief", site_admin=True)
    broad = admin.create_token(chief.name, NARROW)
    narrow = admin.create_token(chief.name, NARROW, [project.repository])

    with (
        holding(project, broad) as api,
        pytest.raises(UsageError, match=f"that the token belongs to {chief.name}"),
    ):
        own_account(api, chief.name)
    with holding(project, narrow) as api:
        assert own_account(api, chief.name).id == chief.id
