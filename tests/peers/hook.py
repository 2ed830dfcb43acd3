"""A receiver of webhooks. It keeps every post, and can hold its answers back."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, time


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time)

    def json(self) -> dict:
        return json.loads(self.body)


class Hook:
    """One listener on loopback; `status` is what it answers, `hold_seconds` how long it thinks before."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.status, self.hold_seconds = 204, 0.0
        self.lock = threading.Condition()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with hook.lock:
                    hook.posts.append(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                    hook.lock.notify_all()
                    until = monotonic() + hook.hold_seconds
                    while hook.hold_seconds and monotonic() < until:
                        hook.lock.wait(until - monotonic())
                try:
                    self.send_response(hook.status)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    pass  # whoever asked was killed meanwhile

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path: str) -> list[Post]:
        with self.lock:
            return [post for post in self.posts if post.path == path]

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
