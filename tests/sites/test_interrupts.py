"""Ctrl-C and Stop: what is shown of them."""

import logging
from functools import partial
from typing import Any

import pytest

from spectrum_workflows.sites.interrupts import hide_stray_cancellations


def test_a_stray_cancellation_of_dask_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """`cancel` of ``distributed.utils.sync`` before the request began; everything else is shown."""
    hide_stray_cancellations()
    hide_stray_cancellations()  # by every place
    log = logging.getLogger("tornado.application")

    def sync() -> None:
        def cancel() -> None:
            future.cancel()

        for callback in (cancel, sync):
            try:
                cancel()
            except NameError:
                log.exception("Exception in callback %r", partial(callback))
        future: Any = None

    sync()
    assert len(caplog.records) == 1
    assert ".cancel" not in caplog.records[0].getMessage()
