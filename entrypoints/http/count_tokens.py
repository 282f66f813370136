"""`POST /v1/messages/count_tokens`: the provider's own count, or ours where the provider has none."""

import msgspec

from application.ports.wire import ANTHROPIC_COUNT_TOKENS
from domain.errors import InterchangeError, NoProviderAvailable
from entrypoints.http.asgi import JSON, RawHeaders
from entrypoints.http.llm import LlmEndpoint, LlmGate


class CountTokensEndpoint(LlmEndpoint):
    """Agents count before they send, whatever model answers: without a provider that counts, the answer is
    an estimate and says so."""

    def __init__(self, gate: LlmGate) -> None:
        super().__init__(gate, ANTHROPIC_COUNT_TOKENS)

    def refusal(self, error: InterchangeError, body: bytes, request_id: str) -> tuple[int, RawHeaders, bytes]:
        """An estimate when no provider of the route counts; any other error as it is."""
        if not isinstance(error, NoProviderAvailable):
            return super().refusal(error, body, request_id)
        counted = self._gate.reader.read(ANTHROPIC_COUNT_TOKENS, body).input_tokens_typical
        headers: RawHeaders = [
            JSON,
            (b"x-request-id", request_id.encode()),
            (b"x-interchange-estimated", b"true"),
        ]
        return 200, headers, msgspec.json.encode({"input_tokens": counted})
