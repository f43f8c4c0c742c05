"""Ready-made things to lend the component.

| class | import |
|---|---|
| `OciLayout` | image store over an OCI image layout directory |
| `Memory` | image store in memory |
| `Files`, opened over `Root`s | file system below directories |
| `Repositories` | registry over OCI registries and image layout directories |
"""

from .credentials import Bearer, Identity, Keys, Password
from .files import Files
from .marks import Marks
from .memory import Memory
from .oci_layout import OciLayout
from .places import Root
from .remote import Retry
from .repositories import Repositories

__all__ = [
    "Bearer",
    "Files",
    "Identity",
    "Keys",
    "Marks",
    "Memory",
    "OciLayout",
    "Password",
    "Repositories",
    "Retry",
    "Root",
]
