"""Prompt caching as providers do it: long prefixes seen before are billed as cached.

OpenAI and Gemini find shared prefixes by themselves, in steps of 128 tokens from 1,024 on. Anthropic
caches what the caller marks, reads the longest part of it marked before, and bills the rest as a write.
"""

from collections import OrderedDict
from hashlib import blake2b

from entrypoints.simulator.conversation import BYTES_PER_INPUT_TOKEN, Ask, Tokens

TOKENS_MIN = 1024
STEP_TOKENS = 128
_PROMPTS_MAX = 64
_PROMPT_BYTES_MAX = 512 * 1024


class PromptCache:
    """Remembers the newest long prompts, so many and so much of each that memory stays bounded."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[tuple[str, str, bytes], bytes] = OrderedDict()
        self._marked: OrderedDict[tuple[str, str, bytes], int] = OrderedDict()

    def counted(self, provider: str, ask: Ask, tokens: Tokens) -> Tokens:
        """The same tokens, with what was cached."""
        if tokens.input < TOKENS_MIN:
            return tokens
        if ask.cacheable_prompt is not None:
            return self._explicit(provider, ask, tokens) if ask.cacheable_prompt else tokens
        prompt = ask.prompt.encode("utf-8", "surrogatepass")[:_PROMPT_BYTES_MAX]
        least = TOKENS_MIN * BYTES_PER_INPUT_TOKEN
        if len(prompt) < least:
            return tokens
        key = (provider, ask.model, prompt[:least])
        known = self._prompts.get(key)
        self._prompts[key] = prompt
        self._prompts.move_to_end(key)
        if len(self._prompts) > _PROMPTS_MAX:
            self._prompts.popitem(last=False)
        if known is None:
            return tokens
        shared = _shared_bytes(known, prompt) // BYTES_PER_INPUT_TOKEN
        return tokens._replace(cached=min(shared // STEP_TOKENS * STEP_TOKENS, tokens.input))

    def _explicit(self, provider: str, ask: Ask, tokens: Tokens) -> Tokens:
        marked = (ask.cacheable_prompt or "").encode("utf-8", "surrogatepass")
        part = min(len(marked) // BYTES_PER_INPUT_TOKEN, tokens.input)
        if part < TOKENS_MIN:
            return tokens
        read = self._longest_seen(provider, ask.model, marked)
        key = (provider, ask.model, _digest(marked))
        self._marked[key] = len(marked)
        self._marked.move_to_end(key)
        if len(self._marked) > _PROMPTS_MAX:
            self._marked.popitem(last=False)
        cached = min(read // BYTES_PER_INPUT_TOKEN, part)
        tokens = tokens._replace(cached=cached)
        written = part - cached
        return (
            tokens._replace(cache_write_long=written)
            if ask.cache_long
            else tokens._replace(cache_write=written)
        )

    def _longest_seen(self, provider: str, model: str, marked: bytes) -> int:
        """Bytes of the longest marked prompt seen before that this one begins with."""
        sizes = sorted(
            {
                size
                for (by, of, _), size in self._marked.items()
                if (by, of) == (provider, model) and size <= len(marked)
            },
            reverse=True,
        )
        return next((size for size in sizes if (provider, model, _digest(marked[:size])) in self._marked), 0)


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()


def _shared_bytes(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
