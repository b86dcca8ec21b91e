"""`onehead install hook` and `uninstall hook`: the pre-receive hook on the disk of a git server."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from onehead.errors import UsageError
from onehead.gitrepo.git import Git
from onehead.gitrepo.server_hooks import SIGN, HookDirectory, of_repository, of_server, put, take_away

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


def run_install(options: argparse.Namespace) -> int:
    """Install; returns 0, everything else is an error."""
    place = place_of(options)
    done = put(place, script(sys.executable, options.on_error, options.timeout))
    print(f"hook: {place.program}: {'written' if done else 'already so'}.")
    if place.linked:
        print(f"  {place.link} leads to it, for plain git; Forgejo 16 and newer run it without.")
    print(f"  It runs {sys.executable}, which has to stay there and be readable for the account of the server.")
    print(f"  A push waits {options.timeout} seconds at most. {_of_doubt(options.on_error)}")
    print("Next: push something to see it at work. It says nothing where all is well.")
    return 0


def script(python: str, on_error: str, timeout: int) -> str:
    """The hook.

    Args:
        python: path of the interpreter that has onehead.
        on_error: `allow` or `refuse` what can't be judged.
        timeout: seconds that a push may wait.
    """
    return _SCRIPT.format(
        sign=SIGN, python=shlex.quote(python), unjudged=_UNJUDGED[on_error], on_error=on_error, timeout=timeout
    )


def place_of(options: argparse.Namespace) -> HookDirectory:
    """Where the hook belongs.

    Raises:
        UsageError: there is no such place.
    """
    directory = Path(options.repository or options.server)
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory.", "Correct the path, and run it on the server itself.")
    return of_repository(Git(directory), directory) if options.repository else of_server(directory)


def _of_doubt(on_error: str) -> str:
    if on_error == "refuse":
        return "One that can't be judged is refused."
    return "One that can't be judged is accepted with a warning."


def run_uninstall(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    place = place_of(options)
    found = take_away(place)
    print(f"hook: {place.program}: {'removed' if found else 'not there: already so'}.")
    return 0
