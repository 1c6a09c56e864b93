"""What Table 1 is made from: the slips, undone."""

from __future__ import annotations

import pytest

from chainer_style import convnet_benchmarks as origin
from chainer_style import paper
from chainer_style.networks.benchmarks import BENCHMARKS


def test_the_precedence_slip_undone_gives_the_true_mean():
    """As the 2016 script summed and printed, on times that are known."""
    niter = 10
    times = [7.0, 1.25, 3.5, 2.0, 8.0, 4.0, 1.0, 6.5, 2.75, 5.0]
    total = sum(time for i, time in enumerate(times) if i > 0)
    printed = total / niter - 1
    log = origin.ChainerLog(printed, printed, printed)
    mean = sum(times[1:]) / 9
    assert log.corrected(printed) == pytest.approx(mean)
    assert log.corrected_total == pytest.approx(mean)
    assert printed < mean


def test_corrected_totals_of_chainer():
    found = [log.corrected_total for log in origin.CHAINER_LOGS.values()]
    assert found == pytest.approx([198.8, 690.6, 984.9, 765.5], abs=0.05)
    for log in origin.CHAINER_LOGS.values():
        # The slip took 1 from each part and, once, from the total.
        assert log.total == pytest.approx(log.forward + log.backward + 1, abs=1e-6)
        assert log.corrected_total == pytest.approx(
            log.corrected_forward + log.corrected_backward, abs=1e-6
        )


def test_tensorflows_slip_is_one_run_of_a_hundred():
    burn_in, batches = 10, 100
    runs = [0.5 for i in range(batches + burn_in) if i > burn_in]
    log = origin.TensorFlowLog(0, sum(runs) / batches)
    assert log.corrected_total == pytest.approx(500)


def test_the_readme_is_cut_from_the_logs():
    for name, timing in origin.README["Chainer"].items():
        log = origin.CHAINER_LOGS[name]
        assert timing.forward == int(log.forward)
        assert timing.backward == int(log.backward)
        assert timing.total == int(log.total)
    for name, timing in origin.README["TensorFlow"].items():
        assert timing.total == round(1000 * origin.TENSORFLOW_LOGS[name].total)
        assert timing.backward == timing.total - timing.forward


def test_the_paper_prints_the_readme_but_for_one_digit():
    different = {
        (framework, network): (value, origin.README[framework][network].total)
        for framework, row in paper.TABLE_1.items()
        for network, value in row.items()
        if value != origin.README[framework][network].total
    }
    assert different == {("TensorFlow", "overfeat"): (843, 842)}
    assert list(paper.TABLE_1_COLUMNS) == list(BENCHMARKS)
