"""The web application: the REST API, git, and pages for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route as WebRoute

from tests.standin import (
    pages,
    rest_accounts,
    rest_branches,
    rest_commits,
    rest_contents,
    rest_hooks,
    rest_issues,
    rest_labels,
    rest_pulls,
    rest_reactions,
    rest_repositories,
    rest_statuses,
    smart_http,
)
from tests.standin.access import BadCredentialsError, identify
from tests.standin.rest import Answer, Call, Route, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.standin.forge import Forge

    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

ENCODED_SLASH = "\x1f"  # stands for %2F while an address is matched
MODULES = (
    rest_accounts,
    rest_repositories,
    rest_branches,
    rest_commits,
    rest_statuses,
    rest_contents,
    rest_hooks,
    rest_pulls,
    rest_issues,
    rest_labels,
    rest_reactions,
)


def create_app(forge: Forge) -> ASGIApp:
    """Make the ASGI application of a forge."""
    api = [route for module in MODULES for route in module.routes.routes]
    routes = [
        WebRoute("/api/healthz", _health, methods=["GET"]),
        WebRoute("/api/forgejo/v1/version", _forgejo_version, methods=["GET"]),
        *_rest_routes(forge, api),
        WebRoute("/api/v1/{rest:path}", _no_such_call, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        *(WebRoute(path, _page(forge, page), methods=["GET"]) for path, page in pages.PAGES.items()),
        WebRoute("/{owner}/{name}/{file:path}", _git(forge), methods=["GET", "POST"]),
    ]
    return _KeepEncodedSlashes(Starlette(routes=routes))


class _KeepEncodedSlashes:
    """Lets `%2F` in an address be part of a name, as the forge's router does, instead of ending it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope["raw_path"].decode("ascii")
            scope["path"] = unquote(re.sub("%2f", quote(ENCODED_SLASH), raw, flags=re.IGNORECASE))
        await self._app(scope, receive, send)


async def _health(_: Request) -> Response:
    return Response(b'{"status":"pass","description":"Forgejo","checks":{}}', media_type="application/json")


async def _forgejo_version(_: Request) -> Response:
    return Response(b'{"version":"15.0.3+gitea-1.22.0"}', media_type="application/json")


def _rest_routes(forge: Forge, routes: Iterable[Route]) -> list[WebRoute]:
    """Make one web route per path; a fixed path comes before one with a placeholder in its stead."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    return [
        WebRoute(f"/api/v1{path}", _rest(forge, by_path[path]), methods=list(by_path[path]))
        for path in sorted(by_path, key=_specific_first)
    ]


def _specific_first(path: str) -> list[int]:
    return [_vagueness(part) for part in path.split("/")]


def _vagueness(part: str) -> int:
    if "{" not in part:
        return 0
    if ":path" in part:
        return 3
    return 2 if part.endswith("}") else 1


def _rest(forge: Forge, by_method: dict[str, Route]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        route = by_method["GET" if request.method == "HEAD" else request.method]
        result = await run_in_threadpool(_call, forge, route, request, raw)
        headers = {"Content-Type": result.media_type} if result.media_type else {}
        return Response(result.body, result.status, headers | result.headers)

    return endpoint


def _call(forge: Forge, route: Route, request: Request, raw: bytes) -> Answer:
    query = dict(request.query_params)
    with forge.world.lock:
        token = query.get("token") or query.get("access_token") or ""
        try:
            caller = identify(forge.world, request.headers.get("authorization"), token)
        except BadCredentialsError:
            return _error(forge, 401, "invalid username, password or token")
        path = {key: str(value).replace(ENCODED_SLASH, "/") for key, value in request.path_params.items()}
        return answer(route, Call(forge, caller, path, query, request.url.path), raw)


def _error(forge: Forge, status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "url": f"{forge.world.url}/api/swagger"})


async def _no_such_call(_: Request) -> Response:
    return Response(b"404 page not found\n", 404, media_type="text/plain")


def _page(forge: Forge, page: Callable[[Forge, dict[str, str]], tuple[int, str, bytes]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        path = {key: str(value) for key, value in request.path_params.items()}
        status, media_type, body = await run_in_threadpool(page, forge, path)
        return Response(body, status, media_type=media_type)

    return endpoint


def _git(forge: Forge) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        path = request.path_params
        if not re.fullmatch("info/refs|git-upload-pack|git-receive-pack", path["file"]):
            return Response(b"Not Found\n", 404, media_type="text/plain")
        git_request = smart_http.GitRequest(
            method=request.method,
            owner=path["owner"],
            name=path["name"],
            file=path["file"],
            query=request.url.query,
            headers=dict(request.headers),
            body=await request.body(),
        )
        result = await run_in_threadpool(smart_http.serve, forge, git_request)
        return Response(result.body, result.status, result.headers)

    return endpoint
