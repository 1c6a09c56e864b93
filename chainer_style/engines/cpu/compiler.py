"""From a network's graph to steps: what they read, who adds to which gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.convolving import Convolving
from chainer_style.engines.cpu.draft import Draft, Map
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.reading import Reading
from chainer_style.errors import UserError
from chainer_style.networks import INPUT
from chainer_style.networks.nodes import (
    LRN,
    POOL_KINDS,
    Concat,
    Conv,
    Dropout,
    Node,
    Pool,
    ReLU,
)
from chainer_style.networks.regions import Region

Company = Mapping[str, Sequence[str]]
"""By convolution, the tapped nodes whose losses are computed at the same time."""


@dataclass
class Compiler(Reading):
    """Drafts a network for pictures of one size.

    Attributes
    ----------
    parameters
        Filters and biases as the kernels read them.
    threads
        That will run it: they decide how finely work is divided, and nothing else.
    regions
        The part of each feature map that is computed; without them, all. A part is
        read as if the map ended where the part does only where the map itself ends.
    """

    parameters: Parameters
    threads: int
    regions: Mapping[str, Region] | None = None
    draft: Draft = field(default_factory=Draft)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, region in (self.regions or {}).items():
            self.maps[name] = self.maps[name].part(region)
        self._company: Company = {}
        self._given: dict[str, int] = {}
        self._begun: set[str] = set()

    # -- forward ----------------------------------------------------------

    def forward(
        self,
        after: Callable[[str], None] = lambda name: None,
        company: Company | None = None,
        tapped: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Draft the forward pass.

        Parameters
        ----------
        after
            Called with the name of each tapped node once its output is there.
        company
            By convolution, for which tapped nodes that is done beside it only.
        tapped
            Called with the name of each tapped node as soon as its output is there.
        """
        self._company = company = company or {}
        late = {name for names in company.values() for name in names}
        for node in self.network.nodes:
            if isinstance(node, Dropout):
                continue
            self._forward(node)
            with self.draft.beside():
                for name in company.get(node.name, ()):
                    after(name)
            if node.name in self.taps:
                tapped(node.name)
            if node.name in self.taps - late:
                after(node.name)

    def features(self, name: str) -> str:
        """Return the buffer of a node's output, and ask for it."""
        if name == INPUT:
            return "picture"
        return self.draft.buffer(f"features {name}", self.maps[name].size)

    def _signs(self, relu: ReLU | None) -> dict[str, str]:
        if relu is None:
            return {}
        size = self.maps[relu.name].signs
        return {"signs": self.draft.buffer(f"signs {relu.name}", size)}

    def _forward(self, node: Node) -> None:
        sources = [self.value(name) for name in node.inputs]
        if isinstance(node, Conv):
            relu = self.rectifier(node.name)
            fused = relu is not None and self.is_fused(relu)
            noted = relu if fused or (relu and self.is_virtual(relu)) else None
            target = relu.name if relu is not None and fused else node.name
            uses = {
                "x": self.features(sources[0]),
                "y": self.features(target),
                "bias": self.parameters.bias(node),
                "floor": "no floor" if not fused else "zeros",
                **self._signs(noted),
            }
            read, written = self.maps[sources[0]], self.maps[node.name]
            self._convolution(node, read, written, uses, backward=False)
        elif isinstance(node, ReLU):
            if self.is_fused(node) or self.is_virtual(node):
                return
            uses = {
                "x": self.features(sources[0]),
                "y": self.features(node.name),
                "bias": "zeros",
                "floor": "zeros",
                **self._signs(node),
            }
            self._each(f"{node.name}", "rectify", node.name, uses)
        elif isinstance(node, Pool):
            self._pool(node, sources[0])
        elif isinstance(node, LRN):
            uses = {"x": self.features(sources[0]), "y": self.features(node.name)}
            self._each(node.name, "normalise", node.name, uses, **_constants(node))
        elif isinstance(node, Concat):
            self._concatenate(node, sources)
        else:
            kind = type(node).__name__
            raise UserError(
                f"the engine 'cpu' does not know {node.name}, of kind {kind}"
            )

    def _each(
        self, name: str, kind: str, of: str, uses: Mapping[str, str], **values: float
    ) -> None:
        """Add a step that goes over the positions of a map, in blocks."""
        shape = self.maps[of]
        block = division.positions(shape, self.threads)
        self.draft.add(
            name,
            kind,
            -(-shape.positions // block),
            uses,
            space=4 * (3 * shape.channels + values.get("kernel", 0)),
            positions=block,
            **{**shape.read(), **shape.written(), "count": shape.count, **values},
        )

    def _convolution(
        self,
        node: Conv,
        read: Map,
        written: Map,
        uses: Mapping[str, str],
        backward: bool,
        add: bool = False,
    ) -> None:
        name, way = self.parameters.filters(node, backward)
        each = division.LATE if node.name in self._company else 1
        made = Convolving(node, way, read, written, backward, add)
        made.draft(self.draft, {**uses, "weights": name}, self.threads, each)

    def _pool(self, node: Pool, source: str) -> None:
        source, rectified = self.pooled(node)
        read, written = self.maps[source], self.maps[node.name]
        uses = {"x": self.features(source), "y": self.features(node.name)}
        uses["floor"] = "zeros" if rectified else "no floor"
        if node.kind == "max":
            size = written.positions * written.channels
            uses["choice"] = self.draft.buffer(f"choice {node.name}", size)
        rows = division.rows(written, self.threads)
        self.draft.add(
            node.name,
            "pool",
            -(-written.height // rows),
            uses,
            positions=rows,
            rectified=rectified,
            **{**read.read(), **written.written(), **_window(node, read, written)},
        )

    def _concatenate(self, node: Concat, sources: Sequence[str]) -> None:
        offset = 0
        for i, source in enumerate(sources):
            self._each(
                f"{node.name} {i}",
                "copy",
                source,
                {"x": self.features(source), "y": self.features(node.name)},
                y_channels=self.maps[node.name].channels,
                offset=offset,
                mode=i == len(sources) - 1,
            )
            offset += self.maps[source].count

    # -- backward ---------------------------------------------------------

    def backward(
        self,
        tapped: Callable[[str, Mapping[str, str], bool], None],
        company: Company | None = None,
    ) -> None:
        """Draft the backward pass, down to the picture's gradient.

        Parameters
        ----------
        tapped
            Called for each tapped node, with the uses that write its gradient, and
            whether to add to what is there.
        company
            By convolution, for which tapped nodes that is done beside it already.
        """
        self._company = company = company or {}
        early = {name for names in company.values() for name in names}
        for node in reversed(self.network.nodes):
            if isinstance(node, Dropout):
                continue
            if node.name in self.taps - early:
                tapped(node.name, *self._gradient(node.name))
            self._backward(node)
            with self.draft.beside():
                for name in company.get(node.name, ()):
                    tapped(name, *self._gradient(name))

    def gradient(self, name: str) -> str:
        """Return the buffer of the gradient of a node's output, and ask for it.

        A ReLU that alone reads a node shares its gradient: it is masked as the last
        of its parts is added.
        """
        if name != INPUT and isinstance(self.network[name], ReLU):
            source = self.value(self.network[name].inputs[0])
            if source != INPUT and self.rectifier(source) is self.network[name]:
                name = source
        return self.draft.buffer(f"gradient {name}", self.maps[name].size)

    def _gradient(self, name: str) -> tuple[dict[str, str], bool]:
        """Return the uses that write a part of a gradient, and whether to add it."""
        buffer = self.gradient(name)
        add = buffer in self._begun
        self._begun.add(buffer)
        self._given[name] = self._given.get(name, 0) + 1
        uses = {"y": buffer}
        last = self._given[name] == len(self.readers[name]) + (name in self.taps)
        # The last of the parts may not reach all that is computed of a tile's map.
        masked = last or self.regions is not None
        if masked and name != INPUT and isinstance(self.network[name], ReLU):
            uses["mask"] = f"signs {name}"
        return uses, add

    def _backward(self, node: Node) -> None:
        if isinstance(node, ReLU):
            source = self.value(node.inputs[0])
            if source == INPUT or self.rectifier(source) is not node:
                uses, add = self._gradient(source)
                uses["x"] = self.gradient(node.name)
                self._each(
                    f"{node.name} back",
                    "rectify",
                    node.name,
                    uses,
                    backward=True,
                    add=add,
                )
            return
        given = {"x": self.gradient(node.name)}
        sources = [self.value(name) for name in node.inputs]
        if isinstance(node, Concat):
            offset = 0
            whole = self.maps[node.name].channels
            for i, source in enumerate(sources):
                uses, add = self._gradient(source)
                self._each(
                    f"{node.name} {i} back",
                    "copy",
                    source,
                    {**given, **uses},
                    channels=whole,
                    offset=offset,
                    backward=True,
                    add=add,
                )
                offset += self.maps[source].count
            return
        uses, add = self._gradient(sources[0])
        uses |= given
        read, written = self.maps[node.name], self.maps[sources[0]]
        if isinstance(node, Conv):
            self._convolution(node, read, written, uses, backward=True, add=add)
        elif isinstance(node, LRN):
            uses["source"] = self.features(sources[0])
            self._each(
                f"{node.name} back",
                "unnormalise",
                node.name,
                uses,
                backward=True,
                add=add,
                **_constants(node),
            )
        elif isinstance(node, Pool):
            self._unpool(node, uses, add)

    def _unpool(self, node: Pool, uses: dict[str, str], add: bool) -> None:
        source, _ = self.pooled(node)
        read, written = self.maps[node.name], self.maps[source]
        if node.kind == "max":
            uses["choice"] = f"choice {node.name}"
        if node.kind == "l2":
            uses["source"] = self.features(source)
            uses["result"] = self.features(node.name)
        rows = division.rows(written, self.threads)
        self.draft.add(
            f"{node.name} back",
            "unpool",
            -(-written.height // rows),
            uses,
            space=4 * written.channels,
            positions=rows,
            backward=True,
            add=add,
            **{**read.read(), **written.written(), **_window(node, written, read)},
        )


def _window(node: Pool, whole: Map, pooled: Map) -> dict[str, int]:
    """Return the geometry of a pooling, given both of its maps."""
    return {
        "kernel": node.kernel,
        "stride": node.stride,
        "pad": node.pad + whole.top - pooled.top * node.stride,
        "pad_across": node.pad + whole.left - pooled.left * node.stride,
        "pad_end": node.pad,
        "mode": POOL_KINDS.index(node.kind),
    }


def _constants(node: LRN) -> dict[str, float]:
    return {
        "kernel": node.local_size,
        "scale": node.alpha / node.local_size,
        "second_scale": node.beta,
        "third_scale": node.k,
    }
