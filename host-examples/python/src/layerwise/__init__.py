"""Decides what a container build may reuse, and says why.

The decisions are one WebAssembly component, which is in this package. `Engine`
compiles it and opens sessions; `layerwise.stores` has image stores, registries
and directories to lend it, and whoever has others writes classes with the
methods of `ImageStore`, `Registry`, `Filesystem` or `Observer`.
"""

from . import (
    buildkit,
    buildpacks,
    builds,
    docker,
    dockerfile,
    filesystem,
    image_store,
    observer,
    registry,
    rules,
    stacker,
)
from .engine import Engine
from .errors import (
    Closed,
    Committed,
    Conflict,
    Corrupt,
    Deadline,
    Denied,
    EngineError,
    Failure,
    Fuel,
    HostError,
    Invalid,
    LayerwiseError,
    LimitExceeded,
    Memory,
    NotFound,
    Other,
    Refused,
    Stopped,
    Trap,
    Unsupported,
)
from .filesystem import Filesystem
from .image_store import ImageStore
from .imports import Lent
from .instance import Instance, Limits
from .observer import Observer
from .registry import Registry
from .types import (
    Annotation,
    Descriptor,
    Difference,
    Excess,
    Explanation,
    FailureCode,
    Finding,
    Limit,
    Platform,
    Problem,
    Reading,
    Semantics,
)
from .values import Mismatch
from .wasi import Wasi

__version__ = "0.1.0"

__all__ = [
    "Annotation",
    "Closed",
    "Committed",
    "Conflict",
    "Corrupt",
    "Deadline",
    "Denied",
    "Descriptor",
    "Difference",
    "Engine",
    "EngineError",
    "Excess",
    "Explanation",
    "Failure",
    "FailureCode",
    "Filesystem",
    "Finding",
    "Fuel",
    "HostError",
    "ImageStore",
    "Instance",
    "Invalid",
    "LayerwiseError",
    "Lent",
    "Limit",
    "LimitExceeded",
    "Limits",
    "Memory",
    "Mismatch",
    "NotFound",
    "Observer",
    "Other",
    "Platform",
    "Problem",
    "Reading",
    "Refused",
    "Registry",
    "Semantics",
    "Stopped",
    "Trap",
    "Unsupported",
    "Wasi",
    "__version__",
    "buildkit",
    "buildpacks",
    "builds",
    "docker",
    "dockerfile",
    "filesystem",
    "image_store",
    "observer",
    "registry",
    "rules",
    "stacker",
]
