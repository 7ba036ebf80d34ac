"""The site: `make docs` builds it into docs/_build/html."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

import skcontrast  # noqa: E402
from skcontrast._site import site  # noqa: E402

project = "skcontrast"
author = "The skcontrast developers"
copyright = author  # noqa: A001
version = release = skcontrast.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "site_pages",
]
exclude_patterns = ["_build", "_extensions", "auto_examples/*.ipynb", "auto_examples/*.py"]
exclude_patterns += ["sg_execution_times.rst", "auto_examples/sg_execution_times.rst"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
smartquotes = False  # or two hyphens become a dash

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
toc_object_entries_show_parents = "hide"  # or the names of methods are cut at the margin
numpydoc_show_class_members = False
copybutton_exclude = ".linenos, .gp, .go"


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "plot_gallery": os.environ.get("SKCONTRAST_DOCS_EXAMPLES", "1") != "0",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "within_subsection_order": "ExampleTitleSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = "skcontrast"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_search_scorer = str(HERE / "_extensions" / "search_scorer.js")
html_math_renderer = "mathml"
html_baseurl = os.environ.get("SKCONTRAST_DOCS_URL", site())
html_show_sourcelink = False
# Pages that stand alone have no neighbours to list beside them.
html_sidebars = dict.fromkeys(
    ["install", "faq", "reliability", "glossary", "developing", "changelog", "search"], []
)
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}

site_summary = (
    "Contrastive (self-supervised) and kernel representation learning as scikit-learn "
    "estimators: tables, texts and embeddings, with no or few labels."
)
# Heading of llms.txt -> the pages below it.
site_parts = {
    "Start": "index|install|user_guide|glossary|faq",
    "Guide": "guide|tuning|objectives|auxiliary|supervised|kernel_conditional|text|series|recordings"
    "|multiview|anomalies|topics|contrastive_pca|retrieval|postprocessing|proker|metrics|prediction_contrast|preferences|plotting|tangent|cost|cluster|reproducibility|components|anatomy"
    "|reliability|developing",
    "Evidence": "evidence|quality|ablation|when|regression|longtail|streams|speed|scaling|text_quality|topic_quality|anomaly_quality|label_noise"
    "|word2vec|series_quality|multiview_quality|contrast_quality|retrieval_quality|postprocessing_quality|width|choosing|findings|papers"
    "|sizes|tried",
    "API": "api|generated/.*",
    "Examples": "auto_examples/.*",
}
