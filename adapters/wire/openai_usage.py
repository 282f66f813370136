"""Token counts in OpenAI's shape, as inclusive buckets."""

from msgspec import Struct

from domain.llm.usage import Usage


class PromptDetails(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class OpenAiUsage(Struct, gc=False):
    """`usage` of an answer or of a stream's last chunk; fields other vendors add to it included."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for cached tokens."""


_NO_PROMPT_DETAILS = PromptDetails()
_NO_COMPLETION_DETAILS = CompletionDetails()


def usage_of(wire: OpenAiUsage | None, tier: object = None) -> Usage | None:
    """Inclusive buckets; None when nothing was counted. `tier` is the answer's `service_tier`.

    A total above prompt and completion is thinking that some vendors leave out of the completion count.
    """
    if wire is None or (wire.prompt_tokens is None and wire.total_tokens is None):
        return None
    prompt, completion = wire.prompt_tokens or 0, wire.completion_tokens or 0
    if wire.prompt_tokens_details is None and wire.completion_tokens_details is None:
        surplus = (wire.total_tokens or 0) - prompt - completion
        hit = wire.prompt_cache_hit_tokens or 0
        if surplus <= 0:
            return served(Usage(prompt, completion, hit) if hit else Usage(prompt, completion), tier)
    into = wire.prompt_tokens_details or _NO_PROMPT_DETAILS
    out = wire.completion_tokens_details or _NO_COMPLETION_DETAILS
    surplus = max(0, (wire.total_tokens or 0) - prompt - completion)
    cached = into.cached_tokens or wire.prompt_cache_hit_tokens or 0
    written = into.cache_write_tokens or 0
    fresh = max(0, prompt - cached - written)
    audio = min(into.audio_tokens or 0, fresh)
    usage = Usage(
        input_tokens=prompt,
        output_tokens=completion + surplus,
        cached_read_tokens=cached,
        cache_write_tokens=written,
        # Cached audio and images are counted in both; as parts they are cached, which is what is billed.
        input_audio_tokens=audio,
        input_image_tokens=min(into.image_tokens or 0, fresh - audio),
        output_audio_tokens=out.audio_tokens or 0,
        output_image_tokens=out.image_tokens or 0,
        reasoning_tokens=max(out.reasoning_tokens or 0, surplus),
    )
    return served(usage, tier)


def read_only(wire: OpenAiUsage | None) -> Usage | None:
    """The usage of what writes nothing, such as embeddings: some vendors tell the total alone."""
    if wire is not None and wire.prompt_tokens is None and wire.total_tokens is not None:
        return Usage(wire.total_tokens)
    return usage_of(wire)


def served(usage: Usage, tier: object) -> Usage:
    """The same usage with the tier of service it was billed at, where the answer says so."""
    return usage._replace(variant=f"service_tier={tier}") if isinstance(tier, str) and tier else usage


def usage_object(usage: Usage) -> dict[str, object]:
    """The same buckets in OpenAI's shape, for translated answers."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_long_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
    }
