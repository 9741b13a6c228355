"""Agents of anyone's: found, described, and refused where they cannot work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar, TypeVar

import pytest
from pydantic import BaseModel

from gardenos.ai import agents
from gardenos.ai.agents import (
    AGENTS,
    AgentMisregistered,
    BaseAIAgent,
    Context,
    LeadAnalysisAgent,
    Registry,
    discover,
)
from gardenos.core.errors import InvalidContent

Write = Callable[[str, str], None]


class Ask(BaseModel):
    text: str


class Say(BaseModel):
    text: str
    loud: bool = False


class Shout(BaseAIAgent[Ask, Say]):
    """Says it louder.

    And more of it.
    """

    agent_type: ClassVar[str] = "shout"

    async def work(self, request: Ask, context: Context) -> Say:
        return Say(text=request.text.upper(), loud=True)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Write]:
    """Writes modules to a folder on the path; forgets them, and what was registered, afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(dedent(source))

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
    monkeypatch.undo()
    agents.register({})


AGENT = """
    from pydantic import BaseModel
    from gardenos.ai.agents import BaseAIAgent

    class Word(BaseModel):
        text: str

    class {name}(BaseAIAgent[Word, Word]):
        '''{name} it is.'''

        agent_type = "{agent_type}"

        async def work(self, request, context):
            return request
    """


def test_ours_are_there_without_a_word() -> None:
    assert set(discover()) >= set(AGENTS)
    assert discover()["lead_analysis"] is LeadAnalysisAgent


def test_the_brackets_say_what_an_agent_takes_and_gives() -> None:
    assert (Shout.input_type, Shout.output_type) == (Ask, Say)

    class Whisper(Shout):
        agent_type: ClassVar[str] = "whisper"

    assert (Whisper.input_type, Whisper.output_type) == (Ask, Say)
    kind = TypeVar("kind", bound=BaseModel)

    class Between(BaseAIAgent[Ask, kind]):
        async def work(self, request: Ask, context: Context) -> kind:
            raise NotImplementedError

    class Behind(Between[Say]):
        agent_type: ClassVar[str] = "behind"

    assert Behind.input_type is Ask


def test_a_type_is_described_by_its_docstring_and_its_models() -> None:
    described = Registry([Shout]).describe("shout")
    assert (described.agent_type, described.summary) == ("shout", "Says it louder.")
    assert described.input_schema["required"] == ["text"]
    assert set(described.output_schema["properties"]) == {"text", "loud"}
    assert all(discover().describe(agent_type).summary for agent_type in AGENTS)


def test_an_agent_named_by_path_is_one_of_all(write: Write) -> None:
    write("their_agents", AGENT.format(name="Echo", agent_type="echo"))
    known = agents.register({"echo": "their_agents:Echo"})
    assert known is agents.registry()
    assert list(known) == [*discover(), "echo"]
    assert known.paths()["echo"] == "their_agents:Echo"
    agents.check_payload("echo", {"text": "hi"})
    with pytest.raises(InvalidContent):
        agents.check_payload("echo", {"text": 7})


def test_an_installed_package_brings_its_agents(write: Write, tmp_path: Path) -> None:
    write("packaged_agents", AGENT.format(name="Herald", agent_type="herald"))
    info = tmp_path / "packaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gardenos.agents]\nany = packaged_agents:Herald\n")
    assert discover()["herald"].__name__ == "Herald"
    (info / "entry_points.txt").write_text("[gardenos.agents]\nany = packaged_agents:Nobody\n")
    with pytest.raises(AgentMisregistered, match="named by the entry point 'any', is not in that"):
        discover()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("their_agents.Echo", "is not of the form module:Class"),
        ("nowhere_at_all:Echo", "nowhere_at_all, named by .* cannot be imported: ModuleNotFound"),
        ("broken_agents:Echo", "cannot be imported: ZeroDivisionError"),
        ("their_agents:Nobody", "is not in that module"),
        ("their_agents:Word", "is no subclass of BaseAIAgent"),
        ("their_agents:Echo", "for the type 'loud', but its agent_type is 'echo'"),
    ],
)
def test_a_path_that_leads_to_no_agent_is_refused(write: Write, path: str, why: str) -> None:
    write("their_agents", AGENT.format(name="Echo", agent_type="echo"))
    write("broken_agents", "1 / 0")
    with pytest.raises(AgentMisregistered, match=why):
        discover({"loud": path})


def test_two_of_one_type_or_of_one_class_name_are_refused(write: Write) -> None:
    write("one", AGENT.format(name="Echo", agent_type="echo"))
    write("two", AGENT.format(name="Other", agent_type="echo"))
    write("three", AGENT.format(name="Echo", agent_type="echo_too"))
    write("four", AGENT.format(name="LeadScorer", agent_type="lead_analysis"))
    one, two, three = (
        discover({name: f"{module}:{kind}"})[name]
        for name, module, kind in (
            ("echo", "one", "Echo"),
            ("echo", "two", "Other"),
            ("echo_too", "three", "Echo"),
        )
    )
    with pytest.raises(AgentMisregistered, match="call themselves 'echo': one:Echo and two:Other"):
        Registry([one, two])
    with pytest.raises(AgentMisregistered, match="classes named Echo: one:Echo and three:Echo"):
        Registry([one, three])
    with pytest.raises(AgentMisregistered, match="call themselves 'lead_analysis'"):
        discover({"lead_analysis": "four:LeadScorer"})
    assert list(Registry([one, one])) == ["echo"]


class Nameless(Shout):
    agent_type: ClassVar[str] = "Not A Type"


class Idle(BaseAIAgent[Ask, Say]):
    agent_type: ClassVar[str] = "idle"


class Untyped(BaseAIAgent[Any, Any]):
    agent_type: ClassVar[str] = "untyped"

    async def work(self, request: Any, context: Context) -> Any:
        return request


class Gateway(Shout):
    agent_type: ClassVar[str] = "gate"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Nameless, "needs an agent_type: a small letter"),
        (Idle, "does not implement work"),
        (Untyped, "does not say what it takes and gives"),
        (Gateway, "bears the name of another deployment"),
    ],
)
def test_a_class_that_cannot_work_is_refused(kind: type[BaseAIAgent[Any, Any]], why: str) -> None:
    with pytest.raises(AgentMisregistered, match=why):
        Registry([kind])
