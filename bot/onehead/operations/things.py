"""Two touches of one thing: duplicates, what is gone, and what the last one overwrites."""

from __future__ import annotations

from onehead.operations.clash import Kind, Rule
from onehead.operations.dialects import POSTGRESQL, SQLITE
from onehead.operations.touch import Touch

_WEIGHT = {"create": 0, "replace": 1, "drop": 2, "set": 3, "use": 3}
_ONE_SPACE = {
    "relation": "tables, indexes, unique constraints and primary keys of a schema share their names",
    "type": "tables, views and types of a schema share their names",
}
_FIRST_A, _FIRST_B = "{a} has to run first", "{b} has to run first"


def on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    """What two touches of the same thing do to each other, on the databases that have it."""
    rules = _on_one_name(a, b) if a.thing[0] == "name" else _on_one_thing(a, b)
    both = set(a.dialects) & set(b.dialects)
    held = [each._replace(dialects=tuple(dialect for dialect in each.dialects if dialect in both)) for each in rules]
    return [each for each in held if each.dialects]


def _on_one_name(a: Touch, b: Touch) -> list[Rule]:
    """Two things of different kinds, or on different tables, that can't have one name; else the things say it."""
    if a.value == b.value or (a.lenient and b.lenient):
        return []
    match a.verb, b.verb:
        case "create", "create" if a.lenient or b.lenient:
            return _both_create(a, b)
        case "create", "create" if a.value == "sequence":
            return [Rule(Kind.ORDER, f"{_FIRST_A}: no sequence may be called like a type that is there.", "a")]
        case "create", "create" if b.value == "sequence":
            return [rule.flipped() for rule in _on_one_name(b, a)]
        case "create", "create":
            says = f"whichever runs second fails, because the name `{a.thing[2]}` is taken: {_ONE_SPACE[a.thing[-1]]}."
            return [Rule(Kind.CONFLICT, says)]
        case "create", "drop":
            return [Rule(Kind.ORDER, f"{_FIRST_B}, otherwise the name is taken.", "b")]
        case "drop", "create":
            return [rule.flipped() for rule in _on_one_name(b, a)]
    return []


def _on_one_thing(a: Touch, b: Touch) -> list[Rule]:
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


def _both_create(a: Touch, b: Touch) -> list[Rule]:
    if (a.lenient or a.replaces) and (b.lenient or b.replaces):
        if _same(a, b):
            return []
        stays = "last" if a.replaces and b.replaces else "first"
        if a.value is None or b.value is None:
            return [Rule(Kind.UNKNOWN, f"the one that runs {stays} stays; compare the two definitions.")]
        return [Rule(Kind.SILENT, f"no error, but only the definition that runs {stays} stays.")]
    if a.lenient or a.replaces:
        return [rule.flipped() for rule in _both_create(b, a)]
    if b.lenient or b.replaces:
        return [Rule(Kind.ORDER, "{a} has to run first, otherwise it finds the name taken and fails.", "a")]
    if a.thing[0] == "constraint":
        return [
            Rule(Kind.CONFLICT, "whichever runs second fails, because the name is taken.", "", POSTGRESQL),
            *([] if _same(a, b) else [Rule(Kind.UNKNOWN, "two constraints of one name.", "", SQLITE)]),
        ]
    return [Rule(Kind.CONFLICT, "whichever runs second fails, because the name is taken.")]


def _both_drop(a: Touch, b: Touch) -> list[Rule]:
    if a.lenient and b.lenient:
        return []
    says = "because the other one does not mind that it is gone."
    if a.lenient:
        return [Rule(Kind.ORDER, f"{_FIRST_B}, {says}", "b")]
    if b.lenient:
        return [Rule(Kind.ORDER, f"{_FIRST_A}, {says}", "a")]
    return [Rule(Kind.CONFLICT, "whichever runs second fails, because it is gone by then.")]


def _both_set(a: Touch) -> list[Rule]:
    says = "no error, but the one that runs last wins."
    if a.thing[-1] == "type":
        says = "the type of the one that runs last stays, and the database may refuse to convert the values."
    return [Rule(Kind.SILENT, says)]


def _one(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates, replaces or drops what `b` touches in a weaker way."""
    if a.verb == "create":
        return _new(a, b)
    return _renewed(a, b) if a.verb == "replace" else _gone(a, b)


def _new(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates what `b` replaces, drops, sets or uses."""
    soft = a.lenient or a.replaces
    if b.verb == "replace":
        if soft:
            return [Rule(Kind.SILENT, "no error, but only one of the two definitions stays.")]
        says = "{b} drops and creates it again, so it has to be there, but {a} needs it to be absent."
        return [Rule(Kind.CONFLICT, says)]
    if b.verb == "drop":
        if a.lenient and a.thing[0] != "enum":
            return [Rule(Kind.SILENT, "no error, but it depends on the order whether it is there at the end.")]
        says = f"{_FIRST_B}, otherwise the name is taken, or the new one is dropped."
        return [Rule(Kind.ORDER, says, "b")]
    if soft or not b.named:
        return []
    return [Rule(Kind.ORDER, f"{_FIRST_A}, because {{b}} needs what it creates.", "a")]


def _renewed(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops and creates anew what `b` drops, sets or uses."""
    if b.verb == "drop":
        return [Rule(Kind.ORDER, f"{_FIRST_A}, because {{b}} drops what it needs.", "a")]
    if b.hold == "type":
        says = f"{_FIRST_A}, otherwise it can't drop the old type, which {{b}} uses by then."
        return [Rule(Kind.ORDER, says, "a")]
    if a.thing[0] == "enum" or not b.named:
        return []
    says = "{b} works on what {a} drops and creates again; check whether its work stays."
    return [Rule(Kind.UNKNOWN, says)]


def _gone(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops or renames what `b` uses."""
    done = "renames" if a.renames else "drops"
    first = Rule(Kind.ORDER, f"{{b}} has to run first, because it needs what {{a}} {done}.", "b")
    stuck = Rule(Kind.CONFLICT, "neither order works: either it is gone, or it can't be dropped because it is in use.")
    match b.hold:
        case "key" if a.renames:
            lost = "SQLite accepts the key afterwards too, but it points at a table or column that is gone."
            return [first._replace(dialects=POSTGRESQL), Rule(Kind.SILENT, lost, "", SQLITE)]
        case "key":
            dangling = "SQLite accepts it in either order, but the foreign key points at what is gone."
            return [stuck._replace(dialects=POSTGRESQL), Rule(Kind.UNKNOWN, dangling, "", SQLITE)]
        case "view" | "type" | "schema" if not a.renames:
            return [stuck]
        case "index" if a.thing[0] == "column" and not a.renames:
            says = "SQLite drops no column with an index, and makes no index on a column that is gone."
            return [first._replace(dialects=POSTGRESQL), Rule(Kind.CONFLICT, says, "", SQLITE)]
    return [first]
