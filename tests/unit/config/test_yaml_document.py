"""YAML with positions: what is read, and where it stands."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoints.config import yaml_document
from entrypoints.config.interpolation import interpolate
from entrypoints.config.yaml_document import YamlDocument, read_yaml


def read(text: str, **environ: str) -> YamlDocument:
    return read_yaml(text, origin="f.yaml", environ=environ)


def problems(text: str, **environ: str) -> list[str]:
    return [str(problem) for problem in read(text, **environ).problems]


def test_scalars_keep_the_text_they_were_written_with() -> None:
    assert read("a: off\nb: 0.10\nc: 012\nd: 2024-01-01\ne: 'x'\n").data == {
        "a": "off",
        "b": "0.10",
        "c": "012",
        "d": "2024-01-01",
        "e": "x",
    }


def test_empty_values_and_null_are_none() -> None:
    assert read("a:\nb: ~\nc: null\nd: ''\n").data == {"a": None, "b": None, "c": None, "d": ""}


def test_an_empty_file_is_an_empty_configuration() -> None:
    assert read("").data == {}
    assert read("# only a comment\n").data == {}


def test_every_value_knows_its_place() -> None:
    document = read("routes:\n  chat:\n    targets: [a/b, c/d]\n")

    assert document.values["routes", "chat", "targets", 1] == (3, 20)
    assert document.keys["routes", "chat"] == (2, 3)


def test_a_key_given_twice_is_reported_with_both_places() -> None:
    assert problems("a: 1\nb: 2\na: 3\n") == ["f.yaml:3:1: a: given twice; first on line 1"]


def test_an_unset_variable_is_reported_where_it_stands() -> None:
    assert problems('a:\n  url: "http://${HOST_NAME}/v1"\n') == [
        "f.yaml:2:16: a.url: environment variable HOST_NAME is not set; "
        "set it, or give a default: ${HOST_NAME:-…}"
    ]


def test_every_unset_variable_of_one_value_is_reported() -> None:
    assert len(problems("a: ${X}-${Y}")) == 2


def test_text_from_outside_cannot_add_keys() -> None:
    assert read("a: ${X}", X="b: 1\nc: {d: 2}").data == {"a": "b: 1\nc: {d: 2}"}


def test_a_reference_may_stand_bare_inside_braces_and_brackets() -> None:
    document = read("a: {b: ${X}, c: [${Y:-p, q: [r] # s}, z]} # ${Z}\n", X="1")

    assert document.data == {"a": {"b": "1", "c": ["p, q: [r] # s", "z"]}}
    assert document.values["a", "c", 1] == (1, 39)


def test_an_empty_variable_leaves_a_plain_value_empty() -> None:
    assert read("a: ${X}\nb: ${Y:-}", X="").data == {"a": None, "b": None}


def test_merge_keys_give_way_to_what_is_said_in_place() -> None:
    text = "base: &base {x: 1, y: 2}\nother:\n  <<: *base\n  y: 3\n"

    assert read(text).data["other"] == {"x": "1", "y": "3"}


def test_broken_yaml_is_one_problem_with_a_place() -> None:
    assert problems("a: [1\nb: 2\n")[0].startswith("f.yaml:")
    assert problems("- 1\n") == ["f.yaml:1:1: the file must be a mapping (key: value)"]


@pytest.mark.parametrize("opens", ["[{", "- "])
def test_what_is_nested_too_deeply_is_one_problem(opens: str) -> None:
    """However deep, and soon: reading on would take time by the square of it."""
    (one,) = problems("a:\n  " + opens * 5000)
    assert "nested too deeply" in one


def test_an_alias_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before its ten million values; where it stops is made nearer, which saves the test a second."""
    assert 1_000 < yaml_document.MAX_VALUES < 1_000_000
    monkeypatch.setattr(yaml_document, "MAX_VALUES", 20_000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]

    assert any("more than" in problem for problem in problems("\n".join(lines)))


def test_own_tags_are_refused() -> None:
    assert problems("a: !python/name:os.system x") == [
        "f.yaml:1:4: a: the tag !python/name:os.system is not supported"
    ]


def test_defaults_replace_unset_and_empty_variables() -> None:
    assert interpolate("${A:-x}${B:-y}${C:-z}", {"B": "", "C": "c"}).text == "xyc"


def test_a_doubled_dollar_is_a_plain_one() -> None:
    assert interpolate("$${A} $5 $$ ${A}", {"A": "a"}).text == "${A} $5 $$ a"


def test_references_that_cannot_be_read_are_reported() -> None:
    for text in ("${}", "${1A}", "${A", "${A:?x}", "${A:-${B}}"):
        assert interpolate(text, {"A": "a", "B": "b"}).problems, text


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_interpolation_never_fails_and_leaves_text_without_references_alone(text: str) -> None:
    result = interpolate(text, {})

    if "${" not in text:
        assert result.text == text and not result.problems


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab:{}[]-&*!|>'\"#%@`\n\t ,?<0~$", max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    document = read(text)

    assert isinstance(document.data, dict)
