"""MiniLM itself: pieces in, what their text means out. Needs the extra `semantic`.

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

from adapters.embeddings.model import Model
from adapters.embeddings.model_files import ModelFiles
from application.ports.embedder import Vector

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

    def compute(self, texts: Sequence[Sequence[int]]) -> list[Vector]:
        """One vector for each text's ids."""
        output = self._encoder.forward_batch(
            [list(ids) for ids in texts], token_type_ids=[[0] * len(ids) for ids in texts]
        )
        hidden: Matrix = np.array(output.last_hidden_state)
        return [_vector(rows[: len(ids)]) for rows, ids in zip(hidden, texts, strict=True)]


def _vector(rows: Matrix) -> Vector:
    mean = rows.mean(axis=0)
    unit: Matrix = (mean / np.linalg.norm(mean)).astype("<f4")
    return unit.tobytes()
