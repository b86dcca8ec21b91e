"""How a release is made: its version, its changelog, its files, and what goes to Forgejo."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from markdown_it import MarkdownIt

from deploy.distributions import ReleaseError, unpacked
from deploy.metadata import readme, urls
from deploy.release import (
    HEADING,
    UNRELEASED,
    acceptable,
    attach,
    attach_from_a_job,
    edit,
    main,
    moved,
    ready,
    section,
    signing,
)
from tests.repositories import environment

ROOT = Path(__file__).parents[1]
MADE = shutil.ignore_patterns(".git", ".venv", ".*cache*", ".hypothesis", "__pycache__", "dist", "demo-out", "fuzz-out")


def run(at: Path, *command: str | Path, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=at, env=environment() | variables, capture_output=True, text=True, timeout=timeout, check=False
    )


def git(at: Path, *arguments: str) -> str:
    done = run(at, "git", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the version ------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with two commits, and what decides the version of onehead; the first has the tag v1.2.0."""
    place = tmp_path / "checkout"
    (place / "deploy").mkdir(parents=True)
    for file in ("pyproject.toml", ".gitattributes", ".git_archival.txt", "README.md", "deploy/metadata.py"):
        shutil.copy2(ROOT / file, place / file)
    git(place, "init", "--quiet", "--initial-branch=main")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message=one")
    git(place, "tag", "--annotate", "--message=1.2.0", "v1.2.0")
    git(place, "commit", "--quiet", "--allow-empty", "--message=two")
    return place


def version(tree: Path, **variables: str) -> str:
    """The version that a build of this tree has."""
    told = run(tree, sys.executable, "-m", "hatchling", "version", timeout=60, **variables)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_the_version_is_that_of_the_tag(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "v1.2.0")
    assert version(checkout) == "1.2.0"


def test_a_commit_after_a_tag_has_a_development_version(checkout: Path) -> None:
    assert version(checkout) == f"1.2.1.dev1+g{git(checkout, 'rev-parse', '--short=9', 'HEAD').strip()}"


@pytest.mark.parametrize(("depth", "count"), [("--no-local", 2), ("--depth=1", 1)])
def test_a_clone_without_tags_names_its_commit(checkout: Path, tmp_path: Path, depth: str, count: int) -> None:
    git(tmp_path, "clone", "--quiet", "--no-tags", depth, f"file://{checkout}", "bare-of-tags")
    commit = git(checkout, "rev-parse", "--short=9", "HEAD").strip()
    assert version(tmp_path / "bare-of-tags") == f"0.1.dev{count}+g{commit}"


def test_a_tree_without_git_has_a_version_of_its_own(checkout: Path) -> None:
    shutil.rmtree(checkout / ".git")
    assert version(checkout) == "0.0"
    assert version(checkout, SETUPTOOLS_SCM_PRETEND_VERSION_FOR_ONEHEAD="") == "0.0"  # an image without VERSION
    assert version(checkout, SETUPTOOLS_SCM_PRETEND_VERSION_FOR_ONEHEAD="1.2.0") == "1.2.0"


def test_a_tree_inside_of_another_repository_does_not_have_its_version(checkout: Path) -> None:
    inner = checkout / "vendor" / "onehead"
    inner.mkdir(parents=True)
    shutil.copy2(ROOT / "pyproject.toml", inner)
    shutil.copytree(ROOT / "deploy", inner / "deploy")
    shutil.copy2(ROOT / "README.md", inner)
    assert version(inner) == "0.0"


def test_an_archive_that_git_makes_knows_its_tag(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "archive", "--prefix=onehead/", "--output", str(tmp_path / "archive.zip"), "v1.2.0")
    shutil.unpack_archive(tmp_path / "archive.zip", tmp_path)
    assert version(tmp_path / "onehead") == "1.2.0"


# --- the README of a release ------------------------------------------------------------------------------------


def targets(text: str) -> list[str]:
    """Where the links and pictures of a Markdown text lead."""
    found = []
    for block in MarkdownIt().parse(text):
        for part in [block, *(block.children or [])]:
            found += [str(part.attrs[name]) for name in ("href", "src") if name in part.attrs]
            if part.type.startswith("html"):
                found += re.findall(r"""(?:href|src|srcset)=["']([^"']+)""", part.content)
    return found


def test_the_readme_of_a_release_leads_into_its_repository() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    home = "https://git.example.org/tools/onehead"
    told = targets(readme(text, home, "tag/v1.2.0"))

    assert f"{home}/src/tag/v1.2.0/docs/tutorial.md" in told
    assert len(told) == len(targets(text))
    assert [each for each in told if not each.startswith(("https://", "#"))] == []


def test_a_readme_without_a_home_has_words_instead_of_dead_links() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [each for each in targets(readme(text, "", "")) if not each.startswith(("https://", "#"))] == []
    assert readme("[a](b.md), [c](https://d.example/e) ![f](g.png) [h](#i)", "", "") == (
        "a, [c](https://d.example/e) f [h](#i)"
    )


def test_pictures_of_the_readme_are_taken_as_files() -> None:
    assert readme("![a](b.png)", "https://c.example/d/e", "branch/main") == (
        "![a](https://c.example/d/e/raw/branch/main/b.png)"
    )


def test_a_picture_for_light_and_dark_is_taken_as_files_too() -> None:
    picture = '<picture>\n  <source srcset="dark.webp">\n  <img src="light.webp" alt="a">\n</picture>\n\nText'
    found = readme(picture, "https://c.example/d/e", "branch/main")
    raw = "https://c.example/d/e/raw/branch/main"
    assert targets(found) == [f"{raw}/dark.webp", f"{raw}/light.webp"]
    assert readme(picture, "", "") == "Text"


def test_the_addresses_of_the_project_lie_in_its_repository() -> None:
    assert urls("https://c.example/d", "tag/v1")["Changelog"] == "https://c.example/d/src/tag/v1/CHANGELOG.md"
    for path in ("docs/index.md", "CHANGELOG.md"):
        assert (ROOT / path).is_file()


# --- the changelog ----------------------------------------------------------------------------------------------

CHANGES = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.2.0] - 2026-01-02\n\n- old\n"
DAY = dt.date(2026, 3, 4)
LAST = HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[0]


def test_what_was_unreleased_gets_the_version_and_the_day() -> None:
    told = moved(CHANGES, "1.3.0", DAY)

    assert told == CHANGES.replace("[Unreleased]\n", "[Unreleased]\n\n## [1.3.0] - 2026-03-04\n")
    assert section(told, "1.3.0") == "- new"
    assert section(told, "1.2.0") == "- old"


def test_nothing_unreleased_is_no_release() -> None:
    with pytest.raises(ReleaseError, match="nothing under Unreleased"):
        moved(moved(CHANGES, "1.3.0", DAY), "1.4.0", DAY)
    with pytest.raises(ReleaseError, match=r"no heading `## \[9\.9\.9\]`"):
        section(CHANGES, "9.9.9")


@pytest.mark.parametrize("wrong", ["v1.3.0", "1.3.0.dev1", "1.3.0+x", "1.03", "next", ""])
def test_what_is_no_version_of_a_release_is_refused(wrong: str) -> None:
    with pytest.raises(ReleaseError, match="is no version for a release"):
        acceptable(wrong, CHANGES)


def test_versions_go_up() -> None:
    assert acceptable("1.3.0rc1", CHANGES) == "1.2.0"
    assert acceptable("0.1", "## [Unreleased]\n") is None
    for taken in ("1.2.0", "1.1.9", "1.2.0rc1"):
        with pytest.raises(ReleaseError, match=r"does not follow 1\.2\.0"):
            acceptable(taken, CHANGES)


def test_our_own_changelog_can_be_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    # Right after a release, nothing is unreleased.
    told = moved(text.replace(UNRELEASED, f"{UNRELEASED}\n- new\n", 1), "99.0.0", DAY)
    assert section(told, "99.0.0").startswith("- new")
    assert section(told, LAST)
    assert acceptable("99.0.0", text) == LAST


def test_files_that_name_the_last_image_name_the_new_one(tmp_path: Path) -> None:
    for folder in ("deploy", "tests/deploy/rendered"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=MADE)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES.replace("1.2.0", LAST))
    edit(tmp_path, "99.0.0", DAY)

    everything = "".join(file.read_text() for file in tmp_path.rglob("*.yaml"))
    assert re.findall(r"(?:onehead:|newTag: )\d.*", everything).count("onehead:99.0.0") >= 8
    assert "newTag: 99.0.0" in everything
    assert f"onehead:{LAST}" not in everything


# --- what may be released ---------------------------------------------------------------------------------------


def test_a_release_is_signed_as_git_is_told_to(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with (tmp_path / ".git" / "config").open("a") as file:
        file.write(
            '[commit]\n gpgSign\n[user]\n signingKey = Ann = A B\n[gpg "ssh"]\n program = "a\\nb"\n[core]\n x = y\n'
        )
    found = signing(tmp_path)
    told = {"commit.gpgsign": "true", "user.signingkey": "Ann = A B", "gpg.ssh.program": "a\nb"}
    assert found | told == found
    assert "core.x" not in found


def test_a_release_is_made_of_what_is_committed_on_main(checkout: Path) -> None:
    ready(checkout, "v1.3.0")
    with pytest.raises(ReleaseError, match=r"The tag v1\.2\.0 exists\."):
        ready(checkout, "v1.2.0")
    (checkout / "new").touch()
    with pytest.raises(ReleaseError, match=r"\?\? new\nThese files are not committed\."):
        ready(checkout, "v1.3.0")
    (checkout / "new").unlink()
    git(checkout, "switch", "--quiet", "--create", "topic")
    with pytest.raises(ReleaseError, match=r"HEAD is on the branch topic\. Releases are made on main: git switch main"):
        ready(checkout, "v1.3.0")
    git(checkout, "checkout", "--quiet", "--detach")
    with pytest.raises(ReleaseError, match=r"HEAD is on no branch\."):
        ready(checkout, "v1.3.0")


# --- the release in Forgejo -------------------------------------------------------------------------------------


def forge(requests: list[str], *, there: list[str] | None = None) -> httpx.Client:
    """A Forgejo that has the release already where `there` names its files."""

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(f"{request.method} {request.url.path.rpartition('/onehead/')[2]}")
        made = {"id": 7, "html_url": "https://f.example/r", "assets": [{"name": each} for each in there or []]}
        match request.method, request.url.path.rpartition("/")[2]:
            case "POST", "releases":
                assert b'"prerelease":true' in request.content
                return httpx.Response(409 if there is not None else 201, json=made)
            case "POST", "assets":
                requests[-1] += f" {request.url.params['name']}"
                assert b"bytes of " in request.read()
                return httpx.Response(201, json={})
            case _:
                return httpx.Response(200, json=made)

    return httpx.Client(base_url="https://f.example/api/v1/repos/a/onehead/", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (None, ["POST releases", "POST releases/7/assets a.whl", "POST releases/7/assets a.tar.gz"]),
        (["a.whl"], ["POST releases", "GET releases/tags/v1.3.0rc1", "POST releases/7/assets a.tar.gz"]),
    ],
)
def test_a_release_is_made_once_and_completed(tmp_path: Path, there: list[str] | None, wanted: list[str]) -> None:
    files = [tmp_path / "a.whl", tmp_path / "a.tar.gz"]
    for file in files:
        file.write_text(f"bytes of {file.name}")
    requests: list[str] = []
    with forge(requests, there=there) as client:
        assert attach(client, "v1.3.0rc1", "- new", files) == "https://f.example/r"
    assert requests == wanted


def test_without_a_jobs_variables_nothing_is_attached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_API_URL", raising=False)
    assert main(["attach", "v1.3.0"]) == 1
    assert "'GITHUB_API_URL' is not set. Forgejo sets it in a job" in capsys.readouterr().err


def test_files_of_another_version_than_the_tag_are_not_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ReleaseError, match=rf"The tag is v{LAST}, and dist/ holds nothing\. Run: make dist"):
        attach_from_a_job(f"v{LAST}", tmp_path)
    (tmp_path / "onehead-9.9.9.tar.gz").touch()
    with pytest.raises(ReleaseError, match=r"and dist/ holds onehead-9\.9\.9\.tar\.gz\."):
        attach_from_a_job(f"v{LAST}", tmp_path)
    with pytest.raises(ReleaseError, match=r"no heading `## \[9\.9\.8\]`"):
        attach_from_a_job("v9.9.8", tmp_path)


# --- the whole of it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with what `make release` needs, and nothing else."""
    place = tmp_path_factory.mktemp("tools") / "venv"
    uv = Path(sys.executable).with_name("uv")
    locks = [part for name in ("", "-build", "-release") for part in ("--requirement", f"requirements{name}.lock")]
    for command in (("venv", "--quiet", place), ("pip", "install", "--quiet", "--require-hashes", *locks)):
        done = run(ROOT, uv, *command, timeout=100, VIRTUAL_ENV=str(place))
        assert done.returncode == 0, done.stderr
    return place / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_release_from_its_rehearsal_to_its_files(tools: Path, tmp_path: Path) -> None:
    place = tmp_path / "onehead"
    shutil.copytree(ROOT, place, ignore=MADE)
    for command in ("init --quiet --initial-branch=main", "add --all", "commit --quiet --message=all"):
        git(place, *command.split())
    before = git(place, "rev-parse", "HEAD")

    def release(*arguments: str) -> subprocess.CompletedProcess[str]:
        home = "https://git.example.org/tools/onehead"
        return run(place, tools, "-m", "deploy.release", *arguments, timeout=250, RELEASE_URL=home)

    rehearsed = release("rehearse", "9.9.9")
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr
    assert "A rehearsal: nothing has changed but dist/." in rehearsed.stdout
    assert (git(place, "rev-parse", "HEAD"), git(place, "tag"), git(place, "status", "--porcelain")) == (before, "", "")

    done = release("tag", "9.9.9", "--no-tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("PASSED", done.stdout)) == 2
    for installer in ("uvx", "pipx"):
        assert f"{installer}: onehead 9.9.9; `check` is 0 in a fresh repository and 1 once it is forked." in done.stdout
    assert "git push --atomic origin main v9.9.9" in done.stdout
    assert git(place, "log", "-1", "--format=%s %D") == "release: 9.9.9 HEAD -> main, tag: v9.9.9\n"
    assert git(place, "rev-parse", "HEAD~1") == before
    assert git(place, "status", "--porcelain") == ""
    assert f"## [9.9.9] - {dt.datetime.now(dt.UTC).date()}" in (place / "CHANGELOG.md").read_text()
    names = sorted(file.name for file in (place / "dist").iterdir())
    assert names == ["onehead-9.9.9-py3-none-any.whl", "onehead-9.9.9.tar.gz"]

    again = release("rehearse", "9.9.9")
    assert (again.returncode, again.stdout) == (1, "")
    assert "The tag v9.9.9 exists." in again.stderr
    [sdist] = (place / "dist").glob("*.tar.gz")
    runs_its_tests(unpacked(sdist, tmp_path / "sdist"))


def runs_its_tests(tree: Path) -> None:
    """An sdist holds what its tests need, and is what they test."""
    said: dict[str, Any] = {"PYTHONPATH": str(tree / "bot")}
    assert "Project-URL: Source, https://git.example.org/tools/onehead\n" in (tree / "PKG-INFO").read_text()
    where = run(tree, sys.executable, "-c", "import onehead; print(onehead.__file__)", **said)
    assert where.stdout.strip() == str(tree / "bot" / "onehead" / "__init__.py")
    pytest_quiet = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    collected = run(tree, *pytest_quiet, "--collect-only", timeout=120, **said)
    assert collected.returncode == 0, collected.stdout[-3000:] + collected.stderr
    some = (
        "revisions/test_graph.py",
        "plan/test_decide.py",
        "deploy",
        "test_docs.py",
        "test_locks.py",
        "test_release.py",
    )
    done = run(tree, *pytest_quiet, "-m", "not slow", *(f"tests/{each}" for each in some), timeout=200, **said)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
