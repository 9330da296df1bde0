"""Benchmarks: every promise beside its floor or peer, in one run. `make bench`, or `BENCH=<name> make bench`."""
