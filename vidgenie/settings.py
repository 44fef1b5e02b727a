"""Every setting of VidGenie, read from the environment, loud on nonsense.

One file on purpose: an operator looks in one place. Each variable read here is described in
`.env.test.example`; a test keeps the two equal.
"""

import ipaddress
import math
import re
from pathlib import Path
from typing import Any

import environ
import structlog
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

import crashpoint
from vidgenie import embedded, logs

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def secret(name: str, default: str = "") -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to."""
    path = env.str(f"{name}_FILE", default="")
    if not path:
        return str(env.str(name, default=default))
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}") from error


def one_of(name: str, default: str, choices: tuple[str, ...]) -> str:
    """The value of NAME, refused unless it is one of `choices`."""
    value: str = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


def positive(name: str, default: int) -> int:
    """The value of NAME as a whole number above zero."""
    value: int = env.int(name, default=default)
    if value <= 0:
        raise ImproperlyConfigured(f"{name} is {value}; it must be above 0")
    return value


def not_negative(name: str, default: int) -> int:
    """The value of NAME as a whole number, 0 or more."""
    value: int = env.int(name, default=default)
    if value < 0:
        raise ImproperlyConfigured(f"{name} is negative; it must be 0 or more.")
    return value


def rate(name: str, default: str) -> str:
    """The value of NAME as a rate: a whole number above zero of requests per s, min, hour or day."""
    value: str = env.str(name, default=default)
    if not re.fullmatch(r"[1-9]\d{0,8}/(s|sec|m|min|h|hour|d|day)", value):
        raise ImproperlyConfigured(f"{name} is {value!r}; it must look like 600/min")
    return value


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The value of NAME as addresses and networks, by comma."""
    try:
        return [ipaddress.ip_network(value.strip()) for value in env.list(name, default=[])]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. It takes addresses and networks such as 10.0.0.0/8.") from error


# --- Where we are ------------------------------------------------------------------------------------------

ENVIRONMENT = one_of("VIDGENIE_ENVIRONMENT", "development", ("development", "test", "production"))
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("DEBUG", default=False)


def _secret_key() -> str:
    """SECRET_KEY, else (outside production) the one that `make run` left under var/."""
    value = secret("SECRET_KEY").strip()
    local = VAR_DIR / "secret_key"
    if not value and not PRODUCTION and local.exists():
        value = local.read_text().strip()
    if not value and ENVIRONMENT == "test":
        value = "only-for-tests-" * 4
    if not value:
        raise ImproperlyConfigured("SECRET_KEY is not set. Set it (or SECRET_KEY_FILE), or start with `make run`.")
    if PRODUCTION and len(value) < 50:
        raise ImproperlyConfigured("SECRET_KEY is too short for production: use 50 random characters or more.")
    return value


SECRET_KEY = _secret_key()
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_NAME = env.str("SITE_NAME", default="vidgenie")
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG is on in production: it shows settings to strangers. Take it away.")
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is empty: name the hosts this site answers to.")

# --- Deaths on purpose -------------------------------------------------------------------------------------
# For tests of what a process leaves behind that dies in the middle: crashpoint.py. It takes two variables to arm it.

CRASH = env.str("VIDGENIE_CRASH", default="")
CRASH_ALLOWED = env.bool("VIDGENIE_CRASH_ALLOWED", default=False)
if PRODUCTION and (CRASH or CRASH_ALLOWED):
    raise ImproperlyConfigured("VIDGENIE_CRASH and VIDGENIE_CRASH_ALLOWED are for tests; take them away.")
if CRASH and CRASH_ALLOWED:
    crashpoint.arm(CRASH)

# --- Applications ------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "vidgenie",
    "workflows",
    "credits",
    "providers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "django_q",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "vidgenie.request_log.RequestMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "vidgenie.urls"
WSGI_APPLICATION = "vidgenie.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "vidgenie.views.site",
            ],
        },
    },
]

# --- Database ----------------------------------------------------------------------------------------------
# PostgreSQL only: the ledger's promises are constraints and row locks that SQLite does not keep.

if database_url := secret("DATABASE_URL"):
    DATABASES = {"default": environ.Env.db_url_config(database_url)}
    if "postgresql" not in DATABASES["default"]["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_URL must point to PostgreSQL: postgresql://user@host/name")
elif PRODUCTION:
    raise ImproperlyConfigured("DATABASE_URL is not set: production does not run on the embedded database.")
else:
    DATABASES = {"default": embedded.database_settings(BASE_DIR)}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).update(
    options="-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s",
    connect_timeout=10,  # seconds; a network that is dead says nothing, and nobody may wait for it for ever
    tcp_user_timeout=45_000,  # milliseconds; more than a statement may take
)

CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}}

# --- The queue ---------------------------------------------------------------------------------------------
# django-q2 is a nudge, the workflow rows are the truth. Its defaults deliver for ever; these deliver at least
# once and give up. No task may be killed in the middle of a call that costs, and `retry` leaves room for what a
# queue has fetched ahead, all of which may be slow. `vidgenie/checks.py` knows the longest task, and asks for both.

QUEUE_WORKERS = positive("QUEUE_WORKERS", 2)
QUEUE_LIMIT, QUEUE_TIMEOUT = 2, 750  # messages fetched ahead; seconds
Q_CLUSTER = {
    "name": "vidgenie",
    "orm": "default",
    "workers": QUEUE_WORKERS,
    "queue_limit": QUEUE_LIMIT,
    "bulk": 1,
    "timeout": QUEUE_TIMEOUT,
    "retry": QUEUE_TIMEOUT * (1 + math.ceil((QUEUE_LIMIT + 1) / QUEUE_WORKERS)) + 60,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": -1,
    "recycle": 500,
    "poll": 0.5,
    "guard_cycle": 0.5,
    "label": _("Queue"),
}
WORKER_PATIENCE_SECONDS = positive("WORKER_PATIENCE_SECONDS", 60)  # without progress, until a part is started anew

# --- Money and limits --------------------------------------------------------------------------------------

SIGNUP_CREDITS = not_negative("SIGNUP_CREDITS", 300)  # credits a new account starts with; 0 gives none
WORKFLOWS_IN_FLIGHT_PER_USER = not_negative("WORKFLOWS_IN_FLIGHT_PER_USER", 50)  # 0: no limit
WORKFLOWS_PER_DAY_PER_USER = not_negative("WORKFLOWS_PER_DAY_PER_USER", 500)  # 0: no limit
WORKFLOW_DEADLINE_MINUTES = positive("WORKFLOW_DEADLINE_MINUTES", 60)
CLOCK_PROCESSES = positive("CLOCK_PROCESSES", 2)  # of each worker: a process of Python keeps one core busy at most
LOOK_THREADS = positive("LOOK_THREADS", 8)  # jobs that one clock looks at, at once
SUBMIT_THREADS = positive("SUBMIT_THREADS", 200)  # submits at once; some providers answer them after a minute
STORE_THREADS = positive("STORE_THREADS", 4)  # results that one clock brings home at once
CLOCK_CONNECTIONS = positive("CLOCK_CONNECTIONS", 20)  # to the database, shared by all these threads
if CLOCK_CONNECTIONS < 4:
    raise ImproperlyConfigured(f"CLOCK_CONNECTIONS is {CLOCK_CONNECTIONS}; two are always in use: it must be 4 or more")
SANDBOX_RENDERERS = positive("SANDBOX_RENDERERS", 1)  # processes per worker that draw the sandbox's pictures

# --- Providers ---------------------------------------------------------------------------------------------
# Where each API lives is never taken from a request. Gateways, proxies and tests set another place.

PROVIDER_MODE = one_of("VIDGENIE_PROVIDER_MODE", "real", ("real", "simulated"))
SIMULATOR_PORT = positive("SIMULATOR_PORT", 8090)


def api_url(name: str, default: str, simulated: str) -> str:
    """An API's address: NAME, else the real one, or the simulator's in its mode; plain http on loopback only."""
    if PROVIDER_MODE == "simulated":
        return f"http://127.0.0.1:{SIMULATOR_PORT}/{simulated}"
    url: str = env.str(name, default=default).rstrip("/")
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        raise ImproperlyConfigured(f"{name} must be an https address (plain http towards this machine only).")
    return url


def service_account() -> str:
    """Google's own variable names a file; its content is the key."""
    value = secret("GOOGLE_APPLICATION_CREDENTIALS")
    if not value or value.startswith("{"):
        return value
    try:
        return Path(value).read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"GOOGLE_APPLICATION_CREDENTIALS cannot be read: {error.strerror}") from error


def encryption_keys() -> str:
    """VIDGENIE_ENCRYPTION_KEYS, else (in development) what `manage.py run` has left under var/."""
    value = secret("VIDGENIE_ENCRYPTION_KEYS")
    if not value and ENVIRONMENT == "development" and ENCRYPTION_KEYS_FILE.exists():
        value = ENCRYPTION_KEYS_FILE.read_text().strip()
    return value


PROVIDER_URLS = {
    "openai": api_url("OPENAI_BASE_URL", "https://api.openai.com/v1", "openai/v1"),
    "fal_queue": api_url("FAL_QUEUE_URL", "https://queue.fal.run", "fal-queue"),
    "fal_rest": api_url("FAL_REST_URL", "https://rest.fal.ai", "fal-rest"),
    "google": api_url("GOOGLE_API_URL", "https://generativelanguage.googleapis.com", "google"),
    "vertex": api_url("VERTEX_API_URL", "https://us-central1-aiplatform.googleapis.com", "vertex"),
    "runway": api_url("RUNWAY_API_URL", "https://api.dev.runwayml.com", "runway"),
}
# Keys may also be typed into the admin, where they are sealed; those win.
PROVIDER_KEYS = {
    "openai": secret("OPENAI_API_KEY"),
    "fal": secret("FAL_KEY"),
    "google": secret("GOOGLE_API_KEY"),
    "vertex": service_account(),
    "runway": secret("RUNWAYML_API_SECRET"),
}
# How many jobs one key runs at once; what is over waits here, where it can be stopped for nothing. 0: no limit.
PROVIDER_CONCURRENCY = {
    "fal": env.int("FAL_CONCURRENCY", default=2),
    "runway": env.int("RUNWAY_CONCURRENCY", default=0),
}
VERTEX_LOCATION = env.str("VERTEX_LOCATION", default="us-central1")
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")  # where providers can reach us with webhooks; "" for none
if PUBLIC_URL and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is too short to make secret addresses of: use 50 random characters or more.")
OPENAI_MODERATION = env.bool("OPENAI_MODERATION", default=True)  # ask the free check before an image is made
ENCRYPTION_KEYS_FILE = VAR_DIR / "encryption_keys"  # made by `manage.py run` in development, never elsewhere
ENCRYPTION_KEYS = encryption_keys()  # "id:base64 of 32 bytes", several by comma, the first seals
MAX_TEST_CREDITS_PER_RUN = positive("MAX_TEST_CREDITS_PER_RUN", 10)
ENABLE_REAL_API_TESTS = env.bool("ENABLE_REAL_API_TESTS", default=False)

# --- Files -------------------------------------------------------------------------------------------------

MEDIA_STORAGE = one_of("MEDIA_STORAGE", "files", ("files", "s3"))  # a folder of this machine, or a bucket
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "media")))
S3_SIGNED_SECONDS = not_negative("S3_SIGNED_SECONDS", 900)
if S3_SIGNED_SECONDS > 900:
    raise ImproperlyConfigured(f"S3_SIGNED_SECONDS is {S3_SIGNED_SECONDS}; an address may open a file for 900 at most.")


def endpoint(name: str, default: str) -> str:
    """The value of NAME as an address without a path; plain http on loopback only."""
    url: str = env.str(name, default=default).rstrip("/")
    if not re.fullmatch(r"https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", url):
        raise ImproperlyConfigured(f"{name} must look like https://s3.example.org (http towards this machine only).")
    return url


def bucket() -> dict[str, Any]:
    """What providers/bucket.py has to know; its key may also come from where boto3 looks: a file, a machine's role."""
    name = env.str("S3_BUCKET", default="")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name):
        raise ImproperlyConfigured(f"S3_BUCKET is {name!r}; a bucket's name has 3 to 63 of a-z, 0-9 and hyphens.")
    key, key_secret = secret("S3_ACCESS_KEY_ID"), secret("S3_SECRET_ACCESS_KEY")
    if bool(key) != bool(key_secret):
        raise ImproperlyConfigured("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together: one of them is missing.")
    region = env.str("S3_REGION", default="us-east-1")
    return {
        "bucket_name": name,
        "region_name": region,
        "endpoint_url": endpoint("S3_ENDPOINT_URL", f"https://s3.{region}.amazonaws.com"),
        "addressing_style": one_of("S3_ADDRESSING", "virtual", ("virtual", "path")),
        "access_key": key or None,
        "secret_key": key_secret or None,
        "querystring_expire": S3_SIGNED_SECONDS,
    }


def bucket_origin(options: dict[str, Any]) -> str:
    """Where browsers fetch its files from."""
    if options["addressing_style"] == "path":
        return str(options["endpoint_url"])
    return str(options["endpoint_url"]).replace("://", f"://{options['bucket_name']}.")


BUCKET = bucket() if MEDIA_STORAGE == "s3" else {}
BUCKET_ORIGINS = [bucket_origin(BUCKET)] if BUCKET and S3_SIGNED_SECONDS else []
_FOLDER = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700, "allow_overwrite": True}
STORAGES = {
    "default": {"BACKEND": "providers.bucket.Bucket", "OPTIONS": BUCKET}
    if BUCKET
    else {"BACKEND": "providers.storage.WholeFiles", "OPTIONS": _FOLDER},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG
UPLOAD_MAX_BYTES = positive("UPLOAD_MAX_BYTES", 10 * 1024 * 1024)
UPLOAD_MAX_BYTES_PER_USER = not_negative("UPLOAD_MAX_BYTES_PER_USER", 1024**3)  # 0: no limit
UPLOAD_MAX_PIXELS = 25_000_000
UPLOAD_MAX_SIDE = 8192
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- People ------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "workflows:create"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = one_of("EMAIL_VERIFICATION", "optional", ("none", "optional", "mandatory"))
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ADAPTER = "vidgenie.second_factor.Adapter"
ADMINS = [(address, address) for address in env.list("ADMINS", default=[])]  # told when a provider is taken out
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="vidgenie@localhost")
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if env.str("EMAIL_URL", default="")
    else "django.core.mail.backends.console.EmailBackend"
)
if email_url := secret("EMAIL_URL"):
    vars().update(environ.Env.email_url_config(email_url))

# --- Words -------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

# --- Headers -----------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *BUCKET_ORIGINS],
        "media-src": [SELF, "blob:", *BUCKET_ORIGINS],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]  # asked from within, past the proxy that ends TLS
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_ENGINE = "vidgenie.sessions"
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
CSRF_COOKIE_HTTPONLY = True

# --- API ---------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "vidgenie.api.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["vidgenie.scopes.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["vidgenie.api.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "vidgenie.api.AlwaysJson",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "vidgenie.api.Pages",
    "EXCEPTION_HANDLER": "vidgenie.api.problem",
    "DEFAULT_THROTTLE_CLASSES": ["vidgenie.throttle.Throttle"],
    "DEFAULT_THROTTLE_RATES": {
        "anon": rate("API_RATE_ANONYMOUS", default="60/min"),
        "user": rate("API_RATE_USER", default="600/min"),
    },
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
}
KNOX_TOKEN_MODEL = "vidgenie.ApiToken"
MIGRATION_MODULES = {"knox": None}  # its own table stays unmade: ours replaces it
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "vg_", "TOKEN_MODEL": "vidgenie.ApiToken"}
API_TOKEN_DAYS = positive("API_TOKEN_DAYS", 90)
if API_TOKEN_DAYS > 365:
    raise ImproperlyConfigured(f"API_TOKEN_DAYS is {API_TOKEN_DAYS}; no token lives longer than 365 days")
SPECTACULAR_SETTINGS = {
    "TITLE": "VidGenie",
    "DESCRIPTION": "From a sentence to a video, paid in credits that are held, settled and given back.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # its default asks another host
    "POSTPROCESSING_HOOKS": ["vidgenie.openapi.add_scopes", "vidgenie.openapi.add_problems"],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

# --- Monitoring --------------------------------------------------------------------------------------------
# /metrics and the details of /readyz are for who has the token or comes from one of the addresses, and nobody else.

METRICS_TOKEN = secret("METRICS_TOKEN")
METRICS_ALLOW = networks("METRICS_ALLOW")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("METRICS_TOKEN is too short: use 20 random characters or more.")
SENTRY_DSN = secret("SENTRY_DSN")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")

REPORT_MAX_AGE_DAYS = positive("REPORT_MAX_AGE_DAYS", 7)  # until `manage.py launch_readiness` wants a report anew

# --- Logs --------------------------------------------------------------------------------------------------

LOG_LEVEL = one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
_NOTES: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": logs.write(as_json=PRODUCTION),
            "foreign_pre_chain": _NOTES,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django-q": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "django_structlog": {"level": LOG_LEVEL if PRODUCTION else "WARNING"},
        "psycopg.pool": {"level": "WARNING"},  # two lines for each time that a thread takes a connection
        "httpx2": {"level": "WARNING"},  # under OpenAI's SDK: a line for each call, of which we keep a row
        # They tell whole addresses and headers, signatures and keys included, whatever LOG_LEVEL is.
        **{name: {"level": "WARNING"} for name in ("google", "httpcore", "httpx", "openai", "requests", "urllib3")},
        **{name: {"level": "WARNING"} for name in ("boto3", "botocore", "s3transfer")},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_NOTES,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
