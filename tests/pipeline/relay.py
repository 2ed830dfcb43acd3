"""A line between an agent and the MQTT door on which batches of one site are said to be another's. Their runs are left as they are."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path

PIECE_BYTES = 1 << 20
# Field 3 of a batch is its site; that of a run is field 4.
BATCH_SITE = 3 << 3 | 2


class Relay:
    """Shows the door's own certificate. Both sites' names must be equally long: nothing but letters changes on the way."""

    def __init__(self, secrets: Path, door_port: int, site: str, said: str) -> None:
        assert len(site) == len(said)
        self._door_port, self._secrets = door_port, secrets
        topic, field = "medfleet/v1/{}/".format, lambda name: bytes((BATCH_SITE, len(name))) + name.encode()
        self._words = [(topic(site).encode(), topic(said).encode()), (field(site), field(said))]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown.load_cert_chain(self._secrets / "server.pem", self._secrets / "server.key")
        trusted = ssl.create_default_context(cafile=self._secrets / "ca.pem")
        while True:
            try:
                agent = shown.wrap_socket(self._listener.accept()[0], server_side=True)
                door = trusted.wrap_socket(socket.create_connection(("127.0.0.1", self._door_port)), server_hostname="localhost")
            except OSError:
                if self._listener.fileno() < 0:
                    return
                continue
            for source, target, words in ((agent, door, self._words), (door, agent, [])):
                threading.Thread(target=self._pass, args=(source, target, words), daemon=True).start()

    @staticmethod
    def _pass(source: ssl.SSLSocket, target: ssl.SSLSocket, words: list[tuple[bytes, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                for old, new in words:
                    piece = piece.replace(old, new)
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._listener.close()
