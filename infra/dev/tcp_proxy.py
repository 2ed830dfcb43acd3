#!/usr/bin/env python3
"""A TCP proxy that a test can hurt: it stands in a link (agent to broker, ingest to log) and cuts it, refuses it or lets it fall silent.

    tcp_proxy.py --control HOST:PORT --link NAME=LISTEN_HOST:PORT,TARGET_HOST:PORT [--link ...]

Port 0 picks a free port. Once everything listens, one line of JSON on stdout tells the addresses:
    {"control": "127.0.0.1:4000", "links": {"agent": "127.0.0.1:4001"}}

The control door speaks HTTP, and every answer is the link's status as JSON after the change has taken effect:
    POST /NAME/cut        resets every open connection (RST; bytes in flight are lost); new ones are welcome
    POST /NAME/refuse     cut, and new connections are refused until restore
    POST /NAME/blackhole  open connections stay open and nothing passes; new ones are accepted and hear nothing
    POST /NAME/restore    everything passes again; what a blackhole held back is delivered, as after a healed network
    POST /NAME/pace/N     at most N bytes a second go up, over all connections together; 0: as fast as they come
    GET  /NAME            {"mode": "open", "connections": 1, "accepted": 3, "cut": 2, "bytes_up": 10, "bytes_down": 20}
With one link the name may be left out: POST /cut.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import struct
import sys

CHUNK_BYTES = 64 * 1024
# A paced link carries pieces that take about this long, so that it flows evenly.
PACED_PIECE_SECONDS = 0.02
CONNECT_SECONDS = 10.0
CONTROL_SECONDS = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close sends RST and drops what is unsent


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT")
    return host, int(port)


def link(text: str) -> tuple[str, tuple[str, int], tuple[str, int]]:
    name, _, ends = text.partition("=")
    listen, comma, target = ends.partition(",")
    if not name or "/" in name or not comma:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=LISTEN_HOST:PORT,TARGET_HOST:PORT")
    return name, address(listen), address(target)


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes a connection the hard way, so that its peer sees an error and not an orderly end."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


class Link:
    """One listening port, the place it leads to, and the harm done to it."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self.listen = listen
        self.target = target
        self.mode = "open"
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.server: asyncio.Server | None = None
        self.handlers: set[asyncio.Task] = set()
        self.accepted = self.cut_count = self.bytes_up = self.bytes_down = 0
        self.bytes_per_second = 0
        self.free_at = 0.0  # when the paced link has carried what it took last

    async def open_door(self) -> None:
        if self.server is None:
            self.server = await asyncio.start_server(self.carry, *self.listen, limit=CHUNK_BYTES)
            self.listen = self.server.sockets[0].getsockname()[:2]  # port 0 becomes the port it got, also for later restores

    async def close_door(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    async def cut(self) -> None:
        victims = [task for task in self.handlers if not task.done()]
        for task in victims:
            task.cancel()
        await asyncio.gather(*victims, return_exceptions=True)
        self.cut_count += len(victims)

    async def become(self, action: str) -> None:
        """Carries out one action; when it returns, the link already behaves so."""
        if action == "refuse":
            self.mode = "refusing"
            await self.close_door()
        if action == "blackhole":
            self.mode = "blackhole"
            self.flowing.clear()
        if action == "restore":
            self.mode = "open"
            await self.open_door()
        if action in ("restore", "refuse"):
            self.flowing.set()
        if action in ("cut", "refuse"):
            await self.cut()

    async def carry(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        """One connection from accept to its end: two pumps; the first failure on either side resets both."""
        self.handlers.add(asyncio.current_task())
        self.accepted += 1
        ends = [near_out]
        try:
            await self.flowing.wait()
            far, far_out = await asyncio.wait_for(asyncio.open_connection(*self.target, limit=CHUNK_BYTES), CONNECT_SECONDS)
            ends.append(far_out)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self.pump(near, far_out, "bytes_up", is_paced=True))
                pumps.create_task(self.pump(far, near_out, "bytes_down"))
        except (OSError, TimeoutError, ExceptionGroup, asyncio.CancelledError):
            for end in ends:
                reset(end)
        finally:
            for end in ends:
                end.close()
            self.handlers.discard(asyncio.current_task())

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, counter: str, is_paced: bool = False) -> None:
        while data := await source.read(self.piece_bytes() if is_paced else CHUNK_BYTES):
            if is_paced and self.bytes_per_second:
                await self.turn(len(data))
            await self.flowing.wait()
            sink.write(data)
            await sink.drain()
            setattr(self, counter, getattr(self, counter) + len(data))
        await self.flowing.wait()
        if sink.can_write_eof():
            sink.write_eof()

    def piece_bytes(self) -> int:
        return min(CHUNK_BYTES, max(1024, int(self.bytes_per_second * PACED_PIECE_SECONDS))) if self.bytes_per_second else CHUNK_BYTES

    async def turn(self, data_bytes: int) -> None:
        """Waits until the paced link is free again; connections take their turns as they ask."""
        now = asyncio.get_running_loop().time()
        self.free_at = max(now, self.free_at) + data_bytes / self.bytes_per_second
        await asyncio.sleep(self.free_at - now)

    def status(self) -> dict:
        return {
            "mode": self.mode,
            "bytes_per_second": self.bytes_per_second,
            "connections": len(self.handlers),
            "accepted": self.accepted,
            "cut": self.cut_count,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
        }


class Control:
    """The HTTP door through which a test does its harm."""

    ACTIONS = ("cut", "refuse", "blackhole", "restore")

    def __init__(self, links: dict[str, Link]) -> None:
        self.links = links

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CONTROL_SECONDS)
            method, path, _ = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ", 2)
            code, body = await self.answer(method, path)
        except (ValueError, OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            code, body = "400 Bad Request", {"error": f"not a request this door understands: {error}"}
        text = json.dumps(body).encode() + b"\n"
        with contextlib.suppress(OSError):
            writer.write(f"HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
            await writer.drain()
        writer.close()

    async def answer(self, method: str, path: str) -> tuple[str, dict]:
        parts = [part for part in path.split("/") if part]
        name = parts.pop(0) if parts and parts[0] in self.links else None
        if name is None and len(self.links) == 1:
            name = next(iter(self.links))
        if name is None:
            return "404 Not Found", {"error": f"no link in {path!r}", "links": sorted(self.links)}
        if method == "GET" and not parts:
            return "200 OK", self.links[name].status()
        if method == "POST" and len(parts) == 1 and parts[0] in self.ACTIONS:
            await self.links[name].become(parts[0])
            return "200 OK", self.links[name].status()
        if method == "POST" and len(parts) == 2 and parts[0] == "pace" and parts[1].isdigit():
            self.links[name].bytes_per_second = int(parts[1])
            return "200 OK", self.links[name].status()
        return "404 Not Found", {"error": f"cannot {method} {path!r}", "actions": [*self.ACTIONS, "pace/BYTES_PER_SECOND"]}


async def run(options: argparse.Namespace) -> None:
    links = {name: Link(listen, target) for name, listen, target in options.link}
    for one in links.values():
        await one.open_door()
    control = await asyncio.start_server(Control(links).serve, *options.control)
    told = {
        "control": "{}:{}".format(*control.sockets[0].getsockname()[:2]),
        "links": {name: "{}:{}".format(*one.listen) for name, one in links.items()},
    }
    print(json.dumps(told), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    control.close()
    for one in links.values():
        await one.become("refuse")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--link", type=link, action="append", required=True, metavar="NAME=LISTEN,TARGET")
    try:
        asyncio.run(run(parser.parse_args()))
    except OSError as error:
        print(f"tcp_proxy.py: {error}; give a free port, or port 0", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
