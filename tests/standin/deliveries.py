"""Webhooks: which hooks want an event, what is sent, and the single attempt to send it.

As in Forgejo nobody's own events are filtered out, nothing is tried twice, and nothing arrives in order: every
delivery waits a random time of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

from tests.standin.later import Later
from tests.standin.world import Delivery, Hook, Repository, World

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger("standin")

# Fine event name -> coarse name, in the order in which Forgejo lists a hook's events.
COARSE = {
    "create": "create",
    "delete": "delete",
    "fork": "fork",
    "push": "push",
    "issues": "issues",
    "issue_assign": "issues",
    "issue_label": "issues",
    "issue_milestone": "issues",
    "issue_comment": "issue_comment",
    "pull_request": "pull_request",
    "pull_request_assign": "pull_request",
    "pull_request_label": "pull_request",
    "pull_request_milestone": "pull_request",
    "pull_request_comment": "issue_comment",
    "pull_request_review_approved": "pull_request_approved",
    "pull_request_review_rejected": "pull_request_rejected",
    "pull_request_review_comment": "pull_request_comment",
    "pull_request_sync": "pull_request",
    "wiki": "wiki",
    "repository": "repository",
    "release": "release",
    "package": "",
    "pull_request_review_request": "pull_request",
    "action_run_failure": "action_run_failure",
    "action_run_recover": "action_run_recover",
    "action_run_success": "action_run_success",
}


def chosen_events(names: Iterable[str]) -> list[str]:
    """Turn the `events` of an API call into fine names. `issues` and `pull_request` stand for whole families."""
    wanted = {name.lower() for name in names} or {"push"}
    chosen: set[str] = set()
    for event in COARSE:
        family = "issues" if event.startswith("issue") else "pull_request" if event.startswith("pull_request") else ""
        alone = {"issues": "issues_only", "pull_request": "pull_request_only"}.get(event, event)
        if family in wanted or alone in wanted:
            chosen.add(event)
    if "pull_request_review" in wanted:
        chosen |= {"pull_request_review_approved", "pull_request_review_rejected"}
    # The comment of a review has no switch of its own: it follows the one of pull request comments.
    if "pull_request_comment" in chosen:
        chosen.add("pull_request_review_comment")
    else:
        chosen.discard("pull_request_review_comment")
    return [event for event in COARSE if event in chosen]


def go_json(value: Any, *, indent: int | None = None) -> bytes:
    """Write JSON as Go does: UTF-8 as it is, but `<`, `>` and `&` escaped."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    for sign, escape in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, escape)
    return text.encode()


def headers(event_type: str, body: bytes, secret: str, delivery: str) -> dict[str, str]:
    """Make the headers of a delivery. Without a secret the signatures are sent all the same, empty."""
    sha256 = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if secret else ""
    sha1 = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest() if secret else ""
    result: dict[str, str] = {}
    for prefix in ("X-Forgejo", "X-Gitea", "X-Gogs"):
        result |= {
            f"{prefix}-Delivery": delivery,
            f"{prefix}-Event": COARSE[event_type],
            f"{prefix}-Event-Type": event_type,
            f"{prefix}-Signature": sha256,
        }
    return result | {
        "X-Hub-Signature": f"sha1={sha1}",
        "X-Hub-Signature-256": f"sha256={sha256}",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": COARSE[event_type],
        "X-GitHub-Event-Type": event_type,
    }


def request_body(hook: Hook, payload: bytes) -> tuple[bytes, str]:
    """Give (body, content type). The signature always covers the JSON, also where a form carries it."""
    if hook.content_type == "form":
        return urlencode({"payload": payload.decode()}).encode(), "application/x-www-form-urlencoded"
    return payload, "application/json"


@dataclass(frozen=True, slots=True)
class _Task:
    hook: Hook
    delivery: Delivery


class Postman:
    """Sends deliveries from a few threads of its own."""

    def __init__(self, world: World, *, seed: int = 0) -> None:
        self._world = world
        self._later = Later("postman", workers=4)
        self._random = random.Random(seed)
        # A proxy of the machine must not see, or break, what goes to a loopback address.
        self._client = httpx.Client(
            timeout=world.timing.delivery_timeout,
            follow_redirects=True,
            trust_env=False,
            headers={"User-Agent": "Go-http-client/1.1"},
        )

    def announce(self, repository: Repository, event_type: str, payload: dict[str, Any]) -> None:
        """Send an event to every active hook of the repository, its owner and the system. The caller holds the lock."""
        wanted = [
            hook
            for hook in self._hooks_of(repository)
            if hook.active and event_type in hook.events and self._branch_wanted(hook, payload)
        ]
        body = go_json(payload, indent=2) if wanted else b""
        for hook in wanted:
            self.send(repository, hook, event_type, body)

    def send(self, repository: Repository, hook: Hook, event_type: str, body: bytes) -> None:
        delivery = Delivery(
            uuid=str(uuid.uuid4()),
            hook_id=hook.id,
            repository=repository.full_name,
            url=hook.url,
            event=COARSE[event_type],
            event_type=event_type,
            body=body,
            lost=self._world.timing.lose_webhooks,
        )
        self._world.deliveries.append(delivery)
        if not delivery.lost:
            task = _Task(hook, delivery)
            self._later.after(self._random.uniform(*self._world.timing.delivery), lambda: self._attempt(task))

    @property
    def idle(self) -> bool:
        return self._later.idle

    def stop(self) -> None:
        self._later.stop()
        self._client.close()

    def _hooks_of(self, repository: Repository) -> list[Hook]:
        owner_hooks = self._world.owner_hooks
        return [
            *repository.hooks.values(),
            *owner_hooks.get(repository.owner.id, {}).values(),
            *owner_hooks.get(0, {}).values(),
        ]

    @staticmethod
    def _branch_wanted(hook: Hook, payload: dict[str, Any]) -> bool:
        ref = payload.get("ref", "")
        if hook.branch_filter in {"", "*"} or not isinstance(ref, str) or not ref.startswith("refs/heads/"):
            return True
        return fnmatchcase(ref.removeprefix("refs/heads/"), hook.branch_filter)

    def _attempt(self, task: _Task) -> None:
        hook, delivery = task.hook, task.delivery
        if not hook.active:
            return
        body, content_type = request_body(hook, delivery.body)
        sent = headers(delivery.event_type, delivery.body, hook.secret, delivery.uuid)
        sent["Content-Type"] = content_type
        if hook.authorization_header:
            sent["Authorization"] = hook.authorization_header
        try:
            delivery.status = self._client.post(hook.url, content=body, headers=sent).status_code
        except httpx.HTTPError as error:
            log.info("webhook %s to %s was not answered: %s", delivery.event_type, hook.url, error)
