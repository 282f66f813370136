"""An installed model on the disk: which files there must be, and that they are what was installed."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

MODEL: Final = "minilm-l6-v2"
PRECISIONS: Final = ("int8", "fp32")
CONVERTER: Final = 1
"""Raised whenever the conversion makes other files of the same weights; older ones are then refused."""
MANIFEST: Final = "manifest.json"
ENGINE_FILES: Final = ("config.json", "model.bin", "vocabulary.json")
PIECES_FILE: Final = "vocab.txt"
SOURCE_SHA256: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""The weights as their makers published them, whoever delivers them."""
_MANIFEST_BYTES_MAX: Final = 65_536


class ModelNotUsable(Exception):
    """The files are missing, incomplete or not what was installed; the message says which."""


class ModelFiles:
    """One precision of the model in its directory. Opens nothing until it is asked."""

    engine_files = ENGINE_FILES

    def __init__(self, models: Path, precision: str) -> None:
        self.directory = models / MODEL / precision
        self.precision = precision

    def manifest(self) -> dict[str, Any] | None:
        """What was installed; None: nothing was. Raises ModelNotUsable for another version's or a bad one."""
        try:
            with (self.directory / MANIFEST).open("rb") as file:
                manifest = json.loads(file.read(_MANIFEST_BYTES_MAX))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ModelNotUsable(f"{self.directory / MANIFEST} cannot be read: {error}") from None
        if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
            raise ModelNotUsable(f"{self.directory / MANIFEST} is not a manifest")
        if (manifest.get("converter"), manifest.get("source")) != (CONVERTER, SOURCE_SHA256):
            raise ModelNotUsable(f"{self.directory} was installed by another version")
        return manifest

    def read_verified(self) -> dict[str, bytes]:
        """Every file's bytes, by name. Raises ModelNotUsable unless all are what the manifest says."""
        manifest = self.manifest()
        if manifest is None:
            raise ModelNotUsable(f"there is no model in {self.directory}")
        return {name: self._verified(name, manifest) for name in (*ENGINE_FILES, PIECES_FILE)}

    def pieces(self) -> list[str]:
        """The model's vocabulary, in the order of its numbers. Raises ModelNotUsable."""
        manifest = self.manifest()
        if manifest is None:
            raise ModelNotUsable(f"there is no model in {self.directory}")
        return self._verified(PIECES_FILE, manifest).decode().splitlines()

    def _verified(self, name: str, manifest: dict[str, Any]) -> bytes:
        try:
            content = (self.directory / name).read_bytes()
        except OSError as error:
            raise ModelNotUsable(f"{self.directory / name} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != manifest["sha256"].get(name):
            raise ModelNotUsable(f"{self.directory / name} is not what was installed")
        return content
