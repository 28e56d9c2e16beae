"""One sample: file, template and sheet row become a ``SampleResult`` or a ``SampleFailure``.

The only orchestration there is, in the data's order: read, gate, count, judge. Every step is a function of the layers
below; what goes wrong for one sample becomes its failure, never another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cytocar.counting.basis import BeadBasis, CountBasis
from cytocar.counting.car_t import car_count
from cytocar.counting.limits import rare_cells
from cytocar.counting.tube import with_gates
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import ReadError, SampleError
from cytocar.fcs import keywords
from cytocar.fcs.reader import open_fcs
from cytocar.files.source import at_hand, hashing
from cytocar.gates.walk import GatedSample, Populations, replay, require_opened, walk
from cytocar.sample.acceptance import WITHOUT_T_CELLS, accepted
from cytocar.sample.bead_gain import gain_findings
from cytocar.sample.blank_controls import TubesBackground, background_of_tubes, blank_tube
from cytocar.sample.concentrations import car_ratio_net, counting_of, drawn_ul, method_of, population_counts, ratio
from cytocar.sample.control_signals import References, backgrounds_of, references_from
from cytocar.sample.missing_reagent import missing_reagent
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sample.quality.acceptance import doubt_findings, emptiness, gate_findings, left_out_of
from cytocar.sample.quality.acquisition import run_findings
from cytocar.sample.quality.flow import FlowEvents, TimeQuality, flow_quality
from cytocar.sample.quality.labels import (
    LABEL_CODES,
    STAINED_OTHERWISE,
    car_is_labelled_otherwise,
    gated_channels,
    label_findings,
)
from cytocar.sample.quality.negative_tubes import car_in_negative_tube
from cytocar.sample.quality.populations import Evidence, evidence, findings_on_claim
from cytocar.sample.quality.stored import check_detectors_live, stored_findings
from cytocar.sample.result import (
    CountInputs,
    ErrorRecord,
    Roles,
    SampleFailure,
    SampleOutcome,
    SampleResult,
)
from cytocar.sample.witnesses import rise_on_witnesses
from cytocar.sheet.rows import CountMethod, SampleRow
from cytocar.sheet.tube import Specimen
from cytocar.signals.panel import Panel, resolve
from cytocar.statistics.special import load_special_functions

if TYPE_CHECKING:
    from cytocar.counting.blank_tubes import BlankTube
    from cytocar.fcs.events import EventTable
    from cytocar.gates.decision import Background
    from cytocar.template.model import Template


def analyse(
    sample: SampleRow,
    protocol: Protocol,
    references: References | None = None,
    *,
    beside: Sequence[Finding] = (),
    blanks: Sequence[BlankTube] = (),
) -> SampleOutcome:
    """Return a sample's result, or why it has none.

    Parameters
    ----------
    sample : SampleRow
        The tube or well.
    protocol : Protocol
        Template and what the command line settles for every sample.
    references : mapping of population to sequence of ReferenceEvents, optional
        Control samples for the ``reference`` gates.
    beside : sequence of Finding
        How the file differs from the others of its run.
    blanks : sequence of BlankTube
        The CAR-negative tubes of the run: what they say about the background.
    """
    if sample.exclude:
        return SampleFailure(sample=sample, template=protocol.stamp)
    if protocol.refused is not None:
        return SampleFailure(sample=sample, template=protocol.stamp, error=protocol.refused)
    sha256 = None
    try:
        with at_hand(sample.file) as file:
            hashed = hashing(file)
            try:
                events = open_fcs(file, data_set=sample.data_set)
                result = count_sample(events, sample, protocol, references=references, blanks=blanks)
            except SampleError:
                sha256 = hashed()
                raise
            sha256 = hashed()
    except SampleError as error:
        return SampleFailure(sample=sample, template=protocol.stamp, error=ErrorRecord.of(error), file_sha256=sha256)
    return with_findings_beside(replace(result, file_sha256=sha256), beside)


def with_findings_beside(result: SampleResult, beside: Sequence[Finding]) -> SampleResult:
    """Return a result with what the other files of its run show about its own."""
    return replace(result, findings=(*result.findings, *_new(beside, result.findings)))


def _new(beside: Sequence[Finding], findings: Sequence[Finding]) -> Iterator[Finding]:
    """What the run says of a file, but not again that names are exchanged where the template has said so."""
    exchanged = any(finding.code in LABEL_CODES for finding in findings)
    yield from (finding for finding in beside if not (exchanged and finding.code == "W250"))


def quantify(  # one keyword per column of the sheet that can decide a count
    events: EventTable,
    template: Template,
    *,
    beads_added: float | None = None,
    sample_volume_ul: float | None = None,
    acquired_volume_ul: float | None = None,
    lymphocytes_per_ul: float | None = None,
    wbc_per_ul: float | None = None,
    dilution_factor: float | None = None,
    count_method: str | None = None,
    specimen: str | None = None,
    sample_id: str = "sample",
    controls: Sequence[EventTable] = (),
    references: References | None = None,
) -> SampleResult:
    """Return the counts of one sample: events, shares, cells/µL, intervals, limits.

    Parameters
    ----------
    events : EventTable
        From ``open_fcs``, or made in memory.
    template : Template
        From ``load_template``.
    beads_added : float, optional
        Beads in the tube.
    sample_volume_ul, acquired_volume_ul : float, optional
        Specimen in the tube; volume that the instrument drew, µL.
    lymphocytes_per_ul, wbc_per_ul : float, optional
        Counts of a haematology analyser, cells/µL.
    dilution_factor : float, optional
        Dilution of the specimen before pipetting.
    count_method : {"beads", "volumetric", "dual_platform", "none"}, optional
        By default what the numbers given make possible, else what the template says.
    specimen : {"blood", "marrow", "csf", "apheresis", "product"}, optional
        What was drawn; by default its counts must be such as blood can have.
    sample_id : str
        Its name in the tables.
    controls : sequence of EventTable
        CAR-negative controls, the subject's own baseline first: they place the ``reference`` gates and give their
        background, as ``--controls`` does.
    references : mapping, optional
        The same signals, gated already, by population.

    Raises
    ------
    SampleError
        The sample cannot be gated (panel, compensation). A count that is not possible is a finding instead.
    TypeError
        For the name of a file or template in its place, and for text in the place of a number.

    Examples
    --------
    >>> import cytocar
    >>> tube = cytocar.simulate.blood_tube(car_per_ul=100, seed=1)
    >>> template = cytocar.load_template("cart-cd19fc-fixed")
    >>> result = cytocar.quantify(tube.events, template, beads_added=50_000, sample_volume_ul=50)
    >>> result.row()["car_result"]
    'quantified'

    With a baseline, and gates that adapt:

    >>> baseline = cytocar.simulate.blood_tube(car_per_ul=0, seed=2)
    >>> template = cytocar.load_template("cart-cd19fc")
    >>> row = cytocar.quantify(tube.events, template, beads_added=50_000, controls=[baseline.events]).row()
    >>> row["control_ids"], row["car_percent_net_low"] > 40
    ('control 1', True)
    """
    require_opened(events, template)
    load_special_functions()
    place = events.path or Path(sample_id)
    sample = SampleRow(
        file=place,
        file_as_given=place.name,
        sample_id=sample_id,
        count_method=CountMethod(count_method) if count_method else None,
        specimen=Specimen(specimen) if specimen else None,
        beads_added=_number(beads_added),
        sample_volume_ul=_number(sample_volume_ul),
        acquired_volume_ul=_number(acquired_volume_ul),
        lymphocytes_per_ul=_number(lymphocytes_per_ul),
        wbc_per_ul=_number(wbc_per_ul),
        dilution_factor=_number(dilution_factor),
    )
    references = {**references_from(controls, template), **(references or {})}
    return count_sample(events, sample, Protocol(template, unlocked(template)), references=references)


def _number(given: float | None) -> float | None:
    """Return a number as Python's own, so that no count is worked out in the 24 bits of a NumPy float32."""
    if isinstance(given, str):
        raise TypeError(f"a number is needed, not the text {given!r}")
    return None if given is None else float(given)


def count_sample(
    events: EventTable,
    sample: SampleRow,
    protocol: Protocol,
    *,
    references: References | None = None,
    blanks: Sequence[BlankTube] = (),
) -> SampleResult:
    """Return the counts of one sample whose file is open; see ``analyse``."""
    template = protocol.template
    panel = resolve(template.panel, events.channels, overrides=protocol.markers)
    check_detectors_live(events, gated_channels(template, panel))
    populations, flow, kept_share = _gated(events, protocol, panel, references)
    template = populations.gated.template  # without populations of optional markers that the file does not have
    method = method_of(sample, template)
    backgrounds = backgrounds_of(populations, template, protocol.overrides, references or {})
    evidence_here = evidence(
        populations,
        template,
        method=method,
        own_control=template.report.car in backgrounds,
        product=sample.specimen is Specimen.PRODUCT,
        with_t_cells=sample.sample_type not in WITHOUT_T_CELLS,
    )
    tube, basis, count_findings = counting_of(
        sample, events, template, populations, method, evidence_here, kept_share=kept_share
    )
    plate_id, well = _place(sample, events)
    own = next((tube for tube in blanks if tube.sample_id == sample.sample_id), None)
    own = own or blank_tube(populations, template, sample)
    background = background_of_tubes(populations, protocol, sample, backgrounds, own=own, run=blanks)
    otherwise = car_is_labelled_otherwise(template, panel, sample.sample_type, settled=protocol.markers)
    car, car_findings = car_count(
        populations,
        template,
        basis,
        background.backgrounds,
        asked_for=method,
        gate_cvs=evidence_here.gate_cvs,
        is_the_car=not otherwise,
        rise=rise_on_witnesses(populations, template, backgrounds, references or {}),
    )
    result = SampleResult(
        sample=sample,
        template=protocol.stamp,
        roles=_roles(template),
        total_events=events.n_events,
        populations=tuple(population_counts(populations, template, basis, evidence_here.gate_cvs)),
        decisions=evidence_here.decisions,
        findings=(
            *events.findings,
            *stored_findings(events, gated_channels(template, panel)),
            *flow.findings,
            *label_findings(template, panel, sample.sample_type, settled=protocol.markers),
            *populations.findings,
            *count_findings,
            *evidence_here.findings,
            *doubt_findings(template),
            *gate_findings(
                evidence_here.decisions,
                template,
                by_beads=method is CountMethod.BEADS,
                stained=sample.sample_type not in WITHOUT_T_CELLS,
                left_out=left_out_of(sample, template),
                apart=evidence_here.apart,
            ),
            *car_findings,
            *car_in_negative_tube(sample, car),
            *background.findings,
            *findings_on_claim(evidence_here, car),
            *_beside_controls(populations, template, sample, references or {}, evidence_here),
            *run_findings(populations, template, by_beads=basis.method == BeadBasis.method),
            *_emptiness(populations, template, sample),
            *_few_cells(populations, template, sample, basis),
        ),
        counting=CountInputs(
            method=method,
            beads_added=sample.beads_in_tube,
            sample_volume_ul=tube.sample_volume_ul,
            acquired_volume_ul=tube.acquired_volume_ul,
            dilution_factor=tube.dilution_factor,
            ci_method=_interval_name(
                with_gates(basis, evidence_here.gate_cvs.get(template.report.car or "")), background
            ),
        ),
        cd4_cd8_ratio=ratio(populations, template.report.cd4, template.report.cd8),
        car_cd4_cd8_ratio=ratio(populations, template.report.car_cd4, template.report.car_cd8),
        car_cd4_cd8_ratio_net=car_ratio_net(populations, template.report, background.backgrounds),
        car=car,
        compensation=populations.compensation,
        control_ids=_control_ids(backgrounds),
        plate_id=plate_id,
        well=well,
        gates=populations.fitted,
        pair_percent=evidence_here.pair_percent,
        margin_percent=evidence_here.margin_percent,
        blank=own,
        instrument=" ".join(filter(None, (keywords.cytometer(events), events.keywords.get("$CYTSN")))),
        volume_drawn_ul=drawn_ul(sample, events, kept_share),
        seconds=keywords.duration_seconds(events),
        stain_levels=evidence_here.stain_levels,
    )
    return accepted(result, template)


def _gated(
    events: EventTable, protocol: Protocol, panel: Panel, references: References | None
) -> tuple[Populations, TimeQuality, float]:
    """Return the populations of a file, how steadily it flowed, and the share of its events that were kept."""
    template = protocol.template
    cut = _flow(events, protocol) if template.quality.unsteady_flow == "cut" else None
    seen = FlowEvents(events, dict.fromkeys(panel.values())) if template.quality.unsteady_flow == "flag" else None
    steady = cut.keep if cut is not None else None
    populations = walk(
        events,
        template,
        markers=protocol.markers,
        compensation=protocol.compensation,
        references=references,
        gate_overrides=protocol.overrides,
        medians=template.report.medians,
        steady=steady,
        watch=True,
        look=seen.add if seen is not None else None,
    )
    flow = cut or (seen.quality() if seen is not None else TimeQuality(None, ()))
    return populations, flow, 1.0 if steady is None else float(steady.mean())


def _beside_controls(
    populations: Populations, template: Template, sample: SampleRow, references: References, evidence_here: Evidence
) -> Iterator[Finding]:
    """Yield what the control's signals say about the gain and the reagents of a tube that is stained as it is."""
    if sample.sample_type not in STAINED_OTHERWISE:
        yield from gain_findings(populations, template, references)
        yield from missing_reagent(evidence_here.stain_levels, template, references)


def _interval_name(basis: CountBasis, background: TubesBackground) -> str | None:
    """How the intervals were made, and what told the background that the net ones carry."""
    named = [basis.ci_method, f"background: {background.who}" if background.who else ""]
    return "; ".join(name for name in named if name) or None


def _emptiness(populations: Populations, template: Template, sample: SampleRow) -> tuple[Finding, ...]:
    t_cells = template.report.t_cells
    if t_cells is None or sample.sample_type in WITHOUT_T_CELLS:
        return ()
    return emptiness(t_cells, populations[t_cells].events, of=populations.n_events)


def _few_cells(populations: Populations, template: Template, sample: SampleRow, basis: CountBasis) -> Iterator[Finding]:
    """Yield notes on T, CD4, CD8 and B cells too few for a number; with T cells that few, of their kinds nothing."""
    report = template.report
    of_t_cells = () if sample.sample_type in WITHOUT_T_CELLS else (report.t_cells, report.cd4, report.cd8)
    for name in (report.b_cells, *of_t_cells):
        if name is None:
            continue
        notes = rare_cells(name, populations[name].events, template.limits, basis)
        yield from notes
        if notes and name == report.t_cells:
            return


def gate_again(events: EventTable, protocol: Protocol, result: SampleResult) -> GatedSample:
    """Return a sample to pass over with the gates that it was counted with; the flow is judged again if it was cut."""
    unsteady = any(finding.check == "time" and finding.outcome is not Severity.PASS for finding in result.findings)
    cut = unsteady and protocol.template.quality.unsteady_flow == "cut"
    return replay(
        events,
        protocol.template,
        result.gates,
        markers=protocol.markers,
        compensation=protocol.compensation,
        steady=_flow(events, protocol).keep if cut else None,
    )


def _flow(events: EventTable, protocol: Protocol) -> TimeQuality:
    """What the clock and the template's channels say about the flow, known before the gates see an event."""
    panel = resolve(protocol.template.panel, events.channels, overrides=protocol.markers)
    return flow_quality(events, dict.fromkeys(panel.values()))


# ---------------------------------------------------------------- identity


def _place(sample: SampleRow, events: EventTable) -> tuple[str | None, str | None]:
    """Return plate and well; a sheet that contradicts the file means a swapped sample."""
    by_file = keywords.well(events)
    by_sheet = keywords.well_name(sample.well) if sample.well else None
    if by_file and by_sheet and by_file != by_sheet:
        raise ReadError(
            f"the sheet says well {by_sheet}, the file says {by_file}",
            code="E027",
            hint="find out which is right before anything is counted; leave the sheet's well empty to trust the file",
        )
    return sample.plate_id or keywords.plate(events), by_sheet or by_file


def _control_ids(backgrounds: Mapping[str, Background]) -> tuple[str, ...]:
    ids = [name for background in backgrounds.values() for name in background.control_ids]
    return tuple(dict.fromkeys(ids))


def _roles(template: Template) -> Roles:
    """Return the populations that ``[report]`` names, and the beads."""
    named = {role: getattr(template.report, role) for role in Roles.__struct_fields__ if role != "beads"}
    return Roles(**named, beads=template.counting.beads)
