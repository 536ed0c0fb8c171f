# Configuration of the documentation: https://www.sphinx-doc.org/en/master/usage/configuration.html
import os
from datetime import datetime
from importlib.metadata import metadata

# -- Project information: read from the installed package ---------------------
info = metadata("falcon-sc")
project = info["Name"]
author = info["Author"]
copyright = f"{datetime.now():%Y}, {author}"
version = release = info["Version"]
urls = dict(url.split(", ") for url in info.get_all("Project-URL"))

# -- General configuration ----------------------------------------------------
needs_sphinx = "8.1"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "sphinxcontrib.katex",
    "sphinxext.opengraph",
    "IPython.sphinxext.ipython_console_highlighting",
    "scverse_misc.sphinx_ext",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
default_role = "literal"
pygments_style = "default"

# -- API pages ----------------------------------------------------------------
autosummary_generate = True
autodoc_member_order = "groupwise"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_include_init_with_doc = False
napoleon_use_rtype = True
napoleon_use_param = True
napoleon_use_ivar = True  # some attributes of a class are properties, which autodoc describes already
typehints_defaults = "braces"
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

# -- Pages --------------------------------------------------------------------
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "html_admonition", "html_image"]
myst_heading_anchors = 6
myst_url_schemes = ("http", "https", "mailto")
nb_execution_mode = "off"  # tutorials are stored with their outputs
nb_merge_streams = True
nb_output_stderr = "remove"

# -- References ---------------------------------------------------------------
# A reference to a name of ours must always resolve. A reference to another library can be checked only where its
# inventory can be downloaded: on Read the Docs, or where FALCON_SC_DOCS_ONLINE is set.
nitpicky = True
if os.environ.get("READTHEDOCS") or os.environ.get("FALCON_SC_DOCS_ONLINE"):
    intersphinx_mapping = {
        "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
        "matplotlib": ("https://matplotlib.org/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "pandas": ("https://pandas.pydata.org/pandas-docs/stable/", None),
        "python": ("https://docs.python.org/3", None),
        "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
        "torch": ("https://docs.pytorch.org/docs/stable/", None),
    }
else:
    nitpick_ignore_regex = [(r"py:.*", r"(?!falcon_sc\b).*")]

# -- HTML ---------------------------------------------------------------------
html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["css/custom.css"]
html_theme_options = {
    "repository_url": urls["Source"],
    "use_repository_button": True,
    "path_to_docs": "docs/",
    "navigation_with_keys": False,
}
ogp_site_url = urls["Documentation"]
ogp_social_cards = {"enable": False}
