"""`onehead install` and `uninstall`: make what onehead needs in a Forgejo, or take it away; `hook` on its disk."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from onehead.cli.checkup import Site, account_named, deliveries_seen, is_there, readiness, site, webhook_secret
from onehead.errors import UsageError
from onehead.examine.naming import DATABASES, LABEL, STATUS, laid_ready_for
from onehead.forge.admin import Webhook, of_repository
from onehead.forge.errors import BOT_SCOPES, ForgeError, MissingScope, NotFound, Unauthorised, Unavailable
from onehead.forge.models import RepositoryName
from onehead.gitrepo import server_hooks
from onehead.gitrepo.git import Git
from onehead.service.setup import (
    clean,
    ensure_access,
    ensure_hook,
    ensure_label,
    ensure_required,
    hook_url,
    is_ours,
    remove_hooks,
    remove_label,
    remove_refs,
    remove_required,
    serving,
)
from onehead.settings import secret_in
from onehead.text import listed

_PATIENCE = 6.0  # seconds; Forgejo sends within 2.5 and gives up after 5


def run_install(options: argparse.Namespace) -> int:
    """Install; returns 0, everything else is an error."""
    for option, wanted, what in (
        ("--require-status", options.require_status, "a rule"),
        ("--label", options.label, "a label"),
    ):
        if wanted and options.system:
            raise UsageError(
                f"{option} does not go with --system: it would write {what} into every repository of the site.",
                "Run it once more with --owner or --repo for those that are to have it.",
            )
    if options.token_out and not options.bot:
        raise UsageError("--token-out makes a token for the bot, and no bot is named.", "Add --bot NAME.")
    with site(options) as where:
        _may_all_be_done(where, options)
        print(f"Forgejo {where.version.partition('+')[0]}, as {where.me.login}: setting up {where.place.words}.")
        if where.others:
            print(f"left alone, as archived or a mirror: {listed([str(each.name) for each in where.others])}.")
        if options.bot:
            _collaborators(where, options.bot)
        if options.token_out:
            _token(where, options.bot, options.token_out)
        hook = _webhook(where, options)
        undone = _required(where) if options.require_status else []
        if options.label:
            _label(where)
        if hook is not None:
            _try(where, hook)
        if undone:
            raise UsageError(
                " ".join(error.message for error in undone),
                "\n".join(dict.fromkeys(error.hint for error in undone)) + "\nEverything else was done.",
            )
        print("Next: run onehead checkup for the same place; it says whether anything is missing.")
    return 0


def _may_all_be_done(where: Site, options: argparse.Namespace) -> None:
    """Nothing is begun that the token could not finish."""
    where.admin.ask_to_write(where.place.path)
    if options.label:
        for repository in where.repositories:
            where.admin.ask_to_write(f"/repos/{repository.name}/labels")
    if options.token_out and not _kept(options.token_out):
        login = account_named(where.admin, options.bot).login
        if not where.admin.makes_tokens(login):
            raise UsageError(
                f"Forgejo {where.version.partition('+')[0]} makes no token for another account; 16 and newer do. "
                "Nothing was done yet.",
                f"As the user that Forgejo runs as, type: {_by_hand(login, options.token_out)}\n"
                f"Bring that file to {options.token_out} here, and run the same command again. Or log in as {login}, "
                f"make a token with {', '.join(BOT_SCOPES)} (Settings → Applications), and run it without --token-out.",
            )


def _collaborators(where: Site, bot: str) -> None:
    """The bot may write to each repository."""
    account = account_named(where.admin, bot)
    if where.place.is_system:
        print(f"collaborator: not looked at for {where.place.words}; give {bot} write access where it is to help.")
    elif not where.repositories:
        print(f"collaborator: {where.place.words} has no repository; run this again when it has one.")
    for repository in where.repositories:
        made = ensure_access(where.admin, where.api, repository.name, account.login)
        print(f"collaborator: {account.login} may write to {repository.name}{' now' if made else ': already so'}.")


def _by_hand(login: str, file: str) -> str:
    """What makes the bot's token on the server itself, and shows it to nobody.

    Before the token Forgejo may print lines of its log.
    """
    name = shlex.quote(Path(file).name)
    asked = f"forgejo admin user generate-access-token --username {login} --token-name onehead-{secrets.token_hex(4)}"
    return f"(umask 077 && {asked} --scopes {','.join(BOT_SCOPES)} --raw | tail -n 1 > {name})"


def _kept(file: str) -> bool:
    """Whether there is a token already: it stays."""
    if not is_there(file):
        return False
    if len(secret_in(file, "--token-out").split()) > 1:
        raise UsageError(f"{file} holds more than a token.", "Leave nothing but the token in it, or delete it.")
    return True


def _token(where: Site, bot: str, file: str) -> None:
    """A token for the bot, which nobody sees but who may read the file."""
    if _kept(file):
        print(f"bot's token: it is in {Path(file).resolve()}: already so.")
        return
    login = account_named(where.admin, bot).login
    made = where.admin.create_token(login, f"onehead-{secrets.token_hex(4)}", BOT_SCOPES)
    with _taken_back(lambda: where.admin.delete_token(login, made.id), "token", "--token-out", file):
        _keep(made.secret, file)
    print(f"bot's token: made for {login} with {', '.join(BOT_SCOPES)}.")
    print(f"  It is in {Path(file).resolve()}; start the service with ONEHEAD_TOKEN_FILE={file}.")


@contextmanager
def _taken_back(undo: Callable[[], None], what: str, option: str, file: str) -> Iterator[None]:
    """What can't be written down is of no use to anybody."""
    try:
        yield
    except OSError as error:
        undo()
        raise UsageError(
            f"The secret can't be written to {file}: {error.strerror}. The {what} was taken back.",
            f"Correct the path given with {option} and run it again.",
        ) from error


def _keep(secret: str, file: str) -> None:
    """Write a secret to a new file that only its owner reads; no half of one stays."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(secret + "\n")
    except OSError:
        Path(file).unlink(missing_ok=True)
        raise


def _webhook(where: Site, options: argparse.Namespace) -> Webhook | None:
    """One webhook that works; its secret is told once, and only when a webhook was made with it.

    None is made for a repository whose events come already, unless a new secret is asked for.
    """
    name, to = where.place.repository, hook_url(where.service_url)
    wider = serving(where.admin, name, where.service_url, where.me) if name else []
    if wider:
        words = listed([place.words for place in wider])
        if not options.new_secret and not any(
            is_ours(hook, where.service_url) for hook in where.admin.hooks(where.place)
        ):
            print(f"webhook: {words} sends every event of this repository to {to} already, so it gets none of its own.")
            return None
        print(f"webhook: {words} sends the events of this repository too; each comes twice, which is harmless.")
    known = webhook_secret(options)
    secret = known or secrets.token_urlsafe(32)
    hook, done = ensure_hook(where.admin, where.place, where.service_url, secret, anew=options.new_secret)
    if not done:
        print(f"webhook: {where.place.words} sends every event to {to}: already so.")
        return hook
    print(f"webhook: {done}; {where.place.words} sends every event to {to} now.")
    if done == "mended":
        print("  Its secret stays: Forgejo neither shows nor changes it. --new-secret makes a webhook with a new one.")
    elif known:
        print("  It is signed with the secret that you gave.")
    else:
        _tell(secret, options.secret_file, where, hook)
    return hook


def _tell(secret: str, file: str | None, where: Site, hook: Webhook) -> None:
    """Hand over a generated secret, or take the webhook back."""
    if not file:
        print("  Give this to the service; it is shown only now:")
        print(f"ONEHEAD_WEBHOOK_SECRET={secret}")
        return
    with _taken_back(lambda: where.admin.delete_hook(where.place, hook.id), "webhook", "--secret-file", file):
        _keep(secret, file)
    print(f"  Its secret is in {Path(file).resolve()}; start the service with ONEHEAD_WEBHOOK_SECRET_FILE={file}.")


def _required(where: Site) -> list[UsageError]:
    """Merges wait for the check, in each repository; gives what stands against it, which stops none of the others."""
    undone = []
    for repository in where.repositories:
        try:
            done = ensure_required(where.admin, repository)
        except UsageError as error:
            undone.append(error)
            done = "not done, see below"
        print(f"required check {STATUS} of {repository.name}: {done or 'already so'}.")
    return undone


def _label(where: Site) -> None:
    """Repairs can be told from other pull requests in a list."""
    for repository in where.repositories:
        done = "made" if ensure_label(where.admin, repository.name) else "already so"
        print(f"label {LABEL} of {repository.name}: {done}.")


def _try(where: Site, hook: Webhook) -> None:
    """Let Forgejo send something, and ask the service whether it came."""
    name = where.place.repository
    if name is None:
        print(f"delivery: Forgejo can't try the webhook of {where.place.words}; the next push will show it.")
        return
    before = deliveries_seen(where.service_url)
    try:
        where.admin.test_hook(name, hook.id)
    except NotFound:
        print("delivery: not tried, because the repository has no commit yet.")
        return
    if before is None:
        print(f"delivery: sent, but {where.service_url}/metrics does not answer from here, so nobody can say whether")
        print("  it came. If the service does not run yet, start it. Otherwise look at the webhook's page in Forgejo.")
        return
    print(f"delivery: {_outcome(where.service_url, before)}")


def _outcome(service_url: str, before: dict[str, float]) -> str:
    """What became of the test delivery, as the service counts it."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        now = deliveries_seen(service_url) or {}
        risen = {outcome for outcome, count in now.items() if count > before.get(outcome, 0)}
        if "bad-signature" in risen:
            return (
                "it arrived, but the signature is wrong: service and webhook have different secrets.\n"
                "  → Give the service the webhook's secret, or run install with --new-secret and --secret-file."
            )
        if risen & {"queued", "ignored"}:
            return "sent by Forgejo and accepted by the service."
        time.sleep(0.2)
    return (
        "Forgejo's test did not reach the service within six seconds.\n"
        "  → Most often Forgejo refuses to call private addresses: set ALLOWED_HOST_LIST in [webhook] of its app.ini,\n"
        "    for instance external,private, and restart Forgejo. The webhook's page in Forgejo shows the reason."
    )


def run_uninstall(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    for asked, option in ((options.clean, "--clean"), (options.forget_databases, "--forget-databases")):
        if asked and options.system:
            raise UsageError(f"{option} does not go with --system.", "Run it with --owner or --repo.")
    with site(options) as where:
        where.admin.ask_to_write(where.place.path)
        count = remove_hooks(where.admin, where.place, where.service_url)
        print(f"webhook of {where.place.words}: {_gone(count)}.")
        count += _webhooks_below(where)
        _webhooks_above(where)
        for repository in where.repositories:
            done = remove_required(where.admin, repository)
            print(f"required check {STATUS} of {repository.name}: {done or 'none there: already so'}.")
            print(f"label {LABEL} of {repository.name}: {_labelled(where, repository.name)}.")
        if options.clean:
            _clean(where, options.bot)
        # What databases have reported is memory, so it goes only when that is asked for.
        for repository in where.repositories if options.forget_databases else ():
            gone = list(remove_refs(f"{where.url}/{repository.name}.git", where.token, lambda ref: ref == DATABASES))
            print(f"databases of {repository.name}: {'; '.join(gone) or 'none have reported'}.")
        if options.bot:
            _access(where, options.bot)
        print("Comments and statuses stay; they are the history. The bot's account and token are yours to delete.")
        if count and readiness(where.service_url) is not None:
            print("Next: stop the service, or leave this place out of ONEHEAD_REPOSITORIES: where the bot is an")
            print("administrator, its next sweep creates the webhook of a repository again.")
    return 0


def _gone(count: int) -> str:
    return f"{count} deleted" if count else "none there: already so"


def _webhooks_below(where: Site) -> int:
    """The repositories of a place may have webhooks of their own, which the service's sweep makes too."""
    if where.place.is_system:
        print("webhooks of organisations and of single repositories: not looked at; --owner takes those away.")
        return 0
    if where.place.repository is not None:
        return 0
    total = 0
    for repository in (*where.repositories, *where.others):
        place = of_repository(repository.name)
        try:
            count = remove_hooks(where.admin, place, where.service_url)
        except ForgeError as error:
            if isinstance(error, Unavailable | Unauthorised):
                raise
            print(f"webhook of {place.words}: left there. {error.message}")
            continue
        total += count
        if count:
            print(f"webhook of {place.words}: {_gone(count)}.")
    if not total:
        print(f"webhooks of its single repositories: {_gone(0)}.")
    return total


def _webhooks_above(where: Site) -> None:
    """A repository's events may still come, by a webhook that is not its own."""
    name = where.place.repository
    for place in serving(where.admin, name, where.service_url, where.me) if name else ():
        how = "--system" if place.is_system else f"--owner {name.owner}" if name else ""
        print(f"webhook of {place.words}: it still sends the events of this repository; uninstall {how} takes it away.")


def _labelled(where: Site, repository: RepositoryName) -> str:
    try:
        where.admin.ask_to_write(f"/repos/{repository}/labels")
        return "deleted" if remove_label(where.admin, repository) else "none there: already so"
    except MissingScope as lacking:
        return f"not looked at, as the token lacks {' or '.join(lacking.scopes)}"


def _access(where: Site, bot: str) -> None:
    """The bot is no collaborator any more; what a team gives it stays."""
    login = account_named(where.admin, bot).login
    for repository in where.repositories:
        was_one = where.admin.is_collaborator(repository.name, login)
        if was_one:
            where.admin.remove_collaborator(repository.name, login)
        print(f"collaborator {login} of {repository.name}: {'removed' if was_one else 'none there: already so'}.")


def _clean(where: Site, bot: str | None) -> None:
    account = account_named(where.admin, bot) if bot else where.me
    for repository in where.repositories:
        done = [] if repository.empty else list(clean(where.api, repository.name, account, where.me))
        done += remove_refs(
            f"{where.url}/{repository.name}.git", where.token, lambda ref: laid_ready_for(ref) is not None
        )
        print(f"{repository.name}: {'; '.join(done) if done else 'no open repairs'}.")


_SCRIPT = """\
#!/bin/sh
# Refuses a push that would leave a deployed branch of an Alembic project with more than one head.
{sign}
# That command changes it; `onehead uninstall hook` takes it away.
python={python}
unjudged() {{
    echo "onehead: $1" >&2
    {unjudged}
}}
[ -x "$python" ] || unjudged "$python, which judges the pushes to this server, is gone."
# Isolated: no directory and no variable of a push decides what is loaded.
"$python" -I -c '
import sys
try:
    from onehead.cli.main import main
    code = main()
except Exception as trouble:
    print(f"onehead: {{type(trouble).__name__}}: {{trouble}}", file=sys.stderr)
    code = 3
sys.exit(code)
' pre-receive --on-error {on_error} --timeout {timeout}
code=$?
case $code in
    0|1) exit $code;;
    *) unjudged "the program that judges pushes ended with exit code $code.";;
esac
"""

_UNJUDGED = {
    "allow": """\
echo "  The push was accepted WITHOUT a verdict. Show this to whoever looks after the server." >&2
    exit 0""",
    "refuse": """\
echo "  The push was refused: this server asks for a verdict. Show this to whoever looks after it." >&2
    exit 1""",
}
"""What becomes of a push where even `onehead pre-receive` can't say it: it is gone, broken, or was killed."""


def run_install_hook(options: argparse.Namespace) -> int:
    """Install; returns 0, everything else is an error."""
    place = _hook_directory(options)
    done = server_hooks.put(place, script(sys.executable, options.on_error, options.timeout))
    print(f"hook: {place.program}: {'written' if done else 'already so'}.")
    if place.linked:
        print(f"  {place.link} leads to it, for plain git; Forgejo 16 and newer run it without.")
    print(f"  It runs {sys.executable}, which has to stay there and be readable for the account of the server.")
    doubtful = "refused" if options.on_error == "refuse" else "accepted with a warning"
    print(f"  A push waits {options.timeout} seconds at most. One that can't be judged is {doubtful}.")
    print("Next: push something to see it at work. It says nothing where all is well.")
    return 0


def script(python: str, on_error: str, timeout: int) -> str:
    """The hook, which runs this Python and passes on the options of `pre-receive`."""
    said = {"unjudged": _UNJUDGED[on_error], "on_error": on_error, "timeout": timeout}
    return _SCRIPT.format(sign=server_hooks.SIGN, python=shlex.quote(python), **said)


def _hook_directory(options: argparse.Namespace) -> server_hooks.HookDirectory:
    directory = Path(options.repository or options.server)
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory.", "Correct the path, and run it on the server itself.")
    if options.repository:
        return server_hooks.of_repository(Git(directory), directory)
    return server_hooks.of_server(directory)


def run_uninstall_hook(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    place = _hook_directory(options)
    found = server_hooks.take_away(place)
    print(f"hook: {place.program}: {'removed' if found else 'not there: already so'}.")
    return 0
