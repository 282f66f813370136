"""The handbook has a remedy for every alert, and names only commands, pages and metrics there are."""

import re
from pathlib import PurePosixPath

import click

from contracts.alert_rules import rules
from contracts.metrics import METRIC_GROUPS
from domain.sla.rules import RULES
from entrypoints.cli.main import interchange
from tests.architecture.repository import ROOT

PAGE = (ROOT / "docs" / "handbook.md").read_text(encoding="utf-8")
ANCHORS = set(re.findall(r'<a id="([\w-]+)"></a>', PAGE))
PARTS = ("**What it means.**", "**What to check.**", "**What to do.**")
_HEADING = re.compile(r"^#{2,} (.+)$", re.MULTILINE)


def test_every_alert_has_a_section_that_says_what_it_means_and_what_to_do() -> None:
    assert {*re.findall(r'<a id="alert-([\w-]+)"></a>\n### \1\n', PAGE)} == RULES.keys()
    for name in RULES:
        text = PAGE.split(f'<a id="alert-{name}"></a>')[1].split("\n<a id")[0].split("\n## ")[0]
        places = [text.find(part) for part in PARTS]
        assert -1 not in places and places == sorted(places), name


def test_every_runbook_link_of_the_rules_leads_to_a_section() -> None:
    linked = {rule["annotations"]["runbook"] for rule in rules()["groups"][0]["rules"]}

    assert linked <= {f"docs/handbook.md#{anchor}" for anchor in ANCHORS}


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        page, _, anchor = target.partition("#")
        text = PAGE if not page else (ROOT / "docs" / PurePosixPath(page)).read_text(encoding="utf-8")
        headings = {heading.lower().replace(" ", "-") for heading in _HEADING.findall(text)}
        assert not anchor or anchor in headings | set(re.findall(r'<a id="([\w-]+)">', text)), target


def test_every_command_is_one_there_is_and_takes_these_options() -> None:
    for line in _code():
        words = line.split()
        if words[:1] != ["interchange"] or len(words) < 2:
            continue
        command: click.Command | None = interchange
        for word in words[1:]:
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
                assert command is not None, line
            elif command is not None and word.startswith("--"):
                assert word in {name for each in command.params for name in each.opts}, line


def test_every_metric_is_in_the_list() -> None:
    listed = {each.name for group in METRIC_GROUPS.values() for each in group}

    assert set(re.findall(r"interchange_\w+", PAGE)) <= listed | {"interchange_new"}


def _code() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line.partition("#")[0] for block in blocks for line in block.splitlines()] + re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    )
