"""Libraries that are imported when they are first used, not when a module that names them is.

`from interestrec.core.deferred_import import np` takes the place of `import numpy as np` in modules that the
configuration imports for their settings: a configuration is then checked without the half second that the libraries
take.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class DeferredModule(ModuleType):
    """A module that is imported when one of its attributes is first read."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import duckdb as duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
else:
    duckdb, np = DeferredModule("duckdb"), DeferredModule("numpy")
    pa, pc = DeferredModule("pyarrow"), DeferredModule("pyarrow.compute")
