"""A server in a container, through testcontainers, on an engine that this test makes and unmakes.

No registry is asked: the image is made from the wheel's binaries, and the engine lives in a network namespace that has
a loopback interface and its own bridge. As root in CI the engine's packages are installed when they are missing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.db.container import ContainerServer
from harness.words.errors import CouldNotRun

from .traces import environment, eventually, is_alive, processes_of

PROGRAM = Path(__file__).with_name("container_program.py")
PACKAGES = ("podman", "runc", "netavark", "aardvark-dns", "iptables", "busybox-static")
SECONDS_MAX = 300.0


def missing_programs() -> list[str]:
    return [name for name in ("podman", "runc", "iptables", "busybox", "unshare") if shutil.which(name) is None]


def not_run() -> str:
    """Why there can be no container here, empty when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "NOT RUN: only root on Linux can make the namespaces of a container engine"
    if importlib.util.find_spec("testcontainers") is None:
        return "NOT RUN: the package testcontainers is not installed"
    if missing_programs() and os.environ.get("CI") and shutil.which("apt-get"):
        for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                ["apt-get", "-qq", *command],
                capture_output=True,
                text=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
            if done.returncode:
                return f"NOT RUN: apt-get {command[0]} failed: {' '.join(done.stderr.split())[-300:]}"
    if missing := missing_programs():
        return f"NOT RUN: {', '.join(missing)} not installed (apt-get install {' '.join(PACKAGES)})"
    return ""


def control_groups() -> set[Path]:
    return {path for parent in Path("/sys/fs/cgroup").rglob("libpod_parent") for path in (parent, *parent.rglob("*/"))}


def remove_control_groups(before: set[Path]) -> bool:
    """The one thing of an engine that goes with no namespace; a group can be removed when its processes are gone."""
    for group in sorted(control_groups() - before, reverse=True):
        with contextlib.suppress(OSError):
            group.rmdir()
    return control_groups() <= before


@pytest.mark.container
def test_a_server_in_a_container_is_used_and_gone() -> None:
    if reason := not_run():
        pytest.skip(reason)
    namespaces = ("--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
    before = control_groups()
    with subprocess.Popen(
        ["unshare", *namespaces, sys.executable, PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            printed, complaints = process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
    assert eventually(lambda: remove_control_groups(before))
    if process.returncode and "unshare" in complaints:
        pytest.skip(f"NOT RUN: {complaints.strip()}")
    assert process.returncode == 0, complaints
    seen = json.loads(printed.splitlines()[-1])
    if "not_run" in seen:
        pytest.skip(f"NOT RUN: {seen['not_run']}")

    assert seen["running"] == 1
    assert seen["local"] is False
    assert seen["superuser"] is True
    assert seen["settings"] == [["23"], ["off"], ["10ms"], ["logical"], ["pg_stat_statements"]]
    assert "did not start" in seen["crash"]
    assert "no container of localhost/no-such-image:test could be started" in seen["no_image"]
    assert seen["left"] == []
    assert not is_alive(process.pid)
    assert not processes_of(PROGRAM)


def test_without_an_engine_it_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("testcontainers", reason="NOT RUN: the package testcontainers is not installed")
    # In a process of its own, because the client leaves its socket open when nobody listens.
    program = """
from harness.db.provision import provision
from harness.words.errors import CouldNotRun
try: provision("container").open()
except CouldNotRun as error: print(error)
"""
    engine = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "TESTCONTAINERS_RYUK_DISABLED": "true"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(**engine),
    )
    assert ended.stderr == ""
    assert ended.stdout.count("\n") == 1
    assert "DOCKER_HOST" in ended.stdout
    assert "[no-container]" in ended.stdout


def test_without_testcontainers_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("testcontainers.community.postgres", "testcontainers.postgres"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CouldNotRun, match="pip install testcontainers"):
        ContainerServer().open()
