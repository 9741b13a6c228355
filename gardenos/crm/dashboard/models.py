"""Counts of what a member may read."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from gardenos.crm.activities.models import ActivityKind
from gardenos.crm.deals.models import DealStatus
from gardenos.crm.leads.models import LeadStatus

MAX_DAYS = 366


class Period(BaseModel):
    """The query of a dashboard."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=30, ge=1, le=MAX_DAYS, description="How far back `new` goes.")


class LeadCounts(BaseModel):
    """Leads that are not deleted."""

    model_config = ConfigDict(frozen=True)

    total: int
    new: int | None = Field(description="Made in the period; null where your role sees no dates.")
    by_status: dict[LeadStatus, int] | None = Field(
        description="Every status; null where your role does not see it."
    )


class Worth(BaseModel):
    """What deals are worth together, in one currency."""

    model_config = ConfigDict(frozen=True)

    currency: str
    amount: Decimal = Field(description="Exact, as text.")
    weighted: Decimal | None = Field(
        description="By the probability of their stages; null where your role sees no pipelines."
    )


class DealCounts(BaseModel):
    """Deals of one status and what they are worth."""

    model_config = ConfigDict(frozen=True)

    count: int
    sums: list[Worth] | None = Field(
        description="By currency; null where your role does not see what deals are worth."
    )


class TaskCounts(BaseModel):
    """Open tasks."""

    model_config = ConfigDict(frozen=True)

    open: int
    overdue: int
    due_soon: int = Field(description="Due within 24 hours.")
    mine: int


class Dashboard(BaseModel):
    """How much there is, exactly, of what you may read."""

    model_config = ConfigDict(frozen=True)

    days: int
    leads: LeadCounts
    contacts: int
    companies: int
    deals: dict[DealStatus, DealCounts] | None = Field(
        description="All that are open; those won and lost in the period. "
        "Null where your role does not see the status."
    )
    deals_overdue: int | None = Field(
        description="Open and expected to be closed before today; null where your role sees no dates."
    )
    tasks: TaskCounts | None = Field(description="Null where your role does not see when.")
    activities: dict[ActivityKind, int] | None = Field(
        description="What happened in the period; null where your role does not see what or when."
    )
