"""The keys of an external GoTrue, over real HTTP: rotated, withdrawn, out of reach."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from gardenos.auth.jwks import FRESH, PAUSE, STALE
from gardenos.auth.tokens import TokenIssuer, Verifier
from gardenos.core.config import Settings
from gardenos.core.errors import InvalidToken, SigningKeysUnavailable
from tests.support.tokens import SUB, ES256Key, Publisher, RS256Key, TurnedClock, claims, signed

SECOND = timedelta(seconds=1)


@pytest.fixture
def settings(settings: Settings, publisher: Publisher) -> Settings:
    return settings.model_copy(update={"jwks_url": publisher.url})


@pytest.fixture
async def verifier(settings: Settings, clock: TurnedClock) -> AsyncGenerator[Verifier]:
    verifier = Verifier.of(settings, clock)
    yield verifier
    await verifier.aclose()


class GoTrue:
    """Makes tokens as the publisher's GoTrue would, each another one, valid for a day."""

    def __init__(self, publisher: Publisher, clock: TurnedClock) -> None:
        self.publisher = publisher
        self.clock = clock
        self.made = 0

    def token(self, key: ES256Key | RS256Key, **changes: Any) -> str:
        self.made += 1
        late = int(self.clock.now().timestamp()) + 86_400
        body = claims(self.clock.now(), issuer=self.publisher.issuer, exp=late, jti=str(self.made))
        return signed(body | changes, key)


@pytest.fixture
def gotrue(publisher: Publisher, clock: TurnedClock) -> GoTrue:
    return GoTrue(publisher, clock)


@pytest.mark.parametrize("key", [ES256Key("one"), RS256Key("two")], ids=["ES256", "RS256"])
async def test_a_token_signed_with_a_published_key_is_taken(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, key: ES256Key | RS256Key
) -> None:
    publisher.publish(key)
    assert (await verifier.verify(gotrue.token(key))).sub == SUB
    assert (await verifier.verify(gotrue.token(key))).sub == SUB
    assert publisher.asked == 1


async def test_a_rotated_key_is_fetched_when_it_is_first_met(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    old, new = ES256Key("old"), ES256Key("new")
    publisher.publish(old)
    await verifier.verify(gotrue.token(old))
    publisher.publish(old, new)
    clock.turn(PAUSE)
    assert (await verifier.verify(gotrue.token(new))).sub == SUB
    assert (await verifier.verify(gotrue.token(old))).sub == SUB
    assert publisher.asked == 2


async def test_made_up_key_ids_do_not_make_us_ask_again_and_again(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    publisher.publish(ES256Key("real"))
    for number in range(20):
        with pytest.raises(InvalidToken, match="key that is not trusted"):
            await verifier.verify(gotrue.token(ES256Key(f"made up {number}")))
    assert publisher.asked == 1
    clock.turn(PAUSE)
    with pytest.raises(InvalidToken):
        await verifier.verify(gotrue.token(ES256Key("made up again")))
    assert publisher.asked == 2


async def test_requests_at_once_share_one_fetch(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    publisher.paused.clear()
    waiting = [asyncio.create_task(verifier.verify(gotrue.token(key))) for _ in range(10)]
    await asyncio.to_thread(publisher.reached.wait, 30)
    # One caller goes away; the others still get their answer.
    waiting[0].cancel()
    publisher.paused.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [getattr(answer, "sub", answer) for answer in answers[1:]] == [SUB] * 9
    assert publisher.asked == 1


async def test_a_withdrawn_key_stops_working(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    old, new = ES256Key("old"), ES256Key("new")
    publisher.publish(old)
    await verifier.verify(gotrue.token(old))
    publisher.publish(new)
    clock.turn(PAUSE)
    await verifier.verify(gotrue.token(new))
    with pytest.raises(InvalidToken, match="key that is not trusted"):
        await verifier.verify(gotrue.token(old))


async def test_old_keys_are_fetched_anew_without_anybody_waiting(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    await verifier.verify(gotrue.token(key))
    publisher.reached.clear()
    publisher.paused.clear()
    clock.turn(FRESH + SECOND)
    assert (await verifier.verify(gotrue.token(key))).sub == SUB  # while the fetch hangs
    assert await asyncio.to_thread(publisher.reached.wait, 30)
    publisher.paused.set()


async def test_keys_known_before_serve_while_the_publisher_is_out_of_reach(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    await verifier.verify(gotrue.token(key))
    publisher.close()
    clock.turn(FRESH + SECOND)
    assert (await verifier.verify(gotrue.token(key))).sub == SUB
    clock.turn(STALE - FRESH - 2 * SECOND)
    assert (await verifier.verify(gotrue.token(key))).sub == SUB


async def test_keys_known_before_do_not_serve_for_ever(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    await verifier.verify(gotrue.token(key))
    publisher.close()
    clock.turn(STALE + SECOND)
    with pytest.raises(SigningKeysUnavailable):
        await verifier.verify(gotrue.token(key))


async def test_without_any_keys_a_publisher_out_of_reach_is_unavailable_and_not_unauthorised(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    publisher.status = 500
    for _ in range(3):
        with pytest.raises(SigningKeysUnavailable) as unavailable:
            await verifier.verify(gotrue.token(key))
        assert unavailable.value.status == 503
        assert unavailable.value.retry_after_s == PAUSE.total_seconds()
    assert publisher.asked == 1
    publisher.status = 200
    clock.turn(PAUSE)
    assert (await verifier.verify(gotrue.token(key))).sub == SUB


async def test_our_own_tokens_need_no_publisher(
    settings: Settings, verifier: Verifier, publisher: Publisher, clock: TurnedClock
) -> None:
    publisher.close()
    token = TokenIssuer.of(settings, clock).issue(claims(clock.now(), issuer=""), 60).token
    assert (await verifier.verify(token)).sub == SUB


@pytest.mark.parametrize(
    "document",
    [b"", b"no json", b"[]", b"{}", b'{"keys": 7}', b'{"keys": [7]}', b"[" * 9000, b"x" * 300_000],
    ids=["nothing", "text", "list", "no keys", "number", "numbers", "deep", "long"],
)
async def test_a_document_that_is_no_jwk_set_leaves_the_keys_as_they_were(
    verifier: Verifier,
    publisher: Publisher,
    gotrue: GoTrue,
    clock: TurnedClock,
    document: bytes,
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    await verifier.verify(gotrue.token(key))
    publisher.document = document
    clock.turn(PAUSE)
    with pytest.raises(SigningKeysUnavailable):
        await verifier.verify(gotrue.token(ES256Key("another")))
    assert (await verifier.verify(gotrue.token(key))).sub == SUB


async def test_keys_that_are_not_for_verifying_are_passed_over(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue
) -> None:
    good = ES256Key("good")
    encrypting = ES256Key("encrypting")
    everybodys = {"kty": "oct", "kid": "everybody's", "k": "c2VjcmV0", "alg": "HS256"}
    broken = {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AA", "y": "AA"}
    garbled = [
        {"kty": "RSA", "kid": "garbled", "n": "é", "e": "AQAB"},
        {"kty": "RSA", "kid": "no number", "n": "A", "e": "AQAB"},
        {"kty": "RSA", "kid": "nothing", "n": 7, "e": None},
        {"kty": "EC", "crv": "P-256", "kid": "number", "x": 7, "y": 8},
        {"kty": "EC", "crv": ["P-256"], "kid": "list", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed448", "kid": "other kind", "x": "AA", "alg": "EdDSA"},
        {"kty": ["EC"], "kid": "kinds", "alg": {}},
    ]
    listed = [{}, everybodys, broken, *garbled, encrypting.jwk() | {"use": "enc"}, good.jwk()]
    publisher.document = json.dumps({"keys": listed}).encode()
    assert (await verifier.verify(gotrue.token(good))).sub == SUB
    with pytest.raises(InvalidToken):
        await verifier.verify(gotrue.token(encrypting))


async def test_a_published_key_serves_its_own_algorithm_only(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue
) -> None:
    rsa, curve = RS256Key("one"), ES256Key("one")
    publisher.publish(rsa)
    with pytest.raises(InvalidToken, match="signature"):
        await verifier.verify(gotrue.token(curve))


async def test_a_short_rsa_key_is_refused(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue
) -> None:
    weak = RS256Key("weak", bits=1024)
    publisher.publish(weak)
    with pytest.warns(UserWarning, match="RSA key is 1024 bits"):
        token = gotrue.token(weak)
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_published_key_does_not_speak_for_us(
    verifier: Verifier, publisher: Publisher, gotrue: GoTrue, settings: Settings
) -> None:
    key = ES256Key("one")
    publisher.publish(key)
    with pytest.raises(InvalidToken, match="issuer"):
        await verifier.verify(gotrue.token(key, iss=settings.issuer))


async def test_the_external_issuer_can_be_named(
    settings: Settings, publisher: Publisher, gotrue: GoTrue, clock: TurnedClock
) -> None:
    named = settings.model_copy(update={"jwks_issuer": "https://id.example.org"})
    verifier = Verifier.of(named, clock)
    key = ES256Key("one")
    publisher.publish(key)
    try:
        token = gotrue.token(key, iss="https://id.example.org")
        assert (await verifier.verify(token)).sub == SUB
        with pytest.raises(InvalidToken, match="issuer"):
            await verifier.verify(gotrue.token(key))
    finally:
        await verifier.aclose()
