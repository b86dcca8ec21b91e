"""Repairs that are closed, by us or by a person: how they end, when they are not offered again, how they come back."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice

import structlog

from onehead.forge.errors import NotFound
from onehead.forge.intents import Marker, close_pull, delete_branch, ensure_comment
from onehead.forge.models import PullRequest
from onehead.gitrepo.refs import is_ancestor
from onehead.gitrepo.remote import PushStatus, RefUpdate
from onehead.service.bench import HEADS, Bench
from onehead.service.troubles import NOT_CLOSED, page
from onehead.text import code

log = structlog.get_logger(__name__)

CLOSED = Marker("closed")
"""Marks the comment with which we close a pull request of ours: one that was closed without it, a person closed."""

_REOPENED = Marker(CLOSED.kind, facts={"reopened": True})
"""The same comment, once we have opened the pull request again."""

_MAX_LOOKED_AT = 100
"""Closed pull requests of ours among which one to open again is looked for, the last changed first."""


def close(bench: Bench, pulls: Collection[PullRequest], reason: str) -> None:
    """Close repair pull requests of ours, say why, and delete their branches where nobody else has worked on them."""
    api, name = bench.desk.api, bench.repository.name
    for pull in pulls:
        with bench.troubles.apart(page(pull.number), NOT_CLOSED):
            said = "its commits are in already" if _is_in(bench, pull) else reason
            text = f"Closed, because {said}.\n\n**Next:** {_next_after(bench, pull)}.\n"
            close_pull(api, name, pull.number, marker=CLOSED, reason=text, author=bench.desk.me)
            bench.forget_page(pull.number)
            remove_branch(bench, pull.head.ref)
            log.info("Withdrew a repair.", repository=str(name), pull=pull.number, reason=reason)


def _is_in(bench: Bench, pull: PullRequest) -> bool:
    """Whether somebody has merged a repair by plain git: the forge does not count that as merged."""
    tip, base = bench.heads.get(pull.head.ref), bench.heads.get(pull.base.ref)
    return tip is not None and base is not None and is_ancestor(bench.git, tip, base)


def _next_after(bench: Bench, pull: PullRequest) -> str:
    if pull.head.ref not in bench.heads or bench.holds_our_work(pull.head.ref):
        return "nothing to do here"
    return f"the branch {code(pull.head.ref)} stays, because somebody has changed it; delete it when nobody needs it"


def remove_branch(bench: Bench, branch: str) -> None:
    """Delete a repair branch, unless its last commit is somebody else's."""
    if bench.holds_our_work(branch):
        delete_branch(bench.desk.api, bench.repository.name, branch)
        bench.heads.pop(branch, None)


def declined(
    bench: Bench, base: str, name: str, *, earlier: Collection[int], since: datetime | None, asked: datetime | None
) -> int | None:
    """The number of the repair that a person has closed, unless it was asked for again since.

    Args:
        bench: the repository.
        base: the branch that is repaired.
        name: the repair's own branch.
        earlier: numbers of the repairs that were offered before, as far as a page remembers them.
        since: when the pull request that is repaired was opened; `None` where there is none.
        asked: when somebody asked for a repair last.
    """
    api, repository = bench.desk.api, bench.repository.name
    found: dict[int, PullRequest] = {}
    for number in earlier:
        with suppress(NotFound):
            found[number] = api.pull(repository, number)
    if not earlier and bench.has_pulls:  # there is no page that would remember it, or it was not written
        with suppress(NotFound):
            same = api.pull_between(repository, base, name)
            if since is None or same.created_at >= since:
                found[same.number] = same
    mine = [pull for pull in found.values() if pull.author.id == bench.desk.me.id]
    newest = max(mine, key=lambda pull: pull.number, default=None)
    if newest is None or newest.merged or newest.is_open:
        return None
    if asked is not None and asked >= newest.updated_at:
        return None
    return None if _closed_by_us(bench, newest.number) else newest.number


def _closed_by_us(bench: Bench, number: int) -> bool:
    return any(marker == CLOSED for _, marker in bench.page(number).ours(CLOSED.kind))


def withdrawn(bench: Bench, base: str, name: str) -> PullRequest | None:
    """The last repair of a branch that was proposed from the branch `name` and is closed; `None` where there is none.

    Where its branch is gone, only the label of a pull request tells which it was.
    """
    if not bench.has_pulls:
        return None
    mine = islice(bench.desk.api.closed_pulls(bench.repository.name, bench.desk.me), _MAX_LOOKED_AT)
    found = (pull for pull in mine if not pull.merged and (pull.base.ref, pull.head.label) == (base, name))
    return max(found, key=lambda pull: pull.number, default=None)


def reopen(bench: Bench, pull: PullRequest, name: str) -> PullRequest | None:
    """Open a repair again that was closed, with its branch as it was: what is pushed there next, Forgejo shows.

    A pull request that is opened with another commit shows its old ones until somebody pushes to its branch.

    Returns:
        it, with its branch by name; `None` where the forge takes no such branch any more.
    """
    api, repository = bench.desk.api, bench.repository.name
    tip = bench.pull_heads.get(pull.number)
    if name not in bench.heads and tip is not None:
        [outcome] = bench.mirror.push([RefUpdate(f"{HEADS}{name}", tip, None)])
        if outcome.status not in (PushStatus.OK, PushStatus.UP_TO_DATE):
            return None
        bench.heads[name] = tip
    opened = api.edit_pull(repository, pull.number, state="open")
    if _closed_by_us(bench, pull.number):
        text = "Opened again, because this repair is needed again.\n\n**Next:** its description says it.\n"
        ensure_comment(api, repository, pull.number, marker=_REOPENED, text=text, author=bench.desk.me)
        bench.forget_page(pull.number)
    log.info("Opened a repair again.", repository=str(repository), pull=pull.number)
    return replace(opened, head=replace(opened.head, ref=name))
