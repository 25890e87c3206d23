"""The bundled folders are found in the checkout and in an installed wheel, from anywhere."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from harness import resources
from harness.words.errors import CouldNotRun

CHECKOUT = Path(resources.__file__).parents[1]


def test_a_checkout_uses_its_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resources.bundled("sql") == CHECKOUT / "sql"


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="one of sql, scenarios, locustfiles"):
        resources.bundled("../etc")


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()  # beside the package in site-packages: not ours
    with pytest.raises(CouldNotRun, match=r"_bundled/sql; .*\[incomplete-installation\]"):
        resources._find("sql", tmp_path / "harness")


def test_an_installed_wheel_brings_them_along(tmp_path: Path) -> None:
    """Build the wheel, install it (a pure wheel is unpacked) beside the packages at hand, and ask from elsewhere."""
    output([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], CHECKOUT)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "venv"
    venv.create(environment)
    paths = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    zipfile.ZipFile(wheel).extractall(site)
    # A folder named in a .pth is searched, but its own .pth files (the editable harness) are not read.
    (site / "packages-at-hand.pth").write_text(sysconfig.get_path("purelib"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ask = "import harness.resources as r; print(*(r.bundled(name) for name in r.FOLDERS), sep='\\n')"
    found = [Path(line) for line in output([environment / "bin" / "python", "-I", "-c", ask], elsewhere).splitlines()]
    assert found == [site / "harness" / "_bundled" / name for name in resources.FOLDERS]
    assert (found[0] / "reference" / "subject.toml").is_file()
    for folder in found:
        assert files(folder) == files(CHECKOUT / folder.name)
    templates = Path("harness", "report", "html", "templates")
    assert files(site / templates) == files(CHECKOUT / templates) != set()


def output(command: list[str | Path], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".pyo"}
    }
