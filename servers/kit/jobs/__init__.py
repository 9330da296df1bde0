"""Work after the reply: a queue in Postgres, so that a job is enqueued in the very transaction that calls for it."""

from servers.kit.jobs.jobs import DeadJob, Handler, Jobs, Payload

__all__ = ["DeadJob", "Handler", "Jobs", "Payload"]
