"""interestrec: models the interest intensity of users in items from item texts and behaviour logs.

The Python interface is `load_config`, `run`, `Corpus`, `Report`, `read_metrics` and `key_in_force`. Each is imported at
its first use, so that `import interestrec` loads no library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interestrec.config.loading import load_config
    from interestrec.corpus.store import Corpus
    from interestrec.io.encryption import key_in_force
    from interestrec.pipeline import run
    from interestrec.report.report_tables import Report, read_metrics

__version__ = "0.1.0"
__all__ = ["Corpus", "Report", "__version__", "key_in_force", "load_config", "read_metrics", "run"]

_MODULES = {
    "Corpus": "interestrec.corpus.store",
    "Report": "interestrec.report.report_tables",
    "key_in_force": "interestrec.io.encryption",
    "load_config": "interestrec.config.loading",
    "read_metrics": "interestrec.report.report_tables",
    "run": "interestrec.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'interestrec' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
