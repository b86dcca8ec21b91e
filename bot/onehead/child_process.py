"""A process of our own that shares nothing with this one: a fresh interpreter, without our variables and files.

What runs on strangers' input, or answers strangers, is kept away from what holds the secrets. It is started anew and
not forked, because a fork has a copy of all that was read before.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
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
    """Words before a command that cut it off from the network (none where it stays open), and a sentence on that."""

    prefix: tuple[str, ...]
    told: str


def cut_off(*, apart: bool = False) -> Network:
    """Find out how a process can be left without a network here.

    `apart`: in a user namespace of its own in any case. From there, no other process of the same user can be read.
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
    """Let no other process of the same user read this one's memory, variables and open files: whether it is so."""
    return _prctl(4, 0)  # PR_SET_DUMPABLE


def keep_orphans() -> None:
    """Stay above all that is started below, also where who started it has ended (Linux)."""
    _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def _prctl(option: int, value: int) -> bool:
    import ctypes  # noqa: PLC0415 - only the service needs it

    with suppress(OSError, AttributeError, MemoryError):
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    return False


def start(module: str, *arguments: str, passed: Sequence[int], prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Run the `main` of a module in a process of its own.

    It finds what this process finds, and gets no signal that a terminal sends to this one. What it prints on standard
    error goes where ours goes; standard input and output are closed to it. Open files that are passed keep their
    numbers.
    """
    script = _START.format(separator=os.pathsep, module=module)
    places = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [*prefix, sys.executable, "-I", "-c", script, places, *arguments],
        env=needed()
        | {name: value for name, value in os.environ.items() if name == "GIT_EXEC_PATH"}
        | {"LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=tuple(passed),
        start_new_session=True,
    )


class Member(NamedTuple):
    """A process of a family: its number, seconds of CPU (those of its children that have ended too), bytes it holds."""

    number: int
    cpu: float
    memory: int


def family(process: int) -> list[Member]:
    """A process and all below it that run, as `/proc` shows them; nothing where there is no `/proc`.

    Memory that processes share is not counted.
    """
    seen: dict[int, tuple[int, Member]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            words = (place / "stat").read_bytes().rpartition(b")")[2].split()
            if words[0] != b"Z":
                cpu = sum(map(int, words[11:15])) / _TICKS
                seen[int(place.name)] = int(words[1]), Member(int(place.name), cpu, 0)
    found, ours = [], {process}
    while members := [number for number, (above, _) in seen.items() if number in ours or above in ours]:
        for number in members:
            ours.add(number)
            found.append(_with_memory(seen.pop(number)[1]))
    return found


def _with_memory(member: Member) -> Member:
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = map(int, Path(f"/proc/{member.number}/statm").read_bytes().split())
        return member._replace(memory=(resident - shared) * _PAGE)
    return member


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it, at once."""
    if process.returncode is not None:  # its number may be somebody else's by now
        return
    for _ in range(_ROUNDS):  # what was started meanwhile is found in the next round
        members = family(process.pid)
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member.number, signal.SIGKILL)
        if not members:
            break
    if process.poll() is None:
        process.kill()
    process.wait()


_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_ROUNDS = 100
