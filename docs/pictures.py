"""Make the pictures of the plots and of the report on their pages anew: `python docs/pictures.py`."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from sklearn.datasets import load_digits

import falcon_sc as fsc

FOLDER = Path(__file__).parent / "_static" / "pl"

adata = fsc.datasets.pbmc68k_reduced()
adata.obs["sample"] = [name.rpartition("-")[2] for name in adata.obs_names]
fsc.tl.discover(adata, "coarse", 10, progress_bar=False, device="cpu")
fsc.tl.estimate_n_fine(adata, "coarse", progress_bar=False)
digits = load_digits()
shapes = np.array(["round", "straight", "open"])[[0, 1, 2, 2, 1, 2, 0, 1, 0, 0]][digits.target]
model = fsc.Falcon(10, fsc.FalconConfig(prior="uniform"), device="cpu", progress_bar=False).fit(digits.data, shapes)
pictures = (digits.images * (255 / 16)).astype(np.uint8)
of_images = {"labels": model.labels_, "coarse_names": model.coarse_names_, "fine_names": model.fine_names_}

FOLDER.mkdir(exist_ok=True)
fsc.tl.markers(adata)
for name, drawn in {
    "tree": fsc.pl.tree(adata).figure,
    "relation": fsc.pl.relation(adata).figure,
    "n_fine": fsc.pl.n_fine(adata).figure,
    "history": fsc.pl.history(adata),
    "confident": fsc.pl.confident(adata).figure,
    "composition": fsc.pl.composition(adata, "sample").figure,
    "flow": fsc.pl.flow(adata, "fine", "falcon_fine").figure,
    "confident_images": fsc.pl.confident_images(pictures, model.proba_, model.relation_, **of_images)[0].figure,
    "embedding": fsc.pl.embedding(adata.obsm["X_falcon"], adata.obs["falcon_fine"], adata.obs["coarse"]).figure,
}.items():
    drawn.savefig(FOLDER / f"{name}.png", dpi=90)

# the beginning of a report after one decision, as a browser shows it
browser = shutil.which("chromium") or shutil.which("google-chrome")
if browser is not None:
    fsc.tl.cut(adata, fixed={"Myeloid cell": 5})
    with tempfile.TemporaryDirectory() as folder:
        page = fsc.tl.report(adata, Path(folder) / "report.html", by="sample")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
        shown = [f"--user-data-dir={folder}/profile", "--window-size=1150,1500", "--hide-scrollbars"]
        picture = f"--screenshot={FOLDER.parent / 'report.png'}"
        subprocess.run([browser, *options, *shown, picture, page.as_uri()], check=True)
