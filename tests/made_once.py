"""What takes long to make, and several workers of pytest-xdist want: the first of them makes it, the others read it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from typing import Any

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns, as JSON has it; it is called by one worker of a session alone."""
    base = factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{name}.json"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            text = json.dumps(make())
            path.write_text(text, encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))
