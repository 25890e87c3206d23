"""The gateway as a process: its controls, its end, and that its owner's end is its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import stripe

from harness.gateway.__main__ import main
from harness.gateway.process import Remote, gateway_process
from tests.gateway.endpoint import SECRET

START = [sys.executable, "-m", "harness.gateway"]


class Shop(BaseHTTPRequestHandler):
    """A webhook endpoint that refuses what is not signed, and refuses the first delivery of everything."""

    seen: ClassVar[list[str]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        id_ = stripe.Webhook.construct_event(body, self.headers["stripe-signature"], SECRET).id
        self.send_response(200 if id_ in self.seen else 503)
        self.seen.append(id_)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def shop() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_from_payment_to_acknowledgement(shop: str) -> None:
    with gateway_process(shop, SECRET, mischief={"retry_first_ms": 5, "seed": 7}) as gateway:
        id_ = gateway.tell("checkout.session.completed", {"object": "checkout.session"})
        assert gateway.drain(10) == []
        (delivery,) = gateway.deliveries()
        assert (delivery["event"], delivery["state"]) == (id_, "acknowledged")
        assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 200]
        gateway.hold()
        gateway.resend(id_, 3)
        assert gateway.release("reversed") == 3
        assert gateway.drain(10) == []
        assert len(gateway.deliveries(since=1)) == 3


def served(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*START, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def address(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.mark.parametrize("outstanding", [False, True])
def test_it_ends_when_told_to_and_says_what_is_left(outstanding: bool) -> None:
    with served("--webhook-url", "http://127.0.0.1:9/") as child:
        gateway = Remote(address(child))
        if outstanding:
            gateway.tell("charge.refunded", {})
        gateway.close()
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=10)
    assert child.returncode == int(outstanding)
    assert ("charge.refunded evt_" in said) == outstanding
    assert "Traceback" not in said


def test_it_ends_with_its_owner() -> None:
    with served("--until-stdin-closes") as child:
        assert address(child).startswith("http://127.0.0.1:")
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(10) == 0


def test_a_wrong_mischief_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ('{"dorp": 1}', "[]", "nothing"):
        with pytest.raises(SystemExit) as end:
            main(["--mischief", wrong])
        assert end.value.code == 2
        assert "--mischief" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert main(["--port", str(listening.getsockname()[1])]) == 3
    assert "in use" in capsys.readouterr().err


def test_a_gateway_that_does_not_start() -> None:
    with pytest.raises(RuntimeError, match="ended with 2"), gateway_process(mischief={"dorp": 1}):
        os.abort()
