"""The registry of kinds of tasks by the values of `finetune.tasks.<name>.kind`.

To add a kind, write interestrec/model/<name>_task.py with an entry, enter it in TASKS, and test it.
"""

from interestrec.model.binary_task import BINARY
from interestrec.model.count_task import COUNT
from interestrec.model.duration_task import DURATION
from interestrec.model.intensity_task import INTENSITY_TASK
from interestrec.model.multi_event_task import MULTI_EVENT
from interestrec.model.rating_task import RATING

TASKS = {
    "intensity": INTENSITY_TASK,
    "binary": BINARY,
    "rating": RATING,
    "count": COUNT,
    "duration": DURATION,
    "multi_event": MULTI_EVENT,
}
