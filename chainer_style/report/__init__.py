"""Records into tables, charts and one page: the paper beside today."""

from __future__ import annotations

from pathlib import Path

from chainer_style.files import make_folder, replacing
from chainer_style.paper import RATE_TABLES

__all__ = ["build"]


def build(results: Path, output: Path, machine: str) -> Path:
    """Write the report of all records below a folder.

    Parameters
    ----------
    results
        Folder with one folder of records per machine.
    output
        Folder for ``index.html``, ``table4.csv``, ``table5.csv``, ``table4.rst``,
        ``table5.rst``, ``figure7.png``, ``figure8.png`` and ``rates.csv``. Each is
        written whole or not at all. Tables hold every machine, figures the first.
    machine
        Name of the folder of records to show first, if there is one.

    Returns
    -------
    pathlib.Path
        The page, ``index.html``: one file that needs no other.

    Raises
    ------
    UserError
        If there is no record that can be used, or the folder cannot be written to.
    """
    # matplotlib and jinja2 load here, not with the command line.
    from chainer_style import themes
    from chainer_style.report import charts, grid, machines, page, sheets, tables

    found = machines.read(results, machine)
    first = found.machines[0]
    files: dict[str, bytes | str] = {"rates.csv": sheets.rates_csv(found.machines)}
    for table in RATE_TABLES.values():
        name = f"table{table.number}"
        files[f"{name}.csv"] = sheets.table_csv(table, found.machines)
        files[f"{name}.rst"] = grid.render(tables.layout(table, found.machines))
        chart = charts.draw(table, first, alone=True)
        files[f"figure{table.figure}.png"] = themes.save(chart, "png")
    files["index.html"] = page.render(found)
    make_folder(output)
    for name, content in files.items():
        with replacing(output / name) as temporary:
            data = content.encode() if isinstance(content, str) else content
            temporary.write_bytes(data)
    return output / "index.html"
