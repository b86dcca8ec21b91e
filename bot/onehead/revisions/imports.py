"""The import block of a new revision file: the house's own while it is the usual one, else only what is needed."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Collection, Mapping, Sequence

from onehead.revisions.anatomy import Anatomy
from onehead.revisions.positions import Lines

_TYPING = ("typing", "typing_extensions", "collections.abc")
_PLAIN = ("sqlalchemy", "alembic", *_TYPING)


def header_imports(file: Anatomy) -> tuple[int, int] | None:
    """Span from the first import to the last, where nothing but imports stands between them."""
    places = [n for n, each in enumerate(file.tree.body) if isinstance(each, ast.Import | ast.ImportFrom)]
    if not places or places[-1] - places[0] != len(places) - 1:
        return None
    lines = Lines(file.text)
    return lines.span(file.tree.body[places[0]])[0], lines.span(file.tree.body[places[-1]])[1]


def import_block(files: Sequence[Anatomy], needed: Collection[str]) -> str:
    """The lines to import with, joined by line feeds; empty for none.

    A block is taken over whole, used or not, as Alembic's template would have written it, as long as it imports
    nothing but Alembic's `op`, SQLAlchemy itself and typing: more may be there for one revision alone.

    Args:
        files: models, the best first.
        needed: names that the annotations of the new file use.
    """
    for file in files:
        span = header_imports(file)
        if span and all(map(_usual, file.tree.body)) and set(needed) <= set(typing_names(file)):
            return re.sub(r"\r\n?", "\n", file.text[slice(*span)])
    known = typing_names(files[0])
    modules: dict[str, list[str]] = {}
    for name in sorted(needed):
        module, spelled = known.get(name, ("typing", name))
        modules.setdefault(module, []).append(spelled)
    lines = [f"from {module} import {', '.join(names)}" for module, names in sorted(modules.items()) if module]
    lines = [*modules.get("", []), *lines]
    if any(isinstance(each, ast.ImportFrom) and each.module == "__future__" for each in files[0].tree.body):
        lines = ["from __future__ import annotations", *([""] if lines else []), *lines]
    return "\n".join(lines)


def typing_names(file: Anatomy) -> Mapping[str, tuple[str, str]]:
    """What the file imports for its annotations: name → (module, how it is spelled after `import`).

    A module imported as such has no module part, and the whole statement for its spelling.
    """
    names: dict[str, tuple[str, str]] = {}
    for statement in file.tree.body:
        match statement:
            case ast.ImportFrom(module=str(module), names=aliases) if module in _TYPING:
                for alias in aliases:
                    spelled = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                    names[alias.asname or alias.name] = (module, spelled)
            case ast.Import(names=[ast.alias(name=module, asname=asname)]) if module in _TYPING:
                names[asname or module.split(".")[0]] = ("", ast.unparse(statement))
            case _:
                pass
    return names


def names_in(annotation: str) -> set[str]:
    """Names that an annotation uses and that are not built in; a quoted annotation counts like another."""
    names = re.findall(r"(?<![\w.])[A-Za-z_]\w*", annotation)
    return {name for name in names if not hasattr(builtins, name) and not keyword.iskeyword(name)}


def _usual(statement: ast.stmt) -> bool:
    match statement:
        case ast.ImportFrom(module=str(module), names=names, level=0):
            if module == "alembic":
                return all(alias.name in ("op", "context") for alias in names)
            return module in _TYPING or module == "__future__"
        case ast.Import(names=names):
            return all(alias.name in _PLAIN for alias in names)
        case _:
            return not isinstance(statement, ast.ImportFrom)
