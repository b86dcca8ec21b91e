"""Work that a forge does after it has answered: one thread, callables with a due time."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("standin")


class Later:
    """Run callables in due order. Those due at the same moment run in the order they were given."""

    def __init__(self, name: str, workers: int = 1) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = 0
        self._stopped = False
        self._change = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"standin-{name}-{index}", daemon=True) for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        with self._change:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), work))
            self._change.notify_all()

    @property
    def idle(self) -> bool:
        with self._change:
            return not self._due and not self._running

    def stop(self) -> None:
        """Finish what is running, forget the rest."""
        with self._change:
            self._stopped = True
            self._due.clear()
            self._change.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:
                # One broken piece of work must not silence the forge for the rest of a test run.
                log.exception("the stand-in Forgejo failed in its background work")
            finally:
                with self._change:
                    self._running -= 1
                    self._change.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._change:
            while not self._stopped:
                if not self._due:
                    self._change.wait()
                    continue
                wait = self._due[0][0] - time.monotonic()
                if wait <= 0:
                    self._running += 1
                    return heapq.heappop(self._due)[2]
                self._change.wait(wait)
            return None
