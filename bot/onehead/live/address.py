"""The address of a database: what is needed to reach it, and how it is shown without its password."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from onehead.errors import UsageError
from onehead.live.masking import HIDDEN, mask_urls

_KINDS = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL", "mariadb": "MariaDB"}
_DRIVERS = {
    # Driver's name in the address → the module it needs. The first one that is installed is taken.
    "postgresql": {"psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"},
    "sqlite": {"pysqlite": "sqlite3"},
    "mysql": {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"},
    "mariadb": {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mariadbconnector": "mariadb"},
}
_PACKAGES = {"postgresql": "psycopg[binary]", "mysql": "PyMySQL", "mariadb": "PyMySQL"}
_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_EXAMPLE = "Write it as SQLAlchemy does: postgresql://user:password@host/name, mysql://…, sqlite:///path/to/file."


class Address:
    """Where a database is.

    Attributes:
        url: with a driver that is installed and waits for answers, whichever one the project itself uses.
    """

    def __init__(self, text: str) -> None:
        """Understand an address.

        Raises:
            UsageError: it is none, or there is no driver for such databases.
        """
        try:
            url = make_url(text.strip())
        except (ArgumentError, ValueError):
            # The text is not repeated: whatever it is, it may hold a password.
            raise UsageError("The address of the database can't be understood.", _EXAMPLE) from None
        # Hosting firms write the short name, which SQLAlchemy gave up.
        kind = {"postgres": "postgresql"}.get(url.get_backend_name(), url.get_backend_name())
        if kind not in _KINDS:
            known = "PostgreSQL, MySQL, MariaDB and SQLite"
            raise UsageError(f"Databases of the kind `{kind[:40]}` are not known to the doctor: it looks at {known}.")
        self.url = _with_driver(url, kind)
        self._secrets = _secrets(url)

    def __str__(self) -> str:
        query = {key: HIDDEN if _SECRET.search(key) else value for key, value in self.url.query.items()}
        url = self.url.set(drivername=self.url.get_backend_name(), query=query)
        shown = url.render_as_string(hide_password=True).replace(quote(HIDDEN, safe=""), HIDDEN)
        return self.masked(shown)

    @property
    def place(self) -> str:
        """Where it is, in short and without credentials: `db.example.org/shop`, or the name of a file."""
        name = (self.url.database or "").rpartition("/")[2] if self.url.host is None else self.url.database or ""
        return "/".join(filter(None, (self.url.host, name)))

    def masked(self, text: str) -> str:
        """A text without any password of this address: drivers repeat what they were given."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return mask_urls(text)


def _secrets(url: URL) -> list[str]:
    found = [str(url.password)] if url.password else []
    for key, value in url.query.items():
        if _SECRET.search(key):
            found += [value] if isinstance(value, str) else list(value)
    # As drivers may show them. A very short one would hide half of every text, and is in none of them by itself.
    forms = {f for each in found for f in (each, quote(each, safe=""), quote_plus(each), repr(each)[1:-1])}
    return sorted((form for form in forms if len(form) > 2), key=len, reverse=True)


def _with_driver(url: URL, kind: str) -> URL:
    drivers = _DRIVERS[kind]
    asked = url.drivername.partition("+")[2]
    for name in (asked, *drivers):
        if name in drivers and _is_installed(drivers[name]):
            return url.set(drivername=f"{kind}+{name}")
    raise UsageError(
        f"No driver for {_KINDS[kind]} is installed here, so this database can't be asked.",
        f"`pip install 'onehead[databases]'` brings one, or `pip install '{_PACKAGES[kind]}'`.",
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
