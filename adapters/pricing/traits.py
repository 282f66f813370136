"""From a provider and a model name to what we know about the model besides its price.

First the kind, since a name such as `whisper` or `embed` says more than any family; then the family.
Sizes of a family are only believed at its own maker and at clouds that serve it unchanged: other hosts cut
context windows as they like, and an unknown window is better than a wrong one.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from adapters.pricing.families import FAMILIES, O_SERIES, Family
from domain.catalog.names import normalise
from domain.catalog.prices import PriceTable
from domain.llm.capabilities import LONG_CONTEXT_TOKENS, NO_CAPABILITY, Capability


class Traits(NamedTuple):
    """What a name tells. Sizes are tokens; `None` is unknown."""

    capabilities: Capability
    quality: float | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    prefill: bool = False
    prefix_flag: bool = False
    version: str | None = None


_CHAT = Capability.TEXT | Capability.STREAMING
_SPEECH_BOTH_WAYS = Capability.AUDIO_IN | Capability.AUDIO_OUT
_KINDS: Final[tuple[tuple[re.Pattern[str], Capability], ...]] = tuple(
    (re.compile(pattern), capabilities)
    for pattern, capabilities in (
        (r"rerank|(^|/)rank-", Capability.RERANK),
        (
            r"embed|(^|[/-])(bge|gte|e5|uae|m2-bert)-|(^|/)voyage-|minilm|mpnet|text-similarity",
            Capability.EMBEDDINGS,
        ),
        (
            r"whisper|transcri|voxtral-.*-(stt|asr)|parakeet|canary-|(^|/)nova-[23]$|(^|/|-)scribe",
            Capability.AUDIO_IN,
        ),
        (
            r"(^|[/-])tts($|-)|orpheus|(^|/)eleven|playai|speech-0|kokoro|(^|/)sonic-[0-9]",
            Capability.AUDIO_OUT,
        ),
        (r"(^|/|-)(sora|veo|kling|hailuo|seedance)(-|$)|(^|/)wan-", NO_CAPABILITY),
        (
            r"dall-e|gpt-image|chatgpt-image|(^|/|-)(imagen|flux)|stable-diffusion|sdxl|ming-image|seedream",
            Capability.IMAGE,
        ),
        (
            r"gpt-[5-9][^/]*-image|gemini-[^/]*-image|nano-banana",
            _CHAT | Capability.IMAGE | Capability.VISION,
        ),
        (r"moderation|prompt-guard|distilbert|sst-2", NO_CAPABILITY),
        (r"(^|[/-])ocr($|-)", Capability.VISION),
        (r"m2m100|indictrans", Capability.TEXT),
        (
            r"realtime|(^|/|-)live(-|$)|nova-(2-)?sonic|grok-voice",
            _CHAT | _SPEECH_BOTH_WAYS | Capability.FUNCTION_CALLING,
        ),
        (r"gpt-[^/]*audio", _CHAT | _SPEECH_BOTH_WAYS | Capability.FUNCTION_CALLING),
        (r"(^|/|:)(ada|babbage|curie|davinci)(-|$)|text-(ada|babbage|curie|davinci)", _CHAT),
    )
)
_HINTS: Final[tuple[tuple[re.Pattern[str], Capability], ...]] = (
    (re.compile(r"(?<!non-)(reasoning|reasoner|thinking)"), Capability.REASONING),
    (re.compile(r"cod(er|e)(-|$|:)|codex|starcoder|codellama|codegemma"), Capability.CODE),
    (re.compile(r"(^|[/-])vl(-|$)|vision|llava|multimodal|pixtral|internvl|moondream"), Capability.VISION),
    (re.compile(r"(^|/)ft:|-ft-|:ft-"), Capability.FINE_TUNED),
)
_NOT_REASONING: Final = re.compile(r"non-reasoning|no-?thinking|instruct-2507")

_FAITHFUL_HOSTS: Final = frozenset(
    {"anthropic", "aws", "azure", "cohere", "deepseek", "google", "mistral", "moonshotai", "openai"}
    | {"perplexity", "vertex", "x-ai", "zai", "zhipuai"}
)
_HOST_LACKS: Final = {
    # These serve other makers' chat models without forwarding tools.
    "perplexity": Capability.FUNCTION_CALLING,
}

_ANTHROPIC_HOSTS: Final = frozenset({"anthropic", "aws", "google", "vertex"})
# Anthropic removed assistant prefill with Claude Opus 4.6; only models known to be older count.
_CLAUDE_WITH_PREFILL: Final = re.compile(
    r"claude-(2|3|instant|haiku-4-5|(opus|sonnet)-4(-[015])?(-2025\d+)?(-v\d.*)?$|4-(opus|sonnet))"
)
_PREFIX_CHAT: Final = {
    "deepseek": re.compile(r"^deepseek-chat"),
    "mistral": re.compile(r"^(open-)?(mistral|mixtral|codestral|ministral|devstral|magistral|pixtral)"),
}
_DATE: Final = re.compile(r"(?<!\d)(20[2-3]\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


@lru_cache(maxsize=8192)
def traits_of(provider: str, model: str) -> Traits:
    """What the name of a model at a provider tells. Pure."""
    name = normalise(model)
    dated = _DATE.search(name)
    version = "-".join(dated.groups()) if dated else None
    kind = next((capabilities for pattern, capabilities in _KINDS if pattern.search(name)), None)
    hints = _hints(name)
    if kind is not None:
        return Traits(kind | (hints & Capability.FINE_TUNED), version=version)
    family = family_of(name)
    capabilities = _CHAT | hints | (family.abilities if family else NO_CAPABILITY)
    if _NOT_REASONING.search(name):
        capabilities &= ~Capability.REASONING
    capabilities &= ~_HOST_LACKS.get(provider, NO_CAPABILITY)
    faithful = provider in _FAITHFUL_HOSTS
    prefix_flag = bool((flagged := _PREFIX_CHAT.get(provider)) and flagged.search(name))
    claude = provider in _ANTHROPIC_HOSTS and bool(_CLAUDE_WITH_PREFILL.search(name))
    return Traits(
        capabilities=capabilities,
        quality=family.quality if family and not capabilities & Capability.FINE_TUNED else None,
        context_tokens=family.context_tokens if family and faithful else None,
        max_output_tokens=family.max_output_tokens if family and faithful else None,
        prefill=claude or prefix_flag,
        prefix_flag=prefix_flag,
        version=version,
    )


def family_of(name: str) -> Family | None:
    """The family row for a normalised name, or None."""
    for brand, rows in FAMILIES.items():
        if brand in name:
            for row in rows:
                if row.pattern.search(name):
                    return row
    for row in O_SERIES:
        if row.pattern.search(name):
            return row
    return None


def _hints(name: str) -> Capability:
    found = NO_CAPABILITY
    for pattern, capability in _HINTS:
        if pattern.search(name):
            found |= capability
    return found


def seen_in_prices(prices: PriceTable) -> Capability:
    """Abilities that a price proves: nobody prices audio tokens for a model that cannot hear."""
    base, found = prices.base, NO_CAPABILITY
    if base.input_image is not None:
        found |= Capability.VISION
    if base.input_audio is not None:
        found |= Capability.AUDIO_IN
    if base.output_audio is not None:
        found |= Capability.AUDIO_OUT
    if base.output_image is not None:
        found |= Capability.IMAGE
    if base.reasoning is not None:
        found |= Capability.REASONING
    return found


def with_context(capabilities: Capability, context_tokens: int | None) -> Capability:
    """The capabilities, with `long_context` where the window is that long."""
    if context_tokens is not None and context_tokens >= LONG_CONTEXT_TOKENS:
        return capabilities | Capability.LONG_CONTEXT
    return capabilities
