"""Which task kills the replicas that run it: found without making the others pay.

When a replica dies, every task it ran is lost, and at most one of them is to blame. So the first
losses of a task are free: it is queued again at once, no attempt counted. A task that is lost again
becomes a suspect and runs alone from then on, one suspect of its type at a time; what is lost then
has lost its replica by itself, and that counts. A poison task so dies of its own attempts, and
whoever ran beside it is only late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from gardenos.core.ids import TaskId
from gardenos.orchestrator import settlement
from gardenos.orchestrator.settlement import Settlement
from gardenos.orchestrator.task import AgentTask

FREE_LOSSES = 2
"""One may be anybody's; whoever is there twice is worth a look."""
_REMEMBERED = 100_000


class Suspects:
    """The losses of tasks that have not ended since. In memory: forgotten, they begin at nought again."""

    def __init__(self) -> None:
        self._losses: Counter[TaskId] = Counter()

    def part(self, tasks: Sequence[AgentTask]) -> list[Sequence[AgentTask]]:
        """The batches in which to send leased tasks: those without suspicion, then each suspect alone."""
        trusted = [task for task in tasks if not self.suspects(task)]
        alone: list[Sequence[AgentTask]] = [[task] for task in tasks if self.suspects(task)]
        return [trusted, *alone] if trusted else alone

    def suspects(self, task: AgentTask) -> bool:
        """Whether the task is to run alone."""
        return self._losses[task.id] >= FREE_LOSSES

    def lost(self, tasks: Sequence[AgentTask], why: str) -> list[Settlement]:
        """What becomes of the tasks of a batch whose replica died."""
        settlements = [
            settlement.crashed(task, why) if self.suspects(task) else settlement.handed_back(task)
            for task in tasks
        ]
        self._losses.update(task.id for task in tasks)
        while len(self._losses) > _REMEMBERED:
            del self._losses[next(iter(self._losses))]
        return settlements

    def ended(self, ids: Iterable[TaskId]) -> None:
        """These tasks have ended a run whole: nothing is held against them."""
        if self._losses:
            for task_id in ids:
                self._losses.pop(task_id, None)
