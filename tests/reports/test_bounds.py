"""However much is wrong, every page stays one that a person reads and a forge takes, and says how much is left out."""

from __future__ import annotations

import json
import re

import pytest

from onehead.plan.findings import Facts
from onehead.plan.rivals import MAX_RIVALS, Contender, brought, rivals
from onehead.plan.verdict import Coverage, Examination, Point, PushedBranch
from onehead.reports.comment import CommentContent, comment, leading_plan, one_line, pull_body, pull_title
from onehead.reports.formats import Chains, chains_text, document, junit, mermaids, sarif
from onehead.reports.graph import whole_picture
from onehead.reports.graph_svg import Drawing, svg
from onehead.reports.replies import MAX_LENGTH
from onehead.reports.terminal import MAX_ENVIRONMENTS, acceptance, heads_up, refusal, report
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.text import MAX_NAME_LENGTH, MAX_NAMED, listed, quoted
from tests.plan.cases import ENVIRONMENT, examination, facts
from tests.shapes import SHAPES, File, Shape

LARGE = 300


def graph(files: list[File]) -> Graph:
    return Graph(Revision(f.id, f.parents, f.path, str(hash(f)), f.depends_on, f.labels) for f in files)


def given(shape: Shape) -> Facts:
    target = graph(shape.main)
    if shape.side is None:
        return Facts(ENVIRONMENT, target, None, target)
    # A file that the branch removed or moved is gone from the merge too.
    kept = [file for file in shape.main if file in set(shape.side)]
    return Facts(ENVIRONMENT, target, graph(shape.side), graph(list(dict.fromkeys([*kept, *shape.side]))))


def pages(judged: Examination) -> dict[str, str]:
    pushed = PushedBranch("main", "itself", judged)
    remark = CommentContent(judged, diff="+x\n" * 5000, patch="+x\n" * 5000)
    chains = {each.facts.environment.path: each.facts.merged for each in judged.environments}
    pictures = {path: whole_picture(chain) for path, chain in chains.items()}
    told = Chains(Point("main", "1" * 40), chains, dict.fromkeys(chains), Coverage(1, 0, 0))
    found = {
        "text": report(judged),
        "json": json.dumps(document(judged, {}, {})),
        "sarif": json.dumps(sarif(judged, "0", {}, "urn:x")),
        "junit": junit(judged, {}),
        "comment": comment(remark),
        "status": one_line(judged),
        "refusal": "\n".join(refusal(pushed, merging=False)),
        "refused merge": "\n".join(refusal(pushed, merging=True)),
        "acceptance": "\n".join(acceptance(pushed)),
        "heads up": "\n".join(heads_up(judged)),
        "graph": chains_text(told, pictures),
        "mermaid": mermaids(pictures),
        "svg": svg([Drawing(path, chain) for path, chain in chains.items()]),
    }
    if leading_plan(judged).kind in {"reparent", "merge", "reissue"}:
        found |= {"title": pull_title(judged), "body": pull_body(remark)}
    return found


BOUNDS = {"json": 400_000, "sarif": 400_000, "junit": 400_000, "graph": 800_000, "mermaid": 200_000, "svg": 800_000}


@pytest.mark.parametrize("name", sorted(SHAPES.keys() - {"environments", "operations", "same table"}))
def test_every_page_of_every_shape(name: str) -> None:
    for page, text in pages(examination(given(SHAPES[name](LARGE)))).items():
        assert len(text.encode()) <= BOUNDS.get(page, MAX_LENGTH), page


def test_ids_and_paths_as_long_as_they_like() -> None:
    huge = "a" * 5000
    side = [File("b", (huge,)), *(File(f"{huge}{n}", (huge,)) for n in range(50))]
    for page, text in pages(examination(given(Shape([File(huge)], [File(huge), *side])))).items():
        if page not in {"json", "sarif", "junit"}:
            assert len(text.encode()) <= BOUNDS.get(page, MAX_LENGTH), page
            assert "a" * (MAX_NAME_LENGTH + 1) not in text or page == "mermaid", page


def test_a_circle_of_ten_thousand_names_a_few_and_counts_the_rest() -> None:
    judged = examination(given(SHAPES["circle"](10_000)))
    [finding] = judged.environments[0].findings
    assert f"and {10_000 - MAX_NAMED} more" in finding.message
    assert len(finding.message) < 500
    for page, text in pages(judged).items():
        assert len(text.encode()) <= 40_000, page
    assert json.loads(pages(judged)["json"])["environments"][0]["findings"][0]["left_out"] == 9_950


def test_findings_of_a_kind_are_counted_beyond_the_first() -> None:
    judged = examination(given(SHAPES["missing"](LARGE)))
    findings = judged.environments[0].findings
    assert len(findings) == 51
    assert findings[-1].message.startswith(f"{LARGE - 50} more of the kind are not listed one by one")
    # Whatever is said by code and severity holds for all of them.
    assert {id_ for finding in findings for id_ in finding.revisions} >= {f"x{n:06}" for n in range(LARGE)}


def test_environments_beyond_the_first_are_counted_and_those_with_errors_come_first() -> None:
    fine, warned, forked = facts("a", "a"), facts("a", "a; x @new"), facts("a; b<a", "a; c<a")
    several = [
        each._replace(environment=ENVIRONMENT._replace(path=f"app{n}"))
        for n, each in enumerate([*[fine] * 2, *[warned] * 100, forked])
    ]
    text = report(examination(*several))
    assert len(re.findall(r"^app\d+: \d heads", text, re.MULTILINE)) == MAX_ENVIRONMENTS
    assert "\napp102: 2 heads (b, c)" in text
    assert "\n51 more environments are not shown; `--format json` lists them all.\n" in text


def test_everybody_takes_the_same_place() -> None:
    """Each of 500 pull requests is told of a few others, without comparing each with each."""
    contenders = [Contender(number, brought(facts("a", f"a; x{number}<a"))) for number in range(1, 501)]
    found = rivals(contenders)
    assert {len(each) for each in found.values()} == {MAX_RIVALS}


def test_a_sentence_with_many_names() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"], last=", ") == "a, b, c"
    assert listed([str(n) for n in range(100)], 3) == "0, 1, 2 and 97 more"
    assert quoted(["a", "b" * 500]) == f"`a` and `{'b' * (MAX_NAME_LENGTH - 1)}…`"
