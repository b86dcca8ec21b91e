"""Git over smart HTTP: real `git http-backend` as a CGI program, with the forge's permissions around it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.standin import gitside
from tests.standin.access import RANK, BadCredentialsError, identify
from tests.standin.pushes import hook_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standin.forge import Forge
    from tests.standin.world import Access, Repository, User


@dataclass(frozen=True, slots=True)
class GitRequest:
    method: str
    owner: str
    name: str  # with or without .git
    file: str  # info/refs, git-upload-pack or git-receive-pack
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_push(self) -> bool:
        return self.file == "git-receive-pack" or "service=git-receive-pack" in self.query


@dataclass(frozen=True, slots=True)
class GitAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


def serve(forge: Forge, request: GitRequest) -> GitAnswer:
    """Answer one request of a git client."""
    with forge.world.lock:
        found = _allowed(forge, request)
        if isinstance(found, GitAnswer):
            return found
        repository, user = found
        env = hook_environment(forge.world, repository, user) if user is not None else {}
    with gitside.receiving() as (report, extra):
        answer = _run_backend(repository, request, {**env, **extra})
        if request.file == "git-receive-pack" and user is not None:
            # Before the client hears of it, so that what it asks next is answered from the new state.
            forge.pushes.received(repository, user, report())
    return answer


def _allowed(forge: Forge, request: GitRequest) -> GitAnswer | tuple[Repository, User | None]:
    """Check as the forge does: who may write which branch is left to the pre-receive hook."""
    try:
        caller = identify(forge.world, request.headers.get("authorization"))
    except BadCredentialsError:
        return _ask_again()
    repository = forge.world.repository(request.owner, request.name.removesuffix(".git"))
    if request.is_push and repository is not None and repository.archived:
        words = "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests."
        return _words(403, words)
    public = repository is not None and not repository.private and not request.is_push
    if not public and caller.user is None:
        return _ask_again()
    level: Access = "write" if request.is_push else "read"
    if not public and caller.lacks_scope(level, ("repository",)):
        return _words(403, "Forbidden")
    if not public and repository is not None and RANK[caller.most(repository)] < RANK[level]:
        return _words(403, "Forbidden")
    if repository is None or (repository.private and not caller.can(repository, "read")):
        return _words(404, "Repository not found")
    return repository, caller.user


def _ask_again() -> GitAnswer:
    return GitAnswer(401, {"WWW-Authenticate": 'Basic realm="Gitea"', "Content-Type": "text/plain"}, b"Unauthorized\n")


def _words(status: int, words: str) -> GitAnswer:
    return GitAnswer(status, {"Content-Type": "text/plain;charset=utf-8"}, words.encode())


def _run_backend(repository: Repository, request: GitRequest, extra: Mapping[str, str]) -> GitAnswer:
    env = gitside.environment(extra) | {
        "GIT_PROJECT_ROOT": str(repository.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{request.file}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_USER": "pusher",
        "REMOTE_ADDR": "127.0.0.1",
    }
    for header, variable in (("git-protocol", "GIT_PROTOCOL"), ("content-encoding", "HTTP_CONTENT_ENCODING")):
        if header in request.headers:
            env[variable] = request.headers[header]
    with tempfile.TemporaryFile() as body:
        body.write(request.body)
        body.seek(0)
        result = subprocess.run(
            ["git", "http-backend"], stdin=body, capture_output=True, env=env, cwd=os.sep, timeout=300, check=False
        )
    return _cgi(result.stdout)


def _cgi(output: bytes) -> GitAnswer:
    head, _, body = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    status = int(headers.pop("Status", "200").split(" ", 1)[0])
    return GitAnswer(status if head else 500, headers, body)
