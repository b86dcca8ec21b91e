"""What two operations do to each other: the values of a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.operations.dialects import EVERYWHERE, Dialect
from onehead.operations.operation import Step
from onehead.operations.phrases import phrase
from onehead.operations.touch import Thing, Touch


class Kind(StrEnum):
    """How two sides get along; from best to worst."""

    INDEPENDENT = "independent"
    UNKNOWN = "unknown"
    SILENT = "silent"
    ORDER = "order"
    CONFLICT = "conflict"


Which = Literal["left", "right"]


class Act(NamedTuple):
    """One operation of one revision.

    Attributes:
        revision: which.
        step: the operation.
        touches: what it touches, as seen from outside its side.
        on: the same, thing by thing.
    """

    revision: str
    step: Step
    touches: tuple[Touch, ...]
    on: Mapping[Thing, tuple[Touch, ...]] = MappingProxyType({})

    def __str__(self) -> str:
        return f"`{self.revision}` {phrase(self.step.does)} (line {self.step.line})"


class Rule(NamedTuple):
    """What a rule says about an ordered pair of operations, before it is told of two revisions.

    Attributes:
        kind: how they get along.
        says: what happens, a sentence's second half; `{a}` and `{b}` stand for the revisions.
        first: for `order`: which of the two has to run first, `a` or `b`.
        dialects: where this holds.
    """

    kind: Kind
    says: str
    first: Literal["a", "b", ""] = ""
    dialects: tuple[Dialect, ...] = EVERYWHERE

    def flipped(self) -> Rule:
        """The same with the two exchanged."""
        says = self.says.replace("{a}", "{x}").replace("{b}", "{a}").replace("{x}", "{b}")
        first: Literal["a", "b", ""] = "b" if self.first == "a" else "a" if self.first == "b" else ""
        return self._replace(says=says, first=first)


class Clash(NamedTuple):
    """Two operations that do not commute, or of which that can't be told.

    Attributes:
        kind: `unknown`, `silent`, `order` or `conflict`.
        left: of the one side.
        right: of the other; `None` where one side holds what can't be known, whatever the other does.
        first: for `order`: the side that has to run first.
        dialects: where this holds.
        message: both operations and what happens, a full sentence.
    """

    kind: Kind
    left: Act | None
    right: Act | None
    first: Which | None
    dialects: tuple[Dialect, ...]
    message: str


def clash(rule: Rule, left: Act, right: Act) -> Clash:
    """Tell a rule of two real operations. What depends on a condition is not claimed."""
    says = rule.says.format(a=f"`{left.revision}`", b=f"`{right.revision}`")
    kind = rule.kind
    doubtful = [each for each in (left, right) if each.step.condition or each.step.repeated]
    if doubtful and kind != Kind.UNKNOWN:
        kind = Kind.UNKNOWN
        why = "a condition" if any(each.step.condition for each in doubtful) else "how often a loop runs"
        says = f"{says} Whether that happens depends on {why}, so look at both."
    first: Which | None = None
    if kind == Kind.ORDER:
        first = "left" if rule.first == "a" else "right"
    return Clash(kind, left, right, first, rule.dialects, f"{left} and {right}: {says}")
