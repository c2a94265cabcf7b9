"""Networks: BERT, the two towers, the head, the losses. TensorFlow starts at this floor."""
