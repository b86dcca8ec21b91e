"""The endpoints of the forge with every write recorded, or only recorded in a dry run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.client import Connection
from onehead.forge.models import Comment, PullRequest, PullSide, RepositoryName, Status, StatusState, User


class Deed(StrEnum):
    """What is written to a forge, as it is counted."""

    OPENED = "pull request opened"
    EDITED = "pull request edited"
    CLOSED = "pull request closed"
    COMMENTED = "comment written"
    RECOMMENTED = "comment edited"
    UNCOMMENTED = "comment deleted"
    REACTED = "command answered"
    STATUS = "status set"
    PUSHED = "branch pushed"
    DELETED = "branch deleted"


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was written, and where: `#23`, a commit or a branch."""

    repository: RepositoryName
    deed: Deed
    where: str


class WatchedApi(ForgejoApi):
    """Everything that writes is told to a witness first.

    In a rehearsal it is told only, and the answer is what the forge would have said, as far as that can be known:
    numbers and ids of what is new are 0.
    """

    def __init__(self, connection: Connection, tell: Callable[[Done], None], *, rehearsal: bool, bot: str = "") -> None:
        """Watch a connection.

        Args:
            connection: to the forge.
            tell: called with each deed.
            rehearsal: write nothing.
            bot: name of the token's account, where we were told.
        """
        super().__init__(connection)
        self._tell = tell
        self._rehearsal = rehearsal
        self._bot = bot

    @cached_property
    def _account(self) -> User:
        return own_account(self, self._bot)

    def delete_branch(self, name: RepositoryName, branch: str) -> None:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.DELETED, branch))
        if not self._rehearsal:
            super().delete_branch(name, branch)

    def create_pull(self, name: RepositoryName, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.OPENED, f"{head} → {base}"))
        if not self._rehearsal:
            return super().create_pull(name, head=head, base=base, title=title, body=body)
        repository = self.repository(name)
        return PullRequest(
            number=0,
            title=title,
            body=body,
            state="open",
            draft=False,
            merged=False,
            author=self._account,
            html_url="",
            head=PullSide(head, "", repository),
            base=PullSide(base, "", repository),
            allow_maintainer_edit=False,
            created_at=_now(),
            updated_at=_now(),
        )

    def edit_pull(
        self,
        name: RepositoryName,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
    ) -> PullRequest:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.CLOSED if state == "closed" else Deed.EDITED, f"#{number}"))
        if not self._rehearsal:
            return super().edit_pull(name, number, title=title, body=body, state=state)
        before = self.pull(name, number)
        return replace(
            before, title=title or before.title, body=before.body if body is None else body, state=state or before.state
        )

    def create_comment(self, name: RepositoryName, number: int, body: str) -> Comment:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.COMMENTED, f"#{number}"))
        if not self._rehearsal:
            return super().create_comment(name, number, body)
        return Comment(0, body, self._account, "", _now(), _now())

    def edit_comment(self, name: RepositoryName, comment: int, body: str) -> Comment:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.RECOMMENTED, str(comment)))
        return (
            replace(self.comment(name, comment), body=body)
            if self._rehearsal
            else super().edit_comment(name, comment, body)
        )

    def delete_comment(self, name: RepositoryName, comment: int) -> None:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.UNCOMMENTED, str(comment)))
        if not self._rehearsal:
            super().delete_comment(name, comment)

    def create_status(
        self, name: RepositoryName, sha: str, *, state: StatusState, context: str, description: str, target_url: str
    ) -> Status:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.STATUS, sha[:10]))
        if not self._rehearsal:
            return super().create_status(
                name, sha, state=state, context=context, description=description, target_url=target_url
            )
        return Status(0, context, state.value, description, target_url)

    def react_to_comment(self, name: RepositoryName, comment: int, reaction: str) -> bool:
        """As in `ForgejoApi`."""
        self._tell(Done(name, Deed.REACTED, str(comment)))
        return True if self._rehearsal else super().react_to_comment(name, comment, reaction)


def _now() -> datetime:
    return datetime.now(UTC)
