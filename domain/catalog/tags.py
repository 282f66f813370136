"""Tags of offerings and targets that the machinery itself reads. Operators may set them too."""

from enum import Enum
from typing import Final

RESPONSES_TAG: Final = "responses"
"""The provider answers `/responses` itself; without it such requests are translated."""
KEEPS_ANSWERS_TAG: Final = "keeps-answers"
"""It also keeps answers under their ids (`store`, `background`, `previous_response_id`)."""
RESPONSES_ONLY_TAG: Final = "responses-only"
"""The model is offered at `/responses` alone: chats and messages are translated to it."""
CHAT_ONLY_TAG: Final = "chat-only"
"""There is no text-completion endpoint: completions are asked as a chat."""
NO_STREAM_OPTIONS_TAG: Final = "no-stream-options"
"""The server refuses `stream_options`; it counts tokens in its last chunk unasked."""
MAX_TOKENS_TAG: Final = "max-tokens"
"""The server knows the answer's limit as `max_tokens` only."""
MAX_COMPLETION_TOKENS_TAG: Final = "max-completion-tokens"
"""The server wants the limit as `max_completion_tokens`, whatever the model."""
LIMIT_COVERS_THINKING_TAG: Final = "limit-covers-thinking"
"""The limit on the answer is known to cover what the model thinks (see `domain.budgets.token_bounds`)."""
PREFIX_FLAG_TAG: Final = "prefill_needs_prefix_flag"
"""The server continues a trailing assistant message only when it is marked with `prefix`."""


class ResponsesSupport(Enum):
    """What a provider does with a request of the Responses API."""

    NATIVE = "native"
    """Answers it and keeps the answer."""
    STATELESS = "stateless"
    """Answers it and keeps nothing."""
    TRANSLATED = "translated"
    """Has no such endpoint: Interchange translates to its chat."""

    @property
    def tags(self) -> frozenset[str]:
        """What targets of such a provider are tagged with."""
        return _TAGS[self]


_TAGS: Final = {
    ResponsesSupport.NATIVE: frozenset({RESPONSES_TAG, KEEPS_ANSWERS_TAG}),
    ResponsesSupport.STATELESS: frozenset({RESPONSES_TAG}),
    ResponsesSupport.TRANSLATED: frozenset[str](),
}
