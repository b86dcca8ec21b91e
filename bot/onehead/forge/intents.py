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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onehead.forge.errors import Forbidden, ForgeError, NotFound, StateConflict, TooSoon
from onehead.text import cut_bytes, cut_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onehead.forge.api import ForgejoApi
    from onehead.forge.models import Comment, PullRequest, RepositoryName, Status, StatusState, User

MAX_TITLE_LENGTH = 255  # bytes; Forgejo cuts what is longer, and would then differ from ours forever
MAX_DESCRIPTION_LENGTH = 255  # characters; what Forgejo's pages show without breaking
_AFTER_A_PUSH = (0.3, 0.6, 1.2, 2.4)  # seconds; Forgejo needs about half of one until it knows a pushed branch


def ensure_pull(
    api: ForgejoApi,
    repository: RepositoryName,
    *,
    head: str,
    base: str,
    title: str,
    body: str,
    known: PullRequest | None = None,
    label: str = "",
) -> tuple[PullRequest, bool]:
    """One open pull request of `head` into `base`, with this title and body.

    Args:
        api: the forge.
        repository: where.
        head: a branch of the same repository, pushed before.
        base: the branch that it goes into.
        title: cut to what the forge keeps.
        body: Markdown.
        known: the open one, where it has just been listed; `None`: it is looked for first.
        label: what a new one gets, in a repository that has it; a label that a person takes off stays off.

    Returns:
        the pull request, and whether anything had to be written.

    Raises:
        NotFound: Forgejo knows no such branch, also after some seconds of patience.
    """
    title = cut_bytes(" ".join(title.split()), MAX_TITLE_LENGTH)
    found = known or _known_pull(api, repository, head, base)
    if found is None:
        try:
            made = _create_pull(api, repository, head, base, title, body)
        except StateConflict:
            found = _open_pull(api, repository, head, base)
            if found is None:
                raise
        else:
            if label:
                # A decoration; what the forge has against it must not stop a repair.
                with suppress(Forbidden, NotFound):
                    api.add_label(repository, made.number, label)
            return made, True
    # "WIP: " before our title is a person's way to hold the pull request back: leave it.
    new_title = None if found.title == title or (found.draft and found.title.endswith(title)) else title
    new_body = None if found.body == body else body
    if new_title is None and new_body is None:
        return found, False
    return api.edit_pull(repository, found.number, title=new_title, body=new_body), True


def _known_pull(api: ForgejoApi, repository: RepositoryName, head: str, base: str) -> PullRequest | None:
    """The open one, as far as one request can tell: it gives any one of the pair, maybe an old closed one."""
    try:
        pull = api.pull_between(repository, base, head)
    except NotFound:
        return None
    return pull if pull.is_open else None


def _open_pull(api: ForgejoApi, repository: RepositoryName, head: str, base: str) -> PullRequest | None:
    for pull in api.open_pulls(repository):
        if (pull.head.ref, pull.base.ref) == (head, base) and pull.head.repository == pull.base.repository:
            return pull
    return None


def _create_pull(
    api: ForgejoApi, repository: RepositoryName, head: str, base: str, title: str, body: str
) -> PullRequest:
    for seconds in _AFTER_A_PUSH:
        try:
            return api.create_pull(repository, head=head, base=base, title=title, body=body)
        except (NotFound, TooSoon):
            api.wait(seconds)
    return api.create_pull(repository, head=head, base=base, title=title, body=body)


def close_pull(
    api: ForgejoApi, repository: RepositoryName, number: int, *, marker: Marker, reason: str, author: User
) -> bool:
    """Close a pull request and say why in a comment.

    The reason comes first: should closing fail, the next run finds the comment and does not repeat it.

    Returns:
        whether it was open.
    """
    if not api.pull(repository, number).is_open:
        return False
    ensure_comment(api, repository, number, marker=marker, text=reason, author=author)
    api.edit_pull(repository, number, state="closed")
    return True


def ensure_comment(
    api: ForgejoApi,
    repository: RepositoryName,
    number: int,
    *,
    marker: Marker,
    text: str,
    author: User,
    known: Sequence[Comment] | None = None,
) -> tuple[Comment, bool]:
    """One comment of ours with this marker's kind and subject, saying this.

    Args:
        api: the forge.
        repository: where.
        number: of the issue or pull request.
        marker: its kind and subject find the comment; its facts are part of what is written.
        text: Markdown, without the marker.
        author: the bot's own account; a marker in anybody else's comment counts for nothing.
        known: the comments there, where they have just been read; `None`: they are read first.

    Returns:
        the comment, and whether anything had to be written.
    """
    body = mark(marker, text)
    ours = _in_place(api.comments(repository, number) if known is None else known, marker, author)
    if not ours:
        made = api.create_comment(repository, number, body)
        # Another process that serves the same forge may have looked at the same moment and made one too. Whoever looks
        # last sees both, and both keep the same one. Where this can't be done now, the next run finds the double.
        with suppress(ForgeError):
            ours = _in_place(api.comments(repository, number), marker, author)
            if len(ours) > 1:
                return _one_of(api, repository, ours, body)[0], True
        return made, True
    return _one_of(api, repository, ours, body)


def _in_place(comments: Iterable[Comment], marker: Marker, author: User) -> list[Comment]:
    """Our comments that hold a marker's place, oldest first."""
    found = [each for each in comments if each.author.id == author.id and marker.same_place(parse(each.body))]
    return sorted(found, key=lambda comment: comment.id)


def _one_of(api: ForgejoApi, repository: RepositoryName, ours: list[Comment], body: str) -> tuple[Comment, bool]:
    """Keep the oldest of some comments, and let it say what it should."""
    kept, *doubles = ours
    for double in doubles:
        with suppress(NotFound):
            api.delete_comment(repository, double.id)
    if kept.body == body:
        return kept, bool(doubles)
    return api.edit_comment(repository, kept.id, body), True


def ensure_status(
    api: ForgejoApi,
    repository: RepositoryName,
    sha: str,
    *,
    context: str,
    state: StatusState,
    description: str,
    target_url: str = "",
    will_do: Callable[[Status], bool] = lambda _status: False,
) -> tuple[Status, bool]:
    """What a commit's check says.

    For a pull request from a fork the repository is the base: that is where Forgejo looks. What can't be read is
    written: a status that is there twice is harmless, one that is missing is not.

    Args:
        api: the forge.
        repository: where.
        sha: the commit.
        context: of the check.
        state: what it says.
        description: and why; cut to what the forge's pages show.
        target_url: where its link leads.
        will_do: whether a status that is there may stay, although it is not just what is wanted.

    Returns:
        the status that counts, and whether it had to be written.
    """
    description = cut_words(" ".join(description.split()), MAX_DESCRIPTION_LENGTH)
    wanted = (context, state.value, description, target_url)
    with suppress(Exception):
        for status in api.latest_statuses(repository, sha):
            if status.context == context:
                present = (status.context, status.state, status.description, status.target_url)
                if present == wanted or will_do(status):
                    return status, False
                break
    written = api.create_status(
        repository, sha, state=state, context=context, description=description, target_url=target_url
    )
    return written, True


def delete_branch(api: ForgejoApi, repository: RepositoryName, branch: str) -> bool:
    """No such branch any more.

    Returns:
        whether there was one.
    """
    try:
        api.branch(repository, branch)  # asked first: the answer to deleting what is not there is a bare 500
        api.delete_branch(repository, branch)
    except NotFound:
        return False
    return True


def react(api: ForgejoApi, repository: RepositoryName, comment: int, reaction: str) -> bool:
    """Our reaction on a comment: one of +1 -1 laugh hooray confused heart rocket eyes.

    Returns:
        whether it was not there before.
    """
    return api.react_to_comment(repository, comment, reaction)


_KIND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # never "--", which belongs to the ends of the HTML comment
_LINE = re.compile(rf"<!-- onehead:(?P<kind>{_KIND.pattern}) v1 (?P<facts>\{{.*\}}) -->")
_MAX_LENGTH = 8192  # characters of the line; keeps what somebody else wrote from costing anything
_MAX_DEPTH = 64  # brackets; ours are flat, and how deep JSON may nest differs between versions of Python
_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose words these are, and what they were written for.

    Attributes:
        kind: the place it holds on its page (`verdict`, `answer`): of one kind and subject a page has one comment.
            What the comment says may change from push to push, so that belongs to `facts`.
        about: tells several of one kind apart, such as the id of the comment that is answered.
        facts: what we want to read back later; JSON values with string keys, none named `about`.
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
