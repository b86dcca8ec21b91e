"""Writes to the forge that are safe to repeat, and the marker by which the bot recognises its own comments.

Between looking and writing, another process may write too. So after a comment was created the page is read again, and
of several comments the oldest stays. What is doubled nevertheless (a comment posted in the moment in which the
connection broke) is removed by the next run.

A marker is one line, `<!-- onehead:KIND v1 {"about":"…", …} -->`. Forgejo stores it verbatim and never shows it.
Anybody can copy it, so it counts only in a comment of the bot's own account.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from onehead.forge.errors import Forbidden, ForgeError, NotFound, StateConflict, TooSoon
from onehead.forge.models import Comment, PullRequest, PullSide, Status
from onehead.text import cut_bytes, cut_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onehead.forge.api import ForgejoApi
    from onehead.forge.models import RepositoryName, User

MAX_TITLE_LENGTH = 255  # bytes; Forgejo cuts what is longer, and would then differ from ours forever
_AFTER_A_PUSH = (0.3, 0.6, 1.2, 2.4, None)  # seconds; Forgejo needs about half of one until it knows a pushed branch


class WriteKind(StrEnum):
    """What is written to a forge, as it is counted."""

    OPENED = "pull request opened"
    EDITED = "pull request edited"
    CLOSED = "pull request closed"
    COMMENTED = "comment written"
    COMMENT_EDITED = "comment edited"
    COMMENT_DELETED = "comment deleted"
    REACTED = "command answered"
    STATUS = "status set"
    PUSHED = "branch pushed"
    DELETED = "branch deleted"


@dataclass(frozen=True, slots=True)
class Write:
    """One write, and where: `#23`, a comment's id, a commit or a branch."""

    repository: RepositoryName
    kind: WriteKind
    where: str


class ForgeWriter:
    """The writes of one run to one repository.

    In a dry run each is only recorded, and answered with what the forge would have made of it; numbers and ids of what
    is new are 0.
    """

    def __init__(
        self,
        api: ForgejoApi,
        repository: RepositoryName,
        me: User,
        record: Callable[[Write], None] = lambda _write: None,
        *,
        dry_run: bool = False,
        is_ours: Callable[[User], bool] = lambda _user: False,
    ) -> None:
        """Write nothing yet, and then as `me`, telling `record` of each write before it is made.

        `is_ours`: whether comments of another account count as those of `me`.
        """
        self._api = api
        self._repository = repository
        self._me = me
        self._record = record
        self._dry_run = dry_run
        self._is_ours = is_ours
        self._statuses: dict[tuple[str, str], Status | None] = {}
        self._unknown_labels: set[str] = set()

    def record(self, kind: WriteKind, where: str) -> bool:
        """Record a write; whether it is to be made."""
        self._record(Write(self._repository, kind, where))
        return not self._dry_run

    def ensure_pull(
        self, *, head: str, base: str, title: str, body: str, known: PullRequest | None = None, label: str = ""
    ) -> tuple[PullRequest, bool]:
        """One open pull request of `head` into `base`, with this title and body.

        It is the one that is `known`, where it has just been listed. A new one gets a label, in a repository that has
        it; a label that a person takes off stays off.

        The answer also says whether anything had to be written.

        Raises:
            NotFound: Forgejo knows no such branch, also after some seconds of patience.
        """
        title = cut_bytes(" ".join(title.split()), MAX_TITLE_LENGTH)
        found = known
        if found is None:
            try:
                made = self._create_pull(head, base, title, body)
            except StateConflict:
                found = self._open_pull(head, base)
                if found is None:
                    raise
            else:
                self._add_label(made.number, label)
                return made, True
        # "WIP: " before our title is a person's way to hold the pull request back: leave it.
        is_titled = found.title == title or (found.draft and found.title.endswith(title))
        if is_titled and found.body == body:
            return found, False
        wanted = replace(found, title=found.title if is_titled else title, body=body)
        if not self.record(WriteKind.EDITED, f"#{found.number}"):
            return wanted, True
        changes = {} if is_titled else {"title": title}
        changes |= {} if found.body == body else {"body": body}
        return self._api.edit_pull(self._repository, found.number, **changes), True

    def _create_pull(self, head: str, base: str, title: str, body: str) -> PullRequest:
        if not self.record(WriteKind.OPENED, f"{head} → {base}"):
            return self._pretended_pull(head, base, title, body)
        for seconds in _AFTER_A_PUSH:
            try:
                return self._api.create_pull(self._repository, head=head, base=base, title=title, body=body)
            except (NotFound, TooSoon):
                if seconds is None:
                    raise
                self._api.wait(seconds)
        raise AssertionError("the last try returns or raises")

    def _pretended_pull(self, head: str, base: str, title: str, body: str) -> PullRequest:
        repository, now = self._api.repository(self._repository), datetime.now(UTC)
        return PullRequest(
            number=0,
            title=title,
            body=body,
            state="open",
            draft=False,
            merged=False,
            author=self._me,
            html_url="",
            head=PullSide(head, "", repository),
            base=PullSide(base, "", repository),
            allow_maintainer_edit=False,
            created_at=now,
            updated_at=now,
        )

    def _open_pull(self, head: str, base: str) -> PullRequest | None:
        for pull in self._api.open_pulls(self._repository):
            if (pull.head.ref, pull.base.ref) == (head, base) and pull.head.repository == pull.base.repository:
                return pull
        return None

    def _add_label(self, number: int, label: str) -> None:
        """A decoration; what the forge has against it must not stop a repair."""
        if label and not self._dry_run and label not in self._unknown_labels:
            with suppress(Forbidden, NotFound):
                if label not in self._api.add_label(self._repository, number, label):
                    self._unknown_labels.add(label)

    def close_pull(self, number: int, *, marker: Marker, reason: str) -> bool:
        """Close a pull request and say why in a comment.

        The reason comes first: should closing fail, the next run finds the comment and does not repeat it. Whether it
        was open, is the answer.
        """
        if not self._api.pull(self._repository, number).is_open:
            return False
        self.ensure_comment(number, marker=marker, text=reason)
        if self.record(WriteKind.CLOSED, f"#{number}"):
            self._api.edit_pull(self._repository, number, state="closed")
        return True

    def reopen_pull(self, pull: PullRequest) -> PullRequest:
        """Open a closed pull request again."""
        if not self.record(WriteKind.EDITED, f"#{pull.number}"):
            return replace(pull, state="open")
        return self._api.edit_pull(self._repository, pull.number, state="open")

    def ensure_comment(
        self, number: int, *, marker: Marker, text: str, known: Sequence[Comment] | None = None
    ) -> tuple[Comment, bool]:
        """One comment of ours with this marker's kind and subject, saying this.

        The marker's facts are part of what is written. The comments there are read first, unless they are `known`. The
        answer also says whether anything had to be written.
        """
        body = mark(marker, text)
        ours = self._in_place(self._api.comments(self._repository, number) if known is None else known, marker)
        if ours:
            return self._one_of(ours, body)
        if not self.record(WriteKind.COMMENTED, f"#{number}"):
            return Comment(0, body, self._me, "", datetime.now(UTC), datetime.now(UTC)), True
        made = self._api.create_comment(self._repository, number, body)
        # Another process that serves the same forge may have looked at the same moment and made one too. Whoever looks
        # last sees both, and both keep the same one. Where this can't be done now, the next run finds the double.
        with suppress(ForgeError):
            ours = self._in_place(self._api.comments(self._repository, number), marker)
            if len(ours) > 1:
                return self._one_of(ours, body)[0], True
        return made, True

    def _in_place(self, comments: Iterable[Comment], marker: Marker) -> list[Comment]:
        """Our comments that hold a marker's place, oldest first."""
        found = (each for each in comments if each.author.id == self._me.id or self._is_ours(each.author))
        found = (each for each in found if marker.same_place(parse(each.body)))
        return sorted(found, key=lambda comment: comment.id)

    def _one_of(self, ours: list[Comment], body: str) -> tuple[Comment, bool]:
        """Keep the oldest of some comments, and let it say what it should."""
        kept, *doubles = ours
        for double in doubles:
            self.delete_comment(double.id)
        if kept.body == body:
            return kept, bool(doubles)
        if not self.record(WriteKind.COMMENT_EDITED, str(kept.id)):
            return replace(kept, body=body), True
        return self._api.edit_comment(self._repository, kept.id, body), True

    def delete_comment(self, comment: int) -> None:
        """No such comment any more."""
        if self.record(WriteKind.COMMENT_DELETED, str(comment)):
            with suppress(NotFound):
                self._api.delete_comment(self._repository, comment)

    def status(self, sha: str, context: str) -> Status | None:
        """What a commit's check says; `None` where it says nothing, or that can't be read.

        For a pull request from a fork the repository is the base: that is where Forgejo looks.
        """
        if (sha, context) not in self._statuses:
            self._statuses[sha, context] = None
            with suppress(Exception):  # one that is there twice is harmless, one that is missing is not
                found = self._api.status_with_creator(self._repository, sha, context)
                self._statuses[sha, context] = found and found[0]
        return self._statuses[sha, context]

    def set_status(self, sha: str, wanted: Status) -> bool:
        """Let a commit's check say this; whether it had to be written."""
        wanted = replace(wanted, description=cut_words(" ".join(wanted.description.split()), self._api.max_description))
        if self.status(sha, wanted.context) == wanted:
            return False
        if self.record(WriteKind.STATUS, sha[:10]):
            self._api.create_status(self._repository, sha, wanted)
        self._statuses[sha, wanted.context] = wanted
        return True

    def delete_branch(self, branch: str) -> bool:
        """No such branch any more; whether there was one."""
        try:
            self._api.branch(self._repository, branch)  # asked first: Forgejo answers 500 where there is none
            if self.record(WriteKind.DELETED, branch):
                self._api.delete_branch(self._repository, branch)
        except NotFound:
            return False
        return True

    def react(self, comment: int, reaction: str) -> bool:
        """Our reaction on a comment: one of +1 -1 laugh hooray confused heart rocket eyes; whether it is a new one."""
        if not self.record(WriteKind.REACTED, str(comment)):
            return True
        return self._api.react_to_comment(self._repository, comment, reaction)


_KIND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # never "--", which belongs to the ends of the HTML comment
_LINE = re.compile(rf"<!-- onehead:(?P<kind>{_KIND.pattern}) v1 (?P<facts>\{{.*\}}) -->")
_MAX_LENGTH = 8192  # characters of the line; keeps what somebody else wrote from costing anything
_MAX_DEPTH = 64  # brackets; ours are flat, and how deep JSON may nest differs between versions of Python
_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose words these are, and what they were written for.

    Of one `kind` (`verdict`, `answer`) and subject a page has one comment; `about` tells several of one kind apart, as
    by the id of the comment that is answered. `facts` are what we want to read back later, and may change from push to
    push: JSON values with string keys, none named `about`.
    """

    kind: str
    about: str = ""
    facts: dict[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind) or _ABOUT in self.facts:
            raise ValueError(f"not a marker: kind {self.kind!r}, facts {sorted(self.facts)}")

    def same_place(self, other: Marker | None) -> bool:
        """Whether both mark the same comment, whatever its text says today."""
        return other is not None and (self.kind, self.about) == (other.kind, other.about)


def make(marker: Marker) -> str:
    """The marker's line, without its newline; the same marker always gives the same line."""
    facts = marker.facts | ({_ABOUT: marker.about} if marker.about else {})
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # Inside JSON strings these escapes mean the same and can't end the HTML comment early ("-->", "--!>").
    text = text.replace("--", "\\u002d\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- onehead:{marker.kind} v1 {text} -->"


def parse(text: str) -> Marker | None:
    """The marker in the first line of a comment or body, or `None` where there is none that we could have written."""
    line = text[: _MAX_LENGTH + 1].partition("\n")[0].rstrip("\r")
    found = _LINE.fullmatch(line)
    if found is None or len(line) > _MAX_LENGTH or line.count("{") + line.count("[") > _MAX_DEPTH:
        return None
    try:
        facts = json.loads(found["facts"])
        json.dumps(facts, allow_nan=False)  # a number beyond all bounds can be read, and not be written again
    except (ValueError, RecursionError):
        return None
    about = facts.pop(_ABOUT, "")
    return Marker(found["kind"], about, facts) if isinstance(about, str) else None


def mark(marker: Marker, text: str) -> str:
    """The text with its marker before it."""
    return f"{make(marker)}\n{text}"
