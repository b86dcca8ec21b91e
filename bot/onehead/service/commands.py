"""Commands in comments: who asks for what, whether they may, and the one reply that answers all of a comment.

The reply is also the memory: a comment that has one was answered, however often it is edited, and what people chose
(another repair, to ignore a problem) stands in the reply's hidden facts. See `onehead.service.page`. One kind of reply
does not end the matter: where nobody could say yet whether the author may do it. The webhook that says so edits it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from onehead.commands import CALL, COMMANDS, CommandName, CommentCommand, Mistake, Who, commands_in, usage
from onehead.forge.errors import Forbidden, NotFound
from onehead.forge.intents import Marker, ensure_comment, react
from onehead.forge.models import Comment, PullRequest
from onehead.plan.plans import Nothing, Plan, ReasonCode, Refuse, Reissue
from onehead.plan.policy import Strategy
from onehead.reports.comment import leading_plan, one_line
from onehead.reports.replies import Answer, help_text, reply
from onehead.service.agenda import is_local
from onehead.service.answers import diagnose, explain_pull, explain_target
from onehead.service.bench import Bench, Case, Target
from onehead.service.engine import CommandGiven
from onehead.service.offer import apply_repair, cannot_push
from onehead.service.page import ANSWER, Page, problem_keys
from onehead.text import code, inline, inline_code

log = structlog.get_logger(__name__)

_MAY_WRITE = {"write", "admin", "owner"}

_UNSURE = "unsure"
"""Fact of a reply that was given without knowing whether the author may do what they asked for."""


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


def answer_commands(bench: Bench, given: CommandGiven) -> set[int]:
    """Do what a comment asks for, and reply to it once.

    Returns:
        numbers of the open pull requests that have to be judged again, because something was chosen there.
    """
    api, name = bench.desk.api, bench.repository.name
    try:
        comment = api.comment(name, given.comment)
    except NotFound:
        return set()
    asked = commands_in(comment.body)
    if not asked or comment.author.id == bench.desk.me.id:
        return set()
    pull = next((pull for pull in bench.pulls if pull.number == given.number), None)
    if _is_due(bench.page(given.number).answer_to(comment.id), given):
        react(api, name, comment.id, "eyes")
        request = _Request(bench, given, comment, pull)
        answers = [Answer(_written(each), request.answer(each)) for each in asked]
        place = Marker(ANSWER, str(comment.id), request.facts)
        ensure_comment(api, name, given.number, marker=place, text=reply(answers), author=bench.desk.me)
        bench.forget_page(given.number)
        log.info("Answered commands.", repository=str(name), number=given.number, comment=comment.id)
    return {given.number} if pull is not None else set()


def _is_due(reply: Marker | None, given: CommandGiven) -> bool:
    return reply is None or (_UNSURE in reply.facts and given.may_write is not None)


def _written(each: CommentCommand | Mistake) -> str:
    if isinstance(each, Mistake):
        return each.line
    return " ".join(filter(None, [CALL, each.verb, *each.rows, each.reason]))


@dataclass
class _Request:
    """One comment with commands.

    Attributes:
        bench: the repository.
        given: what the job says about the comment.
        comment: as it is now.
        pull: the open pull request under which it stands; `None` for an issue or a closed one.
        facts: what the reply remembers.
        strategy: the repair that was chosen on the page, or above in this comment.
    """

    bench: Bench
    given: CommandGiven
    comment: Comment
    pull: PullRequest | None
    facts: dict[str, object] = field(default_factory=dict)
    strategy: Strategy | None = field(init=False)

    def __post_init__(self) -> None:
        self.strategy = self.bench.page(self.given.number).choices.strategy

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
            CommandName.CHECK: lambda: f"Judged again: {inline_code(one_line(self._case().examination))}",
            CommandName.EXPLAIN: self._explain,
            CommandName.MERGE: lambda: self._choose("merge"),
            CommandName.REPARENT: lambda: self._choose("reparent"),
            CommandName.AUTO: self._choose_nothing,
            CommandName.APPLY: self._apply,
            CommandName.DOCTOR: lambda: diagnose(self.bench, self._target() or self.bench.main, asked.rows),
            CommandName.IGNORE: lambda: self._ignore(asked.reason),
            CommandName.UNIGNORE: self._unignore,
        }
        return doing[asked.verb]()

    def _target(self) -> Target | None:
        return None if self.pull is None else self.bench.targets.get(self.pull.base.ref)

    def _case(self) -> Case:
        """The pull request as it stands, repaired in the way that was asked for."""
        target, pull = self._target(), self.pull
        if target is None or pull is None:
            raise ValueError("only a pull request into a target can be judged")
        return self.bench.judge(target, self.bench.head_of(pull), self.strategy)

    def _explain(self) -> str:
        target = self._target()
        if self.pull is not None and target is not None:
            return explain_pull(self._case())
        issue = self.bench.desk.api.issue(self.bench.repository.name, self.given.number)
        page = self.bench.page(self.given.number)
        others = (comment.body for comment in page.comments if comment.author.id != page.me)
        said = "\n".join([issue.title, issue.body, *others])
        return "\n\n".join(explain_target(self.bench, each, said) for each in self.bench.targets.values())

    def _choose(self, strategy: Strategy) -> str:
        before, self.strategy = self.strategy, strategy
        case = self._case()
        plan = leading_plan(case.examination)
        if isinstance(plan, Refuse):
            self.strategy = before
            why = " ".join(inline_code(reason.message) for reason in plan.reasons)
            return f"That is not possible here: {why} {' Or: '.join(plan.options)}"
        self.facts |= {"strategy": strategy, "by": self.comment.author.login}
        return f"{_chosen(case, plan, strategy)}\n\n`{usage(CommandName.AUTO)}` undoes this."

    def _choose_nothing(self) -> str:
        self.strategy = None
        self.facts |= {"strategy": "auto", "by": self.comment.author.login}
        return f"The repository's policy chooses the repair again.\n\n{explain_pull(self._case())}"

    def _apply(self) -> str:
        case, pull = self._case(), self.pull
        if pull is None:
            raise ValueError("only a pull request has a branch to push onto")
        if case.examination.verdict == "ok":
            return f"There is nothing to repair: {inline_code(one_line(case.examination))}"
        made = apply_repair(self.bench, case, pull)
        if made.pushed:
            undo = ", then ".join(code(command) for own in case.judged.own_databases.values() for command in own.before)
            first = f"If a database of yours has run the branch, type {undo} **before** you pull. " if undo else ""
            done = f"Pushed {code(made.pushed[:10])} onto {code(pull.head.ref)}."
            return f"{done} {first}Pull it before you go on."
        return f"Nothing was pushed: {made.trouble}"

    def _ignore(self, reason: str) -> str:
        keys = sorted(problem_keys(self._case().examination))
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
        if who is Who.PUSHER and self.pull is not None and not is_local(self.pull):
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
        if who is Who.PUSHER and self.pull is not None and is_local(self.pull):
            branch = self.bench.desk.api.branch(self.bench.repository.name, self.pull.head.ref)
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
        if login.lower() == self.bench.repository.name.owner.lower():
            return True
        try:
            return self.bench.desk.api.permission_of(self.bench.repository.name, login) in _MAY_WRITE
        except (Forbidden, NotFound):
            return None


def _chosen(case: Case, plan: Plan, strategy: Strategy) -> str:
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
        return "A re-parent is not possible here, so it stays a merge. " + _reasons(case)
    return f"The repair moves this branch's revisions now.\n\n{explain_pull(case, losses_only=True)}"


def _reasons(case: Case) -> str:
    reasons = [reason.message for each in case.examination.environments for reason in each.plan.reasons]
    return " ".join(inline_code(reason) for reason in dict.fromkeys(reasons))
