"""``python -m harness``, and the command ``harness``: the command line, which takes its time to be imported."""

from __future__ import annotations

import sys


def run() -> int:
    """The exit code of the command line; 130 for a Ctrl-C that comes while it is still being imported."""
    try:
        # Here: a worker process imports this file, too, and needs none of the command line.
        from harness.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("harness: interrupted\n")
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(run())
