"""What the service counts."""

from __future__ import annotations

import time
from math import isnan

import pytest
from prometheus_client.parser import text_string_to_metric_families

from onehead.service.engine import EngineState
from onehead.service.metrics import Metrics


def figures(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and the values of its labels."""
    families = text_string_to_metric_families(metrics.text().decode())
    samples = (sample for family in families for sample in family.samples)
    return {"/".join((sample.name, *sample.labels.values())): sample.value for sample in samples}


@pytest.mark.parametrize(
    ("status", "label"), [(200, "200"), (401, "401"), (299, "other"), (999, "other"), (None, "none")]
)
def test_a_request_counts_under_one_of_few_statuses(status: int | None, label: str) -> None:
    metrics = Metrics()

    metrics.request("GET", status, 0.25)

    found = figures(metrics)
    assert found[f"onehead_forge_requests_total/GET/{label}"] == 1
    assert (found["onehead_step_seconds_count/forge"], found["onehead_step_seconds_sum/forge"]) == (1, 0.25)


def test_a_database_that_is_away_shows_and_no_old_figure_with_it() -> None:
    metrics, state = Metrics(), EngineState(running=True, waiting=3, busy=1, oldest=70.0, given_up=2)
    metrics.watch(lambda: state)
    found = figures(metrics)
    assert (found["onehead_database_reachable"], found["onehead_jobs_waiting"]) == (1, 3)

    state = EngineState(running=True, waiting=None, busy=1, trouble="PostgreSQL does not answer.")

    found = figures(metrics)
    assert (found["onehead_database_reachable"], found["onehead_jobs_running"]) == (0, 1)
    assert isnan(found["onehead_jobs_waiting"])
    assert isnan(found["onehead_jobs_oldest_waiting_seconds"])
    assert isnan(found["onehead_jobs_given_up"])


def test_the_time_of_the_last_verdict_is_kept() -> None:
    metrics = Metrics()
    assert figures(metrics)["onehead_last_judgement_timestamp_seconds"] == 0

    metrics.judged("ok")

    assert time.time() - figures(metrics)["onehead_last_judgement_timestamp_seconds"] < 60
