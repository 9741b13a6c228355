"""How Serve learns how many agents to run: a policy class, called often in Serve's controller.

Serve ships this module to the controller by value. Nothing here may therefore hold a lock, thread
or connection before the policy is made there.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import structlog

from gardenos.orchestrator.board import POOLS, Board, decode
from gardenos.orchestrator.scaling import Patience, PoolFigures, Scale, decide
from gardenos.orchestrator.sightings import Sightings

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

REFRESH_S = 1.0
STALE_S = 15.0


class FiguresReader:
    """Keeps the orchestrator's figures at hand: a daemon thread reads them as long as this lives."""

    def __init__(
        self, board: Board, *, refresh_s: float = REFRESH_S, stale_s: float = STALE_S
    ) -> None:
        self._board = board
        self._sightings = Sightings(stale_s)
        self._note: dict[str, Any] = {}
        self.looked = threading.Event()
        """Set once the board was read for the first time."""
        # The thread must not keep its reader alive: Serve drops a policy with every deployment.
        threading.Thread(
            target=_keep_reading,
            args=(weakref.ref(self), refresh_s),
            name="gardenos-figures",
            daemon=True,
        ).start()

    def figures(self, agent_type: str) -> PoolFigures | None:
        """The figures of an agent type; None where they are missing, unreadable or old."""
        if POOLS not in self._sightings.fresh(time.monotonic()):
            return None
        note = self._note.get("pools", {}).get(agent_type)
        return PoolFigures.read(note) if isinstance(note, dict) else None

    def look(self) -> None:
        """Read the board once; where that fails, the figures age."""
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 the policy sees how old the figures are
            structlog.get_logger(__name__).debug("figures_unread", error=str(error))
        self.looked.set()

    def _read(self) -> None:
        note = decode(self._board.read(POOLS).get(POOLS, b""))
        if isinstance(note.get("pools"), dict):
            self._note = note
            self._sightings.see({POOLS: note.get("at")}, time.monotonic())


def _keep_reading(reader: weakref.ref[FiguresReader], refresh_s: float) -> None:
    while (living := reader()) is not None:
        living.look()
        del living
        time.sleep(refresh_s)


class BacklogPolicy:
    """A Serve autoscaling policy: an operator's override, else replicas for the backlog."""

    def __init__(
        self,
        agent_type: str,
        target: float,
        *,
        up_after_s: float = 5.0,
        down_after_s: float = 60.0,
        board: Board | None = None,
        refresh_s: float = REFRESH_S,
        stale_s: float = STALE_S,
    ) -> None:
        self._agent_type = agent_type
        self._target = target
        self._patience = Patience(up_after_s, down_after_s)
        self._reader = FiguresReader(board or _ray_board(), refresh_s=refresh_s, stale_s=stale_s)
        self._said = ""

    def __call__(self, ctx: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """The number of replicas and no state; at once, whatever the cluster is going through."""
        current = ctx.target_num_replicas
        try:
            scale = self._scale(ctx, current)
            self._say(scale, current)
        except Exception as error:  # noqa: BLE001 an error here would stop Serve's control loop
            structlog.get_logger(__name__).debug("agents_undecided", error=str(error))
            return current, {}
        return scale.n, {}

    def _scale(self, ctx: AutoscalingContext, current: int) -> Scale:
        wanted = decide(
            self._reader.figures(self._agent_type),
            current=current,
            target=self._target,
            lowest=ctx.capacity_adjusted_min_replicas,
            highest=ctx.capacity_adjusted_max_replicas,
        )
        return self._patience.settle(wanted, current=current, now=time.monotonic())

    def _say(self, scale: Scale, current: int) -> None:
        if scale.n != current and scale.why != self._said:
            self._said = scale.why
            structlog.get_logger(__name__).info(
                "agents_scale",
                agent_type=self._agent_type,
                replicas=scale.n,
                before=current,
                why=scale.why,
            )


def _ray_board() -> Board:
    from gardenos.serve.board import RayBoard  # noqa: PLC0415 tests need no Ray

    return RayBoard()
