"""From a request to its answer: route, key, faults, text, latency, bill."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from entrypoints.simulator import (
    anthropic_shape,
    gemini_shape,
    idempotency,
    openai_shape,
    responses_shape,
    side_operations,
    vectors,
    vertex_shape,
)
from entrypoints.simulator.admission import admit, decoded, key_of
from entrypoints.simulator.answers import answer_to
from entrypoints.simulator.bill import BATCH_PERCENT
from entrypoints.simulator.connection import EVENT_STREAM, JSON, Connection, Request
from entrypoints.simulator.conversation import Answer, Ask, Embedded, Frame, Rejected
from entrypoints.simulator.faults import Fault, LatencyProfile
from entrypoints.simulator.misbehaviour import (
    Account,
    broken_answer,
    emit,
    strikes_before_answer,
)
from entrypoints.simulator.model_lists import listing
from entrypoints.simulator.predictions import Predictions
from entrypoints.simulator.provider_batches import Line, SimulatedBatches
from entrypoints.simulator.replicate_shape import OPERATIONS as PREDICTING
from entrypoints.simulator.routes import BATCHES, STORED_RESPONSE, Route, route_of
from entrypoints.simulator.rules import RequestFacts
from entrypoints.simulator.shapes import ERRORS, GENERATIONS, Generation
from entrypoints.simulator.state import Counters, SimulationState
from entrypoints.simulator.whole_answers import Finished, Unary, deliver, late


class Answering:
    """Answers requests from one state; `control` answers what is under `/_sim`."""

    def __init__(self, state: SimulationState, control: Callable[[Connection, Request, Route], None]) -> None:
        self._state = state
        self._control = control
        self._current: dict[Connection, Counters] = {}
        self._predictions = Predictions()
        self._batches = SimulatedBatches(self._batched, partial(state.bill.charge, percent=BATCH_PERCENT))

    def handle(self, connection: Connection, request: Request) -> None:
        """Answers one request, at once where nothing asks for time."""
        route = route_of(request.target)
        if route.operation == "control":
            self._control(connection, request, route)
            return
        if route.operation == "models" and request.header(b"anthropic-version"):
            # The one path that two shapes share.
            route = route._replace(shape="anthropic")
        elif route.operation in (STORED_RESPONSE, BATCHES):
            route = route._replace(method=request.method)
        state = self._state
        counters = state.counters_of(route.provider)
        state.total.enter()
        counters.enter()
        number = state.total.requests
        state.record(number, route.provider, route.path, request)
        self._current[connection] = counters
        body, broken = decoded(request, route)
        route = route._replace(operation=side_operations.operation_of(route.operation, body))
        model = route.model or (body.get("model") if body is not None else None) or ""
        model = model if isinstance(model, str) else ""
        wants_stream = route.stream or bool(body is not None and body.get("stream"))
        if state.bill.followed:
            route = route._replace(caller=request.header(b"x-sim-caller"))
        key = key_of(request, route)
        facts = RequestFacts(route.provider, route.path, model, key, wants_stream)
        fault, profile = self._in_force(facts)
        if fault is not None:
            state.total.faults += 1
            counters.faults += 1
            if strikes_before_answer(fault):
                self._run(connection, partial(broken_answer, connection, route, fault))
                return
        try:
            admit(request, route, key, broken, body or {})
            if route.operation in PREDICTING:
                self._predict(connection, request, route, body or {}, facts, fault, profile)
                return
            once = "" if wants_stream else request.header(idempotency.HEADER)
            if once:
                self._answer_once(connection, route, body or {}, request.body, facts, fault, profile, once)
            else:
                self._answer(connection, route, body or {}, request.body, facts, fault, profile)
        except Rejected as rejected:
            self._reject(connection, route, rejected)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The shapes take fields as they come; a field of a wrong type is the caller's fault.
            self._reject(connection, route, Rejected(400, f"Invalid request body: {error}"))

    def left(self, connection: Connection, early: bool) -> None:
        """The connection is gone; `early` when its peer left before the end of an answer."""
        counters = self._current.pop(connection, None)
        if counters is not None:
            for each in (counters, self._state.total):
                each.leave(answered=False)
                if early:
                    each.client_disconnects += 1

    def _in_force(self, facts: RequestFacts) -> tuple[Fault | None, LatencyProfile | None]:
        state = self._state
        if not len(state.faults) and not len(state.latencies):
            return None, None
        now_s = asyncio.get_running_loop().time()
        fault = state.faults.effect_for(facts, now_s=now_s)
        return fault, state.latencies.effect_for(facts, now_s=now_s)

    def _leave(self, connection: Connection, *, answered: bool) -> None:
        counters = self._current.pop(connection, None)
        if counters is not None:
            counters.leave(answered=answered)
            self._state.total.leave(answered=answered)

    def _run(
        self,
        connection: Connection,
        answering: Callable[[], Coroutine[Any, Any, None]],
        account: Account | None = None,
    ) -> None:
        async def to_the_end() -> None:
            try:
                await answering()
            finally:
                if account is not None:
                    account.settle()
            self._leave(connection, answered=account is not None and account.told)

        connection.run(to_the_end())

    def _reject(self, connection: Connection, route: Route, rejected: Rejected) -> None:
        shape = ERRORS[route.shape]
        body = shape.body(
            rejected.status, rejected.message, kind=rejected.kind, code=rejected.code, param=rejected.param
        )
        self._leave(connection, answered=False)
        connection.respond(rejected.status, JSON + shape.request_id_header % b"0", body)

    def _answer(
        self,
        connection: Connection,
        route: Route,
        body: dict[str, Any],
        raw: bytes,
        facts: RequestFacts,
        fault: Fault | None,
        profile: LatencyProfile | None,
    ) -> None:
        generation = GENERATIONS.get(route.operation)
        model = facts.model
        if route.operation == STORED_RESPONSE:
            fetched = self._state.responses.resource(facts, route.method)
            if fetched.frames:
                account = Account(self._state.bill, route, fetched.model, fetched.tokens)
                self._whole_stream(connection, EVENT_STREAM, fetched.frames, account)
                return
            unary, model = Unary(fetched.body, fetched.tokens), fetched.model
        elif route.operation == BATCHES:
            unary = Unary(self._batches.answer(route, raw, facts), None)
        elif generation is None:
            side = side_operations.side_answer(route.operation, body) if _is_side(route) else None
            if side is not None and side.frames:
                self._side_stream(connection, route, model, side, fault, profile)
                return
            unary = self._not_generated(route, body)
        else:
            if route.model is not None and "model" not in body:
                body["model"] = route.model
            ask = self._state.responses.continued(facts, generation.parse(route, body))
            answer = self._answered(ask, facts)
            if ask.stream:
                frames = generation.frames(route, ask, answer)
                self._stream(connection, route, ask, answer, frames, fault, profile)
                return
            unary = _whole(generation, ask, answer)
        self._unary(connection, route, model, unary, fault, profile)

    def _predict(
        self,
        connection: Connection,
        request: Request,
        route: Route,
        body: dict[str, Any],
        facts: RequestFacts,
        fault: Fault | None,
        profile: LatencyProfile | None,
    ) -> None:
        answered, host = partial(self._answered, facts=facts), request.header(b"host")
        told = self._predictions.told(route, facts.provider_key, host, body, fault, answered)
        if told.frames:
            heard = side_operations.SideAnswer(b"", told.tokens, frames=told.frames)
            self._side_stream(connection, route, told.model, heard, fault or told.fault, profile)
            return
        unary = Unary(told.body, told.tokens, status=told.status)
        self._unary(connection, route, told.model, unary, fault, profile)

    def _answer_once(
        self,
        connection: Connection,
        route: Route,
        body: dict[str, Any],
        raw: bytes,
        facts: RequestFacts,
        fault: Fault | None,
        profile: LatencyProfile | None,
        key: str,
    ) -> None:
        """A unary answer that is worked out and billed once however often it is asked for."""
        keyed, account = self._state.keyed, (facts.provider, facts.provider_key)
        standing = keyed.begin(account, key, raw)
        if standing is None:
            try:
                unary = self._made(route, body, facts)
            except BaseException:
                keyed.forget(account, key)
                raise
            wait_s = 0.0
            if profile is not None:
                wait_s = profile.whole_s(unary.tokens.output if unary.tokens is not None else 0)
            finished = Finished(unary, route, self._state)
            if wait_s <= 0:
                keyed.end(account, key, finished())
                standing = unary
            else:
                # Not the connection's task: the work goes on, and is billed, when the caller leaves.
                loop = asyncio.get_running_loop()
                loop.call_later(wait_s, lambda: keyed.end(account, key, finished()))
                standing = keyed.wait(account, key)
        free = Account(self._state.bill, route, facts.model, None)
        self._run(connection, partial(deliver, connection, route, standing, fault, free), free)

    def _made(self, route: Route, body: dict[str, Any], facts: RequestFacts) -> Unary:
        """A whole answer that is neither sent nor billed yet."""
        generation = GENERATIONS.get(route.operation)
        if generation is None:
            return self._not_generated(route, body)._replace(model=facts.model)
        if route.model is not None and "model" not in body:
            body["model"] = route.model
        ask = self._state.responses.continued(facts, generation.parse(route, body))
        answer = self._answered(ask, facts)
        return _whole(generation, ask, answer)._replace(model=facts.model)

    def _batched(self, provider: str, path: str, body: dict[str, Any], facts: RequestFacts) -> Line:
        """One line of a batch, as the route it names would answer it."""
        route = route_of(f"/{provider}{path}" if provider else path)
        model = body.get("model")
        named = facts._replace(path=path, model=model if isinstance(model, str) else "")
        try:
            unary = self._made(route, {**body, "stream": False}, named)
        except (Rejected, AttributeError, KeyError, TypeError, ValueError) as error:
            rejected = error if isinstance(error, Rejected) else Rejected(400, f"Invalid body: {error}")
            kind, code, param = rejected.kind, rejected.code, rejected.param
            told = ERRORS[route.shape].body(
                rejected.status, rejected.message, kind=kind, code=code, param=param
            )
            return Line(rejected.status, told, None)
        return Line(200, unary.body, unary.tokens)

    def _answered(self, ask: Ask, facts: RequestFacts) -> Answer:
        state = self._state
        scripted, now_s = None, asyncio.get_running_loop().time()
        if len(state.answers):
            scripted = state.answers.effect_for(facts, now_s=now_s)
        answer = answer_to(ask, seed=state.seed, scripted=scripted)
        tokens = state.prompt_cache.counted(facts.provider, ask, answer.tokens, now_s=now_s)
        answer = answer._replace(tokens=tokens)
        if ask.stored:
            state.responses.remember(facts, ask, answer)
        return answer

    def _unary(
        self,
        connection: Connection,
        route: Route,
        model: str,
        unary: Unary,
        fault: Fault | None,
        profile: LatencyProfile | None,
    ) -> None:
        headers = unary.media + ERRORS[route.shape].request_id_header % unary.id.encode()
        account = Account(self._state.bill, route, model, unary.tokens)
        if fault is None and profile is None:
            account.told = True
            account.settle()
            self._leave(connection, answered=True)
            connection.respond(unary.status, headers, unary.body)
            return
        account.produced = unary.tokens.output if unary.tokens is not None else 0
        self._run(connection, partial(late, connection, headers, unary, fault, profile, account), account)

    def _stream(
        self,
        connection: Connection,
        route: Route,
        ask: Ask,
        answer: Answer,
        frames: list[Frame],
        fault: Fault | None,
        profile: LatencyProfile | None,
    ) -> None:
        media = GENERATIONS[route.operation].media if route.as_events else JSON
        headers = media + ERRORS[route.shape].request_id_header % answer.id.encode()
        account = Account(self._state.bill, route, ask.model, answer.tokens)
        if fault is None and profile is None:
            self._whole_stream(connection, headers, frames, account)
            return
        streaming = partial(emit, connection, route, headers, frames, fault, profile, account)
        self._run(connection, streaming, account)

    def _whole_stream(
        self, connection: Connection, headers: bytes, frames: Sequence[Frame], account: Account
    ) -> None:
        account.told = True
        account.settle()
        self._leave(connection, answered=True)
        connection.respond_chunks(headers, [frame.data for frame in frames])

    def _side_stream(
        self,
        connection: Connection,
        route: Route,
        model: str,
        side: side_operations.SideAnswer,
        fault: Fault | None,
        profile: LatencyProfile | None,
    ) -> None:
        events = side.content_type in (b"application/json", b"text/event-stream")
        media = EVENT_STREAM if events else b"content-type: %b\r\n" % side.content_type
        headers = media + ERRORS[route.shape].request_id_header % b"0"
        account = Account(self._state.bill, route, model, side.tokens)
        if fault is None and profile is None:
            self._whole_stream(connection, headers, side.frames, account)
            return
        streaming = partial(emit, connection, route, headers, list(side.frames), fault, profile, account)
        self._run(connection, streaming, account)

    def _not_generated(self, route: Route, body: dict[str, Any]) -> Unary:
        if _is_side(route):
            side = side_operations.side_answer(route.operation, body)
            return Unary(side.body, side.tokens, media=b"content-type: %b\r\n" % side.content_type)
        match route.operation:
            case "embeddings":
                model = body.get("model")
                if not isinstance(model, str) or not model:
                    raise Rejected(400, "you must provide a model parameter", param="model")
                embedded = vectors.embed(model, vectors.texts_of(body.get("input")), body.get("dimensions"))
                as_base64 = body.get("encoding_format") == "base64"
                return Unary(
                    openai_shape.embeddings_body(model, embedded, as_base64=as_base64), embedded.tokens
                )
            case "embed" | "batch_embed":
                return _gemini_embedding(route, body)
            case "vertex_predict":
                texts, dimensions = vertex_shape.texts_to_predict(body)
                embedded = vectors.embed(route.model or "", texts, dimensions)
                return Unary(vertex_shape.predict_body(embedded), embedded.tokens)
            case "count_tokens":
                ask = anthropic_shape.parse_messages(body, counting=True)
                return Unary(anthropic_shape.count_body(ask), None)
            case "gemini_count":
                asked = body.get("generateContentRequest") or body
                return Unary(
                    gemini_shape.count_body(gemini_shape.parse_generate(route.model or "", asked)), None
                )
            case _:
                return listing(route, self._state.models)


def _is_side(route: Route) -> bool:
    return route.operation in side_operations.OPERATIONS


def _gemini_embedding(route: Route, body: dict[str, Any]) -> Unary:
    batch = route.operation == "batch_embed"
    texts, dimensions = gemini_shape.parse_embed(route.model or "", body, batch=batch)
    embedded: Embedded = vectors.embed(route.model or "", texts, dimensions)
    return Unary(gemini_shape.embed_body(embedded, batch=batch), embedded.tokens)


def _whole(generation: Generation, ask: Ask, answer: Answer) -> Unary:
    """A whole answer; of one made in the background only that it was begun, which costs nothing yet."""
    if ask.background:
        return Unary(responses_shape.unfinished_body(ask, answer, "queued"), None, answer.id)
    return Unary(generation.body(ask, answer), answer.tokens, answer.id)
