"""An address as text: whether a text is one, and what of it may be written down.

Keys, passwords and signatures stand in addresses, and tables, manifests and messages are handed on.
"""

from __future__ import annotations

import re

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+://"
USER = re.compile(r"^(?:[^/:@]+:(?!\d+/)[^@]*@|[^/@]*@)")
_HARMLESS = re.compile(r"(?:versionId|generation|snapshot)=[A-Za-z0-9._:+-]+", re.IGNORECASE)


def is_address(text: str) -> bool:
    """True if a text is an address and no path.

    >>> is_address("s3://bucket/day9.fcs"), is_address("C:/day9.fcs"), is_address("runs/day9.fcs")
    (True, False, False)
    """
    return re.match(_SCHEME, text) is not None


def without_secrets(text: str) -> str:
    """Return a text with its address, if it holds one, as it may be written down: no user, key, password or signature.

    >>> without_secrets("--controls=s3://KEY:secret@bucket/a.fcs"), without_secrets("https://h/a.fcs?sig=x&versionId=7")
    ('--controls=s3://bucket/a.fcs', 'https://h/a.fcs?versionId=7')
    """
    scheme = re.search(_SCHEME, text)
    if scheme is None:
        return text
    return text[: scheme.start()] + "::".join(map(_shown, text[scheme.start() :].split("::")))


def split_query(link: str) -> tuple[str, str]:
    """Return a link and its query; in a web address all behind the first ``?``, else only what looks like one.

    >>> split_query("https://h/a.fcs?token"), split_query("s3://b/what?.fcs"), split_query("s3://b/a.fcs?versionId=7")
    (('https://h/a.fcs', 'token'), ('s3://b/what?.fcs', ''), ('s3://b/a.fcs', 'versionId=7'))
    """
    plain, mark, query = link.partition("?")
    name, equals, _ = query.partition("=")
    is_query = link.lower().startswith(("http://", "https://")) or (equals and "?" not in name)
    return (plain, query) if mark and is_query else (link, "")


def _shown(link: str) -> str:
    scheme, mark, rest = link.partition("://") if "://" in link else ("", "", link)
    plain, query = split_query(f"{scheme}{mark}{USER.sub('', rest)}")
    harmless = "&".join(part for part in query.split("&") if _HARMLESS.fullmatch(part))
    return f"{plain}?{harmless}" if harmless else plain


def secrets_in(url: str) -> list[str]:
    """The parts of an address that may not be written down (secrets), the longest first."""
    secrets: set[str] = set()
    for link in url.split("::"):
        user = USER.match(link.partition("://")[2])
        secrets.update(user[0][:-1].split(":", 1) if user else ())
        _, query = split_query(link)
        secrets.update(part.partition("=")[2] or part for part in query.split("&") if not _HARMLESS.fullmatch(part))
    return sorted(secrets - {""}, key=len, reverse=True)
