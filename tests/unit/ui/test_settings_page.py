"""Where each setting comes from, as the page tells it."""

from entrypoints.ui.pages.events import about
from entrypoints.ui.pages.settings import flat, rows


def test_settings_become_one_row_for_each_value() -> None:
    found = dict(flat({"server": {"port": 1, "tls": {}}, "routes": {"a": {"targets": ["x", "y"]}}}))
    assert found == {"server.port": 1, "server.tls": {}, "routes.a.targets": ["x", "y"]}


def test_a_row_says_where_its_value_comes_from_and_when_a_change_counts() -> None:
    answer = {
        "settings": {"server": {"port": 9}, "providers": {"p": {"api_key": "${KEY}", "kind": "openai"}}},
        "defaults": {"server": {"port": 8080, "host": "127.0.0.1"}, "cache": {"l1_bytes": 5}},
        "restart_only": ["server"],
        "command_line": ["server.port"],
        "reload": {"file": "interchange.yaml"},
    }
    found = {row["path"]: (row["value"], row["from"], row["taken"]) for row in rows(answer)}
    assert found == {
        "cache.l1_bytes": ("5", "default", "at once"),
        "providers.p.api_key": ("${KEY}", "file, by a variable", "at once"),
        "providers.p.kind": ("openai", "file", "at once"),
        "server.host": ("127.0.0.1", "default", "after a restart"),
        "server.port": ("9", "command line or environment", "after a restart"),
    }


def test_without_a_file_what_is_given_is_given_by_the_environment() -> None:
    answer = {
        "settings": {"data_dir": "${DIR}", "profile": "embedded"},
        "restart_only": [],
        "command_line": [],
        "reload": {"file": None},
    }
    assert {row["from"] for row in rows(answer)} == {"environment"}


def test_an_event_is_told_in_few_words() -> None:
    assert about({"key_id": "k1", "role": "owner", "timestamp": "now"}) == "key_id k1"
    assert about({"size": 4, "note": "n", "nested": {"a": 1}, "timestamp": "now"}) == "size 4, note n"
    assert about({}) == ""
