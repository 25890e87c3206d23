"""The folders that come with the harness: its subjects, scenarios and load files.

They lie at the top of a checkout, where people look for them, and inside the package of an installed wheel.
"""

from __future__ import annotations

from pathlib import Path

from harness.words.errors import CouldNotRun

FOLDERS = ("sql", "scenarios", "locustfiles")
_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """Where the folder ``name`` (one of ``FOLDERS``) is, whatever the current directory.

    :raises CouldNotRun: the installation lacks it.
    :raises ValueError: there is no such folder by design.
    """
    return _find(name, _PACKAGE)


def _find(name: str, package: Path) -> Path:
    if name not in FOLDERS:
        raise ValueError(f"{name!r} is not one of {', '.join(FOLDERS)}")
    checkout = package.parent
    # Beside an installed package lies site-packages, where a folder called sql is somebody else's.
    folder = checkout / name if (checkout / "pyproject.toml").is_file() else package / "_bundled" / name
    if not folder.is_dir():
        raise CouldNotRun(
            "incomplete-installation",
            f"no folder {folder}",
            expected=f"the harness's own {name}/",
            remedy="install the harness again",
        )
    return folder
