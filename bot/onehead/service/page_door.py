"""Who may see the page, and how it is answered: read-only, with a token or by way of a proxy that logs people in."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from onehead.reports.page import message_page, refused_page, styles

PAGE_PATH = "/repositories"
"""The list; a repository's own page is below it."""

_MAX_USER = 200  # characters of what a proxy says
_MAX_QUERY = 4000
_MAX_NAME = 200  # characters of a repository's full name; Forgejo allows 40 and 100 for its parts

log = structlog.get_logger(__name__)


class PageSource(Protocol):
    """What makes the pages."""

    async def page(self, path: str, query: str) -> tuple[int, str]:
        """The status and the HTML of a page: of a repository (`owner/name`), or of the list where that is empty."""


@dataclass(frozen=True, slots=True)
class PageAccess:
    """Who may see the page.

    Attributes:
        tokens: any of them opens it.
        proxies: who is believed where it names a person in `user_header`.
    """

    tokens: tuple[str, ...] = ()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    user_header: str = "X-Forwarded-User"

    @classmethod
    def of(cls, tokens: Iterable[str], proxies: Iterable[str], user_header: str) -> PageAccess:
        """As the settings say it."""
        return cls(tuple(tokens), tuple(ip_network(each) for each in proxies), user_header)

    def admits(self, peer: str, authorization: str, users: Sequence[str]) -> bool:
        """Whether a request is answered.

        Args:
            peer: the address at the other end of the connection, whatever a header says.
            authorization: the header of that name.
            users: each `user_header`. Of several, one may be the visitor's own, so none is believed.
        """
        if self._is_proxy(peer) and len(users) == 1 and 0 < len(users[0].strip()) <= _MAX_USER:
            return True
        given = _token_in(authorization).encode("utf-8", "surrogatepass")
        # Every token is compared, in constant time, whatever the first says.
        return bool(given) and bool(sum(hmac.compare_digest(each.encode(), given) for each in self.tokens))

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        # A socket for both versions shows the addresses of the older one as those of the newer.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.proxies)


def _token_in(authorization: str) -> str:
    """The token that a client sent: as a bearer, or as the password of any user."""
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2]
            except (NotBase64, ValueError):
                return ""
    return ""


def page_headers() -> dict[str, str]:
    """What every answer has: nothing is fetched, run, framed or kept."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in styles())
    policy = (
        "default-src 'none'",
        f"style-src {hashes}",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


class PageDoor:
    """The paths of the page: whoever may see it gets what the source makes."""

    def __init__(self, access: PageAccess, source: PageSource) -> None:
        self._access = access
        self._source = source
        self._headers = page_headers()
        self._refused = refused_page()

    def routes(self) -> list[Route]:
        """Its paths; other methods than GET and HEAD are refused."""
        return [
            Route(PAGE_PATH, self.answer),
            Route(PAGE_PATH + "/{owner}/{name}", self.answer),
        ]

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        peer = request.client.host if request.client is not None else ""
        authorization = request.headers.get("authorization", "")
        if not self._access.admits(peer, authorization, request.headers.getlist(self._access.user_header)):
            if authorization:
                log.warning("The page was refused to somebody with another token.", peer=peer)
            asked = {"WWW-Authenticate": 'Basic realm="onehead", charset="UTF-8"'}
            return HTMLResponse(self._refused, 401, self._headers | asked)
        place = request.path_params
        path = f"{place['owner']}/{place['name']}" if place else ""
        if len(path) > _MAX_NAME or not path.isprintable():
            return HTMLResponse(message_page("No repository has such a name."), 404, self._headers)
        status, html = await self._source.page(path, request.url.query[:_MAX_QUERY])
        return HTMLResponse(html, status, self._headers)
