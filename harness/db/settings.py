"""How a server of ours is configured: fast, quiet and repeatable, unless a caller wants otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from harness.words.errors import UsageError

Setting = str | int | float | bool
"""A value for postgresql.conf; True and False are written on and off."""

DEFAULTS: Mapping[str, Setting] = {
    "autovacuum": False,
    "deadlock_timeout": "10ms",
    "dynamic_shared_memory_type": "mmap",
    "fsync": False,
    "full_page_writes": False,
    "jit": False,
    "log_timezone": "UTC",
    "max_connections": 500,
    "max_pred_locks_per_page": 10_000,
    "max_pred_locks_per_relation": 10_000,
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "wal_level": "logical",
}
"""Autovacuum and JIT would make the same schedule take different steps; the deadlock check must not be waited for.

Under SERIALIZABLE, a few row locks on one page would become a lock on the page: which rows share one must not matter.
Shared memory is kept in files under the data directory, where a server that was killed leaves none for good.
Without fsync nothing is lost when PostgreSQL crashes, only when the machine does: the kernel has the writes.
"""

DEFAULT_PORT = 5432
"""The port in the name of the socket when there is no TCP."""

OURS = frozenset({"data_directory", "listen_addresses", "port", "unix_socket_directories"})
"""Where a server lives and listens is decided by those who start it."""


def configuration(
    wanted: Mapping[str, Setting], *, fsync: bool, port: int | None, statistics: bool
) -> dict[str, Setting]:
    """All settings of a server: the defaults, then what ``fsync`` and ``port`` ask for, then what the caller wants.

    ``port`` None means no TCP at all; else 127.0.0.1 alone. ``statistics`` says that pg_stat_statements is there.
    Raises UsageError for a setting that is not the caller's to choose.
    """
    for name in sorted(OURS & wanted.keys()):
        raise UsageError("setting", f"the setting {name} is chosen by the harness", remedy="use its own options for it")
    settings = {
        **DEFAULTS,
        "fsync": fsync,
        "full_page_writes": fsync,
        "listen_addresses": "" if port is None else "127.0.0.1",
        "port": port or DEFAULT_PORT,
    }
    if statistics:
        settings["shared_preload_libraries"] = "pg_stat_statements"
    return settings | dict(wanted)


def render(settings: Mapping[str, Setting]) -> str:
    """The text of postgresql.conf (PostgreSQL manual, 19.1.2: quotes and backslashes in values are escaped)."""
    return "".join(f"{name} = '{_escape(value)}'\n" for name, value in settings.items())


def spell(value: Setting) -> str:
    """A value as PostgreSQL spells it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _escape(value: Setting) -> str:
    text = spell(value)
    if "\n" in text or "\0" in text:
        raise UsageError("setting", f"the value {text!r} holds a line break", expected="a value on one line")
    return text.replace("\\", "\\\\").replace("'", "''")
