"""Which providers answer the Responses API themselves, and which models are offered there alone.

From the providers' own documentation: OpenAI and Azure OpenAI keep answers for 30 days unless told not to,
xAI likewise; Groq and OpenRouter answer without keeping anything. Whoever is not here is asked in chat,
which `responses:` of the provider's section changes.
"""

import re
from typing import Final

from domain.catalog.tags import RESPONSES_ONLY_TAG, ResponsesSupport

_BY_KIND: Final = {
    "openai": ResponsesSupport.NATIVE,
    "azure": ResponsesSupport.NATIVE,
    "x-ai": ResponsesSupport.NATIVE,
    "groq": ResponsesSupport.STATELESS,
    "openrouter": ResponsesSupport.STATELESS,
}
_MAKERS: Final = frozenset({"openai", "azure"})
_ONLY_THERE: Final = re.compile(
    r"(?:o1-pro|o3-pro|gpt-5(?:\.\d+)?-pro|gpt-5(?:\.\d+)?-codex|codex-mini|computer-use-preview"
    r"|o\d(?:-mini)?-deep-research)(?:-|$)"
)


def responses_support(kind: str) -> ResponsesSupport:
    """What a provider of this catalogue id (or wire) does with requests of the Responses API.

    Behind an address of the operator's own, `openai` is believed too: a server without the endpoint is
    noticed at the first call, and asked in chat from then on.
    """
    return _BY_KIND.get(kind, ResponsesSupport.TRANSLATED)


def responses_tags(support: ResponsesSupport, kind: str, model: str) -> frozenset[str]:
    """What a target of such a provider is tagged with."""
    if kind in _MAKERS and _ONLY_THERE.match(model):
        return support.tags | {RESPONSES_ONLY_TAG}
    return support.tags
