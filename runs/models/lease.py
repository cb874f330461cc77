"""Leases: a job that one process at a time may do, such as reaping."""

from django.db import models


class Lease(models.Model):
    """Who leads at the job `name`, and until when. Taken by conditional update."""

    name = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=255, blank=True, default="")
    until = models.DateTimeField()
    # Since when the holder has reached the database without a gap: a reaper may reap only after a while of that.
    steady_since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder} until {self.until}"
