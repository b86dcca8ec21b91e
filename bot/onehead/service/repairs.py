"""Bring repairs to people: as a pull request, as a push where that is wanted or asked for, or as a patch; and end them.

Whatever the way, a person's work is never overwritten: branches only move forward, a repair branch that somebody else
has committed to is left alone, and a repair that somebody has closed is not offered again until it is asked for.

Each repair is made by a generator that asks for pushes. Those of all repairs of a run are sent together: a push costs
most by what the server tells about every ref that it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import structlog

from onehead.examine import naming
from onehead.examine.repair import NotAsPromised, RepairDraft, WrittenRepair, confirm, write_drafts
from onehead.forge.errors import NotFound
from onehead.forge.intents import Marker, mark
from onehead.forge.models import PullRequest
from onehead.gitrepo.commit import patch_of
from onehead.gitrepo.refs import HEADS, describe, is_ancestor
from onehead.gitrepo.remote import PushOutcome, PushStatus, RefUpdate, RemoteRefused
from onehead.plan.verdict import Point
from onehead.reports.comment import pull_body, pull_title
from onehead.service.context import Look
from onehead.service.decide import unmergeable
from onehead.service.desired import Offer, WantedRepair, source_of
from onehead.service.engine import BranchMoved, PullChanged
from onehead.service.troubles import NOT_CLOSED, NOT_REPAIRED, cause, page
from onehead.service.verdict_writer import content_of
from onehead.text import code, inline, inline_code

log = structlog.get_logger(__name__)

_CLOSED = Marker("closed")
"""Marks the comment with which we close a pull request of ours: one that was closed without it, a person closed."""

_REOPENED = Marker(_CLOSED.kind, facts={"reopened": True})
"""The same comment, once we have opened the pull request again."""

_MAX_LISTED = 100
"""Closed pull requests of ours that are listed, the last changed first, to find those of a repair branch."""

_AGAIN = "the next look opens the repair pull request, at once with `/onehead check`."


class RequestedPush(NamedTuple):
    """A push that a repair needs; `elsewhere` is the clone URL of a fork."""

    update: RefUpdate
    elsewhere: str | None = None


Delivery = Generator[RequestedPush, PushOutcome, Offer]


def cannot_push(pull: PullRequest) -> str:
    """Why nobody but its author can add commits to a pull request, or nobody at all; empty where pushing may work."""
    match source_of(pull):
        case "agit":
            return (
                "this pull request has no branch that could be pushed onto: it was made by a push to "
                f"`refs/for/{pull.base.ref}/…`, and only its author can push there again. The comment has the commands."
            )
        case "gone":
            return "the branch or the fork behind this pull request is gone."
        case "branch":
            return ""


class RepairWriter:
    """Writes the repairs of one run."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._api = look.context.api
        self._name = look.repository.name
        self.heads = dict(look.snapshot.heads)  # as they are now
        self.pushed: dict[BranchMoved | PullChanged, str] = {}  # what has to be looked at again → the commit
        self.closings: list[tuple[PullRequest, str]] = []  # repairs to close in the end, and why

    def offer(self, wanted: Collection[WantedRepair]) -> dict[str, Offer]:
        """Offer repairs in the way that the repository wants: key of each → what became of it."""
        written = self._write_all(wanted)
        deliveries = {each.key: self._offer(each, written.get(each.key)) for each in wanted}
        offers = {}
        for each, (key, made) in zip(wanted, self._conduct(deliveries).items(), strict=True):
            if isinstance(made, Exception):
                with self._look.troubles.apart(each.subject, NOT_REPAIRED):
                    raise made
                why = f"the repair could not be offered now ({cause(made)})"
                offers[key] = Offer(trouble=f"wait, or make the change shown below: {why}.")
            else:
                offers[key] = made
        return offers

    def push(self, wanted: WantedRepair) -> Offer:
        """Push a repair onto the branch of a pull request, because somebody who may push there has asked for it."""
        [made] = self._conduct({wanted.key: self._pushed(wanted)}).values()
        if isinstance(made, Exception):
            raise made
        return made

    def _conduct(self, deliveries: dict[str, Delivery]) -> dict[str, Offer | Exception]:
        """Run each until it asks for a push, push for all, and go on, until all have ended."""
        ended: dict[str, Offer | Exception] = {}
        asked: dict[str, RequestedPush] = {}

        def advance(key: str, step: Callable[[], RequestedPush]) -> None:
            try:
                asked[key] = step()
            except StopIteration as end:
                ended[key] = end.value
            except Exception as error:
                ended[key] = error

        for key, delivery in deliveries.items():
            advance(key, delivery.__next__)
        while asked:
            pushes: dict[str | None, list[str]] = defaultdict(list)
            for key, request in asked.items():
                pushes[request.elsewhere].append(key)
            requests, asked = asked, {}
            for elsewhere, keys in pushes.items():
                try:
                    outcomes = self._look.push([requests[each].update for each in keys], elsewhere)
                except Exception as error:
                    for key in keys:
                        advance(key, lambda key=key, error=error: deliveries[key].throw(error))  # type: ignore[misc]
                else:
                    for key, outcome in zip(keys, outcomes, strict=True):
                        advance(key, lambda key=key, outcome=outcome: deliveries[key].send(outcome))  # type: ignore[misc]
        return {key: ended[key] for key in deliveries}

    def _offer(self, wanted: WantedRepair, written: WrittenRepair | None) -> Delivery:
        try:
            written = self._write(wanted, written)
        except NotAsPromised as obstacle:
            log.error("A repair was not as planned.", repository=str(self._name), branch=wanted.base)
            self._close_others(wanted, "another repair would be needed now, and onehead failed to write it")
            return Offer(trouble=_not_written(obstacle))
        policy = wanted.target.policy
        if policy.delivery == "comment":
            patch = "" if wanted.is_here else patch_of(self._look.snapshot.git, written.sha)
            way = "make the change shown below, or let `/onehead apply` push it onto the branch."
            return Offer(patch=patch, merged_first=written.merged_first, trouble=way)
        if not wanted.is_here:
            return (yield from self._to_fork(wanted, written))
        if policy.delivery == "push" and not wanted.alone:
            refusal = yield from self._push_onto(wanted, written)
            if not refusal:
                self._close_others(wanted, f"the repair was pushed onto `{wanted.base}` itself")
                return Offer(pushed=written.sha, merged_first=written.merged_first)
            log.info("A direct push was refused; a pull request is opened instead.", branch=wanted.base, reason=refusal)
        return (yield from self._as_pull(wanted, written))

    def _pushed(self, wanted: WantedRepair) -> Delivery:
        if wanted.judged.unmergeable:
            return Offer(trouble=unmergeable(wanted.target, wanted.judged))
        if wanted.judged.repair is None:
            return Offer(trouble="there is no repair that could be applied.")
        try:
            written = self._write(wanted)
        except NotAsPromised as obstacle:
            return Offer(trouble=_not_written(obstacle))
        refusal = yield from self._push_onto(wanted, written)
        return Offer(trouble=refusal) if refusal else Offer(pushed=written.sha, merged_first=written.merged_first)

    def _write_all(self, wanted: Collection[WantedRepair]) -> dict[str, WrittenRepair]:
        """Write repairs in one go; none where that fails, for what fails for one does so again when it is alone."""
        drafts = {each.key: each.judged.repair for each in wanted if each.judged.repair is not None}
        with suppress(Exception):
            written = self._written([*drafts.values()])
            return dict(zip(drafts, written, strict=True))
        return {}

    def _written(self, drafts: list[RepairDraft]) -> list[WrittenRepair]:
        git, author = self._look.snapshot.git, self._look.context.me.login
        return self._look.mirror.with_files(lambda: write_drafts(git, drafts, author))

    def _write(self, wanted: WantedRepair, written: WrittenRepair | None = None) -> WrittenRepair:
        """Write a repair where that is not done, and read it again before anybody is told of it.

        Raises:
            NotAsPromised: it does not hold the chain that was planned.
        """
        draft = wanted.judged.repair
        if draft is None:
            raise ValueError("there is no repair")
        if written is None:
            [written] = self._written([draft])
        confirm(draft, self._look.judge.analysis.written(draft.target, Point(draft.start.ref, written.sha)))
        return written

    def _push_onto(self, wanted: WantedRepair, written: WrittenRepair) -> Generator[RequestedPush, PushOutcome, str]:
        """Push the repair onto the judged branch itself, forward only; says why not, where it could not be."""
        pull, point, branch = wanted.pull, wanted.judged.point, wanted.base
        elsewhere = None
        if pull is not None and (refusal := cannot_push(pull)):
            return refusal
        if pull is not None and pull.head.repository is not None and not pull.is_local:
            elsewhere = self._look.context.clone_url(pull.head.repository)
        update = RefUpdate(f"{HEADS}{branch}", written.sha, point.sha)
        try:
            outcome = yield RequestedPush(update, elsewhere)
        except RemoteRefused as refused:
            if elsewhere is None:
                raise
            outcome = PushOutcome(update.ref, PushStatus.FORBIDDEN, refused.message)
        if "unverified commit" in outcome.text:
            return f"{code(branch)} takes signed commits only, and onehead has no key to sign with."
        if not _is_done(outcome):
            if pull is not None and elsewhere is not None and not pull.allow_maintainer_edit:
                return (
                    "the branch is in a fork, and its author has not allowed edits. Tick *Allow edits from "
                    "maintainers* on the page of this pull request, then write `/onehead apply` once more."
                )
            return f"the forge did not take the push onto {code(branch)} ({inline(outcome.text, 200).rstrip('.')})."
        log.info("Pushed a repair onto its branch.", repository=str(self._name), branch=branch)
        self.pushed[BranchMoved(point.ref) if pull is None else PullChanged(pull.number)] = written.sha
        if elsewhere is None:
            self.heads[branch] = written.sha
        return ""

    def _to_fork(self, wanted: WantedRepair, written: WrittenRepair) -> Delivery:
        """The branch lies in a fork: laid ready in the base repository, or pushed where policy and author want it so.

        Not pushed unasked: whether a shared database has run the branch, only its people know.
        """
        pull = wanted.pull
        if pull is None:
            raise ValueError("only a pull request can come from a fork")
        if wanted.target.policy.delivery == "push" and pull.allow_maintainer_edit:
            refusal = yield from self._push_onto(wanted, written)
            if not refusal:
                return Offer(pushed=written.sha, merged_first=written.merged_first)
        ref = wanted.ref
        tip = self._look.snapshot.laid_ready.get(ref)
        refusal = ""
        if tip != written.sha:
            outcome = yield RequestedPush(RefUpdate(ref, written.sha, tip))
            if not _is_done(outcome):
                refusal = (
                    f"apply the patch below; the forge did not take the ref `{ref}` ({inline(outcome.text, 200)})."
                )
        return Offer(
            branch="" if refusal else ref,
            patch=patch_of(self._look.snapshot.git, written.sha),
            merged_first=written.merged_first,
            trouble=refusal,
            source=source_of(pull),
            commit=written.sha,
        )

    def _as_pull(self, wanted: WantedRepair, written: WrittenRepair) -> Delivery:
        base, name = wanted.base, wanted.ref.removeprefix(HEADS)
        before = self._look.snapshot.repairs_into(base)
        standing = next((pull for pull in before if pull.head.ref == name), None)
        refused = None if before else self._declined(wanted, name)
        if refused is not None:
            return Offer(
                trouble=f"you decide: the repair, #{refused}, was closed, so onehead does not open another one. Reopen "
                "it, or ask for a new one with `/onehead merge` or `/onehead reparent`."
            )
        if standing is None:
            standing = self._opened_again(base, name)
        refusal = yield from self._push_branch(wanted, name, written.sha)
        if refusal:
            return Offer(trouble=refusal) if standing is None else self._left_as_it_is(wanted, standing, refusal)
        if not self._look.snapshot.has_pulls:
            return Offer(branch=name, merged_first=written.merged_first)
        self._close_others(wanted, "another repair fits better now", but=standing)
        made = Offer(merged_first=written.merged_first, commit=written.sha)
        pull, _ = self._look.writer.ensure_pull(
            head=name,
            base=base,
            title=pull_title(wanted.judged.examination),
            body=self._body(wanted, made),
            known=standing,
            label=naming.LABEL,
        )
        return replace(made, pull=pull)

    def _push_branch(self, wanted: WantedRepair, name: str, sha: str) -> Generator[RequestedPush, PushOutcome, str]:
        """Push a repair branch; says why not, where it could not be, or must not."""
        tip = self.heads.get(name)
        if tip == sha:
            return ""
        if tip is not None and not self._is_untouched(name):
            return (
                f"somebody has changed {code(name)}, so onehead does not touch it; finish it there, or delete that "
                "branch."
            )
        otherwise = "make the change shown below by hand, or with `onehead fix` in a clone."
        if wanted.pull is not None:
            otherwise = "comment `/onehead apply`, which pushes the repair onto this branch itself."
        parts = name.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        in_the_way = next((other for other in above if other in self.heads), None)
        if in_the_way is not None:
            return (
                f"{otherwise} No repair branch can be made: git can't have {code(name)} beside the branch "
                f"{code(in_the_way)}. Rename or delete that one; {_AGAIN}"
            )
        outcome = yield RequestedPush(RefUpdate(f"{HEADS}{name}", sha, tip))
        if _is_done(outcome):
            self.heads[name] = sha
            log.info("Pushed a repair.", repository=str(self._name), branch=name, commit=sha)
            return ""
        log.warning("The repair could not be pushed.", branch=name, reason=outcome.text)
        if "protected branch" in outcome.text:  # Forgejo's words where a rule refuses it
            rule = f"{code(f'{naming.BRANCHES}**')} (Settings → Branches)"
            return (
                f"{otherwise} No repair branch can be made: a branch rule keeps {inline(self._look.context.me.login)} "
                f"from pushing to {code(name)}. Let it push to {rule}; {_AGAIN}"
            )
        return f"{otherwise} The forge did not take the repair branch {code(name)} ({inline(outcome.text, 300)})."

    def _is_untouched(self, name: str) -> bool:
        """Whether nothing of a person's is lost with a repair branch."""
        tip, snapshot = self.heads[name], self._look.snapshot
        if tip == snapshot.heads.get(name):
            return name in snapshot.untouched
        return describe(snapshot.git, [tip])[tip].author_email == naming.EMAIL

    def _left_as_it_is(self, wanted: WantedRepair, standing: PullRequest, refusal: str) -> Offer:
        """An open repair whose branch could not be moved: it may still do what it is for, or be overtaken."""
        branch = standing.head.ref
        tip = self.heads.get(branch)
        fault = self._look.left_by_repair(standing, Point(f"{HEADS}{branch}", tip)) if tip is not None else ""
        theirs = tip is None or not self._is_untouched(branch)
        because = " Somebody has changed its branch, so onehead does not touch it." if theirs else ""
        if not fault:
            way = f"merge #{standing.number}, which still repairs the chain.{because}"
        else:
            again = f" and write `/onehead {wanted.choices.strategy or 'auto'}` for a new one" if wanted.pull else ""
            instead = f"Finish it there, or delete {code(branch)}{again}." if theirs else f"Instead, {refusal}"
            way = (
                f"do not merge #{standing.number} as it is.{because} Merged, it would not repair {code(wanted.base)}: "
                f"{inline_code(fault)} {instead}"
            )
        made = Offer(standing, trouble=way, fault=fault)
        self._look.writer.ensure_pull(
            head=branch,
            base=standing.base.ref,
            title=standing.title,
            body=self._body(wanted, made),
            known=standing,
        )
        return made

    def _body(self, wanted: WantedRepair, made: Offer) -> str:
        """What a repair's own page says, and what it remembers for us."""
        told = content_of(self._look, wanted.target, wanted.judged, made)
        asked_on = f"#{wanted.pull.number}" if wanted.pull else ""
        marker = Marker("repair", facts={"told": list(wanted.tell)})
        return mark(marker, pull_body(replace(told, commands=not wanted.alone), asked_on))

    def _declined(self, wanted: WantedRepair, name: str) -> int | None:
        """The number of the repair that a person has closed, unless it was asked for again since."""
        found: dict[int, PullRequest] = {}
        for number in wanted.earlier:
            with suppress(NotFound):
                found[number] = self._api.pull(self._name, number)
        since = wanted.pull.created_at if wanted.pull else None
        if not wanted.earlier and self._look.snapshot.has_pulls:  # no page remembers it, or it was not written
            same = self._closed_before(wanted.base, name)
            found = {pull.number: pull for pull in same if since is None or pull.created_at >= since}
        mine = [pull for pull in found.values() if pull.author.id == self._look.snapshot.me]
        newest = max(mine, key=lambda pull: pull.number, default=None)
        if newest is None or newest.merged or newest.is_open:
            return None
        asked = wanted.choices.strategy_at
        if asked is not None and asked >= newest.updated_at:
            return None
        return None if self._closed_by_us(newest.number) else newest.number

    def _closed_by_us(self, number: int) -> bool:
        return any(marker == _CLOSED for _, marker in self._look.pages[number].ours(_CLOSED.kind))

    def _opened_again(self, base: str, name: str) -> PullRequest | None:
        """The repair of this kind that was closed before, open again; none where somebody works on its branch.

        What is pushed there next, Forgejo shows: a pull request that is opened with another commit shows its old ones
        until somebody pushes to its branch. So its branch is made first as it was.
        """
        if not self._look.snapshot.has_pulls or (name in self.heads and not self._is_untouched(name)):
            return None
        found = (pull for pull in self._closed_before(base, name) if not pull.merged)
        pull = max(found, key=lambda pull: pull.number, default=None)
        if pull is None:
            return None
        tip = self._look.snapshot.pull_heads.get(pull.number)
        if name not in self.heads and tip is not None:
            [outcome] = self._look.push([RefUpdate(f"{HEADS}{name}", tip, None)])
            if not _is_done(outcome):
                return None
            self.heads[name] = tip
        opened = self._look.writer.reopen_pull(pull)
        if self._closed_by_us(pull.number):
            text = "Opened again, because this repair is needed again.\n\n**Next:** its description says it.\n"
            self._look.writer.ensure_comment(pull.number, marker=_REOPENED, text=text)
            self._look.pages.forget(pull.number)
        log.info("Opened a repair again.", repository=str(self._name), pull=pull.number)
        return replace(opened, head=replace(opened.head, ref=name))

    def _closed_before(self, base: str, name: str) -> list[PullRequest]:
        """Our closed pull requests of a repair branch. Where that is gone, only the label tells which it was."""
        found = [pull for pull in self._closed if (pull.base.ref, pull.head.label) == (base, name)]
        if not found and len(self._closed) == _MAX_LISTED:
            with suppress(NotFound):
                older = self._api.pull_between(self._name, base, name)
                found = [older] if older.author.id == self._look.snapshot.me and not older.is_open else []
        return found

    @cached_property
    def _closed(self) -> list[PullRequest]:
        return list(islice(self._api.closed_pulls(self._name, self._look.context.me), _MAX_LISTED))

    def _close_others(self, wanted: WantedRepair, reason: str, but: PullRequest | None = None) -> None:
        repairs = self._look.snapshot.repairs_into(wanted.base) if wanted.is_here else []
        self.closings += [(pull, reason) for pull in repairs if but is None or pull.number != but.number]

    def close(self, pull: PullRequest, reason: str) -> None:
        """Close a repair of ours, say why, and delete its branch where nobody else has worked on it."""
        with self._look.troubles.apart(page(pull.number), NOT_CLOSED):
            tip, base = self.heads.get(pull.head.ref), self.heads.get(pull.base.ref)
            # Merged by plain git: the forge does not count that as merged.
            is_in = tip is not None and base is not None and is_ancestor(self._look.snapshot.git, tip, base)
            said = "its commits are in already" if is_in else reason
            following = "nothing to do here"
            if tip is not None and not self._is_untouched(pull.head.ref):
                stays = f"the branch {code(pull.head.ref)} stays, because somebody has changed it"
                following = f"{stays}; delete it when nobody needs it"
            text = f"Closed, because {said}.\n\n**Next:** {following}.\n"
            self._look.writer.close_pull(pull.number, marker=_CLOSED, reason=text)
            self._look.pages.forget(pull.number)
            self.remove_branch(pull.head.ref)
            log.info("Withdrew a repair.", repository=str(self._name), pull=pull.number, reason=reason)

    def remove_branch(self, name: str) -> None:
        """Delete a repair branch, unless its last commit is somebody else's."""
        if name in self.heads and self._is_untouched(name):
            self._look.writer.delete_branch(name)
            del self.heads[name]


def _is_done(outcome: PushOutcome) -> bool:
    return outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE)


def _not_written(obstacle: NotAsPromised) -> str:
    return f"{obstacle.message[0].lower()}{obstacle.message[1:]} {obstacle.hint}"
