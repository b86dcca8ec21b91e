"""How onehead is started: the demo, the wheel, the image and the files of `deploy/`."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from onehead.service.door import SECONDS_TO_ANSWER
from onehead.service.serve import SECONDS_TO_FINISH
from onehead.settings import SETTINGS, BadValueError, load, read_cache_dir
from tests.demo.service import Service
from tests.demo.telling import DemoFailedError
from tests.forgejos.start import STANDIN, binaries
from tests.migrations import chain, merged, project
from tests.repositories import Repository

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VARIABLES = {name for s in SETTINGS for name in (s.variable, f"{s.variable}_FILE" if s.is_secret else s.variable)}


def run(*command: str, cwd: Path, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with no setting of onehead but these variables."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("ONEHEAD_")}
    return subprocess.run(
        command, cwd=cwd, env={**inherited, **variables}, capture_output=True, text=True, timeout=timeout, check=False
    )


# --- the demo ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("forgejo", [STANDIN, *binaries()], ids=lambda name: Path(name).name)
@pytest.mark.timeout(260)
def test_the_demo_shows_the_main_job_and_ends_everything_it_started(forgejo: str, tmp_path: Path) -> None:
    named = {} if forgejo == STANDIN else {"ONEHEAD_TEST_FORGEJO": forgejo}

    result = run(sys.executable, "-m", "tests.demo", "--out", str(tmp_path), cwd=ROOT, timeout=250, **named)

    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    told = result.stdout
    assert told.index("     019 (head)\n     021 (head)\n") < told.index("FAILED: Multiple head revisions")
    assert "$ alembic heads\n     021 (head)\n" in told
    assert "kind=push repository=ann/league" in told
    assert '+down_revision: Union[str, Sequence[str], None] = "019"' in told
    assert "\x1b[" not in told
    for address in set(re.findall(r"http://127\.0\.0\.1:\d+", told)):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, trust_env=False)

    assert (tmp_path / "comment.md").read_text().startswith("<!-- onehead:verdict v1 ")
    assert ":tada: Repaired" in (tmp_path / "comment-resolved.md").read_text()
    assert "onehead:repair" in (tmp_path / "pull-request.md").read_text()
    assert "The repository will be looked at." in (tmp_path / "service.log").read_text()
    for name, graphs in {"pull-request.html": 1, "comment.html": 1}.items():
        before, _, scripts = (tmp_path / name).read_text().partition("<script>")
        assert before.count('<pre class="mermaid">') == graphs
        assert before.count("<table>") >= 2
        assert not re.search(r"<link|<img|<iframe|src=|url\(|@import", before)
        assert scripts.count("</script>") == 2
        assert "<script src" not in scripts


def test_a_demo_that_cannot_be_played_says_why_and_fails(tmp_path: Path) -> None:
    result = run(
        *(sys.executable, "-m", "tests.demo", "--out", str(tmp_path)), cwd=ROOT, ONEHEAD_TEST_FORGEJO="/no/such/forgejo"
    )

    assert result.returncode == 1
    assert "ONEHEAD_TEST_FORGEJO names /no/such/forgejo, which is not a program." in result.stderr


def test_the_demo_notices_a_service_that_ends_and_repeats_its_last_words(tmp_path: Path) -> None:
    dying = (sys.executable, "-c", "print('out of luck'); raise SystemExit(3)")

    with pytest.raises(DemoFailedError, match=r"exit code 3\. Its last lines:\nout of luck"):
        Service({}, tmp_path / "service.log", dying)


# --- the start of the service -----------------------------------------------------------------------------------


def test_a_cache_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = run(
        *(sys.executable, "-m", "onehead", "serve"),
        cwd=tmp_path,
        ONEHEAD_FORGEJO_URL="http://127.0.0.1:9",
        ONEHEAD_TOKEN="token",
        ONEHEAD_WEBHOOK_SECRET="secret",
        ONEHEAD_LISTEN="127.0.0.1:0",
        ONEHEAD_CACHE_DIR=str(tmp_path / "file" / "cache"),
    )

    assert result.returncode == 2
    assert f"onehead can't write to its cache, {tmp_path / 'file' / 'cache'}: Not a directory." in result.stderr
    assert "ONEHEAD_CACHE_DIR" in result.stderr


def test_a_home_directory_that_does_not_exist_is_a_sentence() -> None:
    with pytest.raises(BadValueError, match=r"there is no such home directory\. Name a directory by its full path"):
        read_cache_dir("~no-such-account/cache")


# --- the wheel --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("*.whl")
    with zipfile.ZipFile(file) as packed:
        packed.extractall(folder / "site-packages")
    return folder / "site-packages"


def test_the_wheel_holds_all_templates_the_type_marker_and_no_tests(wheel: Path) -> None:
    def files(folder: Path) -> list[str]:
        return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))

    assert files(wheel / "onehead" / "_templates") == files(ROOT / "templates") != []
    assert (wheel / "onehead" / "py.typed").exists()
    beside = {entry.suffix for entry in wheel.iterdir() if entry.name != "onehead"}
    assert beside == {".dist-info", ".data"}


def test_the_wheel_brings_completion_for_three_shells(wheel: Path) -> None:
    [data] = wheel.glob("*.data")
    for place in (
        "bash-completion/completions/onehead",
        "zsh/site-functions/_onehead",
        "fish/vendor_completions.d/onehead.fish",
    ):
        script = (data / "data/share" / place).read_text()
        assert all(word in script for word in ("pre-receive", "on-error", "reparent"))
    completion = data / "data/share/bash-completion/completions/onehead"
    typed = "COMP_WORDS=(onehead che); COMP_CWORD=1; _shtab_onehead; echo ${COMPREPLY[@]}"
    done = run("bash", "-c", f". {shlex.quote(str(completion))}; {typed}", cwd=wheel)
    assert (done.stdout.split(), done.stderr) == (["check", "checkup"], "")


def test_the_wheel_judges_and_repairs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    start = repository.commit("main", merged(project(), chain(("018", None))))
    repository.branch("topic", start)
    repository.commit("topic", chain(("020", "018")))
    repository.commit("main", chain(("019", "018")))
    sides = ("--repo", str(repository.path), "--target", "main", "--head", "topic", "--format", "json")

    def onehead(*arguments: str) -> tuple[int, Any]:
        # -P, or the folder it is started from would come before PYTHONPATH.
        result = run(sys.executable, "-P", "-m", "onehead", *arguments, cwd=tmp_path, PYTHONPATH=str(wheel))
        assert result.stderr == ""
        return result.returncode, json.loads(result.stdout)

    code, judged = onehead("check", *sides)
    assert (code, judged["verdict"]) == (1, "collision")
    _, fixed = onehead("fix", *sides, "--strategy", "merge")
    assert fixed["environments"][0]["plan"]["kind"] == "merge"
    assert repository.git("log", "-1", "--format=%H", fixed["branch"]).strip() == fixed["sha"]


def test_every_template_of_the_wheel_can_be_used(wheel: Path, tmp_path: Path) -> None:
    program = """
import onehead.render as render
print(render.__file__)
for name in render.environment().list_templates():
    render.environment().get_template(name)
    print(name)
"""
    result = run(sys.executable, "-P", "-c", program, cwd=tmp_path, PYTHONPATH=str(wheel))

    where, *names = result.stdout.splitlines()
    assert (where, result.stderr) == (str(wheel / "onehead" / "render.py"), "")
    assert {"comment/reparent.md.j2", "pull/body.md.j2"} <= set(names)


# --- the image --------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: (name, arguments), continued lines joined and comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in pairs]


def last(name: str) -> str:
    """The arguments of the last such instruction, which is the one that counts."""
    return [rest for each, rest in instructions() if each == name][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]

    assert bases == ["python:3.13-slim", "python:3.13-slim"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))
    assert json.loads(last("ENTRYPOINT")) == ["onehead"]
    assert json.loads(last("CMD")) == ["serve"]


def test_the_image_keeps_its_cache_where_its_user_may_write() -> None:
    cache = image_environment()["ONEHEAD_CACHE_DIR"]
    owner = last("USER").split(":", maxsplit=1)[0]

    assert json.loads(last("VOLUME")) == [cache]
    assert f"install --directory --owner={owner} --group={owner} --mode=0700 {cache}" in last("RUN")
    assert f"useradd --uid {owner} " in last("RUN")
    assert last("EXPOSE") == image_environment()["ONEHEAD_LISTEN"].rpartition(":")[2]


def test_what_the_image_copies_is_sent_to_the_builder_and_makes_a_wheel(tmp_path: Path) -> None:
    copied = [part for name, rest in instructions() if name == "COPY" and "--from" not in rest for part in rest.split()]
    sources = {part for part in copied if not part.startswith("./")}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert sources == sent
    for source in sources:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).symlink_to(ROOT / source)
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel"), cwd=tmp_path)
    assert built.returncode == 0, built.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_images_health_check_asks_the_port_that_is_listened_at(status: int, code: int) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the standard library's name)
            """Keep quiet."""

    program, *arguments = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        # A proxy of the machine must not be asked about this one.
        proxy = "http://127.0.0.1:9"
        listen = f"0.0.0.0:{server.server_address[1]}"
        result = run(sys.executable, *arguments, cwd=ROOT, ONEHEAD_LISTEN=listen, http_proxy=proxy)
        server.shutdown()
        thread.join(10)

    assert program == "python"
    assert (result.returncode, result.stderr, asked) == (code, "", ["/healthz"])


# --- deploy/ ----------------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


@pytest.mark.parametrize("file", ["compose.yaml", "kubernetes.yaml", "onehead.service", "README.md", "../Dockerfile"])
def test_every_setting_that_a_deployment_names_exists(file: str) -> None:
    named = set(re.findall(r"\bONEHEAD_[A-Z_]+\b", (DEPLOY / file).read_text()))

    assert named
    assert named <= VARIABLES


def test_the_settings_of_the_composition_are_complete(tmp_path: Path) -> None:
    document = compose()
    service = document["services"]["onehead"]
    environment = image_environment() | service["environment"]
    for name in service["secrets"]:
        (tmp_path / name).write_text("content\n")
        environment = {
            key: text.replace(f"/run/secrets/{name}", f"{tmp_path}/{name}") for key, text in environment.items()
        }

    settings = load(environment)

    assert settings.token.reveal() == "content"
    assert settings.listen[1] == 8686
    assert settings.forgejo_url == "http://forgejo:3000"
    assert str(settings.cache_dir) in [volume.partition(":")[2] for volume in service["volumes"]]


def test_the_composition_names_nothing_that_is_not_there() -> None:
    document = compose()
    services = document["services"]
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}

    assert volumes == set(document["volumes"])
    assert {name for service in services.values() for name in service["secrets"]} == set(document["secrets"])
    assert {each["file"] for each in document["secrets"].values()} <= set(
        re.findall(r"\./secrets/\w+", (DEPLOY / "README.md").read_text().replace("> secrets/", "> ./secrets/"))
    )
    for service in services.values():
        _, colon, tag = service["image"].rpartition(":")
        assert colon
        assert tag != "latest"
    assert (DEPLOY / services["onehead"]["build"]).resolve() == ROOT
    # Forgejo calls no private address that it was not told.
    allowed = services["forgejo"]["environment"]["FORGEJO__webhook__ALLOWED_HOST_LIST"].split(",")
    assert urlsplit(services["onehead"]["environment"]["ONEHEAD_PUBLIC_URL"]).hostname in allowed


def test_the_container_has_no_rights_it_does_not_need() -> None:
    service = compose()["services"]["onehead"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]


def test_every_deployment_waits_for_running_jobs() -> None:
    pod = next(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))["spec"]["template"]["spec"]
    unit = (DEPLOY / "onehead.service").read_text()

    waits = [
        int(compose()["services"]["onehead"]["stop_grace_period"].removesuffix("s")),
        int(pod["terminationGracePeriodSeconds"]),
        int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]),
    ]

    assert min(waits) > SECONDS_TO_ANSWER + SECONDS_TO_FINISH


def test_the_pod_reads_its_secrets_where_they_are_mounted() -> None:
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    variables = {each["name"]: each["value"] for each in container["env"]}

    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
    assert mounts["cache"] == image_environment()["ONEHEAD_CACHE_DIR"]
    assert variables["ONEHEAD_TOKEN_FILE"] == f"{mounts['secrets']}/token"
    assert variables["ONEHEAD_WEBHOOK_SECRET_FILE"] == f"{mounts['secrets']}/webhook-secret"
    assert str(pod["securityContext"]["fsGroup"]) == last("USER").split(":")[1]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [port["containerPort"] for port in container["ports"]] == [service["spec"]["ports"][0]["port"]] == [8686]
