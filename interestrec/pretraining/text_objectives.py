"""The registry of adaptation objectives by the values of `pretrain_adapt.objective`."""

from interestrec.pretraining.masked_objective import MASKED
from interestrec.pretraining.title_text_objective import TITLE_TEXT
from interestrec.pretraining.views_objective import VIEWS

OBJECTIVES = {"masked": MASKED, "views": VIEWS, "title_text": TITLE_TEXT}
