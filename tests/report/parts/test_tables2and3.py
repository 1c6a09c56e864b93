from __future__ import annotations

from html import unescape

from machine_records import machine, setup, whole

from chainer_style.doctor import Finding
from chainer_style.paper import SETUP
from chainer_style.report import gtx960, html, parts


def text(machines):
    return unescape(html.convert(parts.render("tables2and3", machines), "t"))


def test_the_papers_machine_stands_without_records():
    page = text([])
    for value in SETUP.values():
        assert value in page
    assert "No machine has a record of its set-up yet." in page
    assert "could not be read for this replication" in " ".join(page.split())


def test_machines_stand_side_by_side():
    other = machine("two", setup("two", Finding("GPU 0", "Name", "NVIDIA H200")))
    page = text([whole(), other])
    assert "Processor_one, 2 cores" in page
    assert "System_9: of | today" in page
    assert "3D controller: NVIDIA Corp" in page
    assert "NVIDIA H200" in page
    assert page.count("found on") == 2
    assert "No machine has" not in page
    row = page.partition(">GPU</p>")[2].partition("</tr>")[0]
    assert row.index("GeForce GTX 960") < row.index("none") < row.index("NVIDIA H200")


def test_what_is_not_the_papers_own_card_is_marked():
    page = text([])
    assert "5.2 †" in page
    assert "4.2 GB †" in page
    assert gtx960.QUERY in page


def test_a_machine_without_this_record_has_no_column():
    bare = machine("bare", *whole("bare").of("rates").values())
    page = text([bare])
    assert "Processor_bare" not in page
