"""Git over HTTP on a loopback port, with a token: git's own `http-backend` behind a few lines of server."""

from __future__ import annotations

import subprocess
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from tests.repositories import environment

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

TOKEN = "s3cret-token"


class LoopbackServer:
    """An HTTP server on a loopback port while its context lasts.

    Attributes:
        host: where it listens, with the port.
    """

    def __init__(self) -> None:
        serve = self._serve

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serve(self)

            def do_POST(self) -> None:
                serve(self)

            def log_message(self, *args: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class ForgeOverHttp(LoopbackServer):
    """Serves the bare repositories below a directory.

    Attributes:
        url: where it listens.
        writable: whether the token may push.
        broken: answer 503 to everything.
        moved: what is redirected, as a part of the request (`info/refs`), where to, and with which status.
        authorizations: the Authorization headers it has seen.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.url = f"http://{self.host}"
        self.directory = directory
        self.writable = True
        self.broken = False
        self.moved: tuple[str, str, int] | None = None
        self.authorizations: set[str] = set()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        authorization = request.headers.get("Authorization", "")
        writes = "git-receive-pack" in request.path
        if self.broken:
            request.send_error(503)
        elif self.moved and self.moved[0] in f"{request.command} {request.path}":
            _body(request)
            request.send_response(self.moved[2])
            request.send_header("Location", self.moved[1] + request.path)
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif not authorization or b64decode(authorization.removeprefix("Basic ")).partition(b":")[2] != TOKEN.encode():
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="Forgejo"')
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif writes and not self.writable:
            request.send_error(403)
        else:
            self.authorizations.add(authorization)
            self._answer(request, path, query)

    def _answer(self, request: BaseHTTPRequestHandler, path: str, query: str) -> None:
        body = _body(request)
        variables = {
            "GIT_PROJECT_ROOT": str(self.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "onehead",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env=environment() | variables,
            capture_output=True,
            check=False,  # git may have said why in its answer
            timeout=30,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


class Listener(LoopbackServer):
    """A server that says 404 to everything and remembers what it was asked, with which headers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        self.heard.append(f"{request.requestline}\n{request.headers}")
        request.send_error(404)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", "0")))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    return body
