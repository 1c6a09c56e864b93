"""Runs a program, by as many threads as take part.

Every thread goes through all steps; of each it takes units of work until none is
left, and waits until all are done before the next. Nothing of it is Python.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from chainer_style.engines.cpu.kernels import (
    gather,
    grams,
    picture,
    pointwise,
    pooling,
    target,
    windows,
    winograd,
)
from chainer_style.engines.cpu.kernels.steps import KINDS

PATIENCE = 2000
"""Turns of waiting before another thread is let onto the core."""

LINE = 64
"""Bytes of a cache line: counters lie that far apart, or each change of one would
take the others from all threads."""

_WORD = ir.IntType(64)


@intrinsic
def _take(typing: Any, address: Any) -> Any:
    """Return the number at an address, and count it up, as one action."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = builder.inttoptr(given[0], _WORD.as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(_WORD, 1), "seq_cst")

    return types.int64(types.int64), generate


@intrinsic
def _look(typing: Any, address: Any) -> Any:
    """Return the number at an address, as other threads see it."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = builder.inttoptr(given[0], _WORD.as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def _let_others(typing: Any) -> Any:
    """Let another thread onto this core."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, kind, "sched_yield")
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _ticks(typing: Any) -> Any:
    """Return the CPU's clock."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        name = "llvm.readcyclecounter"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(_WORD, []), name
        )
        return builder.call(function, [])

    return types.int64(), generate


_winograd2, _winograd4, _winograd6 = (winograd.make(made) for made in (2, 4, 6))
_winograd4of5 = winograd.make(4, kernel=5)
_half2, _half4 = (
    winograd.make(made, half=True) if target.has_bfloat16() else _winograd2
    for made in (2, 4)
)
_windows, _gather = windows.windows, gather.gather
_pool, _unpool = pooling.pool, pooling.unpool
_rectify, _copy = pointwise.rectify, pointwise.copy
_crop, _paste = pointwise.crop, pointwise.paste
_normalise, _unnormalise = pointwise.normalise, pointwise.unnormalise
_gram, _compare = grams.gram, grams.compare
_style, _style_few = grams.style, grams.style_few
_variation, _adam, _clip = picture.variation, picture.adam, picture.clip

KERNELS = (
    _winograd2,
    _winograd4,
    _winograd6,
    _winograd4of5,
    _half2,
    _half4,
    _windows,
    _gather,
    _pool,
    _unpool,
    _rectify,
    _copy,
    _crop,
    _paste,
    _normalise,
    _unnormalise,
    _gram,
    _compare,
    _style,
    _style_few,
    _variation,
    _adam,
    _clip,
)
"""In the order of `KINDS`."""


def _dispatcher() -> Any:
    """Return the function that calls a step's kernel by its number."""
    lines = ["def run(step, unit, space):", "    kind = step.kind"]
    for number in range(len(KINDS)):
        lines += [f"    {'el' * (number > 0)}if kind == {number}:"]
        lines += [f"        kernel{number}(step, unit, space)"]
    names = {f"kernel{number}": kernel for number, kernel in enumerate(KERNELS)}
    exec("\n".join(lines), names)
    return njit(nogil=True)(names["run"])


_run = _dispatcher()


@njit(nogil=True)
def execute(program, counters, ticks, spaces, thread):
    """Run a program's steps; called by every thread at once.

    A step is done when its units are: a thread that the system keeps from running
    holds nobody up unless it is at work on one.

    Parameters
    ----------
    program
        Steps.
    counters
        Two lines per step and one more, all zero: units taken, and units done.
    ticks
        Written by the first thread: the clock at the start of each step and the end.
    spaces
        Address of each thread's space.
    thread
        Number of the thread, from 0.
    """
    space = spaces[thread]
    start = (counters.ctypes.data + LINE - 1) // LINE * LINE
    for i in range(len(program)):
        step = program[i]
        taken = start + 2 * LINE * i
        if not thread:
            ticks[i] = _ticks()
        while True:
            unit = _take(taken)
            if unit >= step.units:
                break
            _run(step, unit, space)
            _take(taken + LINE)
        waited = 0
        while _look(taken + LINE) < step.units:
            waited += 1
            if waited > PATIENCE:
                _let_others()
    if not thread:
        ticks[len(program)] = _ticks()
