"""Tags of offerings and targets that the machinery itself reads. Operators may set them too."""

from enum import Enum
from typing import Final

RESPONSES_TAG: Final = "responses"
"""The provider answers `/responses` itself; without it such requests are translated."""
KEEPS_ANSWERS_TAG: Final = "keeps-answers"
"""It also keeps answers under their ids (`store`, `background`, `previous_response_id`)."""
RESPONSES_ONLY_TAG: Final = "responses-only"
"""The model is offered at `/responses` alone: chats and messages are translated to it."""


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
