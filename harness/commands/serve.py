"""``harness serve``: its options."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from harness import doors
from harness.options import Database, Positive, seconds, whole

Port = Annotated[int, Parameter(converter=whole, validator=Number(gte=0, lt=65536))]


def serve(
    *,
    subject: Annotated[Literal["reference", "before"], Parameter(help="the functions, or the routes of before")] = (
        "reference"
    ),
    port: Port = 8000,
    connections: Positive = 8,
    workers: Positive = 1,
    grace: str = "10s",
    database: Database = "auto",
    dsn: Annotated[
        str | None, Parameter(help="the marketplace's own database; never changed without --install")
    ] = None,
    install: bool = False,
) -> int:
    """Run the purchase API, on a database of its own with a small market to try it on, until SIGTERM or Ctrl-C.

    Parameters
    ----------
    port:
        of 127.0.0.1; 0 takes any that is free
    connections:
        to the database, of each worker
    workers:
        processes
    grace:
        how long requests in flight are given at the end; what is left then is rolled back
    install:
        put the reference and the market into the database of --dsn, which must have none of their tables
    """
    return doors.serve(
        before=subject == "before",
        port=port,
        connections=connections,
        workers=workers,
        grace_s=seconds(grace, "--grace"),
        database=database,
        dsn=dsn,
        install=install,
    )
