"""The rules of the house as tests, each with a planted offence to show that it can fail.

A rule is a function from the root of a tree to the offences in it, one line each: ``file:line what``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Rule = Callable[[Path], list[str]]

LAYERS = (
    {"__init__", "words"},
    {"resources"},
    {"explore", "check", "stats", "db"},
    {"engine"},
    {"report"},  # and every part that no other layer names: what runs
    {"doors", "pytest_interleave"},
    {"commands"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)
RUNS = 4
"""The index of the layer of report/ and of what runs: marketplace/, verify, ... Report and the others do not meet."""
ANNEXES = {"purchase", "gateway"}
"""What is tested, and the payment gateway that it is tested against: each by itself, with no code in common."""
PURE = {"words", "explore", "check", "stats"}
"""Standard library and harness.words only."""
DRIVER = {
    *("db", "marketplace", "verify", "stress", "faults", "purchase", "interleave", "load", "monitor", "requests"),
    "compare",
    "export",
}
"""Where psycopg may be imported: the tower of the database, and what runs on it."""
LINES_MAX = {"harness": 400, "tests": 600}
"""Tests are longer, being lists of cases."""
VAGUE = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
MACHINE = re.compile(  # in pieces, so that this file does not bear what it forbids
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|opt|home/\w+)/",
            "/tmp/" r"v\b",
            "pypi" r"\.org",
            "pythonhosted" r"\.org",
            "npmjs" r"\.(?:org|com)",
            "deb" r"\.debian\.org",
        ]
    )
)


@cache
def tree(root: Path) -> list[Path]:
    """The files that are, or on the next ``git add .`` would be, in the repository; in a plain folder, all files."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (root / ".git").exists():
        names = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
        return sorted(path for name in names if name and (path := root / name).is_file())
    return sorted(path for path in root.rglob("*") if path.is_file() and not {"__pycache__", ".venv"} & {*path.parts})


def modules(root: Path, *folders: str) -> Iterator[tuple[str, Path, ast.Module]]:
    """(name from the root, path, syntax tree) of every Python file in the folders."""
    for path in tree(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".py" and name.partition("/")[0] in folders:
            yield name, path, parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    """A file is parsed once for all the rules."""
    return ast.parse(path.read_text(), path.name)


def part_of(module: str) -> str:
    """``harness.db.session`` and ``harness/db/session.py`` belong to ``db``."""
    names = module.removesuffix(".py").replace("/", ".").split(".")
    return names[1] if len(names) > 1 else "__init__"


def layer_of(part: str) -> int:
    return next((index for index, layer in enumerate(LAYERS) if part in layer), RUNS)


def imports(name: str, syntax: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, module) for each import, also those inside functions; ``from harness import x`` is ``harness.x``."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = name.split("/")[: -node.level] if node.level else []
            module = ".".join([*folder, *([node.module] if node.module else [])])
            if module == "harness":
                yield from ((node.lineno, f"harness.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def imports_point_down(root: Path) -> list[str]:
    offences = []
    for name, _, syntax in modules(root, "harness"):
        part = part_of(name)
        for line, module in imports(name, syntax):
            other = part_of(module)
            if module.partition(".")[0] != "harness" or other == part or other.startswith("__version"):
                continue
            both_run = layer_of(part) == layer_of(other) == RUNS and "report" not in (part, other)
            if not both_run and (layer_of(other) >= layer_of(part) or (part == "report" and other == "db")):
                offences.append(f"{name}:{line} {part} imports {other}")
    return offences


def drivers_stay_in_their_place(root: Path) -> list[str]:
    return [
        f"{name}:{line} imports {module}"
        for name, _, syntax in modules(root, "harness")
        for line, module in imports(name, syntax)
        if module.partition(".")[0] in {"psycopg", "psycopg_pool", "psycopg2", "asyncpg"}
        and part_of(name) not in DRIVER
    ]


def annexes_stand_apart(root: Path) -> list[str]:
    """An annex imports nothing of ours but itself, and nobody else knows the stripe library.

    The doors open the API under test; what asks the gateway for its controls may be anyone who runs.
    """
    offences = []
    for name, _, syntax in modules(root, "harness"):
        ours = part_of(name)
        for line, module in imports(name, syntax):
            top, other = module.partition(".")[0], part_of(module)
            apart = ours in ANNEXES and top == "harness" and other != ours
            entered = ours != other and other == "purchase" and top == "harness" and layer_of(ours) <= RUNS
            below = other == "gateway" and top == "harness" and layer_of(ours) < RUNS
            if apart or entered or below or (top == "stripe" and ours not in ANNEXES):
                offences.append(f"{name}:{line} imports {module}")
    return offences


def the_pure_stay_pure(root: Path) -> list[str]:
    return [
        f"{name}:{line} imports {module}"
        for name, _, syntax in modules(root, "harness")
        if part_of(name) in PURE
        for line, module in imports(name, syntax)
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "harness"}
    ]


def only_doors_and_reports_print(root: Path) -> list[str]:
    return [
        f"{name}:{node.lineno} prints"
        for name, _, syntax in modules(root, "harness")
        if part_of(name) not in {"cli", "report"}
        for node in ast.walk(syntax)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "pprint"}
    ]


def names_say_something(root: Path) -> list[str]:
    return [
        f"{name} is a name that says nothing"
        for name, path, _ in modules(root, "harness", "tests")
        if VAGUE & {word for part in (path.stem, path.parent.name) for word in part.split("_")}
    ]


def files_are_short(root: Path) -> list[str]:
    return [
        f"{name} has {count} lines, more than {LINES_MAX[folder]}"
        for folder in LINES_MAX
        for name, path, _ in modules(root, folder)
        if (count := len(path.read_text().splitlines())) > LINES_MAX[folder]
    ]


def public_things_are_explained(root: Path) -> list[str]:
    """Docstrings for every module, every class, and every function that another module imports by name."""
    wanted = {
        (node.module, alias.name)
        for _, _, syntax in modules(root, "harness", "scenarios")
        for node in ast.walk(syntax)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    offences = []
    for name, _, syntax in modules(root, "harness", "tests"):
        if syntax.body and not ast.get_docstring(syntax):
            offences.append(f"{name}:1 no docstring")
        module = name.removesuffix(".py").replace("/", ".")
        for node in syntax.body if name.startswith("harness/") else []:
            if isinstance(node, ast.ClassDef):
                public = not node.name.startswith("_")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                public = (module, node.name) in wanted
            else:
                continue
            if public and not ast.get_docstring(node):
                offences.append(f"{name}:{node.lineno} {node.name} has no docstring")
    return offences


def errors_are_not_swallowed(root: Path) -> list[str]:
    offences = []
    for name, _, syntax in modules(root, "harness", "tests", "locustfiles", "scenarios"):
        for node in ast.walk(syntax):
            if isinstance(node, ast.ExceptHandler):
                everything = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
                silent = all(isinstance(item, ast.Pass | ast.Continue) or is_text(item) for item in node.body)
                if node.type is None or (everything and silent):
                    offences.append(f"{name}:{node.lineno} catches everything")
            elif isinstance(node, ast.Call) and suppresses(node):
                offences.append(f"{name}:{node.lineno} suppresses everything")
    return offences


def suppresses(call: ast.Call) -> bool:
    """Whether it is ``suppress(Exception)``, by whatever name of its module."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "suppress" and not {"Exception", "BaseException"}.isdisjoint(map(ast.unparse, call.args))


def is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def no_machine_is_named(root: Path) -> list[str]:
    offences = []
    for path in tree(root):
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:  # not a text
            continue
        name = path.relative_to(root).as_posix()
        matches = [(number, MACHINE.search(line)) for number, line in enumerate(lines, 1)]
        offences += [f"{name}:{number} {match[0]}" for number, match in matches if match]
    return offences


def packages_are_pinned(root: Path) -> list[str]:
    """requirements.txt: every package of pyproject.toml with version and hashes, and no word of where it was got."""
    offences = [f"{path.relative_to(root)} names its registry" for path in tree(root) if path.name == "uv.lock"]
    text = (root / "requirements.txt").read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    entry = re.compile(r"([a-z0-9-]+)==[\w.+!]+( ;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    offences += [f"requirements.txt: {line[:60]}" for line in pins if not entry.fullmatch(line) or "://" in line]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = list(chain(project["dependencies"], *project["optional-dependencies"].values()))
    names = {re.split(r"[\[<>=!~; ]", item)[0] for item in wanted} - {project["name"]}
    pinned = {line.partition("==")[0] for line in pins}
    return offences + [f"requirements.txt: {name} is not pinned: make lock" for name in sorted(names - pinned)]


PLANTED: dict[Rule, dict[str, str]] = {
    imports_point_down: {
        "harness/words/a.py": "from harness.db import session",
        "harness/check/a.py": "import harness.explore.pct",
        "harness/db/a.py": "def f() -> None:\n    from harness import engine",
        "harness/engine/a.py": "from ..marketplace import start",
        "harness/report/a.py": "from harness.db.session import Session",
        "harness/marketplace/a.py": "from harness.report import html",
        "harness/verify.py": "from harness import cli",
    },
    drivers_stay_in_their_place: {
        "harness/engine/a.py": "from psycopg.abc import Query",
        "harness/report/a.py": "import psycopg",
    },
    annexes_stand_apart: {
        "harness/purchase/a.py": "from harness.words.errors import HarnessError",
        "harness/marketplace/a.py": "from harness.purchase.webhook import receive",
        "harness/verify/a.py": "from harness import purchase",
        "harness/gateway/a.py": "from harness.words.errors import HarnessError",
        "harness/gateway/b.py": "from harness.purchase.webhook import receive",
        "harness/purchase/b.py": "from harness.gateway.signature import signature_header",
        "harness/db/a.py": "from harness.gateway import process",
        "harness/doors.py": "import stripe",
    },
    the_pure_stay_pure: {"harness/words/a.py": "import rich.table", "harness/stats/a.py": "from numpy import median"},
    only_doors_and_reports_print: {"harness/engine/a.py": "if __debug__:\n    print('here')"},
    names_say_something: {"harness/db/sql_utils.py": "", "harness/common/a.py": "", "tests/helpers.py": ""},
    files_are_short: {"harness/a.py": "x = 1\n" * 401, "tests/test_a.py": "x = 1\n" * 601},
    public_things_are_explained: {
        "harness/a.py": "x = 1",
        "harness/b.py": "'''B.'''\ndef f() -> None:\n    pass",
        "harness/c.py": "'''C.'''\nfrom harness.b import f\nclass D:\n    pass",
        "tests/test_a.py": "x = 1",
    },
    errors_are_not_swallowed: {
        "harness/a.py": "try:\n    f()\nexcept:\n    g()",
        "harness/b.py": "try:\n    f()\nexcept Exception:\n    pass",
        "harness/c.py": "with contextlib.suppress(Exception):\n    f()",
    },
    no_machine_is_named: {
        "docs/a.md": "see /" + "work/main/x",
        "b.txt": "https://" + "pypi" + ".org/simple",
        "c.toml": "find-links = '/" + "opt/wheels'",
        "d": "/tmp/" + "v/bin/python",
    },
    packages_are_pinned: {
        "uv.lock": "",
        "pyproject.toml": "[project]\nname = 'a'\ndependencies = ['b', 'c[x]']\noptional-dependencies = {d = ['a[d]']}",
        "requirements.txt": "--index-url x\nb==1 \\\n    --hash=sha256:" + 64 * "0" + "\ne==1\n",
    },
}


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule) -> None:
    offences = rule(ROOT)
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_an_offence_is_found(rule: Rule, tmp_path: Path) -> None:
    for name, text in PLANTED[rule].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    guilty = {re.split(r"[: ]", offence)[0] for offence in rule(tmp_path)}
    assert guilty == set(PLANTED[rule]) - {"pyproject.toml"}


def test_every_line_that_pins_badly_is_found(tmp_path: Path) -> None:
    for name, text in PLANTED[packages_are_pinned].items():
        (tmp_path / name).write_text(text)
    assert packages_are_pinned(tmp_path) == [
        "uv.lock names its registry",
        "requirements.txt: --index-url x",
        "requirements.txt: e==1",
        "requirements.txt: c is not pinned: make lock",
    ]


def test_imports_that_point_down_pass(tmp_path: Path) -> None:
    innocent = {
        "harness/words/a.py": "from harness.words import b",
        "harness/db/a.py": "import psycopg\nfrom harness.words.errors import HarnessError\nfrom . import b",
        "harness/engine/a.py": "from harness.explore import pct\nfrom harness import __version__",
        "harness/verify.py": "from harness import marketplace, resources\nfrom harness.engine import campaign",
        "harness/cli.py": "from harness import report, verify",
        "harness/purchase/a.py": "import psycopg\nimport stripe\nfrom harness.purchase import b",
        "harness/doors.py": "from harness.purchase.webhook import receive",
        "harness/gateway/a.py": "import stripe\nfrom harness.gateway.signature import signature_header",
        "harness/load/a.py": "from harness.gateway.process import gateway_process",
    }
    for name, text in innocent.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for rule in (
        imports_point_down,
        drivers_stay_in_their_place,
        annexes_stand_apart,
        the_pure_stay_pure,
    ):
        assert rule(tmp_path) == []
