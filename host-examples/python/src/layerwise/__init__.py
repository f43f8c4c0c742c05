"""Decides what a container build may reuse, and says why.

The decisions are one WebAssembly component, which is in this package. `Engine`
compiles it and opens sessions. With `Wasi` it has stores of images, registries
and files inside; whoever has others writes classes with the methods of
`ImageStore`, `Registry`, `Filesystem` or `Observer`, as `layerwise.stores.Memory`
is one.
"""

from . import (
    buildkit as buildkit,
    buildpacks as buildpacks,
    builds as builds,
    docker as docker,
    dockerfile as dockerfile,
    filesystem as filesystem,
    image_store as image_store,
    observer as observer,
    registry as registry,
    rules as rules,
    stacker as stacker,
)
from .engine import Engine as Engine
from .errors import (
    Closed as Closed,
    Committed as Committed,
    Conflict as Conflict,
    Corrupt as Corrupt,
    Deadline as Deadline,
    Denied as Denied,
    EngineError as EngineError,
    Failure as Failure,
    Fuel as Fuel,
    HostError as HostError,
    Invalid as Invalid,
    LayerwiseError as LayerwiseError,
    LimitExceeded as LimitExceeded,
    Memory as Memory,
    NotFound as NotFound,
    Other as Other,
    Refused as Refused,
    Stopped as Stopped,
    Trap as Trap,
    Unsupported as Unsupported,
)
from .filesystem import Filesystem as Filesystem
from .image_store import ImageStore as ImageStore
from .imports import Lent as Lent
from .instance import Instance as Instance, Limits as Limits
from .observer import Observer as Observer
from .registry import Registry as Registry
from .types import (
    Annotation as Annotation,
    Descriptor as Descriptor,
    Difference as Difference,
    Excess as Excess,
    Explanation as Explanation,
    FailureCode as FailureCode,
    Finding as Finding,
    Limit as Limit,
    Platform as Platform,
    Problem as Problem,
    Reading as Reading,
    Semantics as Semantics,
)
from .values import Mismatch as Mismatch
from .wasi import Wasi as Wasi

__version__ = "0.1.0"
