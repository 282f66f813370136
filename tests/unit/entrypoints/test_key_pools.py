"""Keys from the configuration to pools: names, and what is no pool."""

from pathlib import Path

import pytest

from domain.routing.target import Passthrough
from entrypoints.compiling import key_pools
from entrypoints.config.problems import ConfigError
from tests.unit.entrypoints.test_provisioning import made

POOL = """
providers:
  acme:
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    keys: [{keys}]
    models: {{small: {{}}}}
routes:
  mine: {{targets: [acme/small], passthrough_credentials: {passthrough}}}
"""


def text(keys: str, passthrough: str = "false") -> str:
    return POOL.format(keys=keys, passthrough=passthrough)


def test_keys_are_called_by_their_names_or_places(tmp_path: Path) -> None:
    provided = made(tmp_path, text("{key: sk-a}, {key: sk-b, name: beta, weight: 2, rpm: 5, account: x}"))
    first, second = key_pools(provided)["acme"]
    assert (first.id, second.id) == ("key1", "beta")
    assert (second.weight, second.rpm, second.tpm, second.account) == (2, 5, None, "x")
    assert provided.providers["acme"].secrets_by_id == {"key1": "sk-a", "beta": "sk-b"}
    assert provided.providers["acme"].api_key == "sk-a"
    assert "sk-" not in repr(provided.providers["acme"])


def test_a_lone_key_is_no_pool_unless_its_limits_are_declared(tmp_path: Path) -> None:
    assert key_pools(made(tmp_path, text("{key: sk-a}"))) == {}
    assert len(key_pools(made(tmp_path, text("{key: sk-a, tpm: 1000}")))["acme"]) == 1


@pytest.mark.parametrize("keys", ["{key: a, name: x}, {key: b, name: x}", "{key: a, name: caller}, {key: b}"])
def test_names_are_their_own(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ConfigError, match="names of their own"):
        made(tmp_path, text(keys))


@pytest.mark.parametrize(
    ("said", "meant"),
    [("false", Passthrough.OFF), ("true", Passthrough.ALLOWED), ("only", Passthrough.ONLY)],
)
def test_whose_credentials_a_route_takes(tmp_path: Path, said: str, meant: Passthrough) -> None:
    provided = made(tmp_path, text("{key: sk-a}", said))
    assert provided.routes["mine"].passthrough is meant
