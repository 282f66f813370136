"""A provider's embeddings behind the port: unit vectors, and recent texts of each tenant remembered.

What a text's vector cost one tenant is not shared with another: the bill would tell who asked before.
"""

import math
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from application.ports.embedder import Embedder, Vector
from domain.errors import InvalidRequest, StoreUnavailable
from domain.llm.usage import estimate_tokens

TOKENS_MAX: Final = 512
"""Longer questions are told apart by details that one vector loses, whatever the model can read."""
TEXTS_MAX: Final = 64
VECTORS_KEPT: Final = 4_096
KNOWN_DIMENSIONS: Final = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "gemini-embedding-001": 3072,
    "text-embedding-004": 768,
    "text-embedding-005": 768,
    "mistral-embed": 1024,
    "embed-v4.0": 1536,
    "embed-english-v3.0": 1024,
    "embed-multilingual-v3.0": 1024,
}
"""As the vendors document them when nothing else is asked for."""

AskForVectors = Callable[[Sequence[str]], Awaitable[list[list[float]]]]


def dimensions_of(model: str, configured: int | None) -> int:
    """Numbers in a vector of `provider/model`. Raises InvalidRequest: nobody knows."""
    known = configured or KNOWN_DIMENSIONS.get(model.rpartition("/")[2])
    if known is None:
        raise InvalidRequest(
            f"how many numbers an embedding of {model} has is not known; say it in cache.embedder_dimensions",
            param="cache.embedder_dimensions",
        )
    return known


class ProviderVectors:
    """What all embedders of one model share: its name, its shape and what was asked lately."""

    def __init__(self, model: str, dimensions: int) -> None:
        self.id = f"{model}/{dimensions}"
        self.dimensions = dimensions
        self.packed = struct.Struct(f"<{dimensions}f")
        self._recent: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    def embedder(self, tenant_id: str, ask: AskForVectors) -> Embedder:
        """In the name of one caller."""
        return ProviderEmbedder(self, tenant_id, ask)

    def known(self, tenant_id: str, text: str) -> Vector | None:
        """A vector that this tenant got before."""
        found = self._recent.get((tenant_id, text))
        if found is not None:
            self._recent.move_to_end((tenant_id, text))
        return found

    def keep(self, tenant_id: str, text: str, vector: Vector) -> None:
        """The least recently used leave."""
        self._recent[tenant_id, text] = vector
        if len(self._recent) > VECTORS_KEPT:
            self._recent.popitem(last=False)


class ProviderEmbedder(Embedder):
    """`count_tokens` is a typical count by length: vendors' own tokenisers are not known here."""

    tokens_max = TOKENS_MAX

    def __init__(self, shared: ProviderVectors, tenant_id: str, ask: AskForVectors) -> None:
        self.id, self.dimensions = shared.id, shared.dimensions
        self._shared = shared
        self._tenant_id = tenant_id
        self._ask = ask

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        found: dict[str, Vector] = {}
        missing = []
        for text in dict.fromkeys(texts):
            vector = self._shared.known(self._tenant_id, text)
            if vector is None:
                self._check(text)
                missing.append(text)
            else:
                found[text] = vector
        if len(missing) > TEXTS_MAX:
            raise StoreUnavailable(f"more than {TEXTS_MAX} texts at once")
        if missing:
            answered = await self._ask(missing)
            if len(answered) != len(missing):
                raise StoreUnavailable(f"{self.id} gave {len(answered)} vectors for {len(missing)} texts")
            for text, numbers in zip(missing, answered, strict=True):
                found[text] = self._unit(numbers)
                self._shared.keep(self._tenant_id, text, found[text])
        return [found[text] for text in texts]

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(len(text.encode("utf-8", "surrogatepass")))

    async def aclose(self) -> None:
        return None

    def _check(self, text: str) -> None:
        if not text.strip():
            raise StoreUnavailable("an empty text has no embedding")
        if self.count_tokens(text) > TOKENS_MAX:
            raise StoreUnavailable(f"the text is longer than the {TOKENS_MAX} tokens that are compared")

    def _unit(self, numbers: Sequence[float]) -> Vector:
        length = math.sqrt(math.fsum(number * number for number in numbers))
        if len(numbers) != self.dimensions or not 0 < length < math.inf:
            raise StoreUnavailable(
                f"{self.id} gave a vector of {len(numbers)} numbers and length {length:g}, not one of "
                f"{self.dimensions} with a direction"
            )
        return self._shared.packed.pack(*(number / length for number in numbers))
