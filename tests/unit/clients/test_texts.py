"""Edits change what they shall, and not one sign more."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoints.clients.edits import MISSING, CannotEdit
from entrypoints.clients.json_text import JsonText
from entrypoints.clients.toml_text import TomlText

JSON, TOML = JsonText(), TomlText()

SETTINGS = """{
    // mine
    "permissions": {"allow": ["Bash(ls:*)"], /* odd */ "deny": []},
    "env": {
        "FOO": "a \\"quoted\\" // value"
    },
    "last": null
}
"""


def test_a_member_is_added_in_the_objects_own_manner() -> None:
    changed = JSON.put(SETTINGS, ("env", "URL"), "http://x")

    assert changed == SETTINGS.replace('// value"\n', '// value",\n        "URL": "http://x"\n')
    assert JSON.drop(changed, ("env", "URL")) == SETTINGS


def test_a_value_is_replaced_where_it_stands() -> None:
    changed = JSON.put(SETTINGS, ("last",), {"a": 1})

    assert changed == SETTINGS.replace("null", '{"a": 1}')
    assert JSON.get(changed, ("last", "a")) == 1


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", '{\n  "env": {\n    "A": "b"\n  }\n}\n'),
        ("{}", '{\n  "env": {\n    "A": "b"\n  }\n}'),
        ('{\n\t"x": 1\n}\n', '{\n\t"x": 1,\n\t"env": {\n\t\t"A": "b"\n\t}\n}\n'),
        ('{"x": 1}', '{"x": 1, "env": {\n  "A": "b"\n}}'),
        ('{"env": {}}', '{"env": {\n  "A": "b"\n}}'),
    ],
)
def test_parents_are_made_where_they_are_missing(text: str, written: str) -> None:
    assert JSON.put(text, ("env", "A"), "b") == written


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"a": }', '{"a": 1} x', "nonsense", '{"a": 1, "a": 2}', "[" * 999, '{"a" 1}', '{"env": 5}'],
)
def test_what_is_no_object_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEdit):
        JSON.put(text, ("env", "A"), "b")


names = st.text('abcKEY_ "é', min_size=1, max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    data=st.dictionaries(names, values, max_size=4),
    path=st.lists(names, min_size=1, max_size=3),
    value=values,
    indent=st.sampled_from([None, 2, "\t"]),
)
def test_json_says_after_an_edit_what_it_said_and_the_new_value(
    data: dict[str, Any], path: list[str], value: Any, indent: Any
) -> None:
    text = json.dumps(data, indent=indent)
    try:
        changed = JSON.put(text, path, value)
    except CannotEdit:
        here: Any = data
        for name in path[:-1]:
            here = here.get(name, {}) if isinstance(here, dict) else here
        assert not isinstance(here, dict)
        return
    expected = json.loads(text)
    here = expected
    for name in path[:-1]:
        here = here.setdefault(name, {})
    here[path[-1]] = value
    assert json.loads(changed) == expected
    assert JSON.get(changed, path) == value
    del here[path[-1]]
    assert json.loads(JSON.drop(changed, path)) == expected


CONFIG = '''# my settings
model = "gpt-5"   # the good one
notify = [
  "x", # [not a table]
]
prompt = """
[also no table]
model = "no"
"""

[profiles.fast]
model = "other"

[model_providers.mine]
name = "Mine"
'''
PROVIDER = {"name": "Interchange", "base_url": "http://x/v1", "auth": {"command": "cat", "args": ["/a b"]}}


def test_keys_above_the_tables_and_a_table_at_the_end() -> None:
    changed = TOML.put(CONFIG, ("model_provider",), "interchange")
    changed = TOML.put(changed, ("model",), "assistant")
    changed = TOML.put(changed, ("model_providers", "interchange"), PROVIDER)
    read = tomllib.loads(changed)

    assert 'model = "assistant"   # the good one\n' in changed
    assert read["model_provider"] == "interchange"
    assert read["model_providers"] == {"mine": {"name": "Mine"}, "interchange": PROVIDER}
    assert read["profiles"] == {"fast": {"model": "other"}}
    assert changed.startswith("# my settings\n")


def test_toml_taken_back_is_what_it_was() -> None:
    changed = TOML.put(CONFIG, ("model_provider",), "interchange")
    changed = TOML.put(changed, ("model_providers", "interchange"), PROVIDER)
    changed += "\n[added.later]\nx = 1\n"

    back = TOML.drop(TOML.drop(changed, ("model_providers", "interchange")), ("model_provider",))

    assert back == CONFIG + "\n[added.later]\nx = 1\n"


def test_a_table_put_again_takes_the_place_of_the_old_with_all_below_it() -> None:
    once = TOML.put(CONFIG, ("model_providers", "interchange"), PROVIDER)
    twice = TOML.put(once, ("model_providers", "interchange"), {"name": "New"})

    assert tomllib.loads(twice)["model_providers"]["interchange"] == {"name": "New"}
    assert TOML.put(once, ("model_providers", "interchange"), PROVIDER) == once


@pytest.mark.parametrize(
    "text", ["model = ", "model_providers = {a = 1}\n", "[model_providers]\ninterchange = {x = 1}\n", "\x00"]
)
def test_a_form_that_no_small_edit_fits_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEdit):
        TOML.put(text, ("model_providers", "interchange"), PROVIDER)


def test_toml_without_anything_gets_it_all() -> None:
    text = TOML.put(
        TOML.put("", ("model_provider",), "interchange"), ("model_providers", "interchange"), PROVIDER
    )

    assert tomllib.loads(text) == {
        "model_provider": "interchange",
        "model_providers": {"interchange": PROVIDER},
    }
    assert TOML.get(text, ("model_providers", "other")) is MISSING


def test_names_in_quotes_are_names() -> None:
    text = '"model" = "a"\n[model_providers."interchange"]\nname = "old"\n[z]\n'

    changed = TOML.put(TOML.put(text, ("model",), "b"), ("model_providers", "interchange"), {"name": "new"})

    assert tomllib.loads(changed) == {
        "model": "b",
        "model_providers": {"interchange": {"name": "new"}},
        "z": {},
    }
