"""`deploy/kubernetes/`: what kustomize makes of it keeps to Kubernetes's own schemas and to the restricted profile."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from deploy.release import HEADING
from onehead.service.door import SECONDS_TO_ANSWER, SECONDS_TO_TELL
from onehead.service.serve import SECONDS_TO_FINISH
from tests.deploy.files import DATABASE_URL, ROOT, image_environment, last, settings_with
from tests.deploy.kustomize import PLACES, SOURCES, Document, documents, first_line, has_kustomize, kept, render

VERSIONS = ("1.29", kubernetes_validate.latest_version().rpartition(".")[0])
"""The oldest that the overlay promises, and the newest that is known."""

SECRETS = "/run/secrets/onehead"
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
each_variant = pytest.mark.parametrize("variant", PLACES)


def found(variant: str, kind: str, name: str | None = None) -> Any:
    """The documents of a kind; with a name, that one."""
    of_kind = [document for document in documents(variant) if document["kind"] == kind]
    if name is None:
        return of_kind
    [one] = [document for document in of_kind if document["metadata"]["name"] == name]
    return one


def workloads(variant: str) -> list[Document]:
    return [document for document in documents(variant) if "template" in document.get("spec", {})]


def pod(workload: Document) -> Any:
    return workload["spec"]["template"]["spec"]


def container(workload: Document) -> Any:
    [only] = pod(workload)["containers"]
    return only


def labels(workload: Document) -> dict[str, str]:
    template: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return template


def component(workload: Document) -> str:
    return labels(workload)[COMPONENT]


def each_workload() -> Iterator[Any]:
    for variant in PLACES:
        for workload in workloads(variant):
            yield pytest.param(workload, id=f"{variant}-{workload['metadata']['name']}")


every_workload = pytest.mark.parametrize("workload", list(each_workload()))


# Rendering


@each_variant
def test_what_is_kept_is_of_the_files_that_are_there(variant: str) -> None:
    said = "The files have changed: `python -m tests.deploy.kustomize`, and look at the difference."
    assert kept(variant).startswith(first_line()), said


@each_variant
def test_kustomize_makes_what_is_kept(variant: str) -> None:
    if not has_kustomize():
        pytest.skip("NOT RENDERED HERE: no kubectl of 1.27 or newer. What is kept is of these files, and is tested")

    def by_name(document: Document) -> tuple[str, str]:
        return document["kind"], document["metadata"]["name"]

    made = sorted(yaml.safe_load_all(render(variant)), key=by_name)

    assert made == sorted(documents(variant), key=by_name)


@each_variant
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(variant: str, version: str) -> None:
    for document in documents(variant):
        assert kubernetes_validate.validate(document, version, strict=True) == version


def test_a_misspelt_field_would_be_found() -> None:
    document = copy.deepcopy(found("embedded", "Deployment", "onehead"))
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 30

    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_what_is_started() -> None:
    started = {
        variant: {
            (each["kind"], each["metadata"]["name"]): (each["spec"].get("replicas"), container(each)["args"])
            for each in workloads(variant)
        }
        for variant in PLACES
    }

    assert started["embedded"] == {("Deployment", "onehead"): (1, ["serve"])}
    assert started["postgresql"] == {
        # Under the same name, so that it takes the place of the other.
        ("Deployment", "onehead"): (2, ["serve", "--role", "web"]),
        ("StatefulSet", "onehead-worker"): (2, ["serve", "--role", "worker"]),
        ("Job", "onehead-upgrade"): (None, ["database", "upgrade"]),
    }
    assert started["example"] == started["postgresql"] | {
        ("StatefulSet", "onehead-worker"): (4, ["serve", "--role", "worker"])
    }


def test_two_processes_with_jobs_in_memory_never_run_at_once() -> None:
    assert found("embedded", "Deployment", "onehead")["spec"]["strategy"] == {"type": "Recreate"}


def test_webhooks_are_taken_while_pods_are_replaced() -> None:
    web = found("postgresql", "Deployment", "onehead")

    assert web["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert int(container(web)["lifecycle"]["preStop"]["exec"]["command"][1]) >= 5


# Rights


@every_workload
def test_it_keeps_to_the_restricted_profile(workload: Document) -> None:
    """Kubernetes's Pod Security Standards, and a read-only root beyond them."""
    spec, only = pod(workload), container(workload)

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys() == set()
    assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} <= {"emptyDir", "secret"}
    assert spec["automountServiceAccountToken"] is False


@every_workload
def test_it_runs_as_the_user_of_the_image(workload: Document) -> None:
    user, group = map(int, last("USER").split(":"))
    context = pod(workload)["securityContext"]

    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (user, group, group)


@every_workload
def test_it_says_what_it_needs(workload: Document) -> None:
    resources = container(workload)["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    # Slowed down by a limit of CPU, an analysis would run out of its time.
    assert set(resources["limits"]) == {"memory"}


@every_workload
def test_it_has_time_to_finish(workload: Document) -> None:
    pause = container(workload).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])[1]

    needed = int(pause) + SECONDS_TO_ANSWER + SECONDS_TO_FINISH
    assert pod(workload)["terminationGracePeriodSeconds"] > needed


@every_workload
def test_it_is_asked_how_it_is(workload: Document) -> None:
    only = container(workload)
    if component(workload) == "upgrade":
        assert not any(name.endswith("Probe") for name in only)
        return
    [port] = only["ports"]
    paths = {name: only[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}

    assert {name: asked["path"] for name, asked in paths.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {asked["port"] for asked in paths.values()} == {port["name"]}
    assert str(port["containerPort"]) == image_environment()["ONEHEAD_LISTEN"].rpartition(":")[2]
    assert only["readinessProbe"]["timeoutSeconds"] > SECONDS_TO_TELL


# Settings and secrets


def variables(workload: Document, variant: str) -> dict[str, str]:
    """What a container has in its environment, apart from what the image brings."""
    [config] = found(variant, "ConfigMap")
    taken: dict[str, str] = {}
    for source in container(workload).get("envFrom", []):
        assert source == {"configMapRef": {"name": config["metadata"]["name"]}}
        taken |= config["data"]
    return taken | {each["name"]: each["value"] for each in container(workload)["env"]}


@each_variant
def test_the_settings_are_complete(variant: str, tmp_path: Path) -> None:
    for workload in workloads(variant):
        if component(workload) == "upgrade":
            assert variables(workload, variant) == {"ONEHEAD_DATABASE_URL_FILE": f"{SECRETS}/database-url"}
            continue
        settings = settings_with(image_environment() | variables(workload, variant), SECRETS, tmp_path)
        database = settings.database_url.reveal() if settings.database_url else None
        assert database == (None if variant == "embedded" else DATABASE_URL)


@each_variant
def test_secrets_are_named_and_never_written(variant: str) -> None:
    assert found(variant, "Secret") == []
    for workload in workloads(variant):
        [secret] = [volume["secret"] for volume in pod(workload)["volumes"] if "secret" in volume]
        [mount] = [each for each in container(workload)["volumeMounts"] if each["name"] == "secrets"]
        assert secret["secretName"] == "onehead"
        assert secret["defaultMode"] == 0o440
        assert (mount["mountPath"], mount["readOnly"]) == (SECRETS, True)


@pytest.mark.parametrize("variant", ["embedded", "postgresql"])
def test_the_command_that_makes_the_secret_brings_every_file(variant: str) -> None:
    words = (SOURCES / PLACES[variant] / "kustomization.yaml").read_text()
    brought = set(re.findall(r"--from-file=(\S+)", words))
    read = {
        Path(text).name
        for workload in workloads(variant)
        for text in variables(workload, variant).values()
        if text.startswith(SECRETS)
    }

    assert brought == read


def test_the_upgrade_sees_no_token() -> None:
    volumes = pod(found("postgresql", "Job", "onehead-upgrade"))["volumes"]
    [secret] = [volume["secret"] for volume in volumes if "secret" in volume]

    assert [item["key"] for item in secret["items"]] == ["database-url"]


def test_one_version_is_deployed_everywhere() -> None:
    """The last one that was released."""
    version = HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    images = {variant: {container(workload)["image"] for workload in workloads(variant)} for variant in PLACES}

    assert images == {
        "embedded": {f"registry.example.org/onehead:{version}"},
        "postgresql": {f"registry.example.org/onehead:{version}"},
        "example": {f"registry.example.com/tools/onehead:{version}"},
    }


def test_the_example_is_all_in_its_namespace() -> None:
    assert {document["metadata"]["namespace"] for document in documents("example")} == {"onehead"}


# Disks


@every_workload
def test_every_mount_has_its_volume(workload: Document) -> None:
    claims = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in pod(workload)["volumes"]] + claims

    assert sorted(volumes) == sorted(mount["name"] for mount in container(workload)["volumeMounts"])


def test_mirrors_are_each_workers_own_and_may_be_lost() -> None:
    cache = image_environment()["ONEHEAD_CACHE_DIR"]
    worker = found("postgresql", "StatefulSet", "onehead-worker")
    mounts = {mount["mountPath"]: mount["name"] for mount in container(worker)["volumeMounts"]}
    [claim] = worker["spec"]["volumeClaimTemplates"]

    assert mounts[cache] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert set(worker["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Delete"}
    alone = found("embedded", "Deployment", "onehead")
    assert cache in {mount["mountPath"] for mount in container(alone)["volumeMounts"]}
    web = found("postgresql", "Deployment", "onehead")
    assert cache not in {mount["mountPath"] for mount in container(web)["volumeMounts"]}


# Who is meant


def chosen(selector: Document, given: dict[str, str]) -> bool:
    """Whether a selector of labels takes a pod with these."""
    wanted = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    expressions = selector.get("matchExpressions", [])
    assert {each["operator"] for each in expressions} <= {"In"}
    return wanted.items() <= given.items() and all(given.get(each["key"]) in each["values"] for each in expressions)


@each_variant
def test_every_selector_takes_the_pods_that_it_is_for(variant: str) -> None:
    """A Service that took workers too would send webhooks to them."""
    pods = {workload["metadata"]["name"]: labels(workload) for workload in workloads(variant)}
    selecting = [*found(variant, "Service"), *found(variant, "PodDisruptionBudget")]
    selecting += [each for each in workloads(variant) if each["kind"] != "Job"]

    for each in selecting:
        taken = [name for name, given in pods.items() if chosen(each["spec"]["selector"], given)]
        assert taken == [each["metadata"]["name"]]
    for workload in workloads(variant):
        for constraint in pod(workload).get("topologySpreadConstraints", []):
            assert chosen(constraint["labelSelector"], labels(workload))


def test_a_budget_guards_what_runs_more_than_once_and_nothing_else() -> None:
    """One pod alone with a budget could never be moved."""
    assert found("embedded", "PodDisruptionBudget") == []
    budgets = {each["metadata"]["name"]: each["spec"] for each in found("postgresql", "PodDisruptionBudget")}

    assert set(budgets) == {"onehead", "onehead-worker"}
    for budget in budgets.values():
        assert budget["maxUnavailable"] == 1
        # Nothing is ready while Forgejo is away, and nodes must still be emptied.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


# Who may talk to whom


def peers(variant: str, given: dict[str, str], direction: str) -> set[str] | None:
    """Whom policies let a pod talk to, or `None` where nothing is forbidden. What several allow adds up."""
    key, side = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
    policies = [
        each["spec"]
        for each in found(variant, "NetworkPolicy")
        if direction in each["spec"]["policyTypes"] and chosen(each["spec"]["podSelector"], given)
    ]
    if not policies:
        return None
    allowed = set()
    for rule in (rule for policy in policies for rule in policy.get(key, [])):
        # A rule without either allows everybody, or every port.
        assert rule[side]
        assert rule["ports"]
        for peer in rule[side]:
            for port in rule["ports"]:
                allowed.add(f"{_peer(peer)}:{port['port']}/{port['protocol']}")
    return allowed


def _peer(peer: Document) -> str:
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    [(_, value)] = peer["podSelector"]["matchLabels"].items()
    return f"{namespace}/{value}"


DNS = {"kube-system/kube-dns:53/UDP", "kube-system/kube-dns:53/TCP"}
PROMETHEUS = "monitoring/prometheus:http/TCP"
WEBHOOKS = "forgejo/forgejo:http/TCP"
FORGEJO = "forgejo/forgejo:3000/TCP"
POSTGRESQL = "postgresql/postgresql:5432/TCP"


@pytest.mark.parametrize(
    ("variant", "which", "comes_in", "goes_out"),
    [
        ("embedded", "web", {PROMETHEUS, WEBHOOKS}, {*DNS, FORGEJO}),
        ("postgresql", "web", {PROMETHEUS, WEBHOOKS}, {*DNS, FORGEJO, POSTGRESQL}),
        ("postgresql", "worker", {PROMETHEUS}, {*DNS, FORGEJO, POSTGRESQL}),
        ("postgresql", "upgrade", {PROMETHEUS}, {*DNS, POSTGRESQL}),
        (
            "example",
            "web",
            {PROMETHEUS, "ingress-nginx/ingress-nginx:http/TCP"},
            {*DNS, "192.0.2.10/32:443/TCP", POSTGRESQL},
        ),
    ],
)
def test_who_comes_in_and_where_it_goes(variant: str, which: str, comes_in: set[str], goes_out: set[str]) -> None:
    [workload] = [each for each in workloads(variant) if component(each) == which]

    assert peers(variant, labels(workload), "Ingress") == comes_in
    assert peers(variant, labels(workload), "Egress") == goes_out


def test_the_address_of_forgejo_is_one_that_the_policy_lets_through() -> None:
    [config] = found("embedded", "ConfigMap")

    assert fnmatchcase(config["data"]["ONEHEAD_FORGEJO_URL"], "http://*.forgejo.svc:3000")
