"""Style transfer in plain float64 NumPy: the tests' independent reference.

Written from the description of the 2016 code, layer by layer, with gradients by
hand. It shares no line with the package.
"""

from __future__ import annotations

import numpy as np

VGG16 = (
    *(("conv", "conv1_1", 1, 1), "relu", ("conv", "conv1_2", 1, 1), "tap", "relu"),
    ("pool", 2, 2),
    *(("conv", "conv2_1", 1, 1), "relu", ("conv", "conv2_2", 1, 1), "tap", "relu"),
    ("pool", 2, 2),
    *(("conv", "conv3_1", 1, 1), "relu", ("conv", "conv3_2", 1, 1), "relu"),
    *(("conv", "conv3_3", 1, 1), "tap", "relu"),
    ("pool", 2, 2),
    *(("conv", "conv4_1", 1, 1), "relu", ("conv", "conv4_2", 1, 1), "relu"),
    *(("conv", "conv4_3", 1, 1), "tap"),
)
NIN = (
    *(("conv", "conv1", 4, 0), "relu", "tap"),
    *(("conv", "cccp1", 1, 0), "relu", ("conv", "cccp2", 1, 0), "relu"),
    ("pool", 3, 2),
    *(("conv", "conv2", 1, 2), "relu", "tap"),
    *(("conv", "cccp3", 1, 0), "relu", ("conv", "cccp4", 1, 0), "relu"),
    ("pool", 3, 2),
    *(("conv", "conv3", 1, 1), "relu", "tap"),
    *(("conv", "cccp5", 1, 0), "relu", ("conv", "cccp6", 1, 0), "relu"),
    ("pool", 3, 2),
    *(("conv", "conv4-1024", 1, 1), "relu", "tap"),
)
LAYERS = {"vgg16": VGG16, "nin": NIN}
ALPHA = (0.0, 0.0, 1.0, 1.0)
BETA = (1.0, 1.0, 1.0, 1.0)


def windows(height, width, kernel, stride):
    """Slices of a picture, one per position within the kernel."""
    rows = (height - kernel) // stride + 1
    columns = (width - kernel) // stride + 1
    for i in range(kernel):
        for j in range(kernel):
            down = slice(i, i + stride * (rows - 1) + 1, stride)
            across = slice(j, j + stride * (columns - 1) + 1, stride)
            yield i, j, down, across


def conv(x, W, b, stride, pad):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    total = b[:, None, None]
    for i, j, down, across in windows(*x.shape[1:], W.shape[2], stride):
        total = total + np.tensordot(W[:, :, i, j], x[:, down, across], axes=1)
    return total


def conv_back(g, shape, W, stride, pad):
    out = np.zeros((shape[0], shape[1] + 2 * pad, shape[2] + 2 * pad))
    for i, j, down, across in windows(*out.shape[1:], W.shape[2], stride):
        out[:, down, across] += np.tensordot(W[:, :, i, j].T, g, axes=1)
    return out[:, pad : pad + shape[1], pad : pad + shape[2]]


def pool(x, kernel, stride):
    return sum(
        x[:, down, across]
        for _, _, down, across in windows(*x.shape[1:], kernel, stride)
    ) / (kernel * kernel)


def pool_back(g, shape, kernel, stride):
    out = np.zeros(shape)
    for _, _, down, across in windows(*shape[1:], kernel, stride):
        out[:, down, across] += g / (kernel * kernel)
    return out


def gram(y):
    channels, height, width = y.shape
    flat = y.reshape(channels, -1)
    return flat @ flat.T / (channels * height * width)


def features(layers, arrays, x):
    """Feature maps at the taps of one picture, shape (3, height, width)."""
    return forward(layers, arrays, x)[0]


def forward(layers, arrays, x):
    taps, tape = [], []
    for layer in layers:
        tape.append(x)
        if layer == "tap":
            taps.append(x)
        elif layer == "relu":
            x = np.maximum(x, 0)
        elif layer[0] == "pool":
            x = pool(x, *layer[1:])
        else:
            _, name, stride, pad = layer
            x = conv(x, *parameters(arrays, name), stride, pad)
    return taps, tape


def parameters(arrays, name):
    return arrays[name]["W"].astype(float), arrays[name]["b"].astype(float)


def losses_and_gradient(network, arrays, image, content, style, lam):
    """Content terms, style terms and gradient of the 2016 loss."""
    layers = LAYERS[network]
    content_taps = features(layers, arrays, content)
    grams = [gram(y) for y in features(layers, arrays, style)]
    taps, tape = forward(layers, arrays, image)
    n = len(taps)
    content_losses, style_losses, tap_gradients = [], [], []
    for y, c, a, alpha, beta in zip(
        taps, content_taps, grams, ALPHA, BETA, strict=True
    ):
        d = gram(y) - a
        content_losses.append(lam * alpha * np.mean((y - c) ** 2))
        style_losses.append(beta * np.mean(d**2) / n)
        flat = y.reshape(len(y), -1)
        of_style = (2 * beta / n / d.size) * (d + d.T) @ flat / y.size
        tap_gradients.append(
            of_style.reshape(y.shape) + 2 * lam * alpha * (y - c) / y.size
        )
    g = np.zeros_like(taps[-1])
    for layer, x in zip(reversed(layers), reversed(tape), strict=True):
        if layer == "tap":
            g = g + tap_gradients.pop()
        elif layer == "relu":
            g = g * (x > 0)
        elif layer[0] == "pool":
            g = pool_back(g, x.shape, *layer[1:])
        else:
            _, name, stride, pad = layer
            g = conv_back(g, x.shape, parameters(arrays, name)[0], stride, pad)
    return content_losses, style_losses, g
