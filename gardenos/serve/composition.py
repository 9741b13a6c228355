"""The composition root of a process that answers HTTP: settings in, services out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gardenos.auth.api_keys.verifier import BearerVerifier, KeyVerifier
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.config import Settings
from gardenos.core.errors import GardenOSError
from gardenos.core.page import CursorSigner
from gardenos.db.session import Database
from gardenos.web.limits import Limits
from gardenos.web.services import OrchestratorClient, Services


class SecretUnset(GardenOSError):
    """A secret is missing. Set it in the environment or in the home's folder of secrets."""

    code = "secret-unset"


def compose(
    settings: Settings,
    database: Database,
    *,
    orchestrator: OrchestratorClient | None = None,
    extras: Mapping[str, Any] | None = None,
) -> Services:
    """Everything the routes need. Raises `SecretUnset` where a secret of theirs is missing."""
    if settings.cursor_secret is None:
        raise SecretUnset(
            "GARDENOS_CURSOR_SECRET is not set. `gardenos up` makes one; elsewhere set it to a "
            "random text of 32 characters or more, the same for every gateway."
        )
    return Services(
        settings=settings,
        database=database,
        verifier=BearerVerifier(Verifier.of(settings), KeyVerifier(database)),
        cursors=CursorSigner(settings.cursor_secret.get_secret_value()),
        orchestrator=orchestrator,
        limits=Limits.of(settings, database),
        extras={"issuer": TokenIssuer.of(settings)} | dict(extras or {}),
    )
