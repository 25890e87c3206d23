"""What a run leaves in files, when its result has been said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.doors.saying import exit_code
from harness.verify.document import write_document, write_text
from harness.words.errors import CouldNotRun, ExitCode


def saved(
    document: Mapping[str, Any],
    json_file: Path | None,
    junit_file: Path | None,
    junit: Callable[[Mapping[str, Any]], str],
) -> int:
    """Write the files that are wanted, ``junit`` of the document being the text of one; returns the exit code.

    Raises ``CouldNotRun`` for a file that cannot be written, with the exit code of a violation where there is one.
    """
    code = exit_code(document)
    try:
        if json_file is not None:
            write_document(document, json_file)
        if junit_file is not None:
            write_text(junit_file, junit(document))
    except CouldNotRun as error:
        if code == ExitCode.VIOLATED:
            error.exit_code = ExitCode.VIOLATED  # the graver news
        raise
    return code
