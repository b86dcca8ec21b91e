"""What a new revision file is called: by the project's `file_template`, else the way its newest files are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

DEFAULT = "%(rev)s_%(slug)s"
"""Alembic's own `file_template`."""

_SLUG_WORDS = re.compile(r"\w+")
_TOKEN = re.compile(r"%\((?P<name>\w+)\)(?P<form>[-+ #0]*\d{0,2}(?:\.\d{1,2})?[sdi])|%%|(?P<stray>%)")
_NUMBER = re.compile(r"(?P<prefix>[A-Za-z]{0,8}[-_]?)(?P<digits>\d{1,6})(?![0-9A-Za-z])")
_EPOCH = re.compile(r"1\d{9}(?!\d)")
_DATE = re.compile(
    r"(?P<prefix>[A-Za-z]{0,8}[-_])?(?:19|20)\d\d(?P<a>[-_.]?)(?:0[1-9]|1[0-2])(?P<b>[-_.]?)(?:0[1-9]|[12]\d|3[01])"
    r"(?:(?P<c>[-_T.]{0,2})(?:[01]\d|2[0-3])(?P<d>[-_.:]?)[0-5]\d(?:(?P<e>[-_.:]?)(?P<second>[0-5]\d))?)?(?!\d)"
)


def slug(message: str, longest: int = 40) -> str:
    """The message as Alembic puts it into a file name, cut at a word after `longest` characters as Alembic cuts it."""
    text = "_".join(_SLUG_WORDS.findall(message)).lower()
    return text if len(text) <= longest else text[:longest].rsplit("_", 1)[0] + "_"


def carries(stem: str, rev: str) -> bool:
    """Whether a file is named after its id."""
    return _place(stem, rev) is not None


def renamed(stem: str, rev: str, new: str) -> str:
    """The same name with another id in it; unchanged where it carries none."""
    place = _place(stem, rev)
    return stem if place is None else f"{stem[: place.start()]}{new}{stem[place.end() :]}"


def _place(stem: str, rev: str) -> re.Match[str] | None:
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(rev)}(?![0-9A-Za-z])", stem)


def own_slug(stem: str, doc: str) -> str:
    """What a revision is about, in the words of its file's name, else of its docstring; empty where neither says it.

    Its id does not tell: one that is there twice was copied, words and all.

    Args:
        stem: name of the file, without `.py`.
        doc: first line of the docstring.
    """
    begins = _DATE.match(stem) or _EPOCH.match(stem) or _NUMBER.match(stem)
    words = (stem[begins.end() :] if begins else stem).strip("-_.")
    # Without a message the docstring begins with what Alembic writes below it.
    return words or ("" if doc.startswith("Revision ID:") else slug(doc).strip("_"))


def values(rev: str, message_slug: str, moment: datetime | None, number: int) -> dict[str, object]:
    """What the tokens of a file template stand for; `number` is ours, for files that are numbered by hand.

    A moment without a time zone counts as UTC for `epoch`: the name must not depend on who computes it.
    """
    known: dict[str, object] = {"rev": rev, "slug": message_slug, "number": number}
    if moment is not None:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        known["epoch"] = int(aware.timestamp())
        for name in ("year", "month", "day", "hour", "minute", "second"):
            known[name] = getattr(moment, name)
    return known


def filled(template: str, known: Mapping[str, object]) -> str | None:
    """A file name without `.py`; `None` where the template needs something unknown or leaves its folder.

    Args:
        template: with `%(name)s` tokens, escaped for an ini file (`%%(name)s`) or not; `/` makes sub-folders.
        known: what the tokens stand for.
    """
    plain = template.replace("%%(", "%(")
    for token in _TOKEN.finditer(plain):
        if token["stray"] or (token["name"] and token["name"] not in known):
            return None
        if token["name"] in ("rev", "slug") and not token["form"].endswith("s"):
            return None
    name = _TOKEN.sub(lambda token: f"%{token['form']}" % known[token["name"]] if token["name"] else "%", plain)
    parts = name.split("/")
    safe = all(part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts)
    return name if safe else None


def house_template(files: Sequence[tuple[str, str]]) -> str:
    """The template that most of these files were named by; where two are as frequent, the newest file's.

    Args:
        files: (revision id, file stem), newest first.
    """
    found = Counter(template_of(rev, stem) for rev, stem in files)
    return max(found, key=lambda template: found[template]) if found else DEFAULT


def template_of(rev: str, stem: str) -> str:
    """How one file is named: id first, last or inside, or absent; a date, an epoch or a number before it.

    A name with more words than the message explains is not understood, and answered with Alembic's own default.
    """
    place = _place(stem, rev)
    if place is None:
        return _front(stem.removesuffix("_"))
    after = stem[place.end() :]
    # `<id>_.py` is how Alembic names a revision that has no message; at the end of a message `_` says that it was cut.
    template = (
        f"{_front(stem[: place.start()])}%(rev)s{'_%(slug)s' if after == '_' else _words(after.removesuffix('_'))}"
    )
    return template if template.count("%(slug)s") < 2 else DEFAULT


def _front(text: str) -> str:
    """What stands before the id, or the whole stem where the id is absent."""
    date, epoch, number = _DATE.match(text), _EPOCH.match(text), _NUMBER.match(text)
    if date:
        front = f"{date['prefix'] or ''}%(year)04d{date['a']}%(month)02d{date['b']}%(day)02d"
        if date["c"] is not None:
            front += f"{date['c']}%(hour)02d{date['d']}%(minute)02d"
        if date["second"]:
            front += f"{date['e']}%(second)02d"
        return front + _words(text[date.end() :])
    if epoch:
        return "%(epoch)d" + _words(text[epoch.end() :])
    if number:
        digits = number["digits"]
        return f"{number['prefix']}%(number)0{len(digits)}d" + _words(text[number.end() :])
    return _words(text)


def _words(text: str) -> str:
    """Separators stay, the words between them are the message."""
    words = text.strip("-_.")
    return text.replace(words, "%(slug)s", 1) if words else text
