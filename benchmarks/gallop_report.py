"""The report of gallop: its figures, and the tables of docs/explanation/gallop.md, from the small files in docs/data.

    python benchmarks/gallop_report.py                      # tables and curves anew, from what docs/data/gallop holds
    python benchmarks/gallop_report.py --runs runs          # after training: take the runs' figures first
    python benchmarks/gallop_report.py --scores runs/scores/scores.json --vae runs/vae.json

docs/data/gallop: NAME.csv of each stage, scores.json of gallop_scores.py, vae.json of vae_quality.py. Text between two
markers of the page is written here and nowhere else; a test compares. Curves are drawn by matplotlib.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.gallop_curves import CURVES, Curve, Points, PowerLaw, extract, read  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402
from muybridge.evaluation.accuracy import Share  # noqa: E402

DATA = ROOT / "docs" / "data" / "gallop"
PAGE = ROOT / "docs" / "explanation" / "gallop.md"
PICTURES = ROOT / "docs" / "pictures"
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
FLOW, DECODER = CURVES[2], CURVES[-1]
LOSSES = (0.22, 0.20, 0.18)  # next levels of the validation loss: how far off is each?
FLICKER_TARGET, PSNR_TARGET = 1.5, 32.0
VAE_COLUMNS = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "perceptual": ("perceptual", 2),
    "flicker": ("flicker", 2),
}  # heading, digits


def page_of(text: str) -> str:
    """The page with every generated block as the data say today."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}", text)


def stages() -> str:
    """What each stage took and reached."""
    lines = _head("stage", "samples", "minutes", "samples a second", "validation: first", "last")
    for curve in CURVES:
        points = read(curve, DATA)
        seen, unit = points.samples[-1] - curve.samples_before, " dB" if curve.measure == "psnr_db" else ""
        rate = seen / points.minutes[-1] / 60
        values = [f"{points.values[at]:.2f}{unit}" if unit else f"{points.values[at]:.3f}" for at in (0, -1)]
        lines.append(_row(curve.title, f"{seen:,}", f"{points.minutes[-1]:.0f}", f"{rate:.1f}", *values))
    return "\n".join(lines)


def scores() -> str:
    """Counts on held-out captions, with intervals."""
    found = json.loads((DATA / "scores.json").read_text())
    columns = found["columns"]
    lines = _head("what", "target", *columns)
    for name in next(iter(columns.values()))["shares"]:
        target = f"{found['targets'][name]:.0%}" if name in found["targets"] else ""
        counts = (column["shares"][name] for column in columns.values())
        lines.append(_row(name, target, *(str(Share(num_right=right, num=num)) for right, num in counts)))
    flickers = (_estimate(column["flicker"], 2) for column in columns.values())
    lines.append(_row("flicker, of real clips'", f"<= {FLICKER_TARGET}", *flickers))
    return "\n".join([*lines, "", f"Measured on {found['date']} at commit {found['commit']}."])


def vae() -> str:
    """What VAEs bring back of clips that none was trained on."""
    rows = json.loads((DATA / "vae.json").read_text())
    lines = _head("clips", "VAE", *(heading for heading, _ in VAE_COLUMNS.values()))
    for row in rows:
        cells = [_estimate(row["figures"][name], digits) for name, (_, digits) in VAE_COLUMNS.items()]
        lines.append(_row(f"{row['clips']} ({row['figures']['psnr_db'][2]})", row["vae"], *cells))
    return "\n".join(lines)


def extrapolation() -> str:
    """What more samples would bring, as far as the curves can say."""
    points, law = read(FLOW, DATA), flow_law()
    rate = (points.samples[-1] - FLOW.samples_before) / points.minutes[-1]
    lines = [
        f"Between {_short(read(FLOW, DATA, is_fitted=True).samples[0])} and {_short(points.samples[-1])} samples of "
        f"128 px the loss falls as samples to the power of -{law.exponent:.3f} ± {law.exponent_error:.3f}.",
        "",
        *_head("validation loss", "samples", "95 % of the fit", "hours on these two cores"),
    ]
    for loss in LOSSES:
        best, low, high = law.samples_for(loss)
        hours = (best - points.samples[-1]) / rate / 60
        lines.append(_row(f"{loss:.2f}", _short(best), f"{_short(low)} to {_short(high)}", f"{hours:.1f} more"))
    decoder = read(DECODER, DATA, is_fitted=True)
    gained, windows = decoder.values[-1] - decoder.values[0], decoder.samples[-1] - decoder.samples[0]
    half = len(decoder.values) // 2
    halves = [decoder.values[half] - decoder.values[0], decoder.values[-1] - decoder.values[half]]
    lines += [
        "",
        f"The decoder gained {gained:.2f} dB in {_short(windows)} windows, {halves[0]:.2f} in the first half of them "
        f"and {halves[1]:.2f} in the second, and stands {PSNR_TARGET - decoder.values[-1]:.1f} dB below the target of "
        f"{PSNR_TARGET:.0f}.",
    ]
    return "\n".join(lines)


BLOCKS = {"stages": stages, "scores": scores, "vae": vae, "extrapolation": extrapolation}


def flow_law() -> PowerLaw:
    """Of the last stage's validation loss."""
    points = read(FLOW, DATA, is_fitted=True)
    return PowerLaw.fit(points.samples, points.values)


def draw_curves(path: Path) -> None:
    """Validation against samples: the transformer's loss by size with the power law, and the decoder's PSNR."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.6), dpi=110)
    for curve in CURVES[:-1]:
        _plot(left, curve, read(curve, DATA))
    law, seen = flow_law(), read(FLOW, DATA, is_fitted=True).samples
    ahead = [seen[0] * 1.1**power for power in range(32)]
    ahead = [samples for samples in ahead if samples < 6 * seen[-1]]
    left.plot(ahead, [law.at(samples) for samples in ahead], "k--", linewidth=0.8, label="power law")
    left.set(xscale="log", yscale="log", xlabel="samples of that size", ylabel="validation loss")
    ticks = [0.15, 0.2, 0.3, 0.5, 1.0]
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    _plot(right, DECODER, read(DECODER, DATA))
    right.set(xlabel="windows", ylabel="PSNR of held-out clips, dB")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.25)
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    pyplot.close(figure)


def _plot(axes: Any, curve: Curve, points: Points) -> None:
    axes.plot(points.samples, points.values, "o-", markersize=3, linewidth=1.2, label=curve.title)


def _head(*names: str) -> list[str]:
    return [_row(*names), "|---" * len(names) + "|"]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _estimate(given: Sequence[float | None], digits: int) -> str:
    value, error = given[:2]
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _short(number: float) -> str:
    """Two digits and a unit: these are no exact numbers."""
    if number >= 1e6:
        return f"{number / 1e6:.2g} million"
    return f"{float(f'{number:.2g}'):,.0f}"


def main() -> None:
    """Take what is given, then write the tables and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="folder of the runs whose figures are taken")
    parser.add_argument("--scores", type=Path, help="scores.json of gallop_scores.py")
    parser.add_argument("--vae", type=Path, help="--json file of vae_quality.py")
    chosen = parser.parse_args()
    for curve in CURVES if chosen.runs else ():
        print(f"{curve.name}: {'taken' if extract(curve, chosen.runs, DATA) else 'no run here, kept as it was'}")
    for source, name in ((chosen.scores, "scores.json"), (chosen.vae, "vae.json")):
        if source is not None:
            shutil.copyfile(source, DATA / name)
    PAGE.write_text(page_of(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw_curves(PICTURES / "gallop-curves.png")
    print(f"{PAGE.relative_to(ROOT)} and {PICTURES.relative_to(ROOT)}/gallop-curves.png are up to date")


if __name__ == "__main__":
    main()
