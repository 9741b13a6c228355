"""`gardenos.serve.app:build`: what `serve_config.yaml` names, as a Serve application."""

# Annotations stay objects in this module: Serve looks for a pydantic model in `build`'s signature.
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy
from ray.serve.schema import LoggingConfig

from gardenos.ai import agents as agent_classes
from gardenos.orchestrator.actor import PoolSpec
from gardenos.serve.deployments import HAND_OVER_S, AgentReplica, OrchestratorReplica
from gardenos.serve.gateway import Gateway

_BATCHES_AT_ONCE = 100
"""A ceiling Serve insists on. What bounds an agent is its `concurrency`, and the orchestrator
never sends more; Serve must not queue what a more urgent task could overtake."""
_HEALTH_PERIOD_S = 5.0
_LOGGING = LoggingConfig(enable_access_log=False)
"""A line for every request took a quarter of its time; the metrics count requests by route."""
_LEAVE_WITHIN_S = 20.0

Replicas = Annotated[int, Field(ge=1, le=100)]
Cpus = Annotated[float, Field(ge=0, le=64)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Range(_Arguments):
    min_replicas: Replicas = 1
    max_replicas: Replicas

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas is larger than max_replicas")
        return self


class PoolArguments(_Range):
    """The replicas of one agent type."""

    max_replicas: Replicas = 10
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    """Tasks a replica works on at a time: agents mostly wait, for a model or for the database."""
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """A task that takes longer has failed, and is tried again."""
    target_tasks: Annotated[float, Field(gt=0)] = 500.0
    """Tasks due or running for each replica, beyond which another one is started."""
    up_after_s: Annotated[float, Field(ge=0)] = 5.0
    down_after_s: Annotated[float, Field(ge=0)] = 60.0
    llm_provider: Literal["auto", "rules", "openai"] | None = None
    """Another provider for this type than GARDENOS_LLM_PROVIDER says."""
    path: Annotated[str | None, Field(alias="class")] = None
    """`module:Class` of an agent that is none of ours and has no entry point."""
    num_cpus: Cpus = 0.1


class GatewayArguments(_Range):
    """The replicas of the API."""

    max_replicas: Replicas = 4
    max_ongoing_requests: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Per replica. Most of them wait, for the database or for an agent."""
    target_ongoing_requests: Annotated[float, Field(gt=0)] = 200.0
    num_cpus: Cpus = 0.5


class Arguments(_Arguments):
    """What `args` in `serve_config.yaml` may say; everything has a default."""

    gateway: GatewayArguments = GatewayArguments()
    agents: dict[str, PoolArguments] = Field(default_factory=dict[str, PoolArguments])
    """By agent type. Every type of the code runs, also one that is not named here."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        registry = self.registry()
        unknown = sorted(self.agents.keys() - registry.keys())
        if unknown:
            known = ", ".join(registry)
            raise ValueError(f"there are no agents of type {', '.join(unknown)}; known are {known}")
        return self

    def paths(self) -> dict[str, str]:
        """Where the classes stand that are named here."""
        return {name: pool.path for name, pool in self.agents.items() if pool.path is not None}

    def registry(self) -> agent_classes.Registry:
        """Every agent that runs. Raises `AgentMisregistered`."""
        return agent_classes.discover(self.paths())

    def pools(self) -> dict[str, PoolArguments]:
        """The arguments of every agent type."""
        return {name: self.agents.get(name, PoolArguments()) for name in self.registry()}


def build(args: Arguments) -> Application:
    """The application: Gateway, AIOrchestrator and a deployment for each type of agent."""
    pools = args.pools()
    registry = args.registry()
    agents = {
        agent_type: _agents(agent_type, registry[agent_type].__name__, pool)
        for agent_type, pool in pools.items()
    }
    orchestrator = serve.deployment(
        name="AIOrchestrator",
        num_replicas=1,
        max_ongoing_requests=_BATCHES_AT_ONCE,
        ray_actor_options={"num_cpus": 0.1},
        logging_config=_LOGGING,
        health_check_period_s=_HEALTH_PERIOD_S,
        graceful_shutdown_timeout_s=HAND_OVER_S + _LEAVE_WITHIN_S,
    )(OrchestratorReplica).bind(
        agents,
        {
            agent_type: PoolSpec(
                pool.min_replicas, pool.max_replicas, pool.concurrency, pool.target_tasks
            )
            for agent_type, pool in pools.items()
        },
    )
    return serve.deployment(
        name="Gateway",
        max_ongoing_requests=args.gateway.max_ongoing_requests,
        autoscaling_config=AutoscalingConfig(
            min_replicas=args.gateway.min_replicas,
            max_replicas=args.gateway.max_replicas,
            target_ongoing_requests=args.gateway.target_ongoing_requests,
        ),
        ray_actor_options={"num_cpus": args.gateway.num_cpus},
        logging_config=_LOGGING,
        health_check_period_s=_HEALTH_PERIOD_S,
        graceful_shutdown_timeout_s=_LEAVE_WITHIN_S,
    )(Gateway).bind(orchestrator, args.paths())


def _agents(agent_type: str, name: str, pool: PoolArguments) -> Application:
    return serve.deployment(
        name=name,
        max_ongoing_requests=_BATCHES_AT_ONCE,
        autoscaling_config=AutoscalingConfig(
            min_replicas=pool.min_replicas,
            max_replicas=pool.max_replicas,
            # The policy itself waits whether a change lasts, except for an operator's.
            upscale_delay_s=0,
            downscale_delay_s=0,
            policy=AutoscalingPolicy(
                policy_function="gardenos.serve.autoscaling:BacklogPolicy",
                policy_kwargs={
                    "agent_type": agent_type,
                    "target": pool.target_tasks,
                    "up_after_s": pool.up_after_s,
                    "down_after_s": pool.down_after_s,
                },
            ),
        ),
        ray_actor_options={"num_cpus": pool.num_cpus},
        logging_config=_LOGGING,
        health_check_period_s=_HEALTH_PERIOD_S,
        graceful_shutdown_timeout_s=_LEAVE_WITHIN_S,
    )(AgentReplica).bind(
        agent_type,
        concurrency=pool.concurrency,
        deadline_s=pool.deadline_s,
        llm_provider=pool.llm_provider,
        path=pool.path,
    )
