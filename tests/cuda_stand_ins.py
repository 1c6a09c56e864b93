"""A device of CUDA whose libraries are stand-ins that compute on the processor."""

from __future__ import annotations

import ctypes
import sys

import fake_cudnn
import fake_cupy
import host_machine
import numpy as np
from fake_cublas import Library

from chainer_style.compat import cudnn
from chainer_style.engines.cuda import device as of_cuda
from chainer_style.engines.cuda import products, recording, tuning
from chainer_style.engines.cuda.steps import Geometry


class ComputingGraph(fake_cudnn.Graph):
    """A graph whose plans compute, on the fake device."""

    cupy = None

    def execute_plan_at_index(self, pack, workspace, index, handle=None):
        assert index in self.built
        assert handle == 5
        self.cupy.do(lambda: self._compute(pack))

    def _compute(self, pack):
        (name, given), *others = self.operations
        image = given.get("image", given.get("loss"))
        filters = given.get("weight", given.get("filter"))
        outputs, depth, kernel, _ = filters.given["dim"]
        W = self._array(filters, pack).transpose(0, 2, 3, 1).astype(float)
        x = self._array(image, pack)[0].transpose(1, 2, 0).astype(float)
        target = self.of(pack, self.out)
        if name == "conv_fprop":
            inputs, height, width = image.given["dim"][1:]
            made = self.out.given["dim"][2:]
            geometry = self._geometry(given, inputs, outputs, depth, kernel)
            g = Geometry(*geometry, height, width, *made)
            y = host_machine.forward(x, W, g)
            for other, more in others:
                if other == "bias":
                    y += self._array(more["bias"], pack).ravel()
                elif other == "relu":
                    y = np.maximum(y, 0)
                else:
                    self._stop(y, more, pack)
        else:
            inputs, height, width = self.out.given["dim"][1:]
            geometry = self._geometry(given, inputs, outputs, depth, kernel)
            g = Geometry(*geometry, height, width, *image.given["dim"][2:])
            y = host_machine.back(x, W, g)
            for _, more in others:
                self._stop(y, more, pack)
        target[0] = y.transpose(2, 0, 1)

    def _stop(self, y, given, pack):
        seen = self._array(given["input"], pack)[0].transpose(1, 2, 0)
        y[~(seen > 0)] = 0

    @staticmethod
    def _geometry(given, inputs, outputs, depth, kernel):
        stride, pad = given["stride"][0], given["padding"][0]
        return inputs, outputs, inputs // depth, kernel, stride, pad

    def of(self, pack, tensor):
        dim, strides = tensor.given["dim"], tensor.given["stride"]
        raw = (ctypes.c_float * int(np.prod(dim))).from_address(pack[tensor.get_uid()])
        flat = np.frombuffer(raw, np.float32)
        return np.lib.stride_tricks.as_strided(flat, dim, [4 * s for s in strides])

    _array = lambda self, tensor, pack: self.of(pack, tensor)  # noqa: E731

    def _operate(self, name, **given):
        self.out = super()._operate(name, **given)
        return self.out


def install(monkeypatch):
    """Have a device of stand-ins; return what takes CuPy's place."""
    fake = fake_cupy.Cupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cudnn, "frontend", lambda: fake_cudnn)
    monkeypatch.setattr(fake_cudnn, "pygraph", ComputingGraph)
    monkeypatch.setattr(ComputingGraph, "cupy", fake)
    monkeypatch.setattr(of_cuda, "check", lambda device: None)
    monkeypatch.setattr(tuning, "TRIED", 2)
    monkeypatch.setattr(recording, "TIMES", 1)
    monkeypatch.setattr(recording, "MOST", 1)

    class Captured(Library):
        def gemm(self, *given):
            fake.do(lambda: super(Captured, self).gemm(*given))

    monkeypatch.setattr(products, "load", lambda version: Captured())
    return fake
