"""A picture as lines of text, oldest revision first, for terminals and `remote:` lines."""

from __future__ import annotations

from onehead.quoting import cut_words
from onehead.reports.outline import Place, outline
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.picture import Node, Picture
from onehead.wording import listed, shortened

_LEADS = {"start": "", "straight": "", "side": "├─", "last side": "└─"}


def draw(picture: Picture, names: dict[str, str], paint: Paint = plain, *, with_older: bool = False) -> list[str]:
    """Lines that show who follows whom.

    Each revision is drawn once: below its parent, indented where several follow the same one, and a merge where the
    sides that it joins have been drawn, back on the line from which they parted.

    Args:
        picture: what to draw.
        names: owner ("target", "head", "repair") → how to name that side at the end of a line.
        paint: colours.
        with_older: say where older revisions are not drawn at the beginning of a line.
    """
    nodes = {node.id: node for node in picture.nodes}
    width = max((len(_name(node.id)) for node in picture.nodes), default=0)
    lines: list[str] = []
    for place in outline(picture):
        if place.turn == "start" and not place.parents and lines:
            lines.append("")
        indent = "  " + "".join("│ " if bar else "  " for bar in place.bars)
        lines += _folds(place, indent)
        node = nodes[place.id]
        if with_older and node.parents and not place.parents:
            lines.append(f"{indent}⋮ older ones")
        lines.append(f"{indent}{_LEADS[place.turn]}{_line(node, names.get(node.owner, ''), width, paint)}")
    for node in picture.nodes:
        if node.owner == "repair":
            joined = listed([_name(edge.parent) for edge in picture.edges if edge.child == node.id])
            lines.append(f"  {paint('repair', '◆ ' + node.id)}  would join {joined}")
    for edge in picture.edges:
        if edge.repair and nodes[edge.child].owner != "repair":
            new = f", as {_name(edge.new_id)}" if edge.new_id else ""
            words = f"◆ repair: {_name(edge.child)} would follow {_name(edge.parent)}{new}"
            lines.append(f"  {paint('repair', words)}")
    if picture.left_out:
        lines.append(f"  … and {picture.left_out} more where lines part, meet or end")
    return lines


def _name(id_: str) -> str:
    return visible(shortened(id_))


def _line(node: Node, name: str, width: int, paint: Paint) -> str:
    mark = paint(node.owner, "●" if node.is_head else "○")
    said = [paint(node.owner, _name(node.id).ljust(width)), cut_words(visible(node.doc), 50)]
    if len(node.parents) > 1:
        said.append(f"joins {listed([*map(_name, node.parents)])}")
    if node.is_head:
        said.append(f"← head, {visible(name)}" if name else "← head")
    elif name:
        said.append(f"({visible(name)})")
    return f"{mark} {'  '.join(filter(None, said))}".rstrip()


def _folds(place: Place, indent: str) -> list[str]:
    lead = "" if place.turn in ("start", "straight") else "│ "
    return [
        f"{indent}{lead}⋮ {edge.folded} more" + (f" after {_name(edge.parent)}" if len(place.parents) > 1 else "")
        for edge in place.parents
        if edge.folded
    ]
