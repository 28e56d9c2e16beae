"""One name for each thing a contributor does: ``nox -l`` lists them, ``nox -s tests`` does one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and spelling."""
    session.install("ruff>=0.12", "codespell>=2.4")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.install("-e", ".[dev]")
    session.run("mypy", "--strict")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; words after ``--`` go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", *(session.posargs or ["-n", "2"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Write the reference pages from the code, and run the console blocks of all pages."""
    session.install("-e", ".[test]")
    session.run("python", "docs/generate.py")
    session.run("pytest", "-q", "tests/test_docs.py")


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation as a site into build/site; a broken link fails, and no network is needed."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-q", "-W", "--keep-going", "docs", "build/site")
    session.log(f"open {Path('build/site/index.html').absolute()}")


@nox.session
def ci(session: nox.Session) -> None:
    """Do all that must hold on main, as CI does."""
    session.run("bash", ".ci/run", external=True)


@nox.session
def release(session: nox.Session) -> None:
    """Join the news fragments into CHANGELOG.md: ``nox -s release -- 0.3.0``."""
    session.install("towncrier>=24.8")
    session.run("towncrier", "build", "--yes", "--version", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Change what decides about numbers and records, one place at a time, and list the changes that no test notices."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "benchmarks.mutations", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Look the dependencies up in the list of known vulnerabilities."""
    session.install(".[xlsx,parquet,remote]", "pip-audit")
    session.run("pip-audit")
