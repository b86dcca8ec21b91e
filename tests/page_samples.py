"""Repositories as the page shows them, for tests of the page and for looking at it by eye.

`python -m tests.page_samples FOLDER` writes the pages as files.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onehead.plan.rivals import Rival, RivalConflict
from onehead.plan.verdict import Coverage
from onehead.reports.page import Forge, ListQuestion, list_page, list_part, repository_page
from onehead.reports.page_model import (
    EnvironmentGraph,
    GraphRow,
    ProposedRows,
    RepositoryGraph,
    ShownDatabase,
    ShownEnvironment,
    ShownProblem,
    ShownPull,
    ShownRepository,
    ShownTarget,
    TargetGraph,
)

BILLING = "billing/migrations/versions"
SHOP_PATH = "shop/migrations/versions"
NOW = datetime(2026, 11, 29, 21, 40, tzinfo=UTC)
FORGE = Forge("http://forgejo:3000")
URL = "https://forge.example.org/acme/shop"


def environment(path: str, *heads: str, revisions: int = 19) -> ShownEnvironment:
    return ShownEnvironment(path, heads, len(heads), revisions)


def target(branch: str, *environments: ShownEnvironment, verdict: str = "ok", says: str = "One head.") -> ShownTarget:
    files = sum(each.revisions for each in environments)
    return ShownTarget(branch, "9f0c2c52" * 5, verdict, says, Coverage(len(environments), files, files), environments)


def healthy(path: str = "alembic/versions", head: str = "019") -> ShownRepository:
    return ShownRepository(NOW - timedelta(minutes=12), (target("main", environment(path, head)),), url=URL)


def sharing(number: int, what: str = "019") -> Rival:
    return Rival(number, RivalConflict.PARENT, SHOP_PATH, what)


NUMBERED = Rival(25, RivalConflict.NUMBER, SHOP_PATH, "20")
SHOP = ShownRepository(
    url=URL,
    at=NOW - timedelta(minutes=3),
    targets=(
        target("main", environment(BILLING, "b7d1"), environment(SHOP_PATH, "019")),
        target(
            "release/2.1",
            environment(BILLING, "a01c"),
            environment(SHOP_PATH, "017"),
        ),
    ),
    pulls=(
        ShownPull(
            12,
            "Log in with OAuth",
            "ann",
            "oauth",
            "main",
            "collision",
            "shop/migrations/versions: Once merged, the chain forks after 018: 2 heads (019 and 021).",
            plan="reparent",
            repair=31,
        ),
        ShownPull(17, "Teams of players", "ben", "teams", "main", "ok", "One head.", rivals=(sharing(23),)),
        ShownPull(23, "Wish lists", "caro", "wish", "main", "ok", "One head.", rivals=(sharing(17), NUMBERED)),
        ShownPull(24, "Faster search", "ben", "search", "main", "ok", "One head.", draft=True),
        ShownPull(25, "Ratings", "dora", "ratings", "main", "ok", "One head.", rivals=(NUMBERED._replace(number=23),)),
        ShownPull(
            31,
            "Move the migrations of oauth onto the newest one",
            "onehead",
            "onehead/reparent/oauth",
            "oauth",
            "-",
            "Goes into oauth, which is not deployed.",
            is_repair=True,
        ),
    ),
    databases=(
        ShownDatabase("production", SHOP_PATH, ("019",), "2026-11-28T10:15:00Z", 0),
        ShownDatabase("staging", SHOP_PATH, ("021",), "2026-11-29T08:02:11Z", None, ("021",)),
        ShownDatabase("eu-archive", BILLING, ("a01c",), "2026-10-02T23:59:59Z", 3),
    ),
)
LEAGUE = ShownRepository(
    url=URL,
    at=NOW - timedelta(hours=2),
    targets=(
        ShownTarget(
            "main",
            "1c9ab7e0" * 5,
            "fork",
            "The chain forks after 019: 2 heads (020_seasons and 020_teams).",
            Coverage(1, 21, 21),
            (environment("alembic/versions", "020_seasons", "020_teams", revisions=21),),
            (ShownProblem("fork", "error", "The chain forks after `019`: 2 heads (`020_seasons` and `020_teams`)."),),
            "merge",
            44,
        ),
    ),
)
HOSTILE = ShownRepository(
    url="javascript:alert(4)//",
    at=NOW - timedelta(days=3),
    targets=(
        ShownTarget(
            '"><script>alert(1)</script>',
            "0" * 40,
            "broken",
            "`<img src=x onerror=alert(1)>` is missing, and so is " + "a" * 300,
            Coverage(1, 3, 2),
            (environment("x'\"</td><td>", "<b>id</b>"),),
            (ShownProblem("missing-parent", "error", "`</style><script>` is missing."),),
        ),
    ),
    pulls=(ShownPull(1, "</title><script>alert(2)</script>", "<i>eve</i>", "x", "main", "", "`javascript:alert(3)`"),),
    databases=(ShownDatabase("<db>", "", ("<row>",), "2026-11-28T10:15:00Z", None, ("<row>",)),),
    trouble="Forgejo does not answer <b>at all</b>.",
)
GRAPH = RepositoryGraph(
    (
        TargetGraph(
            "main",
            "9f0c2c52" * 5,
            (
                EnvironmentGraph(
                    SHOP_PATH,
                    (
                        *(
                            GraphRow(f"{number:03}", (f"{number - 1:03}",) if number > 1 else (), f"Step {number}")
                            for number in range(1, 16)
                        ),
                        GraphRow("016", ("015",), "Prices", "adds column `orders.price`", "ann", "a" * 40, 3, "b1"),
                        GraphRow("017", ("016",), "Baskets", "creates table `baskets`", "ben", "b" * 40, 5, "b2"),
                        GraphRow("018", ("017",), "Import of players", "", "caro", "c" * 40, 8, "b3"),
                        GraphRow(
                            "019",
                            ("018",),
                            "Player teams",
                            "creates table `player_teams` and creates index `ix_team` on `player_teams`",
                            "dora",
                            "d" * 40,
                            None,
                            "b4",
                        ),
                    ),
                ),
                EnvironmentGraph(BILLING, (GraphRow("b7d1", (), "Invoices"),)),
            ),
        ),
        TargetGraph("release/2.1", "8" * 40, (EnvironmentGraph(SHOP_PATH, (GraphRow("017", (), "B"),)),)),
    ),
    (
        ProposedRows(
            12,
            "main",
            SHOP_PATH,
            (
                GraphRow("020", ("018",), "oauth_accounts", "creates table `oauth_accounts`", "ann", "", 12, "b5"),
                GraphRow("021", ("020",), "oauth_tokens", "creates table `oauth_tokens`", "ann", "", 12, "b6"),
            ),
        ),
        ProposedRows(17, "main", SHOP_PATH, (GraphRow("0t1", ("019",), "Teams", "", "ben", "", 17, "b7"),)),
        ProposedRows(
            23,
            "main",
            SHOP_PATH,
            (GraphRow("0w1", ("019",), "Wish lists", "creates table `wishes`", "caro", "", 23, "b8"),),
        ),
    ),
)

FORKED = RepositoryGraph(
    (
        TargetGraph(
            "main",
            "1c9ab7e0" * 5,
            (
                EnvironmentGraph(
                    "alembic/versions",
                    (
                        GraphRow("018", (), "Players"),
                        GraphRow("019", ("018",), "Games"),
                        GraphRow("020_seasons", ("019", "0aa"), "Seasons"),
                        GraphRow("020_teams", ("019",), "Teams"),
                    ),
                ),
            ),
        ),
    )
)
NOTHING = RepositoryGraph()


def world() -> dict[str, ShownRepository]:
    """Many repositories, as in an organisation."""
    names = ["atlas", "books", "clinic", "depot", "events", "fleet", "grid", "harbour", "inbox", "jobs"]
    found = {f"acme/{name}": healthy(head=f"{number:04x}a7c1d2") for number, name in enumerate(names, 17)}
    found |= {f"tools/service-{number:02}": healthy(head=f"{number:03}") for number in range(60)}
    found |= {"acme/shop": SHOP, "acme/league": LEAGUE, "eve/hostile": HOSTILE}
    found["acme/website"] = ShownRepository(NOW, (target("main"),), url=URL)
    return found


def main(folder: Path) -> None:
    """Write the pages."""
    shown = world()
    part = list_part({name: each.condition for name, each in shown.items()}, ListQuestion())
    (folder / "list.html").write_text(list_page(part, shown, FORGE, NOW))
    for name, each, graph in (("shop", SHOP, GRAPH), ("league", LEAGUE, FORKED), ("hostile", HOSTILE, NOTHING)):
        (folder / f"{name}.html").write_text(repository_page(f"acme/{name}", each, graph, FORGE, NOW))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
