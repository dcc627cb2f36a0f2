"""The AGC ttbar selection in ROOT's RDataFrame: a peer to be timed, in its own process.

    PYTHON_WITH_ROOT benchmarks/hep_rdataframe.py FILE

Prints one JSON line when ready and one per line read from standard input:
yields, bins, CPU seconds of the event loop, and of everything around it (just
in time compilation, opening the file), measured on a graph that stops after
the first event.  One thread.
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
"""

DEFINES = {
    "good_e": "Electron_pt > 30 && abs(Electron_eta) < 2.1 && Electron_cutBased == 4"
    " && Electron_sip3d < 4",
    "good_mu": "Muon_pt > 30 && abs(Muon_eta) < 2.1 && Muon_tightId && Muon_sip3d < 4"
    " && Muon_pfRelIso04_all < 0.15",
    "good_jet": "Jet_pt > 30 && abs(Jet_eta) < 2.4 && Jet_jetId == 6",
}


def histograms(path: str, first_only: bool) -> dict[str, object]:
    frame = ROOT.RDataFrame("Events", path)
    if first_only:
        frame = frame.Range(1)
    for name, expression in DEFINES.items():
        frame = frame.Define(name, expression)
    frame = frame.Filter("Sum(good_e) + Sum(good_mu) == 1 && Sum(good_jet) >= 4")
    frame = frame.Define("tags", "Sum(Jet_btagCSVV2[good_jet] > 0.5)")
    one = frame.Filter("tags == 1").Define("ht", "Sum(Jet_pt[good_jet])")
    kept = ", ".join(f"Jet_{k}[good_jet]" for k in ("pt", "eta", "phi", "mass", "btagCSVV2"))
    two = frame.Filter("tags >= 2").Define("mass", f"hadronic_top_mass({kept})")
    return {
        "4j1b": one.Histo1D(("4j1b", "", 25, 50.0, 550.0), "ht"),
        "4j2b": two.Histo1D(("4j2b", "", 25, 50.0, 550.0), "mass"),
    }


def once(path: str, *, first_only: bool) -> tuple[float, dict[str, list[float]]]:
    started = time.process_time()
    booked = histograms(path, first_only)
    bins = {
        region: [h.GetBinContent(k) for k in range(h.GetNbinsX() + 2)]
        for region, h in booked.items()
    }
    return time.process_time() - started, bins


def main() -> None:
    path = sys.argv[1]
    ROOT.gInterpreter.Declare(CODE)
    first, _ = once(path, first_only=False)
    print(json.dumps({"version": ROOT.__version__, "first_run": first}), flush=True)
    for _ in sys.stdin:
        around, _ = once(path, first_only=True)
        whole, bins = once(path, first_only=False)
        print(json.dumps({"loop": whole - around, "around": around, "bins": bins}), flush=True)


if __name__ == "__main__":
    main()
