"""Sending one webhook.

Failure policy: whatever goes wrong is an `Attempt` that says what; only being cancelled is raised, and then
the peer may have got the message.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from domain.webhooks.delivery import Attempt


class Message(NamedTuple):
    """Exactly what is sent, to where a tenant wants it."""

    tenant_id: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class WebhookSender(Protocol):
    @abstractmethod
    async def send(self, message: Message) -> Attempt:
        """Ends within the sender's total time."""
        ...
