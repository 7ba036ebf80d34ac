"""Formulas as MathML, which browsers draw by themselves, without a script and without a network."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def mathml(latex, display, where=None):
    """One formula; a command that the converter does not know stops the build as a warning."""
    made = convert(latex, display=display)
    if "\\" in made:  # it passes on what it does not know
        LOGGER.warning("no MathML for %s", latex, location=where)
    return made


def inline(self, node):
    """Write a formula within a line."""
    self.body.append(mathml(node.astext(), "inline", node))
    raise SkipNode


def block(self, node):
    """Write a formula on lines of its own, one line for each paragraph of it."""
    lines = filter(str.strip, node.astext().split("\n\n"))
    shown = "".join(mathml(line, "block", node) for line in lines)
    self.body.append(self.starttag(node, "div", CLASS="math") + shown + "</div>\n")
    raise SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}
