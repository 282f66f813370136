"""MiniLM itself: pieces in, what each piece means in its text out. Needs the extra `semantic`.

ctranslate2 was chosen by measurement against onnxruntime and plain numpy (docs/embeddings.md): in int8 it
rounds each text by itself, so that a vector does not depend on what it was computed beside, it skips padding,
and it is the fastest on questions and on batches. One thread: on two cores a second one costs more than it
brings as soon as anything else runs.
"""

from collections.abc import Sequence
from typing import Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from adapters.embeddings.alignment import align
from adapters.embeddings.model_files import ModelFiles
from adapters.embeddings.state import Model, ReadText, State
from domain.caching.alignment import Alignment

Matrix = NDArray[np.float32]
DIMENSIONS: Final = 384


class Engine(Model):
    """A loaded model. Used by one thread at a time; releases the interpreter lock while it computes."""

    def __init__(self, files: ModelFiles) -> None:
        contents = files.read_verified()
        self._encoder = ctranslate2.Encoder(
            str(files.directory),
            files={name: contents[name] for name in files.engine_files},
            inter_threads=1,
            intra_threads=1,
        )
        plain = np.frombuffer(contents[files.words_file], dtype=np.float16)
        self._plain = plain.reshape(-1, DIMENSIONS)

    def compute(self, texts: Sequence[Sequence[int]]) -> list[State]:
        """One state for each text's ids."""
        output = self._encoder.forward_batch(
            [list(ids) for ids in texts], token_type_ids=[[0] * len(ids) for ids in texts]
        )
        hidden: Matrix = np.array(output.last_hidden_state)
        return [_state(rows[: len(ids)]) for rows, ids in zip(hidden, texts, strict=True)]

    def align(self, pairs: Sequence[tuple[ReadText, ReadText]]) -> list[Alignment]:
        """One for each pair (new, kept)."""
        return [
            align((new, ours.pieces), (kept, theirs.pieces), self._mean)
            for (new, ours), (kept, theirs) in pairs
        ]

    def _mean(self, ids: Sequence[int]) -> Matrix:
        """What pieces mean outside any text: the mean of their first vectors."""
        mean: Matrix = self._plain[list(ids)].astype(np.float32).mean(axis=0)
        return mean


def _state(rows: Matrix) -> State:
    mean = rows.mean(axis=0)
    unit = (mean / np.linalg.norm(mean)).astype("<f4")
    return State(unit.tobytes(), rows.astype(np.float16))
