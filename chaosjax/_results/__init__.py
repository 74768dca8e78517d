"""What becomes of records: their names, the store they go to, the state that continues it, and where they came from."""

from chaosjax._results._checkpoint import Checkpoint, key_impls, pack, unpack, unwrap_keys, wrap_keys
from chaosjax._results._lock import only_writer
from chaosjax._results._multirun import open_multirun
from chaosjax._results._progress import compiling, progress_bar, report, report_diverged, report_early_end
from chaosjax._results._provenance import identity, now, peak_bytes, plain, provenance, provenance_of
from chaosjax._results._reading import Verification, local_folder, open_sweep, verify
from chaosjax._results._smaller_batches import batch_that_fits, go_on_with, note_that_fits
from chaosjax._results._store import Store
from chaosjax._results._variables import Variable, flat_records, variables
from chaosjax._results._watchers import Watchers
from chaosjax._results._writing import check_free

__all__ = [
    "Checkpoint",
    "Store",
    "Variable",
    "Verification",
    "Watchers",
    "batch_that_fits",
    "check_free",
    "compiling",
    "flat_records",
    "go_on_with",
    "identity",
    "key_impls",
    "local_folder",
    "note_that_fits",
    "now",
    "only_writer",
    "open_multirun",
    "open_sweep",
    "pack",
    "peak_bytes",
    "plain",
    "progress_bar",
    "provenance",
    "provenance_of",
    "report",
    "report_diverged",
    "report_early_end",
    "unpack",
    "unwrap_keys",
    "variables",
    "verify",
    "wrap_keys",
]
