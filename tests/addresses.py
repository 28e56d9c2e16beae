"""What tests read from as over a network: a store that counts what it hands out, and a web server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem


class Store(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """``store://``: objects in memory; it remembers which bytes it handed out, and fails where a test says so."""

    protocol = "store"
    objects: dict[str, bytes] = {}  # noqa: RUF012 -- one store for the process, as a bucket is
    handed_out: list[tuple[str, int, int]] = []  # noqa: RUF012
    before_reading: Callable[[str], None] | None = None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        name = self._strip_protocol(path)
        if name in self.objects:
            content = self.objects[name]
            return {"name": name, "size": len(content), "type": "file", "ETag": str(hash(content))}
        if any(other.startswith(f"{name}/") for other in self.objects):
            return {"name": name, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        folder = self._strip_protocol(path)
        inside = [name.removeprefix(f"{folder}/") for name in self.objects if name.startswith(f"{folder}/")]
        names = dict.fromkeys(f"{folder}/{name.partition('/')[0]}" for name in inside)
        return [self.info(name) for name in names] if detail else list(names)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        return _Object(self, path, mode, block_size or "default", **options)

    @classmethod
    def fill(cls, folder: Path, prefix: str) -> None:
        """Put the files of a folder under a prefix, and forget what was handed out."""
        cls.objects.update({f"{prefix}/{file.name}": file.read_bytes() for file in folder.iterdir()})
        cls.handed_out.clear()


class _Object(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    def _fetch_range(self, start: int, end: int) -> bytes:
        if Store.before_reading is not None:
            Store.before_reading(self.path)
        content = Store.objects[self.path][start:end]
        Store.handed_out.append((self.path, start, start + len(content)))
        return content


@contextmanager
def store() -> Iterator[type[Store]]:
    """Lend an empty store."""
    fsspec.register_implementation("store", Store, clobber=True)
    Store.objects.clear()
    Store.handed_out.clear()
    Store.before_reading = None
    yield Store
    Store.before_reading = None


class _WithoutRanges(SimpleHTTPRequestHandler):
    """Python's own server, which knows no ranges; it keeps a list of what it was asked."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))  # type: ignore[attr-defined]
        if self.path.endswith("?locked"):
            self.send_error(403)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if self.path.endswith("?locked"):
            self.send_error(403)
        else:
            super().do_HEAD()

    def log_message(self, *_: object) -> None: ...


class _WithRanges(_WithoutRanges):
    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        if wanted is None:
            super().do_GET()
            return
        self.server.asked.append((self.path, wanted))  # type: ignore[attr-defined]
        content = Path(self.translate_path(self.path)).read_bytes()
        first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
        part = content[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing when a reader has enough and goes away."""


@contextmanager
def web_server(folder: Path, *, ranges: bool = True) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Serve a folder on the loopback interface; yield its address and the list of what is asked for."""
    handler = partial(_WithRanges if ranges else _WithoutRanges, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        asked: list[tuple[str, str | None]] = []
        server.asked = asked  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
