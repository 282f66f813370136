"""Conversations a provider keeps, so that a later request continues one by its id.

An id is known only to the account that got it: the same provider and the same key. So is reasoning that an
account encrypted. A response made in the background is in progress until it was fetched once.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator.conversation import (
    BYTES_PER_INPUT_TOKEN,
    Answer,
    Ask,
    Frame,
    Rejected,
    Tokens,
)
from entrypoints.simulator.responses_shape import (
    response_id,
    responses_body,
    responses_frames,
    unfinished_body,
)
from entrypoints.simulator.rules import RequestFacts

_STORED_MAX = 1024
_TEXT_CHARS_MAX = 64 * 1024
_PAGE_DEFAULT = 20
_SEAL = "gAAAAsim"

Account = tuple[str, str]


class _Stored:
    """One conversation up to an answer. `status` is of the answer."""

    __slots__ = ("answer", "ask", "billed", "looks", "status", "text")

    def __init__(self, ask: Ask, answer: Answer, text: str, *, pending: bool) -> None:
        self.ask = ask
        self.answer = answer
        self.text = text
        self.status = "in_progress" if pending else "completed"
        self.looks = 0
        self.billed = not pending


class Fetched(NamedTuple):
    """What a request for a stored response is answered with; `tokens` is what it is billed for."""

    body: bytes
    model: str = ""
    tokens: Tokens | None = None
    frames: tuple[Frame, ...] = ()


class StoredResponses:
    """The newest conversations; older ones are forgotten."""

    def __init__(self) -> None:
        self._stored: OrderedDict[tuple[str, str, str], _Stored] = OrderedDict()
        self._items: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def continued(self, facts: RequestFacts, ask: Ask) -> Ask:
        """The request with what came before it.

        Raises:
            Rejected: no such response or item of this account, or reasoning that another one encrypted.
        """
        account = (facts.provider, facts.provider_key)
        seal = _seal(account)
        ask = ask._replace(seal=seal)
        for item in ask.items:
            self._check(account, seal, item)
        if ask.previous is None:
            return ask
        before = self._stored.get((*account, ask.previous))
        if before is None:
            raise Rejected(
                400,
                f"Previous response with id '{ask.previous}' not found.",
                kind="invalid_request_error",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        more = -(-len(before.text.encode("utf-8", "surrogatepass")) // BYTES_PER_INPUT_TOKEN)
        return ask._replace(prompt=f"{before.text}\n{ask.prompt}", input_tokens=ask.input_tokens + more)

    def _check(self, account: Account, seal: str, item: dict[str, Any]) -> None:
        encrypted, item_id = item.get("encrypted_content"), item.get("id")
        if encrypted is not None and not str(encrypted).startswith(seal):
            raise Rejected(
                400,
                f"The encrypted content for item {item_id} could not be verified.",
                kind="invalid_request_error",
                code="invalid_encrypted_content",
            )
        if item.get("type") == "item_reference" and (*account, item_id) not in self._items:
            raise Rejected(
                404, f"Item with id '{item_id}' not found.", kind="invalid_request_error", param="input"
            )

    def remember(self, facts: RequestFacts, ask: Ask, answer: Answer) -> None:
        """Keeps the conversation up to this answer."""
        text = f"{ask.prompt}\n{answer.choices[0].text}"[-_TEXT_CHARS_MAX:]
        account, own_id = (facts.provider, facts.provider_key), response_id(answer)
        pending = ask.background and not ask.stream
        self._stored[(*account, own_id)] = _Stored(ask, answer, text, pending=pending)
        self._items[(*account, f"rs_sim{answer.id}")] = self._items[(*account, f"msg_sim{answer.id}")] = text
        if len(self._stored) > _STORED_MAX:
            self._stored.popitem(last=False)
        while len(self._items) > 2 * _STORED_MAX:
            self._items.popitem(last=False)

    def resource(self, facts: RequestFacts, method: str) -> Fetched:
        """Answers a request for one stored response.

        Raises:
            Rejected: no such response of this account, or nothing that can be done with it.
        """
        _, _, below = facts.path.rpartition("/responses/")
        own_id, _, action = below.partition("/")
        key = (facts.provider, facts.provider_key, own_id)
        stored = self._stored.get(key)
        if stored is None:
            raise Rejected(404, f"Response with id '{own_id}' not found.", kind="invalid_request_error")
        match method, action:
            case "GET", "":
                return self._shown(stored, stream=facts.stream)
            case "DELETE", "":
                del self._stored[key]
                return Fetched(
                    msgspec.json.encode({"id": own_id, "object": "response.deleted", "deleted": True})
                )
            case "POST", "cancel":
                return self._cancelled(stored)
            case "GET", "input_items":
                return Fetched(_listed(stored.ask))
            case _:
                raise Rejected(405, f"Not allowed to {method} on {facts.path}", kind="invalid_request_error")

    def _shown(self, stored: _Stored, *, stream: bool) -> Fetched:
        ask, answer = stored.ask, stored.answer
        if stream:
            return Fetched(b"", ask.model, self._charged(stored), tuple(responses_frames(ask, answer)))
        if stored.status == "in_progress":
            stored.looks += 1
            if stored.looks > 1:
                stored.status = "completed"
        if stored.status != "completed":
            return Fetched(unfinished_body(ask, answer, stored.status))
        return Fetched(responses_body(ask, answer), ask.model, self._charged(stored))

    def _cancelled(self, stored: _Stored) -> Fetched:
        if not stored.ask.background:
            raise Rejected(400, "Only background responses can be cancelled.", kind="invalid_request_error")
        if stored.status == "in_progress":
            stored.status = "cancelled"
        return self._shown(stored, stream=False)

    @staticmethod
    def _charged(stored: _Stored) -> Tokens | None:
        """What is still to be paid: an answer made in the background is billed when it is first seen."""
        if stored.billed:
            return None
        stored.billed = True
        stored.status = "completed"
        return stored.answer.tokens


def _seal(account: Account) -> str:
    return _SEAL + sha256("\n".join(account).encode()).hexdigest()[:12] + "."


def _listed(ask: Ask) -> bytes:
    items = [
        {"type": "message", **item, "id": item.get("id") or f"msg_input{place}"}
        for place, item in enumerate(ask.items)
    ]
    for item in items:
        if isinstance(item.get("content"), str):
            item["content"] = [{"type": "input_text", "text": item["content"]}]
    page = items[::-1][:_PAGE_DEFAULT]
    return msgspec.json.encode(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"],
            "last_id": page[-1]["id"],
            "has_more": len(items) > len(page),
        }
    )
