"""Workspaces as files of other programs: read back by others, they give the same best fit."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyhf.readxml
import pytest
import uproot
from iminuit import Minuit
from scipy.special import gammaln

from spectrum_workflows import hep
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit.minimum import minimum
from spectrum_workflows.hep.fit.model import compiled

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

EDGES = {"4j": np.array([0.0, 1.0, 2.0, 5.0]), "6j": np.array([0.0, 1.0, 2.0])}


def described(*, data=((152, 131, 60), (82, 35))):
    """A signal, two backgrounds, effects on yields, on shapes and on both."""

    def effect(name, hi, lo):
        return {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}}

    def shape(name, up, down):
        return {"name": name, "type": "histosys", "data": {"hi_data": up, "lo_data": down}}

    def sample(name, region, contents, *modifiers):
        errors = (0.3 * np.sqrt(contents)).tolist()
        by_bin = {"name": f"staterror_{region}", "type": "staterror", "data": errors}
        lumi = effect("luminosity", 1.03, 0.97)
        return {"name": name, "data": contents, "modifiers": [*modifiers, lumi, by_bin]}

    free = {"name": "new_norm", "type": "normfactor", "data": None}
    loose = {"name": "qcd_norm", "type": "normfactor", "data": None}
    channels = [
        {
            "name": "4j",
            "samples": [
                sample("new", "4j", [5.0, 20.0, 22.0], free, effect("tagging", 1.1, 0.92)),
                sample(
                    "top",
                    "4j",
                    [110.0, 80.0, 25.0],
                    effect("scale", 1.06, 0.95),
                    shape("scale", [106.0, 82.0, 27.0], [114.0, 78.5, 22.5]),
                ),
                sample("qcd", "4j", [30.0, 20.0, 10.0], loose),
            ],
        },
        {
            "name": "6j",
            "samples": [
                sample("new", "6j", [0.0, 0.0], free),
                sample("top", "6j", [60.0, 25.0], shape("scale", [62.0, 23.0], [58.0, 27.0])),
                sample("qcd", "6j", [18.0, 9.0], loose),
            ],
        },
    ]
    observations = [
        {"name": region, "data": list(map(float, counts))}
        for region, counts in zip(("4j", "6j"), data, strict=True)
    ]
    bounds = [{"name": "new_norm", "bounds": [[0.0, 6.0]], "inits": [1.0]}]
    config = {"poi": "new_norm", "parameters": bounds}
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "fit", "config": config}],
    }


@pytest.fixture(scope="module")
def files():
    return hep.combine_card(described(), edges=EDGES)


@dataclass
class Read:
    """A card read by the rules of its documentation, with none of our code."""

    text: str
    root: uproot.ReadOnlyDirectory

    def rows(self, word):
        return [ln.split() for ln in self.text.splitlines() if ln.split()[:1] == [word]]

    def histogram(self, channel, process, systematic=""):
        rule = next(r for r in self.rows("shapes") if r[1:3] == ["*", "*"])
        name = rule[5 if systematic else 4].replace("$CHANNEL", channel)
        return self.root[name.replace("$PROCESS", process).replace("$SYSTEMATIC", systematic)]

    def systematics(self):
        lines = (ln.split() for ln in self.text.splitlines())
        return [(f[0], f[1], f[2:]) for f in lines if len(f) > 2 and f[1] in {"lnN", "shape"}]


def smooth(alpha, up, down, edge):
    """Powers of the factors, joined between by the polynomial of sixth degree (code 4)."""
    if alpha >= edge:
        return up**alpha
    if alpha <= -edge:
        return down**-alpha
    rows, wanted = [], []
    for sign, base in ((1.0, up), (-1.0, down)):
        value, slope = base**edge, np.log(base)
        x = sign * edge
        rows.append([x**k for k in range(1, 7)])
        wanted.append(value - 1)
        rows.append([k * x ** (k - 1) for k in range(1, 7)])
        wanted.append(sign * slope * value)
        rows.append([k * (k - 1) * x ** (k - 2) for k in range(1, 7)])
        wanted.append(slope**2 * value)
    terms = np.linalg.solve(np.array(rows), np.array(wanted))
    return 1 + sum(a * alpha ** (k + 1) for k, a in enumerate(terms))


def bent(alpha, up, down):
    """Straight lines, joined between by a polynomial (code 4p)."""
    if abs(alpha) > 1:
        return alpha * (up if alpha > 0 else down)
    bend = (up - down) / 16 * (15 * alpha**2 - 10 * alpha**4 + 3 * alpha**6)
    return alpha * (up + down) / 2 + bend


class Likelihood:
    """What the card says, evaluated in a few lines: HistFactory's interpolation between."""

    def __init__(self, files):
        self.card = Read(files["card.txt"].decode(), uproot.open(io.BytesIO(files["shapes.root"])))
        bins, (names, numbers) = self.card.rows("bin")[1][1:], self.card.rows("process")
        self.processes = list(zip(bins, names[1:], map(int, numbers[1:]), strict=True))
        self.channels = self.card.rows("bin")[0][1:]
        self.lines = self.card.systematics()
        self.rates = [ln.split() for ln in self.card.text.splitlines() if " rateParam " in ln]
        free = dict.fromkeys(rate[0] for rate in self.rates)
        read = self.card.histogram
        self.data = {c: read(c, "data_obs").values() for c in self.channels}
        self.nominal = [read(c, p).values() for c, p, _ in self.processes]
        self.varied = {
            (name, k, side): read(c, p, f"{name}{side}").values()
            for name, kind, effects in self.lines
            for k, (c, p, _) in enumerate(self.processes)
            for side in ("Up", "Down")
            if kind == "shape" and effects[k] != "-"
        }
        self.errors = {}
        for channel in self.channels:
            all_ = [read(channel, p) for c, p, _ in self.processes if c == channel]
            total = sum(h.values() for h in all_)
            self.errors[channel] = np.sqrt(sum(h.variances() for h in all_)) / total
        by_bin = [f"{c}[{k}]" for c in self.channels for k in range(len(self.errors[c]))]
        self.names = ["r", *free, *(name for name, _, _ in self.lines), *by_bin]
        self.start = [0.0 if n in {s[0] for s in self.lines} else 1.0 for n in self.names]

    def process(self, k, values):
        channel, process, number = self.processes[k]
        nominal = self.nominal[k]
        content, factor = nominal.copy(), values["r"] if number <= 0 else 1.0
        for rate in self.rates:
            factor *= values[rate[0]] if rate[2:4] == [channel, process] else 1.0
        for name, kind, effects in self.lines:
            if effects[k] == "-":
                continue
            if kind == "lnN":
                down, up = map(float, effects[k].split("/"))
                factor *= smooth(values[name], up, down, 1.0)
                continue
            up, down = (self.varied[name, k, side] for side in ("Up", "Down"))
            sizes = up.sum() / nominal.sum(), down.sum() / nominal.sum()
            factor *= smooth(values[name], *sizes, 1.0)
            content += bent(values[name], up / sizes[0] - nominal, nominal - down / sizes[1])
        return factor * content

    def __call__(self, x):
        values = dict(zip(self.names, x, strict=True))
        twice = sum(values[name] ** 2 for name, _, _ in self.lines)
        hoped = dict.fromkeys(self.channels, 0.0)
        for k, (channel, _, _) in enumerate(self.processes):
            hoped[channel] = hoped[channel] + self.process(k, values)
        for channel, data in self.data.items():
            gammas = np.array([values[f"{channel}[{k}]"] for k in range(len(data))])
            twice += (((gammas - 1) / self.errors[channel]) ** 2).sum()
            mean = gammas * hoped[channel]
            twice += 2 * (mean - data * np.log(mean) + gammaln(data + 1)).sum()
        return twice


def test_a_card_read_by_other_code_gives_our_best_fit_and_that_of_pyhf(files):
    read = Likelihood(files)
    assert read.card.rows("imax")[0][1] == "2"
    assert read.card.rows("jmax")[0][1] == "2"
    fitted = Minuit(read, read.start, name=read.names)
    fitted.errordef, fitted.tol, fitted.limits["r"] = 1.0, 1e-4, (0, 6)
    fitted.migrad()
    theirs = hep.fit_workspace(described())
    ours, at = compiled(described()), minimum(compiled(described()))
    assert fitted.values["r"] == pytest.approx(at.values[ours.poi], rel=1e-4)
    best = theirs.values[theirs.names.index(theirs.poi)]
    assert fitted.values["r"] == pytest.approx(best, rel=1e-4)
    name = dict.fromkeys(("luminosity", "tagging", "scale", "qcd_norm"))
    for parameter in name:
        value = at.values[ours.names.index(parameter)]
        assert fitted.values[parameter] == pytest.approx(value, abs=2e-4)


def test_a_card_has_names_that_combine_takes_and_leaves_out_what_is_empty(files):
    text = files["card.txt"].decode()
    assert "bin          ch_4j  ch_6j" in text
    assert "# new has no events in ch_6j and is not there" in text
    assert "ch_4j autoMCStats 0 1" in text
    assert "qcd_norm rateParam ch_6j qcd 1 [0,10]" in text
    assert "--rMin 0 --rMax 6" in text
    root = uproot.open(io.BytesIO(files["shapes.root"]))
    h = root["ch_4j/top"]
    np.testing.assert_array_equal(h.axis().edges(), EDGES["4j"])
    np.testing.assert_allclose(h.errors(), 0.3 * np.sqrt([110.0, 80.0, 25.0]))
    np.testing.assert_allclose(root["ch_4j/top_scaleUp"].values(), 1.06 * np.array([106, 82, 27]))
    assert "ch_6j/new;1" not in root


def test_what_no_card_can_say_is_refused():
    other = described()
    by_bin = {"name": "guess", "type": "shapesys", "data": [1.0, 1.0]}
    other["channels"][1]["samples"][2]["modifiers"].append(by_bin)
    with pytest.raises(DataError, match="single bins of a sample alone; export HistFactory"):
        hep.combine_card(other)
    lost = described()
    lost["measurements"][0]["config"]["poi"] = "nobody"
    with pytest.raises(DataError, match="parameter of interest, 'nobody'"):
        hep.combine_card(lost)
    with pytest.raises(DataError, match="not a workspace"):
        hep.combine_card({})


def written(files, folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_histfactory_read_by_pyhf_gives_the_same_best_fit(tmp_path):
    folder = written(hep.histfactory(described()), tmp_path)
    assert str(folder) not in (folder / "combination.xml").read_text()
    again = pyhf.readxml.parse(str(folder / "combination.xml"), folder)
    fit, before = hep.fit_workspace(again), hep.fit_workspace(described())
    values = dict(zip(fit.names, fit.values, strict=True))
    for name, value, error in zip(before.names, before.values, before.errors, strict=True):
        there = name.replace("staterror_", "staterror_ch_")  # no channel begins with a digit
        assert values[there] == pytest.approx(value, abs=1e-4 * error)
    text = (folder / "config" / "fit_ch_4j.xml").read_text()
    assert '<StatErrorConfig RelErrorThreshold="0" ConstraintType="Gaussian" />' in text
    assert "Lumi" in (folder / "combination.xml").read_text()


def test_roots_histfactory_finds_the_same_best_fit(tmp_path):
    """Its own reader of XML is not in every build: the elements are handed over here."""
    ROOT = pytest.importorskip("ROOT")
    folder = written(hep.histfactory(described()), tmp_path)
    value = fitted_by_root(ROOT, folder)
    ours = compiled(described())
    assert value == pytest.approx(minimum(ours).values[ours.poi], rel=1e-4)


def fitted_by_root(ROOT, folder: Path) -> float:
    """The best fit of ROOT's own model of the files."""
    import xml.etree.ElementTree as ET

    factory = ROOT.RooStats.HistFactory
    top = ET.fromstring((folder / "combination.xml").read_text().partition("\n\n")[2])
    described_as = factory.Measurement("fit", "fit")
    described_as.SetPOI(top.find("Measurement/POI").text)
    described_as.SetLumi(1.0)
    described_as.SetLumiRelErr(float(top.find("Measurement").get("LumiRelErr")))
    for name in top.find("Measurement/ParamSetting").text.split():
        described_as.AddConstantParam(name)
    for entry in top.findall("Input"):
        root = ET.fromstring((folder / entry.text).read_text().partition("\n\n")[2])
        channel = factory.Channel(root.get("Name"))
        channel.SetData(root.find("Data").get("HistoName"), str(folder / root.get("InputFile")))
        config = root.find("StatErrorConfig")
        threshold = float(config.get("RelErrorThreshold"))
        channel.SetStatErrorConfig(threshold, config.get("ConstraintType"))
        for one in root.findall("Sample"):
            source = str(folder / one.get("InputFile"))
            sample = factory.Sample(one.get("Name"), one.get("HistoName"), source)
            sample.SetNormalizeByTheory(one.get("NormalizeByTheory") == "True")
            for effect in one:
                given = effect.attrib
                if effect.tag == "OverallSys":
                    sizes = float(given["Low"]), float(given["High"])
                    sample.AddOverallSys(given["Name"], *sizes)
                elif effect.tag == "NormFactor":
                    numbers = (float(given[key]) for key in ("Val", "Low", "High"))
                    sample.AddNormFactor(given["Name"], *numbers)
                elif effect.tag == "HistoSys":
                    low, high = given["HistoNameLow"], given["HistoNameHigh"]
                    sample.AddHistoSys(given["Name"], low, source, "", high, source, "")
                elif effect.tag == "StatError":
                    sample.ActivateStatError(given["HistoName"], source)
            channel.AddSample(sample)
        described_as.AddChannel(channel)
    described_as.CollectHistograms()
    workspace = factory.MakeModelAndMeasurementFast(described_as)
    config = workspace.obj("ModelConfig")
    observables = ROOT.RooFit.GlobalObservables(config.GetGlobalObservables())
    nll = config.GetPdf().createNLL(workspace.data("obsData"), observables)
    minimizer = ROOT.RooMinimizer(nll)
    minimizer.setPrintLevel(-1)
    minimizer.setStrategy(2)
    minimizer.setEps(1e-4)  # its default stops within thousandths of a standard deviation
    minimizer.minimize("Minuit2", "migrad")
    return float(workspace.var(described_as.GetPOI()).getVal())
