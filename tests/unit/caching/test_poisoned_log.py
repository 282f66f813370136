"""What somebody else writes into the log that instances share: it may cost hits, never truth or tenants."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.scripted_llm import Script
from application.caching.rule_format import INVALIDATE
from application.caching.similar_records import (
    LABEL,
    VECTOR,
    ToldVector,
    read_label,
    read_vector,
    vector_data,
)
from application.ports.answer_store import LogRecord
from application.ports.vector_index import IndexedVector
from domain.caching.policy import CacheMode, CachePolicy
from domain.errors import InvalidRequest
from domain.llm.usage import Usage
from domain.tenancy.role import local_operator
from tests.unit.application.upstreams import virtually
from tests.unit.caching.similar_world import SimilarBench

A = "alpha/m"
TOLD = Script(text="Paris is the capital", usage=Usage(10, 3))
THRESHOLD = CachePolicy(mode=CacheMode.THRESHOLD, similarity_threshold=0.8)
ONE, OTHER = "what is the capital city of france", "what is the capital city of france then"
STRANGER = b"stranger"
"""Who wrote a record."""


def label(*, form: object = 1, features: object = (), same: object = True, served: object = True) -> bytes:
    return json.dumps([form, "hashing", "default", "auto", features, same, served]).encode()


@pytest.mark.parametrize(
    "data",
    [
        label(features=[math.nan]),
        label(features=[math.inf]),
        label(features=[1e300]),
        label(features=["1"] * 100_000),
        label(features=[10**400]),
        label(features=None),
        label(same="no"),
        label(served=1),
        label(form=True)[:-1] + b",1]",
        b"[" * 100_000,
        b"\xff\x00",
        b"",
    ],
)
def test_a_label_with_wild_numbers_is_no_label(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_label(data)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_garbage_is_neither_a_label_nor_a_vector(data: bytes) -> None:
    for read in (read_label, read_vector):
        with pytest.raises(InvalidRequest):
            read(data)


def poisons(world: SimilarBench) -> list[LogRecord]:
    embedder = world.embedder.id
    vectors = [b"", b"\x00\x00\xc0\x7f" * world.embedder.dimensions, b"\x00" * 4 * 100_000, b"\x00" * 4]
    told = [
        ToldVector(embedder, IndexedVector(b"p" * 32, b"k" * 32, vector or b"abcd", 2**62, "default"), 0)
        for vector in vectors
    ]
    return [
        *(LogRecord(VECTOR, STRANGER + vector_data(one)) for one in told),
        *(LogRecord(VECTOR, STRANGER + data) for data in (b"", b"\x01" * 40)),
        LogRecord(LABEL, STRANGER + label(features=[math.nan] * 30)),
        LogRecord(LABEL, b""),
        LogRecord("unknown", STRANGER),
    ]


@virtually
async def test_garbage_in_the_log_of_questions_stops_nobody_from_learning_and_finding() -> None:
    one = SimilarBench({A: TOLD}, THRESHOLD)
    two = SimilarBench({A: TOLD}, THRESHOLD, common=one.common)
    for each in (one, two):
        await each.start()
    await one.common.questions.append(poisons(one))
    await one.ask(ONE)
    await one.tick()
    await one.common.questions.append(poisons(one))
    await two.tick()
    assert (await two.ask(OTHER)).text == TOLD.text
    assert two.events[-1].cache == "hit-semantic"
    standing = two.book.standing(("default", "auto"))
    assert standing is not None and all(map(math.isfinite, standing.model.as_numbers()))


@pytest.mark.parametrize(
    "said",
    [
        b'["radius", "default", "0.9:hashing:zz"]',
        b'["radius", "default", "nan:hashing:00000000"]',
        b'["radius", "default", ""]',
        b'["radius", "", "0.9:x:00000000"]',
        b'["no kind", "default", "x"]',
        b'["tag", 7, "x"]',
        b"[" * 50_000,
        b"",
    ],
)
def test_an_invalidation_that_cannot_be_read_takes_out_too_much_rather_than_nothing(said: bytes) -> None:
    @virtually
    async def run() -> None:
        world = SimilarBench({A: TOLD}, THRESHOLD)
        await world.start()
        await world.ask(ONE)
        await world.tick()
        await world.common.log.append([LogRecord(INVALIDATE, STRANGER + said)])
        await world.tick()
        await world.ask(ONE)
        await world.ask(OTHER)
        assert world.events[-2].cache == "miss" and world.hearing.handler_failures == 0

    run()


@virtually
async def test_a_vector_that_points_at_another_tenants_answer_leads_nowhere() -> None:
    world = SimilarBench({A: TOLD}, THRESHOLD)
    await world.start()
    stranger = replace(local_operator(), tenant_id="other", key_id="k2")
    secret = await world.ask(ONE)
    await world.ask("how do plants turn sunlight into sugar", principal=stranger)
    await world.tick()
    assert secret.job is not None and secret.job.course is not None
    job, live = world.begin(OTHER, principal=stranger)
    assert job.course is not None
    place = await world.nearest.placed(job, job.course)
    assert place is not None
    forged = IndexedVector(place.partition, secret.job.course.key, place.vector, 2**62, "other")
    told = vector_data(ToldVector(world.embedder.id, forged, 0))
    await world.common.questions.append([LogRecord(VECTOR, STRANGER + told)])
    await world.tick()
    await world.pipeline.complete(job, live)
    assert job.cache == "miss" and job.course.candidate is None
    world.pipeline.end(job, status=200, outcome="ok")
