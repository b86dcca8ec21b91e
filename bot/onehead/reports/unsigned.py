"""What is said of a repair where the deployed branch takes signed commits only: a person has to sign it."""

from __future__ import annotations

import shlex

from onehead.plan.verdict import Examination
from onehead.quoting import code, fence
from onehead.reports.text import short_ref


def unsigned(examination: Examination, signing: str, commit: str, *, merged_first: bool, elsewhere: bool) -> str:
    """That a repair is not signed, and how a signed one is made of it; empty where nobody asks for that.

    Args:
        examination: what it repairs.
        signing: whether the target takes signed commits only: `no`, `likely` or `required`.
        commit: the one with the fix.
        merged_first: whether a merge of the target stands beneath it.
        elsewhere: whether the judged branch lies in a fork, or is none.
    """
    base = short_ref(examination.target.ref)
    if signing == "no":
        return ""
    said = (
        f"{code(base)} takes signed commits only, and this repair is not signed: Forgejo refuses to merge it there."
        if signing == "required"
        else f"{code(base)} is protected, and its latest commits are all signed. If its rule asks for that, Forgejo "
        "refuses to merge this repair there, for it is not signed."
    )
    if elsewhere:
        merge = f"merge {code(base)} with {code('git merge -S')}, then " if merged_first else ""
        return (
            f"> [!IMPORTANT]\n> {said} Sign it while you take it: {merge}take the patch below with {code('git am -S')}."
        )
    if examination.head is None:
        steps = ["git fetch origin", f"git switch -c signed-repair {shlex.quote(f'origin/{base}')}"]
        end = "git push origin signed-repair"
    else:
        branch = shlex.quote(short_ref(examination.head.ref))
        steps = ["git fetch origin", f"git switch {branch}", f"git merge --ff-only origin/{branch}"]
        steps += [f"git merge --no-edit -S {shlex.quote(f'origin/{base}')}"] if merged_first else []
        end = f"git push origin {branch}"
    commands = "\n".join([*steps, f"git cherry-pick -S {commit}", end])
    return f"> [!IMPORTANT]\n> {said} Instead of merging it, sign a copy:\n\n{fence(commands)}"
