"""What every git process of onehead sees, and what it leaves.

What makes a git process safe stands in one place:

- nothing of the repository or of its configuration is run: no hooks, no fsmonitor, no pager, no askpass, no
  credential helper;
- nothing is fetched behind our back: a partial clone would download missing objects while it is read, so all
  transports are forbidden unless a caller names some (`mirror.py` and `origin.py` do);
- no variable leaks in that git does not need: none of onehead's own, which hold secrets, and none of an outer git
  process (`GIT_DIR`, `GIT_INDEX_FILE` …). Three of these do on purpose: in a pre-receive hook they show the pushed
  objects, which wait in quarantine and are not in the repository yet;
- no server leads it elsewhere: a redirect would take the token along, and another server's content would be judged;
- the system's configuration, replace refs and grafts are not consulted: what is judged is what is pushed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from onehead.child_environment import all_but_our_own, needed

if TYPE_CHECKING:
    from typing import Protocol

    class Door(Protocol):
        """Where git is asked: `command.Git`, or `quick.Quick` for who is in a hurry."""

        directory: str

        def ask(self, *args: str) -> Answer:
            """Run `git ARGS` and say how it ended."""


_QUARANTINE = ("GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
_KEPT = {*_QUARANTINE, "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL"}

NOBODYS = {"GIT_CONFIG_GLOBAL": os.devnull}
"""For repositories that onehead has made itself: no configuration of a person counts there."""

_REACHING = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_PROXY_COMMAND")
"""How a person's own git reaches a server and proves who it is; honoured only by `Git.as_the_person`."""

_FIXED = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}

_CONFIG = (
    # Pointing the graft file elsewhere would otherwise be commented on in every error message.
    ("advice.graftFileDeprecated", "false"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.warnAmbiguousRefs", "true"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    # `explicit` would forbid every bare one that is found from its own directory; what is dangerous about them is
    # refused in `planted.py`.
    ("safe.bareRepository", "all"),
)


class Answer(NamedTuple):
    """How a git command ended: exit code, standard output, and standard error (redacted)."""

    code: int
    out: bytes
    err: str


def surroundings(config: tuple[tuple[str, str], ...] = (), *, personal: bool = False) -> dict[str, str]:
    """All variables of a git process.

    Args:
        config: git configuration on top of the safe one.
        personal: reach servers as the person's own git would (see `Git.as_the_person`).
    """
    inherited = {name: value for name, value in os.environ.items() if _kept(name)} | needed()
    fixed, entries = _FIXED, (*_CONFIG, *config)
    if personal:
        theirs = all_but_our_own().items()
        inherited |= {name: value for name, value in theirs if not name.startswith("GIT_") or name in _REACHING}
        # Without a program that answers, git must find nobody to ask.
        fixed = {**_FIXED, "GIT_CONFIG_NOSYSTEM": "0", "GIT_ASKPASS": os.environ.get("GIT_ASKPASS") or "false"}
        entries = (*_given_config(), *(entry for entry in entries if entry[0] != "credential.helper"))
    configured = {"GIT_CONFIG_COUNT": str(len(entries))}
    for number, (key, value) in enumerate(entries):
        configured[f"GIT_CONFIG_KEY_{number}"] = key
        configured[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**inherited, **fixed, **configured}


def _kept(name: str) -> bool:
    """Whether a GIT_ variable of the person's own environment is honoured: GIT_SSL_* names their own authority."""
    return name in _KEPT or name.startswith("GIT_SSL_")


def _given_config() -> list[tuple[str, str]]:
    """The configuration that `GIT_CONFIG_COUNT` and its pairs hand over, as some CI systems do with their token."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    numbers = range(int(count) if count.isdecimal() and len(count) < 4 else 0)
    pairs = [(os.environ.get(f"GIT_CONFIG_KEY_{n}"), os.environ.get(f"GIT_CONFIG_VALUE_{n}")) for n in numbers]
    return [(key, value) for key, value in pairs if key and value is not None]
