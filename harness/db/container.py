"""A server in a container, through testcontainers: on request only, because it is slow and needs a container engine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.db.external import ExternalServer
from harness.db.settings import DEFAULTS, Setting, spell
from harness.words.errors import CouldNotRun

if TYPE_CHECKING:
    from testcontainers.community.postgres import PostgresContainer

IMAGE_VARIABLE = "HARNESS_CONTAINER_IMAGE"
IMAGE = "postgres:18"


class ContainerServer(ExternalServer):
    """PostgreSQL from a container image (HARNESS_CONTAINER_IMAGE, else ``postgres:18``), removed with its volumes.

    The image must take the environment and the command of the official one and have pg_stat_statements. Which engine
    is used is told to testcontainers as always (DOCKER_HOST). After a SIGKILL of this process the container is removed
    by testcontainers' own watcher, unless TESTCONTAINERS_RYUK_DISABLED is set.
    """

    def __init__(self, *, settings: Mapping[str, Setting] | None = None, fsync: bool = False) -> None:
        super().__init__("", fsync=fsync)
        self._started_with = {
            **DEFAULTS,
            "fsync": fsync,
            "full_page_writes": fsync,
            "shared_preload_libraries": "pg_stat_statements",
            **(settings or {}),
        }
        self._container: PostgresContainer | None = None

    def open(self) -> None:
        image = os.environ.get(IMAGE_VARIABLE, IMAGE)
        try:
            self._start(image)
            super().open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._databases.clear()
        container, self._container = self._container, None
        try:
            super().close()
        finally:
            if container is not None:
                container.stop()

    def _start(self, image: str) -> None:
        kind = _container_class()
        # Known only at run time: the optional package has types only where its stubs were installed as well.
        docker_error: type[Exception] = import_module("docker.errors").DockerException
        command = ["postgres"]
        for name, value in self._started_with.items():
            command += ["-c", f"{name}={spell(value)}"]
        try:
            self._container = kind(
                image, username="postgres", password=secrets.token_hex(16), dbname="postgres", driver=None
            ).with_command(command)
            self._container.start()
        except (docker_error, OSError) as error:
            raise CouldNotRun(
                "no-container",
                f"no container of {image} could be started: {str(error).splitlines()[0]}",
                remedy="check that the container engine runs (DOCKER_HOST) and has the image",
            ) from error
        self._dsn = self._container.get_connection_url()


def _container_class() -> Any:
    try:
        from testcontainers.community.postgres import PostgresContainer
    except ModuleNotFoundError:
        try:
            # Where it was before 4.15.
            from testcontainers.postgres import PostgresContainer
        except ModuleNotFoundError:
            raise CouldNotRun(
                "no-testcontainers", "the package testcontainers is not installed", remedy="pip install testcontainers"
            ) from None
    return PostgresContainer
