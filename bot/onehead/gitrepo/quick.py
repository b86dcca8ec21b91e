"""The side door to git: a few short questions, without the half of the standard library that `subprocess` loads.

Git waits for the pre-receive hook in every push, and most pushes are let through after one or two questions. Loading
`subprocess` costs more than asking them. What git sees is the same as at the main door, `command.py`.
"""

from __future__ import annotations

import os
import select
import time

from onehead.errors import CannotJudge
from onehead.gitrepo.errors import GitTooOld, redact
from onehead.gitrepo.process import Answer, surroundings

_CHUNK = 1 << 16


class OutOfTime(CannotJudge):
    """The time that a push may wait is over."""

    def __init__(self) -> None:
        super().__init__(
            "The time that a push may wait for its verdict was over before there was one.",
            "The server may be overloaded, or the push is very large.",
        )


class Quick:
    """Git in the present directory, until a point in time (of `time.monotonic`)."""

    def __init__(self, until: float) -> None:
        self.directory = os.curdir
        self._until = until

    def ask(self, *args: str) -> Answer:
        """Run `git ARGS` and say how it ended.

        Raises:
            GitTooOld: there is no git.
            OutOfTime: it took too long; it and all it started were ended.
        """
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        try:
            process = os.posix_spawnp(
                "git",
                [b"git", *(arg.encode("utf-8", "surrogateescape") for arg in args)],
                surroundings(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out_end, 1),
                    (os.POSIX_SPAWN_DUP2, err_end, 2),
                ],
                setpgroup=0,
            )
        except OSError:
            os.close(out)
            os.close(err)
            raise GitTooOld("Git was not found.", "Install git 2.38 or newer and put it on PATH.") from None
        finally:
            os.close(out_end)
            os.close(err_end)
        said = {out: bytearray(), err: bytearray()}
        try:
            self._listen(said)
        except BaseException:
            from signal import SIGKILL  # noqa: PLC0415 - rarely needed, and as costly to load as this module

            os.killpg(process, SIGKILL)
            raise
        finally:
            os.close(out)
            os.close(err)
            _, status = os.waitpid(process, 0)
        return Answer(os.waitstatus_to_exitcode(status), bytes(said[out]), redact(said[err].decode("utf-8", "replace")))

    def _listen(self, said: dict[int, bytearray]) -> None:
        """Take in all that is said, on all ends at once, until they are closed."""
        ends = select.poll()
        for end in said:
            ends.register(end, select.POLLIN)
        open_ends = len(said)
        while open_ends:
            left = self._until - time.monotonic()
            if left <= 0:
                raise OutOfTime
            for end, _ in ends.poll(left * 1000):
                chunk = os.read(end, _CHUNK)
                said[end] += chunk
                if not chunk:
                    ends.unregister(end)
                    open_ends -= 1
