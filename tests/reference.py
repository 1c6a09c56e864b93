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
ALEXNET = (
    *(("conv", "conv1", 4, 0), "tap", "relu", "lrn", ("pool", 3, 2)),
    *(("conv", "conv2", 1, 2, 2), "tap", "relu", "lrn", ("pool", 3, 2)),
    *(("conv", "conv3", 1, 1), "tap", "relu", ("conv", "conv4", 1, 1, 2), "tap"),
    *("relu", ("conv", "conv5", 1, 1, 2), "tap"),
)
GOOGLENET = (
    *(("conv", "conv1/7x7_s2", 2, 3), "tap", "relu", ("pool", 3, 2), "lrn"),
    *(("conv", "conv2/3x3_reduce", 1, 0), "relu", ("conv", "conv2/3x3", 1, 1), "tap"),
    *("relu", "lrn", ("pool", 3, 2)),
    *(("inception", "inception_3a"), "tap", "relu"),
    *(("inception", "inception_3b"), "tap", "relu", ("pool", 3, 2)),
    *(("inception", "inception_4a"), "tap", "relu"),
    *(("inception", "inception_4b"), "tap"),
)
LAYERS = {"vgg16": VGG16, "nin": NIN, "alexnet": ALEXNET, "googlenet": GOOGLENET}
ALPHA = {
    **dict.fromkeys(("vgg16", "nin"), (0, 0, 1, 1)),
    "alexnet": (0, 0, 0, 1, 0),
    "googlenet": (0, 0, 0, 0, 1, 10),
}
BETA = {
    **dict.fromkeys(("vgg16", "nin"), (1, 1, 1, 1)),
    "alexnet": (1, 1, 1, 1, 1),
    "googlenet": (5e-5, 5, 50, 50, 5000, 500000),
}
CHAINERS, CAFFES = (2.0, 1e-4), (1.0, 1e-4 / 5)
"""k and alpha per square of response normalisation: of the 2016 code, of Caffe."""


def branches(name):
    """The branches of an inception module, whose outputs are joined."""
    return (
        (("conv", f"{name}/1x1", 1, 0),),
        (
            *(("conv", f"{name}/3x3_reduce", 1, 0), "relu"),
            ("conv", f"{name}/3x3", 1, 1),
        ),
        (
            *(("conv", f"{name}/5x5_reduce", 1, 0), "relu"),
            ("conv", f"{name}/5x5", 1, 2),
        ),
        (("pool", 3, 1, 1), ("conv", f"{name}/pool_proj", 1, 0)),
    )


def windows(height, width, kernel, stride):
    """Slices of a picture, one per position within the kernel."""
    rows = (height - kernel) // stride + 1
    columns = (width - kernel) // stride + 1
    for i in range(kernel):
        for j in range(kernel):
            down = slice(i, i + stride * (rows - 1) + 1, stride)
            across = slice(j, j + stride * (columns - 1) + 1, stride)
            yield i, j, down, across


def padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad)))


def conv(x, W, b, stride, pad):
    x = padded(x, pad)
    total = b[:, None, None]
    for i, j, down, across in windows(*x.shape[1:], W.shape[2], stride):
        total = total + np.tensordot(W[:, :, i, j], x[:, down, across], axes=1)
    return total


def conv_back(g, shape, W, stride, pad):
    out = np.zeros((shape[0], shape[1] + 2 * pad, shape[2] + 2 * pad))
    for i, j, down, across in windows(*out.shape[1:], W.shape[2], stride):
        out[:, down, across] += np.tensordot(W[:, :, i, j].T, g, axes=1)
    return out[:, pad : pad + shape[1], pad : pad + shape[2]]


def pool(x, kernel, stride, pad=0):
    x = padded(x, pad)
    return sum(
        x[:, down, across]
        for _, _, down, across in windows(*x.shape[1:], kernel, stride)
    ) / (kernel * kernel)


def pool_back(g, shape, kernel, stride, pad=0):
    out = padded(np.zeros(shape), pad)
    for _, _, down, across in windows(*out.shape[1:], kernel, stride):
        out[:, down, across] += g / (kernel * kernel)
    return out[:, pad : pad + shape[1], pad : pad + shape[2]]


def near(x, reach=2):
    """Sums over the channels at most `reach` away."""
    total = np.concatenate([np.zeros_like(x[:1]), np.cumsum(x, axis=0)])
    c = np.arange(len(x))
    return total[np.minimum(c + reach + 1, len(x))] - total[np.maximum(c - reach, 0)]


def lrn(x, k, alpha):
    return x * (k + alpha * near(x**2)) ** -0.75


def lrn_back(g, x, k, alpha):
    scale = k + alpha * near(x**2)
    return g * scale**-0.75 - 1.5 * alpha * x * near(g * x * scale**-1.75)


def gram(y):
    channels, height, width = y.shape
    flat = y.reshape(channels, -1)
    return flat @ flat.T / (channels * height * width)


def run(layer, arrays, x, constants):
    """Output of one layer."""
    if layer == "tap":
        return x
    if layer == "relu":
        return np.maximum(x, 0)
    if layer == "lrn":
        return lrn(x, *constants)
    kind, name, *geometry = layer
    if kind == "pool":
        return pool(x, name, *geometry)
    if kind == "inception":
        ends = [run_all(b, arrays, x, constants)[1] for b in branches(name)]
        return np.concatenate(ends)
    W, b = parameters(arrays, name)
    stride, pad, groups = (*geometry, 1)[:3]
    parts = zip(*(np.split(a, groups) for a in (x, W, b)), strict=True)
    return np.concatenate([conv(*part, stride, pad) for part in parts])


def run_all(layers, arrays, x, constants):
    """Inputs of all layers, and the output of the last."""
    tape = []
    for layer in layers:
        tape.append(x)
        x = run(layer, arrays, x, constants)
    return tape, x


def back(layer, arrays, x, g, constants):
    """Gradient with respect to a layer's input, from that of its output."""
    if layer == "relu":
        return g * (x > 0)
    if layer == "lrn":
        return lrn_back(g, x, *constants)
    kind, name, *geometry = layer
    if kind == "pool":
        return pool_back(g, x.shape, name, *geometry)
    if kind == "inception":
        total, first = np.zeros_like(x), 0
        for branch in branches(name):
            tape, y = run_all(branch, arrays, x, constants)
            part = g[first : first + len(y)]
            for inner, seen in zip(reversed(branch), reversed(tape), strict=True):
                part = back(inner, arrays, seen, part, constants)
            total, first = total + part, first + len(y)
        return total
    W, _ = parameters(arrays, name)
    stride, pad, groups = (*geometry, 1)[:3]
    seen = (len(x) // groups, *x.shape[1:])
    parts = zip(np.split(g, groups), np.split(W, groups), strict=True)
    return np.concatenate([conv_back(a, seen, b, stride, pad) for a, b in parts])


def features(layers, arrays, x, constants=CHAINERS):
    """Feature maps at the taps of one picture, shape (3, height, width)."""
    tape, _ = run_all(layers, arrays, x, constants)
    return [y for layer, y in zip(layers, tape, strict=True) if layer == "tap"]


def parameters(arrays, name):
    return arrays[name]["W"].astype(float), arrays[name]["b"].astype(float)


def behind_relu(layers):
    """The layers with every tap behind the ReLU that reads it."""
    moved = [*layers, "relu"]  # that of the last tap, which 2016 does not run
    for i in range(len(layers)):
        if moved[i : i + 2] == ["tap", "relu"]:
            moved[i : i + 2] = ["relu", "tap"]
    return tuple(moved)


def losses_and_gradient(network, arrays, image, content, style, lam, modern=False):
    """Content terms, style terms and gradient of the loss, without variation.

    That of 2016; or `modern`: features behind the ReLU, Caffe's constants of
    normalisation, terms relative to their targets, all taps weighted alike.
    """
    layers, constants = LAYERS[network], CHAINERS
    alphas, betas = np.array(ALPHA[network], float), np.array(BETA[network], float)
    if modern:
        layers, constants = behind_relu(layers), CAFFES
        alphas, betas = np.sign(alphas), np.sign(betas)
    content_taps = features(layers, arrays, content, constants)
    grams = [gram(y) for y in features(layers, arrays, style, constants)]
    tape, _ = run_all(layers, arrays, image, constants)
    taps = [y for layer, y in zip(layers, tape, strict=True) if layer == "tap"]
    n = len(taps)
    content_losses, style_losses, tap_gradients = [], [], []
    for y, c, a, alpha, beta in zip(
        taps, content_taps, grams, lam * alphas, betas / n, strict=True
    ):
        if modern:
            alpha, beta = alpha / np.mean(c**2), beta / np.mean(a**2)
        d = gram(y) - a
        content_losses.append(alpha * np.mean((y - c) ** 2))
        style_losses.append(beta * np.mean(d**2))
        flat = y.reshape(len(y), -1)
        of_style = (2 * beta / d.size) * (d + d.T) @ flat / y.size
        tap_gradients.append(of_style.reshape(y.shape) + 2 * alpha * (y - c) / y.size)
    g = np.zeros_like(taps[-1])
    for layer, x in zip(reversed(layers), reversed(tape), strict=True):
        if layer == "tap":
            g = g + tap_gradients.pop()
        else:
            g = back(layer, arrays, x, g, constants)
    return content_losses, style_losses, g
