"""Vectors of all texts, computed once by the product's own embedder and kept outside of the repository."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.embeddings.opening import open_minilm
from adapters.embeddings.shelf import DiskModelShelf
from domain.errors import InterchangeError

Matrix = NDArray[np.float32]


def cache_directory() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "interchange-tests"


def vectors_of(texts: Sequence[str], precision: str, models: Path | None = None) -> Matrix:
    """A row of unit length for each text, of zeros for those the embedder does not read: they are only ever
    answered from equal ones. Installs the model where it is missing.

    Raises InterchangeError: it cannot be had.
    """
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    kept = cache_directory() / "vectors" / f"{digest}-{precision}.npy"
    if kept.exists():
        found: Matrix = np.load(kept)
        return found
    computed = asyncio.run(_compute(texts, precision, models or cache_directory() / "models"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, computed)
    return computed


async def _compute(texts: Sequence[str], precision: str, models: Path) -> Matrix:
    try:
        embedder = open_minilm(models, precision)
    except InterchangeError:
        DiskModelShelf(models).install(precision, None)
        embedder = open_minilm(models, precision)
    rows = np.zeros((len(texts), embedder.dimensions), dtype=np.float32)
    readable = [
        number for number, text in enumerate(texts) if embedder.count_tokens(text) <= embedder.tokens_max
    ]
    try:
        for start in range(0, len(readable), 64):
            some = readable[start : start + 64]
            vectors = await embedder.embed([texts[number] for number in some])
            rows[some] = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(some), -1)
    finally:
        await embedder.aclose()
    return rows
