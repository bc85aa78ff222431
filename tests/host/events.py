"""The host's websocket, read with the standard library: what the page would have been told during a run."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
import threading
from typing import Any

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Events:
    """Text messages of `/ws?clientId=...` from the moment of construction, collected by a thread.

    Binary messages (preview images) are dropped. Each message is the host's own dict, `{"type": ..., "data": ...}`.
    """

    def __init__(self, port: int, client_id: str) -> None:
        self._changed = threading.Condition()
        self._messages: list[dict[str, Any]] = []
        self._open = True
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /ws?clientId={client_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline().decode().strip()
        while self._stream.readline().strip():
            pass
        if " 101 " not in status:
            raise ConnectionError(f"the host refused the websocket: {status}")
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The data of every message of this type so far, in order."""
        with self._changed:
            return [message.get("data", {}) for message in self._messages if message.get("type") == kind]

    def wait_for(self, kind: str, timeout: float = 60.0, **expected: Any) -> dict[str, Any]:
        """Data of the first message of this type whose fields equal `expected`, already seen or still to come.

        Raises:
            TimeoutError: none came in `timeout` seconds, or the host closed the connection.
        """

        def match() -> dict[str, Any] | None:
            for message in self._messages:
                data = message.get("data", {})
                if message.get("type") == kind and all(data.get(name) == value for name, value in expected.items()):
                    return data
            return None

        with self._changed:
            self._changed.wait_for(lambda: match() is not None or not self._open, timeout)
            if (found := match()) is not None:
                return found
        raise TimeoutError(f"no message {kind!r} with {expected} in {timeout} s; open={self._open}")

    def clear(self) -> None:
        """Forget what was read."""
        with self._changed:
            self._messages.clear()

    def close(self) -> None:
        """Hang up; the reading thread ends."""
        with contextlib.suppress(OSError):  # the host may have gone first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._stream.close()
        self._socket.close()

    def _read(self) -> None:
        try:
            while (frame := self._frame()) is not None:
                kind, payload = frame
                if kind == TEXT:
                    with self._changed:
                        self._messages.append(json.loads(payload))
                        self._changed.notify_all()
                elif kind == PING:
                    # A client's frames are masked; the mask of zeros leaves the payload as it is.
                    self._socket.sendall(bytes((0x80 | PONG, 0x80 | len(payload))) + bytes(4) + payload)
        except OSError:
            pass  # closed under us
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _frame(self) -> tuple[int, bytes] | None:
        """Opcode and payload of the next message, fragments joined; None at the end."""
        kind, payload, final = 0, b"", False
        while not final:
            head = self._stream.read(2)
            if len(head) < 2:
                return None
            final, opcode, size = bool(head[0] & 0x80), head[0] & 0x0F, head[1] & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._stream.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._stream.read(8))
            kind = opcode or kind
            payload += self._stream.read(size)
        return None if kind == CLOSE else (kind, payload)
