"""A mail server that takes everything, refuses for a while when told to, or keeps its answers back."""

import asyncio
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message

from aiosmtpd.controller import Controller
from faults.process import free_ports


class Mail:
    """`refusals`: so many letters are refused with 451 before one is taken."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.seen: list[Message] = []
        self.refusals = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.port = free_ports(1)
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope) -> str:
        letter = message_from_bytes(envelope.content)
        letter["X-To"] = ", ".join(envelope.rcpt_tos)
        self.seen.append(letter)
        if self.refusals > 0:
            self.refusals -= 1
            return "451 try again later"
        self.letters.append(letter)
        await self.answers.wait()
        return "250 taken"

    def hold(self) -> None:
        """Letters that come from now on are kept and not answered, until `release`."""
        self._on_its_loop(self.answers.clear)

    def release(self) -> None:
        self._on_its_loop(self.answers.set)

    def _on_its_loop(self, does: Callable[[], None]) -> None:
        async def done() -> None:
            does()

        asyncio.run_coroutine_threadsafe(done(), self.controller.loop).result()

    def end(self) -> None:
        self.release()
        self.controller.stop()
