"""What a pusher reads in the `remote:` lines: few, plain, and with the commands that lead out.

A merge through the forge's pages or its API shows the same lines in one message, so for that they are fewer still.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from onehead.plan.findings import Code, Finding
from onehead.plan.plans import Nothing
from onehead.plan.verdict import Examination, Examined, Landing, mended, new_forks, objections, remaining_forks
from onehead.reports.paint import visible
from onehead.reports.picture import fork_picture
from onehead.reports.text import short_ref
from onehead.reports.tree import draw
from onehead.wording import listed, shortened

REPAIR = "onehead/repair"
"""The branch that the commands shown to a pusher write the repair to."""

_FORKS = (Code.COLLISION, Code.FORK)
_MENDED_BY_FIX = (*_FORKS, Code.DUPLICATE_ID)
_MOST_SHOWN = 4
"""Findings, or environments, that are spelt out; of more it only gives the number."""
TAKEN_TOGETHER = "Nothing of this push was accepted: its branches are taken together or not at all."
_WHAT_FIX_DOES = (
    "`onehead fix` moves your revisions on top (re-parent) where no database can have",
    "run them, and joins the heads with a merge revision where one may have.",
)


def refusal(landing: Landing, *, merging: bool) -> Iterator[str]:
    """Why a push is refused, and the way out.

    Args:
        landing: the branch that it is refused for.
        merging: it is the merge of a pull request: nobody has a clone with it, and the text becomes one message.
    """
    errors = objections(landing)
    subject = "not merged" if merging else "push refused"
    yield f"onehead: {subject}. {_headline(landing, errors)}"
    if not merging:
        yield from _pictures(landing)
    yield from _findings([finding for finding in errors if merging or finding.code not in _FORKS])
    if any(finding.code in _MENDED_BY_FIX for finding in errors):
        yield from _merge_way_out(landing.branch) if merging else _push_way_out(landing)


def acceptance(landing: Landing) -> Iterator[str]:
    """What is worth saying about a deployed branch whose push is accepted; mostly nothing."""
    branch = visible(landing.branch)
    joined, forked = mended(landing), remaining_forks(landing)
    for examined in joined[:_MOST_SHOWN]:
        where, heads = visible(examined.facts.environment.path or "."), _ids(examined.facts.merged.heads)
        yield f"onehead: {branch} is at one head again in {where}: {heads}. Thank you."
    if len(joined) > _MOST_SHOWN:
        yield f"onehead: and so it is in {len(joined) - _MOST_SHOWN} more environments."
    for fork in forked[:_MOST_SHOWN]:
        yield f"onehead: {branch} was forked before this push and still is: heads {_ids(fork.heads)}."
        yield f"  Its next deploy stops. The repair: onehead fix --target {shlex.quote(landing.branch)}"
    if len(forked) > _MOST_SHOWN:
        yield f"onehead: so are {len(forked) - _MOST_SHOWN} more of its forks."
    if landing.before != "default":
        yield from _warnings(landing)


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


def _headline(landing: Landing, errors: tuple[Finding, ...]) -> str:
    branch, codes = visible(landing.branch), {finding.code for finding in errors}
    if codes & set(_FORKS):
        return f"{branch} would have {_too_many(landing)} too many, and its next deploy would stop."
    if all(finding.blinds for finding in errors):
        return f"It is not known whether {branch} would stay at one head."
    return f"The next deploy of {branch} would break."


def _too_many(landing: Landing) -> str:
    forks = [fork for each in landing.examination.environments for fork in new_forks(each, landing.examination.judged)]
    number = sum(len(fork.new) or len(fork.heads) - 1 for fork in forks)
    return "a head" if number == 1 else f"{number} heads"


def _pictures(landing: Landing) -> Iterator[str]:
    forked = [each for each in landing.examination.environments if new_forks(each, landing.examination.judged)]
    for examined in forked[:_MOST_SHOWN]:
        yield ""
        yield _heads(examined)
        alone = landing.examination.head is None
        names = {} if alone else {"target": landing.branch, "head": "this push"}
        yield from draw(fork_picture(examined.facts, Nothing(())), names)
        if examined.facts.allowed_heads > 1:
            yield f"  The policy of {visible(landing.branch)} allows {examined.facts.allowed_heads} heads here."
        else:
            yield '  `alembic upgrade head` stops at that with "Multiple head revisions".'
    if len(forked) > _MOST_SHOWN:
        yield f"And {len(forked) - _MOST_SHOWN} more environments with heads too many."


def _heads(examined: Examined) -> str:
    heads = examined.facts.merged.heads
    path, named = examined.facts.environment.path or ".", listed([*map(shortened, heads)], last=", ")
    return f"{visible(path)}: {len(heads)} heads ({visible(named)})"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:_MOST_SHOWN]:
        yield f"  {finding.severity} {finding.code}: {visible(finding.message)}"
        if finding.code not in _FORKS and finding.severity == "error":
            yield f"    → {finding.hint}"
    if len(findings) > _MOST_SHOWN:
        yield f"  and {len(findings) - _MOST_SHOWN} more; onehead check lists them all."


def _push_way_out(landing: Landing) -> Iterator[str]:
    branch = shlex.quote(landing.branch)
    yield ""
    yield "The way out, in your clone, on what you pushed:"
    if landing.grows:
        yield from _fix(f"--target {shlex.quote(f'origin/{landing.branch}')} --head HEAD")
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


def _warnings(landing: Landing) -> Iterator[str]:
    examination = landing.examination
    found = [
        finding
        for findings in (examination.findings, *(each.findings for each in examination.environments))
        for finding in findings
        if finding.introduced_by == examination.judged and (finding.severity == "warning" or finding.blinds)
    ]
    if found:
        yield f"onehead: accepted. Look at {'this' if len(found) == 1 else 'these'}:"
        yield from _findings(found)


def _ids(ids: tuple[str, ...]) -> str:
    return visible(listed([*map(shortened, ids)]))
