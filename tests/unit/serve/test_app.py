"""What `args` in serve_config.yaml may say."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from gardenos.ai.agents import AGENT_TYPES
from gardenos.core.config import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve import Application

    from gardenos.serve.app import Arguments, GatewayArguments, PoolArguments, build
    from gardenos.serve.deployments import DeadlineTooShort, refuse_short_deadline

CONFIG = Path(__file__).parents[3] / "serve_config.yaml"


def test_every_type_of_agent_runs_also_one_that_is_not_named() -> None:
    arguments = Arguments.model_validate({"agents": {"follow_up": {"max_replicas": 3}}})
    pools = arguments.pools()
    assert set(pools) == set(AGENT_TYPES)
    assert pools["lead_analysis"] == PoolArguments()
    assert pools["follow_up"] == PoolArguments(max_replicas=3)


def test_a_model_may_not_take_longer_than_the_task_it_is_for() -> None:
    refuse_short_deadline("follow_up", 120.0, Settings(llm_timeout_s=119))
    with pytest.raises(DeadlineTooShort, match=r"follow_up have 120 s .* may take 120 s"):
        refuse_short_deadline("follow_up", 120.0, Settings(llm_timeout_s=120))


def test_nothing_has_to_be_said() -> None:
    assert Arguments.model_validate({}) == Arguments(gateway=GatewayArguments(), agents={})


def test_what_the_file_says_is_understood() -> None:
    (application,) = yaml.safe_load(CONFIG.read_text("utf-8"))["applications"]
    module, _, name = application["import_path"].partition(":")
    assert getattr(import_module(module), name) is build
    arguments = Arguments.model_validate(application["args"])
    assert set(arguments.agents) == set(AGENT_TYPES)
    assert {(p.min_replicas, p.max_replicas) for p in arguments.pools().values()} == {(1, 10)}


@pytest.mark.parametrize(
    ("said", "where", "why"),
    [
        ({"agents": {"painter": {}}}, (), "no agents of type painter; known are lead_analysis"),
        (
            {"agents": {"follow_up": {"min_replicas": 4, "max_replicas": 3}}},
            ("agents", "follow_up"),
            "min_replicas is larger than max_replicas",
        ),
        (
            {"agents": {"follow_up": {"min_replica": 1}}},
            ("agents", "follow_up", "min_replica"),
            "not permitted",
        ),
        ({"gatway": {}}, ("gatway",), "not permitted"),
        ({"gateway": {"num_cpus": -1}}, ("gateway", "num_cpus"), "greater than or equal to 0"),
        (
            {"agents": {"follow_up": {"min_replicas": 0}}},
            ("agents", "follow_up", "min_replicas"),
            "greater than or equal to 1",
        ),
        (
            {"agents": {"follow_up": {"target_tasks": 0}}},
            ("agents", "follow_up", "target_tasks"),
            "greater than 0",
        ),
        (
            {"agents": {"follow_up": {"llm_provider": "magic"}}},
            ("agents", "follow_up", "llm_provider"),
            "'auto', 'rules' or 'openai'",
        ),
    ],
)
def test_what_is_wrong_is_named(said: dict[str, Any], where: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Arguments.model_validate(said)
    (fault,) = caught.value.errors()
    assert fault["loc"] == where
    assert why in fault["msg"]


def test_a_gateway_may_not_shrink_below_its_least() -> None:
    with pytest.raises(ValidationError, match="min_replicas is larger than max_replicas"):
        Arguments.model_validate({"gateway": {"min_replicas": 5}})


def test_an_application_is_built_without_a_cluster() -> None:
    assert isinstance(build(Arguments()), Application)
