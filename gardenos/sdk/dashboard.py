"""What `client.dashboard()` gives: how much of everything there is."""

from __future__ import annotations

from decimal import Decimal

from gardenos.sdk.base import Result


class LeadCounts(Result):
    """Leads that are not deleted."""

    total: int
    new: int | None
    """Made in the period; None where your role sees no dates."""
    by_status: dict[str, int] | None


class Worth(Result):
    """What deals are worth together, in one currency."""

    currency: str
    amount: Decimal
    weighted: Decimal | None
    """By the probability of their stages; None where your role sees no pipelines."""


class DealCounts(Result):
    """Deals of one status."""

    count: int
    sums: list[Worth] | None
    """None where your role does not see what deals are worth."""


class TaskCounts(Result):
    """Open tasks."""

    open: int
    overdue: int
    due_soon: int
    """Due within 24 hours."""
    mine: int


class Dashboard(Result):
    """How much there is, exactly, of what you may read."""

    days: int
    leads: LeadCounts
    contacts: int
    companies: int
    deals: dict[str, DealCounts] | None
    """All that are open; those won and lost in the period. None where your role does not see it."""
    deals_overdue: int | None
    """Open and expected to be closed before today."""
    tasks: TaskCounts | None
    activities: dict[str, int] | None
    """What happened in the period, by kind."""
