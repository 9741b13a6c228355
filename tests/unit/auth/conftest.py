from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from pydantic import SecretStr

from gardenos.auth.keys import new_signing_key
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.config import Settings
from tests.support.tokens import Publisher, TurnedClock

SECRET = "a secret that Supabase's services share"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with a key of its own and a shared secret."""
    return Settings(
        home=tmp_path,
        public_url="https://crm.example.org",
        jwt_signing_key=SecretStr(new_signing_key()),
        jwt_secret=SecretStr(SECRET),
    )


@pytest.fixture
def issuer(settings: Settings, clock: TurnedClock) -> TokenIssuer:
    return TokenIssuer.of(settings, clock)


@pytest.fixture
def verifier(settings: Settings, clock: TurnedClock) -> Verifier:
    return Verifier.of(settings, clock)


@pytest.fixture
def publisher() -> Generator[Publisher]:
    """An external GoTrue, as far as its keys go."""
    publisher = Publisher()
    try:
        yield publisher
    finally:
        publisher.close()
