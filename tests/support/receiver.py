"""A webhook's other end."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from pydantic import SecretStr


class Receiver:
    """A real HTTP server that keeps what it is told, and refuses as often as it is to."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refusals = 0
        self.asked = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                refused = receiver.asked <= receiver.refusals
                if not refused:
                    receiver.told.append(json.loads(body))
                self.send_response(503 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self._server.server_port}/secret-token")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
