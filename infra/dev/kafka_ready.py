"""Waits until a Kafka broker answers a metadata request and names a controller, by speaking the protocol itself (no client needed).

Exit status 0: ready. 1: its process ended or the deadline passed, with the reason on stderr.
"""

import argparse
import os
import socket
import struct
import sys
import time

METADATA_API_KEY = 3
METADATA_VERSION = 7
POLL_SECONDS = 0.05
ANSWER_SECONDS = 5.0


class NotReady(Exception):
    """The broker could not be asked, or its answer is not yet a working broker's."""


def metadata_request() -> bytes:
    client = b"ready-check"
    header = struct.pack(">hhih", METADATA_API_KEY, METADATA_VERSION, 1, len(client)) + client
    body = struct.pack(">i?", 0, False)  # no topics, create none
    return struct.pack(">i", len(header + body)) + header + body


def read_exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        if not part:
            raise NotReady("the connection was closed before the answer was complete")
        data += part
    return data


def brokers_and_controller(answer: bytes) -> tuple[int, int]:
    """Reads how many brokers there are and which one leads (-1: none) from a metadata answer of version 7."""
    at = 8  # correlation id, throttle time
    (brokers,) = struct.unpack_from(">i", answer, at)
    at += 4

    def skip_string(at: int) -> int:
        (length,) = struct.unpack_from(">h", answer, at)
        return at + 2 + max(length, 0)

    for _ in range(brokers):
        at = skip_string(at + 4) + 4  # node id, host, port
        at = skip_string(at)  # rack
    at = skip_string(at)  # cluster id
    (controller,) = struct.unpack_from(">i", answer, at)
    return brokers, controller


def ask(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as stream:
        stream.sendall(metadata_request())
        (length,) = struct.unpack(">i", read_exactly(stream, 4))
        brokers, controller = brokers_and_controller(read_exactly(stream, length))
    if brokers < 1 or controller < 0:
        raise NotReady(f"it answers with {brokers} brokers and controller {controller}")


def process_lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--pid", type=int, default=os.getpid(), help="give up as soon as this process has ended")
    parser.add_argument("--deadline-seconds", type=float, default=60.0)
    options = parser.parse_args()
    deadline = time.monotonic() + options.deadline_seconds
    while True:
        try:
            ask(options.host, options.port)
            return 0
        except (OSError, NotReady, struct.error) as error:
            reason = error
        if not process_lives(options.pid):
            print(f"process {options.pid} has ended", file=sys.stderr)
            return 1
        if time.monotonic() > deadline:
            print(f"no answer on {options.host}:{options.port} within {options.deadline_seconds:g} s: {reason}", file=sys.stderr)
            return 1
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
