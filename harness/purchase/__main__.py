"""``python -m harness.purchase``: the API as a process of its own, one worker.

What it needs comes from its environment (``settings.ProcessSettings``), secrets too: arguments can be read by everyone
on the machine. SIGTERM and Ctrl-C end it: requests in flight have their time, what is left then is rolled back.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import uvicorn

from harness.purchase.settings import SHARED, ProcessSettings

COULD_NOT_RUN = 3

LOG_LINE = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal, or until the standard input closes if that was to be watched."""
    parser = argparse.ArgumentParser("python -m harness.purchase", description="The purchase API, one worker.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fd", type=int, help="a socket that listens already, shared with other workers")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that holds our stdin")
    given = parser.parse_args(arguments)
    if given.fd is None:
        # Alone: a folder of figures is somebody else's. prometheus_client looks for it as soon as it is imported.
        os.environ.pop(SHARED, None)
    from harness.purchase.process import application

    try:
        told = ProcessSettings.of()
        app = application(told)
    except KeyError as missing:
        sys.stderr.write(f"purchase api: {missing.args[0]} is not set\n")
        return COULD_NOT_RUN
    except ValueError as error:
        sys.stderr.write(f"purchase api: {error}\n")
        return COULD_NOT_RUN
    try:
        listening = socket.socket(fileno=given.fd) if given.fd is not None else listen(given.host, given.port)
    except OSError as error:
        sys.stderr.write(f"purchase api: cannot listen on {given.host}:{given.port}: {error}\n")
        return COULD_NOT_RUN
    if given.until_stdin_closes:
        threading.Thread(target=end_with_stdin, daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format=LOG_LINE, stream=sys.stderr)
    config = uvicorn.Config(
        app,
        # Its lines go where ours go, and look the same.
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,
        server_header=False,
        # Longer than clients and proxies usually keep an idle connection: who closes first meets no request on its way.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(told.shutdown_s)),
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server ends on them and then raises them again, for whoever was there before it: that is nobody.
        signal.signal(number, lambda *_: None)
    # What has been imported stays: the collector need not look at it again and again.
    gc.freeze()
    with listening:
        server.run(sockets=[listening])
    return 0 if server.started else COULD_NOT_RUN


def listen(host: str, port: int) -> socket.socket:
    """A socket that may be bound again at once after a crash. Raises ``OSError``."""
    return socket.create_server((host, port), backlog=1024)


def end_with_stdin() -> None:
    """Whoever started us has gone, however."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
