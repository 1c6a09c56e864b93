"""Table 5 and its chart."""

from __future__ import annotations

from chainer_style.paper import TABLE_5
from chainer_style.report.parts import rate_table

context = rate_table.of(TABLE_5)
