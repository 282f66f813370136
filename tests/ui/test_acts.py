"""What people do on pages: make, change and remove things, take tables with them, and what they may not."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.ui.browsing import let_in, new_page, no_complaints
from tests.ui.world import World, lived_in

pytestmark = pytest.mark.browser
LIVE_MS = 5_000
"""How often the overview brings its live part anew."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lived_in(tmp_path_factory.mktemp("acts")) as world:
        yield world


@pytest.fixture(scope="module")
def owner(browser: Browser, world: World) -> Iterator[Tab]:
    tab = new_page(browser, world.stack.url)
    let_in(tab, world.keys["owner"])
    yield tab
    tab.context.close()


@pytest.fixture(scope="module")
def viewer(browser: Browser, world: World) -> Iterator[Tab]:
    tab = new_page(browser, world.stack.url)
    let_in(tab, world.keys["viewer"])
    yield tab
    tab.context.close()


@pytest.fixture
def api(world: World) -> Iterator[httpx.Client]:
    with world.stack.client() as client:
        yield client


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How one kind of thing is made, changed and removed on its page. `found` says where the API lists it,
    under which name, and what tells which one it is; `changed` is what is then to be seen in the API."""

    page: str
    make: str
    made: Mapping[str, str]
    change: str
    changes: Mapping[str, str]
    remove: str
    found: tuple[str, str, str, str]
    wanted: tuple[str, Any]
    of_file: str
    read_only: bool = True

    def __str__(self) -> str:
        return self.page


STORIES = (
    Story(
        page="budgets",
        make="create",
        made={"name": "of the page", "scope.tenant": "default", "limit_usd": "12.5", "period": "week"},
        change="change",
        changes={"limit_usd": "15"},
        remove="remove",
        found=("budgets", "name", "of the page", "budget_id"),
        wanted=("limit_usd", "15"),
        of_file="file:everything",
    ),
    Story(
        page="routes",
        make="make",
        made={"name": "of-the-page", "*": '{"targets": ["beta/middle"]}'},
        change="change",
        changes={"*": '{"targets": ["beta/middle", "alpha/small"], "strategy": "cost"}'},
        remove="remove",
        found=("routes", "name", "of-the-page", "name"),
        wanted=("route.strategy", "cost"),
        of_file="faq",
    ),
    Story(
        page="webhooks",
        make="create",
        made={"url": "http://127.0.0.1:9/hook", "events": "key.*", "description": "of the page"},
        change="change",
        changes={"description": "changed"},
        remove="delete",
        found=("webhooks", "url", "http://127.0.0.1:9/hook", "endpoint_id"),
        wanted=("description", "changed"),
        of_file="wh_file_from-file",
    ),
    Story(
        page="integrations",
        make="create",
        made={
            "integration_id": "of-the-page",
            "type": "storage",
            "configuration": '{"endpoint": "memory://new", "authentication": {"type": "none"}}',
        },
        change="change",
        changes={
            "configuration": '{"endpoint": "memory://new", "authentication": {"type": "none"}, '
            '"greeting": "hi"}'
        },
        remove="delete",
        found=("integrations", "integration_id", "of-the-page", "integration_id"),
        wanted=("configuration.greeting", "hi"),
        of_file="shelf",
    ),
)


def fill(tab: Tab, act: str, values: Mapping[str, str]) -> None:
    """The form of an act, unfolded; it is not sent."""
    form = tab.locator(f"#act-{act}")
    if form.count():
        form.evaluate("each => { each.open = true; }")
    for name, value in values.items():
        field = form.locator(f"[name='{name}']")
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def send(tab: Tab, act: str) -> None:
    """The form by its button, and what it then asks."""
    fill(tab, act, {})
    with tab.expect_navigation():
        tab.locator(f"form[action$='/{act}'] button").last.click()
        sure = tab.locator("dialog button.danger")
        if sure.count():
            sure.click()


def listed(api: httpx.Client, story: Story) -> dict[str, Any] | None:
    root, name, value, _ = story.found
    rows = api.get(f"/api/v1/{root}").json()[root]
    return next((row for row in rows if row[name] == value), None)


def at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value[name]
    return value


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_a_thing_is_made_changed_and_removed_on_its_page(owner: Tab, api: httpx.Client, story: Story) -> None:
    with no_complaints(owner):
        owner.goto(f"/ui/{story.page}")
        fill(owner, story.make, story.made)
        with owner.expect_navigation():
            owner.locator(f"#act-{story.make} input[type=text]").first.press("Enter")
        assert owner.locator("main [role=alert]").all_inner_texts() == []
        row = listed(api, story)
        assert row is not None

        item = f"/ui/{story.page}/{row[story.found[3]]}"
        owner.goto(item)
        fill(owner, story.change, story.changes)
        send(owner, story.change)
        assert owner.locator("main [role=alert]").all_inner_texts() == []
        assert owner.locator("main [role=status]").count() >= 1
        changed = api.get(f"/api/v1/{story.page}/{row[story.found[3]]}").json()
        assert at(changed, story.wanted[0]) == story.wanted[1]

        owner.goto(item)
        send(owner, story.remove)
        assert owner.url.partition("?")[0].endswith(f"/ui/{story.page}")
        assert listed(api, story) is None


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_what_the_file_declares_is_read_only_and_the_page_says_why(owner: Tab, story: Story) -> None:
    with no_complaints(owner):
        owner.goto(f"/ui/{story.page}/{story.of_file}")
        assert "interchange.yaml" in owner.inner_text("main [role=note]")
        for act in (story.change, story.remove):
            assert owner.locator(f"main form[action$='/{act}']").count() == 0


@pytest.mark.parametrize("page", ["keys", *(story.page for story in STORIES)])
def test_a_viewer_is_offered_no_forms(viewer: Tab, page: str) -> None:
    viewer.goto(f"/ui/{page}")
    assert viewer.locator("main form[method=post]").count() == 0


def test_a_forged_form_of_a_viewer_is_refused(viewer: Tab, api: httpx.Client) -> None:
    viewer.goto("/ui/overview")
    csrf = viewer.locator("input[name=csrf]").first.input_value()
    form: dict[str, str | float | bool] = {
        "csrf": csrf,
        "name": "forged",
        "scope.tenant": "default",
        "limit_usd": "1",
        "period": "day",
    }
    answer = viewer.request.post("/ui/budgets/create", form=form, headers={"origin": viewer.url[:-12]})

    assert answer.status == 403
    assert "forged" not in api.get("/api/v1/budgets").text


@pytest.mark.parametrize("csrf", [{}, {"csrf": "guessed"}], ids=["none", "guessed"])
def test_a_form_without_its_proof_is_refused(
    owner: Tab, world: World, api: httpx.Client, csrf: dict[str, str]
) -> None:
    form: dict[str, str | float | bool] = {
        "name": "unproved",
        "scope.tenant": "default",
        "limit_usd": "1",
        "period": "day",
        **csrf,
    }
    headers = {"origin": world.stack.url}
    answer = owner.request.post("/ui/budgets/create", form=form, headers=headers)

    assert answer.status == 403
    assert "unproved" not in api.get("/api/v1/budgets").text


def test_a_key_is_shown_once_and_works(owner: Tab, world: World) -> None:
    with no_complaints(owner):
        owner.goto("/ui/keys")
        fill(owner, "create", {"name": "from a page", "tenant_id": "default", "role": "agent"})
        send(owner, "create")
        secret = owner.locator(".once code").first.inner_text()
        owner.goto("/ui/keys")
        assert secret not in owner.content() and "from a page" in owner.inner_text("main")
    body = {"model": "faq", "messages": [{"role": "user", "content": "Does my key work?"}]}
    answer = httpx.post(
        f"{world.stack.url}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {secret}"},
        timeout=20,
    )
    assert answer.status_code == 200


def test_a_wrong_value_is_told_at_its_field_and_nothing_is_lost(owner: Tab, api: httpx.Client) -> None:
    with no_complaints(owner, refused=(400,)):
        owner.goto("/ui/budgets")
        said = {"name": "wrong", "scope.tenant": "default", "limit_usd": "much"}
        fill(owner, "create", said)
        send(owner, "create")
        form = owner.locator("#act-create")
        assert "limit_usd" in form.get_by_role("alert").inner_text()
        assert form.locator("[aria-invalid=true]").get_attribute("name") == "limit_usd"
        for name, value in said.items():
            assert form.locator(f"[name='{name}']").input_value() == value
    assert "wrong" not in {row["name"] for row in api.get("/api/v1/budgets").json()["budgets"]}


def test_a_dangerous_act_asks_and_takes_no_for_an_answer(owner: Tab, api: httpx.Client) -> None:
    """As people with a keyboard do it: the answer that harms nobody has the focus, and Escape is no."""
    budget = next(row for row in api.get("/api/v1/budgets").json()["budgets"] if row["name"] == "each agent")
    owner.goto(f"/ui/budgets/{budget['budget_id']}")
    fill(owner, "remove", {})
    button = owner.locator("form[action$='/remove'] button").last
    for answer in ("Enter", "Escape"):
        button.focus()
        owner.keyboard.press("Enter")
        owner.locator("dialog[open]").wait_for()
        owner.keyboard.press(answer)
        owner.locator("dialog").wait_for(state="detached")
    assert api.get(f"/api/v1/budgets/{budget['budget_id']}").status_code == 200


def test_tables_are_taken_along_as_csv_and_json(owner: Tab, tmp_path: Path) -> None:
    owner.goto("/ui/requests?route=work")
    rows = owner.locator("#rows-requests tr").count()
    for kind in ("CSV", "JSON"):
        with owner.expect_download() as download:
            owner.locator("#table-requests").get_by_role("link", name=kind).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        text = path.read_text()
        found = list(csv.DictReader(text.splitlines())) if kind == "CSV" else json.loads(text)
        assert path.name == f"requests.{kind.lower()}"
        assert len(found) == rows > 0
        assert {row["model_asked"] for row in found} == {"work"}


def test_a_live_part_refreshes_and_leads_to_the_login_when_the_session_ends(
    browser: Browser, world: World, api: httpx.Client
) -> None:
    body = {"tenant_id": "default", "name": "for a while", "role": "viewer"}
    key = api.post("/api/v1/keys", json=body).json()
    tab = new_page(browser, world.stack.url)
    try:
        let_in(tab, key["key"])
        tab.clock.install()
        with no_complaints(tab):
            tab.goto("/ui/overview")
            with tab.expect_response("**/ui/overview?part=live") as part:
                tab.evaluate("document.querySelector('#live').dataset.seen = '1'")
                tab.clock.fast_forward(LIVE_MS)
            assert part.value.status == 200
            tab.locator("#live:not([data-seen])").wait_for()
            assert tab.locator("#live").count() == 1 and tab.locator("h1").count() == 1
            assert tab.locator(".chart .uplot").count() == tab.locator(".chart [data-chart]").count()
            api.delete(f"/api/v1/keys/{key['key_id']}").raise_for_status()
            tab.clock.fast_forward(LIVE_MS)
            tab.wait_for_url("**/ui/login**")
    finally:
        tab.context.close()
