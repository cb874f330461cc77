"""All addresses of the site but the admin console's."""

from django.urls import URLPattern, URLResolver, path

from runs.views import health

urlpatterns: list[URLPattern | URLResolver] = [
    # For load balancers and monitors.
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
