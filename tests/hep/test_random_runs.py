"""Specs drawn at random, on data drawn at random: the right number, or an error in one line.

The right number is what a few lines of NumPy make of the same events.  More examples:
``pytest tests/hep/test_random_runs.py --hypothesis-profile=long``.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from spectrum_workflows import load_spec, run
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.sites import Place, load_site

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep.types import Observable


def select(events, *, above=0.0, era="", variations=()):
    assert era in ("", "2018", "T", "on")
    met = np.asarray(events.MET_pt, np.float64)
    keep = np.flatnonzero(met > above)
    every = {
        "met": met, "bdt": np.asarray(events.bdt), "ht": np.asarray(ak.sum(events.Jet_pt, axis=1))
    }
    scales = {name: 1 + 0.1 * (number + 1) for number, name in enumerate(variations)}
    return {
        region: Observable(
            values[keep],
            index=keep,
            variations={v: Observable(values[keep] * s, index=keep) for v, s in scales.items()},
        )
        for region, values in every.items()
    }
"""
NAME = st.text(
    st.characters(categories=("Lu", "Ll", "Nd"), include_characters="-+=.,()'é"),
    min_size=1,
    max_size=8,
).filter(lambda name: name not in (".", "..") and not name.startswith((".", "-")))
REGIONS = {"met": (0.0, 200.0), "bdt": (-1.0, 1.0), "ht": (-50.0, 400.0)}


@dataclass(frozen=True)
class File:
    """Events of one file, what its Runs tree says of them, and how that is called."""

    events: int
    generated: int
    seed: int
    suffix: str

    def columns(self) -> dict[str, ak.Array]:
        """The events."""
        rng = np.random.default_rng(self.seed)
        jets = rng.integers(0, 4, self.events)
        return {
            "MET_pt": rng.exponential(40, self.events).astype("f4"),
            "bdt": rng.uniform(-1.2, 1.2, self.events),
            "Jet_pt": ak.unflatten(rng.exponential(50, int(jets.sum())).astype("f4"), jets),
            "genWeight": rng.choice([1.5, 1.5, 1.5, -1.5], self.events).astype("f4"),
        }

    @property
    def sum_of_weights(self) -> float:
        """Of all that was generated: 1.5 for every event that the file has no longer."""
        kept = float(np.sum(self.columns()["genWeight"], dtype=np.float64))
        return kept + 1.5 * (self.generated - self.events)

    def write(self, path: Path) -> None:
        """As NanoAOD."""
        columns = self.columns()
        runs = {
            f"genEventCount{self.suffix}": np.array([self.generated]),
            f"genEventSumw{self.suffix}": np.array([self.sum_of_weights]),
        }
        with uproot.recreate(path) as file:
            jagged = "var * float32"
            tree = file.mktree(
                "Events",
                {"MET_pt": "f4", "bdt": "f8", "Jet_pt": jagged, "genWeight": "f4"},
            )
            if self.events:
                tree.extend(columns)
            file["Runs"] = runs


def draw_file(draw, skims: bool) -> File:
    events = draw(st.integers(0, 60))
    lost = draw(st.integers(0, 100)) if skims else 0
    seed, suffix = draw(st.integers(0, 10**6)), draw(st.sampled_from(["", "_"]))
    return File(events, events + lost, seed, suffix)


@st.composite
def questions(draw):
    """A spec as a dict, and the files of every sample."""
    normalisation = draw(st.sampled_from(["events", "genweight", "none"]))
    skims = normalisation != "events"
    names = draw(st.lists(NAME, min_size=1, max_size=3, unique_by=str.casefold))
    files = {
        name: [draw_file(draw, skims) for _ in range(draw(st.integers(1, 3)))] for name in names
    }
    variations = draw(st.lists(NAME, max_size=2, unique_by=str.casefold))
    samples = {}
    for number, name in enumerate(names):
        listed = [f"s{number}f{k}.root" for k in range(len(files[name]))]
        sample = {"files": listed}
        if draw(st.booleans()):
            sample["data"] = True
        else:
            sample["cross_section"] = draw(st.floats(1e-3, 1e3))
        if draw(st.booleans()) and normalisation == "none":
            sample["events"] = [file.events for file in files[name]]
        samples[name] = sample
    histograms = {}
    for name in draw(st.lists(NAME, min_size=1, max_size=3, unique_by=str.casefold)):
        region = draw(st.sampled_from([*REGIONS]))
        low, high = REGIONS[region]
        start = draw(st.floats(low, high - 0.5))
        bins = draw(st.integers(1, 12))
        histograms[name] = {
            "observable": region,
            "bins": bins,
            "start": start,
            "stop": start + draw(st.floats(0.25, high - low)),
        }
    cuts = {}
    if draw(st.booleans()):
        cuts["above"] = draw(st.one_of(st.floats(0, 60), st.integers(0, 60)))
    if draw(st.booleans()):
        cuts["era"] = draw(st.sampled_from(["2018", "T", "on"]))
    spec = {
        "workflow": "hep",
        "name": draw(NAME),
        "select": "mine.py:select",
        "columns": ["MET_pt", "bdt", "Jet_pt"],
        "normalisation": normalisation,
        "variations": variations,
        "luminosity": draw(st.floats(1e-2, 1e4)),
        "cuts": cuts,
        "partition": {"max_events": draw(st.integers(1, 80))},
        "samples": samples,
        "histograms": histograms,
    }
    return spec, files


def titles(spec) -> list[str]:
    """Names of all histograms, those of variations among them."""
    return [
        f"{name}_{v}" if v else name
        for name in spec["histograms"]
        for v in ("", *spec["variations"])
    ]


def expected(spec, name: str, files: list[File], histogram: str, scale: float) -> np.ndarray:
    """The bins with flow, from the events themselves."""
    sample, axis = spec["samples"][name], spec["histograms"][histogram]
    columns = [file.columns() for file in files]
    met = np.concatenate([c["MET_pt"] for c in columns]).astype(float)
    every = {
        "met": met,
        "bdt": np.concatenate([c["bdt"] for c in columns]),
        "ht": np.concatenate([np.asarray(ak.sum(c["Jet_pt"], axis=1)) for c in columns]),
    }
    weights = np.ones(len(met))
    if not sample.get("data") and spec["normalisation"] != "none":
        number = sum(file.events for file in files)
        if spec["normalisation"] == "genweight":
            weights = np.concatenate([c["genWeight"] for c in columns]).astype(float)
            number = sum(file.sum_of_weights for file in files)
        weights = weights * sample["cross_section"] * spec["luminosity"] / number
    keep = met > spec["cuts"].get("above", 0.0)
    inner = np.linspace(axis["start"], axis["stop"], axis["bins"] + 1)
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    values = every[axis["observable"]] * scale
    return np.histogram(values[keep], edges, weights=weights[keep])[0]


def may_be_refused(spec, files) -> bool:
    """No events, or no positive sum of weights, in a sample; or two names for one histogram."""
    names = titles(spec)
    if len({*map(str.casefold, names)}) < len(names):
        return True
    for name, own in files.items():
        if not any(file.events for file in own):
            return True
        weighted = spec["normalisation"] == "genweight" and "data" not in spec["samples"][name]
        if weighted and sum(file.sum_of_weights for file in own) <= 0:
            return True
    return False


def as_toml(spec) -> str:
    """JSON's scalars and lists are TOML's."""
    lines = [
        f"{k} = {json.dumps(v, ensure_ascii=False)}"
        for k, v in spec.items()
        if not isinstance(v, dict)
    ]
    for table in ("cuts", "partition"):
        lines += [
            f"[{table}]",
            *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in spec[table].items()),
        ]
    for table in ("samples", "histograms"):
        for name, values in spec[table].items():
            lines.append(f"[{table}.{json.dumps(name, ensure_ascii=False)}]")
            lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in values.items()]
    return "\n".join(lines) + "\n"


@settings(
    phases=[Phase.generate],
    max_examples=settings().max_examples // 12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(questions())
def test_a_random_spec_gives_the_right_numbers_or_one_line(question) -> None:
    spec, files = question
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        (folder / "mine.py").write_text(CODE)
        (folder / "spec.toml").write_text(as_toml(spec))
        note(as_toml(spec))
        for sample, own in files.items():
            for file, path in zip(own, spec["samples"][sample]["files"], strict=True):
                file.write(folder / path)
        try:
            place = Place(load_site("serial"), str(folder), str(folder / "out"))
            outcome = run(load_spec(folder / "spec.toml"), place)
        except SpectrumError as error:
            assert "\n" not in str(error)
            assert may_be_refused(spec, files), str(error)
            return
        json.dumps(outcome.summary, allow_nan=False)
        for product, content in DOMAIN.files(outcome.result):  # no pictures: they take longest
            (folder / product).write_bytes(content)
        arrays = DOMAIN.read(root)
    if len({*titles(spec)}) < len(titles(spec)):
        return  # two names for one: told apart by other tests
    for sample, own in files.items():
        for histogram in spec["histograms"]:
            for number, variation in enumerate(("", *spec["variations"])):
                data = spec["samples"][sample].get("data", False)
                if data and variation:
                    continue
                title = f"{histogram}_{variation}" if variation else histogram
                want = expected(spec, sample, own, histogram, 1 + 0.1 * number)
                got = arrays[f"{sample}/{title}/values"]
                assert got == pytest.approx(want, rel=1e-9, abs=1e-9 * np.abs(want).sum() + 1e-300)
