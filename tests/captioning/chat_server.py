"""A chat endpoint on this machine that answers as it is told, well or badly."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer. `text` becomes a chat completion unless `body` says something else."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    is_cut: bool = False  # the connection ends within the body
    drip_s: float = 0.0  # pause after each byte of the body


@dataclass
class Served:
    """Where the server is, and what it was asked."""

    url: str
    asked: list[dict[str, Any]]
    headers: list[dict[str, str]]


Answering = Callable[[dict[str, Any], int], Reply]  # from a request's body and its number


@contextmanager
def serving(answer: Answering) -> Iterator[Served]:
    """A server for the block's time."""
    lock, served = threading.Lock(), Served("", [], [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(served.asked)
                served.asked.append(body)
                served.headers.append(dict(self.headers))
            reply = answer(body, number)
            content = reply.body
            if content is None:
                choice = {"message": {"role": "assistant", "content": reply.text}}
                content = json.dumps({"choices": [choice], "usage": {"completion_tokens": 7}}).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + 10 * reply.is_cut))
            self.end_headers()
            with suppress(OSError):  # the client has gone
                for part in [content[i : i + 1] for i in range(len(content))] if reply.drip_s else [content]:
                    self.wfile.write(part)
                    self.wfile.flush()
                    time.sleep(reply.drip_s)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
