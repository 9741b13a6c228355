"""Both clients against a whole installation over a real port."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gardenos.core.errors import Forbidden, InvalidRequest, PreconditionFailed, UnknownParameter
from gardenos.sdk import AsyncGardenOS, GardenOS, NotSent
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

if TYPE_CHECKING:
    from pathlib import Path

    from gardenos.testing.postgres import PostgresServer

PASSWORD = "correct horse battery"


@asynccontextmanager
async def installation(
    server: PostgresServer, database_name: str, folder: Path
) -> AsyncGenerator[str]:
    """A whole installation that keeps its files in a folder; its address."""
    settings = settings_for(server.app(database_name), attachments_url=folder.as_uri())
    async with local_installation(settings) as app, served(app) as url:
        # Where it is reached is known only now; addresses of files are made from it.
        reached = settings.model_copy(update={"public_url": url})
        app.state.services = replace(app.state.services, settings=reached)
        yield url


@asynccontextmanager
async def member(url: str, email: str) -> AsyncGenerator[AsyncGardenOS]:
    """A client that signs in, with an account and an agency of its own."""
    async with AsyncGardenOS(url, email=email, password=PASSWORD) as garden:
        await garden.account.sign_up(email, PASSWORD, data={"agency_name": email})
        yield garden


async def test_a_file_goes_up_and_comes_back_through_both_clients(
    server: PostgresServer, database_name: str, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.pdf"
    plan.write_bytes(secrets.token_bytes(700_001))
    async with installation(server, database_name, tmp_path) as url:
        async with member(url, "ada@example.org") as garden:
            lead = await garden.leads.create(last_name="Nord")
            stored = await garden.attachments.store(plan, lead_id=lead.id)
            assert (stored.state, stored.bytes) == ("stored", 700_001)
            assert stored.media_type == "application/pdf"
            assert await garden.attachments.fetch(stored) == plan.read_bytes()

        def blocking() -> bytes:
            with GardenOS(url, email="ada@example.org", password=PASSWORD) as garden:
                [found] = garden.attachments.list({"lead_id": lead})
                again = garden.attachments.store(plan, lead_id=lead.id, name="again.pdf")
                assert found.sha256 == again.sha256
                return garden.attachments.fetch(again)

        assert await asyncio.to_thread(blocking) == plan.read_bytes()


async def test_a_member_enters_another_agency_and_sees_what_the_role_may(
    server: PostgresServer, database_name: str, tmp_path: Path
) -> None:
    async with (
        installation(server, database_name, tmp_path) as url,
        member(url, "ada@example.org") as ada,
        member(url, "bob@example.org") as bob,
    ):
        await ada.deals.create(name="Roof garden", amount=18500, currency="EUR")
        await ada.field_masks.set(
            [{"role": "read_only", "entity": "deals", "field": "amount", "access": "hidden"}]
        )
        invited = await ada.invitations.create("bob@example.org", role="read_only")
        assert invited.token is not None
        assert (await bob.invitations.read(invited.token)).agency == "ada@example.org"
        assert [deal async for deal in bob.deals.list()] == []
        entered = await bob.invitations.accept(invited.token)
        assert entered.agency_id == (await ada.agency.get()).id
        [deal] = [deal async for deal in bob.deals.list(include="stage")]
        assert deal.name == "Roof garden"
        with pytest.raises(NotSent, match="your role does not see it"):
            _ = deal.amount
        [own] = [m for m in (await bob.memberships.list()).items if m.role == "owner"]
        await bob.memberships.enter(own.agency_id)
        assert [deal async for deal in bob.deals.list()] == []


async def test_a_slip_is_named_and_a_stale_change_refused(
    server: PostgresServer, database_name: str, tmp_path: Path
) -> None:
    async with (
        installation(server, database_name, tmp_path) as url,
        member(url, "ada@example.org") as garden,
    ):
        company = await garden.companies.create(name="Flora Nord GmbH", city="Kiel")
        with pytest.raises(UnknownParameter) as slip:
            await garden.companies.page({"town": "Kiel"})
        assert slip.value.errors[0]["pointer"] == "town"
        with pytest.raises(InvalidRequest):
            await garden.companies.page({"employees.gte": "many"})
        await garden.companies.change(company, city="Lübeck")
        with pytest.raises(PreconditionFailed):
            await garden.companies.change(company, city="Kiel")
        cities = {"city": ["Lübeck", 'Bad "X", Y']}
        assert (await garden.companies.page(cities, total=True)).total == 1
        assert (await garden.companies.page({"domain": None}, total=True)).total == 1
        assert (await garden.companies.page({"domain.ne": None}, total=True)).total == 0


async def test_a_person_is_handed_over_and_erased(
    server: PostgresServer, database_name: str, tmp_path: Path
) -> None:
    async with (
        installation(server, database_name, tmp_path) as url,
        member(url, "ada@example.org") as garden,
    ):
        lead = await garden.leads.create(last_name="Nord", email="mara@flora-nord.example")
        [found] = (await garden.privacy.find("MARA@flora-nord.example")).items
        assert (found.kind, found.id) == ("lead", lead.id)
        archive = zipfile.ZipFile(
            io.BytesIO(await garden.privacy.export(email="mara@flora-nord.example"))
        )
        told = {name: json.loads(archive.read(name)) for name in archive.namelist()}
        assert "mara@flora-nord.example" in json.dumps(told)
        erased = await garden.privacy.erase(lead_ids=[lead.id])
        assert sum(erased.rows.values()) > 0
        assert (await garden.privacy.find("mara@flora-nord.example")).items == ()


async def test_changes_are_told_as_they_happen_and_a_key_signs_in(
    server: PostgresServer, database_name: str, tmp_path: Path
) -> None:
    async with (
        installation(server, database_name, tmp_path) as url,
        member(url, "ada@example.org") as garden,
    ):
        made = await garden.api_keys.create("till", scopes=["leads:write", "events:read"])
        assert made.key is not None
        async with AsyncGardenOS(url, token=made.key.get_secret_value()) as program:
            changes = program.events.follow(["leads"])
            ready = await anext(changes)
            lead = await program.leads.create(last_name="Nord")
            change = await anext(changes)
            assert (change.entity, change.id, change.verb) == ("leads", str(lead.id), "create")
            await program.leads.change(lead, status="qualified")
            resumed = program.events.follow(["leads"], since=ready.event_id)
            told = [(await anext(resumed)).verb for _ in range(2)]
            assert told == ["create", "update"]
            with pytest.raises(Forbidden):
                await program.deals.page()
        await garden.api_keys.revoke(made)
        assert [key.revoked_at is None async for key in garden.api_keys.list()] == [False]
