"""The dashboard's server: one page, and the stream of its changes."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from cyto.report.document import document, policy

_HOST = "127.0.0.1"
_PATIENCE_S = 3.0
_QUIET_S = 15.0
_WAITING = 100
"""A browser that is further behind gets the whole page anew."""


class Server:
    """Serve one page on a free port of 127.0.0.1, from a thread of its own."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(24)
        self._parts: dict[str, str] = {}
        self._clients: set[asyncio.Queue[str | None]] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._port = 0
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise self._fault

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{_HOST}:{self._port}/{self._token}/"

    def show(self, parts: Mapping[str, Any]) -> None:
        """Let all pages, open or to come, show *parts*; those unchanged cost nothing."""
        texts = {name: json.dumps(value, separators=(",", ":")) for name, value in parts.items()}
        self._loop.call_soon_threadsafe(self._take, texts)

    def fail(self, message: str) -> None:
        """Say on all pages that nothing more will come."""
        self._loop.call_soon_threadsafe(self._send, _message("fault", json.dumps(message)))

    def close(self) -> None:
        """Send what is left to be sent, and end."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(2 * _PATIENCE_S)

    def whole(self) -> str:
        """Give the message that holds the whole page."""
        return _message("page", _joined(self._parts)) if self._parts else ""

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        except OSError as error:  # no port to be had
            self._fault = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _run(self) -> None:
        sockets = bind_sockets(0, _HOST)
        self._port = sockets[0].getsockname()[1]
        given = {"server": self, "token": self._token, "host": f"{_HOST}:{self._port}"}
        routes: list[Any] = [
            (r"/([^/]+)/", _PageHandler, given),
            (r"/([^/]+)/events", _EventsHandler, given),
        ]
        app = Application(routes, log_function=lambda _: None)
        server = HTTPServer(app)
        server.add_sockets(sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        self._send(_message("end", "{}"))
        self._send(None)
        deadline = self._loop.time() + _PATIENCE_S
        while self._clients and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        await server.close_all_connections()

    def _take(self, texts: Mapping[str, str]) -> None:
        new = {name: text for name, text in texts.items() if self._parts.get(name) != text}
        if not new:
            return
        first = not self._parts
        self._parts.update(new)
        self._send(self.whole() if first else _message("change", _joined(new)))

    def _send(self, message: str | None) -> None:
        for queue in self._clients:
            late = message is not None and queue.qsize() > _WAITING
            while late and not queue.empty():
                queue.get_nowait()
            queue.put_nowait(self.whole() if late else message)

    def join(self) -> asyncio.Queue[str | None]:
        """Give a new client what it is sent."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        whole = self.whole()
        if whole:
            queue.put_nowait(whole)
        self._clients.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str | None]) -> None:
        """Forget a client."""
        self._clients.discard(queue)


def _joined(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in texts.items()) + "}"


def _message(event: str, data: str) -> str:
    """Write a server-sent event; JSON has no line breaks."""
    return f"event: {event}\ndata: {data}\n\n"


class _Handler(RequestHandler):
    """Answer only to who knows the token, under the name that was given out."""

    def initialize(self, server: Server, token: str, host: str) -> None:
        self.owner, self.token, self.host = server, token, host

    def set_default_headers(self) -> None:
        self.set_header("Server", "pyCyto")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", policy(live=True) + "; frame-ancestors 'none'")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        """Refuse others: a page elsewhere may let its own name point to this machine."""
        if self.request.host != self.host:
            raise HTTPError(403)
        if not hmac.compare_digest(self.path_args[0].encode(), self.token.encode()):
            raise HTTPError(404)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish(f"{status_code}\n")


class _PageHandler(_Handler):
    def get(self, _: str) -> None:
        self.finish(document(None))


class _EventsHandler(_Handler):
    async def get(self, _: str) -> None:
        self.set_header("Content-Type", "text/event-stream")
        queue = self.owner.join()
        try:
            await self.flush()
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), _QUIET_S)
                except asyncio.TimeoutError:
                    message = ": still here\n\n"
                if message is None:
                    break
                self.write(message)
                await self.flush()
            await self.finish()
        except StreamClosedError:
            return
        finally:
            self.owner.leave(queue)
