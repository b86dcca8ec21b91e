"""Ids and file names of new revisions: by `file_template` and by the way the project numbers its newest files.

Everything is computed from the chain alone: two makers of the same merge arrive at the same id. `taken` or `known` are
the ids of the judged trees, and the file stems where files are numbered; `elsewhere` are the ids and file stems of
other branches, tags and pull requests, which come and go.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from onehead.errors import CannotJudge
from onehead.revisions.model import MAX_ID, Revision

DEFAULT = "%(rev)s_%(slug)s"
"""Alembic's own `file_template`."""

_MAX_REMEMBERED = 10_000
"""Names whose number is remembered: hundreds of branches are compared with the same target."""
_SLUG_WORDS = re.compile(r"\w+")
_FIELD = re.compile(r"%\((?P<name>\w+)\)(?P<form>[-+ #0]*\d{0,2}(?:\.\d{1,2})?[sdi])|%%|(?P<stray>%)")
_SERIAL = re.compile(r"(?P<prefix>[A-Za-z]{0,8}[-_]?)(?P<digits>\d{1,6})(?![0-9A-Za-z])")
_EPOCH = re.compile(r"1\d{9}(?!\d)")
_DATE_FIELD = re.compile(
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
    """What a revision is about, in the words of its file's name, else of its docstring; empty where neither has any.

    The words of its id do not count: an id that is there twice was copied, words and all.
    """
    begins = _DATE_FIELD.match(stem) or _EPOCH.match(stem) or _SERIAL.match(stem)
    words = (stem[begins.end() :] if begins else stem).strip("-_.")
    # Without a message the docstring begins with what Alembic writes below it.
    return words or ("" if doc.startswith("Revision ID:") else slug(doc).strip("_"))


def values(rev: str, message_slug: str, moment: datetime | None) -> dict[str, object]:
    """The values of the tokens of a file template.

    A moment without a time zone counts as UTC for `epoch`: the name must not depend on who computes it.
    """
    known: dict[str, object] = {"rev": rev, "slug": message_slug}
    if moment is not None:
        known["epoch"] = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        for name in ("year", "month", "day", "hour", "minute", "second"):
            known[name] = getattr(moment, name)
    return known


def filled(template: str, known: Mapping[str, object]) -> str | None:
    """A file name without `.py`; `None` where the template needs something unknown or leaves its folder.

    Its tokens are escaped for an ini file (`%%(name)s`) or not; `/` makes sub-folders.
    """
    plain = template.replace("%%(", "%(")
    for token in _FIELD.finditer(plain):
        if token["stray"] or (token["name"] and token["name"] not in known):
            return None
        if token["name"] in ("rev", "slug") and not token["form"].endswith("s"):
            return None
    name = _FIELD.sub(lambda token: f"%{token['form']}" % known[token["name"]] if token["name"] else "%", plain)
    parts = name.split("/")
    safe = all(part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts)
    return name if safe else None


def usual_template(files: Sequence[tuple[str, str]]) -> str:
    """The template that most files, as (revision id, stem), were named by; of two as frequent, the first file's."""
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
    # `<id>_.py` is how Alembic names a revision that has no message; at the end of a message `_` marks that it was cut.
    template = (
        f"{_front(stem[: place.start()])}%(rev)s{'_%(slug)s' if after == '_' else _words(after.removesuffix('_'))}"
    )
    return template if template.count("%(slug)s") < 2 else DEFAULT


def _front(text: str) -> str:
    """The text before the id, or the whole stem where the id is absent."""
    date, epoch, number = _DATE_FIELD.match(text), _EPOCH.match(text), _SERIAL.match(text)
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
        return f"{number['prefix']}%(number)0{len(number['digits'])}d" + _words(text[number.end() :])
    return _words(text)


def _words(text: str) -> str:
    """Separators stay, the words between them are the message."""
    words = text.strip("-_.")
    return text.replace(words, "%(slug)s", 1) if words else text


_DATE = re.compile(
    r"(?P<stamp>(?:19|20)\d\d[-_]?(?:0[1-9]|1[0-2])[-_]?(?:0[1-9]|[12]\d|3[01])(?:[-_T]?(?:\d{2}|\d{4}|\d{6}))?)"
    r"(?P<rest>[-_.].*)?$"
)
_NUMBER = re.compile(r"(?P<prefix>[A-Za-z]{0,8}[-_]?)(?P<digits>\d{1,6})(?P<rest>[-_].*)?$")
_TOKEN = re.compile(r"%{1,2}\((?P<name>\w+)\)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HEX = re.compile(r"[0-9a-f]{4,32}$")
_STAMPS = {
    8: ("%Y%m%d", "days"),
    10: ("%Y%m%d%H", "hours"),
    12: ("%Y%m%d%H%M", "minutes"),
    14: ("%Y%m%d%H%M%S", "seconds"),
}
_UNITS = ("year", "month", "day", "hour", "minute", "second")


class Convention(NamedTuple):
    """What ids look like here: `hex`, `number` (`019`, `rev_19`) or `date` (`20240501`).

    `width` counts the digits of a hex id, or those that a number is padded to. With `slug`, the message follows the
    number or date, behind the `separator`: `0411_add_x`.
    """

    kind: str = "hex"
    width: int = 12
    prefix: str = ""
    slug: bool = False
    separator: str = "_"


def convention(ids: Sequence[str]) -> Convention:
    """The convention that most of these ids, newest first, follow: whoever changed their mind is taken at the last."""
    kinds = Counter(_kind(each) for each in ids)
    if not kinds:
        return Convention()
    kind, prefix = max(kinds, key=lambda each: kinds[each])
    same = [each for each in ids if _kind(each) == (kind, prefix)]
    if kind == "other":
        return Convention()
    if kind == "hex":
        return Convention(width=Counter(map(len, same)).most_common(1)[0][0])
    found = [match for each in same if (match := _dated(each) if kind == "date" else _NUMBER.match(each))]
    rests = [match["rest"] for match in found if match["rest"]]
    slug = 2 * len(rests) > len(found)
    separator = rests[0][0] if slug else "_"
    if kind == "date":
        return Convention("date", 0, "", slug, separator)
    digits = [match["digits"] for match in found]
    padded = any(each.startswith("0") for each in digits) or len(set(map(len, digits))) == 1
    return Convention("number", len(digits[0]) if padded else 1, prefix, slug, separator)


def _kind(revision_id: str) -> tuple[str, str]:
    if _dated(revision_id):
        return "date", ""
    number = _NUMBER.match(revision_id)
    # `ab1234` is as good a hex id as a number after a prefix: numbers with letters before them need a separator.
    if number and (not number["prefix"] or number["prefix"][-1] in "-_" or not _HEX.match(revision_id)):
        return "number", number["prefix"]
    return ("hex" if _HEX.match(revision_id) else "other"), ""


@lru_cache(_MAX_REMEMBERED)
def stem_of(path: str) -> str:
    """The name of a file without its folders and without what follows its last dot."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


@lru_cache(_MAX_REMEMBERED)
def file_number(name: str) -> int | None:
    """The number that a file stem or an id starts with; a date is none."""
    number = None if _dated(name) else _NUMBER.match(name)
    return int(number["digits"]) if number else None


def date_of(name: str) -> tuple[datetime, tuple[str, ...]] | None:
    """The date that a file stem or an id starts with, and which units of it are written; `None` where there is none."""
    found = _dated(name)
    if found is None:
        return None
    digits = re.sub(r"\D", "", found["stamp"])
    return _moment(digits), _UNITS[: len(digits) // 2 - 1]


@lru_cache(_MAX_REMEMBERED)
def counter(path: str, file_template: str | None = None) -> int | None:
    """The number by which a file counts the revisions: none where its name begins with a date.

    What a configured template begins a name with is known; without one, a folder named after a year tells that months
    and days stand in the names.
    """
    *folders, name = path.split("/")
    if file_template is not None:
        begins = _TOKEN.match(file_template.rpartition("/")[2])
        if begins is not None and begins["name"] not in ("rev", "slug"):
            return None
    elif any(_YEAR.fullmatch(folder) for folder in folders):
        return None
    return file_number(stem_of(name))


def _dated(name: str) -> re.Match[str] | None:
    """The date at the start of a name, where the calendar has it."""
    found = _DATE.match(name)
    if found is not None:
        try:
            _moment(re.sub(r"\D", "", found["stamp"]))
        except ValueError:
            return None
    return found


def _moment(digits: str) -> datetime:
    return datetime.strptime(digits, _STAMPS[len(digits)][0])  # noqa: DTZ007 - an id has no time zone


def next_number(known: Iterable[str], width: int, elsewhere: Iterable[str] = ()) -> int:
    """The first of the free numbers."""
    return next(free_numbers(known, width, elsewhere))


def free_numbers(known: Iterable[str], width: int, elsewhere: Iterable[str] = ()) -> Iterator[int]:
    """The numbers above those of all these ids and file stems that are not used elsewhere either, in order.

    Numbers of more than `width` + 1 digits (at least 4) are other people's counters, and are left out. What is used
    elsewhere is passed over instead of counted on from: a number stays while branches with higher ones come and go.
    """
    longest = max(width + 1, 4)
    numbers = [number for name in known if (number := file_number(name)) is not None and number < 10**longest]
    used = {file_number(name) for name in elsewhere}
    return (number for number in count(max(numbers, default=0) + 1) if number not in used)


def merge_id(
    heads: Collection[str],
    style: Convention,
    taken: Collection[str],
    slug: str = "merge",
    elsewhere: Collection[str] = (),
) -> str:
    """The id of the revision that merges these heads, whatever their order.

    `slug` is the message as Alembic puts it in file names, for ids that carry it; where the heads have different
    numbers, these alone take its place, as there is little room.
    """
    numbers = sorted(found["digits"] for each in heads if style.kind == "number" and (found := _NUMBER.match(each)))
    if len(set(numbers)) == len(heads) > 1:
        slug = f"merge_{'_'.join(numbers[:-1])}_and_{numbers[-1]}"
    seed, newest = "\n".join(sorted(heads)), max(heads, default="")
    return fresh_id(seed, style, {*heads, *taken}, slug, newest, elsewhere)


def fresh_id(
    seed: str,
    style: Convention,
    taken: Collection[str],
    slug: str = "",
    newest: str = "",
    elsewhere: Collection[str] = (),
) -> str:
    """An id in the project's style that nobody has, the same for the same seed and the same taken ids.

    `slug` is for ids that carry the message; ids made of dates go on from `newest`.
    """
    if style.kind == "number":
        stem = f"{style.prefix}{next_number(taken, style.width, elsewhere):0{style.width}d}"
        return _with_slug(stem, style, slug)
    if style.kind == "date":
        stamp = _dated(newest) or max(filter(None, map(_dated, sorted(taken))), key=lambda m: m[0], default=None)
        if stamp:
            return _next_date(stamp["stamp"], style, {*taken, *elsewhere}, slug)
    from hashlib import sha256  # noqa: PLC0415 - it loads OpenSSL, and a re-parent makes no new id

    taken = {*taken, *elsewhere}
    width = min(style.width, MAX_ID) if style.kind == "hex" else 12
    for attempt in range(1000):
        text = sha256(f"{seed}\n{attempt}".encode() if attempt else seed.encode()).hexdigest()[:width]
        if not any(text.startswith(other) or other.startswith(text) for other in taken if other):
            return text
    raise CannotJudge(
        f"No free revision id of {width} digits could be found: the ids here are too short for their number.",
        "Choose an id by hand: alembic merge --rev-id ID.",
    )


def _with_slug(stem: str, style: Convention, slug: str) -> str:
    """The slug is cut at a word: Alembic's version table holds 32 characters."""
    words = slug.strip("_").split("_") if style.slug and slug else []
    while words and len(style.separator.join([stem, "_".join(words)])) > MAX_ID:
        words.pop()
    while words and words[-1] == "and":
        words.pop()
    return style.separator.join([stem, "_".join(words)]) if words else stem


def reworded(revision_id: str, slug: str) -> str:
    """An id that carries words with others in their place; the same where it carries none, or there are none."""
    found = _DATE.match(revision_id) or _NUMBER.match(revision_id)
    words = re.sub(r"\W+", "_", slug).strip("_").lower()
    if found is None or not found["rest"] or not words:
        return revision_id
    return _with_slug(revision_id[: found.start("rest")], Convention(slug=True, separator=found["rest"][0]), words)


def dated_id(newest: str, style: Convention, now: datetime, taken: Collection[str], slug: str = "") -> str:
    """An id of the moment `now`, written as the date of the `newest` one; later where that is later, or it is taken."""
    stamp = _stamp_of(newest)
    form, unit = _STAMPS[len(re.sub(r"\D", "", stamp))]
    just_before = _moment(now.strftime(form)) - timedelta(**{unit: 1})
    return _next_date(max(stamp, _spelled(just_before, stamp)), style, taken, slug)


def _stamp_of(name: str) -> str:
    found = _dated(name)
    if found is None:
        raise ValueError(f"{name!r} begins with no date")
    return found["stamp"]


def _spelled(moment: datetime, like: str) -> str:
    """A moment as another one is written, to the same unit and with the same separators."""
    rest = list(reversed(moment.strftime(_STAMPS[len(re.sub(r"\D", "", like))][0])))
    return "".join(rest.pop() if old.isdigit() else old for old in like)


def _next_date(stamp: str, style: Convention, taken: Collection[str], slug: str) -> str:
    """The next moment after `stamp` that nobody has, written the same way."""
    digits = re.sub(r"\D", "", stamp)
    _, unit = _STAMPS[len(digits)]
    moment = _moment(digits)
    while True:
        moment += timedelta(**{unit: 1})
        text = _spelled(moment, stamp)
        if not any(other.startswith(text) for other in taken):
            return _with_slug(text, style, slug)


def numbers_files(revisions: Collection[Revision], file_template: str | None = None) -> bool:
    """Whether the project numbers its files: most of them are."""
    return 2 * sum(counter(each.path, file_template) is not None for each in revisions) > len(revisions)


def front_of(stem: str, number: int) -> str:
    """What the name of a file begins with that has a number, written as in the name of another file."""
    found = _NUMBER.match(_at_number(stem, number))
    return f"{found['prefix']}{found['digits']}" if found else str(number)


class Renumbered(NamedTuple):
    """One revision of a moved chain under its new number; ids and paths may also stay what they were."""

    old_id: str
    new_id: str
    old_path: str
    new_path: str


def renumber(
    chain: Sequence[Revision],
    target: Collection[Revision],
    known: Collection[str] = (),
    elsewhere: Collection[str] = (),
    file_template: str | None = None,
    reserved: Collection[int] = (),
) -> tuple[Renumbered, ...]:
    """New numbers for a chain that moves onto a target where one of its numbers is taken, or is `reserved`.

    Only where the project numbers its files: most of the target's do. An id is renamed only when it carries the number
    itself, so never for revisions that a database may know: a stamped database would not find them any more.

    In the order of `chain` (parents before children); nothing where no number is taken.
    """
    numbers = {revision: counter(revision.path, file_template) for revision in chain}
    numbered = [revision for revision, number in numbers.items() if number is not None]
    if not numbered:
        return ()
    taken = {number for each in target if (number := counter(each.path, file_template)) is not None}
    if not numbers_files(target, file_template) or {*taken, *reserved}.isdisjoint(numbers.values()):
        return ()
    stems = [stem_of(revision.path) for revision in target]
    free = free_numbers([*stems, *(revision.id for revision in target), *known], 6, elsewhere)
    return tuple(_renumbered(revision, stem_of(revision.path), next(free)) for revision in numbered)


def _renumbered(revision: Revision, stem: str, number: int) -> Renumbered:
    new_id, new_stem = revision.id, _at_number(stem, number)
    if file_number(revision.id) == file_number(stem):
        new_id = _at_number(revision.id, number)
        if new_id != revision.id and stem.startswith(revision.id):
            new_stem = new_id + stem[len(revision.id) :]
    folder, name = posixpath.split(revision.path)
    new_name = new_stem + posixpath.splitext(name)[1]
    return Renumbered(revision.id, new_id, revision.path, posixpath.join(folder, new_name))


def _at_number(name: str, number: int) -> str:
    found = _NUMBER.match(name)
    if found is None:
        return name
    return f"{name[: found.start('digits')]}{number:0{len(found['digits'])}d}{name[found.end('digits') :]}"
