"""The shape of the REST API: calls, answers, errors, paging, and the checks every route makes in the same order.

The order is Forgejo's and matters to clients that look at codes: credentials (401), scopes (403), repository
(404), sign-in (401), role (403), archived (423), body (422).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

from tests.standin.access import Caller
from tests.standin.deliveries import go_json
from tests.standin.gitside import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.standin.forge import Forge
    from tests.standin.world import Access, Issue, Pull, Repository, User

DEFAULT_PAGE, MAX_PAGE = 30, 50
log = logging.getLogger("standin")
NOT_FOUND = "The target couldn't be found."
# Errors name the fields of Forgejo's own structs; most are the JSON name in capitals.
FIELDS = {"new_branch_name": "BranchName", "sha": "SHA"}


class RefusedError(Exception):
    """The API's answer is an error. `message` is what the body says; `errors` only 404 answers have."""

    def __init__(self, status: int, message: str, errors: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def not_found(*errors: str) -> NoReturn:
    raise RefusedError(404, NOT_FOUND, list(errors))


class NoBody(Enum):
    """Says that an answer has no body, not even JSON's null."""

    NO_BODY = "no body"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    value: Any = NoBody.NO_BODY  # JSON, or bytes for plain text
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        if self.value is NoBody.NO_BODY:
            return b""
        return self.value if isinstance(self.value, bytes) else go_json(self.value) + b"\n"

    @property
    def media_type(self) -> str:
        """The content type, "" when there is no content."""
        if self.value is NoBody.NO_BODY:
            return ""
        return "text/plain; charset=utf-8" if isinstance(self.value, bytes) else "application/json;charset=utf-8"


@dataclass(slots=True)
class Call:
    """One request to the API, after everything that all routes check alike."""

    forge: Forge
    caller: Caller
    path: dict[str, str]
    query: dict[str, str]
    url: str  # path of the request, for Link headers
    body: Any = None
    repository: Repository | None = None

    @property
    def repo(self) -> Repository:
        assert self.repository is not None
        return self.repository

    @property
    def doer(self) -> User:
        """The signed-in caller; only for routes that ask for one."""
        assert self.caller.user is not None
        return self.caller.user

    @property
    def level(self) -> Access:
        return self.caller.access(self.repo)

    def can(self, level: Access) -> bool:
        return self.caller.can(self.repo, level)

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator of the repository, and the token lets that count."""
        return not self.caller.is_narrow and self.can("admin")

    def number(self, name: str) -> int:
        value = self.path[name]
        return int(value) if value.isdecimal() else 0

    def issue(self) -> Issue:
        return self.repo.issues.get(self.number("index")) or not_found()

    def refuse_the_blocked(self, *people: User) -> None:
        """Refuse whom the owner, or any of these people, has blocked."""
        if any(self.doer.id in person.blocked for person in (self.repo.owner, *people)):
            raise RefusedError(403, "user is blocked by the poster or repository owner")

    def pull(self) -> tuple[Issue, Pull]:
        issue = self.issue()
        return issue, issue.pull or not_found()

    def paged(
        self,
        items: Sequence[Any],
        shape: Callable[[Any], Any],
        *,
        link: bool = True,
        all_without_page: bool = False,
    ) -> Answer:
        """Answer one page of a list, with the headers that tell where the others are.

        A few lists of the forge give everything, whatever `limit` says, unless a `page` is asked for.
        """
        page = max(1, _integer(self.query.get("page"), 1))
        size = _integer(self.query.get("limit"), DEFAULT_PAGE)
        size = DEFAULT_PAGE if size <= 0 else min(size, MAX_PAGE)
        headers = {"X-Total-Count": str(len(items))}
        if link and (links := self._links(len(items), page, size)):
            headers["Link"] = links
        if not (all_without_page and "page" not in self.query):
            items = items[(page - 1) * size : page * size]
        return Answer(200, [shape(item) for item in items], headers)

    def page_headers(self, total: int) -> dict[str, str]:
        """Give the paging headers that only lists of commits and changed files have."""
        page = max(1, _integer(self.query.get("page"), 1))
        size = min(_integer(self.query.get("limit"), DEFAULT_PAGE), MAX_PAGE)
        count = -(-total // size)
        more = str(page < count).lower()
        return {"X-Page": str(page), "X-PerPage": str(size), "X-PageCount": str(count), "X-HasMore": more}

    def _links(self, total: int, page: int, size: int) -> str:
        last = max(1, -(-total // size))
        wanted = []
        if page < last:
            wanted += [("next", page + 1), ("last", last)]
        if page > 1:
            wanted += [("first", 1), ("prev", page - 1)]
        address = f"{self.forge.world.url}{self.url}"
        return ",".join(
            f'<{address}?{urlencode(sorted({**self.query, "page": str(number)}.items()))}>; rel="{name}"'
            for name, number in wanted
        )


def _integer(text: str | None, otherwise: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return otherwise


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Callable[[Call], Answer]
    scopes: tuple[str, ...]  # one of these is enough …
    and_scope: str  # … but this one is needed as well, when there is one
    role: str  # "", "token", "write", "admin", "site-admin", "password"
    changes: bool  # refused with 423 in archived repositories
    required: tuple[str, ...]
    since: int  # 404 in older major versions of the forge
    not_when_empty: bool  # 404 until the first push was noticed


class Routes:
    """A list of routes, filled by decorators: one per module of handlers."""

    def __init__(self, *scopes: str, not_when_empty: bool = False) -> None:
        self.routes: list[Route] = []
        self._scopes = scopes
        self._not_when_empty = not_when_empty

    def get(self, path: str, role: str = "", **options: Any) -> Callable[..., Any]:
        return self._route("GET", path, role, **options)

    def post(self, path: str, role: str = "token", **options: Any) -> Callable[..., Any]:
        return self._route("POST", path, role, **options)

    def put(self, path: str, role: str = "token", **options: Any) -> Callable[..., Any]:
        return self._route("PUT", path, role, **options)

    def patch(self, path: str, role: str = "token", **options: Any) -> Callable[..., Any]:
        return self._route("PATCH", path, role, **options)

    def delete(self, path: str, role: str = "token", **options: Any) -> Callable[..., Any]:
        return self._route("DELETE", path, role, **options)

    def _route(
        self,
        method: str,
        path: str,
        role: str,
        scopes: tuple[str, ...] | None = None,
        *,
        and_scope: str = "",
        changes: bool = False,
        required: tuple[str, ...] = (),
        since: int = 0,
    ) -> Callable[..., Any]:
        def keep(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
            chosen = self._scopes if scopes is None else scopes
            empty = self._not_when_empty
            self.routes.append(Route(method, path, handler, chosen, and_scope, role, changes, required, since, empty))
            return handler

        return keep


def answer(route: Route, call: Call, raw_body: bytes) -> Answer:
    """Run a route's checks and then its handler. Errors become the API's error bodies."""
    try:
        _check(route, call)
        call.body = _body(route, raw_body)
        return route.handler(call)
    except GitError as error:
        # The forge answers 500 without a word when git surprises it.
        log.warning("git failed while answering %s %s: %s", route.method, route.path, error)
        return Answer(500, {"message": "", "url": f"{call.forge.world.url}/api/swagger"})
    except RefusedError as refusal:
        value: dict[str, Any] = {"message": refusal.message, "url": f"{call.forge.world.url}/api/swagger"}
        if refusal.errors is not None:
            value["errors"] = refusal.errors
        return Answer(refusal.status, value)


def _check(route: Route, call: Call) -> None:
    if route.since > int(call.forge.world.version.partition(".")[0]):
        not_found()
    level = "read" if route.method == "GET" else "write"
    for scopes in (route.scopes, (route.and_scope,) if route.and_scope else ()):
        if call.caller.lacks_scope(level, scopes):
            wanted = " ".join(f"{level}:{category}" for category in scopes)
            raise RefusedError(403, f"token does not have at least one of required scope(s): [{wanted}]")
    if "owner" in call.path and "repo" in call.path:
        call.repository = _find_repository(call)
    if route.path.startswith("/repos/{owner}/{repo}/pulls") and not call.repo.has_pulls:
        not_found()
    if route.not_when_empty and call.repo.is_empty:
        not_found()
    if route.role:
        _check_role(route.role, call)
    if route.changes and call.repo.archived:
        raise RefusedError(423, f"<Repository {call.repo.id}:{call.repo.full_name}> is archived")


def _find_repository(call: Call) -> Repository:
    owner = call.path["owner"]
    if call.forge.world.user(owner) is None:
        raise RefusedError(404, "GetUserByName", [f"user redirect does not exist [name: {owner}]"])
    found = call.forge.world.repository(owner, call.path["repo"])
    if found is None or not call.caller.can(found, "read"):
        not_found()
    return found


def _check_role(role: str, call: Call) -> None:
    if call.caller.user is None:
        raise RefusedError(401, "token is required")
    if role == "password" and call.caller.token is not None:
        raise RefusedError(401, "auth method not allowed")
    if role == "site-admin" and (call.caller.is_narrow or not call.caller.user.is_admin):
        raise RefusedError(403, "user should be the site admin")
    if role == "write" and not call.can("write"):
        raise RefusedError(403, "user should have a permission to write to a repo")
    if role == "admin" and not call.is_admin:
        raise RefusedError(403, "user should be an owner or a collaborator with admin write of a repository")


def _body(route: Route, raw: bytes) -> Any:
    try:
        body = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise RefusedError(422, f"[]: {error}") from error
    for name in route.required:
        if not isinstance(body, dict) or body.get(name) in (None, "", []):
            raise RefusedError(422, f"[{FIELDS.get(name) or name.title().replace('_', '')}]: Required")
    return body
