"""Corpora, training, calibration, export and evaluation of the models in `model_repository/`. Needs the extra `train`."""
