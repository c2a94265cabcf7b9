"""The registry of losses by the keys of `finetune.losses`; finetune minimises their weighted sum."""

from interestrec.model.gbce_loss import GBCE
from interestrec.model.huber_loss import HUBER
from interestrec.model.intensity_loss import INTENSITY
from interestrec.model.listnet_loss import LISTNET
from interestrec.model.pairwise_loss import PAIRWISE
from interestrec.model.softmax_loss import SOFTMAX

# In-batch softmax (Yi et al. 2019) is `softmax` over lists that include the positives of the rest of the
# batch.
LOSSES = {
    "intensity": INTENSITY,
    "softmax": SOFTMAX,
    "gbce": GBCE,
    "listnet": LISTNET,
    "pairwise": PAIRWISE,
    "huber": HUBER,
}
