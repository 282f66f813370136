"""`identity` in the configuration: what is refused, and what is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.problems import ConfigError

ISSUER: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "audiences": ["https://gateway.example.com"],
    "tenant": "acme",
    "roles": {"devs": "developer"},
}
LOGIN: dict[str, Any] = {"issuer": "https://id.example.com", "client_id": "interchange"}


def loaded(folder: Path, issuer: dict[str, Any], *, login: Any = None, **more: Any) -> LoadedSettings:
    identity: dict[str, Any] = {"issuers": [{**ISSUER, **issuer}]}
    if login is not None:
        identity["login"] = login
    file = folder / "interchange.yaml"
    file.write_text(json.dumps({"identity": identity, **more}))
    return load_settings({}, config_path=file)


@pytest.mark.parametrize(
    ("issuer", "told"),
    [
        ({"algorithms": ["HS256"]}, "must be one of"),
        ({"algorithms": ["none"]}, "must be one of"),
        ({"algorithms": []}, "at least 1"),
        ({"audiences": []}, "at least 1"),
        ({"issuer": "http://id.example.com"}, "https"),
        ({"issuer": "https://user:pass@id.example.com"}, "without credentials"),
        ({"issuer": "https://id.example.com?x=1"}, "without credentials"),
        ({"jwks_url": "http://id.example.com/jwks"}, "https"),
        ({"tenant": None}, "tenant or tenant_claim"),
        ({"tenant_claim": "org"}, "either tenant or tenant_claim"),
        ({"tenant": None, "tenant_claim": "org"}, "tenants or tenant_pattern"),
        ({"tenant": None, "tenant_claim": "org", "tenant_pattern": "org-.*"}, "group"),
        ({"tenant": None, "tenant_claim": "org", "tenant_pattern": "("}, "regular expression"),
        ({"tenants": {"a": "b"}}, "no effect"),
        ({"roles": {}}, "roles or default_role"),
        ({"types": ["id+jwt"]}, "must be one of"),
        ({"leeway_s": 3600}, "at most 300"),
        ({"tpyes": []}, "did you mean 'types'"),
    ],
)
def test_what_would_let_in_the_wrong_people_is_refused(
    tmp_path: Path, issuer: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path, issuer)


@pytest.mark.parametrize(
    ("login", "more", "told"),
    [
        (LOGIN, {}, "public_url"),
        ({**LOGIN, "issuer": "https://other.example.com"}, {}, "one of identity.issuers"),
        ({**LOGIN, "client_id": "https://gateway.example.com"}, {}, "audiences"),
        ({**LOGIN, "scopes": ["profile"]}, {}, "openid"),
        (LOGIN, {"server": {"public_url": "https://gateway.example.com/path"}}, "public_url"),
    ],
)
def test_a_login_that_could_not_work_is_refused(
    tmp_path: Path, login: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path, {}, login=login, **more)


def test_risks_are_told(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"tenant": "default", "default_role": "owner", "roles": {"x": "nosuch"}})

    told = "\n".join(map(str, found.warnings))
    assert "everybody this issuer vouches for is owner" in told
    assert "no built-in role 'nosuch'" in told
    assert "runs the installation" in told


def test_a_secret_of_the_login_is_never_shown(tmp_path: Path) -> None:
    server = {"server": {"public_url": "https://gateway.example.com"}}
    found = loaded(tmp_path, {}, login={**LOGIN, "client_secret": "very secret"}, **server)

    assert "very secret" not in repr(found.settings) + found.settings.model_dump_json()


def test_the_order_of_roles_is_the_files(tmp_path: Path) -> None:
    file = tmp_path / "interchange.yaml"
    file.write_text(
        "identity:\n  issuers:\n"
        "    - {issuer: 'https://i', audiences: [a], tenant: t, roles: {z: admin, a: viewer}}\n"
    )
    [made] = load_settings({}, config_path=file).settings.identity.policies()

    assert made.roles == (("z", "admin"), ("a", "viewer"))
