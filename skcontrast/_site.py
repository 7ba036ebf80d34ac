"""Where the page of a class stands, as its picture in a notebook links to it."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata
from itertools import takewhile


def site():
    """Address of the documentation, as the package's metadata has it; "" where it has none."""
    try:
        urls = metadata("skcontrast").get_all("Project-URL", [])
    except PackageNotFoundError:  # run from a copy of the repository
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "").rstrip("/")


class OnSite:
    """Mixin: what scikit-learn asks for to link the HTML form of an object to its page."""

    _doc_link_module = "skcontrast"

    @property
    def _doc_link_template(self):
        return f"{address}/generated/{{page}}.html" if (address := site()) else ""

    def _doc_link_url_param_generator(self):
        name, pieces = type(self).__name__, type(self).__module__.split(".")
        home = list(takewhile(lambda piece: not piece.startswith("_"), pieces))
        if name in import_module(home[0]).__all__:
            home = home[:1]
        return {"page": ".".join([*home, name])}
