"""``cytocar plot`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cytocar


def test_a_picture_is_written_and_its_name_is_said(cytocar: Cytocar, tubes: Path) -> None:
    drawn = cytocar("plot", tubes / "day7.fcs", tubes / "day9.fcs", "-x", "CD4", "-y", "CD8", "-o", tubes / "a.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (tubes / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "a.png" in drawn.stderr
    assert drawn.stdout == ""


def test_a_channel_that_is_not_there_is_an_error_with_the_list(cytocar: Cytocar, tubes: Path) -> None:
    refused = cytocar("plot", tubes / "day7.fcs", "-x", "CD99", "-y", "CD8", "-o", tubes / "a.png")
    assert refused.returncode == 1
    assert "error[E211]" in refused.stderr
    assert "FITC-A (CD3)" in refused.stderr
    assert not (tubes / "a.png").exists()


def test_a_picture_that_cannot_be_written_is_refused_before_files_are_read(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "no folder").write_text("a file", "utf-8")
    words = ("-x", "CD4", "-y", "CD8", "-o")
    refused = cytocar("plot", tubes / "nowhere.fcs", *words, tubes / "no folder" / "a.png")
    assert (refused.returncode, "error[E108]" in refused.stderr) == (2, True), refused.stderr
    drawn = cytocar("plot", tubes / "day7.fcs", *words, tubes / "new" / "a.png")
    assert (drawn.returncode, (tubes / "new" / "a.png").is_file()) == (0, True), drawn.stderr
