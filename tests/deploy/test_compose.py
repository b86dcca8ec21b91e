"""`deploy/compose*.yaml`: the service with its jobs in memory, and the one that shares them in PostgreSQL."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from onehead.service.door import SECONDS_TO_ANSWER
from onehead.service.serve import SECONDS_TO_FINISH
from tests.deploy.files import DATABASE_URL, DEPLOY, ROOT, image_environment, settings_with

EMBEDDED, SHARED = "compose.yaml", "compose.postgresql.yaml"
each_file = pytest.mark.parametrize("file", [EMBEDDED, SHARED])


def composition(file: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / file).read_text())
    for name, service in document["services"].items():
        if "extends" in service:
            other = yaml.safe_load((DEPLOY / service["extends"]["file"]).read_text())
            document["services"][name] = other["services"][service["extends"]["service"]]
    return document


def of_onehead(file: str) -> dict[str, Any]:
    return {name: each for name, each in composition(file)["services"].items() if each["image"].startswith("onehead:")}


def serving(file: str) -> dict[str, Any]:
    return {name: each for name, each in of_onehead(file).items() if name != "upgrade"}


def test_both_are_what_compose_reads() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", EMBEDDED, SHARED]
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


@each_file
def test_the_settings_are_complete(file: str, tmp_path: Path) -> None:
    for service in serving(file).values():
        variables = image_environment() | service["environment"]
        read = {text for text in variables.values() if text.startswith("/run/secrets/")}
        assert read == {f"/run/secrets/{name}" for name in service["secrets"]}

        settings = settings_with(variables, "/run/secrets", tmp_path)

        assert settings.token.reveal() == "content"
        assert settings.listen[1] == 8686
        assert settings.forgejo_url == "http://forgejo:3000"
        database = settings.database_url.reveal() if settings.database_url else None
        assert database == (None if file == EMBEDDED else DATABASE_URL)


@each_file
def test_it_names_nothing_that_is_not_there(file: str) -> None:
    document = composition(file)
    services = document["services"]
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}

    assert volumes == set(document["volumes"])
    assert {name for service in services.values() for name in service["secrets"]} == set(document["secrets"])
    assert {each["file"] for each in document["secrets"].values()} <= set(
        re.findall(r"\./secrets/\w+", (DEPLOY / "README.md").read_text().replace("> secrets/", "> ./secrets/"))
    )
    assert {name for service in services.values() for name in service.get("depends_on", {})} <= set(services)
    for service in services.values():
        _, colon, tag = service["image"].rpartition(":")
        assert colon
        assert tag != "latest"
    for service in of_onehead(file).values():
        assert (DEPLOY / service["build"]).resolve() == ROOT


@each_file
def test_forgejo_may_call_where_webhooks_are_taken(file: str) -> None:
    """It calls no private address that it was not told."""
    services = composition(file)["services"]
    allowed = services["forgejo"]["environment"]["FORGEJO__webhook__ALLOWED_HOST_LIST"].split(",")
    [taking] = [name for name, service in services.items() if "8686:8686" in str(service.get("ports"))]

    assert taking in allowed
    assert urlsplit(services[taking]["environment"]["ONEHEAD_PUBLIC_URL"]).hostname == taking


@each_file
def test_a_container_has_no_rights_it_does_not_need(file: str) -> None:
    for service in of_onehead(file).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]


@each_file
def test_it_waits_for_running_jobs(file: str) -> None:
    for service in of_onehead(file).values():
        assert int(service["stop_grace_period"].removesuffix("s")) > SECONDS_TO_ANSWER + SECONDS_TO_FINISH


def test_the_embedded_one_is_one_process_with_a_cache_that_stays() -> None:
    [service] = of_onehead(EMBEDDED).values()

    assert "command" not in service
    assert image_environment()["ONEHEAD_CACHE_DIR"] in [mount.partition(":")[2] for mount in service["volumes"]]


def test_one_takes_webhooks_and_two_work() -> None:
    services = of_onehead(SHARED)

    assert {name: service["command"] for name, service in services.items()} == {
        "upgrade": ["database", "upgrade"],
        "onehead": ["serve", "--role", "web"],
        "worker": ["serve", "--role", "worker"],
    }
    assert services["worker"]["deploy"] == {"replicas": 2}
    # A published port can only be had once, and a named volume would be shared.
    assert {"ports", "volumes"} & services["worker"].keys() == set()


def test_the_tables_are_there_before_anything_reads_them() -> None:
    services = of_onehead(SHARED)
    upgrade = services.pop("upgrade")

    assert {service["depends_on"]["upgrade"]["condition"] for service in services.values()} == {
        "service_completed_successfully"
    }
    assert upgrade["depends_on"] == {"postgresql": {"condition": "service_healthy"}}
    assert upgrade["restart"] == "no"
    assert upgrade["secrets"] == ["onehead_database_url"]


def test_one_replaces_the_other() -> None:
    """In one project, so that the process with its jobs in memory does not go on beside the workers."""
    assert composition(EMBEDDED)["name"] == composition(SHARED)["name"]
    assert "onehead" in of_onehead(EMBEDDED).keys() & of_onehead(SHARED).keys()
