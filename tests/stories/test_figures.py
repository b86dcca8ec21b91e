"""What a run leaves in the metrics, as `onehead serve` puts the parts together."""

from __future__ import annotations

from pathlib import Path

from onehead.child_process import cut_off
from onehead.service.analyzer import Analyzers
from onehead.service.engine import Everything, Job
from onehead.service.handler import handle
from onehead.service.metrics import Metrics
from onehead.service.serve import equip
from onehead.settings import load
from tests.forgejos.fixtures import Project
from tests.forgejos.port import Account
from tests.service.test_metrics import figures
from tests.stories.colliding import collision


def test_a_run_is_measured_step_by_step(project: Project, bot: Account, tmp_path: Path) -> None:
    project.forgejo.admin.add_collaborator(project.repository, bot, "write")
    number, _ = collision(project)
    settings = load(
        {
            "ONEHEAD_FORGEJO_URL": project.forgejo.url,
            "ONEHEAD_TOKEN": bot.token,
            "ONEHEAD_WEBHOOK_SECRET": "a-secret-for-tests",
            "ONEHEAD_CACHE_DIR": str(tmp_path / "cache"),
        }
    )
    metrics = Metrics()
    analyzers = Analyzers(cut_off(apart=True), observe=metrics.step, on_read=metrics.files_read)
    context = equip(
        settings,
        judged=lambda _name, examination: metrics.judged(examination.verdict),
        analyzers=analyzers,
        metrics=metrics,
    )
    job = Job(project.repository.full_name, frozenset({Everything()}))
    try:
        handle(job, context)
        context.mirrors.make_room(at_most_every=0)  # as the run of a minute later does, which measures them
        first = figures(metrics)
        handle(job, context)
        second = figures(metrics)
    finally:
        analyzers.close()
        context.api.connection.close()

    assert project.pull(number)["state"] == "open"
    assert first["onehead_verdicts_total/collision"] >= 1
    assert first["onehead_last_judgement_timestamp_seconds"] > 0
    assert first["onehead_forge_requests_total/GET/200"] > 3
    assert first["onehead_forge_requests_total/POST/201"] >= 3  # statuses, the comment, the repair
    for step in ("forge", "fetch", "push", "ls-remote", "wait", "judge"):
        assert first[f"onehead_step_seconds_count/{step}"] >= 1, step
    assert first["onehead_step_seconds_sum/judge"] > 0
    assert first["onehead_mirror_bytes"] > 0
    # 017 to 020 are parsed once; nothing of them is when they are seen again.
    assert first["onehead_cache_misses_total"] >= 4
    assert second["onehead_cache_hits_total"] > first["onehead_cache_hits_total"]
    assert second["onehead_cache_misses_total"] - first["onehead_cache_misses_total"] <= 1  # the repaired file
    assert second["onehead_step_seconds_count/push"] == first["onehead_step_seconds_count/push"]
