"""An image of a range of channels: the program that the rule in ``images.smk`` calls.

``python image_channels.py SET START STOP OUT`` writes an xarray dataset in Zarr form.
"""

import sys

from spectrum_workflows import radio


def main(data: str, start: int, stop: int, out: str) -> None:
    """Read the channels, image them with CLEAN, and write the images and their coordinates."""
    vis = radio.open(data, channels=(start, stop))
    images = radio.image(
        vis, npix=512, cell=2.5, weighting="briggs", robust=0.0, clean={"sigma": 4.0}
    )
    images[["SKY", "SKY_RESIDUAL"]].to_zarr(out, mode="w", zarr_format=2, consolidated=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
