"""A judge on loopback, which answers as a test says and keeps what it was asked."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Said:
    """What the server answers: a number is a score, text is what the judge writes, bytes are the whole body."""

    content: float | str | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    usage: Any = None

    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        text = self.content
        if not isinstance(text, str):
            text = json.dumps({"score": text, "reason": "It is so."})
        usage = {"usage": self.usage} if self.usage else {}
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}], **usage}).encode()


@dataclass(frozen=True)
class Request:
    """A question as it came: when, where, with what headers and what JSON; `answer` is the completion in it."""

    at: float
    path: str
    headers: dict[str, str]
    json: dict[str, Any]

    @property
    def system(self) -> str:
        return str(self.json["messages"][0]["content"])

    @property
    def user(self) -> str:
        return str(self.json["messages"][1]["content"])

    @property
    def answer(self) -> str:
        found = re.search(r"\[begin (\w+)\]\n(.*)\n\[end \1\]", self.user, re.DOTALL)
        assert found is not None
        return found[2]


@dataclass
class FakeJudge:
    """address: what to ask; requests: all that came, in their order; most: how many were open at a time."""

    address: str = ""
    requests: list[Request] = field(default_factory=list)
    most: int = 0
    open: int = 0


@contextmanager
def fake_judge(says: Callable[[Request], Said]) -> Iterator[FakeJudge]:
    judge, lock = FakeJudge(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(time.monotonic(), self.path, dict(self.headers), json.loads(content))
            with lock:
                judge.requests.append(request)
                judge.open += 1
                judge.most = max(judge.most, judge.open)
            said = says(request)
            time.sleep(said.seconds)
            with lock:
                judge.open -= 1
            body = said.body()
            try:
                self.send_response(said.status)
                for name, value in {**said.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:  # whoever asked has gone
                self.close_connection = True

        def log_message(self, *words: Any) -> None:
            """Nothing: the test's output is not this server's."""

    class Server(ThreadingHTTPServer):
        daemon_threads, request_queue_size = True, 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        judge.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield judge
        finally:
            server.shutdown()
            thread.join()
