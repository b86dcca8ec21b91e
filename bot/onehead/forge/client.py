"""HTTP to a forge: token, time-outs, retries, redirects, pages and error answers."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

import httpx

from onehead.errors import UsageError
from onehead.forge.errors import NotUnderstood, Unavailable, http_date, refusal, seconds_to_wait
from onehead.forge.models import Fields, objects

log = logging.getLogger(__name__)

PAGE = 50  # Forgejo's own maximum; more is silently cut to it
TRIES = 4
MAX_WAIT = 20.0  # seconds; whoever is told to wait longer should not sleep in the middle of a job
_MAX_HOPS = 3  # a renamed owner and a renamed repository are one hop each
_MAX_PAGES = 10_000
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer, unpacked; the comments of a page come in one piece, and 10,000 long ones are a third of it."""
SECONDS_FOR_ANSWER = 120.0
"""From a request until its answer has arrived as a whole, however steadily it drips."""
_MAX_DIGITS = 9
_AT_ITSELF = (
    "Set ONEHEAD_FORGEJO_URL to the address that Forgejo itself answers at (https, host and sub-path): the token is "
    "sent to no other."
)
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})  # ours set absolute values, so twice is the same as once
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of forge wants to be asked.

    Attributes:
        name: of the forge, in sentences.
        root: where its API begins, below the address of the connection.
        scheme: what stands before the token in the header `Authorization`.
        size: the query parameter for the length of a page.
        page: the longest page; more is silently cut to it.
    """

    name: str
    root: str
    scheme: str
    size: str
    page: int


FORGEJO = Dialect("Forgejo", "/api/v1", "token", "limit", PAGE)

_Item = TypeVar("_Item")
_Other = TypeVar("_Other")


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A successful answer: its status, its JSON (`None` for an empty body) and how many items there are in all."""

    status: int
    data: object
    total: int | None
    at: datetime  # by the clock of the server; by ours where a proxy has taken the header `Date` out


@dataclass(frozen=True, slots=True)
class ListPage(Generic[_Item]):
    """One page of a list: its items, how many the whole list has, and the server's time of the answer."""

    items: tuple[_Item, ...]
    total: int | None
    at: datetime

    def of(self, read: Callable[[_Item], _Other]) -> ListPage[_Other]:
        """The same page, each item read."""
        return ListPage(tuple(map(read, self.items)), self.total, self.at)


class Connection:
    """An open line to one forge. Safe to share between threads.

    `chance`, a random number between 0 and 1, spreads the tries of many workers.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        dialect: Dialect = FORGEJO,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        on_request: Callable[[str, int | None, float], None] = lambda _method, _status, _seconds: None,
    ) -> None:
        """Prepare the line to the forge's root (with its sub-path, where it has one); nothing is sent yet.

        `on_request` hears of each request, those that are tried again too: its method, the status of the answer (`None`
        where none came), and the seconds that it took.

        Raises:
            UsageError: the address is not one of a web server, or carries a password or query; or the token is no word.
        """
        self._root = _checked(url) + dialect.root
        self._dialect = dialect
        if re.search(r"[^!-~]", token):
            # Said here, for httpx would repeat it in its error.
            raise UsageError("The token is not one word of plain characters.", "Give the token alone, without a label.")
        self._token = token
        self._chance = chance
        self._on_request = on_request
        self.sleep = sleep
        self._http = httpx.Client(
            headers={
                "Authorization": f"{dialect.scheme} {token}",
                "Accept": "application/json",
                "Accept-Language": "en-US",  # refusals are recognised by their words, which Forgejo translates
                "User-Agent": "onehead",
            },
            timeout=_TIMEOUT,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def get(self, path: str) -> Fields:
        """One object."""
        return Fields(self.send("GET", path).data, f"GET {path}")

    def items(self, path: str) -> list[Fields]:
        """A list that Forgejo gives in one piece."""
        return objects(self.send("GET", path).data, f"GET {path}")

    def pages(self, path: str, within: str | None = None, **query: str) -> Iterator[Fields]:
        """A list that Forgejo gives in pages, fetched as they are consumed.

        Pages are counted, not followed by their `Link`: that is built from ROOT_URL, which may not be our way in.
        The end is where `X-Total-Count` says (a server may give shorter pages than asked), else the first short page.
        `within` is the field of the answer that holds the list, where the answer is not the list itself.
        """
        for page in self.each_page(path, within, **query):
            yield from page.items

    def each_page(self, path: str, within: str | None = None, **query: str) -> Iterator[ListPage[Fields]]:
        """The pages of `pages`, one by one."""
        seen, longest = 0, self._dialect.page
        for page in range(1, _MAX_PAGES):
            answer = self.send("GET", path, query={**query, "page": str(page), self._dialect.size: str(longest)})
            data = answer.data
            if within is not None and isinstance(data, Mapping):
                data = data.get(within)
            yield ListPage(tuple(objects(data, f"GET {path}")), answer.total, answer.at)
            count = len(data) if isinstance(data, list) else 0
            seen += count
            if count == 0 or (seen >= answer.total if answer.total is not None else count < longest):
                return

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        """Ask, again where that is safe and may help, and read the answer.

        A request is tried again when no answer, 429 or 5xx came. `POST` only when the forge can't have acted on it.

        Raises:
            ForgeError: the subclass says what went wrong; `Unavailable` after the last try.
            NotUnderstood: the answer is not JSON.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(method, path, fields, query)
            except _Failed as failed:
                # Exponential with half of it random, so that many workers don't come back all at once.
                ours = min(MAX_WAIT, 0.5 * 2.0 ** (attempt - 1)) * (0.5 + self._chance() / 2)
                wait = max(ours, failed.error.retry_after or 0.0)
                if not (failed.harmless or method in _REPEATABLE) or attempt == TRIES or wait > MAX_WAIT:
                    raise failed.error from failed.__cause__
                log.warning("%s Trying again in %.1f s (try %d of %d).", failed.error.message, wait, attempt + 1, TRIES)
                self.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _once(
        self, method: str, path: str, fields: Mapping[str, object] | None, query: Mapping[str, str] | None
    ) -> ApiAnswer:
        request = f"{method} {path}"
        # ASCII escapes keep text from undecodable file names (lone surrogates) a valid request.
        content = None if fields is None else json.dumps(fields, ensure_ascii=True).encode("ascii")
        headers = {"Content-Type": "application/json"} if content is not None else {}
        url = self._root + path
        for _hop in range(_MAX_HOPS + 1):
            begun, status = time.monotonic(), None
            try:
                with self._http.stream(method, url, content=content, params=query, headers=headers) as response:
                    status = response.status_code
                    body = _body(request, response, begun + SECONDS_FOR_ANSWER)
            except httpx.RequestError as error:
                reason = self._clean(str(error)) or type(error).__name__
                server = httpx.URL(self._root).netloc.decode("ascii")
                away = Unavailable(
                    f"{self._dialect.name} at {server} gave no answer to {request}: {reason.rstrip('.')}.",
                    "Check ONEHEAD_FORGEJO_URL and that the server runs; onehead tries again later.",
                )
                raise _Failed(away, harmless=isinstance(error, _NEVER_ARRIVED)) from error
            finally:
                self._on_request(method, status, time.monotonic() - begun)
            if response.status_code not in {301, 302, 307, 308}:
                return self._read(request, response, body)
            url, query = self._moved(request, response), None
        raise NotUnderstood(
            f"{request} was redirected more than {_MAX_HOPS} times, the last time to {_host(response)}.", _AT_ITSELF
        )

    def _moved(self, request: str, response: httpx.Response) -> str:
        """Where a renamed repository or owner is now, always on the configured server and with the same method.

        The Location may name the server by another name; only its path is believed, so the token never leaves.
        """
        _, found, rest = _location(response).raw_path.decode("ascii").partition(self._dialect.root + "/")
        if not found:
            raise NotUnderstood(
                f"{request} was redirected to {_host(response)}, and not to an address of the API.", _AT_ITSELF
            )
        return f"{self._root}/{rest}"

    def _read(self, request: str, response: httpx.Response, body: bytes) -> ApiAnswer:
        if not response.is_success:
            asked = seconds_to_wait(response.headers.get("Retry-After"), datetime.now(UTC))
            error = refusal(response.status_code, request, self._message(response, body), asked, self._dialect.name)
            if isinstance(error, Unavailable):
                raise _Failed(error, harmless=response.status_code == 429)
            raise error
        total = response.headers.get("X-Total-Count", "")
        try:
            data = json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise NotUnderstood(
                f"The answer to {request} is not JSON.",
                "Check that ONEHEAD_FORGEJO_URL is the root of a Forgejo, without /api/v1.",
            ) from None
        at = http_date(response.headers.get("Date", "")) or datetime.now(UTC)
        return ApiAnswer(response.status_code, data, int(total) if _is_number(total) else None, at)

    def _message(self, response: httpx.Response, body: bytes) -> str:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return response.reason_phrase  # a page of some proxy
        message = data.get("message") if isinstance(data, dict) else None
        return self._clean(message) if isinstance(message, str) else ""

    def _clean(self, text: str) -> str:
        """One line of bounded length that can't hold the token, whatever an echoing proxy put there."""
        text = text.replace(self._token, "[token]") if self._token else text
        line = " ".join(text.split())
        return line if len(line) <= 500 else line[:499] + "…"


class _Failed(Exception):
    """One try came to nothing; `harmless` when the forge can't have acted on it."""

    def __init__(self, error: Unavailable, *, harmless: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.harmless = harmless


def _body(request: str, response: httpx.Response, until: float) -> bytes:
    """An answer as a whole.

    Raises:
        NotUnderstood: it is larger than any that a forge gives.
        httpx.ReadTimeout: it has not ended `until` then, by the monotonic clock.
    """
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER:
            raise NotUnderstood(
                f"The answer to {request} is larger than {MAX_ANSWER // 1024**2} MiB, so it was not read to its end.",
                "Look at what the forge, or a proxy before it, answers there.",
            )
        if time.monotonic() > until:
            raise httpx.ReadTimeout(f"it did not end within {SECONDS_FOR_ANSWER:g} seconds", request=response.request)
    return bytes(body)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _location(response: httpx.Response) -> httpx.URL:
    try:
        return httpx.URL(response.headers.get("Location", ""))
    except httpx.InvalidURL:
        return httpx.URL("")


def _host(response: httpx.Response) -> str:
    """Where a redirect leads, for people: scheme, host and port, without credentials."""
    location = _location(response)
    if not location.host:
        return "this server itself" if str(location) else "nowhere"
    return f"{location.scheme or 'http'}://{location.netloc.decode('ascii')}"


def _checked(url: str) -> str:
    hint = "Give the root of the forge in ONEHEAD_FORGEJO_URL, such as https://git.example.org."
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise UsageError("The address of Forgejo is not a URL.", hint) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError("The address of Forgejo must begin with http:// or https:// and a host.", hint)
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise UsageError("The address of Forgejo must not hold a user, password, query or fragment.", hint)
    return url.rstrip("/")
