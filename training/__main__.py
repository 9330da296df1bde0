"""Trains every model: `python -m training`."""

from training import embedder, nlu

nlu.main()
embedder.main()
