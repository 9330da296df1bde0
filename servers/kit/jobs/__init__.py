"""Work after the reply: a queue in Postgres, so that a job is enqueued in the very transaction that calls for it."""

from servers.kit.jobs.queue import DeadJob, Jobs
from servers.kit.jobs.task import Handler, Payload

__all__ = ["DeadJob", "Handler", "Jobs", "Payload"]
