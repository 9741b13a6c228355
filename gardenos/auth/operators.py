"""Who runs the installation: the first account, and tokens made without signing in."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from gardenos.auth import passwords, store
from gardenos.auth.grants import hooked_claims
from gardenos.auth.tokens import TokenIssuer
from gardenos.auth.wire import Address
from gardenos.core.clock import Clock, SystemClock
from gardenos.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from gardenos.db.session import Database, Role

_ADDRESS = TypeAdapter[str](Address)


def address(email: str) -> str:
    """The e-mail as accounts have it. Raises `InvalidRequest` for what is no address."""
    try:
        return _ADDRESS.validate_python(email)
    except ValidationError as error:
        raise InvalidRequest(f"{email[:200]!r} {error.errors()[0]['msg']}.") from None


async def ensure_operator(
    database: Database, email: str, password: str, *, audience: str = "authenticated"
) -> str | None:
    """Make the operator's account, with an agency of its own, unless there is one; its address.

    Of any number who try at once, one makes it. Raises `InvalidRequest` for what is no address, and
    `Conflict` where it is that of an account already: whoever signed up with it must not come to
    run the installation.
    """
    wished = address(email)
    async with database.system(Role.AUTH) as session:
        if await store.find_operator(session):
            return None
    encrypted = await passwords.hashed(password)
    async with database.system(Role.AUTH) as session:
        await store.lock_operators(session)
        if await store.find_operator(session):
            return None
        made = await store.create_user(
            session,
            wished,
            encrypted,
            audience=audience,
            data={},
            agency=wished,
            operator=True,
        )
        if made is None:
            raise Conflict(
                f"There is an account for {wished} already, and it is not an operator's. "
                "Name another e-mail for the operator."
            )
        return wished


async def issue_access_token(
    database: Database,
    issuer: TokenIssuer,
    email: str | None = None,
    *,
    ttl_s: int,
    clock: Clock | None = None,
) -> str:
    """An access token for a user, the operator by default; it belongs to no session.

    Raises `NotFound` without such a user, `Forbidden` for one who may not sign in.
    """
    async with database.system(Role.AUTH) as session:
        if email is None:
            account = await store.find_operator(session)
        else:
            account = await store.find_by_email(session, email.strip().lower())
        if account is None:
            who = f"for {email}" if email else "for the operator yet"
            raise NotFound(f"There is no account {who}.")
        if account.is_banned((clock or SystemClock()).now()):
            raise Forbidden(f"{account.email} may not sign in.")
        claims = await hooked_claims(session, issuer, account, sign_in=None, ttl_s=ttl_s)
    return issuer.sign(claims)
