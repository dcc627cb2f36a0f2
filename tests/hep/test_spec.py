import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.errors import SpecError

TEXT = """
workflow = "hep"
name = "mine"
select = "spectrum_workflows.hep.analyses.ttbar:select"
columns = ["Jet_pt"]
luminosity = 1.0
[samples.a]
files = ["a.root"]
cross_section = 1.0
[histograms.4j1b]
bins = 2
start = 0.0
stop = 1.0
"""


def load(tmp_path, old="", new=""):
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1))
    return load_spec(path)


def test_a_spec_knows_its_folder_and_keeps_it_when_changed(tmp_path):
    spec = load(tmp_path)
    assert spec.folder == str(tmp_path)
    changed = spec.changed(cuts={"jet_pt": 40.0})
    assert (changed.folder, changed.cuts) == (str(tmp_path), {"jet_pt": 40.0})
    assert "folder" not in spec.model_dump()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("luminosity = 1.0", "luminosity = -1.0", r"luminosity: .*greater than 0.*-1"),
        ("luminosity = 1.0", "", "needs luminosity"),
        ("cross_section = 1.0", "", r"samples\.a needs cross_section"),
        ("cross_section = 1.0", "cross_section = -2.0", r"cross_section: .*greater than 0"),
        ("bins = 2", "bins = 0", r"bins .*greater than 0"),
        ("stop = 1.0", "stop = 0.0", "stop must be above start"),
        ("stop = 1.0", "stop = 1.0\nlog = true", "must start above 0"),
        ("stop = 1.0", "stop = inf", "finite number"),
        ("files", "file", r"unknown key 'samples\.a\.file'.*did you mean files"),
        ('files = ["a.root"]', "files = []", r"samples\.a needs files"),
        ("luminosity", "luminosty", r"did you mean luminosity"),
        (":select", "", "select: .*pattern"),
        ("[samples.a]", '[samples."a/b"]', "no space and no slash"),
        ("[samples.a]", "[partition]\nmax_events = -5\n[samples.a]", r"max_events: .*greater"),
        ('workflow = "hep"', 'workflow = "hepp"', "unknown workflow 'hepp'"),
    ],
)
def test_bad_specs_are_refused_in_one_line(tmp_path, old, new, said):
    with pytest.raises(SpecError, match=said) as error:
        load(tmp_path, old, new)
    assert "\n" not in str(error.value)


def test_data_and_counting_need_no_cross_section(tmp_path):
    assert load(tmp_path, "cross_section = 1.0", "data = true").samples["a"].data
    counting = load(tmp_path, "luminosity = 1.0", 'normalisation = "none"')
    assert counting.luminosity is None
