"""Hashed keys of a LiteLLM database dump, in each of its forms."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.tenancy.imported_key import ImportedKey, check_imported_key
from entrypoints.litellm.draft import Draft
from entrypoints.litellm.dump import TEAMS, TOKENS, as_list, read_dump
from entrypoints.litellm.keys import ReadKeys, read_keys
from entrypoints.litellm.report import Outcome

SQL = (Path(__file__).parent / "dump.sql").read_text()
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def read(text: str, name: str = "dump.sql", draft: Draft | None = None) -> ReadKeys:
    return read_keys(read_dump(text, name), draft or Draft(), now=NOW)


def by_name(found: ReadKeys) -> dict[str, ImportedKey]:
    return {key.name: key for key in found.keys}


def test_a_key_comes_with_name_tenant_models_expiry_and_note() -> None:
    key = by_name(read(SQL))["search bot"]

    assert key.digest.hex() == digest("sk-search-bot")
    assert (key.tenant_id, key.role, key.blocked) == ("search-team", "agent", False)
    assert key.allowed_models == frozenset({"gpt-4o"})
    assert key.expires_at == datetime(2031, 1, 31, 12, tzinfo=UTC)
    assert key.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert "had spent 1.25 USD" in key.note
    assert "u-1" in key.note
    assert key.team == "Search Team"


def test_a_team_without_an_alias_is_called_by_its_id() -> None:
    keys = by_name(read(SQL))

    assert keys["sk-...bbbb"].team == "t-2"
    assert keys["no models"].team == ""


def test_no_key_gains_anything_by_being_moved() -> None:
    keys = by_name(read(SQL))

    assert keys["blocked one"].blocked
    assert keys["blocked one"].allowed_models == frozenset({"gpt-4o", "claude"}), "its team's"
    assert keys["lost team"].allowed_models == frozenset({"no-default-models"}), "its team is not in the dump"
    assert keys["no models"].allowed_models == frozenset({"no-default-models"})
    assert keys["sk-...bbbb"].allowed_models is None, "neither it nor its team was limited"
    assert "odd time" not in keys, "an expiry that cannot be read is no reason to live for ever"
    assert "plain" not in keys


def test_every_key_could_be_stored() -> None:
    for key in read(SQL).keys:
        check_imported_key(key)


def test_what_became_of_each_row_is_told() -> None:
    told = [(f.path, f.outcome) for f in read(SQL).findings]

    assert (f"{TOKENS}[5]", Outcome.ATTENTION) in told
    assert (f"{TOKENS}[6].expires", Outcome.ATTENTION) in told
    assert (f"{TOKENS}[2].blocked", Outcome.CHANGED) in told
    assert (f"{TOKENS}[0].rpm_limit", Outcome.NO_COUNTERPART) in told
    assert (f"{TOKENS}[3].models", Outcome.ATTENTION) in told


def test_a_budget_goes_into_the_configuration_under_the_new_id() -> None:
    draft = Draft()
    read(SQL, draft=draft)

    (budget,) = draft.budgets
    assert (budget["limit_usd"], budget["period"], budget["hard"]) == ("10", "month", True)
    assert len(budget["scope"]["key"]) == 12


def rows() -> list[dict[str, Any]]:
    return [
        {
            "token": digest("sk-1"),
            "key_alias": 'it\'s "one", \\ two\nlines',
            "models": ["gpt-4o", "a, b"],
            "blocked": False,
            "spend": 0.5,
            "team_id": None,
        },
        {
            "token": digest("sk-2"),
            "key_alias": "b",
            "models": [],
            "blocked": True,
            "spend": 0,
            "team_id": None,
        },
    ]


def as_inserts() -> str:
    def value(one: Any) -> str:
        if one is None:
            return "NULL"
        if isinstance(one, bool | float | int):
            return str(one).lower()
        if isinstance(one, list):
            inner = ",".join('"' + cell.replace('"', '\\"') + '"' for cell in one)
            return f"'{{{inner}}}'"
        return "'" + str(one).replace("'", "''") + "'"

    names = ", ".join(f'"{name}"' for name in rows()[0])
    return "SELECT 1;\n" + "".join(
        f'INSERT INTO public."{TOKENS}" ({names}) VALUES ({", ".join(value(v) for v in row.values())});\n'
        for row in rows()
    )


def as_csv() -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows()[0]))
    writer.writeheader()
    for row in rows():
        writer.writerow({**row, "models": json.dumps(row["models"])})
    return text.getvalue()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps(rows()), "rows.json"),
        (json.dumps({TOKENS: rows(), TEAMS: []}), "tables.json"),
        (as_csv(), "rows.csv"),
        (as_inserts(), "dump.sql"),
    ],
)
def test_every_form_of_a_dump_says_the_same(text: str, name: str) -> None:
    first, second = read(text, name).keys

    assert first.digest.hex() == digest("sk-1")
    assert first.name == 'it\'s "one", \\ twolines'
    assert first.allowed_models is not None
    assert {"gpt-4o", "a, b"} <= first.allowed_models
    assert not first.blocked
    assert "0.5" in first.note
    assert second.blocked
    assert second.allowed_models is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("", "x.sql"), ("nothing here", "x.sql"), ("{}", "x.json"), ("[1]", "x.json"), ("{", "x.json"),
     ("a,b\n1,2\n", "x.csv"), (f'INSERT INTO "{TOKENS}" VALUES (1);', "x.sql")],
)  # fmt: skip
def test_what_holds_no_keys_is_told_so(text: str, name: str) -> None:
    with pytest.raises(InvalidRequest):
        read(text, name)


def test_two_teams_never_share_a_tenant() -> None:
    data = {
        TOKENS: [{"token": digest(f"sk-{n}"), "key_alias": f"k{n}", "team_id": f"t{n}"} for n in range(4)],
        TEAMS: [
            {"team_id": "t0", "team_alias": "Same Name"},
            {"team_id": "t1", "team_alias": "same-name"},
            {"team_id": "t2", "team_alias": "default"},
            {"team_id": "t3", "team_alias": "???"},
        ],
    }
    tenants = [key.tenant_id for key in read(json.dumps(data), "x.json").keys]

    assert tenants == ["same-name", "same-name-2", "default-2", "team"]


def test_lists_are_read_in_every_spelling() -> None:
    assert as_list('{a,"b c","d\\"e"}') == ["a", "b c", 'd"e']
    assert as_list("[]") == as_list("{}") == as_list(None) == as_list("") == []
    assert as_list('["x"]') == as_list(["x"]) == as_list("x") == ["x"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("[" * 100_000, "dump.json"), ('token\n"' + "x" * 200_000 + '"\n', "dump.csv")],
)
def test_a_hostile_dump_is_refused_in_words(text: str, name: str) -> None:
    with pytest.raises(InvalidRequest, match="not valid"):
        read_dump(text, name)


def test_a_statement_over_very_many_lines_is_read_once() -> None:
    rows = "\n".join(f"('t{n};'),;"[:-1] for n in range(50_000))
    tables = read_dump(f'INSERT INTO "LiteLLM_VerificationToken" (token) VALUES\n{rows[:-1]};\n', "dump.sql")

    assert len(tables["LiteLLM_VerificationToken"]) == 50_000
