"""Vector code, emitted straight to LLVM: what numba's loops cannot be relied on for.

An emitter writes into the function that numba is compiling; addresses are integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chainer_style.engines.cpu.kernels import target

FLOAT = ir.FloatType()
WORD = ir.IntType(64)
FUSED = ("contract", "nsz")
"""A product may be added in one instruction; what is no number stays so. Sums are not
reordered: LLVM would do it in one loop and not in the next, and a picture come out
otherwise for how it was cut."""

REORDERED = {"reassoc", *FUSED}
"""The same for numba's own loops, whose sums may be reordered."""


class _BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's type of the upper halves of float32, which llvmlite does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


PAIR = ir.IntType(32)
"""Two numbers of bfloat16, the lower half first."""


class Emitter:
    """Emits arithmetic on vectors of float32.

    Parameters
    ----------
    builder
        Where to write.
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder
        self.lanes = target.get().lanes
        self.vector = ir.VectorType(FLOAT, self.lanes)

    def word(self, value: int) -> ir.Constant:
        """Return an integer."""
        return ir.Constant(WORD, value)

    def plus(self, address: Any, offset: Any) -> Any:
        """Return an address further on, by bytes."""
        if isinstance(offset, int):
            if not offset:
                return address
            offset = self.word(offset)
        return self.builder.add(address, offset)

    def times(self, value: Any, factor: int) -> Any:
        """Return an integer, multiplied."""
        return self.builder.mul(value, self.word(factor))

    def constant(self, value: float) -> ir.Constant:
        """Return a vector of one number."""
        return ir.Constant(self.vector, [float(value)] * self.lanes)

    def load(self, address: Any, kind: ir.Type | None = None) -> Any:
        """Return the vector, or what else is asked for, at an address."""
        kind = kind or self.vector
        found = self.builder.load(self.builder.inttoptr(address, kind.as_pointer()))
        found.align = 4 if isinstance(kind, ir.VectorType) else 1
        return found

    def store(self, value: Any, address: Any) -> None:
        """Write a value to an address."""
        pointer = self.builder.inttoptr(address, value.type.as_pointer())
        whole = isinstance(value.type, ir.VectorType)
        self.builder.store(value, pointer).align = 4 if whole else 1

    def room(self, count: int) -> Any:
        """Return the address of so many vectors that only this function knows of."""
        with self.builder.goto_entry_block():
            found = self.builder.alloca(self.vector, count)
        found.align = 4 * self.lanes
        return self.builder.ptrtoint(found, WORD)

    def fetch(self, address: Any, to_write: bool = False) -> None:
        """Ask for the cache line of an address ahead of time; it may be anywhere.

        What is to be read comes into the second cache: the first is full of a tile.
        """
        module, number = self.builder.module, ir.IntType(32)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        name = "llvm.prefetch.p0i8"
        function = module.globals.get(name) or ir.Function(module, kind, name)
        pointer = self.builder.inttoptr(address, byte)
        given = (1, 3, 1) if to_write else (0, 2, 1)
        self.builder.call(function, [pointer, *[number(value) for value in given]])

    def spread(self, address: Any, kind: ir.Type = FLOAT) -> Any:
        """Return a vector of one number, which is at an address."""
        vector = ir.VectorType(kind, self.lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        number = self.load(address, kind)
        number.align = 4
        first = self.builder.insert_element(
            undefined, number, ir.Constant(ir.IntType(32), 0)
        )
        nowhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.builder.shuffle_vector(first, undefined, nowhere)

    def add(self, one: Any, other: Any) -> Any:
        """Return a sum."""
        return self.builder.fadd(one, other, flags=FUSED)

    def subtract(self, one: Any, other: Any) -> Any:
        """Return a difference."""
        return self.builder.fsub(one, other, flags=FUSED)

    def scale(self, one: Any, factor: float) -> Any:
        """Return a multiple."""
        if factor == 1:
            return one
        return self.builder.fmul(one, self.constant(factor), flags=FUSED)

    def multiply(self, one: Any, other: Any) -> Any:
        """Return a product, number by number."""
        return self.builder.fmul(one, other, flags=FUSED)

    def multiply_add(self, one: Any, other: Any, total: Any) -> Any:
        """Return ``one * other + total``, in one instruction where there is one.

        Written as a product and a sum, LLVM would share the product with other sums,
        and round it.
        """
        module = self.builder.module
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f32"
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, [one, other, total], fastmath=FUSED)

    def halves(self, one: Any) -> Any:
        """Return a vector in bfloat16, rounded to the nearest, ties to even."""
        builder, whole = self.builder, ir.VectorType(PAIR, self.lanes)
        bits = builder.bitcast(one, whole)
        odd = builder.and_(builder.lshr(bits, self._all(16)), self._all(1))
        rounded = builder.add(builder.add(bits, self._all(0x7FFF)), odd)
        upper = builder.lshr(rounded, self._all(16))
        return builder.trunc(upper, ir.VectorType(ir.IntType(16), self.lanes))

    def _all(self, value: int) -> ir.Constant:
        return ir.Constant(ir.VectorType(PAIR, self.lanes), [value] * self.lanes)

    def multiply_add_pairs(self, one: Any, other: Any, total: Any) -> Any:
        """Add the products of vectors of pairs to a total, those of a pair together."""
        module = self.builder.module
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * self.lanes}"
        numbers = ir.VectorType(_BFloat(), 2 * self.lanes)
        kind = ir.FunctionType(self.vector, [self.vector, numbers, numbers])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        given = [self.builder.bitcast(value, numbers) for value in (one, other)]
        return self.builder.call(function, [total, *given])

    def positive(self, one: Any) -> Any:
        """Return which numbers are above zero, as a vector of bits."""
        return self.builder.fcmp_ordered(">", one, self.constant(0))

    def bits(self, which: Any) -> Any:
        """Return a vector of bits as one integer."""
        return self.builder.bitcast(which, ir.IntType(self.lanes))

    def which(self, bits: Any) -> Any:
        """Return an integer as a vector of bits."""
        return self.builder.bitcast(bits, ir.VectorType(ir.IntType(1), self.lanes))

    def select(self, which: Any, one: Any) -> Any:
        """Return a vector, zero where a bit is not set."""
        return self.builder.select(which, one, self.constant(0))


Emit = Callable[..., Any]


def kernel(count: int) -> Callable[[Emit], Any]:
    """Make what emits code a function of so many integers that numba can call."""
    arguments = ", ".join(f"a{i}" for i in range(count))

    def decorate(emit: Emit) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            emit(Emitter(builder), *given)
            return context.get_dummy_value()

        # numba reads names and number of the parameters off the function.
        space = {
            "signature": types.void(*[types.int64] * count),
            "generate": generate,
        }
        exec(
            f"def typed(typing, {arguments}):\n    return signature, generate",
            space,
        )
        typed: Any = space["typed"]
        typed.__doc__ = emit.__doc__
        return intrinsic(typed)

    return decorate


def loop(builder: ir.IRBuilder, count: Any, carried: Sequence[Any]) -> Loop:
    """Begin a loop of at least one turn; see `Loop`."""
    return Loop(builder, count, carried)


class Loop:
    """A loop of at least one turn, whose values live in registers.

    Used as a context; within it, `index` counts from zero, and `values` are those
    carried from the turn before, at first the given ones. Set `following`.
    """

    def __init__(self, builder: ir.IRBuilder, count: Any, carried: Sequence[Any]):
        self._builder, self._count, self._carried = builder, count, carried
        self.values: list[Any] = []
        self.following: list[Any] = []

    def __enter__(self) -> Loop:
        builder = self._builder
        before = builder.block
        self._body = builder.append_basic_block("turn")
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self.index = builder.phi(WORD)
        self.index.add_incoming(ir.Constant(WORD, 0), before)
        for value in self._carried:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            self.values.append(phi)
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is not None:
            return
        builder = self._builder
        one = builder.add(self.index, ir.Constant(WORD, 1))
        last = builder.block
        self.index.add_incoming(one, last)
        for phi, value in zip(self.values, self.following, strict=True):
            phi.add_incoming(value, last)
        after = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", one, self._count), self._body, after)
        builder.position_at_end(after)


def _copy(emit: Emitter, source: Any, target: Any, count: Any) -> None:
    """Copy numbers eight at a time; the last eight partly for the second time."""
    builder = emit.builder
    eight = ir.VectorType(FLOAT, 8)
    with Loop(builder, builder.lshr(count, emit.word(3)), []) as turn:
        here = emit.times(turn.index, 32)
        value = emit.load(emit.plus(source, here), eight)
        emit.store(value, emit.plus(target, here))
    last = emit.times(builder.sub(count, emit.word(8)), 4)
    value = emit.load(emit.plus(source, last), eight)
    emit.store(value, emit.plus(target, last))


@kernel(6)
def copy_runs(
    emit: Emitter,
    source: Any,
    target: Any,
    count: Any,
    runs: Any,
    stride: Any,
    target_stride: Any,
) -> None:
    """Copy so many numbers, 8 of them at least, from so many places, 1 at least.

    Parameters are the addresses of the first, the numbers of each, how many places,
    and the bytes from one to the next, of the source and of the target.
    """
    with Loop(emit.builder, runs, []) as turn:
        here = emit.plus(source, emit.builder.mul(turn.index, stride))
        there = emit.plus(target, emit.builder.mul(turn.index, target_stride))
        _copy(emit, here, there, count)
