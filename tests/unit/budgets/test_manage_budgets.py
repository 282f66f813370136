"""Who makes, sees, changes and removes which budgets."""

from dataclasses import replace

import pytest

from application.ports.budgets import StoredBudget
from application.use_cases.follow_budgets import check_names
from application.use_cases.manage_budgets import BUDGETS_PER_TENANT_MAX
from domain.budgets.budget import Switch
from domain.budgets.terms import BudgetTerms
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile, StoreUnavailable
from domain.tenancy.key_rules import NewKey
from tests.unit.budgets.budget_world import ADMIN, OPERATOR, BudgetWorld, principal, terms


@pytest.fixture
def world() -> BudgetWorld:
    return BudgetWorld()


async def test_a_made_budget_is_in_force_at_once_and_leases_come_anew(world: BudgetWorld) -> None:
    record = await world.manage.create(ADMIN, terms(switch_at=0.8, switch_route="cheap"))

    assert world.book.budgets == (record.budget,)
    assert (record.budget.owner, record.budget.alert_at) == ("acme", (5_000, 9_000, 10_000))
    assert record.budget.switch == Switch(8_000, "cheap")
    assert world.recalls == 1
    assert (await world.manage.one(ADMIN, record.budget.budget_id)) == record


async def test_a_lowered_limit_is_in_force_at_once_and_keeps_the_id(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    world.clock.advance(60)

    changed = await world.manage.replace(ADMIN, made.budget.budget_id, terms(limit_usd=1, name="lower"))

    assert world.book.budgets == (changed.budget,)
    assert changed.budget.limit_nano_usd == 1_000_000_000
    assert changed.created_at == made.created_at != changed.updated_at
    assert world.recalls == 2


async def test_what_changes_nothing_recalls_nothing(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    await world.manage.replace(ADMIN, made.budget.budget_id, terms())

    assert world.recalls == 1


async def test_a_removed_budget_holds_nobody_any_more(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())

    await world.manage.remove(ADMIN, made.budget.budget_id)

    assert world.book.empty
    with pytest.raises(NotFound):
        await world.manage.remove(ADMIN, made.budget.budget_id)


async def test_another_instance_follows_with_its_next_look(world: BudgetWorld) -> None:
    other = BudgetWorld()
    other.follow._store = world.store
    await other.follow.start(())
    made = await world.manage.create(ADMIN, terms())

    await other.follow.refresh()

    assert other.book.budgets == (made.budget,)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"scope": {}}, "scope"),
        ({"scope": {"tenant": "acme", "planet": "mars"}}, "scope"),
        ({"scope": {"tenant": "acme", "agent": ""}}, "scope.agent"),
        ({"scope": {"tenant": "Acme!"}}, "scope.tenant"),
        ({"scope": {"tenant": "acme", "key": "nobody"}}, "scope.key"),
        ({"period": "fortnight"}, "period"),
        ({"period": "total", "rolling": True}, "rolling"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"limit_usd": -1}, "limit_usd"),
        ({"limit_usd": "lots"}, "limit_usd"),
        ({"limit_usd": "NaN"}, "limit_usd"),
        ({"limit_usd": True}, "limit_usd"),
        ({"limit_usd": 1e30}, "limit_usd"),
        ({"limit_usd": 99_999_999_999}, "limit_usd"),
        ({"alert_at": (0.9, 0.5)}, "alert_at"),
        ({"alert_at": (0.5, 0.5)}, "alert_at"),
        ({"alert_at": (0.0,)}, "alert_at"),
        ({"alert_at": (11.0,)}, "alert_at"),
        ({"alert_at": (float("nan"),)}, "alert_at"),
        ({"alert_at": tuple(i / 100 for i in range(1, 18))}, "alert_at"),
        ({"switch_at": 0.5, "switch_route": "none"}, "on_threshold.route"),
        ({"switch_at": 0.0, "switch_route": "cheap"}, "on_threshold.at"),
        ({"switch_at": 1.5, "switch_route": "cheap"}, "on_threshold.at"),
        (
            {"scope": {"tenant": "acme", "model": "m"}, "switch_at": 0.5, "switch_route": "cheap"},
            "on_threshold",
        ),
        ({"contact": "x" * 300}, "contact"),
    ],
)
async def test_what_could_not_work_is_refused_by_its_field(
    world: BudgetWorld, change: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.manage.create(ADMIN, terms(**change))

    assert refused.value.param == param
    assert await world.store.all() == []


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ({"tenant": "acme", "agent": "*"}, True),
        ({"agent": "*"}, False),
        ({"tenant": "*"}, False),
        ({"tenant": "other"}, False),
    ],
)
async def test_a_tenant_counts_only_its_own_spending(
    world: BudgetWorld, scope: dict[str, str], allowed: bool
) -> None:
    if allowed:
        await world.manage.create(ADMIN, terms(scope=scope))
        return
    with pytest.raises(Forbidden):
        await world.manage.create(ADMIN, terms(scope=scope))
    assert (await world.manage.create(OPERATOR, terms(scope=scope))).budget.owner == "default"


@pytest.mark.parametrize("role", ["viewer", "auditor", "developer"])
async def test_readers_read_and_do_not_write(world: BudgetWorld, role: str) -> None:
    made = await world.manage.create(ADMIN, terms())
    reader = principal(role=role)

    assert await world.manage.all(reader) == [made]
    with pytest.raises(Forbidden):
        await world.manage.create(reader, terms(name="mine"))
    with pytest.raises(Forbidden):
        await world.manage.replace(reader, made.budget.budget_id, terms(limit_usd=99))
    with pytest.raises(Forbidden):
        await world.manage.remove(reader, made.budget.budget_id)


async def test_agents_see_no_budgets(world: BudgetWorld) -> None:
    with pytest.raises(Forbidden):
        await world.manage.all(principal(role="agent"))


async def test_another_tenants_budget_does_not_exist(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    stranger = principal("other")

    assert await world.manage.all(stranger) == []
    for attempt in (
        world.manage.one(stranger, made.budget.budget_id),
        world.manage.replace(stranger, made.budget.budget_id, terms(scope={"tenant": "other"})),
        world.manage.remove(stranger, made.budget.budget_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(Forbidden):
        await world.manage.all(stranger, "acme")


async def test_what_the_operator_set_on_a_tenant_is_seen_there_and_not_changed(world: BudgetWorld) -> None:
    made = await world.manage.create(OPERATOR, terms())

    assert await world.manage.all(ADMIN) == [made]
    with pytest.raises(Forbidden):
        await world.manage.replace(ADMIN, made.budget.budget_id, terms(limit_usd=1_000_000))
    with pytest.raises(Forbidden):
        await world.manage.remove(ADMIN, made.budget.budget_id)
    await world.manage.replace(OPERATOR, made.budget.budget_id, terms(limit_usd=5))


async def test_what_the_file_declares_is_shown_first_and_is_the_files(world: BudgetWorld) -> None:
    declared = world.declared()
    await world.follow.start([declared])
    made = await world.manage.create(ADMIN, terms(name="another"))

    assert [record.budget for record in await world.manage.all(ADMIN)] == [declared, made.budget]
    for attempt in (
        world.manage.create(ADMIN, terms()),
        world.manage.replace(ADMIN, declared.budget_id, terms()),
        world.manage.remove(ADMIN, declared.budget_id),
    ):
        with pytest.raises(OwnedByFile) as refused:
            await attempt
        assert "interchange.yaml:5" in refused.value.message


async def test_the_same_name_in_file_and_api_is_no_configuration(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())

    with pytest.raises(Conflict, match=made.budget.budget_id):
        check_names([world.declared()], world.follow.stored)
    with pytest.raises(Conflict):
        await world.follow.start([world.declared()])
    check_names([world.declared(name="another")], world.follow.stored)
    check_names([world.declared(scope={"tenant": "beta"})], world.follow.stored)


async def test_names_differ_within_a_tenant(world: BudgetWorld) -> None:
    await world.manage.create(ADMIN, terms())

    with pytest.raises(Conflict):
        await world.manage.create(ADMIN, terms(limit_usd=3))
    other = await world.manage.create(ADMIN, terms(name="other"))
    with pytest.raises(Conflict):
        await world.manage.replace(ADMIN, other.budget.budget_id, terms())
    await world.manage.create(principal("beta"), terms(scope={"tenant": "beta"}))


async def test_a_scope_cannot_change_because_spending_was_counted_by_it(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())

    with pytest.raises(InvalidRequest) as refused:
        await world.manage.replace(
            ADMIN, made.budget.budget_id, terms(scope={"tenant": "acme", "agent": "*"})
        )

    assert refused.value.param == "scope"


async def test_a_key_may_be_named_by_id_or_by_a_name_only_it_has(world: BudgetWorld) -> None:
    key = await world.create_key(ADMIN, NewKey(tenant_id="acme", name="build", role="agent"))
    by_name = await world.manage.create(ADMIN, terms(scope={"tenant": "acme", "key": "build"}))
    by_id = await world.manage.create(ADMIN, terms(name="b", scope={"tenant": "acme", "key": key.key_id}))

    assert by_name.budget.scope == by_id.budget.scope
    await world.create_key(ADMIN, NewKey(tenant_id="acme", name="build", role="agent"))
    with pytest.raises(InvalidRequest, match="2 keys"):
        await world.manage.create(ADMIN, terms(name="c", scope={"tenant": "acme", "key": "build"}))
    foreign = await world.create_key(OPERATOR, NewKey(tenant_id="beta", name="theirs", role="agent"))
    with pytest.raises(InvalidRequest):
        await world.manage.create(ADMIN, terms(name="d", scope={"tenant": "acme", "key": foreign.key_id}))


async def test_a_tenant_makes_only_so_many(world: BudgetWorld) -> None:
    first = await world.manage.create(ADMIN, terms())
    (stored,) = await world.store.all()
    for number in range(BUDGETS_PER_TENANT_MAX - 1):
        await world.store.put(stored._replace(budget_id=f"bud_{number}", name=f"n{number}"))

    with pytest.raises(Conflict):
        await world.manage.create(ADMIN, terms(name="one too many"))
    await world.manage.replace(ADMIN, first.budget.budget_id, terms(limit_usd=2))


async def test_a_budget_that_cannot_be_read_is_left_out_and_told(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    await world.store.put(StoredBudget("bud_new", "acme", "newer", '{"scope":{"mood":"*"}}', 0, 0))

    await world.follow.refresh()

    assert world.book.budgets == (made.budget,)
    assert "bud_new" in world.follow.problems[0]


async def test_a_store_that_is_away_changes_nothing_and_is_told(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    world.store.reachable = False

    with pytest.raises(StoreUnavailable):
        await world.follow.refresh()
    with pytest.raises(StoreUnavailable):
        await world.manage.create(ADMIN, terms(name="b"))
    assert world.book.budgets == (made.budget,)


async def test_a_key_with_a_budget_gets_both_or_none(world: BudgetWorld) -> None:
    new = NewKey(tenant_id="acme", name="worker", role="agent")
    made = await world.create_budgeted_key(
        ADMIN, new, BudgetTerms(name="", period="month", limit_usd=5, hard=True)
    )

    assert made.budget.budget.scope.describe() == f"tenant=acme, key={made.key.key_id}"
    assert made.budget.budget.name == f"key worker {made.key.key_id}"

    with pytest.raises(InvalidRequest) as refused:
        await world.create_budgeted_key(ADMIN, new, BudgetTerms(name="", period="moon", limit_usd=5))
    assert refused.value.param == "budget.period"
    world.keys.reachable = False
    with pytest.raises(StoreUnavailable):
        await world.create_budgeted_key(ADMIN, new, BudgetTerms(name="", period="day", limit_usd=5))
    world.keys.reachable = True
    assert len(await world.keys.all()) == 1
    assert [budget.name for budget in await world.store.all()] == [made.budget.budget.name]


async def test_who_may_make_keys_but_no_budgets_makes_no_budgeted_key(world: BudgetWorld) -> None:
    narrow = replace(ADMIN, permissions=ADMIN.permissions - {"budgets.write"})

    with pytest.raises(Forbidden):
        await world.create_budgeted_key(
            narrow,
            NewKey(tenant_id="acme", name="worker", role="agent"),
            BudgetTerms(name="", period="day", limit_usd=5),
        )
    assert await world.keys.all() == []
