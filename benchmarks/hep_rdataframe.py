"""The AGC ttbar selection in ROOT's RDataFrame: a peer to be timed, in its own process.

    PYTHON_WITH_ROOT benchmarks/hep_rdataframe.py

Prints one JSON line when ready and one per line read from standard input
("nominal FILE" or "varied FILE", with all systematic variations by ROOT's own
`Vary`): bins, and CPU seconds of opening the file and the event loop.  ROOT keeps
what it compiles just in time, so the first of each kind compiles and is for
warming up.  One thread.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore", message="(?s).*alpha stage.*")

import ROOT  # noqa: E402

CODE = """
#include <array>
using ROOT::VecOps::RVec;
float hadronic_top_mass(const RVec<float>& pt, const RVec<float>& eta, const RVec<float>& phi,
                        const RVec<float>& mass, const RVec<float>& btag) {
    std::vector<ROOT::Math::PxPyPzEVector> p4;
    for (std::size_t i = 0; i < pt.size(); ++i)
        p4.emplace_back(ROOT::Math::PtEtaPhiMVector(pt[i], eta[i], phi[i], mass[i]));
    double largest = -1, found = 0;
    for (std::size_t a = 0; a < p4.size(); ++a)
        for (std::size_t b = a + 1; b < p4.size(); ++b)
            for (std::size_t c = b + 1; c < p4.size(); ++c) {
                if (std::max({btag[a], btag[b], btag[c]}) <= 0.5) continue;
                const auto sum = p4[a] + p4[b] + p4[c];
                if (sum.Pt() > largest) { largest = sum.Pt(); found = sum.M(); }
            }
    return found;
}
ULong64_t mixed(ULong64_t state, ULong64_t word) {  // SplitMix64, as in smearing.py
    ULong64_t z = (state ^ word) + 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
RVec<float> smeared(const RVec<float>& pt, ULong64_t run, ULong64_t block, ULong64_t event) {
    const auto key = mixed(mixed(mixed(0, run), block), event);
    RVec<float> out(pt.size());
    for (std::size_t i = 0; i < pt.size(); ++i) {
        const auto first = mixed(key, 2 * i), second = mixed(first, 2 * i + 1);
        const double radius = ((first >> 11) + 0.5) * 0x1p-53, angle = (second >> 11) * 0x1p-53;
        const double normal = std::sqrt(-2 * std::log(radius)) * std::cos(2 * M_PI * angle);
        out[i] = pt[i] * (1 + 0.05 * normal);
    }
    return out;
}
RVec<double> btag_weights(const RVec<float>& pt) {
    RVec<double> out;
    for (std::size_t k = 0; k < 4; ++k)
        for (double sign : {1., -1.}) out.push_back(1 + sign * 0.075 * pt[k] / 50);
    return out;
}
"""

BTAGS = [f"btag_var_{k}_{d}" for k in range(4) for d in ("up", "down")]

DEFINES = {
    "good_e": "Electron_pt > 30 && abs(Electron_eta) < 2.1 && Electron_cutBased == 4"
    " && Electron_sip3d < 4",
    "good_mu": "Muon_pt > 30 && abs(Muon_eta) < 2.1 && Muon_tightId && Muon_sip3d < 4"
    " && Muon_pfRelIso04_all < 0.15",
    "good_jet": "Jet_pt > 30 && abs(Jet_eta) < 2.4 && Jet_jetId == 6",
}


def histograms(path: str, *, varied: bool) -> dict[str, object]:
    frame = ROOT.RDataFrame("Events", path)
    frame = frame.Define("weights", "1.0")
    if varied:
        shifted = "RVec<RVec<float>>{Jet_pt * 1.03f, smeared(Jet_pt, run, luminosityBlock, event)}"
        frame = frame.Vary("Jet_pt", shifted, ["pt_scale_up", "pt_res_up"])
        scale = "RVec<double>{weights * 1.025, weights * 0.975}"
        frame = frame.Vary("weights", scale, ["scale_var_up", "scale_var_down"])
    for name, expression in DEFINES.items():
        frame = frame.Define(name, expression)
    frame = frame.Filter("Sum(good_e) + Sum(good_mu) == 1 && Sum(good_jet) >= 4")
    frame = frame.Define("tags", "Sum(Jet_btagCSVV2[good_jet] > 0.5)")
    frame = frame.Define("good_pt", "Jet_pt[good_jet]")
    if varied:
        frame = frame.Vary("weights", "weights * btag_weights(good_pt)", BTAGS)
    one = frame.Filter("tags == 1").Define("ht", "Sum(good_pt)")
    kept = ", ".join(f"Jet_{k}[good_jet]" for k in ("eta", "phi", "mass", "btagCSVV2"))
    two = frame.Filter("tags >= 2").Define("mass", f"hadronic_top_mass(good_pt, {kept})")
    booked = {
        "4j1b": one.Histo1D(("4j1b", "", 25, 50.0, 550.0), "ht", "weights"),
        "4j2b": two.Histo1D(("4j2b", "", 25, 50.0, 550.0), "mass", "weights"),
    }
    if not varied:
        return booked
    return {name: ROOT.RDF.Experimental.VariationsFor(h) for name, h in booked.items()}


def contents(name: str, found: object, varied: bool) -> dict[str, list[float]]:
    maps = {"": found}
    if varied:
        keys = [str(key) for key in found.GetKeys()]
        maps = {"" if k == "nominal" else "_" + k.partition(":")[2]: found[k] for k in keys}
    return {
        name + suffix: [h.GetBinContent(k) for k in range(h.GetNbinsX() + 2)]
        for suffix, h in maps.items()
    }


def once(path: str, *, varied: bool) -> tuple[float, dict[str, list[float]]]:
    started = time.process_time()
    bins: dict[str, list[float]] = {}
    for name, found in histograms(path, varied=varied).items():
        bins |= contents(name, found, varied)
    return time.process_time() - started, bins


def main() -> None:
    ROOT.gInterpreter.Declare(CODE)
    print(json.dumps({"version": ROOT.__version__}), flush=True)
    for line in sys.stdin:
        kind, _, path = line.strip().partition(" ")
        seconds, bins = once(path, varied=kind == "varied")
        print(json.dumps({"seconds": seconds, "bins": bins}), flush=True)


if __name__ == "__main__":
    main()
