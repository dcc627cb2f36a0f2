"""What the doctor tries at a real S3 store."""

import sys
from pathlib import Path

import pytest

from spectrum_workflows.doctor import stores
from spectrum_workflows.storage import using

sys.path.insert(0, str(Path(__file__).parent))
from datastore import Store

pytestmark = pytest.mark.xdist_group("stores")


def test_a_store_is_written_read_and_emptied_and_shows_its_clock(rclone_up: Store) -> None:
    with using(stores.impatient(rclone_up.site().stores, rclone_up.data)):
        visit = stores.results(rclone_up.data)
    assert visit.finding.status == "fine", str(visit.finding)
    assert visit.clock is not None
    assert visit.clock.least < 5


def test_a_store_that_refuses_the_credentials(rclone_up: Store, tmp_path: Path) -> None:
    keys = tmp_path / "credentials"
    keys.write_text("[other]\naws_access_key_id = nobody\naws_secret_access_key = nothing-at-all\n")
    refused = rclone_up.site(credential_file=str(keys), profile="other")
    with using(stores.impatient(refused.stores, rclone_up.data)):
        findings = (stores.results(rclone_up.data).finding, stores.data(rclone_up.data))
    for finding in findings:
        assert finding.status == "fault"
        assert "credentials" in finding.remedy
        assert "nothing-at-all" not in str(finding)
