"""What onehead relies on about git over HTTP and the hooks behind it."""

from __future__ import annotations

import base64
import os
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.forgejos.administration import clone_url
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.port import Account, eventually
from tests.forgejos.workcopy import PushRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forgejos.fixtures import Project
    from tests.forgejos.port import Forgejo


def git(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run git as a program without any identity or configuration of its own would."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **environment,
    }
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def header_environment(token: str) -> dict[str, str]:
    """Give the environment that makes git send a token as an extra header, never in a URL."""
    secret = base64.b64encode(f"anything:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {secret}",
    }


def web_address(project: Project) -> str:
    return f"{project.forgejo.url}/{project.repository.full_name}.git"


def test_pushing_makes_a_branch_that_the_api_shows(project: Project) -> None:
    sha = project.push_branch("feature/topic", {"a.txt": "a\n"})

    branch = project.api.get(f"{project.repository.path}/branches/feature/topic")

    assert (branch["name"], branch["commit"]["id"], branch["protected"]) == ("feature/topic", sha, False)
    assert branch["user_can_push"] is True


def test_a_blobless_bare_clone_with_the_token_in_an_extra_header(project: Project, tmp_path: Path) -> None:
    bot = project.forgejo.admin.create_bot()
    environment = header_environment(bot.token)

    cloned = git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", web_address(project), "c", **environment)

    assert cloned.returncode == 0, cloned.stderr
    missing = git(tmp_path / "c", "rev-list", "--objects", "--all", "--missing=print").stdout
    assert [line for line in missing.splitlines() if line.startswith("?")]
    shown = git(tmp_path / "c", "cat-file", "-p", "main:README.md", **environment)
    assert shown.stdout == "# Project\n"


def test_a_bot_with_write_access_pushes_by_extra_header(project: Project, tmp_path: Path) -> None:
    bot = project.forgejo.admin.create_bot()
    project.forgejo.admin.add_collaborator(project.repository, bot, "write")
    environment = header_environment(bot.token)
    git(tmp_path, "clone", "-q", "--bare", web_address(project), "c", **environment)

    pushed = git(tmp_path / "c", "push", "-q", web_address(project), "main:refs/heads/onehead/x", **environment)

    assert pushed.returncode == 0, pushed.stderr
    assert project.api.get(f"{project.repository.path}/branches/onehead/x")["name"] == "onehead/x"


def test_the_head_of_a_pull_request_is_a_ref_that_can_be_fetched(project: Project, tmp_path: Path) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    listed = git(tmp_path, "ls-remote", web_address(project), "refs/pull/*/head").stdout

    assert listed.split() == [sha, "refs/pull/1/head"]
    project.copy.git("fetch", "-q", "origin", "refs/pull/1/head")
    assert project.copy.git("rev-parse", "FETCH_HEAD") == sha


def test_the_head_ref_follows_pushes(project: Project, tmp_path: Path) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.switch("topic")
    sha = project.copy.commit({"a.txt": "b\n"})
    project.copy.push()

    def listed() -> bool:
        return sha in git(tmp_path, "ls-remote", web_address(project), "refs/pull/1/head").stdout

    assert eventually(listed)


def test_the_head_ref_cannot_be_pushed(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    with pytest.raises(PushRefusedError, match="hidden ref"):
        project.copy.push("main:refs/pull/1/head", force=True)


def test_a_commit_that_no_branch_has_any_more_can_be_fetched(project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.copy.push(":topic")

    project.copy.git("fetch", "-q", "origin", sha)

    assert project.copy.git("rev-parse", "FETCH_HEAD") == sha


def test_refs_of_ones_own_are_accepted(project: Project, tmp_path: Path) -> None:
    project.copy.push("main:refs/onehead/state")

    assert "refs/onehead/state" in git(tmp_path, "ls-remote", web_address(project)).stdout


def test_a_private_repository_asks_for_credentials(forgejo: Forgejo, work_copy: WorkCopies) -> None:
    owner, other = forgejo.admin.create_user("ann"), forgejo.admin.create_user("bob")
    hidden = forgejo.admin.create_repository(owner, private=True)
    copy = work_copy(hidden, owner)
    copy.commit({"a.txt": "a\n"})
    copy.push()
    address = f"{forgejo.url}/{hidden.full_name}.git/info/refs?service=git-upload-pack"

    def code(**options: object) -> int:
        return httpx.get(address, trust_env=False, **options).status_code  # type: ignore[arg-type]

    assert code() == 401
    assert code(auth=("x", "0" * 40)) == 401
    assert code(auth=(other.name, other.token)) == 404
    assert code(auth=("anything", owner.token)) == 200
    assert code(auth=(owner.name, owner.password)) == 200


def test_scopes_count_for_git_too(project: Project) -> None:
    token = project.forgejo.admin.create_token(project.owner.name, ["read:repository"])
    blind = project.forgejo.admin.create_token(project.owner.name, ["write:issue"])

    def code(service: str, secret: str) -> int:
        address = f"{web_address(project)}/info/refs?service={service}"
        return httpx.get(address, auth=("x", secret), trust_env=False).status_code

    assert code("git-upload-pack", token) == 200
    assert code("git-receive-pack", token) == 403
    assert code("git-receive-pack", blind) == 403
    assert code("git-receive-pack", project.owner.token) == 200


def test_a_reader_cannot_push(project: Project, work_copy: WorkCopies) -> None:
    reader = project.forgejo.admin.create_user("rita")
    copy = work_copy(project.repository, reader)
    copy.commit({"a.txt": "a\n"})

    with pytest.raises(PushRefusedError, match="pre-receive hook declined") as refusal:
        copy.push()

    where = project.repository.full_name
    assert f"remote: Forgejo: User '{reader.name}' is not allowed to push to branch 'main' in '{where}'." in str(
        refusal.value
    )


def test_an_archived_repository_takes_no_push(project: Project) -> None:
    project.api.call("PATCH", project.repository.path, {"archived": True}, expect=200)
    project.copy.commit({"a.txt": "a\n"})

    with pytest.raises(PushRefusedError, match="403"):
        project.copy.push()


def test_the_default_branch_cannot_be_deleted(project: Project) -> None:
    with pytest.raises(PushRefusedError, match="branch main is the default branch and cannot be deleted"):
        project.copy.push(":main")
    project.api.call("DELETE", f"{project.repository.path}/branches/main", expect=403)


def test_deleting_a_branch_by_the_api(project: Project, tmp_path: Path) -> None:
    project.push_branch("feature/topic", {"a.txt": "a\n"})

    project.api.call("DELETE", f"{project.repository.path}/branches/feature/topic", expect=204)

    assert "feature/topic" not in git(tmp_path, "ls-remote", web_address(project)).stdout
    # Version 15 has no better answer than 500 for a branch that is not there.
    assert project.api.ask("DELETE", f"{project.repository.path}/branches/feature/topic").status_code in {404, 500}


def test_making_a_branch_by_the_api(project: Project) -> None:
    path, main = f"{project.repository.path}/branches", project.copy.git("rev-parse", "main")

    made = project.api.call("POST", path, {"new_branch_name": "a/b", "old_ref_name": main}, expect=201)

    assert (made["name"], made["commit"]["id"]) == ("a/b", main)
    project.api.call("POST", path, {"new_branch_name": "a/b"}, expect=409)
    assert [branch["name"] for branch in project.api.get(path)] == ["a/b", "main"]
    project.api.call("POST", path, {"new_branch_name": "a/b/c"}, expect=409)
    project.api.call("POST", path, {"new_branch_name": "no..name"}, expect=422)
    project.api.call("POST", path, {"new_branch_name": "other", "old_branch_name": "nowhere"}, expect=404)


def test_names_of_branches_in_addresses(project: Project) -> None:
    project.copy.push("main:refs/heads/50%/ü")
    path = f"{project.repository.path}/branches"

    answers = [project.api.ask("GET", f"{path}/{name}") for name in ("50%25/%C3%BC", "50%25%2F%C3%BC")]

    assert [(answer.status_code, answer.json()["name"]) for answer in answers] == [(200, "50%/ü")] * 2
    status = project.api.get(f"{project.repository.path}/commits/50%25%2F%C3%BC/status")
    assert status["total_count"] == 0


def test_a_protected_branch_takes_no_direct_push_and_no_force(project: Project) -> None:
    rule = {"rule_name": "main", "enable_push": False}
    project.api.call("POST", f"{project.repository.path}/branch_protections", rule, expect=201)
    project.copy.commit({"a.txt": "a\n"})

    with pytest.raises(PushRefusedError, match="Not allowed to push to protected branch main"):
        project.copy.push()
    project.copy.git("commit", "-q", "--amend", "--allow-empty", "-m", "Rewritten")
    project.copy.git("reset", "-q", "--hard", "HEAD~1")
    project.copy.git("commit", "-q", "--amend", "-m", "Rewritten")
    with pytest.raises(PushRefusedError, match="branch main is protected from force push"):
        project.copy.push(force=True)
    assert project.api.get(f"{project.repository.path}/branches/main")["protected"] is True


def test_a_push_to_a_fork_needs_its_authors_consent(project: Project, api_of: Apis, work_copy: WorkCopies) -> None:
    admin = project.forgejo.admin
    author, bot = admin.create_user("fay"), admin.create_bot()
    admin.add_collaborator(project.repository, bot, "write")
    fork = admin.fork(project.repository, author)
    authors = work_copy(fork, author)
    authors.branch("topic")
    sha = authors.commit({"a.txt": "a\n"})
    authors.push()
    pull = project.open_pull(f"{author.name}:topic", by=api_of(author))
    bots = work_copy(fork, bot)
    bots.git("checkout", "-q", "topic")
    bots.commit({"b.txt": "b\n"})

    assert (pull["head"]["sha"], pull["head"]["repo"]["full_name"]) == (sha, fork.full_name)
    assert (pull["head"]["repo"]["fork"], pull["allow_maintainer_edit"]) == (True, False)
    with pytest.raises(PushRefusedError, match="is not allowed to push to branch 'topic'"):
        bots.push()
    path = f"{project.repository.path}/pulls/1"
    project.api.call("PATCH", path, {"allow_maintainer_edit": True}, expect=403)
    api_of(author).call("PATCH", path, {"allow_maintainer_edit": True}, expect=201)
    bots.push()
    assert project.pull(1)["head"]["sha"] == bots.git("rev-parse", "HEAD")


def test_a_token_for_named_repositories_pushes_to_these_alone(
    project: Project, api_of: Apis, work_copy: WorkCopies
) -> None:
    admin = project.forgejo.admin
    author, bot = admin.create_user("fay"), admin.create_bot()
    admin.add_collaborator(project.repository, bot, "write")
    token = admin.create_token(bot.name, ("write:repository", "write:issue"), [project.repository])
    narrow = Account(bot.id, bot.name, bot.email, bot.password, token)
    fork = admin.fork(project.repository, author)
    authors = work_copy(fork, author)
    authors.branch("topic")
    authors.commit({"a.txt": "a\n"})
    authors.push()
    project.open_pull(f"{author.name}:topic", by=api_of(author))
    path = f"{project.repository.path}/pulls/1"
    api_of(author).call("PATCH", path, {"allow_maintainer_edit": True}, expect=201)
    bots, forks = work_copy(project.repository, narrow), work_copy(fork, narrow)
    bots.branch("repair")
    bots.commit({"b.txt": "b\n"})
    forks.git("checkout", "-q", "topic")
    forks.commit({"b.txt": "b\n"})

    bots.push()
    with pytest.raises(PushRefusedError, match="403"):
        forks.push()


HOOK = """#!/bin/sh
echo "this is hook one"
while read old new ref; do
  case "$ref" in
    refs/heads/forbidden*) echo "no $ref please" >&2; exit 1;;
  esac
  git cat-file -e "$new" 2>/dev/null || { echo "cannot read $new"; exit 1; }
done
pwd > "{notes}"
env | grep -E '^(GITEA|GIT)_' | sort >> "{notes}"
"""


def install_hook(project: Project, notes: Path, script: str = HOOK) -> None:
    folder = project.forgejo.bare_repository(project.repository.owner, project.repository.name) / "hooks/pre-receive.d"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "onehead"
    file.write_text(script.replace("{notes}", str(notes)))
    file.chmod(0o755)


def test_a_hook_sees_the_pushed_objects_and_speaks_to_the_pusher(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    install_hook(project, notes)
    project.copy.commit({"a.txt": "a\n"})

    said = project.copy.push()

    assert "remote: this is hook one" in said
    where, *lines = notes.read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    bare = project.forgejo.bare_repository(project.repository.owner, project.repository.name)
    assert bare.samefile(where)
    assert environment["GIT_DIR"] == "."
    assert {"GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY"} <= set(environment)
    assert environment["GITEA_REPO_USER_NAME"] == project.repository.owner
    assert environment["GITEA_REPO_NAME"] == project.repository.name
    assert environment["GITEA_PUSHER_NAME"] == project.owner.name
    assert environment["GITEA_ROOT_URL"] == f"{project.forgejo.url}/"


def test_a_hook_refuses_a_push(project: Project, tmp_path: Path) -> None:
    install_hook(project, tmp_path / "notes")
    project.copy.branch("forbidden")
    project.copy.commit({"a.txt": "a\n"})

    with pytest.raises(PushRefusedError, match="pre-receive hook declined") as refusal:
        project.copy.push()

    assert "remote: no refs/heads/forbidden please" in str(refusal.value)
    project.api.call("GET", f"{project.repository.path}/branches/forbidden", expect=404)


def test_a_hook_refuses_a_merge(project: Project, tmp_path: Path) -> None:
    project.copy.push("main:refs/heads/forbidden-target")
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic", base="forbidden-target")
    install_hook(project, tmp_path / "notes")
    path = f"{project.repository.path}/pulls/1/merge"

    def ask() -> httpx.Response | None:
        response = project.api.ask("POST", path, {"Do": "merge"})
        return None if "try again later" in response.text else response

    response = eventually(ask)

    assert response is not None
    assert response.status_code == 409
    message = response.json()["message"]
    assert message.startswith("PushRejected with remote message: ")
    assert "no refs/heads/forbidden-target please" in message


def test_a_hook_sees_merges_and_which_pull_request_they_are_of(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    install_hook(project, notes)

    project.merge(1)

    assert "GITEA_PUSH_TRIGGER=pr-merge-to-base" in notes.read_text().splitlines()


def test_a_hook_for_all_repositories_of_the_server(project: Project) -> None:
    folder, version = project.forgejo.server_hooks(), project.api.get("/version")["version"]
    assert (folder is None) == (int(version.split(".")[0]) < 16)
    if folder is None:
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "onehead"
    file.write_text("#!/bin/sh\necho seen by the server\n")
    file.chmod(0o755)
    try:
        project.copy.commit({"a.txt": "a\n"})
        assert "remote: seen by the server" in project.copy.push()
    finally:
        # An empty folder makes the forge's own script complain to every pusher.
        file.unlink()
        for path in made:
            path.rmdir()


def test_the_site_administrators_hook_editor(project: Project) -> None:
    path, admin = f"{project.repository.path}/hooks/git/pre-receive", project.forgejo.admin.api

    project.api.call("GET", path, expect=403)
    admin.call("PATCH", path, {"content": "#!/bin/sh\necho seen\n"}, expect=200)
    project.copy.commit({"a.txt": "a\n"})

    assert "remote: seen" in project.copy.push()
    assert admin.get(path)["is_active"] is True
    admin.call("DELETE", path, expect=204)
    project.copy.commit({"a.txt": "b\n"})
    assert "remote: seen" not in project.copy.push()


def test_the_clone_url_works_with_any_user_name(project: Project, tmp_path: Path) -> None:
    renamed = Account(0, "whoever", "", "", project.owner.token)

    cloned = git(tmp_path, "clone", "-q", clone_url(project.forgejo.url, project.repository, renamed), "c")

    assert cloned.returncode == 0, cloned.stderr


def test_the_first_branch_becomes_the_default_one(forgejo: Forgejo, work_copy: WorkCopies) -> None:
    owner = forgejo.admin.create_user("ann")
    repository = forgejo.admin.create_repository(owner)
    copy = work_copy(repository, owner)
    path = repository.path
    assert forgejo.admin.api.get(path)["empty"] is True
    copy.git("checkout", "-q", "-b", "trunk")
    copy.commit({"a.txt": "a\n"})

    forgejo.admin.api.call("GET", f"{path}/pulls", expect=404)

    copy.push()

    eventually(lambda: forgejo.admin.api.get(path)["empty"] is False)
    assert forgejo.admin.api.get(path)["default_branch"] == "trunk"
    assert forgejo.admin.api.get(f"{path}/pulls") == []
