"""`deploy/*.service`: complete units, all as hardened as the first one."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from onehead.service.door import SECONDS_TO_ANSWER
from onehead.service.serve import SECONDS_TO_FINISH
from tests.deploy.files import DATABASE_URL, DEPLOY, settings_with

UNITS = sorted(DEPLOY.glob("*.service"))
SERVING = [unit for unit in UNITS if unit.stem != "onehead-upgrade"]
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
each_serving = pytest.mark.parametrize("unit", SERVING, ids=lambda unit: unit.name)

EXPOSED = 25
"""Tenths; what `systemd-analyze security` says of the first unit is 21."""


def entries(unit: Path, instance: str = "1") -> dict[str, list[str]]:
    """Key → its values, of all sections; continued lines joined."""
    found: dict[str, list[str]] = {}
    text = re.sub(r"\\\n\s*", "", unit.read_text()).replace("%i", instance)
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def hardening(unit: Path) -> list[str]:
    """The lines that take rights away."""
    text = unit.read_text()
    return [line for line in text[text.index("UMask=") :].partition("\n\n")[0].splitlines() if "=" in line]


def command(unit: Path) -> tuple[dict[str, str], list[str]]:
    """What `env` sets, and what is run."""
    [line] = entries(unit)["ExecStart"]
    words = shlex.split(line)
    if words[0] != "/usr/bin/env":
        return {}, words
    given = {name: text for name, _, text in (word.partition("=") for word in words[1:] if "=" in word)}
    return given, [word for word in words[1:] if "=" not in word]


def variables(unit: Path) -> dict[str, str]:
    own = dict(pair.split("=", 1) for pair in entries(unit).get("Environment", []))
    given, _ = command(unit)
    # A file wins over `Environment=`, and what `env` sets over both.
    return own | {"ONEHEAD_FORGEJO_URL": "https://forgejo.example.org", "ONEHEAD_LISTEN": ":8686"} | given


def test_what_is_run() -> None:
    program = "/opt/onehead/bin/onehead"

    assert {unit.stem: command(unit)[1] for unit in UNITS} == {
        "onehead": [program, "serve"],
        "onehead-web": [program, "serve", "--role", "web"],
        "onehead-worker@": [program, "serve", "--role", "worker"],
        "onehead-upgrade": [program, "database", "upgrade"],
    }


@each_unit
def test_every_unit_is_as_hardened_as_the_first(unit: Path) -> None:
    first = hardening(DEPLOY / "onehead.service")

    assert len(first) > 20
    assert hardening(unit) == first
    assert entries(unit)["DynamicUser"] == ["yes"]


@each_serving
def test_running_jobs_may_finish(unit: Path) -> None:
    assert int(entries(unit)["TimeoutStopSec"][0]) > SECONDS_TO_ANSWER + SECONDS_TO_FINISH
    assert entries(unit)["KillMode"] == ["mixed"]


@each_serving
def test_the_settings_are_complete(unit: Path, tmp_path: Path) -> None:
    settings = settings_with({**variables(unit), "ONEHEAD_WORKER": ""}, "%d", tmp_path)  # %H-%i is no name yet

    database = settings.database_url.reveal() if settings.database_url else None
    assert database == (None if unit.stem == "onehead" else DATABASE_URL)


@each_unit
def test_secrets_are_credentials(unit: Path) -> None:
    loaded = [credential.split(":") for credential in entries(unit)["LoadCredential"]]
    read = {text.removeprefix("%d/") for text in variables(unit).values() if text.startswith("%d/")}

    assert {name for name, _ in loaded} == read
    assert all(path == f"/etc/onehead/{name}" for name, path in loaded)


def test_workers_beside_each_other_share_neither_port_nor_directory() -> None:
    unit = DEPLOY / "onehead-worker@.service"
    of_each = [entries(unit, instance) for instance in ("1", "2")]
    lines = [each["ExecStart"][0] for each in of_each]

    assert [re.findall(r"ONEHEAD_LISTEN=\S+:(\d+)", line) for line in lines] == [["8691"], ["8692"]]
    for each, line in zip(of_each, lines, strict=True):
        assert re.findall(r"ONEHEAD_CACHE_DIR=%C/(\S+)", line) == each["CacheDirectory"]
    assert of_each[0]["CacheDirectory"] != of_each[1]["CacheDirectory"]


@pytest.mark.parametrize("name", ["onehead-web", "onehead-worker@"])
def test_it_does_not_run_beside_the_one_with_its_jobs_in_memory(name: str) -> None:
    assert entries(DEPLOY / f"{name}.service")["Conflicts"] == ["onehead.service"]


def test_the_upgrade_runs_only_when_somebody_says_so() -> None:
    upgrade = entries(DEPLOY / "onehead-upgrade.service")

    assert upgrade["Type"] == ["oneshot"]
    assert "WantedBy" not in upgrade
    for unit in SERVING:
        assert "onehead-upgrade" not in re.sub(r"^#.*$", "", unit.read_text(), flags=re.MULTILINE)


@each_unit
def test_systemd_understands_it_and_calls_it_safe(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT READ BY SYSTEMD: no systemd-analyze here; `apt-get install systemd` brings it")
    # Nothing is installed to /opt on this machine; systemd asks for a program that is there.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/onehead/bin/onehead", "/usr/bin/env"))
    for words in (["verify"], ["security", "--offline=true", f"--threshold={EXPOSED}"]):
        done = subprocess.run(
            ["systemd-analyze", *words, str(copy)], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
