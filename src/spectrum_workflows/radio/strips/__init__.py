"""One image in uv strips on coarse pixels: pure kernels.

The visibilities are cut by ``|u|``; each strip's image is band-limited and
gridded on few, large pixels; a separable filter interpolates the strips onto
the image, where they add up.  ``docs/strips.md`` explains the method.
"""
