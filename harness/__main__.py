"""``python -m harness``: the same as the command ``harness``."""

import sys

# A worker process imports this file, too, and needs none of the command line.
if __name__ == "__main__":
    from harness.cli import main

    sys.exit(main())
