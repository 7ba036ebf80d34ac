"""How the gallery runs an example, and shows the picture that it saves."""

import builtins
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
from sphinx_gallery.scrapers import figure_rst


class Pictures:
    """Scraper of the pictures that an example saves in its folder of output."""

    def __init__(self):
        self.shown = set()

    def __repr__(self):
        return "Pictures()"  # the gallery compares settings by their text

    def __call__(self, block, block_vars, gallery_conf):
        """Show a picture that has the example's name and was saved while it ran."""
        source = Path(block_vars["src_file"])
        saved = source.parent / "output" / f"{source.stem}.png"
        if saved in self.shown or not saved.exists():
            return ""
        self.shown.add(saved)
        plt.close("all")  # or the gallery would show the same figure again
        target = Path(next(block_vars["image_path_iterator"]))
        shutil.copy(saved, target)
        return figure_rst([str(target)], gallery_conf["src_dir"])


def tell_file(gallery_conf, name):
    """Let an example know its file, as it does when it is run as a script."""
    source = Path(gallery_conf["src_dir"], gallery_conf["examples_dirs"]) / Path(name).name
    builtins.__file__ = str(source.resolve())
