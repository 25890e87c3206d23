"""A user who asks the functions of the purchase API directly, on a session of its own, as the API would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from time import perf_counter
from typing import NamedTuple
from uuid import uuid4

import gevent
from locust.env import Environment

from harness.load.users.buyer import Buyer
from harness.load.users.conversation import Conversation, LostError, RefusedError
from harness.load.users.event import Event
from harness.load.users.told import Told, told_by_error, told_by_row
from harness.load.users.visitor import PAUSE_S, PAUSE_S_MAX
from harness.words.history import Status

STATEMENTS: Mapping[str, str] = {
    "purchase": "SELECT replayed, response FROM api_purchase_leads($1, $2, $3, $4, $5, $6)",
    "event": "SELECT already_completed FROM api_stripe_event($1, $2, $3, $4, $5, $6)",
    "read": "SELECT api_read_purchase($1, $2)",
}
"""Each is one transaction."""


class Statement(NamedTuple):
    """A prepared statement and its parameters, in text."""

    name: str
    parameters: Sequence[str | None]


class DirectBuyer(Buyer):
    """Sends ``Statement``s. A session that is lost is opened again with the next one."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._conversation: Conversation | None = None
        self._hashes: dict[int, str] = {}

    def on_start(self) -> None:
        """Connect before the first arrival."""
        self._connected()
        super().on_start()

    def on_stop(self) -> None:
        """End the session."""
        if self._conversation is not None:
            self._conversation.close()

    def token_hash(self, workspace: int) -> str:
        """The hash of a workspace's token, as a bytea is written."""
        found = self._hashes.get(workspace)
        if found is None:
            found = self._hashes[workspace] = "\\x" + sha256(self.stock.token(workspace).encode()).hexdigest()
        return found

    def send(self, what: Statement, name: str) -> Told:
        """Carry it out in a transaction of its own."""
        began = perf_counter()
        error: Exception | None = None
        row: list[str | None] = []
        try:
            conversation = self._conversation or self._connected()
            row = conversation.ask(what.name, [None if each is None else each.encode() for each in what.parameters])
            told = told_by_row(what.name, row)
        except RefusedError as refused:
            told = told_by_error(refused.sqlstate, refused.message, refused.detail)
            error = refused if told.status is Status.FAILED else None
        except LostError as lost:
            self._conversation = None
            told, error = Told(Status.UNKNOWN, lost.sqlstate, answered=False), lost
        self.environment.events.request.fire(
            request_type="SQL",
            name=name,
            response_time=(perf_counter() - began) * 1000,
            response_length=sum(map(len, filter(None, row))),
            exception=error,
            context={},
        )
        return told

    def purchase_request(self, operation: str, workspace: int, leads: Sequence[str], key: str) -> Statement:
        """With an id for the purchase, the same for every attempt."""
        method = "stripe" if operation == "checkout" else "credits"
        wanted = "{" + ",".join(leads) + "}"
        return Statement(
            "purchase", (self.token_hash(workspace), str(uuid4()), wanted, method, key, f"{method} {wanted}")
        )

    def read_request(self, workspace: int, purchase: str) -> Statement:
        return Statement("read", (self.token_hash(workspace), purchase))

    def delivery(self, event: Event) -> Statement:
        return Statement("event", (event.id, event.kind, event.about, event.purchase, str(event.cents), "usd"))

    def _connected(self) -> Conversation:
        """The session, opened if there is none. The server may be down for a while: it is tried until it is up."""
        pause = PAUSE_S
        while True:
            try:
                self._conversation = Conversation(self.stock.dsn, STATEMENTS)
            except LostError:
                gevent.sleep(pause)
                pause = min(2 * pause, PAUSE_S_MAX)
            else:
                return self._conversation
