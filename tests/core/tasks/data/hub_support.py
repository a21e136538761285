"""A small Hub on this machine: the answers that huggingface_hub asks for when it lists and downloads a data set."""

import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]


def commit_of(revision: str) -> str:
    """The commit that stands for a revision here."""
    return hashlib.sha1(revision.encode()).hexdigest()


class FakeHub:
    """Serves data sets: name -> revision -> path -> content. What was asked for is in `asked`."""

    def __init__(
        self, datasets: Mapping[str, Mapping[str, Files]], cards: Mapping[str, object], gated: set[str]
    ) -> None:
        self.datasets, self.cards, self.gated = datasets, cards, gated
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(f"{self.command} {unquote(urlsplit(self.path).path)}")
                status, headers, body = hub.answer(unquote(urlsplit(self.path).path))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = path.strip("/").split("/")
        about = parts[:2] == ["api", "datasets"]
        name = "/".join(parts[2:4] if about else parts[1:3])
        if name not in self.datasets:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if about and parts[4:] == ["refs"]:
            branches = [{"name": each, "ref": each, "targetCommit": commit_of(each)} for each in self.datasets[name]]
            return 200, {}, json.dumps({"branches": branches, "tags": [], "converts": []}).encode()
        asked = "/".join(parts[5:]) or "main" if about else parts[4]
        revision = next((each for each in self.datasets[name] if asked in (each, commit_of(each))), None)
        if revision is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        files = self.datasets[name][revision]
        if about:
            siblings = [{"rfilename": each, "size": len(content)} for each, content in files.items()]
            card = self.cards.get(name, {})
            found = {"id": name, "sha": commit_of(revision), "siblings": siblings, "cardData": card}
            return 200, {}, json.dumps(found).encode()
        if name in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        content = files["/".join(parts[5:])]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return 200, {"ETag": etag, "X-Repo-Commit": commit_of(revision)}, content
