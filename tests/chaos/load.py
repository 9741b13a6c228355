"""Clients that do as they should: a key for each intent, repeated until there is an answer."""

from __future__ import annotations

import itertools
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import httpx

from tests.chaos.ledger import Accepted, Ledger
from tests.chaos.slow import SlowAgent

_REPEATED_AFTER_S = 0.5
_IMPOSSIBLE = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 422})
"""Answers that no repetition changes: a client that gets one is wrong, or the API is."""
_OURS = "application/problem+json"
"""What the API's errors are. Serve's own proxy, which stands in for HAProxy, answers in plain text,
and for a moment knows no routes: that is an outage, whatever status it comes with."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A request, and the key under which it may be repeated."""

    path: str
    body: Mapping[str, Any]
    key: str


class ClientRefused(AssertionError):
    """A request that is right was refused."""


class Client:
    """A member of an agency of its own, who submits at a steady pace, in a thread."""

    def __init__(self, url: str, ledger: Ledger, *, seed: int, per_s: float) -> None:
        self._ledger = ledger
        self._pause_s = 1 / per_s
        self._chosen = random.Random(seed)  # noqa: S311 repeatable, not secret
        self._http = httpx.Client(base_url=url, timeout=10)
        account = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex()}
        said = self._http.post("/auth/v1/signup", json=account, timeout=30).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {said.json()['access_token']}"
        agency = self._http.get("/v1/agency", timeout=30).raise_for_status()
        self.agency = UUID(agency.json()["id"])
        self._enough = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._submit, name=f"client-{self.agency}")
        self.accepted = self.repeated = 0
        self.unanswered: list[Intent] = []
        """Those given up without an answer: whether they took effect, nobody knows."""
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish(within_s=0)
        self._http.close()

    def finish(self, *, within_s: float) -> None:
        """Begin nothing more, and get an answer to what has been begun, if there is one in time."""
        self._enough.set()
        self._thread.join(timeout=within_s)
        self._given_up.set()
        self._thread.join()

    def _submit(self) -> None:
        try:
            for intent in self._intents():
                if self._enough.wait(self._pause_s):
                    return
                self._insist(intent)
        except BaseException as error:  # noqa: BLE001 whoever started the thread reports it
            self.failure = error

    def _intents(self) -> Iterator[Intent]:
        for number in itertools.count():
            lead = {"first_name": f"Lead {number}", "company": "Bau", "source": "referral"}
            key = secrets.token_hex(16)
            priority = self._chosen.randint(1, 9)
            single = {"lead": lead, "priority": priority, "wait_s": self._chosen.choice((0, 0, 2))}
            many = [self._task(lead) for _ in range(self._chosen.randint(5, 20))]
            yield self._chosen.choice(
                (
                    Intent("/ai/leads/analyze", single, key),
                    Intent("/ai/follow-ups", single, key),
                    Intent("/ai/tasks", {"tasks": many}, key),
                )
            )

    def _task(self, lead: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = self._chosen.choice(("lead_analysis", "follow_up", SlowAgent.agent_type))
        if kind == SlowAgent.agent_type:
            return {"agent_type": kind, "payload": {"seconds": self._chosen.uniform(0.1, 3)}}
        return {"agent_type": kind, "payload": {"lead_data": lead}}

    def _insist(self, intent: Intent) -> None:
        """Repeat the request until it is answered; then write down what was promised."""
        while not self._given_up.is_set():
            answer = self._ask(intent)
            if answer is not None and answer.status_code in (200, 202):
                self._accept(intent, answer.json())
                return
            if answer is not None and _is_final(answer):
                raise ClientRefused(f"{intent.path}: {answer.status_code} {answer.text}")
            self.repeated += 1
            self._given_up.wait(_REPEATED_AFTER_S)
        self.unanswered.append(intent)

    def _ask(self, intent: Intent) -> httpx.Response | None:
        try:
            return self._http.post(
                intent.path, json=intent.body, headers={"Idempotency-Key": intent.key}
            )
        except httpx.TransportError:
            return None

    def _accept(self, intent: Intent, said: Mapping[str, Any]) -> None:
        if "items" in said:
            promised = [(each["id"], each["agent_type"]) for each in said["items"]]
        else:
            kind = "lead_analysis" if intent.path == "/ai/leads/analyze" else "follow_up"
            promised = [(said["task_id"], kind)]
        for place, (task_id, agent_type) in enumerate(promised):
            key = f"{intent.key}/{place}"
            self._ledger.accept(Accepted(UUID(task_id), self.agency, agent_type, key))
        self.accepted += len(promised)


def _is_final(answer: httpx.Response) -> bool:
    ours = answer.headers.get("content-type", "").startswith(_OURS)
    return ours and answer.status_code in _IMPOSSIBLE


def pause(until_s: float, began: float) -> None:
    """Wait until so many seconds after the beginning."""
    time.sleep(max(0.0, until_s - (time.monotonic() - began)))
