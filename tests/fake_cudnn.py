"""A stand-in for cuDNN's frontend that remembers what it was asked for."""

from __future__ import annotations

import enum
from typing import ClassVar

data_type = enum.Enum("data_type", "FLOAT HALF BFLOAT16")
heur_mode = enum.Enum("heur_mode", "A B FALLBACK")
numerical_note = enum.Enum(
    "numerical_note", "TENSOR_CORE DOWN_CONVERT_INPUTS NONDETERMINISTIC"
)


class UnsupportedError(Exception):
    """What the frontend raises where cuDNN has no way."""


class Tensor:
    def __init__(self, **given):
        self.given = given

    def __getattr__(self, name):
        if not name.startswith("set_"):
            raise AttributeError(name)

        def keep(value):
            self.given[name.removeprefix("set_")] = value
            return self

        return keep

    def get_uid(self):
        return id(self)


class Graph:
    """A graph of operations, which every plan of a list computes."""

    made: ClassVar[list[Graph]] = []
    refused = frozenset()
    """Operations that cuDNN is not to fuse with a convolution."""
    plans = ("slow", "broken", "greedy", "fast", "slower")
    broken = frozenset({"broken"})
    greedy = frozenset({"greedy"})
    """Plans that need more space than there is."""

    def __init__(self, **options):
        self.options, self.operations, self.asked = options, [], []
        self.built, self.ran = [], []
        Graph.made.append(self)

    def tensor(self, **given):
        return Tensor(**given)

    def _operate(self, name, **given):
        self.operations.append((name, given))
        return Tensor(of=name)

    def conv_fprop(self, **given):
        return self._operate("conv_fprop", **given)

    def conv_dgrad(self, **given):
        return self._operate("conv_dgrad", **given)

    def bias(self, **given):
        return self._operate("bias", **given)

    def relu(self, **given):
        return self._operate("relu", **given)

    def relu_backward(self, **given):
        return self._operate("relu_backward", **given)

    def validate(self):
        self.asked.append("validate")

    def build_operation_graph(self):
        self.asked.append("build_operation_graph")

    def create_execution_plans(self, modes):
        self.asked.append(("create_execution_plans", tuple(modes)))

    def deselect_numeric_notes(self, notes):
        self.asked.append(("deselect_numeric_notes", tuple(notes)))

    def deselect_workspace_greater_than(self, size):
        self.asked.append(("deselect_workspace_greater_than", size))

    def check_support(self):
        if {name for name, _ in self.operations} & self.refused:
            raise UnsupportedError("no engine\nfor it")

    def get_execution_plan_count(self):
        return len(self.plans)

    def get_plan_name_at_index(self, index):
        return self.plans[index]

    def build_plan_at_index(self, index):
        if self.plans[index] in self.broken:
            raise UnsupportedError("cannot be built")
        self.built.append(index)

    def get_workspace_size_plan_at_index(self, index):
        assert index in self.built
        return 1 << 40 if self.plans[index] in self.greedy else 1 << 20

    def execute_plan_at_index(self, pack, workspace, index, handle=None):
        self.ran.append((pack, workspace, index, handle))


pygraph = Graph


def create_handle():
    return 5


def set_stream(handle, stream):
    assert (handle, stream) == (5, 4711)


def backend_version():
    return 92801


__version__ = "fake"
