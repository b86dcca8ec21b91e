from __future__ import annotations

import pytest

from tests.standin.markdown import to_html


def html(text: str) -> str:
    return to_html(text, "/ann/repo")


def test_a_marker_is_not_shown() -> None:
    assert html("<!-- onehead:collision v1 {} -->\n## Title") == "\n<h2>Title</h2>\n"
    assert html("before <!-- hidden --> after") == "<p>before  after</p>\n"


def test_tables_and_strikethrough() -> None:
    shown = html("| a | b |\n|---|---|\n| 1 | ~~2~~ |")

    assert "<th>a</th>" in shown
    assert "<td><s>2</s></td>" in shown


def test_a_single_line_break_is_one() -> None:
    assert html("one\ntwo") == "<p>one<br />\ntwo</p>\n"


def test_task_lists() -> None:
    shown = html("- [x] done\n- [ ] open\n- plain [x]")

    assert shown.count('<li class="task">') == 2
    assert '<input type="checkbox" disabled="" checked="" />done' in shown
    assert '<input type="checkbox" disabled="" />open' in shown
    assert "<li>plain [x]</li>" in shown


def test_alerts() -> None:
    shown = html("> [!WARNING]\n> Mind the `gap`.")

    assert shown == (
        '<blockquote class="alert alert-warning">\n<p class="alert-title">⚠ Warning</p>\n'
        "<p>Mind the <code>gap</code>.</p>\n</blockquote>\n"
    )
    assert html("> [!WHATEVER]\n> x").startswith("<blockquote>\n<p>[!WHATEVER]")


def test_details_keep_markdown_inside() -> None:
    shown = html("<details><summary>Why?</summary>\n\n**Because**\n\n</details>")

    assert shown == "<details><summary>Why?</summary>\n<p><strong>Because</strong></p>\n</details>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<script>alert(1)</script>b", "<p>aalert(1)b</p>\n"),
        ("<script>\nalert(1)\n</script>", ""),
        ('<img src=x onerror="alert(1)">', ""),
        ('<b onclick="x">bold</b>', "<p>bold</p>\n"),
        ('<details open onclick="x"></details>', "<details open></details>"),
        ("<kbd>Ctrl</kbd> H<sub>2</sub>O", "<p><kbd>Ctrl</kbd> H<sub>2</sub>O</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("`<script>`", "<p><code>&lt;script&gt;</code></p>\n"),
    ],
)
def test_hardly_any_html_is_let_through(text: str, shown: str) -> None:
    assert html(text) == shown


def test_fences() -> None:
    assert html("```mermaid\ngraph LR\n  a --> b\n```") == '<pre class="mermaid">graph LR\n  a --&gt; b\n</pre>\n'
    assert html("```python\nx < 1\n```") == '<pre><code class="language-python">x &lt; 1\n</code></pre>\n'
    assert html("```diff\n-old\n+new\n same\n```") == (
        '<pre class="diff"><code><span class="removed">-old</span><span class="added">+new</span>'
        '<span class="same"> same</span></code></pre>\n'
    )


def test_emoji_and_references_but_not_in_code() -> None:
    assert html(":tada: :unknown: #12 @ann") == (
        '<p>🎉 :unknown: <a href="/ann/repo/issues/12">#12</a> <a href="/ann">@ann</a></p>\n'
    )
    assert html("`:tada: #12 @ann` a@b.c") == "<p><code>:tada: #12 @ann</code> a@b.c</p>\n"
