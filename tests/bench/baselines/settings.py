"""Settings of the baselines. They take only the database connection from Waybill's settings, with Django's backends."""

from config.settings import DATABASES as OURS

BACKENDS = {
    "integration.storage.postgresql": "django.db.backends.postgresql",
    "integration.storage.sqlite": "django.db.backends.sqlite3",
}
DATABASES = {"default": {**OURS["default"], "ENGINE": BACKENDS[OURS["default"]["ENGINE"]]}}
SECRET_KEY = "not a secret: nothing is signed here 0123456789"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["rest_framework", "tests.bench.baselines.apps.Baselines"]
WSGI_APPLICATION = "tests.bench.baselines.wsgi.application"
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tests.bench.baselines.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
