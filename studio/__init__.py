"""The project: wiring only. What a run is and does lives in `runs`."""

from studio.celery import app as celery_app

__all__ = ["celery_app"]
