"""Commands in comments: who asks for what, whether they may, and the one reply that answers all of a comment.

The reply is also the memory: a comment that has one was answered, however often it is edited, and what people chose
(another repair, to ignore a problem) stands in the reply's hidden facts. One kind of reply does not end the matter:
where nobody could say yet whether the author may do it. The webhook that says so edits it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from onehead.commands import CALL, COMMANDS, CommandName, CommentCommand, Mistake, Who, commands_in, usage
from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import read_log
from onehead.databases.model import StateTable
from onehead.examine.next_revision import OpenPull, OpenPulls
from onehead.forge.errors import Forbidden, NotFound
from onehead.forge.intents import Marker
from onehead.forge.models import MAY_WRITE, Comment, PullRequest
from onehead.gitrepo.refs import HEADS
from onehead.plan.forks import forks_of
from onehead.plan.plans import Merge, Nothing, Plan, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Point
from onehead.reports.comment import leading_plan, one_line
from onehead.reports.next_revision import next_answer
from onehead.reports.replies import Answer, Explained, doctor_answer, explanation, help_text, reply
from onehead.service.context import Look
from onehead.service.desired import WantedRepair
from onehead.service.engine import CommandGiven
from onehead.service.judge import Judged
from onehead.service.repairs import RepairWriter, cannot_push
from onehead.service.snapshot import ANSWER, Page, Target, problem_keys
from onehead.service.subjects import lone_branches
from onehead.service.troubles import page
from onehead.text import code, inline, inline_code

log = structlog.get_logger(__name__)

_NAMES_A_REVISION = (CrashKind.CANNOT_LOCATE, CrashKind.MISSING_PARENT)

_UNSURE = "unsure"  # fact of a reply that was given without knowing whether the author may do what they asked for


def unanswered(page: Page, since: datetime) -> list[Comment]:
    """Comments of others that hold commands and have no reply of ours; those from before `since` are let be."""
    return [
        comment
        for comment in page.comments
        if comment.author.id != page.me
        and comment.created_at >= since
        and page.answer_to(comment.id) is None
        and commands_in(comment.body)
    ]


def answer_commands(look: Look, repairs: RepairWriter, given: CommandGiven) -> set[int]:
    """Do what a comment asks for, and reply to it once; the pull requests that have to be judged again for that."""
    api, name = look.context.api, look.repository.name
    try:
        comment = api.comment(name, given.comment)
    except NotFound:
        return set()
    asked = commands_in(comment.body)
    if not asked or comment.author.id == look.context.me.id:
        return set()
    pull = next((pull for pull in look.snapshot.pulls if pull.number == given.number), None)
    reply_to_it = look.pages[given.number].answer_to(comment.id)
    if reply_to_it is None or (_UNSURE in reply_to_it.facts and given.may_write is not None):
        look.writer.react(comment.id, "eyes")
        request = _Request(look, repairs, given, comment, pull)
        answers = [Answer(_written(each), request.answer(each)) for each in asked]
        place = Marker(ANSWER, str(comment.id), request.facts)
        look.writer.ensure_comment(given.number, marker=place, text=reply(answers))
        look.pages.forget(given.number)
        log.info("Answered commands.", repository=str(name), number=given.number, comment=comment.id)
    return {given.number} if pull is not None else set()


def _written(each: CommentCommand | Mistake) -> str:
    if isinstance(each, Mistake):
        return each.line
    return " ".join(filter(None, [CALL, each.verb, *each.rows, each.reason]))


@dataclass
class _Request:
    look: Look
    repairs: RepairWriter
    given: CommandGiven
    comment: Comment
    pull: PullRequest | None  # the open one under which it stands
    facts: dict[str, object] = field(default_factory=dict)  # what the reply remembers
    strategy: Strategy | None = field(init=False)  # as chosen on the page, or above in this comment

    def __post_init__(self) -> None:
        self.strategy = self.look.pages[self.given.number].choices.strategy

    def answer(self, asked: CommentCommand | Mistake) -> str:
        """Do one thing and say what came of it, in Markdown."""
        if isinstance(asked, Mistake):
            return inline_code(asked.message)
        kind = COMMANDS[asked.verb]
        if not kind.on_issues and self.pull is None:
            return f"`{usage(asked.verb)}` makes sense only in an open pull request."
        if not kind.on_issues and self._target() is None:
            return "This pull request goes into a branch that is not deployed, so there is nothing to judge."
        if asked.verb is CommandName.APPLY and self.pull is not None and (why := cannot_push(self.pull)):
            return f"Nothing was pushed: {why}"
        return self._refusal(kind.who) or self._done(asked)

    def _done(self, asked: CommentCommand) -> str:
        """What came of a command that makes sense here and may be given."""
        doing: dict[CommandName, Callable[[], str]] = {
            CommandName.HELP: help_text,
            CommandName.CHECK: lambda: f"Judged again: {inline_code(one_line(self._judged().examination))}",
            CommandName.EXPLAIN: self._explain,
            CommandName.MERGE: lambda: self._choose("merge"),
            CommandName.REPARENT: lambda: self._choose("reparent"),
            CommandName.AUTO: self._choose_nothing,
            CommandName.APPLY: self._apply,
            CommandName.DOCTOR: lambda: diagnose(self.look, self._target() or self.look.snapshot.main, asked.rows),
            CommandName.NEXT: lambda: next_revisions(self.look, self._target(), self.pull),
            CommandName.IGNORE: lambda: self._ignore(asked.reason),
            CommandName.UNIGNORE: self._unignore,
        }
        return doing[asked.verb]()

    def _target(self) -> Target | None:
        return None if self.pull is None else self.look.snapshot.targets.get(self.pull.base.ref)

    def _judged(self) -> Judged:
        """The pull request as it stands, repaired in the way that was asked for."""
        target, pull = self._target(), self.pull
        if target is None or pull is None:
            raise ValueError("only a pull request into a target can be judged")
        return self.look.judged(target, self.look.snapshot.head_of(pull), self.strategy)

    def _explain(self) -> str:
        target = self._target()
        if self.pull is not None and target is not None:
            return explain_pull(self._judged())
        issue = self.look.context.api.issue(self.look.repository.name, self.given.number)
        page = self.look.pages[self.given.number]
        others = (comment.body for comment in page.comments if comment.author.id != page.me)
        said = "\n".join([issue.title, issue.body, *others])
        return "\n\n".join(explain_target(self.look, each, said) for each in self.look.snapshot.targets.values())

    def _choose(self, strategy: Strategy) -> str:
        before, self.strategy = self.strategy, strategy
        judged = self._judged()
        plan = leading_plan(judged.examination)
        if isinstance(plan, Refuse):
            self.strategy = before
            why = " ".join(inline_code(reason.message) for reason in plan.reasons)
            return f"That is not possible here: {why} {' Or: '.join(plan.options)}"
        self.facts |= {"strategy": strategy, "by": self.comment.author.login}
        return f"{_chosen(judged, plan, strategy)}\n\n`{usage(CommandName.AUTO)}` undoes this."

    def _choose_nothing(self) -> str:
        self.strategy = None
        self.facts |= {"strategy": "auto", "by": self.comment.author.login}
        return f"The repository's policy chooses the repair again.\n\n{explain_pull(self._judged())}"

    def _apply(self) -> str:
        judged, pull = self._judged(), self.pull
        if judged.is_ok:
            return f"There is nothing to repair: {inline_code(one_line(judged.examination))}"
        target = self._target()
        if target is None or pull is None:
            raise ValueError("only a pull request into a target has a branch to push onto")
        made = self.repairs.push(WantedRepair(page(pull.number), target, judged, pull))
        if made.pushed:
            undo = ", then ".join(code(command) for own in judged.own_databases.values() for command in own.before)
            first = f"If a database of yours has run the branch, type {undo} **before** you pull. " if undo else ""
            done = f"Pushed {code(made.pushed[:10])} onto {code(pull.head.ref)}."
            return f"{done} {first}Pull it before you go on."
        return f"Nothing was pushed: {made.trouble}"

    def _ignore(self, reason: str) -> str:
        keys = sorted(problem_keys(self._judged().examination))
        if not keys:
            return "There is nothing wrong here that could be ignored."
        self.facts |= {"ignored": keys, "reason": reason, "by": self.comment.author.login}
        return (
            "The check is green now, despite what it found. That repairs nothing: the next deploy still meets "
            "the problem. New problems are still reported; `/onehead unignore` undoes this."
        )

    def _unignore(self) -> str:
        self.facts["ignored"] = None
        return "Nothing is ignored here any more. The pull request is judged again."

    def _refusal(self, who: Who) -> str:
        """Why the author of the comment may not do this; empty when they may."""
        if who is Who.ANYBODY:
            return ""
        is_author = self.pull is not None and self.pull.author.id == self.comment.author.id
        if who is Who.AUTHOR and is_author:
            return ""
        if who is Who.PUSHER and self.pull is not None and not self.pull.is_local:
            if is_author:
                return ""
            if not self.pull.allow_maintainer_edit:
                return (
                    "The branch is in a fork whose author has not allowed edits, so only they can push to it, or tick "
                    "*Allow edits from maintainers* on this page."
                )
        may_write = self._may_write()
        if may_write is None:
            self.facts[_UNSURE] = True
            return (
                "onehead does not know yet whether you may push here: the webhook about your comment says so, and it "
                "has not arrived. If this reply has not changed in a minute, edit your comment (a blank is enough) or "
                "write the command again. With admin rights in the repository, onehead could ask the forge itself."
            )
        if not may_write:
            return f"Only {who} can do that, and {inline(self.comment.author.login, 60)} may not. Nothing was done."
        if who is Who.PUSHER and self.pull is not None and self.pull.is_local:
            branch = self.look.context.api.branch(self.look.repository.name, self.pull.head.ref)
            if branch.protected:
                return (
                    f"{code(branch.name)} is protected, and the forge does not show who may push there: merge the "
                    "repair pull request instead."
                )
        return ""

    def _may_write(self) -> bool | None:
        if self.given.may_write is not None:
            return self.given.may_write
        login = self.comment.author.login
        if login.lower() == self.look.repository.name.owner.lower():
            return True
        try:
            return self.look.context.api.permission_of(self.look.repository.name, login) in MAY_WRITE
        except (Forbidden, NotFound):
            return None


def _chosen(judged: Judged, plan: Plan, strategy: Strategy) -> str:
    """What a choice means now, and what it costs."""
    if isinstance(plan, Nothing):
        return "There is nothing to repair now. The choice is kept for when there is."
    if isinstance(plan, Reissue) and all(reason.code != ReasonCode.FRESH_IDS for reason in plan.reasons):
        return (
            "Only a new id repairs an id that is there twice, not a merge or a re-parent, so the repair "
            "stays as it is. The choice is kept for when the chain forks."
        )
    if strategy == "merge":
        return (
            "The repair is a merge revision now, which is right for every database. What it costs: the chain keeps "
            "both ways, databases may go them in different orders, and `alembic downgrade -1` stops at the merge with "
            '"Ambiguous walk", so a downgrade across it has to name its revision.'
        )
    if plan.kind == "merge":
        reasons = (reason.message for each in judged.examination.environments for reason in each.plan.reasons)
        why = " ".join(map(inline_code, dict.fromkeys(reasons)))
        return f"A re-parent is not possible here, so it stays a merge. {why}"
    return f"The repair moves this branch's revisions now.\n\n{explain_pull(judged, losses_only=True)}"


def explain_target(look: Look, target: Target, said: str) -> str:
    """The state of a deployed branch, and what a crash that is reported in what people `said` means for it."""
    judged = look.judged(target, None)
    reading = read_log(said)
    named = [crash.subject for crash in reading.crashes if crash.trouble in _NAMES_A_REVISION and crash.subject]
    elsewhere = _places(look, target, named)
    here = {id_ for examined in judged.examination.environments for id_ in examined.facts.target.revisions}
    repair = next((pull for pull in look.snapshot.repairs_into(target.name) if not look.fault_of(pull)), None)
    return explanation(
        Explained(
            examination=judged.examination,
            tables=judged.tables,
            recent={
                e.facts.environment.path: look.judge.analysis.recent(e.facts)
                for e in judged.examination.environments
                if not forks_of(e.facts)
            },
            crashes=reading.believed(here | elsewhere.keys()).crashes,
            elsewhere=elsewhere,
            repair=f"#{repair.number}" if repair is not None else "",
        )
    )


def explain_pull(judged: Judged, *, losses_only: bool = False) -> str:
    """What a repair does and why it is this one, in a few sentences; the whole account is in the comment.

    `losses_only` leaves out how the pull request stands.
    """
    examination = judged.examination
    lines = [] if losses_only else [inline_code(one_line(examination)), ""]
    plan = leading_plan(examination)
    lines += [f"- {inline_code(reason.message)}" for reason in plan.reasons]
    if isinstance(plan, Reparent):
        tables = [table for found in judged.tables.values() for table in found]
        lines += [f"- {sentence}" for table in tables for sentence in _losses(table)]
    if not losses_only and isinstance(plan, Merge | Reparent):
        lines += ["", "The graph and the table of databases are in onehead's other comment on this page."]
    return "\n".join(lines).strip()


def diagnose(look: Look, target: Target, rows: tuple[str, ...]) -> str:
    """What ails a database with these rows, and what becomes of it: the diagnosis that the terminal gives."""
    judged = look.judged(target, None)
    every = {examined.facts.environment.path: examined.facts for examined in judged.examination.environments}
    # Of several environments only those are meant that know one of the rows.
    meant = {
        path: facts for path, facts in every.items() if len(every) == 1 or any(row in facts.target for row in rows)
    }
    if not every:
        return f"There is no Alembic environment on {code(target.name)}."
    if not meant:
        return f"No environment on {code(target.name)} has any of these rows."
    found = {path: look.judge.analysis.diagnose(facts, rows) for path, facts in meant.items()}
    places = {row: place for each in found.values() for row, place in each.places.items()}
    merged = {path: each.merged for path, each in found.items() if each.merged is not None}
    return doctor_answer({path: each.diagnosis for path, each in found.items()}, places, merged, target.point)


def next_revisions(look: Look, into: Target | None, pull: PullRequest | None) -> str:
    """What a new revision takes, and where those of a pull request belong, if it goes into a deployed branch."""
    snapshot = look.snapshot
    target, pull = into or snapshot.main, pull if into else None
    head = None if pull is None else snapshot.head_of(pull)
    if pull is not None and head is None:
        return "The pull request's branch can't be fetched yet; ask again in a minute."
    others = []
    for each in snapshot.pulls:
        tip = snapshot.head_of(each)
        if each != pull and tip is not None and not snapshot.is_ours(each):
            others.append(OpenPull(each.number, tip.sha, each.author.login, each.head.ref if each.is_local else ""))
    pulls = OpenPulls(tuple(others), None if pull is None else pull.number)
    found = look.judge.analysis.next(target.point, head, pulls, datetime.now(UTC).replace(tzinfo=None))
    return next_answer(found.environments, found.own_databases, target.point)


def _losses(table: StateTable) -> list[str]:
    """Databases that would skip something without a word, if this branch's revisions were moved."""
    if "reparent" not in table.fixes:
        return []
    column = table.fixes.index("reparent")
    databases: dict[tuple[str, ...], list[str]] = {}
    for state in table.states:
        if state.outcomes[column].kind == "loss":
            at = [" and ".join(code(row) for row in rows) for rows in state.rows]
            databases.setdefault(state.outcomes[column].lost, []).extend(at)
    return [
        f"A database at {', or '.join(at)} would never run {' and '.join(map(code, lost))}, without any error."
        for lost, at in databases.items()
    ]


def _places(look: Look, target: Target, ids: list[str]) -> dict[str, str]:
    """Revision id → the open pull request or branch that would bring it to the target."""
    found: dict[str, str] = {}
    for name, head in _elsewhere_than(look, target) if ids else ():
        if len(found) == len(ids):
            break
        for item in look.brought(target, head):
            if item.revision.id in ids:
                found.setdefault(item.revision.id, name)
    return found


def _elsewhere_than(look: Look, target: Target) -> Iterator[tuple[str, Point]]:
    """Everything else that people work on, by its name in Markdown: pull requests first, then other branches."""
    for pull in look.snapshot.pulls:
        head = look.snapshot.head_of(pull)
        if head is not None and not look.snapshot.is_ours(pull):
            branch = f" ({code(head.ref.removeprefix(HEADS))})" if pull.has_branch else ""
            yield f"#{pull.number}{branch}", head
    others = [name for name in look.snapshot.targets if name != target.name]
    for name in (*others, *lone_branches(look.snapshot.pulls, look.snapshot.heads, look.snapshot.targets)):
        yield f"the branch {code(name)}", Point(f"{HEADS}{name}", look.snapshot.heads[name])
