"""The comment on a pull request and the body of a repair, from `templates/comment/` and `templates/pull/`.

Whatever comes from the repository (ids, messages, branch names, authors) is escaped here, before a template gets it.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from onehead.databases.model import OwnDatabase, StateTable
from onehead.plan.decide import IN_A_TERMINAL
from onehead.plan.findings import Code, Facts, Finding
from onehead.plan.forks import ABOUT_BOTH_SIDES
from onehead.plan.plans import Nothing, Plan, Refuse, Reissue, Reparent
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Examination, Examined
from onehead.reports.formats import mermaid
from onehead.reports.graph import draw, fork_picture
from onehead.reports.replies import MAX_SIDES, clashes, fitted, footer
from onehead.reports.states import columns_and_rows, own_database_values
from onehead.reports.terminal import INDEPENDENT, coverage_line, has_advice, only_policy, short_ref
from onehead.text import code, fence, inline, inline_code, listed, shortened


def _sides(
    facts: Facts, examination: Examination, tables: Iterable[StateTable], brought_by: Mapping[str, str]
) -> list[dict[str, str]]:
    """One line per side of the forks; `brought_by`: path of a revision file → who brought it, as Markdown."""
    found: list[dict[str, str]] = []
    left_out = 0
    for fork in (table.fork for table in tables):
        shared = facts.merged.ancestors(*fork.points)
        # The branch's own are told of first where not all can be.
        heads = fork.heads if len(fork.heads) <= MAX_SIDES else tuple(dict.fromkeys((*fork.new, *fork.heads)))
        shown = heads[: max(0, MAX_SIDES - len(found))]
        left_out += len(heads) - len(shown)
        for head in shown:
            ids = facts.merged.parents_first(facts.merged.ancestors(head) - shared)
            people = [brought_by.get(facts.merged.revisions[id_].path, "") for id_ in ids]
            found.append(
                {
                    "name": "this branch" if head in fork.new else code(short_ref(examination.target.ref)),
                    "revisions": _in_a_cell([_side_revision(facts, id_) for id_ in ids]),
                    "brought_by": listed(list(dict.fromkeys(filter(None, people))), last=", ") or "?",
                }
            )
    if left_out:
        found.append({"name": f"and {left_out} more", "revisions": "", "brought_by": ""})
    return found


_FORKS = (Code.COLLISION, Code.FORK)
_MAX_IN_A_CELL = 4


def _side_revision(facts: Facts, id_: str) -> str:
    return f"{code(shortened(id_), in_table=True)} {inline(facts.merged.revisions[id_].doc, 60)}".strip()


def _in_a_cell(items: list[str]) -> str:
    rest = len(items) - _MAX_IN_A_CELL
    return "<br>".join(items[:_MAX_IN_A_CELL]) + (f"<br>and {rest} more" if rest > 0 else "")


MAX_PATCH_LENGTH = 20_000
"""Characters of a patch that a comment shows; a longer one is taken from its branch."""

MAX_FINDINGS = 12
"""Findings of one environment, and reasons, that a comment shows."""

MAX_ENVIRONMENTS = 5
"""Environments that a comment shows."""

_MAX_ALIKE = 4
"""Findings of one kind among these."""


@dataclass(frozen=True, slots=True)
class CommentContent:
    """What a comment or pull request is made from; texts are empty where there is no such thing.

    Attributes:
        diff: the essential change.
        tables: environment path → what each fix does to each database.
        own_databases: environment path → the database on which the author has tried the branch.
        brought_by: path of a revision file → who brought it, as finished Markdown ("@ann in #12").
        branch: where there can be no pull request: the branch that holds the repair, as `URL BRANCH` for `git fetch`.
        patch: the repair for `git am`, where it is not offered otherwise.
        pushed: the commit, where the repair was pushed onto the judged branch itself.
        merged_first: whether a merge of the target stands beneath the fix.
        trouble: why no repair branch was written, with what to do.
        source: where the judged commits come from: `branch`, `agit` (a push to `refs/for/…`) or `gone`.
        repair, commit: the pull request ("#2") and the commit with the fix.
        signing: whether the target takes signed commits only, which the repair is not: `no`, `likely` or `required`.
        commands: whether somebody answers commands there, as a service does on the page of a pull request.
    """

    examination: Examination
    diff: str = ""
    tables: Mapping[str, tuple[StateTable, ...]] | None = None
    own_databases: Mapping[str, OwnDatabase] = field(default_factory=dict)
    brought_by: Mapping[str, str] | None = None
    repair: str = ""
    branch: str = ""
    patch: str = ""
    pushed: str = ""
    merged_first: bool = False
    trouble: str = ""
    rivals: tuple[Rival, ...] = ()
    source: str = "branch"
    commit: str = ""
    signing: str = "no"
    commands: bool = True


def comment(content: CommentContent) -> str:
    """The comment on a pull request that has a problem."""
    plan = leading_plan(content.examination)
    return fitted(f"comment/{plan.kind}.md.j2", _values(content, plan))


def pull_title(examination: Examination) -> str:
    """Title of the repair pull request."""
    plan = leading_plan(examination)
    subject = short_ref((examination.head or examination.target).ref)
    return {
        "reparent": f"Move the migrations of {subject} onto the newest one",
        "merge": f"Merge the migration heads of {subject}",
        "reissue": f"Give the migrations of {subject} ids of their own",
    }[plan.kind]


def pull_body(content: CommentContent, pull: str = "") -> str:
    """Body of the repair pull request; `pull` is the pull request it repairs ("#1")."""
    values = _values(content, leading_plan(content.examination))
    heads = max((len(e.facts.merged.heads) for e in content.examination.environments), default=0)
    values |= {"pull": pull, "heads_now": heads}
    if pull:
        values["merge_instead"] = f"Comment {code('/onehead merge')} on {pull} instead."
    return fitted("pull/body.md.j2", values)


def leading_plan(examination: Examination) -> Plan:
    """The plan that a comment is about: a refusal first, for a person has to act on it."""
    order = {"refuse": 0, "reissue": 1, "merge": 2, "reparent": 3, "none": 4}
    plans = [each.plan for each in _failing(examination) or examination.environments]
    return min(plans, key=lambda plan: order[plan.kind], default=Nothing(()))


def one_line(examination: Examination) -> str:
    """What a commit status says."""
    if examination.verdict == "ok":
        if examination.coverage.environments == 0:
            return "No Alembic environment here."
        single = all(len(examined.facts.merged.heads) <= 1 for examined in examination.environments)
        heads = "One head" if single else "No more heads than are meant"
        return f"{heads}. {coverage_line(examination)}{warned(examination)}"
    errors = examination.own_errors()
    return _where(examination, errors[0]) + errors[0].message.replace("`", "")


def _where(examination: Examination, error: Finding) -> str:
    """Which environments are in trouble, where there are several."""
    if len(examination.environments) < 2 or error in examination.findings:
        return ""
    first, *others = [shortened(examined.facts.environment.path) for examined in _failing(examination)]
    also = f" (also {listed(others, 2)})" if others else ""
    return f"{first}{also}: "


def warned(examination: Examination) -> str:
    """How many warnings a healthy verdict comes with, and the first of them; empty for none."""
    warnings = examination.own_warnings()
    if not warnings:
        return ""
    number = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings, the first"
    return f" {number}: {warnings[0].message.replace('`', '')}"


def _failing(examination: Examination) -> list[Examined]:
    """The environments with an error that what is judged has brought."""
    return [
        examined
        for examined in examination.environments
        if any(f.severity == "error" and f.introduced_by == examination.judged for f in examined.findings)
    ]


def _aside(examination: Examination, judged: list[Examined]) -> Iterator[Finding]:
    """Warnings of the environments that are not told of because nothing is wrong with them."""
    warnings = examination.own_warnings()
    for examined in examination.environments:
        if examined not in judged:
            yield from (finding for finding in examined.findings if finding in warnings)


_AS_THEY_ARE = ("repair", "branch", "merged_first", "trouble", "source", "commit", "signing")


def _values(content: CommentContent, plan: Plan) -> dict[str, Any]:
    examination = content.examination
    target = code(short_ref(examination.target.ref))
    head = target
    if examination.head:  # a proposal without a branch (AGit) is the pull request on whose page this is said
        is_proposal = examination.head.ref.startswith("refs/pull/")
        head = "this pull request" if is_proposal else code(short_ref(examination.head.ref))
    judged = _failing(examination)
    shown = judged[:MAX_ENVIRONMENTS]
    told = {finding.message for e in shown for finding in e.findings}
    messages = [reason.message for e in shown for reason in e.plan.reasons if reason.message not in told]
    reasons = [inline_code(message.replace(IN_A_TERMINAL, "")) for message in messages]
    onto = sorted({p for m in plan.moves for p in m.new_parents}) if isinstance(plan, Reparent | Reissue) else []
    return {
        **{name: getattr(content, name) for name in _AS_THEY_ARE},
        "code": code,
        "fence": fence,
        "quote": shlex.quote,
        "base": short_ref(examination.target.ref),
        "branch_name": short_ref(examination.head.ref) if examination.head else "",
        "url": content.branch.partition(" ")[0],
        "kind": plan.kind,
        "only_policy": only_policy(examination),
        "fix": _fix(examination),
        "verdict": examination.verdict,
        "subject": f"{head[0].upper()}{head[1:]}",
        "after": _parting(examination),
        "pushed": code(content.pushed[:10]) if content.pushed else "",
        "environments": [_environment(content, examined, plan) for examined in shown],
        "several": len(examination.environments) > 1,
        "findings": _some([*examination.findings, *_aside(examination, judged)], plan),
        "more_environments": len(judged) - len(shown),
        "duplicates": isinstance(plan, Reissue) and not plan.by_policy,
        "only_copies": isinstance(plan, Reissue) and not plan.files,
        "reasons": list(dict.fromkeys(reasons))[:MAX_FINDINGS],
        "diff": _patch(content.diff),
        "onto": listed([code(shortened(id_)) for id_ in onto], last=", "),
        "becomes": _becomes(plan.new_ids) if isinstance(plan, Reparent | Reissue) else "",
        "size": " (two lines, nothing else)" if isinstance(plan, Reparent) and content.diff.count("\n+") <= 3 else "",
        "target": target,
        "head": head,
        "into_target": examination.head is None,
        "options": list(plan.options)[:MAX_FINDINGS] if isinstance(plan, Refuse) else [],
        "patch": _patch(content.patch),
        "has_patch": bool(content.patch),
        "by_patch": bool(_patch(content.patch)),
        "shortened": False,
        "own_databases": own_database_values(content.own_databases),
        "shared_database": _shared_database(plan),
        "merge_instead": _merge_instead(content),
        "rivals": clashes(content.rivals),
        **footer(examination),
    }


def _becomes(new_ids: Mapping[str, str]) -> str:
    return listed([f"{code(shortened(old))} becomes {code(shortened(new))}" for old, new in new_ids.items()], 4)


def _parting(examination: Examination) -> str:
    """After which revisions the chain parts, to be added to a title; empty where it does not."""
    points = {
        id_
        for e in examination.environments
        for f in e.findings
        if f.code in _FORKS
        for id_ in {*f.revisions}.difference(e.facts.merged.heads)
    }
    return f" after {' and '.join(code(shortened(id_)) for id_ in sorted(points)[:2])}" if points else ""


def _environment(content: CommentContent, examined: Examined, plan: Plan) -> dict[str, Any]:
    facts, examination = examined.facts, content.examination
    picture = fork_picture(facts, examined.plan)
    names = {"target": short_ref(examination.target.ref), "head": "this branch", "repair": "repair"}
    tables = (content.tables or {}).get(facts.environment.path, ())
    others = [
        finding
        for finding in examined.findings
        if (finding.code not in _FORKS or finding.introduced_by != examination.judged)
        and finding.code not in ABOUT_BOTH_SIDES
    ]
    return {
        "path": code(facts.environment.path),
        "mermaid": mermaid(picture, target=names["target"]) if picture.nodes else "",
        # For mails, screen readers and whoever sees no Mermaid.
        "outline": fence("\n".join(draw(picture, names))) if picture.nodes else "",
        "sides": _sides(facts, examination, tables, content.brought_by or {}),
        "tables": [columns_and_rows(table, commands=content.commands) for table in tables[:MAX_SIDES]],
        "both_sides": _both_sides(examined),
        "findings": _some(others, plan),
    }


def _some(found: list[Finding], plan: Plan) -> list[dict[str, str]]:
    """The first ones; of several of one kind, the later ones give way to other kinds.

    What the plan advises is in the next step of the comment, and not here once more.
    """
    told: Counter[Code] = Counter()
    shown: list[dict[str, str]] = []
    for finding in found:
        told[finding.code] += 1
        if told[finding.code] <= _MAX_ALIKE and len(shown) < MAX_FINDINGS:
            advises = finding.severity == "error" and not has_advice(plan, finding)
            message, hint = inline_code(finding.message), finding.hint if advises else ""
            shown.append({"severity": finding.severity, "code": str(finding.code), "message": message, "hint": hint})
    rest = len(found) - len(shown)
    if rest:
        message = f"{rest} more findings are not shown here; {code('onehead check')} lists them."
        shown.append({"severity": "note", "code": "more", "message": message, "hint": ""})
    return shown


_MEANING = {
    Code.SEMANTIC_CONFLICT: ":x: **fails in every order**",
    Code.ORDER_MATTERS: ":warning: **order matters**",
    Code.SILENT_DIFFERENCE: ":warning: **silent difference**",
    Code.UNKNOWN_OPERATION: ":grey_question: **look at it**",
    Code.NOT_IN_TRANSACTION: ":warning: **fails by itself**",
}


def _both_sides(examined: Examined) -> list[str]:
    """What the sides of a fork do to each other's work: one line per thing."""
    told = [f for f in examined.findings if f.code in ABOUT_BOTH_SIDES]
    lines = [f"{_MEANING[finding.code]}: {inline_code(finding.message)}" for finding in told[:MAX_FINDINGS]]
    if len(told) > MAX_FINDINGS:
        lines.append(f"and {len(told) - MAX_FINDINGS} more; {code('onehead check')} lists them.")
    if examined.interactions and all(interaction.kind == "independent" for interaction in examined.interactions):
        return [f"{INDEPENDENT[0].upper()}{INDEPENDENT[1:]}.", *lines]
    return lines


def _patch(text: str) -> str:
    return fence(text, "diff") if 0 < len(text) <= MAX_PATCH_LENGTH else ""


def _fix(examination: Examination) -> str:
    """The command that writes the repair."""
    head = f" --head {short_ref(examination.head.ref)}" if examination.head else ""
    return f"onehead fix --target {short_ref(examination.target.ref)}{head}"


def _merge_instead(content: CommentContent) -> str:
    """How to get the merge."""
    if content.commands:
        return f"Comment {code('/onehead merge')} instead."
    return f"Run {code(f'{_fix(content.examination)} --strategy merge')} in a clone instead, and push what it writes."


def _shared_database(plan: Plan) -> str:
    """What becomes of a shared database that has run what is moved; empty where nothing is."""
    stops = 'would stop with "Can\'t locate revision"'
    match plan:
        case Reissue(by_policy=True):
            return stops
        case Reparent(new_ids=new_ids) if not new_ids:
            return "would silently skip the other side"
        case Reparent(new_ids=new_ids):
            return stops if set(plan.moved) <= new_ids.keys() else f"{stops}, or silently skip the other side"
    return ""
