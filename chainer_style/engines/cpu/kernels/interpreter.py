"""Runs a program, by as many threads as take part.

Every thread goes through all steps; of each it takes units of work until none is
left, and waits until all are done before the next. It begins with its own share: what
it wrote of a map is in its own cache still when it reads the same part in the next
step. Nothing of it is Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from chainer_style.engines.cpu.kernels import (
    depth,
    direct,
    fresh,
    gather,
    grams,
    picture,
    pointwise,
    pooling,
    target,
    windows,
    winograd,
)

PATIENCE = 2000
"""Turns of waiting before another thread is let onto the core."""

ATTENTION = 500
"""Turns of waiting for the next program, with others let onto the core."""

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


_winograd2, _winograd4, _winograd6, _winograd8 = (
    winograd.make(made) for made in (2, 4, 6, 8)
)
_winograd4of5, _winograd6of5 = (winograd.make(made, kernel=5) for made in (4, 6))
_winograd4fresh = fresh.make(4)
_half2, _half4 = (
    winograd.make(made, half=True) if target.has_bfloat16() else _winograd2
    for made in (2, 4)
)
_windows, _direct, _gather = windows.windows, direct.direct, gather.gather
_to_space = depth.to_space
_pool, _unpool = pooling.pool, pooling.unpool
_rectify, _copy = pointwise.rectify, pointwise.copy
_crop, _paste = pointwise.crop, pointwise.paste
_normalise, _unnormalise = pointwise.normalise, pointwise.unnormalise
_panel, _gram = grams.panel, grams.gram
_compare, _aim = grams.compare, grams.aim
_style, _style_few = grams.style, grams.style_few
_variation, _adam, _clip = picture.variation, picture.adam, picture.clip

KERNELS = (
    _winograd2,
    _winograd4,
    _winograd6,
    _winograd8,
    _winograd4of5,
    _winograd6of5,
    _winograd4fresh,
    _half2,
    _half4,
    _windows,
    _direct,
    _gather,
    _to_space,
    _pool,
    _unpool,
    _rectify,
    _copy,
    _crop,
    _paste,
    _normalise,
    _unnormalise,
    _panel,
    _gram,
    _compare,
    _aim,
    _style,
    _style_few,
    _variation,
    _adam,
    _clip,
)
"""In the order of `steps.KINDS`."""


places = np.zeros(len(KERNELS), np.int64)
"""Their addresses, once they are compiled."""


@intrinsic
def _run(typing: Any, place: Any, step: Any, unit: Any, space: Any) -> Any:
    """Call the kernel at an address.

    What is called by name is compiled once more, as a part of who calls it.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given[1:]])
        kernel = builder.inttoptr(given[0], kind.as_pointer())
        builder.call(kernel, given[1:])
        return context.get_dummy_value()

    return types.void(types.int64, step, types.int64, types.int64), generate


@njit(nogil=True)
def _share(step, owner, counters, kernels, space, threads):
    """Take units of a thread's share of a step until none is left."""
    first = step.units * owner // threads
    last = step.units * (owner + 1) // threads
    while True:
        unit = first + _take(counters + LINE * (owner + 1))
        if unit >= last:
            return
        _run(kernels[step.kind], step, unit, space)
        _take(counters)


@njit(nogil=True)
def execute(program, counters, ticks, busy, kernels, spaces, bell, run, thread):
    """Run a program's steps; called by every thread at once.

    A step is done when its units are: a thread that the system keeps from running
    holds nobody up unless it is at work on one. Of steps that run at the same time
    every other thread begins with the first, the others with those beside it.

    Parameters
    ----------
    program
        Steps.
    counters
        A line per step and thread, one more per step and one more, all zero: units
        taken of each thread's share, and units done.
    ticks
        Written by the first thread: the clock at the start of each step and the end.
        Steps beside another have its start.
    busy
        By thread and step: written, by how far the clock went on meanwhile.
    kernels
        Their addresses, by the kind of a step.
    spaces
        Address of each thread's space.
    bell
        Where the first thread counts the runs, two lines. The others stay awake for a
        moment, until it begins the next one: to be woken takes longer.
    run
        Number of this run, from 1.
    thread
        Number of the thread, from 0.
    """
    space, threads = spaces[thread], len(spaces)
    bell_place = (bell.ctypes.data + LINE - 1) // LINE * LINE
    if not thread:
        _take(bell_place)
    start = (counters.ctypes.data + LINE - 1) // LINE * LINE
    each = LINE * (threads + 1)
    i = 0
    while i < len(program):
        now = _ticks()
        last = i + 1
        while last < len(program) and program[last].beside:
            last += 1
        count = last - i
        if not thread:
            ticks[i:last] = now
        begin = 1 + thread // 2 % (count - 1) if count > 1 and thread % 2 else 0
        for turn in range(count):
            which = i + (begin + turn) % count
            for other in range(threads):
                owner = (thread + other) % threads
                counted = start + each * which
                _share(program[which], owner, counted, kernels, space, threads)
            before, now = now, _ticks()
            busy[thread, which] = now - before
        waited = 0
        for which in range(i, last):
            while _look(start + each * which) < program[which].units:
                waited += 1
                if waited > PATIENCE:
                    _let_others()
        i = last
    if not thread:
        ticks[len(program)] = _ticks()
        return
    waited = 0
    while _look(bell_place) <= run and waited < PATIENCE + ATTENTION:
        waited += 1
        if waited > PATIENCE:
            _let_others()
