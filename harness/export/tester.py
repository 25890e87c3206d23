"""Runs a specification as PostgreSQL's isolationtester does (14 and later), and writes what that would write.

That is how the expected output is made on a machine without isolationtester, and how it is known that the exported file
does what it is meant to: it is run once before anybody gets it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from select import select

from psycopg import generators, pq, waiting

from harness.export.script import Answer
from harness.export.spec import Spec
from harness.words.errors import CouldNotRun

_POLL_S = 0.01
_PATIENCE_S = 60.0

_BLOCKED = b"SELECT pg_catalog.pg_isolation_test_session_is_blocked($1, $2)"


def run_spec(dsn: str, spec: Spec) -> str:
    """What isolationtester writes for the specification on the database at ``dsn``, which is empty before and after.

    Raises ``CouldNotRun`` where the server refuses a setup, a step does not come to an end, or its answer is another
    than the recorded one.
    """
    with ExitStack() as exits:
        connections = [_connect(dsn, exits) for _ in range(1 + len(spec.sessions))]
        control = connections[0]
        out = [f"Parsed test spec with {len(spec.sessions)} sessions\n"]
        out.append("\nstarting permutation: " + " ".join(step for _, step in spec.permutation) + "\n")
        for setup in spec.setups:
            _execute(control, setup)
        pids = b"{%s}" % b",".join(b"%d" % each.backend_pid for each in connections[1:])
        clients = {}
        for session, connection in zip(spec.sessions, connections[1:], strict=True):
            clients[session.name] = _Client(session.name, connection, control, pids, out)
            if session.setup:
                _execute(connection, session.setup)
        texts = {step: text for session in spec.sessions for step, text in session.steps.items()}
        underway: list[_Client] = []
        for owner, step in spec.permutation:
            client = clients[owner]
            if client.step:
                client.complete(retry=True, may_block=False)
                underway.remove(client)
            client.launch(step, texts[step])
            waits = client.complete(retry=False, may_block=True)
            underway = [each for each in underway if each.complete(retry=True, may_block=True)]
            if waits:
                underway.append(client)
        for client in underway:
            client.complete(retry=True, may_block=False)
        _execute(control, spec.teardown)
        for client in clients.values():
            _require_recorded(spec, client.answers)
        return "".join(out)


def _require_recorded(spec: Spec, answers: Mapping[str, str]) -> None:
    for step, seen in answers.items():
        if step in spec.recorded and seen != (recorded := "".join(map(_shown, spec.recorded[step]))):
            raise CouldNotRun(
                "export-differs",
                f"step {step} of the exported specification was answered {' '.join(seen.split())!r:.120}",
                expected=f"{' '.join(recorded.split())!r:.120}, as in the recorded run",
                remedy="export it --as pytest, or show it with harness replay",
            )


def _shown(answer: Answer) -> str:
    if answer.sqlstate:
        return f"ERROR:  {answer.message}\n"
    if not answer.columns:
        return ""
    rows = [[None if value is None else value.encode() for value in row] for row in answer.rows]
    return printed([column.encode() for column in answer.columns], rows)


class _Client:
    """A session of the specification; ``step`` is what it is at, empty when it is idle."""

    def __init__(
        self, name: str, connection: pq.abc.PGconn, control: pq.abc.PGconn, pids: bytes, out: list[str]
    ) -> None:
        self.step = ""
        self.answers: dict[str, str] = {}
        """What was printed as the answer to each step."""
        self._text = ""
        self._connection = connection
        self._control = control
        self._pids = pids
        self._out = out
        connection.notice_handler = lambda notice: out.append(f"{name}: {notice.get_error_message()}")

    def launch(self, step: str, text: str) -> None:
        self.step, self._text = step, text
        self._connection.send_query(text.encode())

    def complete(self, *, retry: bool, may_block: bool) -> bool:
        """Write down how the step ends. True when it waits for another session, which ``may_block`` allows."""
        began = time.monotonic()
        while self._connection.is_busy():
            if select((self._connection.socket,), (), (), _POLL_S)[0]:
                self._connection.consume_input()
                continue
            if may_block and self._is_blocked():
                if not retry:
                    self._out.append(f"step {self.step}: {self._text} <waiting ...>\n")
                return True
            if time.monotonic() - began > _PATIENCE_S:
                raise CouldNotRun(
                    "export-hangs",
                    f"step {self.step} of the exported specification does not end",
                    expected="the run that was recorded",
                    remedy="harness replay tells whether the run can still be made; run verify again",
                )
        self._out.append(f"step {self.step}: " + ("<... completed>\n" if retry else f"{self._text}\n"))
        answer = self.answers[self.step] = "".join(self._results())
        self._out.append(answer)
        self.step = ""
        return False

    def _is_blocked(self) -> bool:
        answer = self._control.exec_params(_BLOCKED, (b"%d" % self._connection.backend_pid, self._pids))
        return answer.get_value(0, 0) == b"t"

    def _results(self) -> Iterator[str]:
        while (result := self._connection.get_result()) is not None:
            if result.status == pq.ExecStatus.TUPLES_OK:
                yield printed(
                    [result.fname(column) or b"" for column in range(result.nfields)],
                    [
                        [result.get_value(row, column) for column in range(result.nfields)]
                        for row in range(result.ntuples)
                    ],
                )
            elif result.status == pq.ExecStatus.FATAL_ERROR:
                severity = result.error_field(pq.DiagnosticField.SEVERITY) or b""
                message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
                yield f"{severity.decode()}:  {message.decode()}\n"


def printed(columns: list[bytes], rows: list[list[bytes | None]]) -> str:
    """A result as libpq's ``PQprint`` prints it, aligned: numbers to the right, everything else to the left."""
    texts = [[value or b"" for value in row] for row in rows]
    widths = [max(map(len, [name, *(row[place] for row in texts)])) for place, name in enumerate(columns)]
    left = [not all(_is_number(row[place]) for row in texts if row[place]) for place in range(len(columns))]

    def line(cells: list[bytes]) -> bytes:
        padded = zip(cells, widths, left, strict=True)
        return b"|".join(cell.ljust(width) if to_left else cell.rjust(width) for cell, width, to_left in padded)

    border = b"+".join(b"-" * width for width in widths)
    lines = [line(columns), border, *map(line, texts)]
    footer = f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n\n"
    return b"".join(each + b"\n" for each in lines).decode() + footer


def _is_number(value: bytes) -> bool:
    return all(byte in b"0123456789.Ee -" for byte in value) and value[:1] not in (b"E", b"e") and value[-1:].isdigit()


def _connect(dsn: str, exits: ExitStack) -> pq.abc.PGconn:
    connection: pq.abc.PGconn = waiting.wait_conn(generators.connect(dsn), timeout=30.0)
    exits.callback(connection.finish)
    _execute(connection, "SET client_min_messages = warning;")
    return connection


def _execute(connection: pq.abc.PGconn, text: str) -> None:
    result = connection.exec_(text.encode())
    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        said = result.get_error_message().strip()
        raise CouldNotRun(
            "export-refused",
            f"the server refused a setup of the exported specification: {said}",
            remedy="please report the subject's migrations",
        )
