"""The figures of strips.md, from a small simulated observation: python docs/strips_figures.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, unpacked
from spectrum_workflows.radio.strips.planner import layout
from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities

IMAGES = Path(__file__).parent / "images"
NPIX, STRIPS = 512, 6


def observation() -> tuple[Visibilities, float]:
    """Eight hours of a VLA-like array at declination +45°, and three point sources."""
    telescope = array.telescope("vla-c")
    uvw = array.uvw(telescope, np.radians(15 * np.linspace(-4, 4, 60)), np.radians(45.0))
    uvw, frequency = uvw.reshape(-1, 3), np.array([1.4e9])
    scale = frequency[0] / SPEED_OF_LIGHT
    cell = 1 / (3 * np.hypot(uvw[:, 0], uvw[:, 1]).max() * scale)
    vis = np.zeros(len(uvw), complex)
    for west, north, flux in ((0.0, 0.0, 1.0), (-0.3, 0.2, 0.7), (0.35, -0.3, 0.5)):
        x, y = west * NPIX * cell, north * NPIX * cell
        turns = uvw @ [x, y, np.sqrt(1 - x**2 - y**2) - 1] * scale
        vis += flux * np.exp(2j * np.pi * turns)
    ones = np.ones((len(uvw), 1), np.float32)
    return Visibilities(uvw, frequency, vis.astype("c8")[:, None], ones, len(uvw)), cell


def main() -> None:
    """Draw the uv plane, a coarse strip, the same interpolated, and the sum."""
    data, cell = observation()
    scale = data.frequency[0] / SPEED_OF_LIGHT
    limit = np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max() * scale
    plan = layout(covered(data.uvw, data.frequency, limit), Geometry(NPIX, cell, 1e-4), STRIPS)
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    uv, coarse, fine, total = figure.subplots(1, 4, width_ratios=(1.2, 0.5, 1, 1))
    u, v = data.uvw[:, 0] * scale / 1e3, data.uvw[:, 1] * scale / 1e3
    for sign in (1, -1):
        uv.plot(sign * u, sign * v, ",", color="0.4")
    for strip in plan.strips:
        colour = f"C{strip.number}"
        for ends in ((strip.u_start, strip.u_stop), (-strip.u_stop, -strip.u_start)):
            uv.axvspan(ends[0] / 1e3, ends[1] / 1e3, color=colour, alpha=0.25, lw=0)
    uv.set(xlabel="u (kλ)", ylabel="v (kλ)", aspect="equal", title=f"{STRIPS} strips in |u|")
    chosen = plan.strips[3]
    image = np.zeros((NPIX, NPIX))
    for part, strip in zip(cut(data, plan), plan.strips, strict=True):
        seen = unpacked(part)
        visible = [each.visibility for each in seen]
        samples = transform.sampled(seen, visible, strip, plan)
        alone = replace(plan, strips=(strip,))
        parts = transform.slices(samples, strip, alone)
        blocks = zip(parts, alone.blocks, strict=True)
        own = np.concatenate([transform.column_block([p], b, alone) for p, b in blocks], axis=1)
        image += own
        if strip is chosen:
            size = f"{strip.x.count} × {plan.y.count}"
            top = 0.3 * np.abs(samples).max()
            shown = {"origin": "lower", "cmap": "RdBu_r", "vmin": -top, "vmax": top}
            coarse.imshow(samples.T, aspect="auto", **shown)
            coarse.set_title(f"strip 4:\n{size} samples")
            fine.imshow(own, **shown)
            fine.set_title(f"interpolated: {NPIX} × {NPIX}")
    total.imshow(image, origin="lower", cmap="inferno")
    total.set_title("the sum of all strips")
    figure.suptitle("generated data", fontsize="small", x=0.995, ha="right")
    for axes in (coarse, fine, total):
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(IMAGES / "strips.png", dpi=100)


if __name__ == "__main__":
    main()
