"""A secret shows itself to nobody who does not ask for it."""

import copy
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, to_json

from domain.vault.secret import SecretBytes, SecretText

PLAIN = "sk-live-4242424242"
SECRETS = [SecretText(PLAIN), SecretBytes(PLAIN.encode())]


@dataclass
class Holder:
    name: str
    secret: object


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    secret: SecretText


def taken_apart(secret: object) -> object:
    return asdict(Holder("x", secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_no_way_of_showing_shows_it(secret: SecretText | SecretBytes) -> None:
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:.3}",
        f"{secret} {secret!s} {secret!r}",
        "%s %r" % (secret, secret),  # noqa: UP031
        pprint.pformat({"a": [secret]}),
        repr(Holder("x", secret)),
        repr([secret, {"k": secret}]),
        ascii(secret),
    ]

    assert not [text for text in shown if "4242" in text or "sk-" in text]


def test_no_log_line_and_no_traceback_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = SecretText(PLAIN)
    with caplog.at_level(logging.INFO):
        logging.getLogger("x").info("used %s %r", secret, {"k": secret})
    try:
        raise ValueError("refused", secret)
    except ValueError as error:
        told = "".join(traceback.format_exception(error))

    assert "4242" not in caplog.text + told


@pytest.mark.parametrize("secret", SECRETS)
def test_it_is_neither_copied_nor_pickled_nor_taken_apart(secret: SecretText | SecretBytes) -> None:
    attempts: tuple[Any, ...] = (pickle.dumps, copy.copy, copy.deepcopy, vars, iter, len, taken_apart)
    for attempt in attempts:
        with pytest.raises(TypeError) as refused:
            attempt(secret)
        assert "4242" not in str(refused.value)
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        hash(secret)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_encoder_writes_it(secret: SecretText | SecretBytes) -> None:
    for encode in (json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as refused:
            encode({"a": secret})
        assert "4242" not in str(refused.value)
    assert "4242" not in json.dumps({"a": secret}, default=str)
    assert b"4242" not in msgspec.json.encode({"a": secret}, enc_hook=str)
    with pytest.raises(PydanticSerializationError):
        to_json({"a": secret})


def test_no_pydantic_model_writes_it() -> None:
    model = Model(secret=SecretText(PLAIN))

    assert "4242" not in f"{model!r} {model} {model.model_dump()}"
    with pytest.raises(PydanticSerializationError):
        model.model_dump_json()
    with pytest.raises(ValueError) as refused:
        Model.model_validate({"secret": 7, "other": model})
    assert "4242" not in str(refused.value)


def test_equal_secrets_are_equal_and_kinds_are_not_mixed() -> None:
    assert SecretText("ä") == SecretText("ä")
    assert SecretText("a") != SecretText("b")
    assert SecretText("a") != SecretBytes(b"a")
    assert SecretText("a") != "a"
    assert SecretText(PLAIN).reveal() == PLAIN
