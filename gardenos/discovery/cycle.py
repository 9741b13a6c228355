"""One cycle: look at Patroni, the slice and etcd, decide, obey, and say in a sentence what was done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from gardenos.discovery.backoff import Backoff
from gardenos.discovery.decide import (
    Action,
    Keep,
    Publish,
    Refuse,
    Withdraw,
    decide,
    decide_replicas,
)
from gardenos.discovery.etcd import Etcd
from gardenos.discovery.evidence import (
    Absent,
    Denied,
    EtcdSaid,
    Leader,
    Member,
    Observation,
    PatroniSaid,
    Primary,
    Silent,
    SliceSeen,
    Stranger,
    Unknown,
    Unread,
)
from gardenos.discovery.figures import Figures, timestamp
from gardenos.discovery.patroni import Patroni, read_replicas
from gardenos.discovery.slices import Slice
from gardenos.discovery.store import Conflict, SliceStore, StoreAway

Clock: TypeAlias = Callable[[], float]
FRESH_S = 3.0
"""Nothing is written on evidence older than this: the process may have been stopped meanwhile."""
REPLICAS_S = 3.0
"""How often the leader looks at its replicas."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a cycle did, and whether the next should follow at once."""

    sentence: str
    soon: bool = False
    warns: bool = False
    """Whether a person has to do something."""


@dataclass(frozen=True, slots=True)
class Services:
    """The names of the services whose slices are published; an empty one is not."""

    primary: str = "postgres-primary"
    replicas: str = "postgres-replicas"


class Sidecar:
    """Carries from one cycle to the next what a decision needs: 503s in a row, silence, patience."""

    def __init__(
        self,
        me: Member,
        *,
        patroni: Patroni,
        etcd: Etcd,
        store: SliceStore,
        services: Services,
        ttl_s: float,
        figures: Figures,
        clock: Clock = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._me = me
        self._patroni = patroni
        self._etcd = etcd
        self._store = store
        self._services = services
        self._ttl_s = ttl_s
        self._figures = figures
        self._clock = clock
        self._backoff = backoff or Backoff(base_s=1.0, cap_s=5.0)
        self._ask_store_at = 0.0
        self._replicas_at = 0.0
        self._denials = 0
        self._heard_at = clock()
        # Only this sidecar makes the slice its own. One that neither leads nor holds it has
        # nothing to ask: where members are many, the API server hears from one.
        self._may_hold = True

    def run(self) -> Done:
        """One cycle. Its sentence changes when what is known or done does."""
        began = self._clock()
        seen = self._look()
        action = decide(seen)
        done = self._obey(action, "primary", began)
        leads = isinstance(action, Publish) or (isinstance(action, Keep) and action.leads)
        if leads and not done.soon and self._services.replicas:
            done = self._with_replicas(seen, done, began)
        self._figures.set("leads", leads)
        self._figures.set("refuses", done.warns)
        self._figures.set("cycle_seconds", self._clock() - began)
        self._figures.set("last_cycle_timestamp_seconds", timestamp())
        self._figures.count("cycles_total")
        return done

    def close(self) -> None:
        """Drop all connections; what is published stays."""
        self._patroni.close()
        self._etcd.close()
        self._store.close()

    def _look(self) -> Observation:
        """Patroni first, then the slice, then etcd: the proof of who leads is the youngest."""
        said = self._hear_patroni()
        leads = isinstance(said, Primary)
        seen: SliceSeen = Unread("the slice is not its own")
        if leads or self._may_hold:
            seen = self._read(self._services.primary)
        etcd: EtcdSaid = Unknown("not asked")
        if leads:
            etcd = self._etcd.leader()
            self._figures.set("etcd_up", not isinstance(etcd, Unknown))
        silent_s = max(0.0, self._clock() - self._heard_at) if isinstance(said, Silent) else 0.0
        return Observation(
            self._me,
            self._services.primary,
            said,
            etcd,
            seen,
            denials=self._denials,
            silent_s=silent_s,
            ttl_s=self._ttl_s,
        )

    def _hear_patroni(self) -> PatroniSaid:
        said = self._patroni.primary()
        speaks = not isinstance(said, Silent | Stranger)
        self._figures.set("patroni_up", speaks)
        if speaks:
            self._heard_at = self._clock()
            self._denials = self._denials + 1 if isinstance(said, Denied) else 0
        return said

    def _read(self, service: str) -> SliceSeen:
        wait_s = self._ask_store_at - self._clock()
        if wait_s > 0:
            return Unread("the keeper of the slices did not answer and is left alone for a moment")
        try:
            found = self._store.read(service)
        except StoreAway as away:
            self._store_failed()
            return Unread(str(away))
        self._backoff.ok()
        self._figures.set("store_up", 1)
        if service == self._services.primary:
            self._may_hold = isinstance(found, Slice) and found.holder == self._me.name
        return Absent() if found is None else found

    def _store_failed(self) -> None:
        self._figures.set("store_up", 0)
        self._figures.count("store_failures_total")
        self._ask_store_at = self._clock() + self._backoff.failed()

    def _obey(self, action: Action, kind: str, began: float) -> Done:
        self._figures.count_action(kind, type(action).__name__.lower())
        match action:
            case Publish(wanted, why):
                return self._write(wanted, f"Published {wanted.service}: {why}.", began)
            case Withdraw(wanted, why):
                return self._write(wanted, f"Withdrew {wanted.service}: {why}.", began)
            case Keep(why, soon=soon):
                return Done(f"{why}.", soon=soon)
            case Refuse(why):
                return Done(f"Refused to publish. {why}", warns=True)
            case _ as never:
                assert_never(never)

    def _write(self, wanted: Slice, sentence: str, began: float) -> Done:
        age_s = self._clock() - began
        if age_s > FRESH_S:
            self._figures.count("late_total")
            return Done(f"Wrote nothing: what was seen is {age_s:.0f} s old.", soon=True)
        self._may_hold = True  # even if no answer comes
        try:
            self._store.write(wanted)
        except Conflict:
            self._figures.count("conflicts_total")
            return Done(f"Wrote nothing: {wanted.service} has changed meanwhile.", soon=True)
        except StoreAway as away:
            self._store_failed()
            return Done(f"Wrote nothing: {away}.")
        self._figures.set("last_write_timestamp_seconds", timestamp())
        if wanted.service == self._services.primary:
            self._figures.set("term", wanted.term)
            self._figures.set("timeline", wanted.timeline)
        return Done(sentence)

    def _with_replicas(self, seen: Observation, done: Done, began: float) -> Done:
        """Look after the replicas' slice too, if it is time; the sentence tells of a change."""
        if not isinstance(seen.etcd, Leader) or not isinstance(seen.patroni, Primary):
            return done
        if self._clock() < self._replicas_at:
            return done
        self._replicas_at = self._clock() + REPLICAS_S
        found = self._read(self._services.replicas)
        cluster = self._patroni.cluster()
        if cluster is None:
            return done
        replicas = read_replicas(cluster, port=self._me.port, like=self._me.address)
        self._figures.set("replicas", len(replicas.fit))
        action = decide_replicas(
            self._services.replicas,
            me=self._me,
            term=seen.etcd.term,
            primary=seen.patroni,
            seen=found,
            replicas=replicas.fit,
        )
        also = self._obey(action, "replicas", began)
        if isinstance(action, Keep):
            return done
        if also.soon:
            self._replicas_at = 0.0
        left = f" Left out: {', '.join(replicas.left_out)}." if replicas.left_out else ""
        sentence = f"{done.sentence} {also.sentence}{left}"
        return Done(sentence, soon=done.soon or also.soon, warns=done.warns or also.warns)
