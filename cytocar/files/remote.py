"""Files at addresses (``s3://bucket/day9.fcs``): as much of pathlib's ``Path`` as cytocar asks of a file, by fsspec.

An :class:`Address` lists, opens and fetches. What goes wrong comes out as ``OSError``, as it does from a path, with the
reason in ``strerror`` and the address in ``filename``: fsspec's protocols each have errors of their own. Keys and
signatures stay inside: ``str(address)`` is what may be written down. fsspec is loaded with the first address.
"""

from __future__ import annotations

import errno
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from msgspec import Struct

from cytocar.errors.tree import ReadError
from cytocar.files.address import USER, is_address, secrets_in, split_query, without_secrets

RANGE_BYTES = 1 << 16
"""What one request for a header asks for, and as much again read ahead: HEADER and TEXT of nearly every file."""
LARGE_RANGE_BYTES = 1 << 23
"""What one request for all of a file asks for: then the way there and back is a small part of it."""

SILENT_SECONDS = 60
"""How long a web server may send nothing."""

LONGEST_REASON = 240
"""Letters of a protocol's own words; some explain themselves at length."""

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
}
"""The package behind a protocol; fsspec itself brings none of them."""

_STATE = (
    "size", "ETag", "etag", "mtime", "LastModified", "Last-Modified", "last_modified", "updated", "modified", "created",
    "generation", "md5Hash", "Content-MD5", "content_settings", "Digest", "CRC", "date_time",
)  # fmt: skip
"""What protocols say about an object that shows that it was written to."""

State = tuple[tuple[str, str], ...]


class AddressStat(Struct, frozen=True):
    """What ``Path.stat`` says of an address."""

    st_size: int


class Address:
    """A file or a folder behind a protocol of fsspec; ``url`` as it was given, secrets included.

    Examples
    --------
    >>> sheet = Address("s3://KEY:secret@bucket/run1/sheet.csv")
    >>> sheet, sheet.name, sheet.suffix, str(sheet.parent / "day9.fcs")
    (Address('s3://bucket/run1/sheet.csv'), 'sheet.csv', '.csv', 's3://bucket/run1/day9.fcs')
    """

    __slots__ = ("url",)

    def __init__(self, url: str) -> None:
        self.url = url

    def __eq__(self, other: object) -> bool:
        """True if both were given alike."""
        return isinstance(other, Address) and self.url == other.url

    def __hash__(self) -> int:
        """Return that of the address as given."""
        return hash(self.url)

    def __lt__(self, other: Address) -> bool:
        """Return which comes first in a list."""
        return self.url < other.url

    def __str__(self) -> str:
        """Return the address as it may be written down."""
        return without_secrets(self.url)

    def __repr__(self) -> str:
        """Return the address as it may be written down."""
        return f"Address({str(self)!r})"

    # ------------------------------------------------------------ its name

    @property
    def scheme(self) -> str:
        """The protocol."""
        return self.url.partition("://")[0].lower()

    @property
    def _path(self) -> str:
        """The address without protocol, query and what it is chained to (``zip://day9.fcs::s3://bucket/run.zip``)."""
        inside, _ = split_query(self.url.partition("::")[0])
        return inside.partition("://")[2].rstrip("/")

    @property
    def parts(self) -> tuple[str, ...]:
        """Host or bucket, folders, name."""
        return tuple(USER.sub("", self._path).split("/"))

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.parts[-1]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """What the name ends in, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Address:
        """The folder. A signature does not go with it: it is one file's."""
        _, chain, outer = self.url.partition("::")
        return Address(f"{self.scheme}://{self._path.rpartition('/')[0]}{chain}{outer}")

    def __truediv__(self, name: str) -> Address:
        """Return a file below this folder; an address is itself, wherever it is asked for."""
        if is_address(name):
            return Address(name)
        _, chain, outer = self.url.partition("::")
        below = name.removeprefix("./")
        return Address(f"{self.scheme}://{f'{self._path}/{below}' if self._path else below}{chain}{outer}")

    def with_suffix(self, suffix: str) -> Address:
        """Return the file beside this one whose name ends otherwise."""
        return self.parent / f"{self.stem}{suffix}"

    def resolve(self) -> Address:
        """Return itself: there are no links to follow."""
        return self

    def is_relative_to(self, folder: Address) -> bool:
        """True if it lies in a folder or below."""
        return self.url.startswith(folder.url.rstrip("/") + "/") and ".." not in self.parts

    # ------------------------------------------------------------ what is there

    def exists(self) -> bool:
        """True if anything is there; a web address ends before its ``#``."""
        fragment = "#" in self.url and self.scheme in {"http", "https"}
        return not fragment and self._info() is not None

    def is_file(self) -> bool:
        """True if a file is there."""
        info = self._info()
        return info is not None and info["type"] != "directory"

    def is_dir(self) -> bool:
        """True if it is a folder; over HTTP, where nothing tells, a folder's address ends with a slash."""
        if self.scheme in {"http", "https"}:
            return self.url.endswith("/")
        info = self._info()
        return info is not None and info["type"] == "directory"

    def _info(self) -> dict[str, Any] | None:
        try:
            return self._looked_up()
        except FileNotFoundError:
            return None

    def _looked_up(self) -> dict[str, Any]:
        with self._asked():
            system, path = self._system()
            system.invalidate_cache(path)
            info: dict[str, Any] = system.info(path)
            return info

    def stat(self) -> AddressStat:
        """Return its size."""
        return AddressStat(int(self._looked_up().get("size") or 0))

    def state(self) -> State:
        """A mark that changes when the file is written to: size, time, checksum, as far as the protocol has them."""
        info = self._looked_up()
        return tuple((key, str(info[key])) for key in _STATE if info.get(key) is not None)

    def iterdir(self) -> Iterator[Address]:
        """Yield the entries of the folder."""
        with self._asked():
            system, path = self._system()
            system.invalidate_cache(path)
            entries = system.ls(path, detail=False)
        yield from self._below(path, entries)

    def files_below(self) -> Iterator[Address]:
        """Yield the files of the folder and its subfolders."""
        with self._asked():
            system, path = self._system()
            system.invalidate_cache(path)
            entries = system.find(path)
        yield from self._below(path, entries)

    def _below(self, root: str, names: list[str]) -> Iterator[Address]:
        """Yield the addresses below a folder, in the form in which the folder was named."""
        folder = root.strip("/")
        for name in names:
            plain = name.strip("/")
            if not folder or plain.startswith(f"{folder}/"):
                yield self / plain[len(folder) :].lstrip("/")

    # ------------------------------------------------------------ its bytes

    def open(self, _mode: str = "rb", buffering: int = -1) -> io.BufferedReader:
        """Open the file for reading: what is asked for comes over the network, at least ``buffering`` bytes at once."""
        with self._asked():
            system, path = self._system()
            raw = _Ranges(self, system, system.open(path, "rb", block_size=RANGE_BYTES))
        return io.BufferedReader(raw, buffering if buffering > 0 else RANGE_BYTES)

    def read_bytes(self) -> bytes:
        """Return all of it."""
        with self._asked():
            system, path = self._system()
            content: bytes = system.cat_file(path)
            return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return all of it as text."""
        return self.read_bytes().decode(encoding)

    def fetch(self, copy: Path) -> None:
        """Copy it to a local file, in one go."""
        with self._asked():
            system, path = self._system()
            system.get_file(path, str(copy))

    def stream(self, target: BinaryIO) -> None:
        """Copy it into an open file from its first byte on, without asking for a range."""
        with self._asked():
            system, path = self._system()
            with system.open(path, "rb", block_size=0) as source:
                shutil.copyfileobj(source, target, LARGE_RANGE_BYTES)

    def require_package(self) -> None:
        """Say at once what has to be installed for this protocol (E190)."""
        _require_protocol(self.scheme)

    def _system(self) -> tuple[Any, str]:
        self.require_package()
        from fsspec.core import url_to_fs

        system, path = url_to_fs(self.url, **_patience(self.url))
        return system, str(path)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Turn whatever a protocol raises into an ``OSError`` that says why and where, and no secret."""
        try:
            yield
        except ReadError:
            raise
        except Exception as error:  # noqa: BLE001 -- each protocol's package has errors of its own; only fsspec is called
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> OSError:
        over_http = self.scheme in {"http", "https"} and isinstance(error, FileNotFoundError)
        cause = error.__cause__ if over_http and isinstance(error.__cause__, Exception) else error
        status = getattr(cause, "status", None)
        message = self._said(cause)
        if isinstance(cause, PermissionError) or status in {401, 403}:
            return PermissionError(errno.EACCES, f"no permission ({message})", str(self))
        if isinstance(cause, FileNotFoundError) or status in {404, 410}:
            return FileNotFoundError(errno.ENOENT, "nothing is there", str(self))
        number = cause.errno if isinstance(cause, OSError) and cause.errno else errno.EIO
        return OSError(number, f"{type(cause).__name__}: {message}", str(self))

    def _said(self, error: Exception) -> str:
        """Return an error's own words in one line, without secrets, however the protocol spells them."""
        message = str(error).replace(self.url, str(self))
        for secret in secrets_in(self.url):
            for spelled in {secret, quote(secret, safe=""), unquote(secret)}:
                message = message.replace(spelled, "...")
        words = " ".join(map(without_secrets, message.split()))
        return (words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}...") or "no reason given"


class _Ranges(io.RawIOBase):
    """A file at an address as a raw stream; where a server gives no ranges, all of the file is fetched once instead."""

    def __init__(self, address: Address, system: Any, handle: Any) -> None:
        super().__init__()
        self._system = system  # an archive closes with the last one who holds it
        self._address, self._handle, self._whole = address, handle, False
        if getattr(handle, "size", 0) is None:
            self._fetch_whole(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._address._asked():
            self._handle.seek(offset, whence)
            return int(self._handle.tell())

    def tell(self) -> int:
        return int(self._handle.tell())

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            content = self._handle.read(len(view))
        except Exception as error:  # noqa: BLE001 -- as in Address._asked
            if self._whole or "range requests" not in str(error):
                raise self._address._refusal(error) from None
            self._fetch_whole(self._handle.tell())
            content = self._handle.read(len(view))
        view[: len(content)] = content
        return len(content)

    def _fetch_whole(self, position: int) -> None:
        whole = tempfile.TemporaryFile(prefix="cytocar-")  # noqa: SIM115 -- closed with this stream
        self._address.stream(whole)
        self._handle.close()
        self._handle, self._whole = whole, True
        self._handle.seek(position)

    def close(self) -> None:
        if not self.closed:
            self._handle.close()
        super().close()


def _patience(url: str) -> dict[str, Any]:
    """Return fsspec's options for the web servers of an address: a large file may take its time, a silent server not.

    aiohttp alone gives up after five minutes, however well a file is arriving.
    """
    servers = {link.partition("://")[0].lower() for link in url.split("::")} & {"http", "https"}
    if not servers:
        return {}
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, sock_connect=SILENT_SECONDS, sock_read=SILENT_SECONDS)
    return {server: {"client_kwargs": {"timeout": timeout}} for server in servers}


@lru_cache(maxsize=32)
def _require_protocol(scheme: str) -> None:
    try:
        from fsspec import get_filesystem_class
    except ImportError:
        raise ReadError(
            f"{scheme}:// is an address, and reading from addresses is not installed",
            code="E190",
            hint=f"in the clone of cytocar: pip install '.[remote]'{_and_package(scheme)}",
        ) from None
    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        raise ReadError(
            f"{scheme}:// needs a package that is not installed",
            code="E190",
            hint=f"pip install {PACKAGES[scheme]}" if scheme in PACKAGES else str(error),
        ) from None
    except ValueError:
        raise ReadError(
            f"{scheme}:// is no protocol that fsspec knows",
            code="E190",
            hint="check the address: s3://, gs://, abfs://, https://, sftp:// ...; a local path goes without ://",
        ) from None


def _and_package(scheme: str) -> str:
    return f" {PACKAGES[scheme]}" if scheme in PACKAGES else ""
