"""Which files are the same, which fit a pattern, what a sample lacks: rules over names alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.hep import columns
from spectrum_workflows.hep.columns import RequestedColumns, refuse_missing
from spectrum_workflows.hep.completeness import begin_alike, counted_once, joined
from spectrum_workflows.hep.normalisation import Generated
from spectrum_workflows.hep.plan import checks
from spectrum_workflows.hep.plan.duplicates import Identified, alike, refuse
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo
from spectrum_workflows.hep.plan.patterns import is_pattern, matching_files, root_of
from spectrum_workflows.hep.plan.survey import files_to_open
from spectrum_workflows.hep.spec.fallback import FallbackSpec
from spectrum_workflows.hep.types import FileRead

# Files that would be counted twice


def identified(sample, name, *more):
    return Identified(sample, name, (name, *more))


def test_one_identity_that_two_files_share_is_enough():
    with pytest.raises(DataError, match="the same file is listed twice; list it once") as caught:
        refuse([identified("a", "x", "1", "2"), identified("a", "y", "3", "2")])
    assert caught.value.where == "samples.a: x, y"


@pytest.mark.parametrize("data", [["a"], ["b"], ["a", "b"]])
def test_data_is_in_one_sample(data):
    files = [identified("a", "x", "1"), identified("b", "y", "1")]
    with pytest.raises(DataError, match="in two samples, a and b; data counts once: choose one"):
        refuse(files, data=data)


def test_samples_of_simulation_may_share_and_it_is_said_once_per_pair():
    files = [identified(s, name, name) for name in ("1", "2") for s in "abc"]
    assert [line.partition(" (")[0] for line in refuse(files)] == [
        f"{pair} have the same events" for pair in ("a and b", "a and c", "b and c")
    ]


names = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=8, unique=True)


@given(names)
@settings(max_examples=50)
def test_files_of_nothing_in_common_are_counted(files):
    """No two of one sample are the same; those in both samples are warned of, in one line."""
    both = {n for s, n in files if s == "a"} & {n for s, n in files if s == "b"}
    lines = refuse(Identified(s, f"{s}{n}", (f"content {n}",)) for s, n in files)
    assert len(lines) == bool(both)


def test_a_copy_that_was_made_anew_keeps_its_uuid():
    assert alike([("x", "1"), ("y", "2"), ("x", "1")]) == []
    [line] = alike([("x", "1"), ("y", "1"), ("z", "1")])
    assert line == "x and y have the same UUID: is one made from the other?"


def read(content, beginning="", n=10):
    return FileRead(n, n, content=content, beginning=beginning)


def test_contents_are_compared_within_a_sample_or_where_one_is_data():
    files = {("a", "x"): read("1"), ("b", "y"): read("1"), ("b", "z"): read("")}
    assert counted_once(files) == []
    assert len(counted_once(files, data=[])) == 1
    with pytest.raises(DataError, match="data counts once"):
        counted_once(files, data=["b"])
    with pytest.raises(DataError, match="listed twice"):
        counted_once(files | {("a", "w"): read("1")})


def test_two_names_of_one_file_are_refused_when_their_parts_meet():
    a = {("a", "x"): read("1")}
    assert joined(a, {("b", "y"): read("1")}).keys() == {("a", "x"), ("b", "y")}
    assert joined(a, a)["a", "x"].read == 20
    with pytest.raises(DataError, match="listed twice"):
        joined(a, {("a", "y"): read("1")})
    with pytest.raises(DataError, match="has changed while the run read it; run again") as caught:
        joined(a, {("a", "x"): read("2")})
    assert caught.value.where == "x"


@pytest.mark.parametrize(
    ("files", "varied", "said"),
    [
        ({("a", "x"): read("1", "b"), ("a", "y"): read("2", "b")}, {}, True),
        ({("a", "x"): read("1", "b"), ("a", "y"): read("1", "b")}, {}, False),
        ({("a", "x"): read("1", ""), ("a", "y"): read("2", "")}, {}, False),
        ({("a", "x"): read("1", "b"), ("b", "y"): read("2", "b")}, {"b": "a"}, False),
        ({("a", "x"): read("1", "b"), ("b", "y"): read("2", "b")}, {"a": "b"}, False),
        ({("a", "x"): read("1", "b"), ("a", "y"): read("2", "b")}, {"a": "c"}, True),
    ],
)
def test_files_that_begin_alike_are_warned_of(files, varied, said):
    lines = begin_alike(files, varied)
    assert bool(lines) is said
    assert all(line.startswith("x and y begin with the same events:") for line in lines)


def test_of_many_that_begin_alike_one_pair_is_named():
    files = {("a", name): read(name, "b") for name in "xyzw"}
    [line] = begin_alike(files)
    assert line == "x and y begin with the same events (and 2 more): are they counted twice?"


# Patterns


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("a*.root", True),
        ("a?.root", True),
        ("[ab].root", True),
        ("a.root", False),
        ("root://[::1]//a.root", False),
        ("root://[::1]//*.root", True),
        ("https://h/a.root?x=[1]", False),
        ("https://h/*.root", True),
        ("HTTPS://h/a?b=*", False),
    ],
)
def test_what_is_a_pattern(name, pattern):
    assert is_pattern(name) is pattern


def test_the_root_of_a_pattern_is_the_data_root_whatever_is_in_it():
    assert root_of("/data[1]/a/*.root", "a/*.root") == "/data[1]/"
    assert root_of("root://[::1]//store/*.root", "/store/*.root") == "root://[::1]//"
    assert root_of("s3://b/x*", "s3://b/x*") == "s3://b/"
    assert root_of("/data/*", "/data/*") == "/"


TREE = ("a.root", "b.root", ".hidden.root", "A/1.root", "A/2.root", "B/1.root", "B/C/3.root")


@pytest.fixture(scope="module", params=["memory", "here"])
def tree(request, tmp_path_factory):
    here = str(tmp_path_factory.mktemp("tree"))
    root = (here if request.param == "here" else "memory://patterns/tree") + "/"
    for name in TREE:
        storage.write_bytes(f"{root}{name}", b"1")
    return root


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.root", ["a.root", "b.root"]),
        ("[!a].root", ["b.root"]),
        (".*", [".hidden.root"]),
        ("?/1.root", ["A/1.root", "B/1.root"]),
        ("*/*.root", ["A/1.root", "A/2.root", "B/1.root"]),
        ("B/*/*.root", ["B/C/3.root"]),
        ("A/[2-9].root", ["A/2.root"]),
    ],
)
def test_a_pattern_stays_within_one_folder_s_names(tree, pattern, names):
    assert matching_files(tree + pattern, tree) == [tree + name for name in names]


@pytest.mark.parametrize("pattern", ["*.csv", "none/*", "a.root/*", "A"])
def test_a_pattern_without_files_is_not_found(tree, pattern):
    if pattern == "A":
        pattern = "[A]"  # a folder is no file
    with pytest.raises(DataNotFoundError, match="no file fits this pattern; check the pattern"):
        matching_files(tree + pattern, tree)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://h/*.root", "a store that can list"),
        ("/x/**/a*", r"cannot hold \*\*; write one \*"),
    ],
)
def test_patterns_that_cannot_be_followed(url, says):
    with pytest.raises(DataError, match=says):
        matching_files(url, "/")


def test_a_link_to_a_folder_is_followed(tmp_path: Path):
    storage.write_bytes(str(tmp_path / "real" / "a.root"), b"1")
    (tmp_path / "link").symlink_to("real")
    root = f"{tmp_path}/"
    assert matching_files(f"{root}l*/*.root", root) == [f"{root}link/a.root"]


# What files of a sample lack

CONSTANT = FallbackSpec(constant=0.0)
OTHER = FallbackSpec(column="b2", cuts={"b": 0.3})
REQUESTED = RequestedColumns(
    ("x", "b", "c"), ("T1", "T2"), ("T2",), {"b": OTHER, "c": CONSTANT}, inputs=("x", "rho")
)


def test_what_stands_in_is_read_in_place_of_what_is_absent():
    assert REQUESTED.every == ("x", "b", "c", "rho")
    assert REQUESTED.read(()) == ("x", "b", "c", "rho", "T1", "T2")
    assert REQUESTED.read(("b", "c", "T2")) == ("x", "b2", "rho", "T1")
    assert REQUESTED.fallbacks_used(["x", "rho", "T1"]) == ("b", "c", "T2")
    assert REQUESTED.fallbacks_used(["x", "b", "c", "rho", "T2"]) == ()


def test_only_what_selects_otherwise_has_to_be_alike():
    assert REQUESTED.alike(("b", "c", "T2")) == ("b",)
    assert REQUESTED.differing
    assert not RequestedColumns(("c",), fallbacks={"c": CONSTANT}).differing
    assert columns.cuts(REQUESTED, ("b", "c", "T2")) == {"b": 0.3}


def test_what_is_absent_is_said_with_its_consequence():
    files = [("1", ()), ("2", ("b", "T2")), ("3", ("b",))]
    assert list(columns.absent("s", files, REQUESTED)) == [
        "s: b is absent, b2 stands in (cuts.b = 0.3) in 2 of 3 files, such as 2",
        "s: T2 is absent, taken as false in 1 of 3 files, such as 2",
    ]
    assert list(columns.absent("s", [("1", ("c",))], REQUESTED)) == [
        "s: c is absent, the constant 0.0 stands in"
    ]


def test_files_without_any_trigger_are_said_once():
    requested = RequestedColumns(("x",), ("T",), ("T",))
    lines = list(columns.absent("s", [("1", ("T",)), ("2", ("T",))], requested))
    assert lines[-1] == "s: 1 has none of the triggers: none of its events is selected"
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["Jet_Pt"], r"no branch 'Jet_Pt' in Events; did you mean Jet_pt "),
        (["Jet_Pt", "x", "y"], r"\(nor 'x', 'y'\)"),
        (["T1"], r'say so: triggers = \[\{path = "T1", absent = false\}\]'),
        (["b"], r"to let another branch stand in, say so .* \[fallbacks\.b\]"),
        (["Jet_jetId"], r'let the definition ".+" stand in'),
    ],
)
def test_a_missing_branch_comes_with_what_to_do(names, says):
    have = ["Jet_pt", "Jet_eta", "MET_pt"]
    requested = RequestedColumns(("b", "Jet_jetId"), ("T1",))
    with pytest.raises(DataError, match=says) as caught:
        refuse_missing(names, have, tree="Events", url="f.root", requested=requested)
    assert caught.value.where == "f.root"


def test_nothing_is_missing_where_all_is_there():
    refuse_missing(["a"], ["a", "b"], tree="Events", url="f")


@pytest.mark.parametrize("name", ["jetid", ""])
def test_a_definition_that_is_none_is_refused(name):
    with pytest.raises(SpecError, match="no definition") as caught:
        columns.definition(name, "fallbacks.x")
    assert caught.value.where == "fallbacks.x"


def test_columns_of_other_lengths_are_not_taken_together():
    with pytest.raises(DataError, match="a, b differ in length; copy the file again"):
        columns.records({"a": np.arange(3), "b": np.arange(4)})


# Checks of all files of a plan


def info(name, *, entries=10, lacks=(), **generated):
    return FileInfo(
        name, name, 1, entries, ((0, entries),), 1, 1, lacks, "", Generated(**generated)
    )


def input_file(name, counted=None, sample="s"):
    return InputFile(sample, name, "Events", counted=counted)


def test_files_of_a_sample_lack_the_same():
    infos = [info("1", lacks=("b", "T2")), info("2", lacks=("b", "c")), info("3", entries=0)]
    assert checks.common_fallbacks("s", infos, REQUESTED) == ("b",)
    assert checks.common_fallbacks("s", infos[2:], REQUESTED) == ()
    with pytest.raises(DataError, match="only one of 1 and 4 has b; make two samples of them"):
        checks.common_fallbacks("s", [*infos, info("4")], REQUESTED)


@pytest.mark.parametrize("counted", [None, 0])
def test_a_sample_without_events_is_refused(counted):
    file = input_file("x", counted)
    infos = {file: info("x", entries=0)} if counted is None else {}
    with pytest.raises(DataError, match="no events; leave sample 's' out, or replace it"):
        checks.check_not_empty("s", [file], infos, REQUESTED)
    checks.check_not_empty("s", [file, input_file("y", 1)], infos, REQUESTED)


def test_a_sample_without_events_may_stand_for_some_that_were_generated():
    requested = RequestedColumns(("x",), normalisation="genweight")
    files = [input_file("x"), input_file("y")]
    infos = {
        file: info(file.url, entries=0, weights=w) for file, w in zip(files, (5, -5), strict=True)
    }
    with pytest.raises(DataError, match="the sum of generator weights is 0"):
        checks.check_not_empty("s", files, infos, requested)
    checks.check_not_empty("s", files[:1], infos, requested)


def test_what_nobody_opened_is_said():
    files = [input_file("x", 5), input_file("y", 5, "t"), input_file("z", None, "t")]
    requested = {"s": RequestedColumns((), normalisation="events"), "t": RequestedColumns(())}
    lines = list(checks.not_opened(files, {}, requested))
    assert lines[0] == checks.COUNTED
    assert "counted files of s hold" in lines[1]
    infos = {files[0]: info("x"), files[1]: info("y")}
    assert list(checks.not_opened(files, infos, requested)) == []


def test_of_counted_files_those_are_opened_that_tell_something():
    plain = RequestedColumns(("x",))
    weighted = RequestedColumns(("x",), normalisation="genweight")
    requested = {"a": plain, "b": REQUESTED, "c": weighted, "d": plain}
    files = [input_file(f"{s}{n}", 5, s) for s in "abc" for n in (1, 2)]
    files += [input_file("d1", None, "d"), input_file("d2", None, "d")]
    opened = files_to_open(files, requested)
    assert [file.url for file in opened] == ["b1", "c1", "c2", "d1", "d2"]
    assert [file.url for file in opened if file.typed] == ["b1", "c1", "d1"]
