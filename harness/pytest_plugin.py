"""The pytest plugin: a PostgreSQL server for the tests that ask, a database for each, and their programs interleaved.

It is loaded in every run of pytest where the harness is installed: whatever is expensive is imported by who needs it.
Under pytest-xdist the controller has the server and the workers borrow it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.words.errors import HarnessError

if TYPE_CHECKING:
    from harness.db.any_server import AnyServer
    from harness.doors.regressing import Counterexample
    from harness.pytest_interleave import Interleave
    from harness.words.recording import Recording

PROFILES = {"ci": 200, "dev": 200, "nightly": 5000}
"""Name to how many schedules ``interleave`` runs when nobody says how many."""
SCHEDULES = 200
"""The same without a profile."""
SOURCES = ("auto", "embedded", "embedded-17", "local", "container")

NOTES = "harness"
"""The name of our entries among the user properties of a test's report, which cross from workers."""


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    meaning: str
    expected: str
    read: Callable[[str], Any] = str
    words: tuple[str, ...] = ()


OPTIONS = (
    _Option("dsn", "a PostgreSQL server to use; only databases that we make and drop there are touched", "a DSN"),
    _Option("database", "where PostgreSQL comes from otherwise", " or ".join(SOURCES), words=SOURCES),
    _Option("seed", "from which everything is drawn", "a whole number from 0", _natural),
    _Option("schedules", "how many schedules interleave runs at most", "a whole number from 1", _positive),
    _Option("profile", "Hypothesis's profile, and how much is run", " or ".join(PROFILES), words=tuple(PROFILES)),
    _Option("replay", "a schedule file: its test alone is run, under this schedule", "a file", Path),
    _Option("shards", "parts of a test that asks for the fixture shard", "a whole number from 1", _positive),
)
"""Each is ``--harness-NAME`` on the command line, and ``harness_NAME`` in the configuration file."""


@dataclass(slots=True)
class Settings:
    """What the options come to."""

    dsn: str | None
    database: str
    seed: int
    schedules: int | None
    profile: str | None
    replay: Recording | None
    shards: int
    ticket: tuple[str, str] | None = None
    """Where a worker of pytest-xdist borrows the server."""


_settings = pytest.StashKey[Settings]()
_exits = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "schedules and servers (atomic-payment-harness)")
    for option in OPTIONS:
        group.addoption(
            f"--harness-{option.name}", metavar=option.name.upper(), help=f"{option.meaning}: {option.expected}"
        )
        parser.addini(f"harness_{option.name}", f"--harness-{option.name}")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_exits] = ExitStack()
    try:
        config.stash[_settings] = settings = _read(config)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(_shards(settings), "harness-shards")
    if settings.profile is not None:
        from harness.profiles import load_profile

        load_profile(settings.profile, config.rootpath / ".hypothesis" / "harness")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _exits in config.stash:
        config.stash[_exits].close()


def _read(config: pytest.Config) -> Settings:
    """Raises ``pytest.UsageError`` for a value that is none, ``HarnessError`` for a DSN or file that cannot be read."""
    values = {option.name: _value(config, option) for option in OPTIONS}
    given = getattr(config, "workerinput", {})
    if (dsn := values["dsn"]) is not None:
        from harness.db.admin import parse_dsn

        parse_dsn(dsn)
        if values["database"] not in (None, "auto"):
            raise pytest.UsageError("--harness-dsn and --harness-database exclude each other")
    if values["replay"] is not None:
        from harness.words.recording import Recording

        values["replay"] = Recording.load(values["replay"])
    seed = values["seed"]
    if seed is None:
        seed = secrets.randbelow(2**32) if values["profile"] in ("dev", "nightly") else 0
    workers = given.get("workercount") or len(getattr(config.option, "tx", None) or ())
    return Settings(
        dsn=dsn,
        database=values["database"] or "auto",
        seed=given.get("harness_seed", seed),
        schedules=values["schedules"],
        profile=values["profile"],
        replay=values["replay"],
        shards=values["shards"] or workers or 1,
        ticket=given.get("harness_ticket"),
    )


def _value(config: pytest.Config, option: _Option) -> Any:
    name = f"--harness-{option.name}"
    text = config.getoption(name)
    if text is None:
        name, text = f"harness_{option.name}", config.getini(f"harness_{option.name}") or None
    if text is None:
        return None
    refusal = pytest.UsageError(f"{name}: {text!r} will not do; expected {option.expected}")
    if option.words and text not in option.words:
        raise refusal
    try:
        return option.read(text)
    except ValueError:
        raise refusal from None


def pytest_report_header(config: pytest.Config) -> str:
    settings = config.stash[_settings]
    profile = f", profile {settings.profile}" if settings.profile else ""
    return f"harness: seed {settings.seed}{profile}"


# -- pytest-xdist ---------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller, for each worker (``node``) before it starts."""
    settings = node.config.stash[_settings]
    node.workerinput["harness_seed"] = settings.seed
    if settings.dsn is not None:
        return
    if settings.ticket is None:
        from harness.db.lending import Lender

        settings.ticket = node.config.stash[_exits].enter_context(Lender(settings.database)).ticket
    node.workerinput["harness_ticket"] = settings.ticket


# -- fixtures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[AnyServer]:
    """A PostgreSQL server for this run of the tests, started for the first that asks.

    Workers share it: make databases (``with server.database() as dsn``), and change nothing that others would see.
    """
    from harness.db.lending import borrow
    from harness.db.provision import provision

    settings = pytestconfig.stash[_settings]
    exits = ExitStack()
    try:
        choice = settings.dsn or (borrow(settings.ticket) if settings.ticket else settings.database)
        server = exits.enter_context(provision(choice))
    except HarnessError as error:
        pytest.fail(f"no server: {error}", pytrace=False)
    with exits:
        yield server


@pytest.fixture
def database(server: AnyServer) -> Iterator[Any]:
    """An autocommit connection (psycopg's) to an empty database that this test alone uses; dropped after it."""
    from harness.db.admin import connect

    with server.database() as dsn, connect(dsn) as connection:
        yield connection


@pytest.fixture
def interleave(request: pytest.FixtureRequest, server: AnyServer, database: Any) -> Iterator[Interleave]:
    """Runs programs of a connection at the same time, in every order (``Interleave.__call__``)."""
    from harness.db.pinning import choose_core
    from harness.interleave.ground import ground_of
    from harness.pytest_interleave import Circumstances, Interleave

    settings = request.config.stash[_settings]
    node = request.node

    def say(line: str) -> None:
        node.user_properties.append((NOTES, line))
        node.add_report_section("call", "harness", line)

    circumstances = Circumstances(
        test=node.nodeid,
        seed=settings.seed,
        schedules_wanted=settings.schedules if request.config.getoption("--harness-schedules") else None,
        schedules_default=settings.schedules or PROFILES.get(settings.profile or "", SCHEDULES),
        schedule_files=Path("reports") / "schedules",
        replay=settings.replay,
        say=say,
    )
    core = choose_core(0) if server.local else None
    with ExitStack() as exits:
        try:
            ground = exits.enter_context(ground_of(server, database, core))
        except HarnessError as error:
            pytest.fail(f"no interleaving: {error}", pytrace=False)
        yield Interleave(ground, circumstances)


@pytest.fixture
def counterexample(request: pytest.FixtureRequest, server: AnyServer) -> Counterexample:
    """Makes an exported counterexample again, and fails while it still is one (``Counterexample.__call__``)."""
    from harness.doors.regressing import Counterexample

    settings = request.config.stash[_settings]
    node = request.node

    def say(line: str) -> None:
        node.user_properties.append((NOTES, line))
        node.add_report_section("call", "harness", line)

    most = settings.schedules or PROFILES.get(settings.profile or "", SCHEDULES)
    return Counterexample(server, most, say)


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of a test that is split: ``number`` (from 1) of ``count``, with a seed that no other part has."""

    number: int
    count: int
    seed: int

    def share(self, total: int) -> int:
        """How many of ``total`` examples are this part's: the parts of all shards add up to it."""
        return (total * self.number) // self.count - (total * (self.number - 1)) // self.count


def _shards(settings: Settings) -> object:
    """The fixture ``shard``: it cannot be written before the number of shards is known."""

    class Shards:
        @pytest.fixture(params=range(1, settings.shards + 1), ids=lambda number: f"shard{number}of{settings.shards}")
        def shard(self, request: pytest.FixtureRequest) -> Shard:
            """One of the parts into which the test is split."""
            return Shard(request.param, settings.shards, _seed_of(settings.seed, request.node.nodeid))

    return Shards()


def _seed_of(seed: int, test: str) -> int:
    """Each test, and each shard of one, draws from a seed of its own."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{test}".encode()).digest()[:8], "big")


# -- running and telling --------------------------------------------------------------------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A replay is that of one test."""
    replay = config.stash[_settings].replay
    if replay is None:
        return
    test = replay.scenario.partition(" #")[0]
    chosen = [item for item in items if item.nodeid == test]
    if not chosen:
        raise pytest.UsageError(f"--harness-replay: the schedule was recorded in {test}, which was not collected")
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid != test])
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    settings = item.config.stash[_settings]
    if settings.profile is None or item.config.getoption("--hypothesis-seed", None) is not None:
        return (yield)
    from harness.profiles import drawing_from

    with drawing_from(_seed_of(settings.seed, item.nodeid)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and report.when == "call":
        settings = item.config.stash[_settings]
        if settings.profile is not None or {"interleave", "shard"} & {*getattr(item, "fixturenames", ())}:
            report.sections.append(("harness", f"the seed of this run: --harness-seed {settings.seed}"))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How much was explored, test by test."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    notes = [
        (report.nodeid, text)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in report.user_properties
        if name == NOTES
    ]
    if notes:
        terminalreporter.section("harness: what was explored")
        for test, text in notes:
            terminalreporter.line(f"{test}: {text}")
