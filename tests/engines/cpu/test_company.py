from __future__ import annotations

import problems
import pytest

from chainer_style import networks, protocols, transfer
from chainer_style.engines.cpu.company import company
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import Draft
from chainer_style.engines.cpu.footprint import Footprint
from chainer_style.engines.cpu.iteration import Sketch
from chainer_style.engines.cpu.losses import Term
from chainer_style.engines.cpu.parameters import Parameters

WRITTEN = ("y", "signs", "partial", "result")
"""Fields of the addresses that convolutions and losses write."""


def sketch(name, size, threads=2, protocol="modern"):
    chosen = protocols.get(protocol).with_options(model=name)
    network = transfer.network_for(chosen)
    compiler = Compiler(network, size, size, Parameters(network, size, size), threads)
    terms = {tap.node: Term(1, 1, bool(tap.content)) for tap in network.taps}
    return Sketch(compiler, chosen, terms)


def groups(draft):
    """Return the lines that run at the same time, where there are several."""
    found = []
    for line in draft.lines:
        if line.step["beside"]:
            found[-1].append(line)
        else:
            found.append([line])
    return [lines for lines in found if len(lines) > 1]


def names(draft):
    return [[line.name for line in lines] for lines in groups(draft)]


def test_nin_computes_its_losses_beside_its_last_convolution():
    """At 128 px that has four positions, and 14 MB of filters."""
    assert names(sketch("nin", 128, protocol="2016").compiler.draft) == [
        ["conv4-1024", "relu7 Gram", "relu3 Gram", "relu0 Gram"],
        ["conv4-1024 back", "relu7 losses", "relu3 losses", "relu0 losses"],
    ]
    # At 512 px its products take longer than its filters.
    assert not names(sketch("nin", 512, protocol="2016").compiler.draft)


@pytest.mark.parametrize("size", [64, 96, 130, 224])
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_what_runs_at_the_same_time_is_independent(name, size):
    """Nothing reads or writes what another step beside it writes."""
    if size < problems.smallest(name, "modern"):
        pytest.skip(f"{name} needs more than {size} px")
    made = sketch(name, size)
    for lines in groups(made.compiler.draft):
        for line in lines:
            others = [other for other in lines if other is not line]
            used = {use for other in others for use in other.uses.values()}
            own = {line.uses[field] for field in WRITTEN if field in line.uses}
            assert not own & used, line.name
    compared = [line.name for line in made.compiler.draft.lines]
    for node, tap in made.taps.items():
        assert compared.count(f"{node} losses") == 1
        assert (f"{node} Gram" in compared) != tap.is_few


def test_the_order_does_not_depend_on_the_number_of_threads():
    one, two = (sketch("nin", 128, threads).compiler.draft for threads in (1, 2))
    assert [line.name for line in one.lines] == [line.name for line in two.lines]


def test_no_loss_is_beside_what_reads_its_tap():
    """Such a convolution adds to the same gradient."""
    made = sketch("nin", 128).compiler
    for backward in (False, True):
        for conv, taps in company(made, backward).items():
            assert not set(taps) & set(made.network[conv].inputs)


def test_no_gradient_is_begun_that_a_relu_masks():
    """VGG's taps of 2016 lie before their ReLUs, which share their gradients."""
    made = sketch("vgg16", 8, protocol="2016").compiler
    assert company(made)
    assert not company(made, backward=True)


def test_buffers_of_steps_at_the_same_time_do_not_share_memory():
    draft = Draft()
    for name in "abcd":
        draft.buffer(name, 64)
    draft.add("first", "copy", 1, {"x": "a", "y": "b"})
    with draft.beside():
        draft.add("beside", "copy", 1, {"x": "c", "y": "d"})
    draft.add("last", "copy", 1, {"x": "b", "y": "d"})
    places = draft.arrange().places
    assert len({places[name] for name in "abcd"}) == 4


def test_the_footprint_knows_them():
    """Gradients that are begun early are held for longer."""
    made = sketch("nin", 128)
    found = Footprint.of(
        made.compiler.network, protocols.get("modern"), (128, 128), (128, 128), 2
    )
    assert found.maps >= made.compiler.draft.arrange().size
