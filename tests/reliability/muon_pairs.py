"""The spec of a little analysis: muon pairs of 2,400 made events in 24 partitions."""

TEXT = """
workflow = "hep"
name = "{name}"
select = "{select}"
columns = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"]
normalisation = "none"
partition = {{max_events = 100}}
synthetic = {{events = 2_400, cluster_events = 100}}
samples.zmumu = {{files = ["zmumu.root"], generator = "zmumu"}}
histograms.mass = {{observable = "dimuon", bins = 60, start = 60.0, stop = 120.0}}
"""


def spec(name: str, select: str = "spectrum_workflows.hep.analyses.dimuon:select") -> str:
    """Its text, with the name of a run and of a selection."""
    return TEXT.format(name=name, select=select)
