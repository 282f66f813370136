"""Installs, lists and removes the local model. What it needs is imported when a model is installed."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from adapters.embeddings.model_files import (
    CONVERTER,
    ENGINE_FILES,
    MANIFEST,
    MODEL,
    PIECES_FILE,
    PRECISIONS,
    SOURCE_SHA256,
    ModelFiles,
    ModelNotUsable,
)
from adapters.embeddings.weights import fetch_weights
from application.ports.model_shelf import ModelOnShelf, ModelShelf
from domain.errors import InvalidRequest, StoreUnavailable

EXTRA_COMMAND: Final = f"{sys.executable} -m pip install 'interchange[semantic]'"
RUN_BY: Final = ("numpy", "ctranslate2")


def missing_packages() -> str:
    """What the local model needs and is not installed, with the command that installs it; empty: nothing."""
    missing = [name for name in RUN_BY if find_spec(name) is None]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} not installed; run: {EXTRA_COMMAND}"


class DiskModelShelf(ModelShelf):
    """A directory for each precision; it appears and disappears whole."""

    def __init__(
        self, models: Path, *, fetch: Callable[[Path | None], dict[str, bytes]] = fetch_weights
    ) -> None:
        self._models = models
        self._fetch = fetch

    def models(self) -> list[ModelOnShelf]:
        return [self._on_shelf(precision) for precision in PRECISIONS]

    def install(self, precision: str, source: Path | None) -> ModelOnShelf:
        files = self._files(precision)
        missing = missing_packages()
        if missing:
            raise InvalidRequest(missing)
        weights = self._fetch(source)
        new = files.directory.with_name(f".{precision}.{os.getpid()}.new")
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            self._write(new, weights, precision)
            self._replace(files.directory, new)
        except OSError as error:
            raise StoreUnavailable(f"{files.directory} cannot be written: {error.strerror}") from None
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return self._on_shelf(precision)

    def remove(self, precision: str) -> bool:
        directory = self._files(precision).directory
        if not directory.exists():
            return False
        gone = directory.with_name(f".{precision}.{os.getpid()}.gone")
        directory.rename(gone)
        shutil.rmtree(gone)
        return True

    def _files(self, precision: str) -> ModelFiles:
        if precision not in PRECISIONS:
            raise InvalidRequest(f"precision must be one of {', '.join(PRECISIONS)}", param="precision")
        return ModelFiles(self._models, precision)

    @staticmethod
    def _write(directory: Path, weights: dict[str, bytes], precision: str) -> None:
        from adapters.embeddings.conversion import convert, converter_name

        vocabulary = weights[PIECES_FILE].decode().splitlines()
        convert(weights["model.safetensors"], vocabulary, precision, directory)
        (directory / PIECES_FILE).write_bytes(weights[PIECES_FILE])
        hashes = {}
        for name in (*ENGINE_FILES, PIECES_FILE):
            with (directory / name).open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
        manifest = {
            "id": f"{MODEL}/{precision}",
            "converter": CONVERTER,
            "made_by": converter_name(),
            "source": SOURCE_SHA256,
            "sha256": hashes,
        }
        (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")

    @staticmethod
    def _replace(directory: Path, new: Path) -> None:
        """A reader between the two renames finds no model, and tries again later."""
        old = new.with_suffix(".old")
        shutil.rmtree(old, ignore_errors=True)
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
        shutil.rmtree(old, ignore_errors=True)

    def _on_shelf(self, precision: str) -> ModelOnShelf:
        files = ModelFiles(self._models, precision)
        identity = f"{MODEL}/{precision}"
        try:
            manifest = files.manifest()
        except ModelNotUsable as error:
            return ModelOnShelf(identity, files.directory, True, _size(files.directory), "", str(error))
        if manifest is None:
            return ModelOnShelf(identity, files.directory, False, 0, "")
        problem = missing_packages()
        try:
            files.read_verified()
        except ModelNotUsable as error:
            problem = str(error)
        return ModelOnShelf(
            identity, files.directory, True, _size(files.directory), str(manifest.get("made_by", "")), problem
        )


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
