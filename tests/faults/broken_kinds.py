"""All kinds of broken inputs."""

import broken_media
import broken_runs
import broken_sets
import broken_tables
from trials import Kind

KINDS: dict[str, Kind] = {
    "pictures": broken_media.pictures,
    "videos": broken_media.videos,
    "lists": broken_tables.lists,
    "boxes": broken_tables.boxes,
    "corpora": broken_tables.corpora,
    "recipes": broken_runs.recipes,
    "runs": broken_runs.folders,
    "sets": broken_sets.handed_out,
    "prepared": broken_sets.prepared,
}
"""By name; see `faults.Kind`."""
