"""Chainer's Caffe loader: a network written with its own ``caffe_pb2``."""

import chainer
import numpy as np
import pytest
from chainer.links.caffe import CaffeFunction
from chainer.links.caffe.protobuf3 import caffe_pb2
from google.protobuf import descriptor_pool

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(4, 2, 3, 3)).astype("f")
BIAS = RNG.normal(size=4).astype("f")
WEIGHT = RNG.normal(size=(5, 4 * 3 * 3)).astype("f")


def add_blob(layer, array, v1):
    blob = layer.blobs.add()
    blob.data.extend(array.ravel().tolist())
    if v1:
        shape = (1,) * (4 - array.ndim) + array.shape
        blob.num, blob.channels, blob.height, blob.width = shape
    else:
        blob.shape.dim.extend(array.shape)


def network(v1):
    """Return convolution, ReLU, max pooling and inner product, in either format."""
    net = caffe_pb2.NetParameter(name="small")

    def add(name, kind, bottom, *arrays):
        layer = net.layers.add() if v1 else net.layer.add()
        layer.name = name
        layer.type = getattr(layer, kind[0]) if v1 else kind[1]
        layer.bottom.append(bottom)
        layer.top.append(name)
        for array in arrays:
            add_blob(layer, array, v1)
        return layer

    conv = add("conv", ("CONVOLUTION", "Convolution"), "data", KERNEL, BIAS)
    conv.convolution_param.num_output = 4
    conv.convolution_param.kernel_size.append(3)
    conv.convolution_param.pad.append(1)
    add("relu", ("RELU", "ReLU"), "conv")
    pool = add("pool", ("POOLING", "Pooling"), "relu").pooling_param
    pool.pool, pool.kernel_size, pool.stride = pool.MAX, 2, 2
    product = add("product", ("INNER_PRODUCT", "InnerProduct"), "pool", WEIGHT)
    product.inner_product_param.num_output = 5
    product.inner_product_param.bias_term = False
    return net


def forward(x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    conv = np.einsum("nchwij,kcij->nkhw", windows, KERNEL) + BIAS[:, None, None]
    n, c, h, w = conv.shape
    pool = np.maximum(conv, 0).reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
    return {"pool": pool, "product": pool.reshape(n, -1) @ WEIGHT.T}


@pytest.mark.parametrize("v1", [True, False], ids=["V1", "V2"])
def test_caffe_function_computes_the_network(tmp_path, v1):
    path = tmp_path / "small.caffemodel"
    path.write_bytes(network(v1).SerializeToString())
    x = RNG.normal(size=(2, 2, 6, 6)).astype("f")
    with chainer.using_config("train", False):
        outputs = CaffeFunction(str(path))({"data": x}, ["pool", "product"])
    expected = forward(x)
    for name, output in zip(expected, outputs, strict=True):
        np.testing.assert_allclose(output.array, expected[name], rtol=1e-4, atol=1e-4)


def test_messages_survive_a_round_trip():
    net = network(v1=True)
    parsed = caffe_pb2.NetParameter.FromString(net.SerializeToString())
    assert parsed == net
    assert parsed.layers[0].type == caffe_pb2.V1LayerParameter.CONVOLUTION
    assert caffe_pb2.Phase.Name(caffe_pb2.TEST) == "TEST"


def test_description_is_in_a_pool_of_its_own():
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
