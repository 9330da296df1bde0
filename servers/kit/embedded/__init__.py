"""Everything an installation on one machine needs, run as supervised child processes: Postgres, Redis, Triton."""
