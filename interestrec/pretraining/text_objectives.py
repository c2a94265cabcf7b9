"""The registry of adaptation objectives by the values of `pretrain_adapt.objective`."""

from interestrec.pretraining.image_text_objective import IMAGE_TEXT
from interestrec.pretraining.masked_objective import MASKED
from interestrec.pretraining.next_token_objective import NEXT_TOKEN
from interestrec.pretraining.title_text_objective import TITLE_TEXT
from interestrec.pretraining.views_objective import VIEWS

OBJECTIVES = {
    "masked": MASKED,
    "next_token": NEXT_TOKEN,
    "views": VIEWS,
    "title_text": TITLE_TEXT,
    "image_text": IMAGE_TEXT,
}
