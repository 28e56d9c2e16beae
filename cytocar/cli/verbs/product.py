"""``cytocar product``: dose and release of infusion products."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.unverified import Unverified
from cytocar.errors.tree import UsageError, counted

if TYPE_CHECKING:
    from cytocar.product.release import Product, ReleaseCriteria

TABLE, PAGE, PDF = "product.csv", "certificates.html", "certificates.pdf"


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    criteria: Annotated[
        str | None,
        typer.Option(
            "--criteria",
            metavar="NAME|PATH.toml",
            help="What has to be met; examples: ari-0001, mb-cart20-1, humanised-cd19.",
        ),
    ] = None,
    before: Annotated[
        Path | None, typer.Option("--before", metavar="RUN", help="The same products before freezing: recovery.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write table and certificates.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the certificates to certificates.pdf too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace older certificates in DIR.")] = False,
    unverified: Unverified = False,
) -> None:
    """Tell the dose of infusion products, what is in them, and whether they meet limits of release.

    Looks at tubes with `specimen` product; `bag_volume_ml`, `tnc_per_ml`, `weight_kg`, `vcn_per_cell` of the sheet give
    doses by beads and by a cell counter, per kg, and copies per CAR+ cell. Without -o: CSV on stdout. Exit code 1 if a
    limit is not met, or not evaluated.
    """
    from cytocar.product.release import PRODUCT, ReleaseCriteria, products_of
    from cytocar.tables.columns import csv_text
    from cytocar.validation.limits import Verdict, read_limits

    if pdf and out is None:
        raise UsageError("--pdf needs a folder", code="E260", hint="name one with -o")
    limits = read_limits(criteria, ReleaseCriteria, package="cytocar.product") if criteria else None
    products = products_of(run, limits, before=before)
    text = csv_text(PRODUCT, (row for product in products for row in product.rows()))
    if out is None:
        sys.stdout.write(text)
    else:
        _write(products, limits, text, out, pdf=pdf, force=force)
        _show(products)
    if limits is not None and any(product.verdict is not Verdict.PASS for product in products):
        raise typer.Exit(1)


def _write(
    products: tuple[Product, ...], limits: ReleaseCriteria | None, text: str, out: Path, *, pdf: bool, force: bool
) -> None:
    from cytocar.files.whole import write_atomically
    from cytocar.report.product.page import certificates
    from cytocar.report.run.printing import print_pdf

    if not force and any((out / name).exists() for name in (TABLE, PAGE)):
        raise UsageError(f"{out} holds certificates", code="E105", hint="name another folder, or use --force")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / TABLE, text)
    write_atomically(out / PAGE, certificates(products, limits))
    if pdf:
        print_pdf(out / PAGE, out / PDF)
    screen.say(f"wrote {', '.join((TABLE, PAGE, *((PDF,) if pdf else ())))} in {out}")


def _show(products: tuple[Product, ...]) -> None:
    from cytocar.cli.result_table import write_table
    from cytocar.report.product.page import cells, cells_interval
    from cytocar.report.run.worklist import WORST_FIRST
    from cytocar.validation.limits import COLOURS, WORDS

    lines = [
        (
            product.result.sample.sample_id,
            line.name,
            f"{cells(line.estimate.value)} {line.figure.unit}".strip(),
            cells_interval(line.estimate),
            line.limit.text(line.figure.unit) if line.limit else "",
            WORDS[line.verdict] if line.verdict else "",
        )
        for product in products
        for line in product.lines
    ]
    header = ("product", "figure", "found", "95 % interval", "limit", "verdict")
    verdicts = [line.verdict for product in products for line in product.lines]
    write_table(header, lines, styles=[COLOURS[verdict] if verdict else "" for verdict in verdicts])
    for product in products:
        codes = [finding.code for finding in product.findings if finding.outcome in WORST_FIRST]
        if product.verdict is not None:
            name = screen.printable(product.result.sample.sample_id)
            looked_at = f", {counted(len(codes), 'finding')} to look at: {', '.join(codes)}" if codes else ""
            sys.stdout.write(f"{name}: {WORDS[product.verdict]}{looked_at}\n")
        for line in product.lines:
            if line.limit is not None and line.why:
                sys.stdout.write(screen.printable(f"  {line.name}: {line.why}") + "\n")
