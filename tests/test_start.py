"""How onehead is started: the demo, the wheel and the image."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from onehead.settings import BadValueError, read_cache_dir
from tests.demo.service import Service
from tests.demo.telling import DemoFailedError
from tests.deploy.files import image_environment, instructions, last
from tests.forgejos.start import STANDIN, binaries
from tests.migrations import chain, merged, project
from tests.repositories import Repository

ROOT = Path(__file__).parents[1]


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


def test_a_service_judges_its_canary_even_where_forgejo_is_away(tmp_path: Path) -> None:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("ONEHEAD_")}
    settings = {
        "ONEHEAD_FORGEJO_URL": "http://127.0.0.1:9",
        "ONEHEAD_TOKEN": "token",
        "ONEHEAD_WEBHOOK_SECRET": "secret",
        "ONEHEAD_LISTEN": "127.0.0.1:0",
        "ONEHEAD_CACHE_DIR": str(tmp_path / "cache"),
        "ONEHEAD_LOG": "json",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "onehead", "serve"], env=inherited | settings, stderr=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stderr is not None
            lines = (json.loads(line) for line in service.stderr)
            url = next(line["url"] for line in lines if line["message"] == "Listening for webhooks.")
            root = url.removesuffix("/hooks/forgejo")
            for _ in range(200):
                answer = httpx.get(f"{root}/readyz", trust_env=False)
                if answer.json()["canary"]["last_success"]:
                    break
                time.sleep(0.1)
            figures = httpx.get(f"{root}/metrics", trust_env=False).text
        finally:
            service.terminate()
    assert answer.status_code == 503  # for Forgejo is away
    assert answer.json()["canary"]["trouble"] is None
    assert answer.json()["canary"]["seconds_ago"] < 60
    [judged] = re.findall(r"^onehead_canary_last_success_timestamp_seconds (\S+)$", figures, re.MULTILINE)
    assert time.time() - float(judged) < 60


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
for texts in (render._texts(), render._pages()):
    for name in texts.list_templates():
        texts.get_template(name)
        print(name)
"""
    result = run(sys.executable, "-P", "-c", program, cwd=tmp_path, PYTHONPATH=str(wheel))

    where, *names = result.stdout.splitlines()
    assert (where, result.stderr) == (str(wheel / "onehead" / "render.py"), "")
    assert {"comment/reparent.md.j2", "pull/body.md.j2", "list.html.j2"} <= {
        name.removeprefix("page/") for name in names
    }


# --- the image --------------------------------------------------------------------------------------------------


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
