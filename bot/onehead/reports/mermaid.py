"""A picture as Mermaid text, which Forgejo draws in comments."""

from __future__ import annotations

from collections.abc import Mapping

from onehead.quoting import mermaid as harmless
from onehead.reports.picture import Edge, Node, Picture

_CLASSES = (
    "classDef ours fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
    "classDef theirs fill:#f1f5f9,stroke:#64748b,color:#0f172a",
    "classDef repair fill:#dcfce7,stroke:#16a34a,color:#14532d,stroke-dasharray:4 3",
)

_MOST_SPOKEN = 8
"""Revisions whose children are named to a screen reader."""


def mermaid(picture: Picture, *, target: str = "", head: str = "this branch") -> str:
    """Mermaid source of a picture, left to right.

    Args:
        picture: what to draw.
        target: how to name the target's side in the nodes; empty names no side.
        head: how to name the head's side.
    """
    body = _body(picture, "n", {"target": target, "head": head if target else "", "repair": "repair"})
    return _document([*_spoken(picture), *body])


def mermaids(pictures: Mapping[str, Picture]) -> str:
    """Mermaid source of several environments in one diagram, each in a frame of its own when there are several."""
    sides = {"target": "", "head": "", "repair": "repair"}
    if len(pictures) == 1:
        return _document(_body(next(iter(pictures.values())), "n", sides))
    lines = []
    for number, (path, picture) in enumerate(pictures.items()):
        lines.append(f'  subgraph e{number}["{harmless(path or ".", 200)}"]')
        lines += [f"  {line}" for line in _body(picture, f"e{number}n", sides)]
        lines.append("  end")
    return _document(lines)


def _spoken(picture: Picture) -> list[str]:
    """What a screen reader says in the place of the picture."""
    followed = [
        f"{harmless(parent)} is followed by {_all(edges)}" for parent, edges in _grouped(picture, False).items()
    ]
    mended = [
        f"the repair puts {_all(edges)} after {harmless(parent)}" for parent, edges in _grouped(picture, True).items()
    ]
    rest = len(followed) - _MOST_SPOKEN
    told = [*followed[:_MOST_SPOKEN], *([f"and so on, {rest} more"] if rest > 0 else []), *mended[:_MOST_SPOKEN]]
    return ["  accTitle: The migrations around the place where the chain parts", f"  accDescr: {'; '.join(told)}."]


def _grouped(picture: Picture, repair: bool) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in picture.edges:
        if edge.repair == repair:
            found.setdefault(edge.parent, []).append(edge)
    return found


def _all(edges: list[Edge]) -> str:
    return " and ".join(
        f"{edge.folded} more and then {harmless(edge.child)}" if edge.folded else harmless(edge.child) for edge in edges
    )


def _document(body: list[str]) -> str:
    return "\n".join(["graph LR", *body, *(f"  {style}" for style in _CLASSES)]) + "\n"


def _body(picture: Picture, prefix: str, side: Mapping[str, str]) -> list[str]:
    name = {node.id: f"{prefix}{number}" for number, node in enumerate(picture.nodes)}
    lines = [f'  {name[node.id]}["{_label(node, side[node.owner])}"]' for node in picture.nodes]
    for edge in picture.edges:
        new = f", as {harmless(edge.new_id)}" if edge.new_id else ""
        arrow = f"-.->|repair{new}|" if edge.repair else f"-->|{edge.folded} more|" if edge.folded else "-->"
        lines.append(f"  {name[edge.parent]} {arrow} {name[edge.child]}")
    if picture.left_out:
        lines.append(f'  {prefix}more["and {picture.left_out} more"]')
    for owner, style in (("head", "ours"), ("target", "theirs"), ("repair", "repair")):
        members = [name[node.id] for node in picture.nodes if node.owner == owner]
        if members:
            lines.append(f"  class {','.join(members)} {style}")
    return lines


def _label(node: Node, side: str) -> str:
    parts = [f"<b>{harmless(node.id)}</b>", harmless(node.doc, 40), harmless(side)]
    return "<br/>".join(part for part in parts if part)
