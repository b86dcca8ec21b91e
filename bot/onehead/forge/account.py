"""Whose token it is: Forgejo says so, or, where the token may not ask, agrees to the name that we were told."""

from __future__ import annotations

from onehead.errors import UsageError
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import Forbidden, MissingScope, NotFound
from onehead.forge.values import Repository, User

_NAME_IT = "A token for named repositories can't hold read:user: for such a one, set ONEHEAD_BOT to the account's name."


def own_account(api: ForgejoApi, named: str) -> User:
    """The account that the token belongs to.

    Without `read:user`, which a token for named repositories can't hold, Forgejo still tells everybody their own
    permission in a repository, with the account, and refuses to tell anybody else's.

    Args:
        api: asked with the token.
        named: what `ONEHEAD_BOT` says; empty for nothing.

    Raises:
        UsageError: the token is of another account than `named`, or nothing proves that it is of that one.
        MissingScope: the token may not ask, and no account is named.
        NotFound: no account is named so, or no repository is there to ask in.
    """
    try:
        found = api.me()
    except MissingScope as lacking:
        if not named:
            raise MissingScope(lacking.message, f"{lacking.hint} {_NAME_IT}", scopes=lacking.scopes) from lacking
        return _agreed(api, named)
    if named and found.login.lower() != named.lower():
        raise UsageError(
            f"The token belongs to {found.login}, not to {named}.",
            "Set ONEHEAD_BOT to that name, or leave it out: this token knows its own.",
        )
    return found


def _agreed(api: ForgejoApi, named: str) -> User:
    where = api.any_repository()
    if where is None:
        raise NotFound(
            "The token reaches no repository, so there is none to ask whose token it is.",
            "Give the bot's account access to a repository, and name that one in its token.",
        )
    try:
        found = api.account_with_permission(where.name, named)
    except MissingScope:
        raise
    except Forbidden as refused:
        raise UsageError(
            f"The token belongs to another account than {named}.",
            "Set ONEHEAD_BOT to the name of the account that the token was made for.",
        ) from refused
    except NotFound as nobody:
        raise NotFound(
            f"Forgejo knows no account {named} whose token this could be.",
            "Set ONEHEAD_BOT to the name of the account that the token was made for.",
            status=nobody.status,
        ) from nobody
    if _tells_of_everybody(api, where):
        raise UsageError(
            f"Nothing proves that the token belongs to {named}: an administrator of {where.name} can see everybody.",
            "Make a token with read:user, or one for named repositories: with it nobody is an administrator.",
        )
    return found


def _tells_of_everybody(api: ForgejoApi, where: Repository) -> bool:
    return where.permissions.admin and api.may_administer(where.name)
