"""The only URL of the baseline's web server."""

from django.urls import path

from tests.bench.baselines.view import Orders

urlpatterns = [path("api/v1/orders", Orders.as_view())]
