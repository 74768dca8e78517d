"""What `make validate` writes, and the parts of it that are exact at any size."""

import sys

import numpy as np
import pytest

import chaosjax as cj
from experiments import validate
from experiments.validation.reference_systems import Protocol, spectrum_of
from experiments.validation.rows import Row, table
from experiments.validation.training_maps import against_dense

ROW = Row("henon", "λ1", 0.42, 1e-3, 0.4, 0.05, True, 1000, 2.0)


def test_a_row_is_met_within_its_aim_and_never_by_a_nan():
    assert ROW.met
    assert ROW.difference == pytest.approx(0.05)
    assert not ROW._replace(aim=0.049).met
    assert not ROW._replace(relative=False, aim=0.01).met
    assert not ROW._replace(estimate=np.nan).met
    assert not ROW._replace(estimate=np.nan, aim=np.inf).met


def test_the_table_says_what_was_missed_and_why():
    lines = table([ROW, ROW._replace(aim=0.01, note="too short")])
    assert lines[2] == "| henon | λ1 | 0.42 ± 0.001 | 0.4 | 5 % | 20.0 | 5 % | met | 1,000 | 2.0 |"
    assert "**missed**" in lines[3]
    assert "- henon, λ1: too short" in lines


def test_spectra_of_training_are_those_of_the_dense_product():
    """k = d and k = 4, to 1e-8 nats a step, by Gram–Schmidt in extended precision."""
    rows = against_dense("Adam", steps=60)
    assert [row.met for row in rows] == [True, True]
    assert all(row.aim == 1e-8 for row in rows)


@pytest.mark.parametrize("name", ["doubling_lattice", "heavy_ball_quadratic"])
def test_exact_spectra_are_met_at_any_length(name):
    rows = spectrum_of(name, cj.systems.REFERENCES[name], Protocol(2000, seeds=2), scale=1.0)
    assert all(row.met for row in rows)
    assert max(row.aim for row in rows) <= 1e-5


def test_the_page_is_written_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(validate.cj, "configure", lambda **settings: None)
    monkeypatch.setattr(validate, "SECTIONS", {"one": (lambda: [ROW, ROW._replace(aim=0.01)], "One", "About it.")})
    monkeypatch.setattr(sys, "argv", ["validate.py", "--out", str(tmp_path / "page.md")])
    validate.main()
    page = (tmp_path / "page.md").read_text()
    assert "2 checks, 1 within their aim" in page
    assert "Missed:\n\n- henon, λ1\n\n## One\n\nAbout it.\n" in page
    monkeypatch.setattr(sys, "argv", ["validate.py", "--out", str(tmp_path / "no" / "page.md")])
    with pytest.raises(SystemExit, match="cannot be written"):
        validate.main()
    assert "## One" in capsys.readouterr().out
