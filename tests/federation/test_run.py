"""Both sciences over two sites: one digest, bytes where they lie, and what is said of them."""

import json
import os
import shutil
from pathlib import Path

import pytest

from spectrum_workflows import check, connect, load, load_site, load_spec, run, save
from spectrum_workflows.errors import DataError
from spectrum_workflows.examples import make_data
from spectrum_workflows.reporting import write_report
from spectrum_workflows.sites import Place

pytestmark = pytest.mark.xdist_group("federation run")  # what they share is made once

HEP = {"partition": {"max_events": 250}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of both sciences below one root."""
    folder = tmp_path_factory.mktemp("made")
    place = Place(load_site("serial"), str(folder), str(folder / "results"))
    make_data(load_spec("hep/quickstart"), place, size=2000)
    make_data(load_spec("radio/vla_sim"), place, size=20_000)
    return folder


@pytest.fixture
def sites(tmp_path: Path, made: Path) -> Path:
    """Two sites: ttbar at a, the rest at b."""
    for name in "ab":
        (tmp_path / name).mkdir()
        text = (
            f'extends = "serial"\ndata = "{tmp_path / name}"\nresults = "{tmp_path / "results"}"\n'
        )
        (tmp_path / f"{name}.toml").write_text(text)
    shutil.copy(made / "ttbar.root", tmp_path / "a")
    for path in made.glob("*"):
        if path.suffix in (".ms", ".zarr"):
            shutil.copytree(path, tmp_path / "b" / path.name)
        elif path.suffix == ".root" and path.stem != "ttbar":
            shutil.copy(path, tmp_path / "b")
    both = f'results = "{tmp_path / "results"}"\n[federation.sites]\na = "a.toml"\nb = "b.toml"\n'
    (tmp_path / "both.toml").write_text(both)
    return tmp_path


def at(folder: Path):
    return connect(load_site(folder / "both.toml"))


def hep():
    return load_spec("hep/quickstart").changed(**HEP)


def alone(spec, made: Path) -> str:
    place = Place(load_site("serial"), str(made), "")
    return run(spec, place, watch=False).digest


def crossing(outcome) -> dict[tuple[str, str], int]:
    return {(f.source, f.target): f.measured for f in outcome.traffic.flows if f.crosses}


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestHep:
    def test_the_digest_is_that_of_one_site_and_nothing_crosses(self, sites: Path, made: Path):
        with at(sites) as place:
            outcome = run(hep(), place, watch=False)
        assert outcome.digest == alone(hep(), made)
        assert not any(crossing(outcome).values())
        measured = {(f.source, f.target): f.measured for f in outcome.traffic.flows}
        planned = {(f.source, f.target): f.planned for f in outcome.traffic.flows}
        for pair in (("a", "a"), ("b", "b")):
            assert measured[pair] == pytest.approx(planned[pair], rel=0.1)
        by_chance = outcome.traffic.crossing("by_chance")
        assert by_chance == pytest.approx(sum(measured.values()) / 2, rel=0.1)

    def test_check_says_who_would_compute_what(self, sites: Path):
        with at(sites) as place:
            seen = check(hep(), place)
        assert seen.traffic.crossing("planned") == 0
        assert seen.summary["traffic"]["subtrees"].keys() == {"a", "b"}
        assert "where the bytes lie" in str(seen)
        assert "a -> a" in str(seen)

    def test_record_report_and_what_is_loaded_hold_the_byte_ledger(self, sites: Path):
        with at(sites) as place:
            outcome = run(hep(), place, watch=False)
            folder = save(outcome, place)
        traffic = json.loads(Path(folder, "record.json").read_text())["traffic"]
        assert traffic["crossing"]["measured"] == 0
        assert traffic["lost"] == {}
        assert load(folder).traffic == outcome.traffic
        assert "Bytes between sites" in Path(write_report(folder)).read_text()

    def test_a_copy_at_the_other_site_is_read_there(self, sites: Path, made: Path):
        for name in ("ttbar", "single_top", "wjets"):
            for folder in "ab":
                shutil.copy(made / f"{name}.root", sites / folder)
        with at(sites) as place:
            outcome = run(hep(), place, watch=False)
        assert outcome.digest == alone(hep(), made)
        assert not any(crossing(outcome).values())
        measured = {(f.source, f.target): f.measured for f in outcome.traffic.flows}
        assert min(measured["a", "a"], measured["b", "b"]) > sum(measured.values()) / 4
        known = json.loads((sites / "results/.known/copies.json").read_text())
        assert len(known) == 6

    def test_a_second_run_at_the_place_is_planned_for_itself(self, sites: Path, made: Path):
        for name in ("ttbar", "single_top", "wjets"):
            for folder in "ab":
                shutil.copy(made / f"{name}.root", sites / folder)
        with at(sites) as place:
            first, second = (run(hep(), place, watch=False, resume=False) for _ in range(2))
            place.federation.forget()
            assert not any(member.stores.nearer for member in place.federation.members)
        planned = [
            {(f.source, f.target): f.planned for f in o.traffic.flows} for o in (first, second)
        ]
        assert planned[0] == planned[1]
        assert first.traffic == second.traffic

    def test_a_copy_that_changes_while_it_is_read_is_noticed(self, sites: Path, made: Path):
        for name in ("ttbar", "single_top", "wjets"):
            for folder in "ab":
                shutil.copy(made / f"{name}.root", sites / folder)
        times = iter(range(1_000_000_000, 2_000_000_000))

        def touch(_state: object) -> None:
            for path in (sites / "b").glob("*.root"):
                os.utime(path, (now := next(times), now))

        with at(sites) as place, pytest.raises(DataError, match="exchanged while"):
            run(hep(), place, watch=touch)

    def test_copies_that_differ_are_refused(self, sites: Path):
        shutil.copy(sites / "a/ttbar.root", sites / "b")
        with (sites / "b/ttbar.root").open("r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        with at(sites) as place, pytest.raises(DataError, match="different bytes under one name"):
            run(hep(), place, watch=False)

    def test_copies_of_other_size_are_refused_by_check(self, sites: Path):
        shutil.copy(sites / "b/wjets.root", sites / "b/ttbar.root")
        with at(sites) as place, pytest.raises(DataError, match="different bytes"):
            check(hep(), place)

    def test_a_pattern_means_the_files_of_all_sites(self, sites: Path, made: Path):
        spec = hep()
        samples = {"all": spec.samples["ttbar"].model_copy(update={"files": ("[st]*.root",)})}
        spec = spec.model_copy(update={"samples": samples})
        with at(sites) as place:
            outcome = run(spec, place, watch=False)
        assert len(outcome.plan.inputs) == 2
        assert outcome.digest == alone(spec, made)

    def test_what_no_site_has_is_missing(self, sites: Path):
        (sites / "a/ttbar.root").unlink()
        with at(sites) as place, pytest.raises(FileNotFoundError, match="ttbar"):
            run(hep(), place, watch=False)

    def test_one_site_goes_on_from_what_both_had_finished(self, sites: Path, made: Path):
        with (sites / "both.toml").open("a") as file:
            file.write("[ledger]\nafter = 0\n")
        with at(sites) as place:
            first = run(hep(), place, watch=False)
            again = run(hep(), place, watch=False)
        assert again.metrics.resumed == len(first.plan.partitions)
        assert again.digest == first.digest == alone(hep(), made)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestRadio:
    def spec(self, **strips):
        spec = load_spec("radio/vla_sim").changed(
            image={"npix": 128}, partition={"max_visibilities": 2000}
        )
        return spec.changed(strips=strips) if strips else spec

    def test_partial_images_travel(self, sites: Path, made: Path):
        with at(sites) as place:
            outcome = run(self.spec(), place, watch=False)
        assert outcome.digest == alone(self.spec(), made)
        assert "values travel" in outcome.traffic.method
        assert not any(crossing(outcome).values())

    def test_strips_stay_at_one_site_and_the_reason_is_said(self, sites: Path, made: Path):
        spec = self.spec(count=2)
        with at(sites) as place:
            method = check(spec, place).traffic.method
            outcome = run(spec, place, watch=False)
        assert outcome.digest == alone(spec, made)
        assert outcome.traffic.method.startswith("at one site, b: ")
        assert "one scheduler" in method
        assert not any(crossing(outcome).values())
