"""What the service is told: read once from the environment or a TOML file, and reported wrong all at once."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from onehead.errors import UsageError


class BadValueError(ValueError):
    """A bad value; the text goes on after the setting's name: what is wrong, and what to do."""


class Secret:
    """Text that does not appear by accident: not in a repr, a log line, a message or a copy as a dict."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call it only where it is used."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_url(text: str) -> str | None:
    """An http(s) address without a trailing slash, its sub-path kept; `None` for none."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_address = urlsplit(""), False
    # First, because every other message repeats the value.
    if "@" in (parts.netloc or text):
        raise BadValueError(
            "contains a user name or password. Take it out of the address; the token has its own setting."
        )
    if not is_address or re.search(r"\s", text):
        raise _unfit(text, "which is not an http or https address. Write it like https://forgejo.example.org.")
    if parts.query or parts.fragment:
        raise _unfit(text, "which has a query or a fragment. End the address before the ? or #.")
    path = parts.path.rstrip("/")
    if path.endswith("/api/v1"):
        raise _unfit(text, "the address of the API. Leave out /api/v1; it is added where needed.")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def read_secret(text: str) -> Secret:
    """One secret, a single word."""
    if not text:
        raise BadValueError("is empty. Put the secret there.")
    if re.search(r"\s", text):
        raise BadValueError("contains a space or a line break. Give the secret alone.")
    return Secret(text)


def read_account(text: str) -> str:
    """A name as Forgejo gives to accounts, or none."""
    if text and not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        raise _unfit(text, "which is no account's name. Write it as in the address of its page.")
    return text


def read_secrets(text: str) -> tuple[Secret, ...]:
    """Secrets separated by commas or line breaks; at least one, for an empty one would accept any signature."""
    secrets = _secrets(text)
    if not secrets:
        raise BadValueError("holds no secret. Give the one that the webhook was created with.")
    return secrets


_MIN_LONG_SECRET = 24


def read_long_secrets(text: str) -> tuple[Secret, ...]:
    """As above, or none; short ones could be guessed, by whoever asks often or holds a key that was derived from it."""
    secrets = _secrets(text)
    if any(len(secret.reveal()) < _MIN_LONG_SECRET for secret in secrets):
        raise BadValueError(f"is shorter than {_MIN_LONG_SECRET} characters. Make a random one: openssl rand -hex 32")
    return secrets


def _secrets(text: str) -> tuple[Secret, ...]:
    return tuple(Secret(part.strip()) for part in re.split(r"[,\n]", text) if part.strip())


def read_address(text: str) -> tuple[str, int]:
    """`host:port`, `[ipv6]:port` or `:port` for every interface; port 0 lets the system choose."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]*)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        raise _unfit(text, "which is not host:port. Write it like 127.0.0.1:8686 or [::1]:8686.")
    return match[1] or match[2] or "0.0.0.0", int(match[3])  # noqa: S104 - only when asked for with ":port"


TOPIC = "topic:"
"""What stands before the name of a topic, among patterns for repositories."""


def read_globs(text: str) -> tuple[str, ...]:
    """Patterns for `owner/name`, or `topic:NAME`, separated by commas."""
    globs = tuple(part.strip() for part in text.split(",") if part.strip())
    bad = [glob for glob in globs if not re.fullmatch(rf"[^/\s]+/[^/\s]+|{TOPIC}[^/\s]+", glob)]
    if bad or not globs:
        advice = "which is not a pattern for owner/name. Write it like acme/*, acme/shop or topic:alembic."
        raise BadValueError(f"has {_shown(', '.join(bad) or text)}, {advice}")
    return globs


def read_networks(text: str) -> tuple[str, ...]:
    """Addresses and networks (`10.0.0.5`, `10.1.0.0/16`, `fd00::/8`), separated by commas, or none."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(str(ip_network(part)))
        except ValueError as error:
            raise _unfit(part, "which is no address or network. Write it like 10.0.0.5 or 10.1.0.0/16.") from error
    return tuple(found)


def read_header(text: str) -> str:
    """Name of a header of HTTP."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", text):
        raise _unfit(text, "which is no name of a header. Write it like X-Forwarded-User.")
    return text


def read_sweep(text: str) -> str | None:
    """A cron expression of five fields (or `@hourly` and its kin) that has a next time; `None` for `off`."""
    if text.lower() == "off":
        return None
    from croniter import croniter  # noqa: PLC0415 - a deploy job that reports its rows sweeps nothing

    try:
        if len(text.split()) not in {1, 5}:
            raise ValueError(text)
        croniter(text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (ValueError, KeyError, AttributeError, IndexError) as error:
        advice = "Write five fields like */15 * * * *, or off."
        raise _unfit(text, f"which is no cron expression that ever comes true. {advice}") from error
    return text


def read_cache_dir(text: str) -> Path:
    """A directory; need not exist yet."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise _unfit(text, "but there is no such home directory. Name a directory by its full path.") from error
    if path.exists() and not path.is_dir():
        raise _unfit(text, "which is a file. Name a directory; it is created when missing.")
    return path.absolute()


_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def read_cache_size(text: str) -> int | float:
    """Bytes (`50GiB`), or a share of the disk (`80%` is 0.8)."""
    match = re.fullmatch(r"(\d{1,6}) ?(%|MiB|GiB|TiB)", text)
    if match is None or int(match[1]) == 0 or (match[2] == "%" and int(match[1]) > 100):
        raise _unfit(text, "which is no size. Write it like 50GiB, or like 80% for a share of the disk.")
    return int(match[1]) / 100 if match[2] == "%" else int(match[1]) * _UNITS[match[2]]


def read_database_url(text: str) -> Secret | None:
    """Address of a PostgreSQL database, kept like a secret because it usually holds a password."""
    if not text:
        return None
    if not re.match(r"postgres(ql)?://", text):
        raise BadValueError(
            "does not begin with postgresql://. Give the address of a PostgreSQL database, or leave it empty."
        )
    return Secret(text)


def read_worker(text: str) -> str:
    """Name of a worker."""
    if not re.fullmatch(r"[\w.:@/-]{0,100}", text):
        raise BadValueError("is no name. Take letters, digits and . _ - : @ /, at most 100.")
    return text


def read_log(text: str) -> str:
    """`console` or `json`."""
    if text.lower() not in {"console", "json"}:
        raise BadValueError(f"is {_shown(text)}. Choose console or json.")
    return text.lower()


def _unfit(text: str, why: str) -> BadValueError:
    return BadValueError(f"is {_shown(text)}, {why}")


def _shown(text: str) -> str:
    """A value short enough to be read in a message."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


PREFIX = "ONEHEAD_"

# Variables with our prefix that are not ours: those of the test suite, and those that Kubernetes (and Docker's
# old links) put into every container beside a Service that is called "onehead".
_FOREIGN = re.compile(r"ONEHEAD_(TEST_\w+|SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be told.

    Attributes:
        name: in lower case: the key in the TOML file and the field of `Settings`.
        read: text → value; raises `BadValueError`.
        default: as it would be written; `None` where the setting is required.
        is_secret: whether it may stand in a file of its own, named by `NAME_FILE`.
    """

    name: str
    meaning: str
    read: Callable[[str], object]
    default: str | None = None
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper()


SETTINGS = (
    Setting("forgejo_url", "Address of the Forgejo server, as in a browser, sub-path included.", read_url),
    Setting(
        "token",
        "Access token of the bot's account; scopes write:repository, write:issue, read:user.",
        read_secret,
        is_secret=True,
    ),
    Setting(
        "bot",
        "Name of the bot's account; needed only where the token lacks read:user, as one for named repositories does.",
        read_account,
        "",
    ),
    Setting(
        "webhook_secret",
        "Secret that the webhooks are signed with; several, separated by commas, while one replaces another.",
        read_secrets,
        is_secret=True,
    ),
    Setting(
        "report_secret",
        "Secret from which the keys of deploy jobs are derived that report the rows of their databases; several, "
        "separated by commas, while one replaces another; empty: no reports are taken.",
        read_long_secrets,
        "",
        is_secret=True,
    ),
    Setting("listen", "Where the service listens for HTTP, host:port.", read_address, "127.0.0.1:8686"),
    Setting("public_url", "Address at which Forgejo reaches the service; needed to create webhooks.", read_url, ""),
    Setting(
        "repositories",
        "Which repositories to look after: patterns for owner/name, and topic:NAME for those with a topic, separated "
        "by commas; by default all that the token can write to.",
        read_globs,
        "*/*",
    ),
    Setting(
        "sweep",
        "When to look after everything again, whatever webhooks said: a cron expression in UTC, or off. "
        "The sweep at start-up always runs.",
        read_sweep,
        "*/15 * * * *",
    ),
    Setting("cache_dir", "Directory for mirrors of the repositories; may be lost.", read_cache_dir, "~/.cache/onehead"),
    Setting(
        "cache_size",
        "What the mirrors may take: MiB, GiB or TiB, or a share of what they take and what is free beside them. Those "
        "that were not used for longest are removed.",
        read_cache_size,
        "80%",
    ),
    Setting(
        "page_token",
        "Token with which people open the page of the service; several, separated by commas, while one replaces "
        "another; empty: nobody opens it with a token.",
        read_long_secrets,
        "",
        is_secret=True,
    ),
    Setting(
        "page_proxies",
        "Addresses and networks, separated by commas, of proxies that log people in before they pass them on to the "
        "page.",
        read_networks,
        "",
    ),
    Setting(
        "page_user_header",
        "Header in which such a proxy names the person; believed from nobody else.",
        read_header,
        "X-Forwarded-User",
    ),
    Setting(
        "database_url",
        "PostgreSQL database in which several machines share the work; empty: one process keeps its jobs in memory.",
        read_database_url,
        "",
        is_secret=True,
    ),
    Setting(
        "worker",
        "Name of this process among those that share the database, which keeps it over a restart: it looks after the "
        "repositories that it has mirrors of; by default the name of the machine.",
        read_worker,
        "",
    ),
    Setting("log", "How log lines look: console (for people) or json (for machines).", read_log, "console"),
)
"""Every setting, in the order of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service was told; the fields are explained in `SETTINGS`.

    `public_url` and `database_url` are `None` when empty, `sweep` is `None` for `off`, and `webhook_secret` is
    empty only where `load` was told that no webhook will be received.
    """

    forgejo_url: str
    token: Secret
    bot: str
    webhook_secret: tuple[Secret, ...]
    report_secret: tuple[Secret, ...]
    listen: tuple[str, int]
    public_url: str | None
    repositories: tuple[str, ...]
    sweep: str | None
    cache_dir: Path
    cache_size: int | float
    page_token: tuple[Secret, ...]
    page_proxies: tuple[str, ...]
    page_user_header: str
    database_url: Secret | None
    worker: str
    log: str

    @property
    def shows_page(self) -> bool:
        """Whether anybody may see the page; else there is none."""
        return bool(self.page_token or self.page_proxies)

    def covers(self, repository: str, topics: Collection[str] | None = None) -> bool:
        """Whether `owner/name` is to be looked after (see `is_covered`)."""
        return is_covered(self.repositories, repository, topics)


def is_covered(repositories: Collection[str], repository: str, topics: Collection[str] | None = None) -> bool:
    """Whether patterns cover a repository. Forgejo's names ignore case, so do the patterns.

    Where its topics are not known (`None`), as in a webhook, a repository that a topic could cover counts as covered,
    and is asked about again when they are known.
    """
    patterns = [pattern.lower() for pattern in repositories]
    wanted = {pattern.removeprefix(TOPIC) for pattern in patterns if pattern.startswith(TOPIC)}
    if any(fnmatchcase(repository.lower(), pattern) for pattern in patterns):
        return True
    return bool(wanted) if topics is None else not wanted.isdisjoint(topics)


def load(environ: Mapping[str, str], config: Path | None = None, *, without: Collection[str] = ()) -> Settings:
    """Read all settings; what the environment says goes before what the file says, an empty variable says nothing.

    Args:
        environ: the process environment.
        config: a TOML file.
        without: required settings that this command can do without: only `webhook_secret` can be named.

    Raises:
        UsageError: with every missing, unknown and bad value, each with what is wrong and what to do.
    """
    problems: list[str] = []
    given = _from_file(config, problems) | _from_environment(environ, problems)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        label, text = _text_of(setting, given, problems)
        if text is None:
            if setting.name in without:
                values[setting.name] = ()
            elif label:
                problems.append(f"{label} is missing. {setting.meaning}")
            continue
        try:
            values[setting.name] = setting.read(text)
        except BadValueError as reason:
            problems.append(f"{label} {reason}")
    if problems:
        count = "One setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        raise UsageError(
            "\n".join([f"{count} missing or wrong, so nothing was started:", *(f"  - {line}" for line in problems)]),
            "Correct them in the environment or in the file given with --config, and start again.",
        )
    return Settings(**values)


def load_database_url(environ: Mapping[str, str], config: Path | None = None) -> str:
    """The address of the database alone, for who needs nothing else; given as for `load`.

    Raises:
        UsageError: there is none, or what is given is wrong.
    """
    problems: list[str] = []
    given = _from_file(config, problems) | _from_environment(environ, problems)
    setting = next(each for each in SETTINGS if each.name == "database_url")
    label, text = _text_of(setting, given, problems)
    try:
        found = read_database_url(text or "")
    except BadValueError as reason:
        problems.append(f"{label} {reason}")
    if problems:
        raise UsageError(problems[0])
    if found is None:
        raise UsageError(
            "ONEHEAD_DATABASE_URL is empty: the service keeps its jobs in memory, and there is no database.",
            "Set it to the address of a PostgreSQL database where several machines are to share the work.",
        )
    return found.reveal()


def _text_of(setting: Setting, given: Mapping[str, tuple[str, str]], problems: list[str]) -> tuple[str, str | None]:
    """What was said about a setting: (where, text). No text: not said; no `where` either: already reported."""
    label, text = given.get(setting.name, (setting.variable, None))
    if not setting.is_secret or (named := given.get(f"{setting.name}_file")) is None:
        return label, setting.default if text is None else text
    file_label, path = named
    if text is not None:
        problems.append(f"{label} and {file_label} are both given. Keep one of them.")
        return "", None
    try:
        return f"The content of {file_label}", _content(path)
    except BadValueError as reason:
        problems.append(f"{file_label} {reason} Check path and permissions.")
        return "", None


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadValueError(f"names {path}, which can't be read: {reason}.") from error


def told(name: str) -> str:
    """The setting of this name from the environment; or empty."""
    return os.environ.get(f"{PREFIX}{name}", "").strip()


def secret_told(name: str) -> str:
    """The setting of this name from the environment, or from the file that its `_FILE` twin names; or empty."""
    path = told(f"{name}_FILE")
    return secret_in(path, f"{PREFIX}{name}_FILE") if path else told(name)


def secret_in(path: str, option: str) -> str:
    """The secret in a file that an option or setting names.

    Raises:
        UsageError: it can't be read, or holds nothing.
    """
    try:
        text = _content(path)
    except BadValueError as reason:
        raise UsageError(f"{option} {reason}", "Check path and rights.") from reason
    if not text:
        raise UsageError(f"{option} names {path}, which is empty.", "Put the secret into it, or delete it.")
    return text


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, tuple[str, str]]:
    known = _names()
    given: dict[str, tuple[str, str]] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or _FOREIGN.fullmatch(variable):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if variable != variable.upper() or name not in known:
            problems.append(_unknown(variable, name, {each: PREFIX + each.upper() for each in known}))
        elif text.strip():
            given[name] = (variable, text.strip())
    return given


def _from_file(config: Path | None, problems: list[str]) -> dict[str, tuple[str, str]]:
    if config is None:
        return {}
    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{config} can't be read: {error.strerror}. Check the path given with --config.")
        return {}
    except ValueError as error:  # tomllib's and the decoder's errors are both ValueErrors
        problems.append(f'{config} is not a TOML file: {error}. Settings look like: listen = "127.0.0.1:8686"')
        return {}
    known = _names()
    given: dict[str, tuple[str, str]] = {}
    for name, value in document.items():
        label = f"{name} in {config}"
        texts = value if isinstance(value, list) else [value]
        if name not in known:
            problems.append(_unknown(label, name, {each: each for each in known}))
        elif not all(isinstance(text, str) for text in texts):
            problems.append(f"{label} is not text. Write it in quotes.")
        elif joined := ",".join(texts).strip():
            given[name] = (label, joined)
    return given


def _names() -> list[str]:
    return [name for s in SETTINGS for name in ([s.name, f"{s.name}_file"] if s.is_secret else [s.name])]


def _unknown(label: str, name: str, known: Mapping[str, str]) -> str:
    """A sentence about a name that is none of the known ones, which are given with how they are written there."""
    close = difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean {known[close[0]]}?" if close else f"Known are: {', '.join(known.values())}."
    return f"{label} is not a setting of onehead. {advice}"
