"""CLEAN, on an image in this process or in blocks of columns on workers.

The cycles (`cotton_schwab`, `minor_cycle`) see the residual only through the few questions of
a `ResidualImage`; components are found by the process that runs them.
"""

from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.cotton_schwab import Deconvolved, cotton_schwab
from spectrum_workflows.radio.deconvolution.residual_image import Active, ResidualImage
from spectrum_workflows.radio.deconvolution.search import Search

__all__ = ["Active", "Components", "Deconvolved", "ResidualImage", "Search", "cotton_schwab"]
