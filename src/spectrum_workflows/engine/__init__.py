"""The engine: a pure function per partition, merged in a fixed tree.

``each`` says what to compute, ``merged`` computes it: as a plain streaming
loop without a client, or on Dask workers with one.  For a given ``fan_in``
both give the same bits, whatever the number of workers.  ``shuffle`` gives
every part's pieces to values that stay on the workers, for a loop that goes
over them again and again.  A ``Run`` makes several passes over the same
partitions, without those that failed in the first.  ``map_reduce`` is the tree
for anybody's own items, in one call.
"""

from spectrum_workflows.engine.checkpoints import Checkpoints
from spectrum_workflows.engine.confirming import confirming
from spectrum_workflows.engine.failing import failing
from spectrum_workflows.engine.ledger import Codec, Ledger, Written, current_ledger, keeping
from spectrum_workflows.engine.limits import Limits, limited
from spectrum_workflows.engine.map_reduce import map_reduce
from spectrum_workflows.engine.observer import Nobody, Observer, Sketch, current_observer, observed
from spectrum_workflows.engine.parts import Parts, each
from spectrum_workflows.engine.persisted import Persisted
from spectrum_workflows.engine.run import Reduction, Run, Shuffle
from spectrum_workflows.engine.shuffle import shuffle
from spectrum_workflows.engine.threads import one_thread
from spectrum_workflows.engine.tree import merged

__all__ = [
    "Checkpoints",
    "Codec",
    "Ledger",
    "Limits",
    "Nobody",
    "Observer",
    "Parts",
    "Persisted",
    "Reduction",
    "Run",
    "Shuffle",
    "Sketch",
    "Written",
    "confirming",
    "current_ledger",
    "current_observer",
    "each",
    "failing",
    "keeping",
    "limited",
    "map_reduce",
    "merged",
    "observed",
    "one_thread",
    "shuffle",
]
