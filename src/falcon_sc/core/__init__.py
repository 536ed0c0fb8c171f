"""FALCON on arrays and tensors."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # The first import of tqdm.auto in a notebook without ipywidgets warns, and takes the bar of a console: that one
    # does well, and nobody asked for widgets. All bars of the house come from here on without the warning.
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto
