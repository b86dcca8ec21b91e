"""Text from a repository in a comment: it shows as it is, and does nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from onehead.text import code, cut_bytes, cut_words, fence, inline, mermaid, plain, unheard

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = st.text(
    alphabet=st.sampled_from(list("ab1 \t\n@#!:/[]()<>&*_`~|\\$^{}=-+.'\"wW\u200b\u202e\x00\udc80é")), max_size=60
)
ANY = HOSTILE | st.text(max_size=60)

# The patterns by which Forgejo finds something to act on, in a raw text (that notifies and references) and in a
# rendered one (that links); without their ends, so stricter than Forgejo.
MENTION = re.compile(r"(?:\s|^|\(|\[)@[0-9a-zA-Z-_]")
REFERENCE = re.compile(r"[#!][0-9]")
LINK = re.compile(r"\w://|www\.", re.IGNORECASE)
SHORT_LINK = re.compile(r"\[\[")
EMOJI = re.compile(r":[-+\w]+:")
ALIVE = (MENTION, REFERENCE, LINK, SHORT_LINK, EMOJI)


class Shown(HTMLParser):
    """What a reader sees of some HTML, and of which elements it is made."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag + "".join(f" {name}" for name, _ in attrs))
        if tag in {"th", "td"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells and data != "\n":
            self.cells[-1] += data


def shown(markdown: str) -> Shown:
    return Shown(MARKDOWN.render(markdown))


def seen(text: str) -> str:
    """What a reader should see of a text on one line: what is invisible or broken is not compared."""
    return re.sub("[\u200b\ufffd]", "", " ".join(plain(text).split()))


@given(ANY)
def test_inline_shows_the_text_and_nothing_else(text: str) -> None:
    result = shown(inline(text, 1000))
    assert result.elements in (["p"], [])
    assert re.sub("[\u200b\ufffd]", "", result.text.strip()) == seen(text)


@given(ANY)
def test_inline_is_dead_in_both_readings(text: str) -> None:
    raw = inline(text, 1000)
    for pattern in (MENTION, LINK, SHORT_LINK, EMOJI):
        assert not pattern.search(raw)
    assert not re.search(r"(?:\s|^|\(|\[|'|\")[#!][0-9]", raw)
    for pattern in ALIVE:
        assert not pattern.search(shown(raw).text)


@given(ANY)
def test_inline_stays_in_its_cell(text: str) -> None:
    result = shown(f"| a | b |\n|---|---|\n| {inline(text, 1000)} | end |")
    assert result.elements == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    first, second = result.cells[2:]
    assert re.sub("[\u200b\ufffd]", "", first.strip()) == seen(text)
    assert second == "end"


@given(ANY)
def test_inline_stays_in_its_summary(text: str) -> None:
    result = Shown(f"<summary>{inline(text, 1000)}</summary>")
    assert result.elements == ["summary"]
    assert re.sub("[\u200b\ufffd]", "", result.text) == seen(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("add teams", "add teams"),
        ("@everyone look", "&#64;&#8203;everyone look"),
        ("fixes #12", "fixes &#35;&#8203;12"),
        ("a/b!7", "a/b&#33;&#8203;7"),
        ("<!-- x -->", "&#60;&#33;-- x --&#62;"),
        ("**bold** | cell", "&#42;&#42;bold&#42;&#42; &#124; cell"),
        ("1. one", "1&#46; one"),
        ("- one", "&#45; one"),
        ("two\n\n# lines", "two &#35; lines"),
        ("see http://x.test/a/b/issues/3", "see http:&#8203;//x.test/a/b/issues/3"),
        ("[[Home|http://x]]", "&#91;&#8203;&#91;Home&#124;http:&#8203;//x&#93;&#93;"),
        ("\u202eevil\u200b", "evil"),
        ("bell\x07", "bell�"),
        ("caf\udce9", "caf�"),
        ("", ""),
    ],
)
def test_inline_literally(text: str, result: str) -> None:
    assert inline(text) == result


def test_inline_is_cut_by_what_is_seen() -> None:
    assert inline("@" * 50, 10) == "&#64;&#8203;" * 9 + "…"


@given(ANY)
def test_code_shows_the_text(text: str) -> None:
    result = shown(code(text))
    assert result.elements == ["p", "code"]
    assert result.text.removesuffix("\n").strip() == _visible(text)


@given(ANY)
def test_code_in_a_table(text: str) -> None:
    result = shown(f"| a | b |\n|---|---|\n| {code(text, in_table=True)} | end |")
    assert result.elements == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"]
    first, second = result.cells[2:]
    # Where code is HTML, dead references are broken by something invisible.
    assert first.replace("\u200b", "").strip() == _visible(text)
    assert second == "end"


def _visible(text: str) -> str:
    text = re.sub("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]", "",
                  " ".join(text.split()))  # fmt: skip
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "�", text).strip()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("018", "`018`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("```", "```` ``` ````"),
        ("a\nb", "`a b`"),
        ("", "` `"),
        ("a|b", "`a|b`"),
    ],
)
def test_code_literally(text: str, result: str) -> None:
    assert code(text) == result


def test_code_with_a_pipe_in_a_table_is_html() -> None:
    assert code("a|`b", in_table=True) == "<code>a&#124;&#96;b</code>"
    assert code("ab", in_table=True) == "`ab`"


@given(st.lists(ANY.map(lambda text: text.replace("\n", " ")), min_size=1, max_size=6))
def test_fence_holds_every_line(lines: list[str]) -> None:
    result = shown(fence("\n".join(lines), "diff") + "\n\nafter")
    assert result.elements == ["pre", "code class", "p"]
    assert result.text.endswith("\nafter\n")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (
            '-down_revision = "018"\n+down_revision = "019"\n',
            '```diff\n-down_revision = "018"\n+down_revision = "019"\n```',
        ),
        ("a\r\nb\rc", "```diff\na\nb�c\n```"),
        ("\tx\n````\ny", "`````diff\n\tx\n````\ny\n`````"),
        ("", "```diff\n```"),
    ],
)
def test_fence_literally(text: str, result: str) -> None:
    assert fence(text, "diff") == result


def test_fence_without_language() -> None:
    assert fence("x") == "```\nx\n```"
    with pytest.raises(ValueError, match="not the name of a language"):
        fence("x", "a`b")


@given(ANY)
def test_mermaid_can_not_leave_its_label(text: str) -> None:
    label = mermaid(text, 1000)
    assert not re.search(r"[\"`<>\[\]{}|\\%;:#*~&!\n\x00-\x1f]", re.sub(r"#\d+;", "", label))
    decoded = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label)
    assert decoded == _visible(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("019 player_teams", "019 player_teams"),
        ("main, @ann #12", "main, @ann #35;12"),
        ('say "hi"]; end', "say #34;hi#34;#93;#59; end"),
        ("%%{init: {}}%%", "#37;#37;#123;init#58; #123;#125;#125;#37;#37;"),
        ("`**x**`", "#96;#42;#42;x#42;#42;#96;"),
        ("1. first", "1#46; first"),
        ("- first", "#45; first"),
        ("__init__", "#95;#95;init#95;#95;"),
        ("2024_01_02-x.y", "2024_01_02-x.y"),
        ("<b>&amp;", "#60;b#62;#38;amp#59;"),
    ],
)
def test_mermaid_literally(text: str, result: str) -> None:
    assert mermaid(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Closes #3", "Closes #\u200b3"),
        ("ask @ann\nnow", "ask @\u200bann now"),
        ("https://x.test", "https:\u200b//x.test"),
        ("one head", "one head"),
    ],
)
def test_plain_for_titles(text: str, result: str) -> None:
    assert plain(text) == result


@given(ANY, st.integers(4, 40))
def test_cut_bytes_fits(text: str, limit: int) -> None:
    result = cut_bytes(text, limit)
    assert len(result.encode()) <= limit
    if len(text.encode("utf-8", "replace")) <= limit:
        assert result == text.encode("utf-8", "replace").decode()


def test_cut_bytes_keeps_characters_whole() -> None:
    assert cut_bytes("ä" * 200, 255) == "ä" * 126 + "…"
    assert len(cut_bytes("x" * 400, 255).encode()) == 255
    assert cut_bytes("x" * 255, 255) == "x" * 255


@given(ANY, st.integers(2, 40))
def test_cut_words_fits(text: str, limit: int) -> None:
    result = cut_words(text, limit)
    assert len(result) <= limit
    assert result == text or result.endswith("…")


@pytest.mark.parametrize(
    ("text", "limit", "result"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one two, three", 9, "one two…"),
        ("onetwothreefour", 8, "onetwot…"),
        ("a onetwothreefour", 9, "a onetwo…"),
    ],
)
def test_cut_words_ends_with_a_word(text: str, limit: int, result: str) -> None:
    assert cut_words(text, limit) == result


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x\n  ::y::", ":\u200b:error::x\n  :\u200b:y::"),
        ("a ##[add-mask]b", "a ##\u200b[add-mask]b"),
        ("a::b: c\n# [x]", "a::b: c\n# [x]"),
    ],
)
def test_no_runner_finds_a_command(text: str, shown: str) -> None:
    assert unheard(text) == shown
