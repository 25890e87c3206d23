"""``python -m harness.gateway``: the gateway as a process of its own, on 127.0.0.1.

The first line of its output is its address. The secret of the endpoint comes from the environment
(``STRIPE_WEBHOOK_SECRET``), since arguments can be read by everyone on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from harness.gateway.app import create_app
from harness.gateway.gateway import Gateway
from harness.gateway.mischief import Mischief

COULD_NOT_RUN = 3
OUTSTANDING = 1
"""The exit code when deliveries were left that nobody had acknowledged."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, or until the standard input closes if it was to be watched."""
    parser = argparse.ArgumentParser("python -m harness.gateway", description="A payment gateway that plays Stripe.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--webhook-url", help="where events are delivered; can be set later as well")
    parser.add_argument("--mischief", default="{}", help='a JSON object, such as {"duplicates": 0.2, "seed": 7}')
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that holds our stdin")
    given = parser.parse_args(arguments)
    try:
        mischief = Mischief().but(json.loads(given.mischief))
    except ValueError as error:
        parser.error(f"--mischief: {error}")
    secret = os.environ.get("STRIPE_WEBHOOK_SECRET")
    try:
        listening = socket.create_server(("127.0.0.1", given.port))
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"gateway: cannot listen on 127.0.0.1:{given.port}: {error}\n")
        return COULD_NOT_RUN
    with listening:
        # Header and body go out at once; asyncio sees to that only for sockets that name their protocol.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        base = "http://{}:{}".format(*listening.getsockname())
        gateway = Gateway(given.webhook_url, [secret] if secret else [], mischief=mischief, base=base)
        config = uvicorn.Config(
            create_app(gateway), log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on"
        )
        server = uvicorn.Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            # The server ends on them and then raises them again: what is left to say is said below.
            signal.signal(number, lambda *_: None)
        sys.stdout.write(f"{base}\n")
        sys.stdout.flush()
        asyncio.run(_serve(server, listening, watch_stdin=given.until_stdin_closes))
    if not server.started:
        return COULD_NOT_RUN
    left = gateway.outstanding()
    for delivery in left:
        last = delivery.attempts[-1] if delivery.attempts else None
        seen = "never sent" if last is None else last.error or f"answered {last.status}"
        sys.stderr.write(f"gateway: {delivery.type} {delivery.event} is outstanding: {seen}\n")
    return OUTSTANDING if left else 0


async def _serve(server: uvicorn.Server, listening: socket.socket, *, watch_stdin: bool) -> None:
    def closed() -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            server.should_exit = True

    if watch_stdin:
        asyncio.get_running_loop().add_reader(0, closed)
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
