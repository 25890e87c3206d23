"""What a server can leave behind: processes, directories, sockets. The tests look for them with their own eyes."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_MAX = 30.0


def environment(**more: str) -> dict[str, str]:
    """For a Python process that is to import what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]), **more}


def is_alive(pid: int) -> bool:
    """False for a zombie too: it runs no more, and only waits to be counted by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(directory: Path) -> list[int]:
    """The living processes that were called with this directory, work in it, or look after it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                called = (entry / "cmdline").read_bytes().decode(errors="replace")
                where = str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(directory) in called or where.startswith(str(directory)):
                found.append(int(entry.name))
    return [pid for pid in found if is_alive(pid)]


def eventually(condition: Callable[[], bool]) -> bool:
    """True as soon as it holds, False when it still does not after half a minute."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def clean_base() -> Iterator[Path]:
    """A directory for servers' directories that any account can enter, and that must be empty again in the end."""
    memory = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="t-", dir=memory if os.access(memory, os.W_OK) else None))
    base.chmod(0o755)
    try:
        yield base
        assert eventually(lambda: not list(base.iterdir())), f"left behind: {list(base.rglob('*'))[:5]}"
        assert eventually(lambda: not processes_of(base)), f"left behind: {processes_of(base)}"
    finally:
        shutil.rmtree(base)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
