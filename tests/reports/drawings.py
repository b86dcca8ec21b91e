"""What an SVG shows."""

from __future__ import annotations

from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def parsed(document: str) -> ET.Element:
    """The root; an error where it is not well-formed."""
    return ET.fromstring(document)  # noqa: S314 - our own


def elements(document: str, tag: str, style: str = "") -> list[ET.Element]:
    """All of a kind, or those of one class."""
    found = parsed(document).iter(SVG + tag)
    return [each for each in found if not style or style in each.get("class", "").split()]


def words(document: str) -> str:
    """All text that is drawn."""
    return " ".join(" ".join(each.itertext()) for each in parsed(document).iter(SVG + "text"))
