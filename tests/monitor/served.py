"""The purchase API as ``harness serve`` runs it, in front of a database that is there already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.verify.command import running


@contextmanager
def served(dsn: str, directory: Path, *options: str) -> Iterator[str]:
    """The URL of ``harness serve`` on this database. It ends by SIGTERM and has nothing to complain about."""
    with running("serve", "--dsn", dsn, "--port", "0", *options, cwd=directory) as api:
        assert api.process.stdout is not None
        said = api.process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, (said, api.end())
        yield url[0]
        api.process.terminate()
        ended = api.end()
        assert (ended.code, ended.err) == (0, "")
