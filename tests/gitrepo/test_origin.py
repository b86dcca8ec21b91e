"""What a clone made for CI lacks, fetched from origin without a trace among its refs, its files or its settings."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import merge_trees
from onehead.gitrepo.process import GitFailed, OriginSilent, ShallowHistory
from onehead.gitrepo.refs import is_shallow, merge_base
from onehead.gitrepo.remote import Origin
from onehead.gitrepo.tree import list_tree, read
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.repositories import Repository, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Origin, in both of git's object formats: a topic that left main 80 commits ago, of which some are older still."""
    made = {}
    for kind in ("sha1", "sha256"):
        origin = Repository(tmp_path_factory.mktemp("forge") / "shop.git", object_format=kind)
        for number in range(20):
            origin.commit("main", {f"old/{number}": str(number)})
        origin.branch("topic", "main")
        origin.commit("topic", {"mine": "1\n"})
        for number in range(80):
            origin.commit("main", {f"new/{number}": str(number)})
        origin.git("config", "uploadpack.allowFilter", "true")
        made[kind] = origin.path
    return made


@pytest.fixture(params=["sha1"])
def repo(templates: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    place = tmp_path / "forge" / "shop.git"
    shutil.copytree(templates[request.param], place)
    return Repository(place, object_format=request.param)


def checkout(repo: Repository, place: Path, ref: str, *options: str, url: str = "") -> Path:
    """What a checkout step makes: one commit under a name of its own, and nothing else."""
    place.mkdir()
    git(place, "init", "--quiet", f"--object-format={repo.git('rev-parse', '--show-object-format').strip()}")
    git(place, "remote", "add", "origin", url or f"file://{repo.path}")
    git(place, "fetch", "--quiet", "--no-tags", *options, "origin", f"+{repo.sha(ref)}:refs/remotes/pull/1/head")
    git(place, "checkout", "--quiet", "--detach", "refs/remotes/pull/1/head")
    return place


def git(place: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def traces(place: Path) -> tuple[str, str, str, str]:
    """All that a fetch may leave behind, beside objects and the note of where history is cut off."""
    head = (place / ".git" / "HEAD").read_text()
    fetched = str((place / ".git" / "FETCH_HEAD").stat().st_mtime_ns)
    return (
        git(place, "for-each-ref"),
        git(place, "status", "--porcelain"),
        git(place, "config", "--list"),
        head + fetched,
    )


@pytest.mark.parametrize("repo", ["sha1", "sha256"], indirect=True)
def test_a_clone_of_one_commit_gets_what_is_needed_and_no_more(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    before = traces(place)
    main, topic = repo.sha("main"), repo.sha("topic")
    Origin(Git(place)).bring(main, topic)
    assert merge_base(Git(place), main, topic) == repo.sha("main~80")
    assert merge_trees(Git(place), main, topic).conflicts == {}
    assert traces(place) == before


def test_a_young_branch_is_not_paid_for_with_the_whole_history(repo: Repository, tmp_path: Path) -> None:
    repo.branch("young", "main~3")
    repo.commit("young", {"mine": "2\n"})
    place = checkout(repo, tmp_path / "work", "young", "--depth=1")
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("young"))
    assert merge_base(Git(place), repo.sha("main"), repo.sha("young")) == repo.sha("main~3")
    assert is_shallow(Git(place))
    assert int(git(place, "rev-list", "--count", repo.sha("main"))) < 60


def test_a_step_never_cuts_off_what_the_clone_has(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "main~1", "--depth=90")
    oldest = git(place, "rev-list", "HEAD").split()[-1]
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("main~1"))
    assert oldest in git(place, "rev-list", "HEAD").split()


def test_a_complete_clone_stays_complete(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic")
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("topic"))
    assert not is_shallow(Git(place))
    assert merge_base(Git(place), repo.sha("main"), repo.sha("topic")) == repo.sha("main~80")


def test_origin_is_left_alone_when_all_is_there(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "main")
    git(place, "remote", "set-url", "origin", "file:///nowhere")
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("main~80"))


def test_unrelated_histories_are_no_reason_to_fetch_for_ever(repo: Repository, tmp_path: Path) -> None:
    repo.commit("other", {"x": "1\n"}, parents=[])
    place = checkout(repo, tmp_path / "work", "other", "--depth=1")
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("other"))
    assert merge_base(Git(place), repo.sha("main"), repo.sha("other")) is None


@pytest.mark.parametrize("filtered", ["tree:0", "blob:none"])
@pytest.mark.parametrize("depth", ["--depth=1", "--no-tags"], ids=["shallow", "deep"])
def test_a_partial_clone_gets_the_files_it_lacks(repo: Repository, tmp_path: Path, filtered: str, depth: str) -> None:
    place = checkout(repo, tmp_path / "work", "topic", depth, f"--filter={filtered}")
    before = traces(place)
    main, topic = repo.sha("main"), repo.sha("topic")
    Origin(Git(place)).bring(main, topic)
    assert traces(place) == before
    tree = list_tree(Git(place), main)
    contents = read(Git(place), {entry.oid for entry in tree.entries.values()}, 1024)
    assert contents.data[tree.entries["new/79"].oid] == b"79"
    assert set(merge_trees(Git(place), main, topic).entries) == {*repo.files("main"), "mine"}


def test_a_commit_that_is_not_on_origin(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    with pytest.raises(OriginSilent) as caught:
        Origin(Git(place)).bring("0" * 39 + "1")
    assert "not our ref" in caught.value.message
    assert caught.value.exit_code == 3


def test_an_origin_that_is_cut_off_itself(repo: Repository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "--depth=2", "--no-single-branch", f"file://{repo.path}", "cut.git")
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1", url=f"file://{tmp_path}/cut.git")
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("topic"))
    with pytest.raises(ShallowHistory):
        merge_base(Git(place), repo.sha("main"), repo.sha("topic"))


def test_what_origin_has(repo: Repository, tmp_path: Path) -> None:
    repo.tag("v1", "main~10", "A release")
    repo.git("update-ref", "refs/remotes/mirror/HEAD", "topic")
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    told = Origin(Git(place)).advertised
    assert told.default_branch == "main"
    assert told.refs == {
        "refs/heads/main": repo.sha("main"),
        "refs/heads/topic": repo.sha("topic"),
        "refs/tags/v1": repo.sha("main~10"),
    }
    assert (told.tip("main"), told.tip("gone")) == (repo.sha("main"), None)


def test_what_stands_on_origin_whether_this_clone_has_a_name_for_it_or_not(repo: Repository, tmp_path: Path) -> None:
    repo.branch("behind", "main~5")
    repo.branch("staging", "topic")
    repo.commit("elsewhere", {"x": "1\n"}, parents=["main"])
    repo.tag("v1", "topic", "A release")
    place = checkout(repo, tmp_path / "work", "topic")
    origin = Origin(Git(place))
    origin.bring(repo.sha("main"), repo.sha("topic"))
    here, absent = origin.elsewhere()
    assert {ref.name: ref.sha for ref in here} == {
        "refs/remotes/origin/behind": repo.sha("behind"),
        "refs/remotes/origin/main": repo.sha("main"),
        "refs/remotes/origin/staging": repo.sha("topic"),
        "refs/remotes/origin/topic": repo.sha("topic"),
        "refs/tags/v1": repo.sha("topic"),
    }
    assert absent == ["refs/heads/elsewhere"]


def test_an_origin_that_hangs_is_given_up(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    hanging = tmp_path / "hang"
    hanging.write_text("#!/bin/sh\nsleep 60\n")
    hanging.chmod(0o755)
    git(place, "config", "remote.origin.uploadpack", str(hanging))
    with pytest.raises(OriginSilent) as caught:
        _ = Origin(Git(place), seconds=0.5).advertised
    assert caught.value.message == "origin did not answer within 0.5 seconds"


def test_no_hook_runs(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-merge"):
        hook = place / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/trace\n")
        hook.chmod(0o755)
    Origin(Git(place)).bring(repo.sha("main"), repo.sha("topic"))
    assert not (tmp_path / "trace").exists()


def test_a_transport_that_starts_a_program_is_refused(repo: Repository, tmp_path: Path) -> None:
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    git(place, "remote", "set-url", "origin", f"ext::touch {tmp_path}/trace")
    with pytest.raises(OriginSilent) as caught:
        _ = Origin(Git(place)).advertised
    assert caught.value.message == "fatal: transport 'ext' not allowed"
    assert not (tmp_path / "trace").exists()


# Credentials: what the checkout has


@pytest.fixture
def private(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout whose origin answers nobody without a token, and which has none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    place = checkout(repo, tmp_path / "work", "topic", "--depth=1")
    with ForgeOverHttp(repo.path.parent) as forge:
        git(place, "remote", "set-url", "origin", f"{forge.url}/shop.git")
        yield place


def url_of(place: Path) -> str:
    return git(place, "remote", "get-url", "origin").strip()


def test_without_a_token_nobody_is_asked_for_one(private: Path) -> None:
    with pytest.raises(OriginSilent) as caught:
        _ = Origin(Git(private)).advertised
    assert "fatal: could not read Username" in caught.value.message


def in_local_configuration(place: Path, _: Path, __: pytest.MonkeyPatch) -> None:
    """As Forgejo's and GitHub's checkout steps leave it."""
    token = b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    git(place, "config", f"http.{url_of(place)}.extraheader", f"AUTHORIZATION: Basic {token}")


def in_an_included_file(place: Path, home: Path, _: pytest.MonkeyPatch) -> None:
    """As the newer checkout step leaves it: outside of the checkout, for this one only."""
    in_local_configuration(place, home, _)
    key = f"http.{url_of(place)}.extraheader"
    value = git(place, "config", key).strip()
    git(place, "config", "--unset", key)
    (home / "credentials").write_text(f'[http "{url_of(place)}"]\n\textraheader = {value}\n')
    git(place, "config", f"includeIf.gitdir:{place}/.git.path", str(home / "credentials"))


def in_the_address(place: Path, _: Path, __: pytest.MonkeyPatch) -> None:
    """As GitLab's runner writes it."""
    git(place, "remote", "set-url", "origin", url_of(place).replace("://", f"://gitlab-ci-token:{TOKEN}@"))


def in_netrc(_: Path, home: Path, __: pytest.MonkeyPatch) -> None:
    """As Woodpecker's clone step uses it."""
    (home / ".netrc").write_text(f"machine 127.0.0.1 login ci password {TOKEN}\n")


def from_a_helper(_: Path, home: Path, __: pytest.MonkeyPatch) -> None:
    (home / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!f() {{ echo username=ci; echo password={TOKEN}; }}; f"\n'
    )


def from_a_program(_: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Jenkins hands it over."""
    program = home / "askpass"
    program.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(program))


def in_the_environment(_: Path, __: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.extraheader")
    token = b64encode(f"ci:{TOKEN}".encode()).decode()
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"Authorization: Basic {token}")


@pytest.mark.parametrize(
    "give",
    [
        in_local_configuration,
        in_an_included_file,
        in_the_address,
        in_netrc,
        from_a_helper,
        from_a_program,
        in_the_environment,
    ],
)
def test_the_credentials_of_the_checkout_are_used(
    private: Path, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, give: object
) -> None:
    assert callable(give)
    give(private, tmp_path, monkeypatch)
    origin = Origin(Git(private))
    assert origin.advertised.tip("main") == repo.sha("main")
    origin.bring(repo.sha("main"), repo.sha("topic"))
    assert merge_base(Git(private), repo.sha("main"), repo.sha("topic")) == repo.sha("main~80")


def test_the_door_that_reads_reaches_nobody_whatever_the_checkout_has(
    private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_netrc(private, tmp_path, monkeypatch)
    with pytest.raises(GitFailed) as caught:
        Git(private).run("ls-remote", "origin")
    assert "transport 'http' not allowed" in caught.value.message


def test_a_token_never_shows(private: Path) -> None:
    git(private, "remote", "set-url", "origin", url_of(private).replace("://", "://ci:wr0ng-token@"))
    with pytest.raises(OriginSilent) as caught:
        _ = Origin(Git(private)).advertised
    assert "Authentication failed" in caught.value.message
    assert "wr0ng" not in caught.value.message
