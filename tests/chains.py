"""Graphs as one-line literals: `"a; b<a; c<a; d<b,c @label"`."""

from __future__ import annotations

from hashlib import sha1

from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision


def revisions(text: str, folder: str = "versions") -> list[Revision]:
    """One revision per `;`: id, `<` parents, `@` labels, `~` dependencies; `path=` names another file."""
    found = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        words = item.split()
        id_, _, parents = words[0].partition("<")
        labels = tuple(word[1:] for word in words[1:] if word.startswith("@"))
        needs = tuple(word[1:] for word in words[1:] if word.startswith("~"))
        path = next((word[5:] for word in words[1:] if word.startswith("path=")), f"{folder}/{id_}.py")
        blob = sha1(f"{path}{item}".encode(), usedforsecurity=False).hexdigest()
        found.append(
            Revision(id_, tuple(filter(None, parents.split(","))), path, blob, needs, labels, doc=f"doc {id_}")
        )
    return found


def graph(text: str) -> Graph:
    return Graph(revisions(text))
