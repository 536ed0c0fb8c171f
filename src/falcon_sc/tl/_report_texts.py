"""The texts of a report that do not hang on the data."""

from falcon_sc.core.start.tree.support import LEAST_WITH_COUNTS, LEAST_WITHOUT

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; margin: 1rem 0 0; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .4rem; padding-top: .6rem; border-top: 1px solid #ddd; }
.lead { font-size: 1.05rem; color: #555; margin-top: .2rem; }
.note { color: #555; }
ul.warnings { border-left: 4px solid #d98200; background: #fff6e6; padding: .6rem 1rem .6rem 2rem; margin: .6rem 0; }
.warning { color: #9a4f00; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #eee; }
th { font-weight: 600; color: #555; border-bottom-color: #bbb; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.classes td:first-child { min-width: 9rem; }
table.classes td, td:first-child, h2, p, li { overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
.patch { display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px; }
.legend > span { margin-right: 1.2em; font-size: .85rem; }
.bar { display: flex; width: 9rem; height: .8rem; }
.bar > span { display: block; }
dt { font-weight: 600; }
dd { margin: 0 0 .6rem; }
pre { background: #f6f6f6; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; }
summary { cursor: pointer; color: #555; }
@media print { details > summary { display: none; } h2 { break-after: avoid; } tr, img { break-inside: avoid; } }
"""

HOW_TO_READ = {
    "confidence": "The median over the cells of how far the clusterings that the labels rest on agree that a cell is in "
    "its class, less where the evidence for the splits speaks against the class; or of the probability that the network gives. "
    "It says how clear the border is, not whether an expert would name the class.",
    "comes back": "How well a split of one half of the molecules (of an embedding: of the cells) is found again in the other "
    "half: 1 is fully, 0 is chance.",
    "markers of a split": "Genes that differ between its sides by a factor of 2 at 5 % false discoveries, in the half of "
    "the molecules that was not used to find it.",
    "agreement": "How far the clusterings that voted on the parts of the tree tell the two sides apart, on average: 1 is fully, 0 is "
    "chance.",
    "depth, mitochondria, batch": "Share of the split that each of them explains. A split that one of them explains is "
    "hardly one of cell types.",
    "supported": f"Whether the mean of comes back and agreement is above {LEAST_WITH_COUNTS}, without counts above {LEAST_WITHOUT}. "
    "Markers, depth, mitochondria and batch have no part in it: they are for you to weigh.",
    "markers of a class": "Genes that are higher in the class than in its siblings, the other fine classes of its coarse "
    "class, by a factor of 2 at 5 % false discoveries, best first. They are tested in the cells in which the classes were "
    "found: read them as a description. falcon_sc.tl.markers has all numbers.",
    "what to do": "falcon_sc.tl.cut gives a coarse class more or fewer fine classes, tl.merge makes one of several, "
    "tl.rename names them, tl.refine looks deeper into one coarse class. Then make the report again.",
}

CITE = """\
@inproceedings{grcic2024fine,
  title     = {Fine-grained Classes and How to Find Them},
  author    = {Grcić, Matej and Gadetsky, Artyom and Brbić, Maria},
  booktitle = {Proceedings of the 41st International Conference on Machine Learning},
  series    = {Proceedings of Machine Learning Research},
  volume    = {235},
  pages     = {16275--16294},
  year      = {2024},
  publisher = {PMLR},
  url       = {https://proceedings.mlr.press/v235/grcic24a.html}
}"""

HOME = "https://falcon-sc.readthedocs.io/"
