"""Every operation, asked by one agency for what is another's, and what was wrong with the answers."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.support.isolation.agency import SHARED, Agency, Sent, send, words
from tests.support.isolation.document import Operation, Ref, alternatives
from tests.support.isolation.rows import UUIDS

if TYPE_CHECKING:
    import httpx

_LONGEST_S: Final = 20.0
_AT_ONCE: Final = 4
_REFUSALS: Final = frozenset({400, 403, 404, 409, 422})
_UNAUTHENTICATED: Final = 401
_UNCHANGED: Final = 304
_OK: Final = 200
_MANY: Final = 207
_WORDS_OF_ONES_OWN: Final = frozenset({"payload", "input"})
"""What may hold anything: an agent reads it under the claims of whoever sent it."""
_FINDS_NOTHING: Final = ("untag_", "export_person", "erase_person")
"""What is done where nothing is found: takes off what is not there, tells and erases nobody."""
LAST: Final = frozenset({"erase_person"})
"""What takes away the records that others are asked with."""
_TASK: Final = "/ai/tasks/{task_id}"


@dataclass
class Findings:
    """What the answers gave away, and what could not be asked."""

    leaks: list[str] = field(default_factory=list[str])
    unasked: dict[str, str] = field(default_factory=dict[str, str])
    """By operation, with the reason."""
    asked: Counter[str] = field(default_factory=Counter[str])


class Intruder:
    """An agency that sends another one's ids, values, cursors, tags and keys."""

    def __init__(self, own: Agency, other: Agency, secret_ids: frozenset[str]) -> None:
        self._own = own
        self._other = other
        self._secret = secret_ids
        self.found = Findings()
        self._tried: list[Sent] = []

    async def attack(self, operations: Sequence[Operation]) -> Findings:
        """Ask everything; reads, then what refers, then what changes."""
        for operation in sorted(operations, key=lambda one: one.name in LAST):
            asked = [*self._by_path(operation), *self._by_body(operation)]
            for sent in asked:
                await self._compare(sent)
            for batch in _batches([*self._by_query(operation), *self._plainly(operation)]):
                await asyncio.gather(*(self._ask(sent) for sent in batch))
        return self.found

    async def repeat(self) -> Findings:
        """Send all that the other one has made, word for word and under its keys.

        What it said is known then: only its ids count.
        """
        for sent in self._other.made:
            answer = await self._answer(sent)
            if answer is not None:
                self._judge_ids(sent, answer, known=_text_of(sent))
        return self.found

    async def tell_agents(self, operations: Sequence[Operation]) -> Findings:
        """Have one's own agents work on the other one's records: they find none."""
        await self._own.client.delete("/ai/pauses")
        for operation in operations:
            own = self._own.parameters(operation)
            for place in _references(self._own.bodies.of(operation)):
                theirs = self._other.reference(_name(place))
                if not _WORDS_OF_ONES_OWN & set(place) or own is None or theirs is None:
                    continue
                body = _with(self._own.bodies.of(operation), place, theirs)
                sent = replace(self._request(operation, own), body=body)
                answer = await self._ask(sent)
                if answer is not None and answer.is_success and operation.method == "post":
                    await self._await_end(sent, answer.json(), known=theirs)
        return self.found

    async def _await_end(self, sent: Sent, said: Mapping[str, Any], *, known: str) -> None:
        if "cron" in said:
            return
        path = _TASK.format(task_id=said.get("task_id") or said["id"])
        answer = await self._own.client.get(path, params={"wait_s": "10"})
        if answer.json()["state"] != "dead":
            self._leak(sent, answer, "is not what comes of a record that is not there")
        if self._other.token in answer.text:
            self._leak(sent, answer, "holds words of the other agency")
        self._judge_ids(sent, answer, known=known)

    def _by_path(self, operation: Operation) -> Iterator[Sent]:
        """The other one's records in the path, by their tags and keys."""
        names = operation.parameters("path").keys() - SHARED.keys()
        if not names:
            return
        theirs = self._other.parameters(operation)
        if theirs is None:
            self.found.unasked[operation.name] = f"{operation.path}: nobody made such a record"
            return
        own = self._own.parameters(operation)
        if len(names) > 1 and own is not None:
            for name in names:
                yield self._request(operation, {**own, name: theirs[name]})
        headers = operation.parameters("header")
        for tag in ('"1"', "*") if headers.keys() & {"If-Match", "If-None-Match"} else ("",):
            sent = self._request(operation, theirs)
            if tag:
                condition = {name: tag for name in ("If-Match", "If-None-Match") if name in headers}
                sent = replace(sent, headers={**sent.headers, **condition})
            yield sent
            asked = operation.parameters("query")
            if "include" in asked and not tag.startswith("*"):
                yield replace(sent, query={"include": ",".join(alternatives(asked["include"]))})

    def _by_body(self, operation: Operation) -> Iterator[Sent]:
        """The other one's records in the body, one after another; the rest is one's own."""
        own = self._own.parameters(operation)
        if operation.body is None or own is None:
            return
        bodies = list(self._own.bodies.each(operation))
        for n, place in [(n, one) for n, body in enumerate(bodies) for one in _references(body)]:
            if _WORDS_OF_ONES_OWN & set(place):
                continue
            theirs = self._other.reference(_name(place))
            if theirs is None:
                self.found.unasked[operation.name] = f"nobody made what {_name(place)} refers to"
                continue
            # Its texts are new each time: some may be there once.
            fresh = list(self._own.bodies.each(operation))[n]
            yield replace(self._request(operation, own), body=_with(fresh, place, theirs))

    def _by_query(self, operation: Operation) -> Iterator[Sent]:
        """The other one's values in every parameter of the query."""
        own = self._own.parameters(operation)
        if own is None:
            return
        asked = operation.parameters("query")
        always = {name: "true" for name in ("total", "include_deleted") if name in asked}
        always |= operation.brief
        for name, schema in asked.items():
            for value in self._other.values(operation, name, schema):
                sent = self._request(operation, own)
                yield replace(sent, query={**always, name: value})
        sample = self._other.samples.get(operation.path, {})
        for key, value in (sample.get("custom") or {}).items():
            yield replace(self._request(operation, own), query={f"custom.{key}.contains": value})

    def _plainly(self, operation: Operation) -> Iterator[Sent]:
        """One's own records, with the other one's keys."""
        own = self._own.parameters(operation)
        if own is None:
            return
        sent = self._request(operation, own)
        if "Idempotency-Key" not in operation.parameters("header"):
            if operation.method == "get" or not operation.parameters("path"):
                yield sent
            return
        # Each key once: a second time, it would be known for one's own request with it.
        fresh = [one for one in self._other.made if one not in self._tried]
        fitting = [one for one in fresh if one.operation.name == operation.name]
        for one in (fitting or fresh)[:1]:
            self._tried.append(one)
            yield replace(sent, headers={**sent.headers, **one.headers})

    def _request(self, operation: Operation, parameters: Mapping[str, str]) -> Sent:
        headers = {"If-Match": "*"} if "If-Match" in operation.parameters("header") else {}
        path = operation.path.format(**parameters)
        body = self._own.bodies.of(operation)
        return Sent(operation, path, operation.brief, body, headers)

    async def _answer(self, sent: Sent) -> httpx.Response | None:
        self.found.asked[sent.operation.name] += 1
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await send(self._own.client, sent)
        except TimeoutError:
            self.found.unasked[sent.operation.name] = f"no answer within {_LONGEST_S:g} s"
            return None

    async def _ask(self, sent: Sent) -> httpx.Response | None:
        answer = await self._answer(sent)
        if answer is not None:
            self._judge(sent, answer)
        return answer

    async def _compare(self, sent: Sent) -> None:
        """Ask for what is another's, and for what nobody has: both are answered alike."""
        answer = await self._ask(sent)
        nobodys = dict.fromkeys(set(UUIDS.findall(_text_of(sent))) & self._secret)
        twin = _replaced(sent, {known: str(uuid4()) for known in nobodys})
        other = await self._answer(twin)
        if answer is None or other is None or not nobodys:
            return
        if not self._refused(sent, answer):
            if not sent.operation.name.startswith(_FINDS_NOTHING):
                self._leak(sent, answer, "is served")
        elif _anonymous(answer, self._own.token) != _anonymous(other, self._own.token):
            self._leak(sent, answer, f"differs from that about nobody's record: {other.text}")

    def _refused(self, sent: Sent, answer: httpx.Response) -> bool:
        """Whether a request is refused; of many operations, each that speaks of the other agency."""
        if answer.status_code != _MANY:
            return answer.status_code in _REFUSALS
        operations, results = sent.body["operations"], answer.json()["results"]
        return all(
            result["status"] in _REFUSALS
            for operation, result in zip(operations, results, strict=True)
            if set(UUIDS.findall(str(operation))) & self._secret
        )

    def _judge(self, sent: Sent, answer: httpx.Response) -> None:
        allowed = answer.is_success or answer.status_code in _REFUSALS
        if not allowed and answer.status_code not in (_UNAUTHENTICATED, _UNCHANGED):
            self._leak(sent, answer, "is neither a refusal nor a success")
        text = words(answer)
        said = _text_of(sent)
        if self._other.token in text and (answer.is_success or self._other.token not in said):
            self._leak(sent, answer, "holds words of the other agency")
        if "idempotency-key-reused" in text:
            self._leak(sent, answer, "knows the other agency's Idempotency-Key")
        self._judge_ids(sent, answer, known=said)
        self._judge_count(sent, answer)

    def _judge_ids(self, sent: Sent, answer: httpx.Response, *, known: str) -> None:
        text = words(answer)
        if set(UUIDS.findall(text)) & self._secret - set(UUIDS.findall(known)):
            self._leak(sent, answer, "holds ids of the other agency")

    def _judge_count(self, sent: Sent, answer: httpx.Response) -> None:
        if answer.status_code != _OK or sent.query.get("total") != "true":
            return
        page = answer.json()
        if page["next_cursor"] is None and page["total"] != len(page["items"]):
            self._leak(sent, answer, "counts records that it does not show")

    def _leak(self, sent: Sent, answer: httpx.Response, what: str) -> None:
        shown = repr(words(answer)[:300])
        self.found.leaks.append(
            f"{sent.operation.name}: {sent}\n  {answer.status_code} {what}: {shown}"
        )


def _batches(sent: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
    for start in range(0, len(sent), _AT_ONCE):
        yield sent[start : start + _AT_ONCE]


def _references(body: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a body holds ids of records."""
    if isinstance(body, Ref):
        yield place
    elif isinstance(body, dict):
        for name, value in body.items():
            yield from _references(value, (*place, name))
    elif isinstance(body, list):
        for n, value in enumerate(body):
            yield from _references(value, (*place, n))


def _name(place: Sequence[str | int]) -> str:
    """What the id at this place of a body is the id of."""
    name = next(one for one in reversed(place) if isinstance(one, str))
    return "stage_id" if name == "id" else name


def _with(body: Any, place: Sequence[str | int], value: str) -> Any:
    changed = copy.deepcopy(body)
    found = changed
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = value
    return changed


def _text_of(sent: Sent) -> str:
    return f"{sent.path}\n{dict(sent.query)}\n{sent.body}\n{dict(sent.headers)}"


def _replaced(sent: Sent, ids: Mapping[str, str]) -> Sent:
    def other(value: Any) -> Any:
        if isinstance(value, str):
            return ids.get(value, value)
        if isinstance(value, dict):
            return {name: other(one) for name, one in value.items()}
        return [other(one) for one in value] if isinstance(value, list) else value

    path = "/".join(ids.get(step, step) for step in sent.path.split("/"))
    return replace(sent, path=path, body=other(sent.body), query=other(dict(sent.query)))


def _anonymous(answer: httpx.Response, token: str) -> tuple[int, str]:
    """An answer without the ids in it, and without the words one sent."""
    return answer.status_code, UUIDS.sub("<id>", answer.text).replace(token, "<text>")
