"""One reduction over two sites: the same bits, bytes where they lie, and a site that dies."""

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from lying import SITES, Lying, a_client, add, fails_at_three, halves, slow, striped, waves

from spectrum_workflows import storage
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Reduction, Run, Shuffle, each, federated, merged
from spectrum_workflows.engine.federation import Federation, Member, computing_at
from spectrum_workflows.errors import DataError, SiteError
from spectrum_workflows.federating import over_sites
from spectrum_workflows.storage import Stores


def alone(items, fn=waves, *shared, fan_in=4):
    return merged(each(fn, items, *shared), add, fan_in=fan_in)[0]


def over(federation, items, fn=waves, *shared, fan_in=4, **options):
    parts = each(fn, items, *shared, client=federation, **options)
    return merged(parts, add, fan_in=fan_in)


@pytest.mark.parametrize("count", [1, 2, 5, 16, 33, 100])
@pytest.mark.parametrize("lying", [halves, striped])
@pytest.mark.parametrize("fan_in", [2, 8])
def test_the_same_bits_as_a_plain_loop(federation, lying, count, fan_in):
    value, _ = over(federation, lying(count), fan_in=fan_in)
    assert value.tobytes() == alone(lying(count), fan_in=fan_in).tobytes()


def test_the_order_of_the_sum_shows():
    items = halves(40)
    assert alone(items).tobytes() != alone(items[::-1]).tobytes()


def test_nothing_is_read_from_another_site(federation):
    _, metrics = over(federation, striped(40))
    assert metrics.between["a", "a"] == metrics.between["b", "b"] == 200
    assert ("a", "b") not in metrics.between
    assert ("b", "a") not in metrics.between
    assert metrics.bytes_read == 400


def test_values_that_travel_are_accounted_for(federation):
    _, two = over(federation, halves(32))
    _, many = over(federation, striped(32))
    one_value = two.between["a", "session"]
    assert two.between["b", "session"] == one_value
    assert many.between["a", "session"] == 16 * one_value


def test_what_the_session_merges_is_not_counted_twice(federation):
    """The session's own CPU time is counted as a whole, at the end of a run."""

    def spin(one, other):
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass
        return add(one, other)

    parts = each(waves, striped(2), client=federation)
    _, metrics = merged(parts, spin, fan_in=2)
    assert metrics.cpu_seconds < 0.1


def test_shared_values_reach_both_sites(federation):
    large = np.linspace(1.0, 2.0, 7)
    value, metrics = over(federation, halves(20), waves, large)
    assert value.tobytes() == alone(halves(20), waves, large).tobytes()
    assert metrics.between["session", "a"] == metrics.between["session", "b"] == large.nbytes


def test_nothing_to_do(federation):
    assert over(federation, [])[0] is None


def test_an_error_ends_the_run_as_it_is(federation):
    with pytest.raises(DataError, match="three is not"):
        over(federation, halves(20), fails_at_three)


def test_failures_are_kept(federation):
    value, metrics = over(federation, halves(20), fails_at_three, on_error="keep")
    [failure] = metrics.failures
    assert failure.where == "item 3"
    expected = merged(each(fails_at_three, halves(20), on_error="keep"), add, fan_in=4)[0]
    assert value.tobytes() == expected.tobytes()


def test_progress_never_goes_back_and_comes_to_the_end(federation):
    seen = []
    run = Run(tuple(striped(50)), federation, "raise", lambda *now: seen.append(now), "test", 4)
    run.over("sum", Reduction(waves, add))
    numbers = [done for _, done, _ in seen]
    assert numbers == sorted(numbers)
    assert seen[-1] == ("sum", 50, 50)
    assert run.metrics.between["a", "a"] == 250


def test_a_serial_site_is_a_site():
    members = [Member(n, None, Stores(sites=SITES, here=n)) for n in "ab"]
    value, metrics = over(Federation(tuple(members)), striped(30))
    assert value.tobytes() == alone(striped(30)).tobytes()
    assert metrics.between == {("a", "a"): 150, ("b", "b"): 150}


def test_a_site_that_dies_leaves_its_work_to_the_other(tmp_path: Path, clients):
    items = halves(60)
    with a_client() as doomed:
        members = (
            Member("a", clients["a"], Stores(sites=SITES, here="a")),
            Member("b", doomed, Stores(sites=SITES, here="b")),
        )
        federation = Federation(members)

        def kill() -> None:
            while not (tmp_path / "b").exists():
                time.sleep(0.01)
            time.sleep(0.1)
            doomed.cluster.close()

        killer = threading.Thread(target=kill)
        killer.start()
        value, metrics = over(federation, items, slow, str(tmp_path))
        killer.join()
    assert value.tobytes() == alone(items).tobytes()
    assert list(federation.lost) == ["b"]
    assert any("site b was lost" in line and "a took over" in line for line in metrics.warnings)
    computed = (tmp_path / "a").read_text().split()
    assert {*map(str, range(32, 60))} <= {*computed}, "of which nothing had been given"
    assert metrics.between["b", "a"] + metrics.between.get(("b", "b"), 0) == 300


def test_a_site_whose_workers_were_given_up_before_is_lost_at_once(federation):
    gone = replace(federation.members[1], error=lambda: SiteError("no worker for 3 s"))
    federation = Federation((federation.members[0], gone))
    value, metrics = over(federation, halves(20))
    assert value.tobytes() == alone(halves(20)).tobytes()
    assert "no worker for 3 s" in metrics.warnings[0]


def test_all_sites_lost_is_an_error_with_every_reason(federation):
    gone = [replace(m, error=lambda m=m: SiteError(f"{m.name} burnt")) for m in federation.members]
    with pytest.raises(SiteError, match="all sites.*burnt.*burnt"):
        over(Federation(tuple(gone)), halves(20))


def pieces(item: Lying, number: int):
    value = waves(item)
    return [value[k : k + 1] for k in range(number)]


def join(_k, some):
    return np.concatenate(some)


def doubled(item: Lying, block):
    return block * 2 + item.n


def test_a_shuffle_takes_the_site_with_most_bytes_and_stays_there(federation):
    items = tuple(Lying(n, "b" if n < 7 else "a") for n in range(10))
    run = Run(items, federation, "raise", lambda *_: None, "test", 4)
    values = run.shuffle("cut", Shuffle(pieces, join, 3), 3)
    assert values.client is federation.members[1].client
    assert run.metrics.between["a", "b"] == 30
    assert run.metrics.between["b", "b"] == 70
    plain = Run(items, None, "raise", lambda *_: None, "test", 4)
    expected = plain.shuffle("cut", Shuffle(pieces, join, 3), 3)
    blocks = [Lying(n, "x") for n in range(3)]
    total = run.reduce("sum", Reduction(doubled, add), blocks, values)
    assert (
        total.tobytes() == plain.reduce("sum", Reduction(doubled, add), blocks, expected).tobytes()
    )
    values.close()


def test_values_lost_with_their_site_say_so(federation):
    items = tuple(Lying(n, "b") for n in range(10))
    with a_client() as doomed:
        other = replace(federation.members[1], client=doomed)
        sites = Federation((federation.members[0], other))
        run = Run(items, sites, "raise", lambda *_: None, "test", 4)
        values = run.shuffle("cut", Shuffle(pieces, join, 3), 3)
        assert values.client is doomed
        doomed.close()
    with pytest.raises(SiteError):
        run.reduce("sum", Reduction(doubled, add), [Lying(n, "x") for n in range(3)], values)
    assert sites.interrupted == 1
    assert [m.name for m in sites.alive] == ["a"]


def test_stores_tell_the_nearer_copy_and_the_site():
    stores = Stores(sites=(("s3://x", "a"), ("s3://x/deep", "b")), nearer=(("s3://x/f", "/d/f"),))
    assert stores.site_of("s3://x/deep/1") == "b"
    assert stores.site_of("s3://xy/deep/1") == "elsewhere"
    assert stores.nearest("s3://x/f") == "s3://x/f", "no partition of it is computed here"
    reading = stores.reading("s3://x/f")
    assert reading.nearest("s3://x/f") == "/d/f"
    assert reading.nearest("s3://x/f/zarr.json") == "/d/f/zarr.json"
    assert reading.nearest("s3://x/f2") == "s3://x/f2"
    assert stores.reading("s3://x/other").nearest("s3://x/f") == "s3://x/f"
    with storage.using(reading):
        assert storage.is_local("s3://x/f")
        assert str(storage.local_path("s3://x/f")) == "/d/f"
        assert storage.location_of("s3://x/f").url == "s3://x/f", "the door of what is written"


@dataclass(frozen=True)
class Filed:
    """A file of one byte, whose kernel reads another one beside it and writes a third."""

    source: str
    size: int = 1

    @property
    def where(self) -> str:
        return self.source


def reads_and_writes(item: Filed):
    side = storage.join(item.source.rpartition("/")[0], "golden.json")
    storage.write_bytes(f"{item.source}.skim", b"new")
    return np.array([int(storage.read_bytes(url)) for url in (item.source, side)])


@pytest.mark.parametrize("workers", [True, False])
def test_only_planned_inputs_are_read_elsewhere_and_nothing_is_written_there(
    tmp_path: Path, federation, workers: bool
):
    for folder, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / folder).mkdir()
        for name in ("0", "1", "golden.json"):
            (tmp_path / folder / name).write_bytes(content)
    items = [Filed(str(tmp_path / "a" / name)) for name in "01"]
    near = tuple((i.source, i.source.replace("/a/", "/b/")) for i in items)
    member = federation.members[1]
    stores = Stores(sites=((str(tmp_path), "b"),), here="b", nearer=near)
    sites = Federation((replace(member, stores=stores, client=member.client if workers else None),))
    value, _ = over(sites, items, reads_and_writes)
    assert value.tolist() == [4, 2], "the inputs at b, what lies beside them at a"
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["0", "1", "golden.json"]
    assert (tmp_path / "a/0.skim").read_bytes() == b"new"


def test_the_last_site_lost_with_its_values_is_all_sites_lost(federation):
    gone = [replace(m, error=lambda m=m: SiteError(f"{m.name} burnt")) for m in federation.members]
    sites = Federation(tuple(gone))

    def compute(*, client: Federation):
        with computing_at(client, client.single(())):
            raise SiteError("no answer")

    with pytest.raises(SiteError, match="all sites.*burnt.*burnt"):
        over_sites(sites, compute)
    for begin in (lambda: sites.single(()), lambda: over(sites, halves(4))):
        with pytest.raises(SiteError, match="all sites"):
            begin()


def test_what_was_expected_of_a_lost_attempt_is_forgotten(federation):
    items, attempts = halves(4), []
    federation.weights = {item.source: 1.0 for item in items}

    def compute(*, client: Federation):
        attempts.append(client)
        client.expect_reads(items, ["a"] * 4)
        client.interrupted += len(attempts) == 1
        return 1, Metrics()

    over_sites(federation, compute)
    assert len(attempts) == 2
    assert sum(federation.expected.planned.values()) == 40


class Hanging:
    """A thread of a site that does not end, and how long it was waited for."""

    waited: ClassVar[list[float]] = []

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def join(self, seconds: float) -> None:
        self.waited.append(seconds)
        time.sleep(seconds)


def test_hung_sites_are_waited_for_together(federation, monkeypatch):
    monkeypatch.setattr(federated, "LAST_WORDS", 0.1)
    monkeypatch.setattr(
        federated, "threading", SimpleNamespace(Thread=Hanging, Event=threading.Event)
    )
    monkeypatch.setattr(federated, "_hear", fails)
    with pytest.raises(DataError, match="stopped"):
        over(federation, halves(4))
    assert len(Hanging.waited) == 2
    assert sum(Hanging.waited) <= 0.1


def fails(_run: object) -> None:
    raise DataError("stopped", "here", "")
