"""How results reach a feature map: with bias and ReLU forward, masked backward.

Which numbers of a feature map are above zero is kept as bits: a gradient needs no
more of it, and they take a 32nd of its memory. An address of bits is that of the
first bit of the position's channels, plus the offset of the channels by 32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from chainer_style.engines.cpu.kernels import target
from chainer_style.engines.cpu.kernels.vectors import Emitter, kernel

STEP = 4 * target.get().lanes
"""Bytes of a vector."""

DUMP = 1 << 14
"""Bytes where what falls outside of a map is written: the channels of one position."""


def forward(
    emit: Emitter, value: Any, place: Any, bits: Any, bias: Any, floor: Any
) -> None:
    """Emit: add the bias, note the signs, raise to the floor, write.

    The floor is the address of a vector: zeros make a ReLU, minus infinities none.
    What is no number stays so.
    """
    value = emit.add(value, emit.load(bias))
    emit.store(emit.bits(emit.positive(value)), bits)
    least = emit.load(floor)
    below = emit.builder.fcmp_ordered("<", value, least)
    emit.store(emit.builder.select(below, least, value), place)


def backward(emit: Emitter, value: Any, place: Any, bits: Any, add: bool) -> None:
    """Emit: add to what is there, if asked for, mask by the bits, write."""
    if add:
        value = emit.add(value, emit.load(place))
    which = emit.which(emit.load(bits, ir.IntType(emit.lanes)))
    emit.store(emit.select(which, value), place)


@kernel(5)
def give(emit: Emitter, a: Any, place: Any, bits: Any, bias: Any, floor: Any) -> None:
    """Write a vector that is at an address; see `forward`."""
    forward(emit, emit.load(a), place, bits, bias, floor)


@kernel(3)
def put(emit: Emitter, a: Any, place: Any, bits: Any) -> None:
    """Write a vector of gradient; see `backward`."""
    backward(emit, emit.load(a), place, bits, False)


@kernel(3)
def put_more(emit: Emitter, a: Any, place: Any, bits: Any) -> None:
    """Add a vector of gradient; see `backward`."""
    backward(emit, emit.load(a), place, bits, True)


@njit(nogil=True)
def deliver(step, products, wide, position, count, start, dump):
    """Write the products of some positions, one after the other.

    Parameters
    ----------
    step
        Where to, and how.
    products
        Address of those of the first position.
    wide
        Bytes of them per position.
    position
        Number of the first one.
    count
        Positions.
    start
        Offset of their channels in bytes.
    dump
        Address where nothing is read.
    """
    channels = 4 * step.y_channels
    bits = step.mask if step.backward else step.signs
    for i in range(count):
        here = products + i * wide
        place = step.y + (position + i) * channels + start
        if bits:
            signs = bits + ((position + i) * channels + start) // 32
        else:
            signs = step.ones if step.backward else dump
        for offset in range(0, wide, STEP):
            value, target, sign = here + offset, place + offset, signs + offset // 32
            if not step.backward:
                give(value, target, sign, step.bias + start + offset, step.floor)
            elif step.add:
                put_more(value, target, sign)
            else:
                put(value, target, sign)
