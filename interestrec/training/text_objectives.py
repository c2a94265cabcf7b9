"""The registry of objectives of adaptation by the values of `pretrain_adapt.objective`."""

from interestrec.training.masked_objective import MASKED
from interestrec.training.title_text_objective import TITLE_TEXT
from interestrec.training.views_objective import VIEWS

OBJECTIVES = {"masked": MASKED, "views": VIEWS, "title_text": TITLE_TEXT}
