"""What each command does, between the options of the command line and what is printed.

A command opens the one door that it needs: all of them together take a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.doors.calling import called as called
    from harness.doors.comparing import compare_versions as compare_versions
    from harness.doors.exporting import export as export
    from harness.doors.gating import gate as gate
    from harness.doors.github import tell_github_why as tell_github_why
    from harness.doors.keeping import database_status as database_status
    from harness.doors.keeping import psql as psql
    from harness.doors.keeping import start_database as start_database
    from harness.doors.keeping import stop_database as stop_database
    from harness.doors.listing import list_scenarios as list_scenarios
    from harness.doors.living import model as model
    from harness.doors.loading import list_loads as list_loads
    from harness.doors.loading import load as load
    from harness.doors.monitoring import monitor as monitor
    from harness.doors.replaying import replay as replay
    from harness.doors.reporting import index as index
    from harness.doors.reporting import merge as merge
    from harness.doors.reporting import report as report
    from harness.doors.saying import INTERRUPTED as INTERRUPTED
    from harness.doors.serving import serve as serve
    from harness.doors.sweeping import faults as faults
    from harness.doors.trying import smoke as smoke
    from harness.doors.verifying import explore as explore
    from harness.doors.verifying import verify as verify

ROOMS = {
    "calling": ("called",),
    "comparing": ("compare_versions",),
    "exporting": ("export",),
    "gating": ("gate",),
    "github": ("tell_github_why",),
    "keeping": ("database_status", "psql", "start_database", "stop_database"),
    "listing": ("list_scenarios",),
    "living": ("model",),
    "loading": ("list_loads", "load"),
    "monitoring": ("monitor",),
    "replaying": ("replay",),
    "reporting": ("index", "merge", "report"),
    "saying": ("INTERRUPTED",),
    "serving": ("serve",),
    "sweeping": ("faults",),
    "trying": ("smoke",),
    "verifying": ("explore", "verify"),
}
"""Module to what it has for the commands."""


def __getattr__(name: str) -> Any:
    for room, names in ROOMS.items():
        if name in names:
            return getattr(import_module(f"harness.doors.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
