"""Options of ``cytocar series``, by the headings of its help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cytocar.course.series import Replicates
from cytocar.sheet.tube import Specimen


class ScoreName(StrEnum):
    """A clinical score that can be calculated from the entered values."""

    CAR_HEMATOTOX = "car-hematotox"
    EASIX = "easix"
    M_EASIX = "m-easix"
    ICANS_BY_ICE = "icans-by-ice"
    T_ICAHT = "t-icaht"
    ICAHT = "icaht"
    HIGHEST_GRADES = "highest-grades"


class Form(StrEnum):
    """A form in which other programs take a course."""

    NONMEM = "nonmem"
    REDCAP = "redcap"
    REDCAP_DICTIONARY = "redcap-dictionary"
    SDTM_PC = "sdtm-pc"
    SDTM_CP = "sdtm-cp"
    CIBMTR = "cibmtr"


Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders of `cytocar gate -o RUN`.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write tables, figures and course.html.")]
Force = Annotated[bool, typer.Option("--force", help="Write an earlier course in OUT anew.")]

_SAMPLES = "Samples"
Subject = Annotated[
    list[str] | None,
    typer.Option("--subject", help="Only this subject; may be repeated.", rich_help_panel=_SAMPLES),
]
ReplicateSamples = Annotated[
    Replicates,
    typer.Option("--replicates", help="Samples of one day: pool their events, or show each.", rich_help_panel=_SAMPLES),
]
OfSpecimen = Annotated[Specimen, typer.Option("--specimen", help="Specimen of the course.", rich_help_panel=_SAMPLES)]
Gated = Annotated[
    bool,
    typer.Option("--gated/--net", help="Counts as gated, or net ones where a tube has them.", rich_help_panel=_SAMPLES),
]
Populations = Annotated[
    list[str] | None,
    typer.Option(
        "--population",
        metavar="NAME",
        help="A population of any tube onto the course; may be repeated.",
        rich_help_panel=_SAMPLES,
    ),
]

_CLINICAL = "Clinical values"
Clinical = Annotated[
    Path | None,
    typer.Option("--clinical", help="CSV: subject_id,day,variable,value,unit", rich_help_panel=_CLINICAL),
]
Interventions = Annotated[
    Path | None,
    typer.Option("--interventions", help="CSV: subject_id,name,start_day,end_day,dose,unit", rich_help_panel=_CLINICAL),
]
Subjects = Annotated[
    Path | None,
    typer.Option(
        "--subjects",
        help="CSV: subject_id, product, dose_car_t, arm, response, x_*, ...",
        rich_help_panel=_CLINICAL,
    ),
]
Scores = Annotated[
    list[ScoreName] | None,
    typer.Option("--score", help="Calculate this score (not diagnostic); may be repeated.", rich_help_panel=_CLINICAL),
]

_FIGURES = "Figures"
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Colour the subjects' curves by this of --subjects.",
        rich_help_panel=_FIGURES,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="COLUMN",
        help="A panel of curves for each group of this column.",
        rich_help_panel=_FIGURES,
    ),
]
Shade = Annotated[
    list[str] | None,
    typer.Option(
        "--shade",
        metavar="DRUG",
        help="Shade this drug's days on every curve; may be repeated.",
        rich_help_panel=_FIGURES,
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also", metavar="VARIABLE", help="Panel of one more variable; may be repeated.", rich_help_panel=_FIGURES
    ),
]
EveryVariable = Annotated[
    bool, typer.Option("--also-all", help="A small panel of every clinical variable.", rich_help_panel=_FIGURES)
]
Window = Annotated[
    str | None,
    typer.Option(
        "--window", metavar="FROM,TO", help="Days of the first figure, such as -7,60.", rich_help_panel=_FIGURES
    ),
]
Formats = Annotated[str, typer.Option("--formats", help="Files of figures: svg,pdf,png", rich_help_panel=_FIGURES)]

_KINETICS = "Kinetics"
Decline = Annotated[
    bool, typer.Option("--decline", help="Fit two exponentials to the fall.", rich_help_panel=_KINETICS)
]
Fit = Annotated[
    bool,
    typer.Option(
        "--fit",
        help="Fit lag, growth, peak and decline, with profile intervals: fit.csv.",
        rich_help_panel=_KINETICS,
    ),
]
Joint = Annotated[
    bool,
    typer.Option(
        "--joint",
        help="Read the files again; one shape of CAR-T cells for all tubes: joint.csv.",
        rich_help_panel=_KINETICS,
    ),
]

_THRESHOLDS = "Thresholds"
BCellThreshold = Annotated[
    float | None,
    typer.Option("--b-cell-threshold", min=0.0, help="B cells/µL below which is aplasia.", rich_help_panel=_THRESHOLDS),
]
NkThreshold = Annotated[
    float | None,
    typer.Option("--nk-threshold", min=0.0, help="NK cells/µL below which they lack.", rich_help_panel=_THRESHOLDS),
]
ReExpansion = Annotated[
    float | None,
    typer.Option(
        "--re-expansion",
        metavar="FOLD",
        min=1.0,
        help="Warn of late counts so many times the lowest.",
        rich_help_panel=_THRESHOLDS,
    ),
]
Cd3Negative = Annotated[
    float | None,
    typer.Option(
        "--cd3-negative",
        min=0.0,
        help="Warn of late CAR+ cells/µL without CD3 (`cart-cd3-negative`).",
        rich_help_panel=_THRESHOLDS,
    ),
]
LateFrom = Annotated[
    float, typer.Option("--late-from", help="Day after which a warning is late.", rich_help_panel=_THRESHOLDS)
]

_EXCHANGE = "For other programs"
As = Annotated[
    Form | None,
    typer.Option(
        "--as",
        help="Write the course to stdout as another program takes it, with -o to OUT too.",
        rich_help_panel=_EXCHANGE,
    ),
]
Study = Annotated[str | None, typer.Option("--study", help="STUDYID of `--as sdtm-...`.", rich_help_panel=_EXCHANGE)]
