"""A mail server that takes everything, or refuses for a while when told to."""

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
        return "250 taken"

    def end(self) -> None:
        self.controller.stop()
