"""Programs of engine ``cpu`` for a tile, forward, and back once losses are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import FLOAT, Draft, Line, Map
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.losses import DOUBLE, add_gram, lay_out
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.networks import INPUT
from chainer_style.tiling.grid import Grid, Tile


@dataclass(frozen=True)
class Span:
    """The lines of a draft that belong to a tap: up to its features, and its Gram."""

    features: int
    end: int


class TileDrafts:
    """What is done for tiles of one geometry.

    Parameters
    ----------
    grid
        Whose tile it is.
    tile
        One of that geometry.
    parameters
        Of the network.
    threads
        That will run it.
    scales
        By tap with a content loss: twice its weight over the map's numbers.
    again
        Number of taps whose features the way back computes anew; those of deeper
        ones, and the signs that lead there, are kept in between.

    Attributes
    ----------
    forth
        From the picture to the taps' Gram matrices, which are added to ``total`` and
        the node, in double precision.
    back
        From the errors of these matrices to the picture's gradient.
    kept
        Bytes of each buffer that the way back finds as the way forth left it.
    """

    def __init__(
        self,
        grid: Grid,
        tile: Tile,
        parameters: Parameters,
        threads: int,
        scales: Mapping[str, float],
        again: int,
    ) -> None:
        self.tile = tile
        size = grid.height, grid.width
        self._compiler = Compiler(
            tile.network, *size, parameters, threads, regions=tile.regions
        )
        self._scales = scales
        self.maps = {
            node: Map.of(grid.shapes[node]).part(own) for node, own in tile.taps.items()
        }
        self._spans: dict[str, Span] = {}
        whole = self._compiler.draft
        self._compiler.forward(self._collect)
        forward, until = list(whole.lines), len(whole.lines)
        self._compiler.backward(self._give)
        self.gradient = self._compiler.gradient(INPUT)
        back = whole.lines[until:]
        anew = self._repeated(again)
        crossing = (_used(forward) & _used(back)) - _used(anew)
        self.kept = {
            name: size for name, size in whole.sizes.items() if name in crossing
        }
        self.forth = self._part(forward, set())
        sums = {f"content loss {node}" for node in scales}
        self.back = self._part([*anew, *back], {self.gradient, *sums})

    @property
    def drafts(self) -> tuple[Draft, Draft]:
        """Both."""
        return self.forth, self.back

    def _part(self, lines: list[Line], kept: set[str]) -> Draft:
        whole = self._compiler.draft
        names = _used(lines) & whole.sizes.keys() - self.kept.keys()
        sizes = {name: whole.sizes[name] for name in names}
        return Draft(lines, sizes, kept & names)

    def _repeated(self, again: int) -> list[Line]:
        """Return the lines that compute the features of the first taps."""
        spans = list(self._spans.values())[:again]
        lines: list[Line] = []
        start = 0
        for span in spans:
            lines += self._compiler.draft.lines[start : span.features]
            start = span.end
        return lines

    # -- taps -------------------------------------------------------------

    def own(self, node: str) -> Part:
        """Return where a tap's own features lie."""
        if self._is_within(node):
            return Part(self._compiler.features(node), self._first(node) * FLOAT)
        size = self.maps[node].size
        return Part(self._compiler.draft.buffer(f"own {node}", size), 0)

    def _is_within(self, node: str) -> bool:
        """Whether a tap's own positions lie in a row among the computed ones."""
        part, own = self._compiler.maps[node], self.maps[node]
        return part.width == own.width

    def _first(self, node: str) -> int:
        """Return which of the computed numbers is the first of a tap's own."""
        part, own = self._compiler.maps[node], self.maps[node]
        return (own.top - part.top) * part.width * part.channels

    def _begins(self, node: str) -> dict[str, int]:
        """Return where a tap's own positions begin among the computed ones."""
        part, own = self._compiler.maps[node], self.maps[node]
        return {"pad": own.top - part.top, "pad_across": own.left - part.left}

    def _collect(self, node: str) -> None:
        """Draft the sum of a tap's Gram matrix over the tile's own positions."""
        draft, own = self._compiler.draft, self.maps[node]
        place = self.own(node)
        if not self._is_within(node):
            rows = division.rows(own, self._compiler.threads)
            begins = {name: -value for name, value in self._begins(node).items()}
            draft.add(
                f"{node} own",
                "crop",
                -(-own.height // rows),
                {"x": self._compiler.features(node), "y": place},
                positions=rows,
                **{**self._compiler.maps[node].read(), **own.written(), **begins},
            )
        features = len(draft.lines)
        partial = draft.buffer(f"partial {node}", DOUBLE * (own.channels // PANEL))
        uses = {"result": f"total {node}", "partial": partial}
        source = place, own
        lay_out(self._compiler, node, source)
        add_gram(self._compiler, node, uses, source, scale=1, second_scale=1)
        self._spans[node] = Span(features, len(draft.lines))

    def _give(self, node: str, uses: Mapping[str, str], add: bool) -> None:
        """Draft the gradient of a tap's losses; see `Compiler.backward`."""
        draft, own = self._compiler.draft, self.maps[node]
        # What is not the tile's own has to be written, if nothing is there yet.
        straight = self._is_within(node) and (add or own == self._compiler.maps[node])
        first = self._first(node)
        given: dict[str, str | Part] = {}
        if straight:
            starts = {"y": FLOAT * first, "mask": first // 8}
            given |= {key: Part(used, starts[key]) for key, used in uses.items()}
        else:
            given["y"] = draft.buffer(f"own gradient {node}", own.size)
        block = division.summed(own)
        units = -(-own.positions // block)
        more, scale = {}, self._scales.get(node, 0.0)
        if node in self._scales:
            partial = draft.buffer(f"content loss {node}", DOUBLE * units)
            more = {"target": f"content {node}", "partial": partial}
        given |= {"x": self.own(node), "weights": f"style error {node}"}
        draft.add(
            f"{node} losses",
            "style",
            units,
            {**given, **more},
            space=4 * (block + 1) * own.channels,
            positions=block,
            backward=True,
            add=straight and add,
            scale=scale,
            **{**own.read(), **own.written()},
        )
        if not straight:
            self._paste(node, given["y"], uses, add)

    def _paste(
        self, node: str, source: str | Part, uses: Mapping[str, str], add: bool
    ) -> None:
        """Draft that a tap's own gradient goes among that of what is computed."""
        own, computed = self.maps[node], self._compiler.maps[node]
        rows = division.rows(computed, self._compiler.threads)
        self._compiler.draft.add(
            f"{node} given",
            "paste",
            -(-computed.height // rows),
            {**uses, "x": source},
            positions=rows,
            backward=True,
            add=add,
            **{**own.read(), **computed.written(), **self._begins(node)},
        )


def _used(lines: Iterable[Line]) -> set[str]:
    return {name for line in lines for name in line.uses.values()}
