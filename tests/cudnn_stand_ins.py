"""Stand-ins for CuPy, libcudnn and NVIDIA's frontend, which write down their calls."""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from chainer_style.compat.cudnn import _libraries, _plans, _state

STREAM, HANDLE, WORKSPACE = 0x57, 0x7A00000000, 0x3000000000
"""Handle and workspace have more than 32 bits, as pointers do."""


class Array(np.ndarray):
    """An array that tells where it lies as CuPy's do."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


def array(values):
    return np.asarray(values).view(Array)


def random(shape, dtype="float32"):
    return array(np.random.RandomState(0).uniform(-1, 1, shape).astype(dtype))


def cupy(device=0, clock=None):
    """CuPy 14 with one current device; `clock` has the milliseconds of its events."""
    module = ModuleType("cupy")
    module.__version__ = "14.2.0"
    module.device = device
    module.allocated = []
    module.get_array_module = lambda *arrays: np
    module.ascontiguousarray = lambda a: array(np.ascontiguousarray(a))
    module.empty = lambda shape, dtype: array(np.zeros(shape, dtype))

    def alloc(size):
        module.allocated.append(size)
        return SimpleNamespace(ptr=WORKSPACE if size else 0)

    event = SimpleNamespace(record=lambda: None, synchronize=lambda: None)
    module.cuda = SimpleNamespace(
        Device=lambda: SimpleNamespace(id=module.device, compute_capability="90"),
        get_current_stream=lambda: SimpleNamespace(ptr=STREAM),
        alloc=alloc,
        Event=lambda: event,
        get_elapsed_time=lambda start, end: next(clock) if clock else 1.0,
    )
    return module


class Library:
    """libcudnn; arguments are written down as plain Python values."""

    def __init__(self):
        self.calls = []
        self.made = 0
        self.fails = {}

    def cudnnGetVersion(self):  # noqa: N802
        return 92801

    def cudnnGetErrorString(self, status):  # noqa: N802
        return {3000: b"CUDNN_STATUS_NOT_SUPPORTED"}[status]

    def cudnnGetLastErrorString(self, buffer, size):  # noqa: N802
        buffer.value = b"because"

    def __getattr__(self, name):
        if not name.startswith("cudnn"):
            raise AttributeError(name)

        def function(*arguments):
            if name.startswith("cudnnCreate"):
                self.made += 1
                arguments[0]._obj.value = self.made
            self.calls.append((name, *map(plain, arguments)))
            return self.fails.get(name, 0)

        return function

    def last(self, name):
        return [call[1:] for call in self.calls if call[0] == name][-1]


def plain(value):
    if isinstance(value, ctypes.Array):
        return tuple(value)
    if hasattr(value, "_obj"):  # what ctypes.byref gives
        value = value._obj
    return value.value


class FrontendError(Exception):
    """The frontend's own, which is no RuntimeError."""


class Tensor:
    def __init__(self, **made):
        self.made = made

    def set_output(self, value):
        self.made["output"] = value
        return self

    def set_data_type(self, value):
        self.made["data_type"] = value
        return self

    def set_dim(self, value):
        self.made["dim"] = value
        return self

    def set_stride(self, value):
        self.made["stride"] = value
        return self


class Graph:
    """A pygraph with the plans that the frontend was given."""

    def __init__(self, frontend, **made):
        self.frontend, self.made = frontend, made
        self.unwanted, self.limit, self.modes = None, None, None
        self.tensors, self.operation = [], None
        self.built, self.executed = [], []
        frontend.graphs.append(self)

    def tensor(self, **made):
        self.tensors.append(Tensor(**made))
        return self.tensors[-1]

    def _operation(self, name, arguments):
        self.operation = name, arguments
        return Tensor()

    def conv_fprop(self, **arguments):
        return self._operation("fprop", arguments)

    def conv_dgrad(self, **arguments):
        return self._operation("dgrad", arguments)

    def conv_wgrad(self, **arguments):
        return self._operation("wgrad", arguments)

    def validate(self):
        if self.frontend.invalid:
            raise FrontendError(self.frontend.invalid)

    def build_operation_graph(self):
        return None

    def create_execution_plans(self, modes):
        self.modes = modes

    def deselect_numeric_notes(self, notes):
        assert self.modes, "there are no plans yet"
        self.unwanted = notes

    def deselect_workspace_greater_than(self, limit):
        self.limit = limit

    def get_execution_plan_count(self):
        return len(self.frontend.plans)

    def build_plan_at_index(self, index):
        plan = self.frontend.plans[index]
        if plan.error:
            raise plan.error
        if set(plan.notes) & set(self.unwanted):
            raise RuntimeError("Deselecting execution plan")
        if plan.workspace > self.limit:
            raise RuntimeError("workspace violation")
        self.built.append(index)

    def get_workspace_size_plan_at_index(self, index):
        return self.frontend.plans[index].workspace

    def execute_plan_at_index(self, pointers, workspace, index, handle):
        assert index in self.built
        if self.frontend.plans[index].broken:
            raise FrontendError("launch failed")
        self.executed.append((pointers, workspace, index, handle))


def plan(*notes, workspace=0, error=None, broken=False):
    return SimpleNamespace(notes=notes, workspace=workspace, error=error, broken=broken)


NAMES = (
    "DOWN_CONVERT_INPUTS",
    "NONDETERMINISTIC",
    "REDUCED_PRECISION_REDUCTION",
    "TENSOR_CORE",
)


def frontend(*plans):
    module = ModuleType("cudnn")
    module.__version__ = "1.22.1"
    module.plans = list(plans) or [plan()]
    module.invalid = None
    module.graphs, module.streams, module.handles = [], [], 0
    module.data_type = SimpleNamespace(HALF="HALF", FLOAT="FLOAT", DOUBLE="DOUBLE")
    module.heur_mode = SimpleNamespace(A="A", FALLBACK="FALLBACK")
    module.numerical_note = SimpleNamespace(**{name: name for name in NAMES})
    module.cudnnGraphNotSupportedError = FrontendError
    module.backend_version = lambda: 92801
    module.pygraph = lambda **made: Graph(module, **made)

    def create_handle():
        module.handles += 1
        return HANDLE + module.handles

    def set_stream(handle, stream):
        module.streams.append((handle, stream))

    module.create_handle, module.set_stream = create_handle, set_stream
    return module


@pytest.fixture
def stand_ins(monkeypatch):
    """All three, in the places of the real ones; nothing is known from before."""
    found = SimpleNamespace(cupy=cupy(), library=Library(), frontend=frontend())
    monkeypatch.setitem(sys.modules, "cupy", found.cupy)
    monkeypatch.setattr(_libraries, "library", lambda: found.library)
    monkeypatch.setattr(_libraries, "frontend", lambda: found.frontend)
    monkeypatch.setattr(_libraries, "load_what_cudnn_opens", lambda: None)
    monkeypatch.setattr(_state, "_max_workspace_size", 8 << 20)
    _state._handles.__dict__.clear()
    _plans.forget()
    yield found
    _state._handles.__dict__.clear()
    _plans.forget()
