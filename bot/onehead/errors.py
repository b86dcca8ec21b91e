"""Errors that a person reads: what happened, what to do next, and the exit code that says so to a script."""

from __future__ import annotations


class OneheadError(Exception):
    """Something a person has to know.

    Attributes:
        message: what happened and what it means, a full sentence.
        hint: what to do next, a full sentence.
        lasting: whether it most likely stays until a person does something, so that waiting alone does not help.
        waits_for_sweep: whether trying again soon costs too much for what it promises.
    """

    exit_code = 3
    lasting = False
    waits_for_sweep = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OneheadError):
    """Wrong usage or configuration."""

    exit_code = 2


class CannotJudge(OneheadError):
    """The facts could not be read, so no verdict is given: fails closed."""
