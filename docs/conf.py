"""How the site is built from the pages of this folder: ``nox -s site``, or ``python -m sphinx -W docs build/site``.

Pages are plain Markdown that reads as well where it lies. Navigation is what the start pages say: each heading of an
``index.md`` is a caption, each link under it an entry, and a page that none of them names fails the build. Nothing
is fetched, neither by the build nor by a reader: names of NumPy and SciPy come from ``inventories/``.
"""

from __future__ import annotations

import gc
import re
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import sphinx.search
from msgspec import Struct
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from cytocar.version import __version__  # noqa: E402

project = "cytocar"
author = "The cytocar authors"
copyright = author  # noqa: A001  (Sphinx's name)
version = release = __version__

gc.set_threshold(200_000)  # trees of documents are many objects and little garbage

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
highlight_language = "text"
exclude_patterns = ["images/**"]

# ---------------------------------------------------------------- pages

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "attrs_inline"]
myst_links_external_new_tab = False
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = f"cytocar {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {"navigation_with_keys": False, "top_of_page_buttons": []}

# ---------------------------------------------------------------- copying

copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

# ---------------------------------------------------------------- API

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = True
napoleon_type_aliases = {
    "ndarray": "numpy.ndarray",
    "Generator": "numpy.random.Generator",
    "Path": "pathlib.Path",
    "Template": "cytocar.template.model.Template",
    "Counting": "cytocar.template.model.Counting",
    "Limits": "cytocar.template.model.Limits",
    "Background": "cytocar.gates.decision.Background",
    "CountMethod": "cytocar.sheet.rows.CountMethod",
}
default_role = "py:obj"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True


def inventory(name: str, title: str) -> str:
    """Write Sphinx's inventory from ``inventories/NAME.txt`` (one name, role and page a line) and return its path."""
    rows = [line.split() for line in (DOCS / "inventories" / f"{name}.txt").read_text("utf-8").splitlines()]
    body = "".join(f"{full} py:{role} 1 {page} -\n" for full, role, page in rows)
    head = f"# Sphinx inventory version 2\n# Project: {title}\n# Version: \n# The remainder is zlib-compressed.\n"
    path = DOCS.parent / "build" / f"{name}.inv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(head.encode() + zlib.compress(body.encode()))
    return str(path)


intersphinx_mapping = {
    "numpy": ("https://numpy.org/doc/stable", (inventory("numpy", "NumPy"),)),
    "scipy": ("https://docs.scipy.org/doc/scipy", (inventory("scipy", "SciPy"),)),
    "python": ("https://docs.python.org/3", (inventory("python", "Python"),)),
}

# ---------------------------------------------------------------- search

SPELLINGS = (
    (r"isation(s?)$", r"ization$1"),
    (r"is(e|es|ed|er|ers|ing)$", r"iz$1"),
    (r"ys(e|es|ed|er|ers|ing)$", r"yz$1"),
    (r"our(s|ed|ing|less|ful|ation|ations)?$", r"or$1"),
    (r"(an|h|is|isch|leuk|caem|p|f|c|gyn)ae(?=[a-z])", r"$1e"),
    (r"(t|b)re(s?)$", r"$1er$2"),
    (r"ll(ed|ing|er|ers)$", r"l$1"),
    (r"ogue(s?)$", r"og$1"),
    (r"(def|off|lic)ence", r"$1ense"),
    (r"^grey", "gray"),
    (r"^leuco", "leuko"),
    (r"programme", "program"),
    (r"^artefact", "artifact"),
)
"""British spellings and the American ones, as JavaScript writes a replacement: whichever is typed finds both."""

_SCRIPTS = Path(sphinx.search.__file__).parent / "minified-js"


def _american(word: str) -> str:
    """Return a word as it is written in America.

    Both sides of a search pass through here, so a word that only looks British does no harm.
    """
    for british, american in SPELLINGS:
        word = re.sub(british, american.replace("$", "\\"), word)
    return word


class EnglishOfBothShores(SearchEnglish):
    """Sphinx's English search, in which *haemoglobin* and *hemoglobin*, *colour* and *color* are one word."""

    js_stemmer_rawcode = ""
    js_stemmer_code = "\n".join(
        [
            (_SCRIPTS / "base-stemmer.js").read_text("utf-8"),
            (_SCRIPTS / "english-stemmer.js").read_text("utf-8"),
            "var spellings = [" + ", ".join(f'[/{british}/, "{american}"]' for british, american in SPELLINGS) + "];",
            "window.Stemmer = function () {",
            "  var english = new EnglishStemmer();",
            "  this.stemWord = function (word) {",
            "    spellings.forEach(function (rule) { word = word.replace(rule[0], rule[1]); });",
            "    return english.stemWord(word);",
            "  };",
            "};",
        ]
    )

    @cache  # noqa: B019 -- there is one, as long as the build
    def stem(self, word: str) -> str:
        """Return the stem of a word, written the American way."""
        return super().stem(_american(word.lower()))


# ---------------------------------------------------------------- navigation

_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\.(?:md|rst)\)")


def navigation(app: Sphinx, name: str, source: list[str]) -> None:
    """Add to a start page the table of contents that its headings and links say."""
    if name.rpartition("/")[2] != "index" or name.startswith("api"):
        return
    trees, seen = [], set()
    for section in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
        caption = section.partition("\n")[0]
        pages = [page for page in _LINK.findall(section) if not (page in seen or seen.add(page))]  # type: ignore[func-returns-value]
        if pages:
            trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n")
    source[0] += "\n\n" + "\n".join(trees)


_AS_WRITTEN: dict[str, list[str]] = {}


def before_napoleon(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Remember what is said of a constant or a field: napoleon would take the words before a colon for a type."""
    if what in ("attribute", "data", "property"):
        _AS_WRITTEN[name] = list(lines)


def after_napoleon(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Put it back, and link what is named of NumPy and SciPy."""
    lines[:] = [
        re.sub(r"``((?:numpy|scipy)\.[\w.]+)``", r":py:obj:`\1`", line) for line in _AS_WRITTEN.pop(name, lines)
    ]


def plain_names(app: Sphinx, what: str, name: str, thing: object, options: object, *signature: str | None) -> Any:
    """Write a type that has an alias here by its name: in a union Sphinx would show how it keeps the alias."""
    return tuple(text and re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"~\1", text) for text in signature)


def plain_bases(app: Sphinx, name: str, kind: type, options: object, bases: list[object]) -> None:
    """Call a record an object: what it is made of no reader of it needs."""
    bases[:] = [object if base is Struct else base for base in bases]


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx about the navigation and the search."""
    app.connect("source-read", navigation)
    app.connect("autodoc-process-signature", plain_names)
    app.connect("autodoc-process-bases", plain_bases)
    app.connect("autodoc-process-docstring", before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", after_napoleon, priority=900)
    app.add_search_language(EnglishOfBothShores)
    return {"parallel_read_safe": True}
