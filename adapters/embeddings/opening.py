"""Which embedder a configuration names. Nothing heavy is imported until the model is there."""

from pathlib import Path
from typing import Final

from adapters.embeddings.hashing import HashingEmbedder
from adapters.embeddings.minilm import MiniLm
from adapters.embeddings.model import Model
from adapters.embeddings.model_files import MODEL, PRECISIONS, ModelFiles, ModelNotUsable
from adapters.embeddings.shelf import EXTRA_COMMAND, missing_packages
from domain.errors import InvalidRequest

INSTALL_COMMAND: Final = "interchange models install"


def open_minilm(models: Path, precision: str) -> MiniLm:
    """Raises InvalidRequest, with the command to run: the packages or the model are not installed."""
    if precision not in PRECISIONS:
        raise InvalidRequest(f"precision must be one of {', '.join(PRECISIONS)}", param="precision")
    missing = missing_packages()
    if missing:
        raise InvalidRequest(missing)
    files = ModelFiles(models, precision)
    try:
        pieces = files.pieces()
    except ModelNotUsable as error:
        command = INSTALL_COMMAND + ("" if precision == PRECISIONS[0] else f" --precision {precision}")
        raise InvalidRequest(f"{error}; run: {command}") from None

    def load() -> Model:
        try:
            from adapters.embeddings.engine import Engine
        except ImportError as error:
            raise ModelNotUsable(f"{error}; run: {EXTRA_COMMAND}") from None
        return Engine(files)

    return MiniLm(pieces, load, precision=precision)


def open_local(models: Path, precision: str = PRECISIONS[0]) -> tuple[MiniLm | HashingEmbedder, str]:
    """The local model where it can be used, else hashed words, with the reason; empty: it can be used."""
    try:
        return open_minilm(models, precision), ""
    except InvalidRequest as error:
        return HashingEmbedder(), f"{MODEL}/{precision} cannot be used: {error.message}"
