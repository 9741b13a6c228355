"""No webhook reaches into the installation's own network, whatever its name leads to, and when."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gardenos.core.clock import SystemClock
from gardenos.crm.webhooks import sending
from gardenos.crm.webhooks.guard import Guard, UrlRefused, is_public
from gardenos.crm.webhooks.sending import Message, Sender, new_secret
from tests.support.receiver import Receiver, Says

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "168.63.129.16", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "2002:7f00:1::",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"]
REFUSED = [
    ("http://example.org/", "https"),
    ("ftp://example.org/", "https"),
    ("https://", "host"),
    ("https:///path", "host"),
    ("https://user:pw@example.org/", "password"),
    ("https://example.org/#part", "fragment"),
    ("https://exa mple.org/", "host"),
    ("https://[fe80::1%25eth0]/", "host|URL"),
    ("https://example.org:99999/", "port"),
    ("not a url", "https"),
    ("javascript:alert(1)", "https"),
    ("file:///etc/passwd", "https"),
]


@pytest.fixture
def receiver() -> Generator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


class Names:
    """A resolver that answers with one list after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def message(url: str) -> Message:
    return Message(
        UUID(int=1), UUID(int=2), url, [new_secret()], "leads", "x", "create", datetime.now(UTC)
    )


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_known_however_it_is_written(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_sent_to(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(("url", "why"), REFUSED)
def test_a_url_of_another_kind_is_refused_and_why(url: str, why: str) -> None:
    with pytest.raises(UrlRefused, match=why):
        Guard().check(url)


async def test_one_private_address_among_public_ones_is_refused() -> None:
    guard = Guard(resolve=Names([PUBLIC[0], "10.0.0.1"]))
    with pytest.raises(UrlRefused, match="not public"):
        await guard.address(guard.check("https://example.org/"))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "localhost"])
async def test_the_machine_itself_is_refused_in_every_notation(host: str) -> None:
    guard = Guard()
    with pytest.raises(UrlRefused):
        await guard.address(guard.check(f"https://{host}/"))


async def test_a_name_that_leads_elsewhere_when_it_comes_to_it_gains_nothing(
    receiver: Receiver,
) -> None:
    names = Names([PUBLIC[0]], ["127.0.0.1"])
    guard = Guard(allow_http=True, resolve=names)
    url = f"http://rebinding.example:{receiver.port}/"
    await guard.address(guard.check(url))
    sender = Sender(guard, SystemClock())
    answer = await sender.send(message(url))
    await sender.aclose()
    assert answer.error is not None
    assert "not public" in answer.error
    assert receiver.all == []
    assert names.asked == 2


async def test_it_connects_to_the_address_that_was_judged_under_the_name_that_was_asked(
    receiver: Receiver,
) -> None:
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    sender = Sender(Guard(allow_http=True, allow_private=True, resolve=names), SystemClock())
    answer = await sender.send(message(f"http://name.example:{receiver.port}/hook?a=1"))
    await sender.aclose()
    assert answer.is_good
    [came] = receiver.all
    assert (came.path, came.headers["host"]) == ("/hook?a=1", f"name.example:{receiver.port}")
    assert names.asked == 1


async def test_a_long_answer_is_cut_short(receiver: Receiver) -> None:
    receiver.decide = lambda _: Says(200, body=b"\x00x" * 5_000_000)
    sender = Sender(Guard(allow_http=True, allow_private=True), SystemClock())
    answer = await sender.send(message(receiver.url))
    await sender.aclose()
    assert answer.is_good
    assert answer.text is not None
    assert len(answer.text) == sending.KEPT_BYTES
    assert "\x00" not in answer.text


async def test_who_never_answers_is_given_up_on(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WITHIN_S", 0.3)
    receiver.open = threading.Event()
    sender = Sender(Guard(allow_http=True, allow_private=True), SystemClock())
    async with asyncio.timeout(10):
        answer = await sender.send(message(receiver.url))
    await sender.aclose()
    assert answer.status is None
    assert answer.error == "It did not answer within 0.3 seconds."
