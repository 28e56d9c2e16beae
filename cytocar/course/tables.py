"""The tables of a course: ``series.csv``, ``kinetics.csv`` and what stands beside them, columns declared once.

Written as every table of cytocar is (see ``tables``): same input, same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from cytocar.course.clinical import ClinicalRecord
from cytocar.course.series import CoursePoint
from cytocar.course.subjects import Subjects
from cytocar.tables.columns import Column, carried_column, parse_columns

SERIES = parse_columns("""
subject_id             str -        | pseudonym of the person
day                    num days     | days from infusion; day 0 is the day of infusion
sample_id              str -        | sample, or pooled replicates joined by +
car_per_ul             num cells/µL | CAR-T cells per µL; the estimate, kept even below the limits
car_per_ul_low         num cells/µL | its 95 % interval, lower bound
car_per_ul_high        num cells/µL | its 95 % interval, upper bound
car_result             str -        | quantified, below_lloq, not_detected, not_evaluable
car_percent_of_t_cells num %        | CAR+ in percent of T cells, as gated
car_cd4_cd8_ratio      num -        | CD4+ to CD8+ CAR-T cells
t_cells_per_ul         num cells/µL | T cells per µL
cd4_cd8_ratio          num -        | CD4+ to CD8+ T cells
status                 str -        | ok, review, no_count, failed, excluded
car_lod_per_ul         num cells/µL | limit of detection of this sample
car_lloq_per_ul        num cells/µL | lower limit of quantification of this sample
b_cells_per_ul         num cells/µL | B cells per µL, where the template has them
car_count              str -        | net or gated: which count car_per_ul is
car_per_ul_gated       num cells/µL | CAR-T cells per µL as gated
replicates_p           num -        | probability that replicates differ so much by chance; below 0.001 they disagree
""")

KINETICS = parse_columns("""
subject_id             str -                  | pseudonym of the person
cmax_per_ul            num cells/µL           | highest quantified concentration
tmax_day               num days               | its day, the first if tied
auc_0_28               num cells/µL*days      | area under the curve to day 28, linear up, log down
auc_0_84               num cells/µL*days      | area under the curve to day 84
clast_per_ul           num cells/µL           | last quantified concentration
tlast_day              num days               | its day
persistence_days       num days               | last day with CAR-T cells detected, quantified or not
doubling_time_days     num days               | from the log-linear rise up to the peak
half_life_days         num days               | from the log-linear fall after the peak
half_life_points       int -                  | samples behind it
half_life_adjusted_r2  num -                  | how straight they lie
n_timepoints           int -                  | samples with a result, from infusion on
n_quantified           int -                  | of these, quantified
blq_rule               str -                  | what was done with values below the limit of quantification
auc_0_last             num cells/µL*days      | area under the curve to tlast_day
auc_0_end              num cells/µL*days      | area to the last sample, 0 for what is below the limit
cmax_per_ul_low        num cells/µL           | 95 % interval of cmax_per_ul: count, scatter, peak between samples
cmax_per_ul_high       num cells/µL           | its upper bound
auc_0_28_low           num cells/µL*days      | 95 % interval of auc_0_28: counts, scatter, days between samples
auc_0_28_high          num cells/µL*days      | its upper bound
auc_0_84_low           num cells/µL*days      | 95 % interval of auc_0_84: as that of auc_0_28
auc_0_84_high          num cells/µL*days      | its upper bound
reasons                str -                  | why a number is missing, or what to keep in mind, by column
doubling_time_days_low    num days            | its 95 % interval; empty where one sample lies before the peak
doubling_time_days_high   num days            | its upper bound
doubling_time_points      int -               | samples behind it
doubling_time_adjusted_r2 num -               | how straight they lie
half_life_days_low        num days            | 95 % interval of half_life_days; none where the slope may be 0
half_life_days_high       num days            | its upper bound
n_censored                int -               | samples with a value somewhere below their limit
cmax_per_ul_at_most       num cells/µL        | what the peak is at most, the limits of such samples counted
auc_0_28_censored         num cells/µL*days   | auc_0_28 with such values at what is expected of them
auc_0_28_censored_low     num cells/µL*days   | its 95 % interval: they may be 0
auc_0_28_censored_high    num cells/µL*days   | its upper bound: they may be as high as their limit
auc_0_84_censored         num cells/µL*days   | auc_0_84 with such values at what is expected of them
auc_0_84_censored_low     num cells/µL*days   | its 95 % interval, lower bound
auc_0_84_censored_high    num cells/µL*days   | its upper bound
half_life_days_censored   num days            | half-life by likelihood, such values lying below their limit
half_life_days_censored_low  num days         | its 95 % profile interval, lower bound
half_life_days_censored_high num days         | its upper bound
""")

COVARIATES = parse_columns("""
subject_id str -    | pseudonym of the person
day        num days | days from infusion
variable   str -    | clinical variable
value      num -    | its value, converted to the unit beside it
unit       str -    | unit; one that is not known stands as written
bound      str -    | < or > where only a limit is known, which is the value
text       str -    | an answer in words, in place of a value
note       str -    | note beside the value
""")

SCORES = parse_columns("""
subject_id str -    | pseudonym of the person
score      str -    | name of the calculated score; not diagnostic
day        num days | day of the latest value used
value      num -    | the score
category   str -    | low or high, where the score has categories
inputs     str -    | values that went in, with unit and day
note       str -    | what is missing, or how values were chosen
source     str -    | where the score was published
""")

APLASIA = parse_columns("""
subject_id       str  -        | pseudonym of the person
threshold_per_ul num  cells/µL | B cells below this are aplasia
first_day_below  num  days     | first visit below
last_day_below   num  days     | last visit below
recovered_day    num  days     | first visit at or above it again
shortest_days    num  days     | from the first to the last visit below
longest_days     num  days     | from the visit before to the visit after
ongoing          bool -        | still below at the last visit
note             str  -        | what bounds the answer
""")

RESPONSES = parse_columns("""
subject_id         str -       | pseudonym of the person
intervention       str -       | drug or event
start_day          num days    | first day of the interval
end_day            num days    | last day of the interval; empty while it goes on
phase              str -       | before, during, after
first_day          num days    | first sample of the phase
last_day           num days    | last sample of the phase
n_values           int -       | samples of the phase
n_below            int -       | of these, below their limit: used as such
rate_per_day       num 1/days  | slope of ln(CAR-T cells/µL)
rate_per_day_low   num 1/days  | its 95 % interval, lower bound
rate_per_day_high  num 1/days  | its 95 % interval, upper bound
doubling_time_days num days    | ln 2 over the rate, where it is above 0
half_life_days     num days    | ln 2 over the rate, where it is below 0
fold               num -       | factor between first_day and last_day, by the rate
change_p           num -       | p of a change of slope where the phase begins (F test of a bent line)
method             str -       | how the rate was found
""")

RECONSTITUTION = parse_columns("""
subject_id       str  -        | pseudonym of the person
cells            str  -        | b_cells, cd4, nk_cells
n_visits         int  -        | visits after infusion with a result
nadir_day        num  days     | visit with the fewest
nadir_per_ul     num  cells/µL | the fewest; the limit of detection where none were seen
nadir_bound      str  -        | < where none were seen
baseline_per_ul  num  cells/µL | last visit before infusion
depth_percent    num  %        | nadir in percent of it
threshold_per_ul num  cells/µL | below this the cells lack: 20 B cells, 200 CD4, NK cells as given
first_day_below  num  days     | first visit below
last_day_below   num  days     | last visit below
recovered_day    num  days     | first visit at or above it again
shortest_days    num  days     | from the first to the last visit below
longest_days     num  days     | from the visit before to the visit after
ongoing          bool -        | still below at the last visit
note             str  -        | what bounds the answer
""")

LATE = parse_columns("""
subject_id    str -        | pseudonym of the person
day           num days     | day of the draw
flag          str -        | re-expansion, or car_cd3_negative: CAR+ cells with CD2 and without CD3
code          str -        | code of the warning
per_ul        num cells/µL | what was counted
per_ul_low    num cells/µL | lower end of its 95 % interval
per_ul_high   num cells/µL | upper end
lowest_day    num days     | day of the lowest count before it, after the early peak
lowest_per_ul num cells/µL | that count, or its limit
lowest_bound  str -        | < where it was below the limit
threshold     num -        | fold, or cells/µL, from which on it is flagged
text          str -        | in words
""")

COPIES = parse_columns("""
subject_id          str -           | pseudonym of the person
day                 num days        | day of the PCR
copies_per_ug       num copies/µg   | transgene copies per µg of DNA
wbc_per_ul          num cells/µL    | leukocytes of the same day, or the day beside it
copies_per_ul       num copies/µL   | copies/µg x leukocytes/µL x 6.6e-6 µg
car_per_ul          num cells/µL    | CAR-T cells by cytometry, where quantified
copies_per_car_cell num copies/cell | copies/µL over CAR-T cells/µL
verdict             str -           | how both go together, by the limit of detection of that tube
copies_bound        str -           | < or > where only that is known of the copies
car_limit_per_ul    num cells/µL    | limit that the CAR-T cells lie below, where they do
""")

COPIES_CORRELATION = parse_columns("""
subject_id    str - | pseudonym of the person; empty for all subjects
of            str - | what is correlated
n_pairs       int - | PCRs with cells of their day
n_below_limit int - | pairs with a value below its limit
tau           num - | Kendall's tau-b, values below a limit counted as such
p             num - | over the subjects: signed-rank test of their taus; no p value within one subject
note          str - | what to keep in mind
""")

GROUPS = parse_columns("""
measure              str -  | what is compared
unit                 str -  | its unit
first                str -  | first group; in pairs the earlier phase
second               str -  | second group; in pairs the later phase
n_first              int -  | subjects of the first group with a value; in pairs, pairs
n_second             int -  | subjects of the second group
n_below_first        int -  | of these, below a limit: tied with each other below all others
n_below_second       int -  | of these, below a limit
median_first         num -  | median of the first group; empty where it is below a limit
lower_quartile_first num -  | a quarter of its values lie below
upper_quartile_first num -  | a quarter of its values lie above
median_second         num - | median of the second group
lower_quartile_second num - | a quarter of its values lie below
upper_quartile_second num - | a quarter of its values lie above
effect_kind          str -  | fold, or difference where a ratio means nothing
effect               num -  | Hodges-Lehmann shift: first over or less second; in pairs later over or less earlier
effect_low           num -  | its 95 % interval, lower bound
effect_high          num -  | its 95 % interval, upper bound
statistic            num -  | U of the first group, or the sum of positive signed ranks
p                    num -  | two-sided p value; none below five per group
p_method             str -  | Mann-Whitney or signed rank; exact, or normal approximation
p_holm               num -  | p adjusted over all lines (Holm)
p_bh                 num -  | p adjusted over all lines (Benjamini and Hochberg)
note                 str -  | what to keep in mind
""")

INTERVENTIONS = parse_columns("""
subject_id str -    | pseudonym of the person
name       str -    | drug or event
start_day  num days | first day
end_day    num days | last day; empty while it goes on
dose       num -    | dose as given
unit       str -    | its unit
""")

COHORT = parse_columns("""
day            num days     | visit: whole days, after six weeks whole months
n_subjects     int -        | subjects with a result at this visit
n_quantified   int -        | of these, quantified
median         num cells/µL | median CAR-T cells per µL; empty where it is below the limit
lower_quartile num cells/µL | a quarter of the subjects lie below; empty where it is below the limit
upper_quartile num cells/µL | a quarter of the subjects lie above
""")

DECLINE = parse_columns("""
subject_id             str -        | pseudonym of the person
n_points               int -        | quantified samples from the peak on
first_per_ul           num cells/µL | first phase on the day of the peak
first_half_life_days   num days     | its half-life
second_per_ul          num cells/µL | second phase on the day of the peak
second_half_life_days  num days     | its half-life
residual_sd_log        num -        | scatter of the samples about the fit, natural logarithm
caution                str -        | why there is no fit, or why not to trust it
""")

JOINT = parse_columns("""
subject_id              str -        | pseudonym of the person
day                     num days     | days from infusion
sample_id               str -        | tube
car_events              int events   | CAR+ events of the tube
car_percent_net         num %        | its own net share of T cells
car_percent_net_low     num %        | its 95 % interval, lower bound
car_percent_net_high    num %        | its 95 % interval, upper bound
car_per_ul_net          num cells/µL | its own net concentration
car_per_ul_net_low      num cells/µL | its 95 % interval, lower bound
car_per_ul_net_high     num cells/µL | its 95 % interval, upper bound
sensitivity             num -        | share of CAR-T cells above the threshold, as the tube alone tells
car_percent_joint       num %        | net share with the shape of the positives that the subject's tubes share
car_percent_joint_low   num %        | its 95 % interval, lower bound
car_percent_joint_high  num %        | its 95 % interval, upper bound
car_per_ul_joint        num cells/µL | net concentration with the shared shape
car_per_ul_joint_low    num cells/µL | its 95 % interval, lower bound
car_per_ul_joint_high   num cells/µL | its 95 % interval, upper bound
sensitivity_joint       num -        | share of CAR-T cells above the threshold, as all tubes together tell
stain_index_joint       num -        | stain index of the shared positives
joint_tubes             int tubes    | tubes that share the shape
shape_p                 num -        | probability that tubes of one shape differ so much; refused below 0.001
refused                 str -        | why there is no joint count; empty where there is one
""")

FIT = parse_columns("""
subject_id                  str -             | pseudonym of the person
n_quantified                int -             | quantified samples
n_censored                  int -             | samples below a limit, counted as such
cmax_per_ul                 num cells/µL      | peak of the fitted course
cmax_per_ul_low             num cells/µL      | its 95 % profile interval; empty where the samples leave it open
cmax_per_ul_high            num cells/µL      | its upper bound
tmax_day                    num days          | day of the peak
tmax_day_low                num days          | its 95 % profile interval
tmax_day_high               num days          | its upper bound
lag_days                    num days          | from infusion to the beginning of growth
lag_days_low                num days          | its 95 % profile interval
lag_days_high               num days          | its upper bound
doubling_time_days          num days          | doubling time of the growth
doubling_time_days_low      num days          | its 95 % profile interval
doubling_time_days_high     num days          | its upper bound
first_half_life_days        num days          | half-life of the first phase of the decline
first_half_life_days_low    num days          | its 95 % profile interval
first_half_life_days_high   num days          | its upper bound
second_half_life_days       num days          | half-life of the second phase
second_half_life_days_low   num days          | its 95 % profile interval
second_half_life_days_high  num days          | its upper bound
second_share                num -             | share of the peak that the second phase starts with
second_share_low            num -             | its 95 % profile interval
second_share_high           num -             | its upper bound
auc_0_28                    num cells/µL*days | area under the fitted course to day 28
scatter                     num -             | scatter of the samples about the course, SD of the natural logarithm
caution                     str -             | why there is no fit, or what the samples leave open
""")


_FROM_LAST = parse_columns("""
day_from_last_infusion num days | days from the latest infusion of subjects.csv; day counts from the first
""")


def series_columns(
    points: Sequence[CoursePoint],
    record: ClinicalRecord,
    populations: Sequence[str] = (),
    subjects: Subjects | None = None,
) -> tuple[Column, ...]:
    """Return the columns of ``series.csv``: its own, ``populations``, clinical variables, what the sheet carries."""
    own = {column.name for column in SERIES}
    units = {value.variable: value.unit for value in record.values}
    covariates = (
        Column(variable, "number", units[variable], "clinical value of the same day, the mean of several")
        for variable in record.variables
        if variable not in own
    )
    bounded = {value.variable for value in record.values if value.bound}
    bounds = (
        Column(f"{variable}_bound", "string", "", f"< or > where only a limit of {variable} is known")
        for variable in record.variables
        if variable in bounded
    )
    words = dict.fromkeys(text.variable for text in record.texts)
    answers = (Column(f"{variable}_text", "string", "", "answer in words of the same day") for variable in words)
    counted = (column for name in populations for column in population_columns(name) if column.name not in own)
    carried = dict.fromkeys(name for point in points for name in point.carried)
    texts = map(carried_column, carried)
    again = any(len(subject.infusion_days) > 1 for subject in subjects.rows) if subjects else False
    return (*SERIES, *(_FROM_LAST if again else ()), *counted, *covariates, *bounds, *answers, *texts)


def population_columns(name: str) -> tuple[Column, ...]:
    """Return the columns of ``series.csv`` for one population."""
    return parse_columns(f"""
        {name}_per_ul      num cells/µL | cells of the population {name} per µL
        {name}_per_ul_low  num cells/µL | its 95 % interval, lower bound
        {name}_per_ul_high num cells/µL | its 95 % interval, upper bound
        {name}_lod_per_ul  num cells/µL | its limit of detection in this draw: 3.0 events
        {name}_lloq_per_ul num cells/µL | its lower limit of quantification in this draw: 25 events
        {name}_result      str -        | quantified, below_lloq, not_detected, not_evaluable
    """)
