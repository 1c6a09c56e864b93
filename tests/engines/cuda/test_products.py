"""Products are what cuBLAS is asked for, read column by column as it reads."""

from __future__ import annotations

import numpy as np
import pytest
from fake_cublas import Library
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.engines.cuda import products
from chainer_style.engines.cuda.formats import FORMATS
from chainer_style.engines.cuda.products import CublasError, Products
from chainer_style.engines.cuda.steps import Product

extent = st.integers(1, 7)


@given(rows=extent, columns=extent, depth=extent, adding=st.booleans())
def test_a_product(rows, columns, depth, adding):
    random = np.random.RandomState(rows)
    left = random.randn(rows, depth).astype(np.float32)
    right = random.randn(depth, columns).astype(np.float32)
    out = random.randn(rows, columns).astype(np.float32)
    expected = left @ right + (out if adding else 0)
    step = Product("tap", "l", "r", "o", rows, columns, depth, adding=adding)
    run(step, left, right, out)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@given(channels=extent, positions=extent)
def test_a_gram_matrix(channels, positions):
    x = np.random.RandomState(0).randn(positions, channels).astype(np.float32)
    gram = np.full((channels, channels), np.nan, np.float32)
    sizes = channels, channels, positions
    run(Product("tap", "l", "r", "o", *sizes, transposed=True), x, x, gram)
    np.testing.assert_allclose(gram, x.T @ x, rtol=1e-5, atol=1e-5)


def run(step, left, right, out, precision="float32", library=None):
    library = library or Library()
    asked = Products(library, 7, 99, FORMATS[precision])
    places = {"l": left.ctypes.data, "r": right.ctypes.data, "o": out.ctypes.data}
    asked.product(step, places)()
    return library


@pytest.mark.parametrize(("precision", "compute"), [("float32", 68), ("tf32", 77)])
def test_tf32_is_asked_for(precision, compute):
    x = np.ones((3, 2), np.float32)
    out = np.zeros((2, 2), np.float32)
    step = Product("tap", "l", "r", "o", 2, 2, 3, transposed=True)
    assert run(step, x, x, out, precision).compute == compute


@pytest.mark.parametrize(("precision", "kind"), [("fp16", 2), ("bf16", 14)])
@pytest.mark.parametrize("transposed", [False, True])
def test_sums_of_half_as_many_bits_are_single(precision, kind, transposed, monkeypatch):
    seen = []
    monkeypatch.setattr(Library, "gemm", lambda self, *given: seen.append(given))
    x = np.ones((2, 2), np.float16)
    step = Product("tap", "l", "r", "o", 2, 2, 2, transposed=transposed)
    run(step, x, x, x, precision)
    (given,) = seen
    values = [getattr(a, "value", a) for a in given[1:]]
    assert (values[7], values[10]) == (kind, kind)
    assert values[14] == (0 if transposed else kind)
    assert values[16] == products.SINGLE


def test_its_working_space_is_given():
    """It may allocate none in a capture; and a new stream would take it away."""
    library = Library()
    Products(library, 7, 99, FORMATS["tf32"])
    names = [name for name, _ in library.calls]
    assert names == ["cublasCreate_v2", "cublasSetStream_v2", "cublasSetWorkspace_v2"]
    (_, place, size) = library.calls[-1][1]
    assert (place.value, size.value) == (99, products.WORKSPACE)
    assert library.calls[1][1][1].value == 7


def test_what_cublas_refuses_is_told():
    x = np.ones((2, 2), np.float32)
    step = Product("tap", "l", "r", "o", 2, 2, 2)
    with pytest.raises(CublasError, match="cublasGemmEx failed with status 15"):
        run(step, x, x, x, library=Library(15))
