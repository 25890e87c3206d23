"""A subject: a folder with the SQL that is put under test, and ``subject.toml``, which says how to speak to it.

docs/own-subject.md explains every entry. Whatever is wrong in a folder is a ``UsageError`` that names file and line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from harness.marketplace.names import IDS
from harness.marketplace.operations import CompleteCredit, Operation, UpdatePrice
from harness.marketplace.start import Start
from harness.marketplace.toml_file import TomlFile
from harness.words.errors import UsageError

FILE = "subject.toml"

FIXTURES = {
    "workspace": ("id", "name", "balance"),
    "lead": ("id", "seller", "price", "status", "sold_count"),
    "purchase": ("id", "workspace", "method", "status", "total"),
    "item": ("purchase", "lead", "price"),
    "reservation": ("purchase", "lead", "workspace", "expired"),
    "top_up": ("id", "workspace", "amount"),
    "wipe": (),
}
"""Fixture to the parameters of its statements."""

PROBES = {
    "balances": ("id", "balance"),
    "leads": ("id", "status", "sold_count"),
    "purchases": ("id", "status"),
    "items": ("purchase", "lead"),
    "ledger": ("id", "total"),
    "charges": ("purchase", "workspace", "amount"),
    "reservations": ("purchase", "lead"),
    "top_ups": ("id", "status"),
    "keys": ("workspace", "key", "status"),
}
"""Probe to the columns of its SELECT."""

REQUIRED = {
    "fixtures": ("workspace", "lead", "purchase", "item", "wipe"),
    "probes": ("balances", "leads", "purchases", "items"),
}
"""Without these there is nothing to verify. All the others may be left out."""

WITHOUT = {
    "unpriced": "leads without a price",
    "unlisted": "unlisted leads",
    "stripe": "Stripe purchases",
    "completed": "purchases that are completed from the start",
    "failed": "failed purchases",
    "cancelled": "cancelled purchases",
    "refunded": "refunded purchases",
    "refund_required": "purchases whose refund is owed",
    "fractions": "amounts that are not whole",
}
"""What a scenario may have and a subject may be ``without``: word to meaning."""

KEYS = ("name", "description", "roles", "client_role", "api_role", "schemas", "ids", "without", "migrations", "down")
TABLES = ("executors", "fixtures", "probes", "calls", "refusals")


def call_name(operation: type) -> str:
    """``CompleteCredit`` is ``complete_credit`` in ``[calls]``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation.__name__).lower()


CALLS: Mapping[str, type] = {call_name(operation): operation for operation in get_args(Operation)}


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What ``subject.toml`` says. Files are in the order in which they are to be run: ``down`` undoes, latest first.

    Sessions of clients take ``client_role`` (None: they stay what they are), requests to the API are served as
    ``api_role`` (None: as the clients'). ``executors`` are other roles, each with
    the names of the functions that it may execute as well. ``ids`` is one of ``names.IDS``; the words in ``without``
    are of ``WITHOUT``.
    ``digest`` is twelve hex digits over ``subject.toml`` and the migrations: a schedule is replayed on no other text.
    """

    name: str
    description: str
    file: TomlFile
    digest: str
    roles: tuple[str, ...]
    client_role: str | None
    api_role: str | None
    executors: Mapping[str, tuple[str, ...]]
    schemas: tuple[str, ...]
    ids: str
    without: tuple[str, ...]
    migrations: tuple[Path, ...]
    down: tuple[Path, ...]
    fixtures: Mapping[str, tuple[str, ...]]
    probes: Mapping[str, str]
    calls: Mapping[str, tuple[str, ...]]
    refusals: Mapping[str, re.Pattern[str]]

    def has(self, operation: type) -> bool:
        """Can a client ask this subject for an operation of this class?"""
        return call_name(operation) in self.calls

    def lacks(self, start: Start, operations: Collection[Operation]) -> tuple[str, ...]:
        """What a scenario needs and this subject leaves out, in words; the scenario is not applicable then."""
        wanted = [f"call {call_name(type(each))}" for each in operations if not self.has(type(each))]
        if start.top_ups and "top_up" not in self.fixtures:
            wanted.append("fixture top_up")
        if "reservation" not in self.fixtures and any(row.reserved for row in start.purchases.values()):
            wanted.append("fixture reservation")
        wanted += [WITHOUT[word] for word in _found_in(start, operations) if word in self.without]
        return tuple(dict.fromkeys(wanted))


def _found_in(start: Start, operations: Collection[Operation]) -> Iterator[str]:
    """The words of ``WITHOUT`` that speak of something in a scenario, and others."""
    amounts = [*start.workspaces.values(), *(row.amount for row in start.top_ups.values())]
    for lead in start.leads.values():
        yield lead.status
        if lead.price is None:
            yield "unpriced"
        else:
            amounts.append(lead.price)
    for purchase in start.purchases.values():
        yield from (purchase.status, purchase.method)
    for operation in operations:
        if isinstance(operation, CompleteCredit):
            amounts.append(operation.amount)
        elif isinstance(operation, UpdatePrice):
            amounts.append(operation.price)
    if any(amount % 1 != 0 for amount in amounts):
        yield "fractions"


def load_subject(name_or_path: str, bundled: Path) -> Subject:
    """The subject of that name among the ``bundled`` ones, or in the folder at a path (anything with a slash).

    Raises ``UsageError`` for whatever is wrong with it.
    """
    foreign = re.search(r"[/\\]|^\.", name_or_path) is not None
    folder = Path(name_or_path) if foreign else bundled / name_or_path
    if not (folder / FILE).is_file():
        ours = sorted(path.parent.name for path in bundled.glob(f"*/{FILE}"))
        raise UsageError(
            "no-subject",
            f"there is no {FILE} in {folder}" if foreign else f"there is no subject {name_or_path!r}",
            expected=f"one of {', '.join(ours)}, or the path of a folder with a {FILE}",
            remedy=f"write ./{name_or_path} if that is your folder" if Path(name_or_path, FILE).is_file() else "",
        )
    return _read(TomlFile(folder / FILE))


def placeholders(statement: str) -> tuple[str, ...]:
    """The parameters of a statement. Raises ``ValueError`` for a percent sign that is not in ``%(name)s`` or ``%%``."""
    found = []
    for match in re.finditer(r"%(?:(%)|\((\w+)\)s)?", statement):
        if match[2]:
            found.append(match[2])
        elif not match[1]:
            raise ValueError(statement[match.start() :][:12].split("\n")[0])
    return tuple(dict.fromkeys(found))


def _read(file: TomlFile) -> Subject:
    file.keys("", (*KEYS, *TABLES))
    for table, parts in REQUIRED.items():
        given = file.keys(table, FIXTURES if table == "fixtures" else PROBES)
        for part in parts:
            if part not in given:
                file.reject(f"[{table}] has no {part}", table, expected=f"all of {', '.join(parts)}")
    roles = file.strings("", "roles", ())
    if (ids := file.string("", "ids", IDS[0])) not in IDS:
        file.reject(f"ids is {ids!r}", "", "ids", expected=" or ".join(IDS))
    for word in (without := file.strings("", "without", ())):
        if word not in WITHOUT:
            file.unknown(f"without: unknown word {word!r}", word, WITHOUT, "", "without")
    migrations = _files(file, "migrations")
    return Subject(
        name=file.string("", "name"),
        description=file.string("", "description", ""),
        file=file,
        digest=digest_of(file, migrations),
        roles=roles,
        client_role=_role(file, "client_role", roles),
        api_role=_role(file, "api_role", roles),
        executors={each: file.strings("executors", each) for each in file.keys("executors", roles)},
        schemas=file.strings("", "schemas", ("public",)),
        ids=ids,
        without=without,
        migrations=migrations,
        down=_files(file, "down")[::-1],
        fixtures={fixture: _fixture(file, fixture) for fixture in file.keys("fixtures")},
        probes={probe: _probe(file, probe) for probe in file.keys("probes")},
        calls={operation: _call(file, operation) for operation in file.keys("calls", CALLS)},
        refusals={code: _refusal(file, code) for code in file.keys("refusals")},
    )


def _role(file: TomlFile, key: str, roles: Collection[str]) -> str | None:
    role = file.string("", key, "")
    if role and role not in roles:
        file.reject(f"{key} {role!r} is not among the roles", "", key, expected=f"one of {roles}")
    return role or None


def _fixture(file: TomlFile, fixture: str) -> tuple[str, ...]:
    statements = file.strings("fixtures", fixture)
    for statement in statements:
        _check_parameters(file, "fixtures", fixture, statement, FIXTURES[fixture])
    return statements


def _probe(file: TomlFile, probe: str) -> str:
    query = file.string("probes", probe)
    _check_parameters(file, "probes", probe, query, ())
    return query


def _call(file: TomlFile, operation: str) -> tuple[str, ...]:
    statements = file.strings("calls", operation)
    own = [field.name for field in fields(CALLS[operation])]
    inside = answered = False
    for number, statement in enumerate(statements, 1):
        # What an earlier statement answers is known only when it runs: the client checks that.
        _check_parameters(file, "calls", operation, statement, None if answered else own)
        word = _transaction_word(statement)
        if (word == "BEGIN" and inside) or (word == "END" and not inside):
            file.reject(f"{operation}: statement {number} is out of place", "calls", operation, expected=_PAIRS)
        inside = word == "BEGIN" or (inside and word != "END")
        answered = answered or not word
    if inside or not answered:
        file.reject(f"{operation} ends too early", "calls", operation, expected=_PAIRS)
    return statements


_PAIRS = "statements, with one COMMIT after each BEGIN"


def _transaction_word(statement: str) -> str:
    if re.match(r"\s*(BEGIN|START\s+TRANSACTION)\b", statement, re.IGNORECASE):
        return "BEGIN"
    ends = re.match(r"\s*(COMMIT|END|ABORT|ROLLBACK)\b(?!.*\bTO\b)", statement, re.IGNORECASE | re.DOTALL)
    return "END" if ends else ""


def _refusal(file: TomlFile, code: str) -> re.Pattern[str]:
    try:
        return re.compile(file.string("refusals", code))
    except re.error as error:
        file.reject(f"{code} is no regular expression: {error}", "refusals", code)


def _check_parameters(file: TomlFile, table: str, key: str, statement: str, known: Collection[str] | None) -> None:
    try:
        used = placeholders(statement)
    except ValueError as error:
        file.reject(f"{key}: stray percent sign at {error}", table, key, expected="%(name)s, or %% for the sign itself")
    for name in used:
        if known is not None and name not in known:
            file.unknown(f"{key}: unknown parameter {name!r}", name, known, table, key)


def _files(file: TomlFile, key: str) -> tuple[Path, ...]:
    folder, found = file.path.parent, dict[Path, None]()
    for pattern in file.strings("", key, () if key == "down" else None):
        try:
            matches = sorted(path for path in folder.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError) as error:
            file.reject(f"{key}: {pattern!r} is no pattern: {error}", "", key)
        if not matches:
            file.reject(f"{key}: {pattern!r} matches no file", "", key, expected=f"files in {folder}")
        found.update(dict.fromkeys(matches))
    return tuple(found)


def digest_of(file: TomlFile, migrations: Iterable[Path]) -> str:
    """Twelve hex digits over the text of a ``subject.toml`` and of migrations."""
    digest = hashlib.sha256(file.text.encode())
    for path in migrations:
        digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
