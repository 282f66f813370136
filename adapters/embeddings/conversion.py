"""From the published weights to what the engine loads. Needs the extra `semantic`, but neither torch nor the
library the weights were made with."""

import json
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec
from numpy.typing import NDArray

from adapters.embeddings.engine import DIMENSIONS

_LAYERS: Final = 6
_HEADS: Final = 12
Weights = dict[str, NDArray[np.float32]]


def convert(safetensors: bytes, vocabulary: list[str], precision: str, directory: Path) -> None:
    """Writes the engine's files into an existing directory.

    int8: each row of every weight has a scale of its own; activations are scaled while computing, each row
    by itself.
    """
    weights = read_safetensors(safetensors)
    spec = transformer_spec.TransformerEncoderModelSpec(_encoder(weights), pooling_layer=False)
    spec.register_vocabulary(vocabulary)
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = "[UNK]", "[CLS]", "[SEP]"
    spec.config.layer_norm_epsilon = 1e-12
    spec.validate()
    spec.optimize(quantization="int8" if precision == "int8" else None)
    spec.save(str(directory))


def converter_name() -> str:
    """The library that wrote the files, for the manifest."""
    return f"ctranslate2 {ctranslate2.__version__}"


def read_safetensors(content: bytes) -> Weights:
    """Every float32 tensor, by name: a length, a JSON table of names and places, and the numbers.

    The arrays may be written to, which the engine's own quantiser does.
    """
    size = int.from_bytes(content[:8], "little")
    table: dict[str, Any] = json.loads(content[8 : 8 + size])
    weights: Weights = {}
    for name, entry in table.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, end = entry["data_offsets"]
        numbers = np.frombuffer(content, dtype="<f4", count=(end - first) // 4, offset=8 + size + first)
        weights[name] = numbers.reshape(entry["shape"]).copy()
    return weights


def _encoder(weights: Weights) -> Any:
    encoder = transformer_spec.TransformerEncoderSpec(
        _LAYERS,
        _HEADS,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    words = weights["embeddings.word_embeddings.weight"]
    assert words.shape[1] == DIMENSIONS
    encoder.embeddings[0].weight = words
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _set_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        _set_layer(layer, weights, f"encoder.layer.{number}.")
    return encoder


def _set_layer(layer: Any, weights: Weights, prefix: str) -> None:
    attention = layer.self_attention
    parts = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
    attention.linear[0].weight = np.concatenate([weights[f"{part}.weight"] for part in parts])
    attention.linear[0].bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    _set_linear(attention.linear[1], weights, f"{prefix}attention.output.dense")
    _set_norm(attention.layer_norm, weights, f"{prefix}attention.output.LayerNorm")
    _set_linear(layer.ffn.linear_0, weights, f"{prefix}intermediate.dense")
    _set_linear(layer.ffn.linear_1, weights, f"{prefix}output.dense")
    _set_norm(layer.ffn.layer_norm, weights, f"{prefix}output.LayerNorm")


def _set_linear(linear: Any, weights: Weights, name: str) -> None:
    linear.weight, linear.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _set_norm(norm: Any, weights: Weights, name: str) -> None:
    norm.gamma, norm.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
