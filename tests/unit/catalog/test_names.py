"""Names find the offering that is meant, always the same one, and never leave the provider they name."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.names import NAME_CHARS_MAX, ModelNames, matches, names_of, nearest, normalise, undated
from domain.catalog.offering import Catalog, CatalogProvider, Offering
from tests.unit.catalog.strategies import NAMES, catalogs, modest


def catalog_of(*offerings: Offering, providers: tuple[CatalogProvider, ...] = ()) -> Catalog:
    return Catalog(
        providers={provider.id: provider for provider in providers},
        offerings={offering.id: offering for offering in offerings},
    )


GPT_4O = Offering(provider="openai", model="gpt-4o", aliases=("gpt-4o-latest",))
GPT_4O_MAY = Offering(provider="openai", model="gpt-4o-2024-05-13")
SONNET = Offering(
    provider="anthropic", model="claude-sonnet-4-5-20250929", aliases=("claude-sonnet-4.5", "*sonnet-4-5*")
)
FINE_TUNED = Offering(provider="openai", model="ft:gpt-4o", aliases=("ft:gpt-4o-2024-*",))
ROUTED = Offering(provider="openrouter", model="openai/gpt-4o")
OPENAI = CatalogProvider(id="openai", name="OpenAI", wire="openai")
AZURE = CatalogProvider(
    id="azure",
    name="Azure",
    wire="azure",
    aliases=("azure-openai",),
    price_fallbacks=("openai",),
    compliance=frozenset({"soc2"}),
)
NAMES_KNOWN = ModelNames(
    catalog_of(GPT_4O, GPT_4O_MAY, SONNET, FINE_TUNED, ROUTED, providers=(OPENAI, AZURE))
)


class TestNormalise:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Claude_3.5-Sonnet@2024-10-22", "claude-3-5-sonnet-20241022"),
            ("models/gemini-2.5-pro", "gemini-2-5-pro"),
            ("  GPT-4o  ", "gpt-4o"),
            ("claude-sonnet-4@20250514", "claude-sonnet-4-20250514"),
            ("Meta-Llama-3_3-70B", "meta-llama-3-3-70b"),
            ("gpt-4-0613", "gpt-4-0613"),
        ],
    )
    def test_spellings_of_one_name_become_one(self, name: str, expected: str) -> None:
        assert normalise(name) == expected

    @given(st.text(max_size=40))
    @modest(75)
    def test_it_is_idempotent(self, name: str) -> None:
        assert normalise(normalise(name)) == normalise(name)

    @given(NAMES)
    @modest(40)
    def test_case_does_not_matter(self, name: str) -> None:
        assert normalise(name.upper()) == normalise(name)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet"),
            ("mistral-large-latest", "mistral-large"),
            ("llama2-70b-4096", "llama2-70b-4096"),
            ("mistral-large-2512", "mistral-large-2512"),
            ("latest", "latest"),
        ],
    )
    def test_only_whole_dates_and_latest_are_left_off(self, name: str, expected: str) -> None:
        assert undated(name) == expected


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "name", "expected"),
        [
            ("gpt-4o*", "GPT-4o-mini", True),
            ("gpt-4o*", "my-gpt-4o", False),
            ("*sonnet", "claude-sonnet", True),
            ("*nova*lite*", "amazon.nova-2-lite-v1:0", True),
            ("*lite*nova*", "amazon.nova-lite", False),
            ("a*a", "a", False),
            ("*", "", True),
            ("plain", "plain", True),
            ("plain", "plainer", False),
        ],
    )
    def test_a_star_stands_for_any_text(self, pattern: str, name: str, expected: bool) -> None:
        assert matches(pattern, name) is expected

    @given(st.lists(st.text(alphabet="ab*", max_size=4), max_size=4), st.text(alphabet="ab", max_size=8))
    @modest(75)
    def test_it_agrees_with_the_standard_librarys_wildcards(self, parts: list[str], name: str) -> None:
        import fnmatch

        pattern = "".join(parts)

        assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


class TestFinding:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("gpt-4o", ["openai/gpt-4o"]),
            ("GPT-4O", ["openai/gpt-4o"]),
            ("gpt-4o-2024-05-13", ["openai/gpt-4o-2024-05-13"]),
            ("gpt-4o-20240513", ["openai/gpt-4o-2024-05-13"]),
            ("gpt-4o-2024-11-20", ["openai/gpt-4o"]),
            ("gpt-4o-latest", ["openai/gpt-4o"]),
            ("claude-sonnet-4-5", ["anthropic/claude-sonnet-4-5-20250929"]),
            ("claude-sonnet-4.5", ["anthropic/claude-sonnet-4-5-20250929"]),
            ("us.anthropic.claude-sonnet-4-5-v1:0", ["anthropic/claude-sonnet-4-5-20250929"]),
            ("ft:gpt-4o-2024-08-06:acme::x1", ["openai/ft:gpt-4o"]),
            ("openai/gpt-4o", ["openai/gpt-4o"]),
            ("OpenAI/gpt-4o", ["openai/gpt-4o"]),
            ("openrouter/openai/gpt-4o", ["openrouter/openai/gpt-4o"]),
            ("gpt-9", []),
            ("", []),
        ],
    )
    def test_a_name_finds_what_is_meant(self, name: str, expected: list[str]) -> None:
        assert [offering.id for offering in NAMES_KNOWN.find(name)] == expected

    def test_one_snapshot_is_never_taken_for_another(self) -> None:
        names = ModelNames(catalog_of(GPT_4O_MAY))

        assert names.find("gpt-4o-2024-08-06") == ()

    def test_an_undated_name_means_the_newest_snapshot(self) -> None:
        names = ModelNames(
            catalog_of(
                Offering(provider="openai", model="gpt-x-2025-01-01"),
                Offering(provider="openai", model="gpt-x-2026-01-01"),
            )
        )

        assert [o.model for o in names.find("gpt-x")] == ["gpt-x-2026-01-01"]
        assert [o.model for o in names.find("gpt-x-latest")] == ["gpt-x-2026-01-01"]

    def test_an_unknown_model_of_a_known_provider_is_unknown_even_if_others_have_it(self) -> None:
        assert NAMES_KNOWN.find("anthropic/gpt-4o") == ()

    def test_an_unknown_provider_never_falls_back_to_a_default(self) -> None:
        assert NAMES_KNOWN.find("nobody/gpt-4o") == ()

    def test_a_reseller_sells_at_its_price_fallbacks_but_under_its_own_rules(self) -> None:
        found = NAMES_KNOWN.at("azure-openai", "gpt-4o")

        assert found is not None
        assert (found.id, found.prices) == ("azure/gpt-4o", GPT_4O.prices)
        assert found.compliance == frozenset({"soc2"})
        assert "openai" in found.source

    def test_a_reseller_sells_its_own_models_and_those_of_its_fallbacks(self) -> None:
        own = Offering(provider="azure", model="phi-4")
        names = ModelNames(catalog_of(GPT_4O, GPT_4O_MAY, SONNET, own, providers=(OPENAI, AZURE)))

        assert [offering.id for offering in names.sold_by("azure-openai")] == [
            "azure/gpt-4o",
            "azure/gpt-4o-2024-05-13",
            "azure/phi-4",
        ]
        assert names.sold_by("openai") == (GPT_4O, GPT_4O_MAY)
        assert names.sold_by("nobody") == ()

    def test_a_name_that_is_too_long_matches_nothing(self) -> None:
        assert NAMES_KNOWN.find("x" * (NAME_CHARS_MAX + 1)) == ()
        assert NAMES_KNOWN.at("openai", "x" * (NAME_CHARS_MAX + 1)) is None

    @given(catalogs)
    @modest(30)
    def test_every_offering_is_found_under_its_own_name(self, catalog: Catalog) -> None:
        names = ModelNames(catalog)

        for offering in catalog.offerings.values():
            assert names.at(offering.provider, offering.model) == offering
            assert names.find(offering.id) == (offering,)

    @given(
        catalogs, st.randoms(use_true_random=False), st.sampled_from(["alpha", "beta", "first", "second-x"])
    )
    @modest(30)
    def test_the_order_of_the_catalogue_does_not_matter(
        self, catalog: Catalog, shuffler: random.Random, name: str
    ) -> None:
        entries = list(catalog.offerings.items())
        shuffler.shuffle(entries)
        shuffled = Catalog(providers=catalog.providers, offerings=dict(entries))

        assert ModelNames(catalog).find(name) == ModelNames(shuffled).find(name)


class TestOfOneCatalog:
    def test_they_are_made_once_while_a_catalogue_is_in_use_and_anew_for_its_equal(self) -> None:
        first, equal = catalog_of(), catalog_of()
        assert first == equal

        names = names_of(first)

        assert names_of(first) is names
        assert names_of(equal) is not names


class TestSoldAs:
    @pytest.mark.parametrize(
        ("offering", "asked", "sent"),
        [
            (GPT_4O, "GPT-4O", "gpt-4o"),
            (GPT_4O, "openai/gpt-4o", "gpt-4o"),
            (GPT_4O, "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
            (GPT_4O, "openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
            (SONNET, "claude-sonnet-4-5-latest", "claude-sonnet-4-5-latest"),
            (FINE_TUNED, "ft:gpt-4o-2024-08-06:acme::x1", "ft:gpt-4o-2024-08-06:acme::x1"),
            (ROUTED, "openai/gpt-4o", "openai/gpt-4o"),
            (Offering(provider="openai", model="gpt-4.1"), "gpt-4-1", "gpt-4.1"),
        ],
    )
    def test_names_with_a_meaning_are_sent_as_asked_and_spellings_are_put_right(
        self, offering: Offering, asked: str, sent: str
    ) -> None:
        assert NAMES_KNOWN.sold_as(offering, asked) == sent


class TestNearest:
    def test_the_closest_names_come_first(self) -> None:
        known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro"]

        assert nearest("gpt-4o-mni", known, 2) == ("gpt-4o-mini", "gpt-4o")
        assert nearest("claude-sonet", known, 1) == ("claude-sonnet-4-5",)

    def test_names_that_share_nothing_are_left_out(self) -> None:
        assert nearest("zzz", ["gpt-4o"]) == ()
        assert nearest("", ["gpt-4o"]) == ()

    @given(st.lists(NAMES, max_size=8), NAMES, st.integers(0, 5), st.randoms(use_true_random=False))
    @modest(40)
    def test_it_is_bounded_deterministic_and_blind_to_order(
        self, known: list[str], name: str, n: int, shuffler: random.Random
    ) -> None:
        shuffled = list(known)
        shuffler.shuffle(shuffled)

        found = nearest(name, known, n)

        assert found == nearest(name, shuffled, n)
        assert len(found) <= n
        assert set(found) <= set(known)

    @given(st.lists(NAMES, min_size=1, max_size=8))
    @modest(30)
    def test_a_known_name_is_nearest_to_itself(self, known: list[str]) -> None:
        if normalise(known[0]):
            assert nearest(known[0], known, 1) == (known[0],)

    def test_models_are_suggested_for_bare_names_and_ids_for_prefixed_ones(self) -> None:
        assert NAMES_KNOWN.nearest("gpt-4x", 1) == ("gpt-4o",)
        assert NAMES_KNOWN.nearest("opnai/gpt-4o", 1) == ("openai/gpt-4o",)
