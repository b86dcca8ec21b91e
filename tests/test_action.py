"""The action: what its file says, and its script, really run in a job of the stand-in as a runner would run it.

pip alone is replaced: it would fetch from an index. What it is asked for is looked at instead, and onehead is the one
that these tests run with.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from tests.forgejos.fixtures import Project
from tests.forgejos.job import JobTokens, checkout, forgejo, job_of
from tests.migrations import chain, merged
from tests.repositories import environment
from tests.stories.colliding import BASE

__all__ = ["forgejo", "job_of"]

ROOT = Path(__file__).parents[1]
FILE = ROOT / "action.yml"
ACTION: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
[STEP] = ACTION["runs"]["steps"]
PAGE = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")

HOSTILE = "x\"';touch${IFS}pwned;$(touch${IFS}pwned)`touch${IFS}pwned`&&false|x"
"""A name that git takes for a branch, and a shell for commands."""

PYTHON = f"""\
#!{sys.executable}
import json, os, sys
with open({{log!r}}, "a") as log:
    shown = {{{{name: text for name, text in os.environ.items() if name.startswith(("PYTHON", "PIP_", "ONEHEAD_T"))}}}}
    log.write(json.dumps({{{{"args": sys.argv[1:], "cwd": os.getcwd(), "env": shown}}}}) + "\\n")
match sys.argv[1:]:
    case ["-I", "-m", "venv", *_] if os.path.exists(__file__ + ".lacks-venv"):
        sys.exit("ensurepip is not available")
    case ["-I", "-m", "venv", *_, place]:
        os.makedirs(os.path.join(place, "bin"), exist_ok=True)
        os.symlink(__file__, os.path.join(place, "bin", "python"))
    case ["-I", "-m", "pip", *_]:
        pass
    case args:
        os.execv({sys.executable!r}, [{sys.executable!r}, *args])
"""
"""A Python that notes how it is called, makes an environment of itself, and installs nothing."""


def test_its_file_is_as_github_describes_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_script_is_shell_into_which_no_expression_is_written() -> None:
    assert STEP["shell"] == "bash"
    assert "${{" not in STEP["run"]
    assert "uses" not in STEP
    done = subprocess.run(["bash", "-n"], input=STEP["run"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_variables_are_its_inputs_and_what_the_runner_knows() -> None:
    used = [each for text in STEP["env"].values() for each in re.findall(r"\$\{\{ (.+?) \}\}", text)]
    assert sorted(used) == sorted(["github.action_path", *(f"inputs.{name}" for name in ACTION["inputs"])])
    for name in STEP["env"]:
        assert re.search(rf"\b{name}\b", STEP["run"] + "ONEHEAD_TOKEN"), name
    # An event's texts are a stranger's.
    assert "github.event" not in FILE.read_text(encoding="utf-8")


def test_its_inputs_and_outputs_are_on_the_page() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", PAGE, re.MULTILINE)
    shown = {name.strip("`"): default for names, default in rows for name in names.split(", ")}
    for name, told in ACTION["inputs"].items():
        default = told["default"]
        assert shown[name] == (f"`{default}`" if default and "${{" not in default else shown[name])
    for name, told in ACTION["outputs"].items():
        assert f"`{name}`" in PAGE
        assert told["value"] == f"${{{{ steps.{STEP['id']}.outputs.{name} }}}}"
    for verdict in re.findall(r"verdict=([a-z-]+) ;;", STEP["run"]):
        assert f"`{verdict}`" in PAGE
        assert f"`{verdict}`" in ACTION["outputs"]["verdict"]["description"]


@dataclass(frozen=True)
class Ran:
    """How the step ended, and what Python was called for."""

    code: int
    log: str
    summary: str
    outputs: dict[str, str]
    calls: list[dict[str, Any]]
    workspace: Path
    left: list[Path]


Runs = Callable[..., Ran]


@pytest.fixture
def step(project: Project, job_of: JobTokens, tmp_path: Path) -> Runs:
    """Runs the action in a job of a pull request, as the runner does."""

    def run(
        number: int,
        *,
        event: str = "",
        variables: Mapping[str, str] = MappingProxyType({}),
        planted: Mapping[str, str] = MappingProxyType({}),
        programs: Mapping[str, str] = MappingProxyType({}),
        **inputs: str,
    ) -> Ran:
        project.forgejo.wait_until_quiet()
        token = job_of().token
        job = checkout(project, number, tmp_path / "workspace", token=token, event=event)
        for name, text in planted.items():
            file = job.place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        temp, log = tmp_path / "temp", tmp_path / "calls"
        temp.mkdir()
        python, script = tmp_path / "bin" / "python3", tmp_path / "step.sh"
        python.parent.mkdir()
        python.write_text(PYTHON.format(log=str(log)), encoding="utf-8")
        for name, text in programs.items():
            (python.parent / name).write_text(text, encoding="utf-8")
        for file in python.parent.iterdir():
            file.chmod(0o755)
        script.write_text(STEP["run"], encoding="utf-8")
        given = {name: told["default"] for name, told in ACTION["inputs"].items()} | inputs
        known = {"github.token": token, "github.action_path": str(ROOT)}

        def value(text: str) -> str:
            """An expression as the runner fills it in; a default may be one itself."""
            while found := re.search(r"\$\{\{ (.+?) \}\}", text):
                name = found[1]
                text = text.replace(found[0], known[name] if name in known else given[name.removeprefix("inputs.")])
            return text

        env = {
            **{name: text for name, text in environment().items() if not name.startswith(("ONEHEAD", "GITHUB"))},
            **{name: text for name, text in job.variables.items() if name != "GITHUB_TOKEN"},
            "PATH": f"{python.parent}:{environment()['PATH']}",
            "HOME": str(tmp_path / "home"),
            "RUNNER_TEMP": str(temp),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "ONEHEAD_CACHE_DIR": str(tmp_path / "cache"),
            **variables,
            **{name: value(text) for name, text in STEP["env"].items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(command, cwd=job.place, env=env, capture_output=True, text=True, check=False, timeout=120)
        outputs = (tmp_path / "output").read_text() if (tmp_path / "output").exists() else ""
        return Ran(
            done.returncode,
            done.stdout + done.stderr,
            (tmp_path / "summary").read_text() if (tmp_path / "summary").exists() else "",
            dict(line.split("=", 1) for line in outputs.splitlines()),
            [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else [],
            job.place,
            list(temp.iterdir()),
        )

    return run


def collide(project: Project, branch: str = "oauth") -> int:
    """A pull request of a branch with 020 on 018, while main moves to 019."""
    project.copy.commit(BASE, "Start")
    project.copy.push()
    project.push_branch(branch, chain(("020", "018")))
    number = int(project.open_pull(branch)["number"])
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    return number


def comments(project: Project, number: int) -> list[str]:
    found = project.api.get(f"{project.repository.path}/issues/{number}/comments")
    return [each["body"] for each in found]


TRAP = "import pathlib\npathlib.Path({place!r}, 'pwned').write_text('by {name}')\n"
NAMES = ("onehead/__init__.py", "onehead/__main__.py", "sitecustomize.py", "usercustomize.py", "pip.py", "venv.py")


def traps(place: Path) -> dict[str, str]:
    """What a head may bring so that Python, pip or git run it."""
    return {
        **{name: TRAP.format(place=str(place), name=name) for name in NAMES},
        "pip.conf": "[global]\nindex-url = http://127.0.0.1:9/evil\n",
        "setup.py": TRAP.format(place=str(place), name="setup.py"),
        "pyproject.toml": "[build-system]\nrequires = ['evil']\nbuild-backend = 'evil'\n",
        ".gitattributes": "* filter=evil\n",
    }


def test_a_hostile_head_is_judged_and_nothing_of_it_is_run(project: Project, step: Runs, tmp_path: Path) -> None:
    number = collide(project, HOSTILE)
    place = tmp_path / "workspace"

    ran = step(number, planted=traps(place), variables={"PYTHONPATH": str(place), "PYTHONSTARTUP": "sitecustomize.py"})

    assert (ran.code, ran.outputs) == (1, {"verdict": "breaks-deploy", "exit-code": "1"}), ran.log
    assert not list(tmp_path.rglob("pwned"))
    *before, check = ran.calls
    assert "onehead" in check["args"]
    assert {Path(each["cwd"]).parent for each in before} == {tmp_path / "temp"}
    assert {name for each in ran.calls for name in each["env"] if name.startswith("PYTHON")} == {"PYTHONNOUSERSITE"}
    assert ran.left == []
    [comment] = comments(project, number)
    assert "both add a migration after `018`" in comment


def test_the_traps_would_be_noticed(tmp_path: Path) -> None:
    """Each of them runs where Python is not isolated."""
    for name, text in traps(tmp_path).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for module in ("onehead", "pip", "venv"):
        subprocess.run([sys.executable, "-m", module], cwd=tmp_path, capture_output=True, check=False, timeout=60)
        assert (tmp_path / "pwned").exists()
        (tmp_path / "pwned").unlink()
    env = environment() | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ""], env=env, capture_output=True, check=False, timeout=60)
    assert (tmp_path / "pwned").read_text() == "by sitecustomize.py"


def test_what_is_installed_is_the_action_itself_and_what_the_locks_name(project: Project, step: Runs) -> None:
    number = collide(project)

    ran = step(number)

    asked = [each["args"][4:] for each in ran.calls if each["args"][:4] == ["-I", "-m", "pip", "install"]]
    assert asked == [
        ["--quiet", "--require-hashes", "--requirement", str(ROOT / "requirements-build.lock")],
        ["--quiet", "--require-hashes", "--requirement", str(ROOT / "requirements.lock")],
        ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(ROOT)],
    ]
    assert all(each["args"][0] == "-I" for each in ran.calls)
    [check] = [each["args"] for each in ran.calls if "onehead" in each["args"]]
    assert check == ["-I", "-m", "onehead", "check", "--publish"]


def test_the_summary_and_the_log_show_what_was_printed_and_no_command_in_it_counts(
    project: Project, step: Runs
) -> None:
    number = collide(project)

    ran = step(number)

    lines = ran.log.splitlines()
    silence = next(line.rpartition("::")[2] for line in lines if line.startswith("::stop-commands::"))
    assert len(silence) == 32
    begin, end = lines.index(f"::stop-commands::{silence}"), lines.index(f"::{silence}::")
    assert lines[begin + 1].startswith(f"Collision. Forgejo Actions, pull request {number}: judged oauth (")
    assert lines[end - 1].startswith("onehead: set the status `onehead` of ")
    assert "Next: onehead fix --target origin/main --head oauth" in lines[begin:end]
    title, empty, *shown = ran.summary.splitlines()
    assert (title, empty) == ("### onehead: breaks-deploy", "")
    assert [line for line in shown if line and not line.startswith("    ")] == []
    assert f"    {lines[begin + 1]}" in shown


def test_of_pull_request_target_the_head_is_fetched_and_not_checked_out(project: Project, step: Runs) -> None:
    number = collide(project)

    ran = step(number, event="pull_request_target")

    assert (ran.code, ran.outputs["verdict"]) == (1, "breaks-deploy")
    assert len(comments(project, number)) == 1
    assert not (ran.workspace / "alembic/versions/020_t020.py").exists()
    assert (ran.workspace / "alembic/versions/018_t018.py").exists()


def test_a_healthy_one_is_green_and_without_publish_nothing_is_written(project: Project, step: Runs) -> None:
    project.copy.commit(merged(BASE, chain(("019", "018"))), "Start")
    project.copy.push()
    sha = project.push_branch("oauth", chain(("020", "019")))
    number = int(project.open_pull("oauth")["number"])

    ran = step(number, publish="false", sarif="true")

    assert (ran.code, ran.outputs) == (0, {"verdict": "healthy", "exit-code": "0"})
    assert "onehead: no findings were uploaded: Forgejo has no code scanning." in ran.log
    assert comments(project, number) == []
    assert project.api.get(f"{project.repository.path}/commits/{sha}/statuses") in ([], None)


def test_sides_that_are_named_are_words_of_their_own(project: Project, step: Runs) -> None:
    number = collide(project)

    ran = step(number, target="--version", head="$(touch pwned)")

    assert (ran.code, ran.outputs) == (2, {"verdict": "wrong-usage", "exit-code": "2"})
    assert "onehead: `--version` names no commit" in ran.log
    assert not (ran.workspace / "pwned").exists()


def test_a_python_that_is_too_old_or_missing_is_named(project: Project, step: Runs) -> None:
    ran = step(collide(project), python="/nowhere/python3")

    assert (ran.code, ran.outputs) == (2, {})
    assert "onehead: /nowhere/python3 is no Python 3.11 or newer. Name one as the input `python`" in ran.log


def test_a_folder_that_is_not_there_is_no_verdict(project: Project, step: Runs) -> None:
    ran = step(collide(project), path="app")

    assert (ran.code, ran.outputs) == (2, {})
    assert (
        "onehead: there is no folder app in the workspace. Name the one of the checkout as the input `path`." in ran.log
    )


@pytest.mark.parametrize("trigger", ["requirements.lock", "import onehead"])
def test_an_installation_that_fails_is_no_verdict(trigger: str, project: Project, step: Runs) -> None:
    """The exit code 1 of pip, or of a Python that finds no onehead, would say that the branch breaks the deploy."""
    fail = f"if {trigger!r} in ' '.join(sys.argv): sys.exit('no such index')\n"
    python = PYTHON.format(log="/dev/null").replace("match sys", f"{fail}match sys")

    ran = step(collide(project), programs={"python3": python})

    assert (ran.code, ran.outputs) == (3, {})
    assert "no such index\nonehead: the line above says what failed, so nothing was judged.\n" in ran.log


TALKING = """\
if sys.argv[1:5] == ["-I", "-m", "onehead", "check"]:
    sys.stdout.write("x" * 300_000 + "\\n::set-output name=verdict::healthy\\n::warning::" )
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
"""


def test_what_is_killed_within_a_line_is_not_judged_and_the_runner_listens_again(project: Project, step: Runs) -> None:
    python = PYTHON.format(log="/dev/null").replace("match sys.argv[1:]:", f"{TALKING}match sys.argv[1:]:")

    ran = step(collide(project), programs={"python3": python})

    assert (ran.code, ran.outputs["verdict"]) == (137, "not-judged")
    lines = ran.log.splitlines()
    silence = next(line.rpartition("::")[2] for line in lines if line.startswith("::stop-commands::"))
    begin, end = lines.index(f"::stop-commands::{silence}"), lines.index(f"::{silence}::")
    assert lines[begin + 2 : end] == ["::set-output name=verdict::healthy", "::warning::"]
    assert 200_000 < len(ran.summary) < 300_000


def test_only_the_check_has_the_token(project: Project, step: Runs) -> None:
    ran = step(collide(project), publish="false")

    assert [each["args"][2] for each in ran.calls if "ONEHEAD_TOKEN" in each["env"]] == ["onehead"]


LACKS_VENV = {"python3.lacks-venv": "", "id": "#!/bin/sh\necho 0\n"}
APT = '#!/bin/sh\necho "apt-get $*"\ncase $1 in install) rm "$(dirname "$0")/python3.lacks-venv" ;; esac\n'


@pytest.mark.slow
def test_debians_python_gets_its_venv_where_the_job_is_root(project: Project, step: Runs) -> None:
    ran = step(collide(project), programs=LACKS_VENV | {"apt-get": APT})

    assert (ran.code, ran.outputs["verdict"]) == (1, "breaks-deploy"), ran.log
    assert "apt-get update --quiet=2\napt-get install --quiet=2 --yes --no-install-recommends python3-venv\n" in ran.log


def test_who_may_not_install_it_is_asked_to(project: Project, step: Runs) -> None:
    ran = step(collide(project), programs=LACKS_VENV | {"apt-get": APT, "id": "#!/bin/sh\necho 1000\n"})

    assert (ran.code, ran.outputs) == (2, {})
    assert "onehead: python3 can't make environments. Install its venv in a step before." in ran.log
    assert "apt-get" not in ran.log
