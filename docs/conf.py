"""Sphinx settings of the documentation; ``make docs`` builds it into build/docs."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from cyto._version import VERSION  # noqa: E402 - found by what is above

project = "pyCyto"
author = "The pyCyto developers"
project_copyright = author
version = release = VERSION

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "reference",
]
exclude_patterns = ["_ext"]
default_role = "code"  # single backticks, as the docstrings write names
smartquotes = False  # "--profile" keeps its two hyphens
nitpicky = True
nitpick_ignore = [("py:class", "NDArray")]  # NumPy's, whose inventory would be downloaded
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = f"pyCyto {VERSION}"
html_static_path = ["_static"]
html_css_files = ["pycyto.css"]
html_show_sphinx = False
html_copy_source = False
