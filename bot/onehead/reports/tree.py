"""A picture as lines of text, oldest revision first, for terminals and `remote:` lines."""

from __future__ import annotations

from collections.abc import Callable

from onehead.reports.picture import Edge, Picture

Paint = Callable[[str, str], str]
"""Style name and text in, painted text out; the identity where there is no terminal."""


def plain(_style: str, text: str) -> str:
    """Paint nothing."""
    return text


def draw(picture: Picture, names: dict[str, str], paint: Paint = plain) -> list[str]:
    """Lines that show who follows whom: a branch is indented under its parent, a merge stands where it is last met.

    Args:
        picture: what to draw.
        names: owner ("target", "head", "repair") → how to name that side at the end of a line.
        paint: colours.
    """
    children = picture.children()
    nodes = {node.id: node for node in picture.nodes}
    unmet = {
        node.id: sum(edge.child == node.id and not edge.repair for edge in picture.edges) for node in picture.nodes
    }
    width = max((len(node.id) for node in picture.nodes), default=0)
    lines: list[str] = []

    def walk(id_: str, indent: str, lead: str) -> None:
        node = nodes[id_]
        name = names.get(node.owner, "")
        mark = paint(node.owner, "◆" if node.owner == "repair" else "●" if node.is_head else "○")
        head = f"  ← head, {name}" if node.is_head and node.owner != "repair" else f"  ({name})" if name else ""
        lines.append(f"{indent}{lead}{mark} {paint(node.owner, id_.ljust(width))}  {node.doc[:50]}{head}".rstrip())
        below = indent + ("" if not lead else "│ " if lead.startswith("├") else "  ")
        ready = [edge for edge in children[id_] if _last_met(edge, unmet)]
        for number, edge in enumerate(ready):
            branching = len(ready) > 1
            last = number == len(ready) - 1
            if edge.folded:
                lines.append(f"{below}{'│ ' if branching and not last else ''}⋮ {edge.folded} more")
            walk(edge.child, below, ("└─" if last else "├─") if branching else "")

    starts = [node.id for node in picture.nodes if unmet[node.id] == 0 and not _is_added(picture, node.id)]
    for start in starts:
        walk(start, "  ", "")
    for node in picture.nodes:
        if node.owner == "repair":
            joined = ", ".join(edge.parent for edge in picture.edges if edge.child == node.id)
            lines.append(f"  {paint('repair', '◆ ' + node.id)}  would join {joined}")
    moved = [edge for edge in picture.edges if edge.repair and nodes[edge.child].owner != "repair"]
    return lines + [f"  {paint('repair', f'◆ repair: {edge.child} would follow {edge.parent}')}" for edge in moved]


def _is_added(picture: Picture, id_: str) -> bool:
    return any(node.id == id_ and node.owner == "repair" for node in picture.nodes)


def _last_met(edge: Edge, unmet: dict[str, int]) -> bool:
    """Whether all parents of the child are drawn with this edge (a merge is drawn once, under the last of them)."""
    if edge.repair:
        return False
    unmet[edge.child] -= 1
    return unmet[edge.child] == 0
