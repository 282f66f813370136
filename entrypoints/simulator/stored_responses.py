"""Conversations a provider keeps, so that a later request continues one by its id.

An id is known only to the account that got it: the same provider and the same key.
"""

from collections import OrderedDict

from entrypoints.simulator.conversation import BYTES_PER_INPUT_TOKEN, Answer, Ask, Rejected
from entrypoints.simulator.responses_shape import response_id
from entrypoints.simulator.rules import RequestFacts

_STORED_MAX = 1024
_TEXT_CHARS_MAX = 64 * 1024


class StoredResponses:
    """The newest conversations; older ones are forgotten."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def continued(self, facts: RequestFacts, ask: Ask) -> Ask:
        """The request with what came before it.

        Raises:
            Rejected: no such response of this account.
        """
        if ask.previous is None:
            return ask
        before = self._texts.get((facts.provider, facts.provider_key, ask.previous))
        if before is None:
            raise Rejected(
                400,
                f"Previous response with id '{ask.previous}' not found.",
                kind="invalid_request_error",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        more = -(-len(before.encode("utf-8", "surrogatepass")) // BYTES_PER_INPUT_TOKEN)
        return ask._replace(prompt=f"{before}\n{ask.prompt}", input_tokens=ask.input_tokens + more)

    def remember(self, facts: RequestFacts, ask: Ask, answer: Answer) -> None:
        """Keeps the conversation up to this answer, unless the caller asked for no storing."""
        if not ask.stored:
            return
        text = f"{ask.prompt}\n{answer.choices[0].text}"[-_TEXT_CHARS_MAX:]
        self._texts[(facts.provider, facts.provider_key, response_id(answer))] = text
        if len(self._texts) > _STORED_MAX:
            self._texts.popitem(last=False)
