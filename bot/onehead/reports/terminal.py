"""A verdict and the change of a repair as text in a terminal, and in the `remote:` lines of a push.

When the forge merges a pull request, it shows these lines as one message, so there are fewer of them.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from onehead.plan.findings import Code, Finding
from onehead.plan.forks import Fork, Interaction, between
from onehead.plan.plans import Merge, Move, Nothing, Plan, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.verdict import (
    Coverage,
    Examination,
    Examined,
    PushedBranch,
    mended,
    new_forks,
    objections,
    remaining_forks,
)
from onehead.revisions.model import FileChange
from onehead.screen import Paint, plain
from onehead.text import becomes, listed, named, quoted, visible

_SUMMARY = {
    "ok": "Healthy",
    "collision": "Collision",
    "fork": "Fork",
    "broken": "Broken chain",
    "unreadable": "Could not judge",
}

_FORKS = (Code.COLLISION, Code.FORK)
_REPAIRS = (Reparent, Merge, Reissue)

MAX_ENVIRONMENTS = 50
"""Environments that a text tells of, those with errors first where there are more."""

NO_ENVIRONMENT = "No Alembic environment found (no alembic.ini, no env.py, no revision files): nothing to judge."


def report(examination: Examination, *, command: str = "", found: str = "", paint: Paint = plain) -> str:
    """The text of `onehead check`; `command`: what to type next, `found`: how sides were found that nobody named."""
    following = ["", f"Next: {paint('strong', command)}"] if command else []
    return "\n".join([*_lines(examination, found, paint), *following]) + "\n"


def repair_report(examination: Examination, found: str = "", paint: Paint = plain) -> str:
    """What `onehead fix` says before the change: the verdict, each plan and its reasons, and what it can't repair."""
    return "\n".join(_lines(examination, found, paint, is_repair=True)) + "\n"


def coverage_line(examination: Examination) -> str:
    """What was looked at: a verdict without it could be a blind one."""
    return coverage_text(examination.coverage)


def coverage_text(coverage: Coverage) -> str:
    """The same for what was looked at without a verdict."""
    if coverage.environments == 0:
        ignored = number_of(coverage.ignored, "environment")
        return f"{ignored} left out by the policy." if coverage.ignored else NO_ENVIRONMENT
    ignored = f" {coverage.ignored} more left out by the policy." if coverage.ignored else ""
    environments, files = number_of(coverage.environments, "environment"), number_of(coverage.files, "revision file")
    return f"Read {environments}, {coverage.read} of {files}.{ignored}"


def number_of(number: int, what: str) -> str:
    """`1 head`, `2 heads`."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def compared_line(examination: Examination, found: str = "") -> str:
    """What was judged against what, and how that was found when nobody named it."""
    judged = f"{found}: judged" if found else "Judged"
    target = f"{short_ref(examination.target.ref)} ({examination.target.sha[:10]})"
    if examination.head is None:
        return f"{judged} {target} by itself."
    return f"{judged} {short_ref(examination.head.ref)} ({examination.head.sha[:10]}) as if merged into {target}."


def named_again(repo: str, option: str = "--repo") -> str:
    """The option that names a repository in a command, with a space before it; nothing for the one here (`.`)."""
    return "" if repo == "." else f" {option} {shlex.quote(repo)}"


def short_ref(ref: str) -> str:
    """A ref without its prefix; a full SHA shortened."""
    for prefix in ("refs/heads/", "refs/remotes/", "refs/tags/"):
        ref = ref.removeprefix(prefix)
    return ref[:10] if len(ref) in (40, 64) and all(c in "0123456789abcdef" for c in ref) else ref


def only_policy(examination: Examination) -> bool:
    """Whether nothing but the repository's policy is wrong."""
    return {finding.code for finding in examination.own_errors()} == {Code.BAD_POLICY}


def _lines(examination: Examination, found: str, paint: Paint, *, is_repair: bool = False) -> Iterator[str]:
    style = "good" if examination.verdict == "ok" else "bad"
    summary = paint(style, "Wrong policy" if only_policy(examination) else _SUMMARY[examination.verdict])
    if examination.verdict == "ok" and not examination.environments:
        summary = paint("strong", "Nothing to judge")
    yield f"{summary}. {compared_line(examination, found)}"
    yield coverage_line(examination)
    # What the line above does not say already.
    yield from (f"Not judged: {visible(e.message)}" for e in examination.unjudged if e.code != "no-environment")
    for finding in examination.findings:
        yield from _finding(finding, paint, alone=examination.head is None)
    told = [e for e in examination.environments if e.findings or examination.verdict == "ok"]
    if len(told) > MAX_ENVIRONMENTS:
        told.sort(key=lambda examined: not any(finding.severity == "error" for finding in examined.findings))
    for examined in told[:MAX_ENVIRONMENTS]:
        yield ""
        yield from _environment(examination, examined, paint, is_repair=is_repair)
    if len(told) > MAX_ENVIRONMENTS:
        yield ""
        yield f"{len(told) - MAX_ENVIRONMENTS} more environments are not shown; `--format json` lists them all."


def is_repairable(examination: Examination) -> bool:
    """Whether `onehead fix` has something to write."""
    return any(isinstance(examined.plan, _REPAIRS) for examined in examination.environments)


def has_advice(plan: Plan, finding: Finding) -> bool:
    """Whether a plan says itself what to do about a finding.

    A refusal does: mostly its reason is the very finding, and `onehead fix` can't help.
    """
    reasons = (reason.message for reason in plan.reasons)
    return isinstance(plan, Refuse) and (finding.code in _FORKS or finding.message in reasons)


def _environment(
    examination: Examination, examined: Examined, paint: Paint, *, is_repair: bool = False
) -> Iterator[str]:
    plan, heads = examined.plan, examined.facts.merged.heads
    yield _heads(examined, paint)
    if is_repair:
        errors = [finding for finding in examined.findings if finding.severity == "error"]
        findings = [] if isinstance(plan, _REPAIRS) else errors
    else:
        findings = [*examined.findings]
        if len(heads) > 1 or plan.kind != "none":
            names = {"target": short_ref(examination.target.ref), "head": "this branch", "repair": "repair"}
            yield from _drawn(examined, plan, names, paint)
    for finding in findings:
        yield from _finding(finding, paint, alone=examination.head is None, with_advice=not has_advice(plan, finding))
    if not is_repair:
        yield from independent_lines(examined)
    yield from _plan(plan, paint, {finding.message for finding in findings})


def _heads(examined: Examined, paint: Paint = plain) -> str:
    path, heads = examined.facts.environment.path or ".", examined.facts.merged.heads
    names = listed([*map(named, heads)], last=", ") or "none"
    return f"{paint('strong', visible(path))}: {number_of(len(heads), 'head')} ({names})"


def _drawn(examined: Examined, plan: Plan, names: dict[str, str], paint: Paint = plain) -> list[str]:
    """The fork as a picture; what draws it is loaded only when there may be one."""
    from onehead.reports.graph import draw, fork_picture  # noqa: PLC0415

    return draw(fork_picture(examined.facts, plan), names, paint)


def _finding(finding: Finding, paint: Paint, *, alone: bool, with_advice: bool = True) -> Iterator[str]:
    by = " (the target has it already)" if finding.introduced_by == "target" and not alone else ""
    yield f"  {paint(finding.severity, f'{finding.severity} {finding.code}')}{by}: {visible(finding.message)}"
    yield from (f"    at {visible(path)}:{line}" for path, line in finding.places)
    if finding.severity == "error" and with_advice:
        yield f"    → {finding.hint}"


def _plan(plan: Plan, paint: Paint, told: Collection[str]) -> Iterator[str]:
    match plan:
        case Nothing():
            # One head is what the line above says already.
            yield from (f"  {visible(reason.message)}" for reason in plan.reasons if reason.code != ReasonCode.ONE_HEAD)
            return
        case Reparent(moves=moves):
            yield f"  {paint('strong', 'Plan: re-parent.')} {_moves(moves, {})}{_becomes(plan.new_ids)}."
        case Merge(merges=merges):
            what = listed([f"one merge revision joins {_ids(parents)}" for parents in merges], 8, "; ", "; ")
            yield f"  {paint('strong', 'Plan: merge.')} {what[0].upper()}{what[1:]}."
        case Reissue(files=files, moves=moves, dropped=dropped):
            new = {old: f"the id `{visible(id_)}`" for old, id_ in plan.new_ids.items()}
            changes = [
                f"`{visible(path)}` gets {new.get(id_, 'a new id')} instead of `{visible(id_)}`" for id_, path in files
            ]
            changes += [f"`{visible(path)}` is dropped, a copy of `{visible(id_)}`" for id_, path in dropped]
            # Two files have the old id, and one of them moves.
            names = {id_: plan.new_ids.get(id_, id_) for id_, _ in files}
            moved = f"; {_moves(moves, names)}" if moves else ""
            further = {old: id_ for old, id_ in plan.new_ids.items() if old not in dict(files)}
            title = "Plan: re-issue." if files else "Plan: drop the copy."
            yield f"  {paint('strong', title)} {listed(changes, 8, '; ', '; ')}{_becomes(further)}{moved}."
        case Refuse(options=options):
            yield f"  {paint('strong', 'Plan: none that onehead could carry out.')} A person has to decide:"
            yield from (f"    - {option}" for option in options)
    yield from (f"    because: {visible(reason.message)}" for reason in plan.reasons if reason.message not in told)


def _becomes(new_ids: Mapping[str, str]) -> str:
    return visible(f"; {becomes(new_ids)}") if new_ids else ""


def _moves(moves: tuple[Move, ...], names: Mapping[str, str]) -> str:
    told = [
        f"{_ids((names.get(m.revision, m.revision),))} moves from {_ids(m.old_parents)} onto {_ids(m.new_parents)}"
        for m in moves
    ]
    return listed(told, 8, "; ", "; ")


def _ids(ids: tuple[str, ...]) -> str:
    return visible(quoted(ids, joint=" and ")) or "nothing (a base)"


INDEPENDENT = "no conflict: every operation on both sides was understood, and they touch different things"


def both_sides_lines(examined: Examined, fork: Fork) -> Iterator[str]:
    """One line per pair of heads; none where what they do was not read, as in a fork that the target has already."""
    return map(_said, between(examined.interactions, fork))


def independent_lines(examined: Examined) -> Iterator[str]:
    """The same for those that get along, where everything else is told as a finding."""
    return (_said(each) for each in examined.interactions if each.kind == "independent")


_SAID = {
    "independent": INDEPENDENT,
    "unknown": "a person has to decide whether they conflict; `onehead check` says where",
    "silent": "both orders run, and leave different tables or rows; `onehead check` says which",
    "order": "the order matters, and differs between databases; `onehead check` says why",
    "conflict": "they can't both run, in whichever order; `onehead check` says why",
}


def _said(interaction: Interaction) -> str:
    said, first = _SAID[interaction.kind], interaction.first
    if interaction.kind == "order" and first is not None:
        said = f"the side of {visible(first)} has to run first; `onehead check` says why"
    one, other = map(visible, interaction.heads)
    return f"  {one} and {other}: {said}."


MAX_SHOWN = 50
"""Revisions and files that one finding lists, in whatever form; of more, their number is told."""

Lines = Mapping[tuple[Code, str], int]
"""What a finding is about, and a file → the 1-based line in it; absent where there is none."""


class FilePlace(NamedTuple):
    """A file, and a 1-based line in it; 0 where no line can be named."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


def all_findings(examination: Examination) -> Iterator[tuple[Finding, Examined | None]]:
    """Every finding, and its environment; those of the whole repository first, without one."""
    yield from ((finding, None) for finding in examination.findings)
    yield from ((finding, each) for each in examination.environments for finding in each.findings)


def places(finding: Finding, examined: Examined | None, lines: Lines) -> list[FilePlace]:
    """The files of a finding. Views that show one place only show the first, so the branch's own stand there."""
    facts = examined.facts if examined else None
    inherited = facts.target.paths if facts and facts.head is not None else frozenset()
    ordered = sorted(finding.paths, key=lambda path: (path in inherited, path))
    operations = dict(finding.places)
    return [
        FilePlace(path, operations.get(path) or finding.line or lines.get((finding.code, path), 0))
        for path in ordered[:MAX_SHOWN]
    ]


def left_out(finding: Finding) -> int:
    """How many of its revisions, or of its files where these are more, are not listed."""
    return max(0, len(finding.revisions) - MAX_SHOWN, len(finding.paths) - MAX_SHOWN)


def diff(changes: Iterable[FileChange], before: Mapping[str, bytes]) -> str:
    """Unified diff of all changes, with one unchanged line around each.

    `before`: content of the files as they are, by path; a path that is absent is a new file.
    """
    from difflib import unified_diff  # noqa: PLC0415 - `check` shows no diff

    parts = []
    for change in changes:
        old, new = before.get(change.path), change.data
        name = change.new_path or change.path
        was = "/dev/null" if old is None else f"a/{change.path}"
        becomes = "/dev/null" if new is None else f"b/{name}"
        lines = unified_diff(_split(old), _split(new), was, becomes, n=1, lineterm="")
        parts += [line.rstrip("\r\n") for line in lines]
    return "\n".join(parts) + "\n" if parts else ""


def painted(text: str, paint: Paint) -> str:
    """A unified diff in the colours that git gives it."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return "".join(f"{paint(style, line) if (style := _style_of(line)) else line}\n" for line in lines)


def _style_of(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "strong"
    return {"@": "place", "+": "added", "-": "removed"}.get(line[:1], "")


def _split(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8", "replace").split("\n")


REPAIR = "onehead/repair"
"""The branch that the commands shown to a pusher write the repair to."""

_MENDED_BY_FIX = (*_FORKS, Code.DUPLICATE_ID)
_MAX_SHOWN = 4
"""Findings, or environments, that are spelt out; of more it only gives the number."""
TAKEN_TOGETHER = "Nothing of this push was accepted: its branches are taken together or not at all."
_WHAT_FIX_DOES = (
    "`onehead fix` moves your revisions on top (re-parent) where no database can have",
    "run them, and joins the heads with a merge revision where one may have.",
)


def refusal(pushed: PushedBranch, *, merging: bool) -> Iterator[str]:
    """Why a push is refused, and the way out.

    `merging`: it is the merge of a pull request: nobody has a clone with it, and the text becomes one message.
    """
    errors = objections(pushed)
    subject = "not merged" if merging else "push refused"
    yield f"onehead: {subject}. {_headline(pushed, errors)}"
    if not merging:
        yield from _pictures(pushed)
    yield from _findings([finding for finding in errors if merging or finding.code not in _FORKS])
    if any(finding.code in _MENDED_BY_FIX for finding in errors):
        yield from _merge_way_out(pushed.branch) if merging else _push_way_out(pushed)


def acceptance(pushed: PushedBranch) -> Iterator[str]:
    """What is worth saying about a deployed branch whose push is accepted; mostly nothing."""
    branch = visible(pushed.branch)
    joined, forked = mended(pushed), remaining_forks(pushed)
    for examined in joined[:_MAX_SHOWN]:
        where, heads = visible(examined.facts.environment.path or "."), map(named, examined.facts.merged.heads)
        yield f"onehead: {branch} is at one head again in {where}: {listed([*heads])}. Thank you."
    if len(joined) > _MAX_SHOWN:
        yield f"onehead: so it is in {len(joined) - _MAX_SHOWN} more environments."
    for fork in forked[:_MAX_SHOWN]:
        yield f"onehead: {branch} was forked before this push and still is: heads {listed([*map(named, fork.heads)])}."
        yield f"  Its next deploy stops. The repair: onehead fix --target {shlex.quote(pushed.branch)}"
    if len(forked) > _MAX_SHOWN:
        yield f"onehead: so are {len(forked) - _MAX_SHOWN} more of its forks."
    if pushed.before != "default":
        yield from _warnings(pushed)


def heads_up(examination: Examination) -> Iterator[str]:
    """What a branch would do to the deployed one: a warning, while it is accepted."""
    errors = examination.own_errors()
    if not errors or examination.head is None:
        return
    ours, theirs = short_ref(examination.head.ref), short_ref(examination.target.ref)
    yield f"onehead: accepted, but {visible(ours)} can't be merged into {visible(theirs)} like this."
    yield from _findings(errors)
    if any(finding.code in _MENDED_BY_FIX for finding in errors):
        yield "The onehead bot, where there is one, opens a pull request with the repair. By hand:"
        yield from _fix(f"--target {shlex.quote(f'origin/{theirs}')} --head HEAD")


def not_judged(message: str, hint: str, *, refused: bool) -> Iterator[str]:
    """That a push could not be judged, and what became of it."""
    if refused:
        yield "onehead: push refused. It could not be judged, and this server asks for a verdict."
    else:
        yield "onehead: accepted WITHOUT a verdict. This push could not be judged."
    yield f"  {visible(message)}"
    if hint:
        yield f"  → {visible(hint)}"
    if refused:
        yield "Push again. If this comes again, show it to whoever looks after the server."
    else:
        yield "Judge it in your clone: onehead check. If this comes again, show it to whoever looks"
        yield "after the server."


def not_looked_ahead(message: str) -> Iterator[str]:
    """That nobody can say how the other branches of an accepted push would get on with the deployed one."""
    yield "onehead: accepted. It is not known whether it would collide once merged:"
    yield f"  {visible(message)}"


def _headline(pushed: PushedBranch, errors: tuple[Finding, ...]) -> str:
    branch, codes = visible(pushed.branch), {finding.code for finding in errors}
    if codes & set(_FORKS):
        return f"{branch} would have {_too_many(pushed)} too many, and its next deploy would stop."
    if all(finding.blinds for finding in errors):
        return f"It is not known whether {branch} would stay at one head."
    return f"The next deploy of {branch} would break."


def _too_many(pushed: PushedBranch) -> str:
    forks = [fork for each in pushed.examination.environments for fork in new_forks(each, pushed.examination.judged)]
    number = sum(len(fork.new) or len(fork.heads) - 1 for fork in forks)
    return "a head" if number == 1 else f"{number} heads"


def _pictures(pushed: PushedBranch) -> Iterator[str]:
    forked = [each for each in pushed.examination.environments if new_forks(each, pushed.examination.judged)]
    for examined in forked[:_MAX_SHOWN]:
        yield ""
        yield _heads(examined)
        names = {} if pushed.examination.head is None else {"target": pushed.branch, "head": "this push"}
        yield from _drawn(examined, Nothing(()), names)
        if examined.facts.allowed_heads > 1:
            yield f"  The policy of {visible(pushed.branch)} allows {examined.facts.allowed_heads} heads here."
        else:
            yield '  `alembic upgrade head` stops there with "Multiple head revisions".'
    if len(forked) > _MAX_SHOWN:
        yield f"And {len(forked) - _MAX_SHOWN} more environments with too many heads."


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:_MAX_SHOWN]:
        yield f"  {finding.severity} {finding.code}: {visible(finding.message)}"
        if finding.code not in _FORKS and finding.severity == "error":
            yield f"    → {finding.hint}"
    if len(findings) > _MAX_SHOWN:
        yield f"  and {len(findings) - _MAX_SHOWN} more; onehead check lists them all."


def _push_way_out(pushed: PushedBranch) -> Iterator[str]:
    branch = shlex.quote(pushed.branch)
    yield ""
    yield "To correct it, type in your clone, on what you pushed:"
    if pushed.grows:
        yield from _fix(f"--target {shlex.quote(f'origin/{pushed.branch}')} --head HEAD")
        yield f"  git push origin HEAD:{branch}"
        yield from _WHAT_FIX_DOES
    else:
        # What stood there before is not part of it, so it is repaired by itself: its heads are joined.
        yield f"  onehead fix --target HEAD --onto-branch {REPAIR}"
        yield f"  git merge {REPAIR}"
        yield "and push again as you did. `onehead fix` joins the heads with a merge revision."
    yield "Or push to a branch of its own and open a pull request. The onehead bot, where"
    yield "there is one, answers with the repair:"
    yield "  git push origin HEAD:refs/heads/NEW-NAME"


def _merge_way_out(branch: str) -> Iterator[str]:
    yield "Merge the repair into this branch first: the onehead bot, where there is one, opens a"
    yield "pull request with it. By hand, in a clone, on this branch:"
    yield from _fix(f"--target {shlex.quote(f'origin/{branch}')} --head HEAD")
    yield "  git push"


def _fix(sides: str) -> Iterator[str]:
    yield "  git fetch origin"
    yield f"  onehead fix {sides} --onto-branch {REPAIR}"
    yield f"  git merge {REPAIR}"


def _warnings(pushed: PushedBranch) -> Iterator[str]:
    examination = pushed.examination
    found = [
        finding
        for finding, _ in all_findings(examination)
        if finding.introduced_by == examination.judged and (finding.severity == "warning" or finding.blinds)
    ]
    if found:
        yield f"onehead: accepted. Look at {'this' if len(found) == 1 else 'these'}:"
        yield from _findings(found)
