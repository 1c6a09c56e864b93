"""A stand-in for cuBLAS that computes, as it does, column by column."""

from __future__ import annotations

import ctypes

import numpy as np


class Library:
    """cuBLAS's calls that are used, on the processor's memory, in single precision."""

    def __init__(self, status=0):
        self.status, self.calls = status, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, arguments))
            if name == "cublasGemmEx":
                self.gemm(*arguments)
            return self.status if name == "cublasGemmEx" else 0

        return call

    def gemm(self, handle, *arguments):
        values = [getattr(a, "value", a) for a in arguments]
        first, second, m, n, k, alpha, A, kind, lda, B, other, ldb = values[:12]
        beta, C, made, ldc, self.compute, algorithm = values[12:]
        assert (kind, other, made, algorithm) == (0, 0, 0, -1)
        a = matrix(A, lda, m if not first else k, k if not first else m)
        b = matrix(B, ldb, k if not second else n, n if not second else k)
        c = matrix(C, ldc, m, n)
        a, b = (a.T if first else a), (b.T if second else b)
        before = beta._obj.value * c if beta._obj.value else 0
        c[...] = alpha._obj.value * (a @ b) + before


def matrix(address, leading, rows, columns):
    """A matrix as Fortran lays it out."""
    assert leading >= rows
    raw = (ctypes.c_float * (leading * columns)).from_address(address)
    return np.frombuffer(raw, np.float32).reshape(columns, leading).T[:rows]
