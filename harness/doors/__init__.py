"""What each command does, between the options of the command line and what is printed."""

from harness.doors.calling import called
from harness.doors.comparing import compare_versions
from harness.doors.exporting import export
from harness.doors.gating import gate
from harness.doors.keeping import database_status, psql, start_database, stop_database
from harness.doors.listing import list_scenarios
from harness.doors.living import model
from harness.doors.loading import list_loads, load
from harness.doors.monitoring import monitor
from harness.doors.replaying import replay
from harness.doors.reporting import index, merge, report
from harness.doors.saying import INTERRUPTED
from harness.doors.serving import serve
from harness.doors.sweeping import faults
from harness.doors.trying import smoke
from harness.doors.verifying import explore, verify

__all__ = [
    "INTERRUPTED",
    "called",
    "compare_versions",
    "database_status",
    "explore",
    "export",
    "faults",
    "gate",
    "index",
    "list_loads",
    "list_scenarios",
    "load",
    "merge",
    "model",
    "monitor",
    "psql",
    "replay",
    "report",
    "serve",
    "smoke",
    "start_database",
    "stop_database",
    "verify",
]
