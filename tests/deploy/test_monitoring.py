"""The alerts and the dashboard: they ask for figures that the service has, and fire when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from onehead.service.metrics import Metrics
from onehead.service.web import DoorMetrics
from tests.deploy.files import DEPLOY, ROOT
from tests.deploy.kustomize import documents

HERE = Path(__file__).parent
RULES = DEPLOY / "prometheus-rules.yaml"


def figures() -> set[str]:
    """The names under which the service shows its figures, each as Prometheus keeps it."""
    found = set[str]()
    for family in text_string_to_metric_families((DoorMetrics().text() + Metrics().text()).decode()):
        # The client adds to each counter when it was made; that is no figure of ours.
        if family.name.endswith("_created"):
            continue
        ending = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        found |= {f"{family.name}{each}" for each in ending}
    return found


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return document


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    """All of PromQL in both files."""
    yield from (alert["expr"] for alert in alerts())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


# Figures


def test_every_figure_that_is_asked_for_is_shown() -> None:
    asked = {name for each in expressions() for name in re.findall(r"\bonehead_[a-z_]+", each)}

    assert asked - figures() == set()


def test_every_figure_is_on_the_dashboard() -> None:
    asked = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in figures()}

    assert {name for name in families if name not in asked} == set()


def test_outcomes_that_an_alert_asks_for_are_those_of_the_reference() -> None:
    """A label that never has the value would keep an alert silent for ever."""
    named = {value for each in expressions() for value in re.findall(r'outcome="([^"]+)"', each)}
    reference = (ROOT / "docs" / "reference" / "http.md").read_text()

    assert named == {"given-up", "bad-signature"}
    assert {value for value in named if f"`{value}`" not in reference} == set()


# Alerts


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"Onehead[A-Z][A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "action"}
    for text in alert["annotations"].values():
        assert text.endswith(".")
        assert len(text) > 50


def test_the_page_lists_every_alert_with_its_severity() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    listed = re.findall(r"^\| \[`(Onehead\w+)`\]\(\S+\) \| (\w+) \|", page, re.MULTILINE)

    assert listed == [(alert["alert"], alert["labels"]["severity"]) for alert in alerts()]


def test_each_alert_has_its_steps_for_who_is_called_at_night() -> None:
    page = (ROOT / "docs" / "how-to" / "alerts.md").read_text()
    sections = dict(re.findall(r"^## (Onehead\w+)\n\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    assert list(sections) == [alert["alert"] for alert in alerts()]
    for name, text in sections.items():
        assert text.startswith("**Broken:** "), name
        assert "**For people:** " in text, name
        assert len(re.findall(r"^\d\. ", text, re.MULTILINE)) >= 3, name
    named = set(re.findall(r"`(onehead_[a-z_]+)`", page))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in figures()}
    assert named - families == set()


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load((HERE / "prometheus-rules.test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in alerts()}

    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


def test_a_full_disk_is_measured_by_the_size_that_is_asked_for() -> None:
    [worker] = [each for each in documents("postgresql") if each["kind"] == "StatefulSet"]
    [claim] = worker["spec"]["volumeClaimTemplates"]
    [alert] = [each for each in alerts() if each["alert"] == "OneheadDiskNearlyFull"]

    size = claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")
    assert f"0.85 * {size} * 1024 ^ 3" in alert["expr"]
    assert f'"{claim["metadata"]["name"]}-{worker["metadata"]["name"]}-[0-9]+"' in alert["expr"]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NOT TESTED WITH PROMTOOL: Debian's package prometheus brings it")
    return found


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_rules(promtool: str) -> None:
    assert f"{len(alerts())} rules found" in run(promtool, "check", "rules", str(RULES), cwd=HERE)


@pytest.mark.parametrize(("cases", "kept"), [("rules", set()), ("texts", {"summary"})])
def test_alerts_fire_when_they_should(cases: str, kept: set[str], promtool: str, tmp_path: Path) -> None:
    document = yaml.safe_load(RULES.read_text())
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        rule["annotations"] = {name: text for name, text in rule["annotations"].items() if name in kept}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "test.yaml").write_text((HERE / f"prometheus-{cases}.test.yaml").read_text())

    assert "SUCCESS" in run(promtool, "test", "rules", "test.yaml", cwd=tmp_path)


# Dashboard


def test_prometheus_reads_what_the_dashboard_asks(promtool: str, tmp_path: Path) -> None:
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    filled = [each.replace("$__rate_interval", "5m").replace("$job", ".+") for each in asked]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(asked)} rules found" in run(promtool, "check", "rules", "rules.yaml", cwd=tmp_path)


def test_every_panel_is_of_the_chosen_data_source_and_job() -> None:
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}

    assert names == {"datasource", "job"}
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            series = len(re.findall(r"\bonehead_[a-z_]+", target["expr"]))
            assert target["expr"].count('{job=~"$job"}') == series


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_are_told_apart_and_none_lies_on_another() -> None:
    every = dashboard()["panels"]
    taken: dict[tuple[int, int], str] = {}
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]

    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
