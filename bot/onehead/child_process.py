"""A process of our own that shares nothing with this one: a fresh interpreter, without our variables and files.

What runs on strangers' input, or answers strangers, is kept away from what holds the secrets. It is started anew and
not forked, because a fork has a copy of all that was read before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from onehead.child_environment import needed

_START = "import sys; sys.path[:] = sys.argv.pop(1).split({separator!r}); from {module} import main; sys.exit(main())"


_CUTTERS = (
    # With the rights for it; without them, in a user namespace of its own; on old systems that makes the user root.
    ("unshare", "--net", "--pid", "--fork", "--kill-child"),
    ("unshare", "--net", "--pid", "--fork", "--kill-child", "--map-current-user"),
    ("unshare", "--net", "--map-root-user"),
)


class Network(NamedTuple):
    """Whether the network is cut off.

    Attributes:
        prefix: words before the command that do it; empty where it stays open.
        told: how it is, in a sentence.
    """

    prefix: tuple[str, ...]
    told: str


def cut_off(*, apart: bool = False) -> Network:
    """Find out how a process can be left without a network here.

    Args:
        apart: in a user namespace of its own in any case: from there, no other process of the same user can be read,
            whatever its rights.
    """
    if shutil.which("unshare") is None:
        return Network((), "The network stays open: there is no `unshare` here to cut it off.")
    for prefix in _CUTTERS[1:] if apart else _CUTTERS:
        with suppress(subprocess.TimeoutExpired):
            tried = subprocess.run([*prefix, "true"], env=needed(), capture_output=True, check=False, timeout=10)
            if tried.returncode == 0:
                return Network(prefix, "The network is cut off.")
    return Network((), "The network stays open: this system does not let `unshare` cut it off.")


def keep_to_ourselves() -> bool:
    """Let no other process of the same user read this one's memory, variables and open files (Linux).

    Returns:
        Whether it is so.
    """
    import ctypes  # noqa: PLC0415 - only the service does this

    with suppress(OSError, AttributeError, MemoryError):
        return bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    return False


_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>."""


def start(module: str, *arguments: str, passed: Sequence[int], prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Run the `main` of a module in a process of its own.

    It finds what this process finds, and gets no signal that a terminal sends to this one. What it prints on standard
    error goes where ours goes; standard input and output are closed to it.

    Args:
        module: its full name.
        arguments: what `sys.argv` holds from the second on.
        passed: open files that it has as well, by the same numbers.
        prefix: words before the command.
    """
    script = _START.format(separator=os.pathsep, module=module)
    places = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [*prefix, sys.executable, "-I", "-c", script, places, *arguments],
        env=needed() | {"LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=tuple(passed),
        start_new_session=True,
    )
