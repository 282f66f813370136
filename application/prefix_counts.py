"""What providers counted of conversations, so that their next turns are bounded by that, not by bytes.

A turn begins with the turn before it, to the byte, and the provider has told how many tokens that was. The
count holds for the same model at the same provider alone: others cut texts up differently.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final, NamedTuple

from application.job import Job
from application.ports.wire import Opening, RequestReader
from domain.budgets.token_bounds import KnownPrefix
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Target

CONVERSATIONS_MAX: Final = 20_000
"""Remembered at once, some 200 bytes each; the one that was unused longest is forgotten first."""


class _Counted(NamedTuple):
    opening: Opening
    tokens: int


class PrefixCounts:
    """Belongs to one event loop; what it knows is lost with the process, which costs larger holds and nothing
    else. Every key contains its tenant."""

    def __init__(self, reader: RequestReader, *, conversations_max: int = CONVERSATIONS_MAX) -> None:
        self._reader = reader
        self._conversations_max = conversations_max
        self._counted: OrderedDict[bytes, _Counted] = OrderedDict()

    def known(self, tenant_id: str, request: LlmRequest, target: Target) -> KnownPrefix | None:
        """What is known of the beginning of this request at this target; None: nothing."""
        if not self._counted or request.operation is not Operation.CHAT:
            return None
        key = self._key(tenant_id, request, target)
        counted = self._counted.get(key) if key else None
        if counted is None:
            return None
        rest_bytes = self._reader.rest_after(counted.opening, request)
        return None if rest_bytes is None else KnownPrefix(counted.tokens, rest_bytes)

    def answered(self, job: Job) -> None:
        """Remembers what the provider counted for a job's last attempt, where it was sent as it was asked."""
        target, request = job.answered_by, job.request
        if target is None or not job.attempts or job.continued or request.home is not None:
            return
        attempt = job.attempts[-1]
        if attempt.outcome != "ok" or attempt.estimated or not attempt.input_tokens:
            return
        if request.operation is not Operation.CHAT or request.contents.outside:
            return
        opening = self._reader.opening(request)
        key = b"" if opening is None else self._key(job.principal.tenant_id, request, target)
        if opening is None or not key:
            return
        self._counted[key] = _Counted(opening, attempt.input_tokens)
        self._counted.move_to_end(key)
        if len(self._counted) > self._conversations_max:
            self._counted.popitem(last=False)

    def _key(self, tenant_id: str, request: LlmRequest, target: Target) -> bytes:
        identity = self._reader.fingerprint(request)
        if not identity:
            return b""
        names = f"{tenant_id}\0{target.id}\0{target.model}\0{request.dialect}\0"
        return blake2b(names.encode("utf-8", "surrogatepass") + identity, digest_size=16).digest()
