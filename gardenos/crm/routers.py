"""Every router of the CRM, in the order that the API's description lists them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gardenos.crm.activities.routes import router as activities
from gardenos.crm.agencies.members.joining import router as joining
from gardenos.crm.agencies.members.routes import router as members
from gardenos.crm.agencies.permissions.routes import router as permissions
from gardenos.crm.agencies.routes import router as agencies
from gardenos.crm.agencies.teams.routes import router as teams
from gardenos.crm.attachments.routes import content as attachment_content
from gardenos.crm.attachments.routes import router as attachments
from gardenos.crm.audit.routes import router as audit
from gardenos.crm.companies.routes import router as companies
from gardenos.crm.contacts.routes import router as contacts
from gardenos.crm.custom_fields.routes import router as custom_fields
from gardenos.crm.dashboard.routes import router as dashboard
from gardenos.crm.deals.routes import boards
from gardenos.crm.deals.routes import router as deals
from gardenos.crm.duplicates.merge_routes import router as merges
from gardenos.crm.duplicates.routes import router as duplicates
from gardenos.crm.feed.routes import router as events
from gardenos.crm.leads.routes import router as leads
from gardenos.crm.pipelines.routes import router as pipelines
from gardenos.crm.privacy.routes import router as privacy
from gardenos.crm.records.bulk.routes import router as jobs
from gardenos.crm.search.routes import router as search
from gardenos.crm.tags.routes import records as tags_of_records
from gardenos.crm.tags.routes import router as tags
from gardenos.crm.tasks.routes import router as tasks
from gardenos.crm.timeline.routes import router as timelines
from gardenos.crm.transfer.events import router as import_events
from gardenos.crm.transfer.exports.routes import router as exports
from gardenos.crm.transfer.routes import router as imports
from gardenos.crm.views.routes import router as views
from gardenos.crm.webhooks.routes import router as webhooks

ROUTERS: Final[tuple[APIRouter, ...]] = (
    agencies,
    members,
    joining,
    teams,
    permissions,
    leads,
    contacts,
    companies,
    pipelines,
    boards,
    deals,
    tasks,
    activities,
    custom_fields,
    tags,
    tags_of_records,
    timelines,
    dashboard,
    search,
    duplicates,
    merges,
    views,
    attachments,
    attachment_content,
    exports,
    import_events,
    imports,
    jobs,
    events,
    webhooks,
    audit,
    privacy,
)
