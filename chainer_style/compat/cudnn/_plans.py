"""Which of cuDNN's algorithms computes a convolution."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style.compat.cudnn import _graphs, _libraries
from chainer_style.compat.cudnn._graphs import Convolution, Graph, Role

MOST = 4096
"""How many plans are kept: programs whose pictures differ in size have many."""

ROUNDS = 3
"""How often a plan is timed; the fastest time counts."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides between plans.

    Attributes
    ----------
    unwanted
        Notes that rule a plan out.
    workspace
        How many bytes it may take beside its arrays.
    tried
        Whether all plans are tried and the fastest is taken.
    """

    unwanted: tuple[str, ...]
    workspace: int
    tried: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph with the algorithm that computes it.

    Attributes
    ----------
    graph
        The graph, with this plan built.
    index
        The plan's number there.
    workspace
        How many bytes it takes beside its arrays.
    """

    graph: Graph
    index: int
    workspace: int

    def run(self, pointers: dict[Role, int], workspace: int, handle: int) -> None:
        """Compute, on the handle's stream.

        Parameters
        ----------
        pointers
            Where the arrays lie.
        workspace
            Where the memory beside them lies.
        handle
            Of the current device.
        """
        tensors = self.graph.tensors
        self.graph.graph.execute_plan_at_index(
            {tensors[role]: pointer for role, pointer in pointers.items()},
            workspace,
            self.index,
            handle=handle,
        )


_plans: dict[tuple[int, Convolution, Choice], Plan] = {}
_building = threading.Lock()


def plan_for(
    device: int,
    handle: int,
    convolution: Convolution,
    choice: Choice,
    time: Callable[[Plan], float],
) -> Plan:
    """Return a convolution's plan, found once for each device and choice.

    Parameters
    ----------
    device
        The current device's number.
    handle
        cuDNN's for that device.
    convolution, choice
        What is computed, and how.
    time
        Returns how long a plan takes.

    Raises
    ------
    RuntimeError
        cuDNN has no plan that may be used.
    """
    key = device, convolution, choice
    if (plan := _plans.get(key)) is not None:
        return plan
    with _building:
        if key not in _plans:
            while len(_plans) >= MOST:
                del _plans[next(iter(_plans))]
            graph = _graphs.graph_of(convolution, handle=handle)
            _plans[key] = _choose(convolution, choice, graph, time)
        return _plans[key]


def _choose(
    convolution: Convolution,
    choice: Choice,
    graph: Graph,
    time: Callable[[Plan], float],
) -> Plan:
    said: list[str] = []
    plans = usable_plans(graph, choice, said)
    if not choice.tried:
        plan = next(plans, None)
    elif len(found := list(plans)) > 1:
        plan = _fastest(found, time, said)
    else:
        plan = found[0] if found else None
    if plan is not None:
        return plan
    without = " and without ".join(
        note.lower().replace("_", " ") for note in choice.unwanted
    )
    raise RuntimeError(
        f"cuDNN has no algorithm for {convolution} within {choice.workspace} bytes of "
        f"workspace{' without ' * bool(without)}{without}"
        f"{f' ({said[-1]})' if said else ''}; more may be allowed with "
        f"chainer.backends.cuda.set_max_workspace_size, or use "
        f"chainer.using_config('use_cudnn', 'never')"
    )


def usable_plans(graph: Graph, choice: Choice, said: list[str]) -> Iterator[Plan]:
    """Yield the plans that may be used, each built, in the order that cuDNN proposes.

    Parameters
    ----------
    graph
        A convolution's.
    choice
        What rules a plan out.
    said
        Takes what cuDNN says of plans that it cannot build.
    """
    frontend = _libraries.frontend()
    unusable = errors()
    own = graph.graph
    try:
        own.validate()
        own.build_operation_graph()
        own.create_execution_plans([frontend.heur_mode.A, frontend.heur_mode.FALLBACK])
    except unusable as error:
        said.append(str(error).strip())
        return
    # The plans have to be there: the frontend goes through them at once.
    own.deselect_numeric_notes(
        [getattr(frontend.numerical_note, note) for note in choice.unwanted]
    )
    own.deselect_workspace_greater_than(choice.workspace)
    for index in range(own.get_execution_plan_count()):
        try:
            own.build_plan_at_index(index)
        except unusable as error:
            said.append(str(error).strip())
            continue
        workspace = int(own.get_workspace_size_plan_at_index(index))
        if workspace <= choice.workspace:
            yield Plan(graph, index, workspace)


def _fastest(
    plans: Sequence[Plan], time: Callable[[Plan], float], said: list[str]
) -> Plan | None:
    best: tuple[float, int] | None = None
    for number, plan in enumerate(plans):
        try:
            seconds = min(time(plan) for _ in range(ROUNDS))
        except errors() as error:
            said.append(str(error).strip())
            continue
        if best is None or (seconds, number) < best:
            best = seconds, number
    return plans[best[1]] if best else None


def errors() -> tuple[type[Exception], ...]:
    """Return what the frontend raises."""
    return RuntimeError, _libraries.frontend().cudnnGraphNotSupportedError


def forget() -> None:
    """Forget all plans."""
    with _building:
        _plans.clear()


def known() -> tuple[Any, ...]:
    """Return for what there are plans."""
    return tuple(_plans)
