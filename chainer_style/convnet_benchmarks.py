"""What convnet-benchmarks printed in January 2016: where the paper's Table 1 is from.

soumith/convnet-benchmarks: its README and its logs. Nothing here was measured by this
project.
"""

from __future__ import annotations

from dataclasses import dataclass

REPOSITORY = "https://github.com/soumith/convnet-benchmarks"
COMMIT = "1f09e1e3b2841a2f58b83aa1d078a830bca4508f"
"""The first state of its README with the numbers of Table 1."""

MACHINE = "6-core Core i7-5930K, Titan X (Maxwell), Ubuntu 14.04"

DATES = {
    "Chainer": "2015-12-22",
    "TensorFlow": "2016-01-25",
    "Caffe (native)": "2015-04-17",
}
"""Day of the logs behind each row: their commit's, or the one that they print."""

STOOD = ("2016-01-26", "2016-02-28")
"""From 1f09e1e to 2888b23 the README had these numbers together."""

TENSORFLOW_AFTER = {
    "alexnet_owt": 151,
    "overfeat": 349,
    "vgg_a": 982,
    "googlenet_v1": 905,
}
"""TensorFlow's row from 2888b23 on, by its message with cuDNN R4; ms."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds per minibatch, as the README prints them.

    Attributes
    ----------
    total, forward, backward
        Whole, there and back.
    """

    total: int
    forward: int
    backward: int


README = {
    "Chainer": {
        "alexnet_owt": Timing(177, 40, 136),
        "overfeat": Timing(620, 135, 484),
        "vgg_a": Timing(885, 251, 632),
        "googlenet_v1": Timing(687, 189, 497),
    },
    "TensorFlow": {
        "alexnet_owt": Timing(277, 70, 207),
        "overfeat": Timing(842, 216, 626),
        "vgg_a": Timing(1510, 315, 1195),
        "googlenet_v1": Timing(1084, 246, 838),
    },
    "Caffe (native)": {
        "alexnet_owt": Timing(324, 121, 203),
        "overfeat": Timing(823, 355, 468),
        "vgg_a": Timing(1068, 323, 745),
        "googlenet_v1": Timing(1935, 786, 1148),
    },
}
"""Rows of the README, by the network's name."""


@dataclass(frozen=True)
class ChainerLog:
    """What the Chainer script printed, in ms: each a sum over 10, less 1.

    It wrote ``total / niter-1``, which divides by ``niter`` and then takes 1 away, of
    sums over ``niter - 1`` iterations.

    Attributes
    ----------
    forward, backward, total
        As printed.
    """

    forward: float
    backward: float
    total: float

    ITERATIONS = 10

    def corrected(self, printed: float) -> float:
        """Return the mean over the iterations that were timed."""
        return (printed + 1) * self.ITERATIONS / (self.ITERATIONS - 1)

    @property
    def corrected_total(self) -> float:
        """Mean of forward, backward and update, in ms."""
        return self.corrected(self.total)

    @property
    def corrected_forward(self) -> float:
        """Mean of the forward pass, in ms."""
        return self.corrected(self.forward)

    @property
    def corrected_backward(self) -> float:
        """Mean of backward pass and update, in ms."""
        return self.corrected(self.backward)


CHAINER_LOGS = {
    "alexnet_owt": ChainerLog(40.734, 136.19462533, 177.92862533),
    "overfeat": ChainerLog(135.0104, 484.542720032, 620.553120032),
    "vgg_a": ChainerLog(251.623, 632.762717485, 885.385717485),
    "googlenet_v1": ChainerLog(189.4594, 497.450345063, 687.909745063),
}
"""chainer/out_*.log, by the network's name."""


@dataclass(frozen=True)
class TensorFlowLog:
    """What the TensorFlow scripts printed, in s: sums over 99 runs, divided by 100.

    They counted the runs with ``i > num_steps_burn_in``, one too few.

    Attributes
    ----------
    forward
        Of the forward pass.
    total
        Of forward and backward pass.
    """

    forward: float
    total: float

    RUNS = 100

    @property
    def corrected_total(self) -> float:
        """Mean over the runs that were timed, in ms."""
        return 1000 * self.total * self.RUNS / (self.RUNS - 1)


TENSORFLOW_LOGS = {
    "alexnet_owt": TensorFlowLog(0.070, 0.277),
    "overfeat": TensorFlowLog(0.216, 0.842),
    "vgg_a": TensorFlowLog(0.351, 1.510),
    "googlenet_v1": TensorFlowLog(0.246, 1.084),
}
"""tensorflow/output_*.log, by the network's name."""


def corrected_total(framework: str, network: str) -> float:
    """Return the milliseconds per minibatch without the scripts' slips."""
    if framework == "Chainer":
        return CHAINER_LOGS[network].corrected_total
    if framework == "TensorFlow":
        return TENSORFLOW_LOGS[network].corrected_total
    return float(README[framework][network].total)


def source(path: str, commit: str = COMMIT) -> str:
    """Return the address of one of its files."""
    return f"{REPOSITORY}/blob/{commit}/{path}"
