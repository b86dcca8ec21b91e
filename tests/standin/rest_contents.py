"""REST: reading files, and writing one or several of them in one commit."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from tests.standin import commit_shapes, gitside, shapes
from tests.standin.access import writable_as_maintainer
from tests.standin.pushes import hook_environment, may_push, protection_of
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found

routes = Routes("repository")
CONTENTS = "/repos/{owner}/{repo}/contents"
KINDS = {"blob": "file", "tree": "dir", "commit": "submodule"}


@dataclass(frozen=True, slots=True)
class Entry:
    mode: str
    kind: str
    sha: str
    size: int
    path: str


def _entries(call: Call, commit: str, *selection: str) -> list[Entry]:
    lines = gitside.run(call.repo.path, "ls-tree", "-l", "-z", commit, *selection).decode().split("\0")
    found = []
    for line in lines[:-1]:
        about, path = line.split("\t", 1)
        mode, kind, sha, size = about.split()
        found.append(Entry(mode, kind, sha, int(size) if size.isdecimal() else 0, path))
    return found


def _shape(call: Call, entry: Entry, commit: str, ref: str, *, with_content: bool) -> dict[str, Any]:
    repo, world = call.repo, call.forge.world
    page, api = f"{world.url}/{repo.full_name}", f"{world.url}/api/v1/repos/{repo.full_name}"
    last = gitside.log(repo.path, "-1", commit, "--", entry.path)[0]
    kind = "symlink" if entry.mode == "120000" else KINDS[entry.kind]
    place = f"branch/{ref}" if repo.tip(ref) else f"commit/{commit}"
    path = shapes.escaped(entry.path)
    itself = f"{api}/contents/{path}?ref={ref}"
    html, git = f"{page}/src/{place}/{path}", f"{api}/git/blobs/{entry.sha}"
    content = None
    if with_content and kind == "file":
        content = base64.b64encode(gitside.run(repo.path, "cat-file", "blob", entry.sha)).decode()
    return {
        "name": entry.path.rsplit("/", 1)[-1],
        "path": entry.path,
        "sha": entry.sha,
        "last_commit_sha": last.sha,
        "last_commit_when": last.committer[2],
        "type": kind,
        "size": entry.size,
        "encoding": "base64" if content is not None else None,
        "content": content,
        "target": None,
        "url": itself,
        "html_url": html,
        "git_url": git,
        "download_url": f"{page}/raw/{place}/{path}" if kind == "file" else None,
        "submodule_git_url": None,
        "_links": {"self": itself, "git": git, "html": html},
    }


@routes.get(CONTENTS)
def root(call: Call) -> Answer:
    return _get(call, "")


@routes.get(CONTENTS + "/{path:path}")
def get(call: Call) -> Answer:
    return _get(call, call.path["path"].strip("/"))


def _get(call: Call, path: str) -> Answer:
    """Answer one file, or the list of a folder."""
    if call.repo.is_empty:
        return Answer(200, [])
    ref = call.query.get("ref") or call.repo.default_branch
    commit = gitside.resolve(call.repo.path, ref)
    if not commit:
        raise RefusedError(404, "GetContentsOrList", [f"object does not exist [id: {ref}, rel_path: ]"])
    entries = _entries(call, commit, "--", path) if path else []
    if path and not entries:
        raise RefusedError(404, "GetContentsOrList", [f"object does not exist [id: , rel_path: {path}]"])
    if entries and entries[0].kind != "tree":
        return Answer(200, _shape(call, entries[0], commit, ref, with_content=True))
    inside = _entries(call, commit, "--", f"{path}/") if path else _entries(call, commit)
    return Answer(200, [_shape(call, entry, commit, ref, with_content=False) for entry in inside])


@routes.get("/repos/{owner}/{repo}/raw/{path:path}")
def raw(call: Call) -> Answer:
    commit = gitside.resolve(call.repo.path, call.query.get("ref") or call.repo.default_branch) or not_found()
    entries = _entries(call, commit, "--", call.path["path"])
    if not entries or entries[0].kind != "blob":
        not_found()
    return Answer(200, gitside.run(call.repo.path, "cat-file", "blob", entries[0].sha))


@routes.post(CONTENTS, changes=True)
def change_files(call: Call) -> Answer:
    """Write any number of files; none makes an empty commit."""
    return Answer(201, _write(call, call.body.get("files") or []))


@routes.post(CONTENTS + "/{path:path}", changes=True)
def create_file(call: Call) -> Answer:
    return Answer(201, _one(_write(call, [_operation(call, "create")])))


@routes.put(CONTENTS + "/{path:path}", changes=True, required=("sha",))
def update_file(call: Call) -> Answer:
    return Answer(200, _one(_write(call, [_operation(call, "update")])))


@routes.delete(CONTENTS + "/{path:path}", changes=True, required=("sha",))
def delete_file(call: Call) -> Answer:
    try:
        return Answer(200, _one(_write(call, [_operation(call, "delete")])) | {"content": None})
    except RefusedError as refusal:
        # This one route calls a stale sha a bad request, and a missing file missing.
        if refusal.status == 500 and not refusal.message:
            raise RefusedError(404, f"repository file does not exist [path: {call.path['path']}]") from refusal
        code = 400 if refusal.status in {409, 422} else refusal.status
        raise RefusedError(code, refusal.message) from refusal


def _operation(call: Call, operation: str) -> dict[str, Any]:
    body = call.body
    return {
        "operation": operation,
        "path": call.path["path"],
        "content": body.get("content") or "",
        "sha": body.get("sha") or "",
        "from_path": body.get("from_path") or "",
    }


def _one(answer: dict[str, Any]) -> dict[str, Any]:
    return {"content": answer["files"][0], "commit": answer["commit"], "verification": answer["verification"]}


def _write(call: Call, files: list[dict[str, Any]]) -> dict[str, Any]:
    """Make one commit of all operations and push it, through the hooks, as the caller."""
    repo, body = call.repo, call.body
    branch = body.get("branch") or repo.default_branch
    target = body.get("new_branch") or branch
    _may_write(call, branch)
    parent = repo.tip(branch)
    if not parent and not repo.is_empty:
        raise RefusedError(404, f"branch does not exist [name: {branch}]")
    if target != branch and repo.tip(target):
        raise RefusedError(422, f"branch already exists [name: {target}]")
    with gitside.workshop(repo) as shop:
        index = {"GIT_INDEX_FILE": str(shop.path / ".git" / "contents-index")}
        if parent:
            shop.git("read-tree", parent, env=index)
        for file in files:
            _apply(shop, file, index, parent=parent, checked=target == branch)
        sha = _commit(call, shop, shop.git("write-tree", env=index), parent)
        try:
            changes = shop.push(sha, target, hook_environment(call.forge.world, repo, call.doer))
        except gitside.GitError as error:
            # Forgejo 15 answers 500 when a hook refuses, and keeps the reason from all but site administrators.
            raise RefusedError(500, gitside.remote_words(error.stderr) if call.doer.is_admin else "") from error
    call.forge.pushes.received(repo, call.doer, changes)
    return _answer(call, sha, target, [file["path"] for file in files if file["operation"] != "delete"], len(files))


def _may_write(call: Call, branch: str) -> None:
    rule = protection_of(call.repo, branch)
    maintained = branch in writable_as_maintainer(call.forge.world, call.repo, call.doer)
    if not call.can("write") and not maintained:
        raise RefusedError(403, "user should have a permission to write to this branch")
    if rule is not None and not may_push(rule, call.repo, call.doer) and not call.body.get("new_branch"):
        raise RefusedError(403, f"user cannot commit to repo [user: {call.doer.name}]")


def _apply(shop: gitside.Workshop, file: dict[str, Any], index: dict[str, str], *, parent: str, checked: bool) -> None:
    operation, path = file.get("operation"), file.get("path") or ""
    if not path:
        raise RefusedError(422, "[Path]: Required")
    if ".." in path.split("/"):
        raise RefusedError(500, "")
    if path.startswith("/") or ".git" in path.split("/"):
        raise RefusedError(422, f"path contains a malformed path component [path: {path}]")
    source = file.get("from_path") or path
    existing = shop.git("ls-files", "-s", "--", source, env=index).split()
    if operation == "create":
        if existing:
            raise RefusedError(422, f"repository file already exists [path: {path}]")
    elif operation not in {"update", "delete"} or not existing or not parent:
        raise RefusedError(500, "")
    elif file.get("sha") and file["sha"] != existing[1]:
        words = f"sha does not match [given: {file['sha']}, expected: {existing[1]}]"
        raise RefusedError(409, words)
    elif not file.get("sha") and checked:
        raise RefusedError(422, "a SHA or commit ID must be provided when updating a file")
    mode = existing[0] if existing else "100644"
    if source != path or operation == "delete":
        shop.git("update-index", "--force-remove", "--", source, env=index)
    if operation != "delete":
        blob = shop.git("hash-object", "-w", "--stdin", stdin=_decoded(file.get("content") or ""))
        shop.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", env=index)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise RefusedError(422, "illegal base64 data at input byte 0") from error


def _commit(call: Call, shop: gitside.Workshop, tree: str, parent: str) -> str:
    body, own = call.body, gitside.signature(call.doer)

    def person(name: str) -> tuple[str, str] | None:
        given = body.get(name) or {}
        return (given.get("name") or "", given["email"]) if given.get("email") else None

    author, committer = person("author"), person("committer")
    env = gitside.identity(author or committer or own, committer or author or own)
    message = (body.get("message") or _message(body.get("files") or [])).strip()
    parents = ["-p", parent] if parent else []
    return shop.git("commit-tree", tree, *parents, "-m", message, env=env)


def _message(files: list[dict[str, Any]]) -> str:
    """Make the message of a commit that was given none."""
    lines = []
    for operation, verb in (("create", "Add"), ("update", "Update"), ("delete", "Delete")):
        if paths := [file["path"] for file in files if file.get("operation") == operation]:
            lines.append(f"{verb} {', '.join(paths)}")
    return "\n".join(lines) or "Change files"


def _answer(call: Call, sha: str, branch: str, paths: list[str], total: int) -> dict[str, Any]:
    world, repo = call.forge.world, call.repo
    commit = gitside.log(repo.path, "-1", sha)[0]
    shown: list[dict[str, Any] | None] = []
    for path in paths:
        entry = _entries(call, sha, "--", path)[0]
        shown.append(_shape(call, entry, sha, branch, with_content=True))
    shown += [None] * (total - len(shown))
    return {
        "files": shown,
        "commit": {
            **commit_shapes.commit_meta(world, repo, sha),
            "html_url": f"{world.url}/{repo.full_name}/commit/{sha}",
            "author": dict(zip(("name", "email", "date"), commit.author, strict=True)),
            "committer": dict(zip(("name", "email", "date"), commit.committer, strict=True)),
            "parents": [commit_shapes.commit_meta(world, repo, parent) for parent in commit.parents],
            "message": commit.message,
            "tree": commit_shapes.commit_meta(world, repo, commit.tree, "trees"),
        },
        "verification": commit_shapes.unsigned(),
    }
