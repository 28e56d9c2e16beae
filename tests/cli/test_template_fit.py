"""``cytocar template fit`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytocar.fcs.write import write_fcs
from tests.cli.conftest import Cytocar
from tests.stained_tubes import cell, stain, stained_tube


def test_a_fitted_template_counts_the_files_that_it_was_made_from(cytocar: Cytocar, tubes: Path) -> None:
    made = cytocar("template", "fit", tubes, "-o", tubes / "mine.toml")
    assert made.returncode == 0, made.stderr
    assert "t_cells" in made.stdout
    assert "evidence" in made.stdout
    assert "a draft" in made.stderr
    counted = cytocar("gate", tubes / "sheet.csv", "-t", tubes / "mine.toml", "--format", "csv")
    assert counted.returncode == 0, counted.stderr
    rows = [line.split(",") for line in counted.stdout.splitlines()]
    assert [row[rows[0].index("status")] for row in rows[1:]] == ["ok", "ok", "ok"]


def test_nothing_is_written_over_a_file(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "mine.toml").write_text("mine")
    refused = cytocar("template", "fit", tubes, "-o", tubes / "mine.toml")
    assert refused.returncode == 2
    assert "error[E105]" in refused.stderr
    assert (tubes / "mine.toml").read_text() == "mine"


def test_a_template_that_cannot_be_written_is_refused_before_files_are_read(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "no folder").write_text("a file", "utf-8")
    refused = cytocar("template", "fit", tubes / "nowhere.fcs", "-o", tubes / "no folder" / "mine.toml")
    assert (refused.returncode, "error[E108]" in refused.stderr) == (2, True), refused.stderr


def test_a_file_without_names_is_refused_with_the_command_that_helps(cytocar: Cytocar, tmp_path: Path) -> None:
    events = np.random.default_rng(1).normal(100, 10, 500)
    (tmp_path / "tubes" / "controls").mkdir(parents=True)
    for name in ("a.fcs", "controls/b.fcs"):
        write_fcs(tmp_path / "tubes" / name, {"FSC-A": events, "FITC-A": events, "PE-A": events})
    refused = cytocar("template", "fit", tmp_path / "tubes", "-o", tmp_path / "mine.toml")
    assert refused.returncode == 1
    assert "note: subfolders are left out: controls (1)" in refused.stderr
    assert "error[E200]" in refused.stderr
    assert "--marker CD3=DETECTOR" in refused.stderr
    assert not (tmp_path / "mine.toml").exists()


def test_a_matrix_is_named_in_the_words_of_a_sheet(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    made = cytocar("template", "fit", tubes, "-o", tmp_path / "mine.toml", "--compensation", "mine.xlsx")
    assert made.returncode == 2
    assert "neither file, none, unmixed nor a .csv" in made.stderr
    (tmp_path / "m.csv").write_text("X-A,Y-A\n1,0.1\n0,1\n")
    made = cytocar("template", "fit", tubes, "-o", tmp_path / "mine.toml", "--compensation", tmp_path / "m.csv")
    assert made.returncode == 1
    assert "error[E050]" in made.stderr


def test_inspect_gives_the_command_that_makes_a_template(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    shown = cytocar("inspect", tubes / "day7.fcs").stdout
    copied = " ".join(shown.replace("\\\n", "").split())
    assert f"cytocar template fit {tubes / 'day7.fcs'} -o mine.toml" in copied
    events = np.random.default_rng(1).normal(100, 10, 500)
    write_fcs(tmp_path / "a.fcs", {"FSC-A": events, "FITC-A": events})
    assert "--marker CD3=DETECTOR" in cytocar("inspect", tmp_path / "a.fcs").stdout
    refused = cytocar("gate", tmp_path / "a.fcs", "-t", "tcell-basic")
    assert "error[E040]" in refused.stderr
    assert "cytocar template fit FILE... -o mine.toml" in refused.stderr


def test_a_doubt_of_the_fit_asks_for_a_look_until_somebody_accepts_it_by_name(cytocar: Cytocar, tmp_path: Path) -> None:
    kinds = (
        cell("cd4", stain(CD4=4000, CD8=60, CD3=0)),
        cell("cd8", stain(CD4=60, CD8=9000, CD3=0)),
        cell("other", stain(CD4=60, CD8=60, CD3=0)),
    )
    stained = stained_tube(*((kind, 1500) for kind in kinds), seed=4)
    without = {name: label for name, label in stained.markers.items() if label in ("CD4", "CD8")}
    write_fcs(tmp_path / "a.fcs", stained.columns, markers=without, keywords=stained.keywords)
    template = tmp_path / "mine.toml"
    made = cytocar("template", "fit", tmp_path / "a.fcs", "-o", template)
    assert "warning[W338]" in made.stderr

    def status() -> list[str]:
        run = ("-o", tmp_path / "RUN", "--no-report", "--force")
        counted = cytocar("gate", tmp_path / "a.fcs", "-t", template, "--format", "csv", *run)
        head, row = (line.split(",") for line in counted.stdout.splitlines())
        return [row[head.index("status")], row[head.index("status_codes")], counted.stderr]

    *asked, shown = status()
    assert asked == ["review", "W338"]
    assert "cytocar template accept TEMPLATE.toml W338" in shown
    lock = ("template", "lock", template, "--by", "A. Muster", "--reason", "validated")
    assert "nobody has accepted" in cytocar(*lock).stderr
    assert status()[0] == "review"

    accept = ("template", "accept", template, "--by", "B. Smith", "--reason", "sorted T cells")
    assert "no open doubt W341" in cytocar(*accept, "W341").stderr
    assert cytocar(*accept, "W338").stdout == "mine.toml 0.2.0: accepted W338; open: none\n"
    assert "error[E120]" in cytocar("gate", tmp_path / "a.fcs", "-t", template).stderr, "it waits for a lock of its own"


def test_a_template_that_asks_for_a_look_at_its_own_file_says_so(
    cytocar: Cytocar, shared_data: Path, tmp_path: Path
) -> None:
    """T cells dim for CD8 lie between the two clouds of this donor."""
    file = shared_data / "tcell_human" / "cytopipeline_omip021" / "Donor1.fcs"
    made = cytocar("template", "fit", file, "-o", tmp_path / "mine.toml")
    assert "warning[FLAT_VALLEY] Donor1.fcs: on its own files the template asks for a look at: cd8" in made.stderr
    assert "On these files the template asks for a look at" in (tmp_path / "mine.report.html").read_text("utf-8")


def test_two_layouts_in_one_call_give_two_templates(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    from cytocar.fcs.reader import open_fcs

    events = open_fcs(tubes / "day7.fcs")
    names = {channel.detector: channel.detector.replace("V450", "BV421") for channel in events.channels}
    columns = {names[channel.detector]: events.column(channel) for channel in events.channels}
    markers = {names[channel.detector]: channel.marker for channel in events.channels if channel.marker}
    keywords = {"$SPILLOVER": events.keywords["$SPILLOVER"].replace("V450", "BV421")}
    write_fcs(tmp_path / "moved.fcs", columns, markers=markers, keywords=keywords)
    made = cytocar("template", "fit", tubes / "day7.fcs", tmp_path / "moved.fcs", "-o", tmp_path / "mine.toml")
    assert made.returncode == 0, made.stderr
    assert "2 layouts" in made.stderr
    blocks = [block.splitlines()[:2] for block in made.stdout.split("\n\n") if block.startswith("1 file: ")]
    assert [block[0] for block in blocks] == ["1 file: day7.fcs (file 1)", "1 file: moved.fcs (file 1)"]
    assert all(block[1].startswith("panel: ") for block in blocks)
    assert made.stderr.count("RUN is a folder") == 1
    assert {path.name for path in tmp_path.glob("mine*")} == {
        "mine.toml",
        "mine.report.html",
        "mine-2.toml",
        "mine-2.report.html",
    }
    counted = cytocar("gate", tmp_path / "moved.fcs", "-t", tmp_path / "mine-2.toml", "--format", "csv")
    assert "BV421" in (tmp_path / "mine-2.report.html").read_text("utf-8")
    assert counted.returncode in (0, 1), counted.stderr
