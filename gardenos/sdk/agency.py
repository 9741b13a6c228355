"""`client.agency`, `client.members`, `client.teams` and `client.memberships`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, Step, given, model, nothing, post, segment
from gardenos.sdk.records import Version, if_match, plain

DuplicateCheck: TypeAlias = Literal["off", "exact", "fuzzy"]
Role: TypeAlias = Literal["owner", "admin", "manager", "agent", "read_only"]


class Agency(Result):
    """Your agency."""

    id: UUID
    name: str
    default_country: str | None
    """Where telephone numbers without an international prefix are dialled, as in DE."""
    duplicate_check: DuplicateCheck
    """What refuses a new record that may be there already."""
    version: int
    created_at: datetime
    updated_at: datetime


class AgencyFields(TypedDict, total=False):
    """What may be changed about your agency."""

    name: str
    default_country: str | None
    duplicate_check: DuplicateCheck


class Member(Result):
    """Somebody who belongs to the agency."""

    user_id: UUID
    email: str | None
    name: str | None
    role: Role
    teams: tuple[UUID, ...]
    last_sign_in_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class Team(Result):
    """A team and who is in it."""

    id: UUID
    name: str
    members: tuple[UUID, ...]
    version: int
    created_at: datetime
    updated_at: datetime


class Membership(Result):
    """An agency that you belong to."""

    agency_id: UUID
    agency: str
    role: str
    since: datetime


class Entered(Result):
    """The agency that your next access token names."""

    agency_id: UUID
    next_step: str = ""


MemberRef: TypeAlias = Member | UUID | str
TeamRef: TypeAlias = Team | UUID | str


class OwnAgency(Namespace[D]):
    """The agency that your access token names."""

    @endpoint
    def get(self) -> Call[Agency]:
        """Read your agency."""
        return Call("GET", "/v1/agency", model(Agency))

    @endpoint
    def change(
        self,
        agency: Agency | None = None,
        *,
        version: Version | None = None,
        **changes: Unpack[AgencyFields],
    ) -> Call[Agency]:
        """Change your agency, as an owner or admin; what is not said stays."""
        headers = if_match(agency, version)
        return Call("PATCH", "/v1/agency", model(Agency), json=plain(changes), headers=headers)


class Members(Namespace[D]):
    """Who belongs to the agency."""

    @endpoint
    def list(self) -> Call[Items[Member]]:
        """Everybody who belongs to your agency, with role and teams."""
        return Call("GET", "/v1/members", model(Items[Member]))

    @endpoint
    def get(self, member: MemberRef) -> Call[Member]:
        """Read a member. Raises `NotFound`."""
        return Call("GET", _member(member), model(Member))

    @endpoint
    def change(
        self, member: MemberRef, *, role: Role, version: Version | None = None
    ) -> Call[Member]:
        """Give a member another role, as an owner or admin."""
        headers = if_match(member, version)
        return Call("PATCH", _member(member), model(Member), json={"role": role}, headers=headers)

    @endpoint
    def remove(self, member: MemberRef, *, version: Version | None = None) -> Call[None]:
        """Remove a member, as an owner or admin. With `version`, only that one."""
        return Call("DELETE", _member(member), nothing, headers=if_match(None, version))


class Teams(Namespace[D]):
    """The agency's teams, for the scope `team`."""

    @endpoint
    def list(self) -> Call[Items[Team]]:
        """All teams, by name."""
        return Call("GET", "/v1/teams", model(Items[Team]))

    @endpoint
    def get(self, team: TeamRef) -> Call[Team]:
        """Read a team. Raises `NotFound`."""
        return Call("GET", _team(team), model(Team))

    @endpoint
    def create(
        self,
        name: str,
        *,
        members: Sequence[UUID | str] = (),
        idempotency_key: str | None = None,
    ) -> Call[Team]:
        """Make a team of these members."""
        body = {"name": name, "members": plain(members)}
        return post("/v1/teams", model(Team), json=body, idempotency_key=idempotency_key)

    @endpoint
    def change(
        self,
        team: TeamRef,
        *,
        name: str | None = None,
        members: Sequence[UUID | str] | None = None,
        version: Version | None = None,
    ) -> Call[Team]:
        """Rename a team, or say who is in it: all of them, each time."""
        body = plain(given(name=name, members=members))
        headers = if_match(team, version)
        return Call("PATCH", _team(team), model(Team), json=body, headers=headers)

    @endpoint
    def delete(self, team: TeamRef, *, version: Version | None = None) -> Call[None]:
        """Delete a team. With `version`, only that one."""
        return Call("DELETE", _team(team), nothing, headers=if_match(None, version))


class Memberships(Namespace[D]):
    """The agencies that you belong to."""

    @endpoint
    def list(self) -> Call[Items[Membership]]:
        """The agencies that you belong to."""
        return Call("GET", "/v1/memberships", model(Items[Membership]))

    @endpoint
    def enter(self, agency_id: UUID | str) -> Generator[Step, Any, Entered]:
        """Act for another agency of yours, from your next access token on.

        A client that signs in by itself fetches that token before its next request.
        """
        path = f"/v1/memberships/{segment(agency_id)}/enter"
        entered = yield from Call("POST", path, model(Entered))
        self.driver.renew()
        return entered


def _member(member: MemberRef) -> str:
    return f"/v1/members/{segment(member.user_id if isinstance(member, Member) else member)}"


def _team(team: TeamRef) -> str:
    return f"/v1/teams/{segment(team.id if isinstance(team, Team) else team)}"
