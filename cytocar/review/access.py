"""Who may ask: this computer, by the address that the command printed, from the pages that it shows.

The address holds a secret that no other web page knows. A foreign ``Host`` is another name that somebody made lead here
(DNS rebinding); a foreign ``Origin`` is another page's form or script. Pages may load and send to this server only.
"""

from __future__ import annotations

import hmac
import secrets

from msgspec import Struct, field
from werkzeug.wrappers import Request, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""``same-origin`` and not ``no-referrer``: with that, browsers send forms with ``Origin: null``."""

LARGEST_REQUEST = 1_000_000


class AccessControl(Struct, frozen=True):
    """The port that this server listens at, and the secret of its address."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """The address of the first page."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def refusal(self, request: Request) -> str:
        """Why a request is refused; nothing where it is not."""
        hosts = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        if request.headers.get("Host") not in hosts:
            return "the Host is not this server's"
        first = request.path.lstrip("/").split("/", 1)[0]
        if not hmac.compare_digest(first.encode(), self.token.encode()):
            return "the address lacks its secret part"
        if request.method not in ("GET", "HEAD") and request.headers.get("Origin") not in {
            f"http://{host}" for host in hosts
        }:
            return "it comes from another page"
        return ""


def guarded(response: Response) -> Response:
    """Return a response with what it allows a browser."""
    response.headers.update(HEADERS)
    return response
