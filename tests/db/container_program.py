"""A container engine for a moment, and our container server on it: ``container_program.py``, inside namespaces.

The test runs it under ``unshare`` with network, mount and process namespaces of its own: only what is made here can be
reached, no registry can be asked for an image, and whatever is left goes when it ends. The image is made here too, from
the binaries of the wheel. Prints one JSON object: ``not_run`` with a reason when the machine refuses one of the
preparations, else what was seen. Needs root, podman and its companions.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from harness.db.any_server import Crash
from harness.db.binaries import Binaries, choose_binaries
from harness.db.container import IMAGE_VARIABLE
from harness.db.provision import provision
from harness.words.errors import CouldNotRun, UsageError

IMAGE = "localhost/harness-postgres:test"

ENGINE = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""

ENTRYPOINT = """#!/bin/sh
set -eu
printf %s "$POSTGRES_PASSWORD" > /tmp/password
initdb --auth=scram-sha-256 --pwfile=/tmp/password --username="$POSTGRES_USER" --encoding=UTF8 --no-sync -D /tmp/data
echo "host all all all scram-sha-256" >> /tmp/data/pg_hba.conf
exec "$@" -D /tmp/data -c listen_addresses='*'
"""
"""What our use of the official image's entry needs: the environment's role and password, then the command."""

POSTGRES = 999
SECONDS_MAX = 60.0


class NotRunError(Exception):
    """The machine does not let us have a container engine."""


def run(*command: str | Path) -> str:
    """The output of a preparation. Raises NotRunError with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRunError(str(error)) from None
    if done.returncode:
        raise NotRunError(f"{' '.join(map(str, command[:3]))}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def hide_the_machine() -> None:
    """Memory instead of every place where the engine would leave something, and a loopback interface."""
    for place in ("/run", "/dev/shm", "/var/lib/containers"):
        Path(place).mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=1777", "none", place)
    run("busybox", "ip", "link", "set", "lo", "up")
    tempfile.tempdir = "/run"
    configuration = Path(tempfile.mkdtemp(), "containers.conf")
    configuration.write_text(ENGINE)
    for name in [name for name in os.environ if re.match(r"DOCKER_|TESTCONTAINERS_|CONTAINERS_|POSTGRES_|PG", name)]:
        del os.environ[name]
    os.environ |= {
        "CONTAINERS_CONF": str(configuration),
        "HOME": str(configuration.parent),
        "TMPDIR": str(configuration.parent),
        "DOCKER_HOST": "unix:///run/podman.sock",
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        IMAGE_VARIABLE: IMAGE,
    }


def make_image(binaries: Binaries) -> None:
    """Import a root directory of PostgreSQL, the C library that it needs, and a shell."""
    if binaries.tree is None:
        raise NotRunError("no wheel with PostgreSQL is installed")
    moved = {binaries.tree: Path("opt") / binaries.tree.parent.name / binaries.tree.name}
    moved |= {path: Path("opt") / path.name for path in binaries.companions}
    programs = moved[binaries.tree] / "bin"
    needed = {
        Path(found)
        for program in ("postgres", "initdb", "psql")
        for found in re.findall(r"(/\S+) \(0x", run("ldd", binaries.directory / program))
        if not any(Path(os.path.normpath(found)).is_relative_to(source) for source in moved)
    }
    archive = Path(tempfile.mkdtemp(), "root.tar")
    with tarfile.open(archive, "w") as tar:

        def add(path: str, *, mode: int, text: str = "", kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
            entry = tarfile.TarInfo(path)
            entry.mode, entry.type, entry.linkname, entry.size = mode, kind, target, len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))

        add("tmp", mode=0o1777, kind=tarfile.DIRTYPE)
        add("etc/passwd", mode=0o644, text=f"root:x:0:0::/:/bin/sh\npostgres:x:{POSTGRES}:{POSTGRES}::/:/bin/sh\n")
        add("etc/group", mode=0o644, text=f"root:x:0:\npostgres:x:{POSTGRES}:\n")
        add("entrypoint", mode=0o755, text=ENTRYPOINT)
        add("bin/sh", mode=0o777, kind=tarfile.SYMTYPE, target="busybox")
        tar.add(str(shutil.which("busybox")), "bin/busybox")
        for library in needed:
            tar.add(library.resolve(), str(library).lstrip("/"))
        for source, place in moved.items():
            tar.add(source, str(place))
    changes = [f"USER {POSTGRES}", 'ENTRYPOINT ["/entrypoint"]', f"ENV PATH=/bin:/{programs}"]
    run("podman", "import", *(f"--change={change}" for change in changes), archive, IMAGE)
    archive.unlink()
    run("podman", "run", "--rm", "--entrypoint", "postgres", IMAGE, "--version")


@contextmanager
def service() -> Iterator[None]:
    """Podman in the place of the container engine that testcontainers talks to."""
    with subprocess.Popen(
        ["podman", "system", "service", "--time=0", os.environ["DOCKER_HOST"]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            socket = Path(os.environ["DOCKER_HOST"].removeprefix("unix://"))
            deadline = time.monotonic() + SECONDS_MAX
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    raise NotRunError(f"podman system service: {process.communicate()[1].strip()[-300:]}")
                time.sleep(0.01)
            yield
        finally:
            process.terminate()


def containers() -> list[str]:
    return run("podman", "ps", "--all", "--quiet").split()


def use() -> dict[str, object]:
    """What the test is about: a server, its settings, a database on it, and its end."""
    seen: dict[str, object] = {}
    with provision("container", settings={"max_connections": 23}) as server:
        seen["version"] = server.version
        seen["local"] = server.local
        seen["superuser"] = server.superuser
        seen["running"] = len(containers())
        with server.database() as dsn, psycopg.connect(dsn) as connection:
            names = ("max_connections", "fsync", "deadlock_timeout", "wal_level", "shared_preload_libraries")
            seen["settings"] = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
        try:
            server.crash(Crash.SIGKILL)
        except UsageError as error:
            seen["crash"] = str(error)
    seen["left"] = containers()
    os.environ[IMAGE_VARIABLE] = "localhost/no-such-image:test"
    try:
        provision("container").open()
    except CouldNotRun as error:
        seen["no_image"] = str(error)
    seen["left"] = containers()
    return seen


def main() -> None:
    seen: dict[str, object]
    binaries = choose_binaries("auto")
    try:
        hide_the_machine()
        make_image(binaries)
        with service():
            seen = use()
    except NotRunError as error:
        seen = {"not_run": str(error)}
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
