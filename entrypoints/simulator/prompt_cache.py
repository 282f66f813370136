"""Prompt caching as providers do it: long prefixes seen before are billed as cached.

OpenAI and Gemini find shared prefixes by themselves, in steps of 128 tokens from 1,024 on. Anthropic
caches what the caller marks, and bills the first time as a write.
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
        self._marked: OrderedDict[tuple[str, str, bytes], None] = OrderedDict()

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
        key = (provider, ask.model, blake2b(marked, digest_size=16).digest())
        seen = key in self._marked
        self._marked[key] = None
        self._marked.move_to_end(key)
        if len(self._marked) > _PROMPTS_MAX:
            self._marked.popitem(last=False)
        if seen:
            return tokens._replace(cached=part)
        return tokens._replace(cache_write_long=part) if ask.cache_long else tokens._replace(cache_write=part)


def _shared_bytes(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
