"""Two touches of one thing: duplicates, what is gone, and what the last one overwrites."""

from __future__ import annotations

from onehead.operations.clash import EVERYWHERE, POSTGRESQL, SQLITE, Dialect, Kind, Rule
from onehead.operations.footprint import Touch

_WEIGHT = {"create": 0, "replace": 1, "drop": 2, "set": 3, "use": 3}
_FIRST_A, _FIRST_B = "{a} has to run first", "{b} has to run first"


def on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    """What two touches of the same thing do to each other."""
    match a.verb, b.verb:
        case "create", "create":
            return _both_create(a, b)
        case "replace", "replace":
            return [] if _same(a, b) else [Rule(Kind.SILENT, "what the last one makes stays, the other one's is lost.")]
        case "drop", "drop":
            return _both_drop(a, b)
        case "set", "set":
            return [] if _same(a, b) else _both_set(a)
    if _WEIGHT[a.verb] < _WEIGHT[b.verb]:
        return _one(a, b)
    return [rule.flipped() for rule in _one(b, a)] if _WEIGHT[a.verb] > _WEIGHT[b.verb] else []


def _same(a: Touch, b: Touch) -> bool:
    return a.value is not None and a.value == b.value


def _dialects(touch: Touch) -> tuple[Dialect, ...]:
    """Enum types exist on PostgreSQL alone."""
    return POSTGRESQL if touch.thing[0] in ("enum", "label") else EVERYWHERE


def _both_create(a: Touch, b: Touch) -> list[Rule]:
    where = _dialects(a)
    if (a.lenient or a.replaces) and (b.lenient or b.replaces):
        if _same(a, b):
            return []
        stays = "last" if a.replaces and b.replaces else "first"
        if a.value is None or b.value is None:
            return [Rule(Kind.UNKNOWN, f"the one that runs {stays} stays; compare the two definitions.", "", where)]
        return [Rule(Kind.SILENT, f"no error, but only the definition that runs {stays} stays.", "", where)]
    if a.lenient or a.replaces:
        return [rule.flipped() for rule in _both_create(b, a)]
    if b.lenient or b.replaces:
        return [Rule(Kind.ORDER, "{a} has to run first, otherwise it finds the name taken and fails.", "a", where)]
    if a.thing[0] == "constraint":
        return [
            Rule(Kind.CONFLICT, "whichever runs second fails, because the name is taken.", "", POSTGRESQL),
            *([] if _same(a, b) else [Rule(Kind.UNKNOWN, "two constraints of one name.", "", SQLITE)]),
        ]
    return [Rule(Kind.CONFLICT, "whichever runs second fails, because the name is taken.", "", where)]


def _both_drop(a: Touch, b: Touch) -> list[Rule]:
    where = _dialects(a)
    if a.lenient and b.lenient:
        return []
    says = "because the other one does not mind that it is gone."
    if a.lenient:
        return [Rule(Kind.ORDER, f"{_FIRST_B}, {says}", "b", where)]
    if b.lenient:
        return [Rule(Kind.ORDER, f"{_FIRST_A}, {says}", "a", where)]
    return [Rule(Kind.CONFLICT, "whichever runs second fails, because it is gone by then.", "", where)]


def _both_set(a: Touch) -> list[Rule]:
    says = "no error, but the one that runs last wins."
    if a.thing[-1] == "type":
        says = "the type of the one that runs last stays, and the database may refuse to convert the values."
    return [Rule(Kind.SILENT, says)]


def _one(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates, replaces or drops what `b` touches in a weaker way."""
    if a.verb == "create":
        return _new(a, b, _dialects(a))
    return _renewed(a, b, _dialects(a)) if a.verb == "replace" else _gone(a, b, _dialects(a))


def _new(a: Touch, b: Touch, where: tuple[Dialect, ...]) -> list[Rule]:
    """`a` creates what `b` replaces, drops, sets or uses."""
    soft = a.lenient or a.replaces
    if b.verb == "replace":
        if soft:
            return [Rule(Kind.SILENT, "no error, but only one of the two definitions stays.", "", where)]
        says = "{b} drops it and makes it anew, so it has to be there, but {a} needs it not to be."
        return [Rule(Kind.CONFLICT, says, "", where)]
    if b.verb == "drop":
        if a.lenient and a.thing[0] != "enum":
            return [Rule(Kind.SILENT, "no error, but it depends on the order whether it is there at the end.")]
        says = f"{_FIRST_B}, otherwise the name is taken, or the new one is dropped."
        return [Rule(Kind.ORDER, says, "b", where)]
    if soft or not b.named:
        return []
    return [Rule(Kind.ORDER, f"{_FIRST_A}, because {{b}} needs what it creates.", "a", where)]


def _renewed(a: Touch, b: Touch, where: tuple[Dialect, ...]) -> list[Rule]:
    """`a` drops and creates anew what `b` drops, sets or uses."""
    if b.verb == "drop":
        return [Rule(Kind.ORDER, f"{_FIRST_A}, because {{b}} drops what it needs.", "a", where)]
    if b.hold == "type":
        says = f"{_FIRST_A}, otherwise it can't drop the old type, which {{b}} uses by then."
        return [Rule(Kind.ORDER, says, "a", where)]
    if a.thing[0] == "enum" or not b.named:
        return []
    says = "{b} works on what {a} drops and makes anew; look whether its work stays."
    return [Rule(Kind.UNKNOWN, says, "", where)]


def _gone(a: Touch, b: Touch, where: tuple[Dialect, ...]) -> list[Rule]:
    """`a` drops or renames what `b` uses."""
    done = "renames" if a.renames else "drops"
    first = Rule(Kind.ORDER, f"{{b}} has to run first, because it needs what {{a}} {done}.", "b", where)
    stuck = Rule(Kind.CONFLICT, "neither order works: either it is gone, or it can't be dropped because it is in use.")
    match b.hold:
        case "key" if a.renames:
            lost = "SQLite accepts the key afterwards too, but it points at a table or column that is gone."
            return [first._replace(dialects=POSTGRESQL), Rule(Kind.SILENT, lost, "", SQLITE)]
        case "key":
            dangling = "SQLite accepts it in either order, but the foreign key points at what is gone."
            return [stuck._replace(dialects=POSTGRESQL), Rule(Kind.UNKNOWN, dangling, "", SQLITE)]
        case "view" | "type" if not a.renames:
            return [stuck._replace(dialects=where)]
        case "index" if a.thing[0] == "column" and not a.renames:
            says = "SQLite drops no column with an index, and makes no index on a column that is gone."
            return [first._replace(dialects=POSTGRESQL), Rule(Kind.CONFLICT, says, "", SQLITE)]
    return [first]
