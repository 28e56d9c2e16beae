"""The same work on a cluster: Dask behind the standard executor interface (Dask lives here, extra ``cluster``)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from cytocar.errors.tree import UsageError
from cytocar.run.workers import Workers


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
        E100 without the extra, or when no scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise UsageError(
            "--dask needs the extra `cluster`", code="E100", hint="in the clone of cytocar: pip install '.[cluster]'"
        ) from error
    local, _, number = address.partition(":")
    try:
        if local == "local":
            cluster = LocalCluster(n_workers=int(number or 2), threads_per_worker=1, dashboard_address=None)
            client = Client(cluster)
        else:
            cluster, client = None, Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler at {address}: {error}", code="E100", hint="give tcp://HOST:PORT, or local:N"
        ) from error
    try:
        in_flight = 4 * max(len(client.scheduler_info()["workers"]), 1)
        yield Workers(lambda: _executor(client), in_flight=in_flight, killers=(KilledWorker,))
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _executor(client: object) -> Executor:
    executor: Executor = client.get_executor(pure=False, retries=2)  # type: ignore[attr-defined]  # Dask has no types
    return executor
