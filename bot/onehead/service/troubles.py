"""Trouble with one subject of a run (a pull request, a branch) concerns that one alone: kept, logged, told at the end.

Each step of a run is done `apart`: what it raises is kept here and the run goes on. At the end `raise_kept` gives all
of it to whoever runs the job, who tries it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from onehead.errors import OneheadError
from onehead.forge.errors import Blocked, ForgeError, Locked, MissingScope, Unauthorised, Unavailable

log = structlog.get_logger(__name__)

NOT_JUDGED = "it could not be judged"
NO_STATUS = "its status could not be set"
NOT_READ = "its comments could not be read"
NOT_TOLD = "its page could not be brought up to date"
NOT_REPAIRED = "its repair could not be offered"
NOT_CLOSED = "it could not be closed"
NOT_REMOVED = "it could not be deleted"
NOT_ANSWERED = "a command could not be answered"
"""What could not be done for a subject."""

_MAX_TOLD = 3  # troubles that the last error quotes; all of them are in the log


def page(number: int) -> str:
    """The name of a pull request or issue as a subject; a branch has its full ref."""
    return f"#{number}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with a subject (`#12`, or the full name of a branch), and what could not be done, as a clause."""

    subject: str
    doing: str
    error: Exception

    @property
    def note(self) -> str:
        """A sentence for the commit status, the same on every run while the cause is the same."""
        return f"{self.doing[0].upper()}{self.doing[1:]}: {cause(self.error)}."


class ForgeIsAway(OneheadError):
    """The forge answers nothing at all: no use to go on with this run. `retry_after`: the seconds that it asks for."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(error.message, error.hint)
        self.retry_after = error.retry_after


class Unfinished(OneheadError):
    """A run did everything but what had trouble. `retry_after`: the seconds that the forge asks us to wait."""

    def __init__(self, troubles: tuple[Trouble, ...]) -> None:
        told = "; ".join(f"{each.subject}: {each.doing} ({_said(each.error)})" for each in troubles[:_MAX_TOLD])
        more = len(troubles) - _MAX_TOLD
        left = f"; and {more} more, see the log" if more > 0 else ""
        hints = dict.fromkeys(each.error.hint for each in troubles if isinstance(each.error, OneheadError))
        super().__init__(f"Everything succeeded except: {told}{left}.", " ".join(filter(None, hints)))
        self.troubles = troubles
        self.lasting = all(_lasts(each.error) for each in troubles)
        self.waits_for_sweep = all(getattr(each.error, "waits_for_sweep", False) for each in troubles)
        asked = [each.error.retry_after for each in troubles if isinstance(each.error, Unavailable)]
        self.retry_after = max(filter(None, asked), default=None)


class Guarded:
    """A context that raises nothing but `ForgeIsAway`; afterwards `error` is what was raised in it."""

    def __init__(self, subject: str, doing: str, keep: Callable[[Trouble], None]) -> None:
        self._subject = subject
        self._doing = doing
        self._keep = keep
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, ForgeIsAway):
            return False
        self.error = error
        self._keep(Trouble(self._subject, self._doing, error))
        return True


class Troubles:
    """Those of one run."""

    def __init__(self, repository: str, is_there: Callable[[], object]) -> None:
        """`is_there` asks the forge something that concerns no subject; it raises where it gives no answer."""
        self._repository = repository
        self._is_there = is_there
        self._kept: dict[tuple[str, str], Trouble] = {}

    def apart(self, subject: str, doing: str) -> Guarded:
        """One step for one subject, as a context: what is raised in it is kept. `doing`: what could not be done."""
        return Guarded(subject, doing, self.keep)

    @property
    def kept(self) -> tuple[Trouble, ...]:
        """All so far, the first of each kind and subject first."""
        return tuple(self._kept.values())

    @property
    def all_last(self) -> bool:
        """Whether another run soon would most likely end the same; true where nothing went wrong."""
        return all(_lasts(each.error) for each in self._kept.values())

    def raise_kept(self) -> None:
        """End the run.

        Raises:
            MissingScope: the token lacks a scope: the cause of all that came of it.
            Unauthorised: the token is not accepted any more.
            Unfinished: something else went wrong.
        """
        for each in self.kept:
            if isinstance(each.error, MissingScope | Unauthorised):
                raise each.error
        if self.kept:
            raise Unfinished(self.kept) from self.kept[0].error

    def keep(self, trouble: Trouble) -> None:
        """Remember and log it.

        Raises:
            ForgeIsAway: the forge answers nothing else either.
        """
        error = trouble.error
        key = trouble.subject, trouble.doing
        if key not in self._kept:
            known = error if isinstance(error, OneheadError) else None
            fields = {"repository": self._repository, "subject": trouble.subject, "what": trouble.doing}
            fields |= {"error": _said(error)} | ({"hint": known.hint} if known and known.hint else {})
            log.warning("One thing failed; the rest goes on.", **fields, exc_info=None if known else error)
        self._kept[key] = trouble
        if isinstance(error, Unavailable):
            try:
                self._is_there()
            except Unavailable as away:
                raise ForgeIsAway(away) from away


def cause(error: Exception) -> str:
    """Why, as a short clause."""
    match error:
        case Blocked():
            return "its author or the owner has blocked onehead"
        case Locked():
            return "the conversation is locked"
        case ForgeError(status=0):
            return "Forgejo gave no usable answer"
        case ForgeError():
            return f"Forgejo answered {error.status}"
        case OneheadError():
            return " ".join(error.message.split()).rstrip(".")
    return f"a defect in onehead ({type(error).__name__})"


def _said(error: Exception) -> str:
    return error.message.rstrip(".") if isinstance(error, OneheadError) else f"{type(error).__name__}: {error}"


def _lasts(error: Exception) -> bool:
    return error.lasting if isinstance(error, OneheadError) else True
