"""From a `.caffemodel` to the weights of a network."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import caffe_files
import numpy as np
import pytest
from caffe_files import Blob, Layer

from chainer_style.errors import UserError
from chainer_style.networks import NIN, VGG16, Network
from chainer_style.weights import caffe


@pytest.mark.parametrize(
    "how",
    [{}, {"shape": "legacy"}, {"data": "unpacked"}, {"double": True}],
    ids=["plain", "legacy", "unpacked", "double"],
)
def test_load(tmp_path: Path, network: Network, arrays, how) -> None:
    content = caffe_files.model_of(arrays, **how)
    path = tmp_path / "m.caffemodel"
    path.write_bytes(content)
    weights = caffe.load(path, network)
    path.write_bytes(bytes(len(content)))  # the copies do not notice
    assert (weights.network, weights.kind, weights.source, weights.seed) == (
        "tiny",
        "trained",
        "m.caffemodel",
        None,
    )
    assert weights.sha256 == hashlib.sha256(content).hexdigest()
    assert list(weights.arrays) == list(arrays)
    for layer, key in itertools.product(arrays, "Wb"):
        array = weights.arrays[layer][key]
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.aligned
        np.testing.assert_array_equal(array, arrays[layer][key])


def test_load_keeps_what_the_network_needs(tmp_path: Path, network, arrays) -> None:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    weights = caffe.load(path, network.upto_taps())
    assert list(weights.arrays) == ["conv1/3x3_s2", "mixed/1x1"]


def test_load_refuses_another_network(tmp_path: Path, network, arrays) -> None:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    with pytest.raises(
        UserError, match=r"m\.caffemodel does not hold .* of NIN: layer"
    ):
        caffe.load(path, NIN)
    odd = dataclasses.replace(network, input_size=11)
    with pytest.raises(UserError, match="fc/W has shape 6×80, not 6×125"):
        caffe.load(path, odd)


@pytest.mark.parametrize("whole", [NIN, VGG16.upto_taps()], ids=["nin", "vgg16"])
def test_a_real_networks_file(tmp_path: Path, random_arrays, whole: Network) -> None:
    arrays = random_arrays(whole)
    written = [
        Layer(name, 4, tuple(Blob(x, shape="legacy") for x in parameters.values()))
        for name, parameters in arrays.items()
    ]
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.encode(written))
    part = whole.upto_taps()
    weights = caffe.load(path, part)
    assert list(weights.arrays) == list(part.parameter_shapes())
    for layer, parameters in weights.arrays.items():
        for key, array in parameters.items():
            np.testing.assert_array_equal(array, arrays[layer][key])


MEASURE = """
import re, sys
from pathlib import Path
from chainer_style.networks import Network
from chainer_style.networks.nodes import Linear
from chainer_style.weights import caffe
fc = Linear("fc", ("data",), channels=1024)
network = Network("one", "One", (fc,), (), (0, 0, 0), 64, "")

def peak():  # not ru_maxrss, which a child inherits
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
weights = caffe.load(sys.argv[1], network)
print((peak() - before) * 1024, weights.arrays["fc"]["W"].nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux")
def test_memory_stays_close_to_what_the_arrays_take(tmp_path: Path) -> None:
    arrays = {"fc": {"W": np.ones((1024, 3 * 64 * 64), "f4"), "b": np.ones(1024, "f4")}}
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    words = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    taken, needed = map(int, done.stdout.split())
    assert needed == 1024 * 3 * 64 * 64 * 4
    assert needed < taken + (8 << 20)
    assert taken < needed + (36 << 20)


def test_without_a_checksum(tmp_path: Path, network: Network, arrays) -> None:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    weights = caffe.load(path, network, checksum=False)
    assert weights.sha256 is None
    whole = caffe.load(path, network)
    np.testing.assert_array_equal(weights.arrays["fc"]["W"], whole.arrays["fc"]["W"])
