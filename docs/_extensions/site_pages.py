"""What the site has beside its pages: the table of papers, llms.txt and a sitemap."""

import inspect
import re
from pathlib import Path

from papers import markdown

ROOT = Path(__file__).parents[2]
INTERPRETED = re.compile(r":(?:ref|doc|term):`([^`<]*?)\s*(?:<[^`>]*>)?`")
SEEN_ELSEWHERE = re.compile(r"^(?: *Picture: .*|.*━.*)\n", re.MULTILINE)
LITERAL = re.compile(r"(`+[^`]+`+_*)")
EXAMPLE = re.compile(r"\]\(\.\./examples/(\w+)\.py\)")
TYPED = re.compile(r"(?<!\[)`python examples/(\w+)\.py`")
ATTRIBUTE = re.compile(r"(?<=[a-z0-9])_(?=[\s,.:;)*\]]|$)")


def link(app, page):
    """Address of a page: whole where the site's own address is known."""
    return f"{app.config.html_baseurl.rstrip('/')}/{page}.html".lstrip("/")


def insert_papers(app, page, source):
    """Put the table of papers where its page asks for it."""
    if page == "papers":
        source[0] = source[0].replace("<!-- table -->", markdown(ROOT / "docs" / "papers.csv"))


def beside_the_pages(app, page, source):
    """Let links that lead out of docs end in the site, or in plain text."""
    if page == "changelog":
        changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        source[0] = changes.replace("](docs/", "](")
    if page.startswith("auto_examples/"):  # pictures stand on the page, bars have run
        source[0] = SEEN_ELSEWHERE.sub("", source[0])
    source[0] = source[0].replace("](../CHANGELOG.md", "](changelog.md")
    source[0] = EXAMPLE.sub(r"](auto_examples/\1.rst)", source[0])
    if not page.startswith("auto_examples/"):
        source[0] = TYPED.sub(r"[\g<0>](auto_examples/\1.rst)", source[0])
    source[0] = re.sub(r"\[([^\]]*)\]\(\.\./(?:benchmarks|examples|tests)[^)]*\)", r"\1", source[0])


def inherited_words(app, what, name, obj, options, lines):
    """Keep the words of links that scikit-learn's docstrings make within its own site."""
    where = getattr(inspect.unwrap(obj), "__module__", None) if inspect.isroutine(obj) else ""
    if (where or "sklearn").startswith("sklearn") or name.startswith("sklearn"):
        lines[:] = INTERPRETED.sub(r"\1", "\n".join(lines)).split("\n")


def plain_names(app, what, name, obj, options, lines):
    """Let a fitted attribute such as n_features_in_ be no link in a line of prose."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = LITERAL.split(line)
            pieces[::2] = [ATTRIBUTE.sub(r"\\_", piece) for piece in pieces[::2]]
            lines[i] = "".join(pieces)


def not_ours(app, what, name, obj, skip, options):
    """Leave out what a network or an estimator has from torch."""
    return True if (getattr(obj, "__module__", None) or "").startswith("torch") else None


def write_lists(app, exception):
    """Write llms.txt, and sitemap.xml where the address of the site is known."""
    if exception or app.builder.format != "html":
        return
    out, pages = Path(app.outdir), sorted(app.env.found_docs)
    titles = {page: app.env.titles[page].astext() for page in pages}
    lines = ["# skcontrast", "", f"> {app.config.site_summary}", ""]
    for heading, chosen in app.config.site_parts.items():
        lines += [f"## {heading}", ""]
        found = [page for page in pages if re.fullmatch(chosen, page)]
        lines += [f"- [{titles[page]}]({link(app, page)})" for page in found] + [""]
    (out / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
    if app.config.html_baseurl:
        urls = "".join(f"  <url><loc>{link(app, page)}</loc></url>\n" for page in pages)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{urls}</urlset>\n",
            encoding="utf-8",
        )


def setup(app):
    """Register the pieces."""
    app.add_config_value("site_summary", "", "env")
    app.add_config_value("site_parts", {}, "env")
    app.connect("source-read", insert_papers)
    app.connect("source-read", beside_the_pages)
    app.connect("autodoc-process-docstring", inherited_words, priority=900)
    app.connect("autodoc-process-docstring", plain_names, priority=900)
    app.connect("autodoc-skip-member", not_ours)
    app.connect("build-finished", write_lists)
    return {"parallel_read_safe": True}
