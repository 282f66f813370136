"""How long the local model takes for a question: `python -m benchmarks.embeddings [--models DIR]`.

Measured through the queue and the thread as the server uses them. Every text is new: none is remembered.
"""

import argparse
import asyncio
import time
from pathlib import Path
from statistics import quantiles

from adapters.embeddings.minilm import MiniLm
from adapters.embeddings.model_files import PRECISIONS
from adapters.embeddings.opening import open_minilm
from domain.errors import InterchangeError

_TEXT = (
    "the network printer on floor seven does not answer when many people want to print large documents after "
    "lunch because its queue seems stuck again and nobody knows why that happens every week"
)
WORDS = _TEXT.split()
ROUNDS = 200


def main() -> None:
    """Prints one line for each precision and shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path(".interchange/models"))
    models = parser.parse_args().models
    print(f"{'model':<20} {'work':<22} {'p50 ms':>8} {'p95 ms':>8}")
    for precision in PRECISIONS:
        try:
            asyncio.run(_measure(open_minilm(models, precision)))
        except InterchangeError as error:
            print(f"{precision}: {error.message}")


async def _measure(embedder: MiniLm) -> None:
    await embedder.warm()
    for tokens in (8, 16, 32):
        # Two marks of the text, a number and a letter make each one new.
        texts = [f"{' '.join(WORDS[: tokens - 4])} {n % 10} {chr(97 + n // 10)}" for n in range(ROUNDS)]
        _tell(embedder.id, f"{tokens} tokens", [await _timed(embedder, [text]) for text in texts])
    for count in (8, 32):
        batches = [
            [f"question {n} {m} about the printer on floor seven and its queue" for m in range(count)]
            for n in range(ROUNDS // count)
        ]
        _tell(embedder.id, f"{count} texts at once", [await _timed(embedder, texts) for texts in batches])
    await embedder.aclose()


async def _timed(embedder: MiniLm, texts: list[str]) -> float:
    start = time.perf_counter()
    await embedder.embed(texts)
    return time.perf_counter() - start


def _tell(model: str, work: str, seconds: list[float]) -> None:
    cuts = quantiles(seconds, n=20)
    print(f"{model:<20} {work:<22} {cuts[9] * 1e3:>8.2f} {cuts[18] * 1e3:>8.2f}")


if __name__ == "__main__":
    main()
