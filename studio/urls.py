"""The root of all addresses: the admin console, and everything else in `runs`."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("runs.urls")),
]

handler500 = "runs.views.broken.server_error"
