"""The same work on a cluster: Dask behind the standard executor interface (Dask lives here, extra ``cluster``)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager, suppress
from logging import CRITICAL, getLogger

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.run.workers import Workers

_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")
"""Loggers of Dask and of its event loop that set a level of their own: a lost connection is an error here, and what
they print beside it is a traceback, at times only, since it depends on which side of the connection notices first."""


@contextmanager
def dask_workers(address: str) -> Iterator[Workers]:
    """Yield workers of a Dask cluster.

    Parameters
    ----------
    address : str
        ``tcp://host:8786`` of a scheduler, or ``local:N`` for N processes of this machine.

    Notes
    -----
    Every worker must see the FCS files and the run folder under the same paths; files at addresses only need the
    protocol's package and credentials there. Dask itself tries a task again when its worker dies; a task that kills
    several workers in a row is given back as failed.

    Raises
    ------
    UsageError
        E100 without the extra, when no scheduler answers, or when a worker dies while it starts, or the scheduler
        goes away.
    """
    try:
        from distributed import Client, LocalCluster
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise UsageError(
            "--dask needs the extra `cluster`", code="E100", hint="in the clone of cytocar: pip install '.[cluster]'"
        ) from error
    local, _, number = address.partition(":")
    for logger in _LOGGERS:
        getLogger(logger).setLevel(CRITICAL)
    with boundary(
        lambda why: UsageError(
            f"no Dask workers at {address}: {why}",
            code="E100",
            hint="give tcp://HOST:PORT, or local:N; where that is right, run the same command again",
        )
    ):
        if local == "local":
            cluster = LocalCluster(
                n_workers=int(number or 2),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # any port that is free: None takes 8787, which another run may have
                silence_logs=CRITICAL,
            )
            client = Client(cluster)
        else:
            cluster, client = None, Client(address, timeout="10s")
        n_workers = len(client.scheduler_info()["workers"])
    try:
        yield Workers(lambda: _executor(client), in_flight=4 * max(n_workers, 1), killers=(KilledWorker,))
    except (CancelledError, CommClosedError) as error:
        raise UsageError(
            f"the Dask scheduler at {address} went away during the run",
            code="E100",
            hint="start it and run the same command again: samples that are finished are kept",
        ) from error
    finally:
        for part in filter(None, (client, cluster)):
            with suppress(
                Exception
            ):  # what is lost here is a farewell: every answer has come, or its error is on its way
                part.close()


def _executor(client: object) -> Executor:
    executor: Executor = client.get_executor(pure=False, retries=2)  # type: ignore[attr-defined]  # Dask has no types
    return executor
