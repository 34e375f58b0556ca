"""What every request passes through, from the first to the last."""

MIDDLEWARE = [
    # First, so that every response has a correlation id, even a response of a middleware below.
    "integration.rest.middleware.begin_story",
    "integration.rest.access.count_requests",
    "integration.rest.middleware.restrict_pages",
    "integration.rest.clients.ignore_last_slash",
    "integration.rest.clients.allow_origins",
    "integration.rest.bodies.limit_url",
    "integration.rest.database.limit_statements",
    "integration.rest.bodies.read_whole",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "integration.rest.clients.Compress",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "integration.admin.second_factor.require_second_factor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "integration.admin.viewer.remember_viewer",
    # Last, because it calls the view.
    "integration.rest.database.repeat_after_alteration",
]
