"""Whether a deployed branch takes signed commits only: what onehead writes is not signed.

Forgejo tells the rules of a branch to administrators of the repository alone. To everybody it tells that there are
some; then the branch's own latest commits have to tell the rest.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from onehead.forge.admin import Administration
from onehead.gitrepo.refs import are_signed
from onehead.service.bench import Bench, Target

_MAX_LOOKED_AT = 10
"""Commits on the line of the branch that all have to be signed to tell of a rule."""

Signing = Literal["no", "likely", "required"]


def signing(bench: Bench, target: Target) -> Signing:
    """Whether a branch takes signed commits only, found out once in a run; "no" also where that can't be told."""
    if target.name not in bench.signing:
        bench.signing[target.name] = "no"
        with suppress(Exception):  # a repair is of use without this
            bench.signing[target.name] = _signing(bench, target)
    return bench.signing[target.name]


def _signing(bench: Bench, target: Target) -> Signing:
    name = bench.repository.name
    if bench.repository.permissions.admin:
        rule = Administration(bench.desk.api.connection).rule_for(name, target.name)
        return "required" if rule is not None and "require_signed_commits" in rule.other else "no"
    if are_signed(bench.git, target.point.sha, _MAX_LOOKED_AT):
        return "likely" if bench.desk.api.branch(name, target.name).protected else "no"
    return "no"
