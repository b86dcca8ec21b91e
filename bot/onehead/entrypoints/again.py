"""Commands of onehead in a text that is printed: they name again what the command line had named.

What judges a branch knows neither where it was typed nor how its sides were named, and comments show its sentences
too. So these say "`onehead fix`", and the terminal adds the rest.
"""

from __future__ import annotations

import argparse
import re
from shlex import quote
from types import SimpleNamespace

from onehead.reports.text import named_again

_COMMAND = re.compile(r"`onehead (check|databases|doctor|explain|fix|graph|states|verify)((?: [^`\n]*)?)`")
_WITH_SIDES = ("check", "fix", "graph", "states")
_NAMES_SIDES = re.compile(r" --(?:at|target|head) ")


def again(options: argparse.Namespace | SimpleNamespace, text: str, *, with_bare: bool = True) -> str:
    """A text of a verb that reads a repository, its commands as they are typed where the verb was.

    Args:
        options: `repo`, and of the verbs with two sides `at`, `target`, `head` and `fetch`.
        text: of the verb; a command in it stands between backticks.
        with_bare: also those that are no more than a verb.
    """
    repo, sides = named_again(options.repo), _sides(options)
    if not repo and not sides:
        return text

    def whole(found: re.Match[str]) -> str:
        verb, rest = found.groups()
        if not (rest or with_bare):
            return found[0]
        place = "" if " --repo " in rest else repo
        named = "" if verb not in _WITH_SIDES or _NAMES_SIDES.search(rest) else sides
        # `fix` repairs a target by itself where the others judge one.
        return f"`onehead {verb}{place}{named.replace(' --at ', ' --target ', 1) if verb == 'fix' else named}{rest}`"

    return _COMMAND.sub(whole, text)


def _sides(options: argparse.Namespace | SimpleNamespace) -> str:
    at = getattr(options, "at", None)
    if not hasattr(options, "head"):
        # A verb with one side, which is HEAD unless another is named.
        return "" if at in (None, "HEAD") else f" --at {quote(at)}"
    named = {"at": at, "target": options.target, "head": options.head}
    given = "".join(f" --{name} {quote(ref)}" for name, ref in named.items() if ref is not None)
    # What was asked of origin has to be asked again.
    return given if options.fetch == "auto" else f"{given} --fetch {options.fetch}"
