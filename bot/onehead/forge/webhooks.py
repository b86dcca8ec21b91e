"""Webhook deliveries: check the signature and read the event. Bytes in, values out, no I/O.

A delivery is a hint. What it says may be old by the time it is read, so whoever acts on it asks the forge again.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from onehead.forge import models
from onehead.forge.errors import BadSignature, NotUnderstood
from onehead.forge.models import Comment, Fields, Permissions, PullRequest, RepositoryName, User

HOOK_PATH = "/hooks/forgejo"  # where the service takes deliveries, below its own address
MAX_FORM = 256 * 1024  # Bytes of a form. Anybody can make us decode one, for what Forgejo signs is its decoded field.

_BRANCHES = "refs/heads/"
_PULL_ACTIONS = frozenset({"opened", "reopened", "edited", "synchronized", "closed"})
_COMMENT_ACTIONS = frozenset({"created", "edited", "deleted"})
_HOOK_HINT = "Check the webhook's settings in Forgejo: type Forgejo, method POST."


@dataclass(frozen=True, slots=True)
class RepositoryEvent:
    """Something has happened in a repository."""

    repository: RepositoryName
    sender: User


@dataclass(frozen=True, slots=True)
class Push(RepositoryEvent):
    """A branch (by its short name) has moved, or is new: then `before` is all zeros.

    Forgejo says nothing of force: ask git for ancestry.
    """

    branch: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BranchCreated(RepositoryEvent):
    """A branch is new; its `Push` comes as well, before or after."""

    branch: str
    sha: str


@dataclass(frozen=True, slots=True)
class BranchDeleted(RepositoryEvent):
    """A branch is gone. No push comes for it."""

    branch: str


@dataclass(frozen=True, slots=True)
class PullRequestChanged(RepositoryEvent):
    """A pull request was opened, reopened, edited, synchronized (its head moved) or closed (merged ones too).

    `changed`: for `edited`, which of title, body and ref (the base branch). Their former values are left out: for ref
    Forgejo sends the new one in their place.
    """

    action: str
    pull: PullRequest
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Commented(RepositoryEvent):
    """Somebody has written, edited or deleted a comment.

    `permissions`: what the sender may do here, as Forgejo itself has signed it. The sender of an edit may be another
    than the comment's author.
    """

    action: str
    number: int
    comment: Comment
    permissions: Permissions


@dataclass(frozen=True, slots=True)
class IgnoredDelivery:
    """Nothing for onehead to do; the reason is a clause for the log."""

    reason: str


Event = Push | BranchCreated | BranchDeleted | PullRequestChanged | Commented | IgnoredDelivery


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes) -> None:
    """Make sure that somebody who knows one of the secrets has sent this.

    There are several secrets while the secret is being changed; empty ones never match.

    Raises:
        BadSignature: unsigned, or signed with another secret.
        NotUnderstood: a form without its field `payload`.
    """
    names = _lower(headers)
    signature, signed = _signature(names), _payload(names, body)
    matched = False
    for secret in secrets:
        # Every secret is tried and compared in constant time: the answer's delay tells nothing.
        expected = hmac.new(secret.encode(), signed, "sha256").hexdigest().encode()
        matched |= bool(secret) and hmac.compare_digest(expected, signature)
    if not matched:
        raise BadSignature(
            "The delivery is not signed with our secret.",
            "Set the webhook's secret in Forgejo to one of ONEHEAD_WEBHOOK_SECRET.",
            status=401,
        )


def _signature(names: Mapping[str, str]) -> bytes:
    for name, prefix in (("x-forgejo-signature", ""), ("x-gitea-signature", ""), ("x-hub-signature-256", "sha256=")):
        value = names.get(name, "").strip()
        if value.startswith(prefix) and value != prefix:
            return value.removeprefix(prefix).encode("utf-8", "replace")
    # Forgejo sends the headers with nothing in them when its webhook has no secret.
    raise BadSignature(
        "The delivery is not signed.", "Give the webhook in Forgejo the secret of ONEHEAD_WEBHOOK_SECRET.", status=401
    )


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """What a delivery says; verify it first. `NotUnderstood` is raised where it is not what Forgejo sends."""
    names = _lower(headers)
    kind = names.get("x-forgejo-event-type") or names.get("x-gitea-event-type")
    if not kind:
        raise NotUnderstood("The delivery does not say what has happened (no X-Forgejo-Event-Type).", _HOOK_HINT)
    payload = _payload(names, body)
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotUnderstood(f"The delivery of {kind!r} is not JSON.", _HOOK_HINT) from None
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        # Half a surrogate pair and an endless number can be read, and nowhere be written again.
        raise NotUnderstood(f"The delivery of {kind!r} holds text or a number that nothing else can hold.") from None
    fields = Fields(data, kind)
    match kind:
        case "push":
            return _push(fields)
        case "create" | "delete":
            return _branch(kind, fields)
        case "pull_request" | "pull_request_sync":
            return _pull(fields)
        case "issue_comment" | "pull_request_comment":
            return _comment(fields)
    return IgnoredDelivery(f"{kind} changes nothing for onehead")


def _push(fields: Fields) -> Event:
    ref = fields.text("ref")
    if not ref.startswith(_BRANCHES):
        return IgnoredDelivery(f"{ref} is no branch")
    return Push(*_origin(fields), ref.removeprefix(_BRANCHES), fields.text("before"), fields.text("after"))


def _branch(kind: str, fields: Fields) -> Event:
    if fields.text("ref_type") != "branch":
        return IgnoredDelivery(f"{kind} of a {fields.text('ref_type')}")
    # A webhook of the type gitea has the short name here.
    branch = fields.text("ref").removeprefix(_BRANCHES)
    if kind == "create":
        return BranchCreated(*_origin(fields), branch, fields.text("sha"))
    return BranchDeleted(*_origin(fields), branch)


def _pull(fields: Fields) -> Event:
    action = fields.text("action")
    if action not in _PULL_ACTIONS:
        return IgnoredDelivery(f"pull request {action}")
    changes = fields.optional("changes")
    pull = models.pull_request(fields.inner("pull_request"))
    return PullRequestChanged(*_origin(fields), action, pull, changes.names() if changes else ())


def _comment(fields: Fields) -> Event:
    action = fields.text("action")
    if action not in _COMMENT_ACTIONS:
        return IgnoredDelivery(f"comment {action}")
    return Commented(
        *_origin(fields),
        action=action,
        # Not from the pull request: older servers leave it out, and the issue has the same number.
        number=fields.inner("issue").number("number"),
        comment=models.comment(fields.inner("comment")),
        permissions=models.permissions(fields.inner("repository").optional("permissions")),
    )


def _origin(fields: Fields) -> tuple[RepositoryName, User]:
    return models.repository_name(fields.inner("repository")), models.user(fields.inner("sender"))


def _payload(names: Mapping[str, str], body: bytes) -> bytes:
    """The JSON: the body itself, or the field `payload` of a form; that, decoded, is what Forgejo has signed."""
    kind = names.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return body
    if len(body) > MAX_FORM:
        raise NotUnderstood(
            f"The delivery is a form of more than {MAX_FORM // 1024} KiB.",
            "Set the webhook's content type to application/json in Forgejo: a form has to be decoded before its "
            "signature can be checked, so large ones are not taken.",
        )
    try:
        form = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=10)
        return form["payload"][0].encode()
    except (KeyError, ValueError):
        raise NotUnderstood("The delivery is a form without a readable field payload.", _HOOK_HINT) from None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
