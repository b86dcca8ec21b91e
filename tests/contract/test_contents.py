"""What onehead relies on about files read and written through the API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.forgejos.fixtures import Project


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def change(project: Project, files: list[dict[str, str]], expect: int, **more: str) -> Any:
    body = {"files": files, "message": "By the API", **more}
    return project.api.call("POST", f"{project.repository.path}/contents", body, expect=expect)


def test_reading_a_file_and_a_folder(project: Project) -> None:
    project.copy.commit({"dir/sub/a.txt": "äöü\n", "dir/b.txt": "b\n"})
    project.copy.push()
    path = f"{project.repository.path}/contents"

    file = project.api.get(f"{path}/dir/sub/a.txt?ref=main")
    folder = project.api.get(f"{path}/dir")

    assert base64.b64decode(file["content"]).decode() == "äöü\n"
    assert (file["type"], file["encoding"], file["size"], file["path"]) == ("file", "base64", 7, "dir/sub/a.txt")
    assert [(entry["name"], entry["type"]) for entry in folder] == [("b.txt", "file"), ("sub", "dir")]
    assert project.api.ask("GET", f"{project.repository.path}/raw/dir/b.txt").text == "b\n"
    project.api.call("GET", f"{path}/missing.txt", expect=404)
    project.api.call("GET", f"{path}/dir/b.txt?ref=nowhere", expect=404)


def test_several_files_in_one_commit_on_a_new_branch(project: Project) -> None:
    project.copy.commit({"old.txt": "old\n", "gone.txt": "gone\n"})
    project.copy.push()
    files = [
        {"operation": "create", "path": "new/a.txt", "content": encoded("a\n")},
        {"operation": "update", "path": "old.txt", "content": encoded("newer\n")},
        {"operation": "delete", "path": "gone.txt"},
    ]

    made = change(project, files, 201, branch="main", new_branch="by-api")

    project.copy.git("fetch", "-q", "origin")
    assert project.copy.git("rev-parse", "origin/by-api") == made["commit"]["sha"]
    assert project.copy.git("log", "-1", "--format=%s", "origin/by-api") == "By the API"
    assert project.copy.git("rev-parse", "origin/by-api^") == project.copy.git("rev-parse", "main")
    names = project.copy.git("ls-tree", "-r", "--name-only", "origin/by-api").split()
    assert names == ["README.md", "new/a.txt", "old.txt"]
    assert project.copy.git("show", "origin/by-api:old.txt") == "newer"


def test_an_update_in_place_needs_the_blob_it_replaces(project: Project) -> None:
    blob = project.copy.git("rev-parse", "HEAD:README.md")
    update = {"operation": "update", "path": "README.md", "content": encoded("new\n")}

    change(project, [update], 422)
    change(project, [{**update, "sha": "1" * 40}], 409)
    change(project, [{**update, "sha": blob}], 201)


@pytest.mark.parametrize(
    ("file", "more", "code"),
    [
        ({"operation": "create", "path": "README.md", "content": ""}, {}, 422),
        ({"operation": "create", "path": "x", "content": "%%%"}, {}, 422),
        ({"operation": "create", "path": "x", "content": ""}, {"branch": "nowhere"}, 404),
        ({"operation": "create", "path": "x", "content": ""}, {"new_branch": "taken"}, 422),
    ],
)
def test_what_cannot_be_written(project: Project, file: dict[str, str], more: dict[str, str], code: int) -> None:
    project.copy.push("main:refs/heads/taken")

    change(project, [file], code, **more)


def test_one_file_at_a_time(project: Project) -> None:
    path = f"{project.repository.path}/contents/a.txt"

    made = project.api.call("POST", path, {"content": encoded("1\n"), "message": "One"}, expect=201)
    sha = made["content"]["sha"]
    changed = project.api.call("PUT", path, {"content": encoded("2\n"), "sha": sha}, expect=200)

    assert changed["content"]["path"] == "a.txt"
    project.api.call("DELETE", path, {"sha": sha}, expect=400)
    project.api.call("DELETE", path, {"sha": changed["content"]["sha"]}, expect=200)
    project.api.call("GET", path, expect=404)


def test_a_protected_branch_takes_no_commit_by_the_api(project: Project) -> None:
    rule = {"rule_name": "main", "enable_push": False}
    project.api.call("POST", f"{project.repository.path}/branch_protections", rule, expect=201)
    file = {"operation": "create", "path": "x", "content": encoded("x")}

    change(project, [file], 403)
    change(project, [file], 201, new_branch="beside")


def test_the_author_of_a_commit_can_be_given(project: Project) -> None:
    file = {"operation": "create", "path": "x", "content": encoded("x")}
    body = {"files": [file], "message": "m", "author": {"name": "Some One", "email": "some@example.org"}}
    project.api.call("POST", f"{project.repository.path}/contents", body, expect=201)

    project.copy.pull()

    who = project.copy.git("log", "-1", "--format=%an <%ae> %cn <%ce>")
    assert who == "Some One <some@example.org> Some One <some@example.org>"
