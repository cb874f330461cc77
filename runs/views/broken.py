"""The page of last resort: something broke in us, or the database is away for a moment."""

import logging
import sys

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults

from runs.outage import NO_DATABASE

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for an exception that nobody caught: 503 if the database does not answer, else 500."""
    error = sys.exc_info()[1]
    if not isinstance(error, NO_DATABASE):
        return defaults.server_error(request)
    logger.warning("The database did not answer: %s", error)
    # Without the request: who asks is in the database.
    answer = HttpResponse(loader.render_to_string("503.html"), status=503)
    answer["Retry-After"] = str(_RETRY_SECONDS)
    return answer
