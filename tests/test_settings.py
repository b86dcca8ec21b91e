from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from onehead.errors import UsageError
from onehead.settings import SETTINGS, Secret, Settings, load

NEEDED = {
    "ONEHEAD_FORGEJO_URL": "https://forge.example.org",
    "ONEHEAD_TOKEN": "t0ken",
    "ONEHEAD_WEBHOOK_SECRET": "s3cret",
}


def problems(environ: dict[str, str], config: Path | None = None) -> list[str]:
    """The lines of the one error that loading raises."""
    with pytest.raises(UsageError) as raised:
        load(environ, config)
    assert raised.value.exit_code == 2
    assert raised.value.hint == "Correct them in the environment or in the file given with --config, and start again."
    first, *lines = raised.value.message.splitlines()
    count = "One setting is" if len(lines) == 1 else f"{len(lines)} settings are"
    assert first == f"{count} missing or wrong, so nothing was started:"
    return [line.removeprefix("  - ") for line in lines]


def toml(folder: Path, text: str) -> Path:
    path = folder / "onehead.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert load(NEEDED) == Settings(
        forgejo_url="https://forge.example.org",
        token=Secret("t0ken"),
        bot="",
        webhook_secret=(Secret("s3cret"),),
        report_secret=(),
        listen=("127.0.0.1", 8686),
        public_url=None,
        repositories=("*/*",),
        sweep="*/15 * * * *",
        cache_dir=Path("/home/someone/.cache/onehead"),
        cache_size=0.8,
        page_token=(),
        page_proxies=(),
        page_user_header="X-Forwarded-User",
        database_url=None,
        worker="",
        log="console",
    )


def test_everything_from_the_environment() -> None:
    settings = load(
        {
            "ONEHEAD_FORGEJO_URL": " https://Forge.example.org:3000/git/ ",
            "ONEHEAD_TOKEN": "t0ken",
            "ONEHEAD_BOT": "one-head",
            "ONEHEAD_WEBHOOK_SECRET": "new, old,",
            "ONEHEAD_REPORT_SECRET": f"{'r' * 24},{'s' * 24}",
            "ONEHEAD_LISTEN": "[::1]:80",
            "ONEHEAD_PUBLIC_URL": "http://10.0.0.5:8686/",
            "ONEHEAD_REPOSITORIES": "acme/*, Tools/shop",
            "ONEHEAD_SWEEP": "OFF",
            "ONEHEAD_CACHE_DIR": "/var/cache/onehead",
            "ONEHEAD_CACHE_SIZE": "50GiB",
            "ONEHEAD_PAGE_TOKEN": "t" * 24,
            "ONEHEAD_PAGE_PROXIES": "10.0.0.5, fd00::/8,",
            "ONEHEAD_PAGE_USER_HEADER": "Remote-User",
            "ONEHEAD_DATABASE_URL": "postgresql://bot:pw@db/onehead",
            "ONEHEAD_LOG": "JSON",
            "ONEHEAD_TEST_FORGEJO": "/anything",
            "PATH": "/bin",
        }
    )

    assert settings == Settings(
        forgejo_url="https://forge.example.org:3000/git",
        token=Secret("t0ken"),
        bot="one-head",
        webhook_secret=(Secret("new"), Secret("old")),
        report_secret=(Secret("r" * 24), Secret("s" * 24)),
        listen=("::1", 80),
        public_url="http://10.0.0.5:8686",
        repositories=("acme/*", "Tools/shop"),
        sweep=None,
        cache_dir=Path("/var/cache/onehead"),
        cache_size=50 << 30,
        page_token=(Secret("t" * 24),),
        page_proxies=("10.0.0.5/32", "fd00::/8"),
        page_user_header="Remote-User",
        database_url=Secret("postgresql://bot:pw@db/onehead"),
        worker="",
        log="json",
    )


def test_the_file_has_the_same_names_and_lists_where_several_are_meant(tmp_path: Path) -> None:
    config = toml(
        tmp_path,
        'forgejo_url = "https://forge.example.org"\ntoken = "t0ken"\nwebhook_secret = ["new", "old"]\n'
        'repositories = ["acme/*", "tools/shop"]\nsweep = "@hourly"\nlog = "json"\n',
    )

    settings = load({}, config)

    assert settings.webhook_secret == (Secret("new"), Secret("old"))
    assert settings.repositories == ("acme/*", "tools/shop")
    assert (settings.sweep, settings.log) == ("@hourly", "json")


def test_the_environment_goes_before_the_file_and_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    config = toml(tmp_path, 'listen = "0.0.0.0:1"\nlog = "json"\n')

    settings = load(NEEDED | {"ONEHEAD_LISTEN": ":2", "ONEHEAD_LOG": " "}, config)

    assert (settings.listen, settings.log) == (("0.0.0.0", 2), "json")  # noqa: S104


def test_secrets_from_files_of_their_own(tmp_path: Path) -> None:
    for name, text in {"token": "t0ken\n", "secrets": "new\nold\n", "db": "postgres://db/x\n"}.items():
        (tmp_path / name).write_text(text)
    config = toml(tmp_path, f'token_file = "{tmp_path / "token"}"\n')

    settings = load(
        {
            "ONEHEAD_FORGEJO_URL": "http://forge",
            "ONEHEAD_WEBHOOK_SECRET_FILE": str(tmp_path / "secrets"),
            "ONEHEAD_DATABASE_URL_FILE": str(tmp_path / "db"),
        },
        config,
    )

    assert settings.token.reveal() == "t0ken"
    assert [secret.reveal() for secret in settings.webhook_secret] == ["new", "old"]
    assert settings.database_url == Secret("postgres://db/x")


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    config = toml(tmp_path, 'listn = "x"\nlog = 3\nrepositories = ["acme"]\n')
    (tmp_path / "empty").write_text("\n")

    assert problems(
        {
            "ONEHEAD_FORGEJO_URL": "forge.example.org",
            "ONEHEAD_WEBHOOK_SECRET_FILE": str(tmp_path / "empty"),
            "ONEHEAD_SWEEPS": "off",
            "ONEHEAD_SWEEP": "61 * * * *",
            "ONEHEAD_LISTEN": "8686",
            "ONEHEAD_DATABASE_URL": "mysql://db",
        },
        config,
    ) == [
        f"listn in {config} is not a setting of onehead. Did you mean listen?",
        f"log in {config} is not text. Write it in quotes.",
        "ONEHEAD_SWEEPS is not a setting of onehead. Did you mean ONEHEAD_SWEEP?",
        (
            "ONEHEAD_FORGEJO_URL is 'forge.example.org', which is not an http or https address. "
            "Write it like https://forgejo.example.org."
        ),
        "ONEHEAD_TOKEN is missing. Access token of the bot's account; scopes write:repository, write:issue, read:user.",
        "The content of ONEHEAD_WEBHOOK_SECRET_FILE holds no secret. Give the one that the webhook was created with.",
        "ONEHEAD_LISTEN is '8686', which is not host:port. Write it like 127.0.0.1:8686 or [::1]:8686.",
        (
            f"repositories in {config} has 'acme', which is not a pattern for owner/name. "
            "Write it like acme/*, acme/shop or topic:alembic."
        ),
        (
            "ONEHEAD_SWEEP is '61 * * * *', which is no cron expression that ever comes true. "
            "Write five fields like */15 * * * *, or off."
        ),
        (
            "ONEHEAD_DATABASE_URL does not begin with postgresql://. "
            "Give the address of a PostgreSQL database, or leave it empty."
        ),
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("BOT", "https://forge/onehead", "is 'https://forge/onehead', which is no account's name. "),
        ("BOT", "one head", "is 'one head', which is no account's name. "),
        ("FORGEJO_URL", "ftp://forge", "is 'ftp://forge', which is not an http or https address. "),
        ("FORGEJO_URL", "https://", "is 'https://', which is not an http or https address. "),
        ("FORGEJO_URL", "https://forge:99999", "is 'https://forge:99999', which is not an http or https address. "),
        ("FORGEJO_URL", "https://[forge", "is 'https://[forge', which is not an http or https address. "),
        ("FORGEJO_URL", "https://me:pw@forge", "contains a user name or password. "),
        ("FORGEJO_URL", "https://me:pw@forge:99999", "contains a user name or password. "),
        ("FORGEJO_URL", "https://me:pw@[forge", "contains a user name or password. "),
        ("FORGEJO_URL", "https://forge/?a=b", "is 'https://forge/?a=b', which has a query or a fragment. "),
        ("FORGEJO_URL", "https://forge/api/v1/", "is 'https://forge/api/v1/', the address of the API. "),
        ("TOKEN", "two words", "contains a space or a line break. "),
        ("WEBHOOK_SECRET", ",", "holds no secret. "),
        (
            "REPORT_SECRET",
            f"{'r' * 24},short",
            "is shorter than 24 characters. Make a random one: openssl rand -hex 32",
        ),
        ("PAGE_TOKEN", "short", "is shorter than 24 characters. Make a random one: openssl rand -hex 32"),
        ("PAGE_PROXIES", "10.0.0.1, proxy.example.org", "is 'proxy.example.org', which is no address or network. "),
        ("PAGE_PROXIES", "10.0.0.1/8", "is '10.0.0.1/8', which is no address or network. "),
        ("PAGE_USER_HEADER", "X User", "is 'X User', which is no name of a header. "),
        ("LISTEN", "127.0.0.1:65536", "is '127.0.0.1:65536', which is not host:port. "),
        ("LISTEN", "::1:80", "is '::1:80', which is not host:port. "),
        ("REPOSITORIES", "acme/*,shop", "has 'shop', which is not a pattern for owner/name. "),
        ("REPOSITORIES", ",", "has ',', which is not a pattern for owner/name. "),
        ("SWEEP", "* * * * * *", "is '* * * * * *', which is no cron expression that ever comes true. "),
        ("SWEEP", "0 0 31 2 *", "is '0 0 31 2 *', which is no cron expression that ever comes true. "),
        (
            "CACHE_SIZE",
            "0GiB",
            "is '0GiB', which is no size. Write it like 50GiB, or like 80% for a share of the disk.",
        ),
        ("CACHE_SIZE", "101%", "is '101%', which is no size. "),
        ("CACHE_SIZE", "50", "is '50', which is no size. "),
        ("SWEEP", "daily", "is 'daily', which is no cron expression that ever comes true. "),
        ("CACHE_DIR", __file__, "is '"),
        ("LOG", "xml", "is 'xml'. Choose console or json."),
        ("LOG", "x" * 100, f"is '{'x' * 79}…'. Choose console or json."),
    ],
)
def test_a_bad_value_is_told_alone(name: str, text: str, problem: str) -> None:
    (line,) = problems(NEEDED | {f"ONEHEAD_{name}": text})

    assert line.startswith(f"ONEHEAD_{name} {problem}")


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    assert problems(NEEDED | {"ONEHEAD_TOKEN_FILE": str(tmp_path / "token")}) == [
        "ONEHEAD_TOKEN and ONEHEAD_TOKEN_FILE are both given. Keep one of them."
    ]


def test_a_secret_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    environ = {name: text for name, text in NEEDED.items() if name == "ONEHEAD_FORGEJO_URL"} | {
        "ONEHEAD_TOKEN_FILE": str(tmp_path / "nowhere"),
        "ONEHEAD_WEBHOOK_SECRET_FILE": str(tmp_path / "binary"),
    }

    assert problems(environ) == [
        (
            f"ONEHEAD_TOKEN_FILE names {tmp_path}/nowhere, which can't be read: No such file or directory. "
            "Check path and permissions."
        ),
        (
            f"ONEHEAD_WEBHOOK_SECRET_FILE names {tmp_path}/binary, which can't be read: it is not UTF-8 text. "
            "Check path and permissions."
        ),
    ]


def test_a_config_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.toml"
    broken = toml(tmp_path, "listen = 127\n.0")

    assert problems(NEEDED, missing) == [
        f"{missing} can't be read: No such file or directory. Check the path given with --config."
    ]
    (line,) = problems(NEEDED, broken)
    assert line.startswith(f"{broken} is not a TOML file: ")
    assert line.endswith('. Settings look like: listen = "127.0.0.1:8686"')


def test_an_unknown_name_without_a_likeness_gets_the_list() -> None:
    (line,) = problems(NEEDED | {"ONEHEAD_QQQ": "1"})

    assert line == (
        "ONEHEAD_QQQ is not a setting of onehead. Known are: ONEHEAD_FORGEJO_URL, ONEHEAD_TOKEN, ONEHEAD_TOKEN_FILE, "
        "ONEHEAD_BOT, ONEHEAD_WEBHOOK_SECRET, ONEHEAD_WEBHOOK_SECRET_FILE, ONEHEAD_REPORT_SECRET, "
        "ONEHEAD_REPORT_SECRET_FILE, ONEHEAD_LISTEN, ONEHEAD_PUBLIC_URL, "
        "ONEHEAD_REPOSITORIES, ONEHEAD_SWEEP, ONEHEAD_CACHE_DIR, ONEHEAD_CACHE_SIZE, "
        "ONEHEAD_PAGE_TOKEN, ONEHEAD_PAGE_TOKEN_FILE, ONEHEAD_PAGE_PROXIES, ONEHEAD_PAGE_USER_HEADER, "
        "ONEHEAD_DATABASE_URL, ONEHEAD_DATABASE_URL_FILE, ONEHEAD_WORKER, ONEHEAD_LOG."
    )


@pytest.mark.parametrize(
    "variable",
    [
        "ONEHEAD_SERVICE_HOST",
        "ONEHEAD_SERVICE_PORT",
        "ONEHEAD_SERVICE_PORT_HTTP",
        "ONEHEAD_PORT",
        "ONEHEAD_PORT_8686_TCP",
        "ONEHEAD_PORT_8686_TCP_ADDR",
    ],
)
def test_what_kubernetes_adds_beside_a_service_of_that_name_is_not_ours(variable: str) -> None:
    assert load(NEEDED | {variable: "10.0.0.1"}) == load(NEEDED)


def test_a_command_that_receives_no_webhook_needs_no_secret_for_it() -> None:
    environ = {name: text for name, text in NEEDED.items() if name != "ONEHEAD_WEBHOOK_SECRET"}

    assert load(environ, without=["webhook_secret"]).webhook_secret == ()
    assert len(problems(environ)) == 1


def test_secrets_do_not_show() -> None:
    settings = load(NEEDED | {"ONEHEAD_DATABASE_URL": "postgresql://bot:pw@db/onehead"})

    for text in (repr(settings), str(settings), repr(dataclasses.asdict(settings)), f"{settings.token}"):
        assert not any(secret in text for secret in ("t0ken", "s3cret", "pw"))
    assert "token=Secret(…)" in repr(settings)


def test_a_bad_secret_is_not_repeated_in_the_message() -> None:
    for line in problems(NEEDED | {"ONEHEAD_TOKEN": "hush hush", "ONEHEAD_DATABASE_URL": "mysql://bot:hush@db"}):
        assert "hush" not in line


@pytest.mark.parametrize(
    ("patterns", "repository", "expected"),
    [
        ("*/*", "acme/shop", True),
        ("acme/*", "ACME/Shop", True),
        ("acme/*", "acme2/shop", False),
        ("acme/shop,tools/ci-*", "tools/ci-runner", True),
        ("acme/shop", "acme/shop2", False),
        ("topic:alembic", "acme/shop", True),
    ],
)
def test_which_repositories_are_covered(patterns: str, repository: str, expected: bool) -> None:
    assert load(NEEDED | {"ONEHEAD_REPOSITORIES": patterns}).covers(repository) is expected


@pytest.mark.parametrize(
    ("patterns", "topics", "expected"),
    [
        ("topic:Alembic", ("alembic", "web"), True),
        ("topic:alembic", ("web",), False),
        ("topic:alembic,acme/*", (), True),
        ("ann/*", ("alembic",), False),
    ],
)
def test_topics_cover_too_once_they_are_known(patterns: str, topics: tuple[str, ...], expected: bool) -> None:
    assert load(NEEDED | {"ONEHEAD_REPOSITORIES": patterns}).covers("acme/shop", topics) is expected


def test_the_table_and_the_fields_are_the_same() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in dataclasses.fields(Settings)]
    assert all(setting.meaning.endswith(".") and "\n" not in setting.meaning for setting in SETTINGS)
    assert [setting.variable for setting in SETTINGS if setting.default is None] == list(NEEDED)
