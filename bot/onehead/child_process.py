"""The processes that onehead starts: which of its variables they see, and how one shares nothing else with it.

Onehead's settings hold secrets (`ONEHEAD_TOKEN`, `ONEHEAD_WEBHOOK_SECRET`, `ONEHEAD_REPORT_SECRET` and more). A process
that does not get them can't leak them: in a crash report, to a helper it starts, or to whoever reads `/proc`.

What runs on strangers' input, or answers strangers, is kept away from what holds the secrets: a fresh interpreter,
without our variables and files. It is started anew, because a fork has a copy of all that was read before.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

OWN = "ONEHEAD_"
"""How the names of all settings begin; those of the files with secrets (`ONEHEAD_TOKEN_FILE`) too."""

NEEDED = frozenset(
    {
        *("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"),
        # Where git or its libraries stand elsewhere than usual.
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        # The way to the forge, and the authority that vouches for it.
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE"),
    }
)
"""All that a process of ours may need that acts for onehead itself. (curl never reads `HTTP_PROXY`.)"""


def needed() -> dict[str, str]:
    """The variables for a process that acts for onehead itself."""
    return {name: value for name, value in os.environ.items() if name in NEEDED}


def all_but_our_own() -> dict[str, str]:
    """The variables for a process that acts for the person who called: their keys, agents and helpers."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN)}


class OursHidden:
    """Onehead's own variables are out of sight while this context lasts: for libraries that start programs themselves.

    For the main thread, while no other reads settings.
    """

    def __enter__(self) -> None:
        self._ours = {name: value for name, value in os.environ.items() if name.startswith(OWN)}
        for name in self._ours:
            del os.environ[name]

    def __exit__(self, *_: object) -> None:
        os.environ.update(self._ours)


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
    # Here and below, what a push that is let through need not wait for is loaded late.
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

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
    import subprocess  # noqa: PLC0415

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
    from pathlib import Path  # noqa: PLC0415

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
            member = seen.pop(number)[1]
            with suppress(OSError, ValueError):
                _, resident, shared, *_ = map(int, Path(f"/proc/{number}/statm").read_bytes().split())
                member = member._replace(memory=(resident - shared) * _PAGE)
            found.append(member)
    return found


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it, at once."""
    if process.returncode is not None:  # its number may be somebody else's by now
        return
    from signal import SIGKILL  # noqa: PLC0415

    for _ in range(_ROUNDS):  # what was started meanwhile is found in the next round
        members = family(process.pid)
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member.number, SIGKILL)
        if not members:
            break
    if process.poll() is None:
        process.kill()
    process.wait()


_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_ROUNDS = 100
