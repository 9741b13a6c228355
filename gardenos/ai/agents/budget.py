"""What models may still cost an agency this month, asked before each call.

What was spent is read with every batch; what this replica has spent since is added. So a budget is
overrun at most by the runs under way when it was used up, in all replicas: a run that began before
is refused at its next call, as soon as its replica knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from gardenos.ai.agents.sql import QUERIES
from gardenos.ai.llm.errors import BudgetExhausted
from gardenos.ai.llm.protocol import LLMCall

if TYPE_CHECKING:
    from gardenos.core.clock import Clock
    from gardenos.core.ids import AgencyId, TaskId
    from gardenos.db.session import TenantSession
    from gardenos.orchestrator.task import AgentTask

_CENT = Decimal("0.01")


@dataclass(slots=True)
class _Known:
    """What is known of one agency."""

    month: date
    budget: Decimal | None
    spent: Decimal
    """On record when it was last read, and what went on record here since."""
    unsettled: dict[TaskId, Decimal] = field(default_factory=dict["TaskId", Decimal])
    """Spent here and not yet on record."""

    @property
    def whole(self) -> Decimal:
        return self.spent + sum(self.unsettled.values(), Decimal(0))


class Budgets:
    """The budgets of the agencies that one replica has worked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[AgencyId, _Known] = {}

    async def read(self, session: TenantSession) -> None:
        """Read budget and spending of the session's agency."""
        row = await session.fetchrow(QUERIES["load_budget"])
        agency_id = session.claims.agency_id
        if row is None:
            return
        known = self._known.get(agency_id)
        unsettled = known.unsettled if known and known.month == row["month"] else {}
        self._known[agency_id] = _Known(
            row["month"], row["monthly_usd"], row["cost_usd"], unsettled
        )

    def check(self, agency_id: AgencyId) -> None:
        """Raise `BudgetExhausted` where the agency has spent its budget of this month."""
        known = self._known.get(agency_id)
        if known is None or known.budget is None or known.whole < known.budget:
            return
        if known.month != self._month():
            return  # A new one has begun since; the next batch reads what is known of it.
        begins = (known.month + timedelta(days=31)).replace(day=1)
        raise BudgetExhausted(
            f"The agency's budget for language models is used up: {_usd(known.whole)} of "
            f"{_usd(known.budget)} this month. It begins anew on {begins.isoformat()} (UTC); "
            "raise it to go on before, then replay the task."
        )

    def spend(self, task: AgentTask, call: LLMCall) -> None:
        """Add what a call cost. One of unknown cost counts nothing."""
        known = self._known.get(task.agency_id)
        if known is not None and call.cost_usd:
            known.unsettled[task.id] = known.unsettled.get(task.id, Decimal(0)) + call.cost_usd

    def settled(self, tasks: Iterable[AgentTask]) -> None:
        """What these tasks cost is on record now."""
        for task in tasks:
            if known := self._known.get(task.agency_id):
                known.spent += known.unsettled.pop(task.id, Decimal(0))

    def _month(self) -> date:
        return self._clock.now().astimezone(UTC).date().replace(day=1)


def _usd(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT)} US dollars"
