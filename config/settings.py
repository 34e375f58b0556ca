"""All settings. What may differ between two shops is read from the environment, or from `.env` (see `.env.example`).

Without any variable Waybill runs embedded: SQLite, a broker in memory, one process for everything. With
`CELERY_BROKER_URL` it runs as a server, which refuses to start without a secret or on SQLite.
"""

import os
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from config.broker import CONSUME_TIMEOUT, broker_settings
from config.database import database
from config.var import make_folder, require_writable, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

VAR = Path(env.str("WAYBILL_VAR", default=str(BASE_DIR / "var")))
"""The folder of the embedded mode's database and secret."""

# --- How it runs --------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="memory://")
EMBEDDED = CELERY_BROKER_URL.startswith("memory:")
if EMBEDDED:
    CELERY_BROKER_URL = "memory://localhost"  # without a host, kombu warns that it chose one
DEBUG = env.bool("DEBUG", default=False)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=1)
WEB_THREADS = env.int("WEB_THREADS", default=8)

if EMBEDDED:
    require_writable(VAR)
SECRET_KEY = env.str("SECRET_KEY", default="") or (secret_key(VAR) if EMBEDDED else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY must be set when CELERY_BROKER_URL is: a server has no default secret")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if env.bool("BEHIND_TLS", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
# Probes on the same machine or network call /healthz and /readyz without TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

# --- What it is made of -------------------------------------------------------------------------------------------

CONTEXTS = ["ordering", "inventory", "billing", "fulfillment"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "integration.apps.IntegrationConfig",
    *(f"{context}.apps.{context.capitalize()}" for context in CONTEXTS),
    "billing.gateways.sandbox.apps.Sandbox",
    "config.apps.Wiring",
    # Below config: if two apps have a command of one name, Django takes the upper app's, so `runserver` is config's.
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    # First, so that every response has a correlation id, even a response of a middleware below.
    "integration.rest.middleware.begin_story",
    "integration.rest.bodies.limit_url",
    "integration.rest.database.limit_statements",
    "integration.rest.bodies.read_whole",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, because it calls the view.
    "integration.rest.database.repeat_after_alteration",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
make_folder(STATIC_ROOT)
# Static files are served from the packages themselves, so `make run` needs no collectstatic.
WHITENOISE_USE_FINDERS = True

AUTHENTICATION_BACKENDS = ["integration.rest.credentials.NormalizingBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ["MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator"]
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The database -------------------------------------------------------------------------------------------------

DATABASES = {
    "default": database(
        env.str("DATABASE_URL", default=f"sqlite:///{VAR / 'waybill.sqlite3'}"),
        conn_max_age=env.int("CONN_MAX_AGE", default=600),
        prepare_after=env.int("PREPARE_STATEMENTS_AFTER", default=3),
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite"):
    if not EMBEDDED:
        raise ImproperlyConfigured("SQLite is for the embedded mode: set DATABASE_URL along with CELERY_BROKER_URL")
    if DATABASES["default"]["NAME"] != ":memory:":
        require_writable(VAR, Path(DATABASES["default"]["NAME"]))

# --- Between the contexts -----------------------------------------------------------------------------------------

QUEUE_PREFIX = env.str("QUEUE_PREFIX", default="waybill")
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = f"{QUEUE_PREFIX}.integration"
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {f"{QUEUE_PREFIX}.{name}": {} for name in ["integration", *CONTEXTS]}
CELERY_WORKER_POOL = env.str("CELERY_WORKER_POOL", default="threads" if EMBEDDED else "prefork")
# SQLite has one writer at a time: four threads waited for its lock and took three times as long as one.
CELERY_WORKER_CONCURRENCY = env.int("CELERY_WORKER_CONCURRENCY", default=1 if EMBEDDED else (os.cpu_count() or 2))
# Each delivery queue has at most one wake-up. Without prefetching, it goes to a worker with an idle process.
CELERY_WORKER_DISABLE_PREFETCH = CELERY_WORKER_POOL == "prefork" and not CELERY_BROKER_URL.startswith(
    ("amqp", "pyamqp")
)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # RabbitMQ cannot do without
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Workers and beat live through every error reply of the broker, as through a connection that is lost.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_HEARTBEAT = 4  # seconds; RabbitMQ only, where twice as long without one means a lost connection
CELERY_BROKER_CONNECTION_TIMEOUT = CONSUME_TIMEOUT
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # concerns tasks that acknowledge late: none of ours
CELERY_WORKER_CONSUMER = "config.worker:Consumer"
CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_BEAT_ENABLE_REMOTE_CONTROL = False
if EMBEDDED:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01}
    WAKEUP_TRANSPORT_OPTIONS: dict[str, object] = {}
else:
    vars().update(
        broker_settings(
            CELERY_BROKER_URL, env.json("BROKER_TRANSPORT_OPTIONS", default={}), env.str("BROKER_CA_FILE", default="")
        )
    )
# Every interval is short and every routine is idempotent, so beat needs no file with the times of the last runs.
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = TIME_ZONE

BROKER_QUIET_SECONDS = 5.0
"""Seconds after a failure during which wake-ups are not sent, so that requests do not wait for the broker."""
SWEEP_EVERY = timedelta(seconds=env.float("SWEEP_EVERY_SECONDS", default=1.0))
DELIVERY_MAX_ATTEMPTS = env.int("DELIVERY_MAX_ATTEMPTS", default=8)
EXTERNAL_MAX_ATTEMPTS = env.int("EXTERNAL_MAX_ATTEMPTS", default=24)
"""Attempts before a dead letter: about two minutes in the database, two days if an external system is called."""
PAUSE_AFTER_DEATHS = env.int("PAUSE_AFTER_DEATHS", default=10)
"""A consumer pauses itself when this many of its deliveries in a row have become dead letters."""
NOT_YET_TIMEOUT = timedelta(minutes=5)
"""How long a reaction may raise `NotYet` before its attempts are counted."""
ARCHIVE_AFTER = timedelta(days=env.float("ARCHIVE_AFTER_DAYS", default=90))
"""How long after its last delivery was settled a message moves to the archive."""

# --- The shop -----------------------------------------------------------------------------------------------------

SHOP_CURRENCY = env.str("SHOP_CURRENCY", default="USD")
PAYMENT_DEADLINE = timedelta(minutes=env.float("PAYMENT_DEADLINE_MINUTES", default=30))
PAYMENT_PROVIDER = env.str("PAYMENT_PROVIDER", default="sandbox" if EMBEDDED else "")
if PAYMENT_PROVIDER not in {"sandbox"}:
    raise ImproperlyConfigured(
        "PAYMENT_PROVIDER must name the payment provider; the only one so far is sandbox, which charges nobody"
    )
SANDBOX_WEBHOOK_SECRETS = env.list("SANDBOX_WEBHOOK_SECRETS", default=[SECRET_KEY])
"""The secrets of the sandbox's call-backs: the first one signs, and a signature by any of them is accepted."""
SANDBOX_LATENCY = timedelta(milliseconds=env.float("SANDBOX_LATENCY_MS", default=0))
SANDBOX_FAILURE_RATE = env.float("SANDBOX_FAILURE_RATE", default=0.0)
"""The share of calls to the sandbox that fail like a broken connection, before or after the charge."""
SANDBOX_URL = env.str("SANDBOX_URL", default="")
"""Where each way to and from the sandbox leads over HTTP. What responds there plays the network and its faults."""
SANDBOX_TIMEOUT = 5.0
"""Seconds that one such way may take."""

# Without a mail server, e-mails are written to files, because a log must not contain addresses.
vars().update(env.email_url("EMAIL_URL", default=f"filemail://{VAR / 'mail'}"))
if vars()["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend":
    EMAIL_BACKEND = "integration.gateways.smtp.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
EMAIL_TIMEOUT = 10
"""Seconds for connecting to the mail server, and for each e-mail as a whole."""
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="orders@shop.example")

# --- The API ------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["integration.rest.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["integration.rest.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "integration.rest.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "integration.rest.schema.Schema",
    "EXCEPTION_HANDLER": "integration.rest.problems.problem_response",
    "COERCE_DECIMAL_TO_STRING": True,
    "DEFAULT_THROTTLE_RATES": {"tokens": "120/min", "customers": "120/min"},
    # Without a number, a client avoids throttling by sending another X-Forwarded-For with each request.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=1 if env.bool("BEHIND_TLS", default=False) else 0),
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=30)}
SPECTACULAR_SETTINGS = {
    "TITLE": "Waybill",
    "DESCRIPTION": """Orders from the cart to the doorstep.

JSON only, in UTF-8; times in RFC 3339, in UTC; money as `{"amount": "19.90", "currency": "USD"}`.

* **Who**: `Authorization: Bearer …`, with a token from `POST /api/v1/auth/tokens`.
* **Errors** are `application/problem+json` (RFC 9457). `type` names the kind. Well-formed input that is not acceptable
  is a 422 with one entry in `errors` for each mistake. A mistake is also: a field that is unknown or occurs twice in
  an object, and a query parameter that is unknown, empty or occurs twice.
* **Doing it once**: a POST repeated under the same `Idempotency-Key` gets its first response again.
* **Lists** come in pages: request `next` until it is null.
* **Changing what you saw**: send a resource's `ETag` as `If-Match`.
* **Finding it again**: every response names its story in `X-Correlation-Id`.
* **Health**, at the root and without a token: `GET /healthz` is 200 while the process lives. `GET /readyz` is 200 while
  the database and the broker respond, otherwise 503. Its `degraded` lists in sentences what works less well:
  read models that are behind or failing, paused consumers, a silent beat.
""",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # All these fields are called status: without names, their enums would collide.
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatus": "integration.messaging.models.Status",
        "OrderStatus": "ordering.models.OrderStatus",
        "ShipmentStatus": "fulfillment.models.ShipmentStatus",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "integration.domain.redaction.RedactingFormatter",
            "format": "{asctime} {levelname:<7} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        # Clients that disconnect, and requests that wait for a thread, are everyday events.
        "waitress": {"level": "WARNING"},
        "waitress.queue": {"level": "ERROR"},
        # A client error is reported in the response, not in the log.
        "django.request": {"level": "ERROR"},
    },
}
