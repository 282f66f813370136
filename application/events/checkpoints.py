"""Checkpoints of the audit trail, told as events."""

from application.events.changes import audit_checkpoint
from application.ports.audit import CheckpointSink
from application.ports.outbox import Outbox
from application.ports.system import Clock
from domain.audit.checkpoint import parse_checkpoint, parse_note
from domain.errors import StoreUnavailable


class CheckpointEvents(CheckpointSink):
    """A place for checkpoints: the outbox. The same checkpoint is told once."""

    name = "events"

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def publish(self, note: str) -> None:
        try:
            text, _ = parse_note(note)
            checkpoint = parse_checkpoint(text)
        except ValueError as error:
            raise StoreUnavailable(f"the checkpoint cannot be told: {error}") from error
        await self._outbox.add(
            audit_checkpoint(
                note,
                self._clock.utc_now(),
                origin=checkpoint.origin,
                size=checkpoint.size,
                root_sha256=checkpoint.root.hex(),
            )
        )
