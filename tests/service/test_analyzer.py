"""The analyzer: what it may cost, what it can reach, and that nothing it says is trusted. Real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onehead import child_process
from onehead.databases.model import ForkOutcomes
from onehead.errors import CannotJudge
from onehead.examine.read import memory_for
from onehead.examine.repair import confirm, write_drafts
from onehead.gitrepo.git import Git
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Point
from onehead.service import analyzer
from onehead.service.analyzer import AnalysisEnded, AnalysisFailed, Analyzers, Budget, RemoteAnalysis
from onehead.service.engine import delay_after
from onehead.service.judge import Analysis, Judged, RowsDiagnosis
from onehead.service.wire import Wire
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository
from tests.service.processes import written_memory

MARK = f"onehead-rogue-{os.getpid()}"
TOKEN = "t0ken-that-nobody-else-sees"
URL = "https://forge.test/ann/shop.git"
CUT = child_process.cut_off(apart=True)
POINTS = Point("refs/heads/main", "1" * 40), Point("refs/heads/oauth", "2" * 40)


@pytest.fixture
def pool() -> Iterator[Callable[..., Analyzers]]:
    made: list[Analyzers] = []

    def make(**budget: Any) -> Analyzers:
        made.append(Analyzers(CUT, Budget(**budget)))
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert eventually(lambda: not running(MARK))


@pytest.fixture
def rogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "MODULE", "tests.service.rogue")


def running(mark: str) -> list[int]:
    """Processes with a word in their command."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def collision(place: Path) -> tuple[Path, Point, Point]:
    """A repository, and two branches that each add a revision on the same head."""
    repository = Repository(place / "repository.git")
    repository.commit("main", merged(project(), chain(("a1", None), ("a2", "a1"))))
    repository.branch("oauth", "main")
    head = repository.commit("oauth", revision("b1", "a2"))
    target = repository.commit("main", revision("a3", "a2"))
    return repository.path, Point("refs/heads/main", target), Point("refs/heads/oauth", head)


def written(value: object, kind: Any) -> Any:
    """All of a value, to be compared: graphs are no values to Python."""
    return Wire().write(value, kind)


def opened(pool: Analyzers, behaviour: str) -> RemoteAnalysis:
    return pool.open(Path(behaviour), Path("cache"), URL)


def test_what_it_says_is_what_would_be_said_here(pool: Callable[..., Analyzers], tmp_path: Path) -> None:
    place, target, head = collision(tmp_path)
    here = Analysis(Git.of_our_own(place), memory_for(URL, tmp_path / "cache"))
    there = pool().open(place, tmp_path / "cache", URL)

    strategies: tuple[Strategy | None, ...] = (None, "merge")
    for strategy in strategies:
        for point in (head, None):
            mine, theirs = here.judge(target, point, strategy), there.judge(target, point, strategy)
            assert written(theirs, Judged) == written(mine, Judged)
            assert theirs.brought == mine.brought
    judged = there.judge(target, head, None)
    draft = judged.repair
    assert draft is not None
    [repair] = write_drafts(Git.of_our_own(place), [draft])
    confirm(draft, there.written(target, Point(head.ref, repair.sha)))
    [examined] = judged.examination.environments
    outcomes = tuple[ForkOutcomes, ...]
    assert written(there.recent(examined.facts), outcomes) == written(here.recent(examined.facts), outcomes)
    rows = ("a2", "zz")
    diagnosed = here.diagnose(examined.facts, rows)
    assert diagnosed.places
    assert written(there.diagnose(examined.facts, rows), RowsDiagnosis) == written(diagnosed, RowsDiagnosis)


def test_what_can_not_be_read_says_so_and_the_process_goes_on(pool: Callable[..., Analyzers], tmp_path: Path) -> None:
    place, target, head = collision(tmp_path)
    analyzers = pool()
    there = analyzers.open(place, tmp_path / "cache", URL)
    assert there.judge(target, head, None).examination.verdict == "collision"
    [process] = analyzers._processes

    with pytest.raises(CannotJudge) as raised:
        there.judge(target, Point("refs/heads/gone", "1" * 40), None)
    assert not isinstance(raised.value, AnalysisEnded)
    with pytest.raises(AnalysisFailed, match="Traceback"):
        there.judge(target, Point("refs/heads/gone", "\0"), None)
    assert there.judge(target, head, None).examination.verdict == "collision"
    assert analyzers._processes == [process]


@pytest.mark.usefixtures("rogue")
@pytest.mark.parametrize(
    ("behaviour", "budget", "said"),
    [
        ("spins", {"cpu": 0.5}, "The analysis took more than 0.5 seconds of CPU and was ended."),
        ("spins below:MARK", {"cpu": 0.5}, "The analysis took more than 0.5 seconds of CPU and was ended."),
        ("sleeps", {"wall": 1.0}, "The analysis took longer than 1 seconds and was ended."),
        ("hoards", {"memory": 200 * analyzer.MIB}, "The analysis needed more than 200 MiB of memory and was ended."),
        ("gives up", {}, "The analysis ended before it was done (3)."),
        ("goes home", {}, "The analysis ended again and again without an answer."),
        ("says too much", {}, "The analysis found more than 16 MiB."),
        ("nests", {}, "The analysis gave no usable answer."),
        ("says:no JSON", {}, "The analysis gave no usable answer."),
        ('says:{"value": 1}', {}, "The analysis gave no usable answer."),
        ('says:{"error": "x"}', {}, "The analysis gave no usable answer."),
        ('says:{"left_out": ["--all"]}', {}, "The analysis gave no usable answer."),
        ('says:{"left_out": 1}', {}, "The analysis gave no usable answer."),
        ("says:[]", {}, "The analysis gave no usable answer."),
    ],
)
def test_what_is_over_budget_or_no_answer_ends_with_all_its_processes(
    pool: Callable[..., Analyzers], behaviour: str, budget: dict[str, Any], said: str
) -> None:
    analyzers = pool(**budget)
    with pytest.raises(AnalysisEnded) as raised:
        opened(analyzers, behaviour.replace("MARK", MARK)).judge(*POINTS, None)

    assert raised.value.message == said
    assert "at the next sweep, and by `/onehead check`" in raised.value.hint
    assert delay_after(raised.value, 1) is None
    assert analyzers._processes == []
    assert eventually(lambda: running(MARK) == [])  # a killed process takes a moment to go


@pytest.mark.usefixtures("rogue")
@pytest.mark.parametrize("read", ["[-1, 0]", "[0, 1e9]", "[1]", "null", "[0, 10000001]"])
def test_what_it_says_of_the_cache_is_not_trusted_either(pool: Callable[..., Analyzers], read: str) -> None:
    with pytest.raises(AnalysisEnded, match="gave no usable answer"):
        opened(pool(), f'says:{{"value": [], "read": {read}}}').written(*POINTS)


def test_what_an_answer_took_is_reported(tmp_path: Path) -> None:
    place, target, head = collision(tmp_path)
    steps, files = list[str](), list[tuple[int, int]]()
    analyzers = Analyzers(
        CUT,
        observe=lambda step, seconds: steps.append(step if seconds >= 0 else "?"),
        on_read=lambda hits, misses: files.append((hits, misses)),
    )
    try:
        analyzers.open(place, tmp_path / "cache", URL).judge(target, head, None)
        analyzers.open(place, tmp_path / "cache", URL).judge(target, head, None)
        with pytest.raises(CannotJudge):
            analyzers.open(tmp_path / "none", tmp_path / "cache", URL).judge(target, head, None)
    finally:
        analyzers.close()

    assert steps == ["wait", "judge"] * 3
    [(_, parsed), (known, parsed_again)] = files
    assert (parsed, known >= 4, parsed_again) == (4, True, 0)


@pytest.mark.usefixtures("rogue")
def test_a_crash_ends_one_analysis_and_no_service(pool: Callable[..., Analyzers]) -> None:
    with pytest.raises(AnalysisEnded, match="ended before it was done"):
        opened(pool(), "crashes").judge(*POINTS, None)


@pytest.mark.usefixtures("rogue")
def test_after_three_ends_the_rest_of_a_repository_waits_for_the_sweep(pool: Callable[..., Analyzers]) -> None:
    analyzers = pool()
    there = opened(analyzers, "gives up")
    for _ in range(analyzer.MAX_ENDED + 2):
        with pytest.raises(AnalysisEnded):
            there.judge(*POINTS, None)
    assert len(there.ended) == analyzer.MAX_ENDED


def test_a_verdict_about_other_commits_is_no_answer(pool: Callable[..., Analyzers], tmp_path: Path) -> None:
    place, target, head = collision(tmp_path)
    judged = pool().open(place, tmp_path / "cache", URL).judge(target, head, None)
    fits = analyzer._QUESTIONS["judge"].fits

    assert fits(judged, (target, head, None))
    assert not fits(judged, (target, Point(head.ref, target.sha), None))
    assert not fits(judged, (head, target, None))


def test_no_repository_waits_long_for_another_one(
    pool: Callable[..., Analyzers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyzer, "SECONDS_OF_PATIENCE", 0.2)
    place, target, head = collision(tmp_path)
    analyzers = pool(wall=30.0)
    with monkeypatch.context() as patch:
        patch.setattr(analyzer, "MODULE", "tests.service.rogue")
        sleeper = opened(analyzers, "sleeps")
        busy = threading.Thread(target=lambda: sleeper.judge(*POINTS, None), daemon=True)
        busy.start()
        assert eventually(lambda: len(analyzers._processes) == 1)

    judged = analyzers.open(place, tmp_path / "cache", URL).judge(target, head, None)

    assert judged.examination.verdict == "collision"
    assert busy.is_alive()
    assert len(analyzers._processes) == 2


@pytest.mark.usefixtures("rogue")
def test_who_waits_when_the_service_ends_gets_no_verdict(pool: Callable[..., Analyzers]) -> None:
    analyzers = pool()
    outcomes: list[BaseException] = []

    def ask() -> None:
        try:
            opened(analyzers, "sleeps").judge(*POINTS, None)
        except BaseException as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(analyzers._processes) == 1)
    [process] = analyzers._processes
    analyzers.close()

    assert child_process.family(process.process.pid) == []
    time.sleep(0.5)
    assert outcomes == []
    assert analyzers._processes == []


def test_where_it_is_idle_it_ends_and_is_started_again(
    pool: Callable[..., Analyzers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyzer, "MODULE", "tests.service.hasty_analyzer")
    place, target, head = collision(tmp_path)
    analyzers = pool()
    there = analyzers.open(place, tmp_path / "cache", URL)
    assert there.judge(target, head, None).examination.verdict == "collision"
    [first] = analyzers._processes

    assert eventually(lambda: child_process.family(first.process.pid) == [])

    assert there.judge(target, head, "merge").examination.verdict == "collision"
    [second] = analyzers._processes
    assert second is not first


def test_it_has_no_secret_in_variables_files_or_memory(
    pool: Callable[..., Analyzers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEHEAD_TOKEN", TOKEN)
    monkeypatch.setenv("SOMEBODYS_PASSWORD", TOKEN)
    place, target, head = collision(tmp_path)
    analyzers = pool()
    with (tmp_path / "secret").open("w+") as secret:
        secret.write(TOKEN)
        os.set_inheritable(secret.fileno(), True)
        there = analyzers.open(place, tmp_path / "cache", URL)
        assert there.judge(target, head, None).examination.verdict == "collision"

    [process] = analyzers._processes
    members = [each.number for each in child_process.family(process.process.pid)]
    assert members
    for number in members:
        assert TOKEN not in Path(f"/proc/{number}/environ").read_text()
        assert not [link for link in Path(f"/proc/{number}/fd").iterdir() if "secret" in str(link.readlink())]
        with Path(f"/proc/{number}/mem").open("rb", buffering=0) as memory:
            assert not any(TOKEN.encode() in part for part in written_memory(number, memory))


@pytest.mark.usefixtures("rogue")
def test_it_reaches_no_network(pool: Callable[..., Analyzers]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(CannotJudge) as raised:
        opened(pool(), f"calls:{listener.getsockname()[1]}").judge(*POINTS, None)
    assert raised.value.message.startswith("OSError") if CUT.prefix else raised.value.message == "connected"


@pytest.mark.usefixtures("rogue")
def test_it_can_not_read_other_processes_of_the_account(pool: Callable[..., Analyzers]) -> None:
    bait = subprocess.Popen([sys.executable, "-c", "input()"], env={"TOKEN": TOKEN}, stdin=subprocess.PIPE)
    try:
        with pytest.raises(CannotJudge) as raised:
            opened(pool(), f"spies:{TOKEN}").judge(*POINTS, None)
        assert CUT.prefix == () or json.loads(raised.value.message) == []
    finally:
        bait.kill()
        bait.communicate()


ALONE = """
import sys, threading
from pathlib import Path
from onehead import child_process
from onehead.databases.model import ForkOutcomes
from onehead.plan.verdict import Point
from onehead.service import analyzer
analyzer.MODULE = "tests.service.rogue"
pool = analyzer.Analyzers(child_process.cut_off(apart=True))
there = pool.open(Path("spins"), Path("cache"), "url")
points = Point("main", "1" * 40), Point("head", "2" * 40)
threading.Thread(target=lambda: there.judge(*points, None), daemon=True).start()
while not pool._processes:
    pass
print(pool._processes[0].process.pid, flush=True)
sys.stdin.read()
"""


def test_it_ends_with_the_service(tmp_path: Path) -> None:
    service = subprocess.Popen(
        [sys.executable, "-c", ALONE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert service.stdout
    number = int(service.stdout.readline())
    assert eventually(lambda: sum(each.cpu for each in child_process.family(number)) > 0.5)
    service.send_signal(signal.SIGKILL)
    service.communicate()

    assert eventually(lambda: child_process.family(number) == [])


AS_NOBODY = """
import ctypes, os, sys, time
from onehead.child_process import keep_to_ourselves
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # who changes its account is kept to itself by that alone
"""
KEPT = AS_NOBODY + "print(sys.argv[1] != 'kept' or keep_to_ourselves(), flush=True); time.sleep(60)"
READ = AS_NOBODY + "print(open(f'/proc/{sys.argv[1]}/environ').read())"


@pytest.mark.parametrize("how", ["kept", "open"])
def test_what_a_process_keeps_to_itself_no_other_one_of_the_account_reads(how: str) -> None:
    places = {"PYTHONPATH": os.pathsep.join(sys.path)}
    held = subprocess.Popen(
        [sys.executable, "-c", KEPT, how], env=places | {"TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert held.stdout
        assert held.stdout.readline() == "True\n"
        other = [sys.executable, "-c", READ, str(held.pid)]
        done = subprocess.run(other, env=places, capture_output=True, text=True, check=False, timeout=60)
        assert (TOKEN in done.stdout) is (how == "open"), done.stderr
        assert ("PermissionError" in done.stderr) is (how == "kept")
    finally:
        held.kill()
        held.communicate()
