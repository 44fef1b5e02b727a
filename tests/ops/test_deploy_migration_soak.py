"""The numbers of a deployment at size, with the site at work: 10,000 users, 50,000 runs and 200,000 lines of the books.

`pytest tests/ops/test_deploy_migration_soak.py --soak -s` prints them. A web server answers ten requests a second while
a column is added, filled and indexed, a constraint added and checked; then the same is gone back from.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from credits import ledger
from tests.ops import migrating
from vidgenie import tokens
from vidgenie.management.migration import place, sums

PROJECT = Path(__file__).resolve().parents[2]
USERS, RUNS, ENTRIES = 10_000, 50_000, 200_000
PEOPLE = 21  # who ask in turn
RATE = 10.0  # requests a second
PAGES = ("/", "/healthz", "/accounts/login/", "/accounts/signup/")
LARGE = {
    "DJANGO_SETTINGS_MODULE": "tests.ops.planted.settings",
    "PLANTED": "large",
    "WORKFLOWS_IN_FLIGHT_PER_USER": "0",
    "WORKFLOWS_PER_DAY_PER_USER": "0",
    "API_RATE_USER": "6000/min",
}

# Who has runs has a hold, a line that gave, a line that took and two that corrected, for each of them.
FILL = """
INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
SELECT 'soak ' || n || CASE n % 3 WHEN 0 THEN ' 🦊' ELSE '' END, '!', '', '', 'soak' || n || '@example.org', false,
       false, true, '2026-03-29 00:59:59+00'::timestamptz + n * interval '1 minute' FROM generate_series(1, {users}) n;
INSERT INTO credits_account (user_id, balance, held) SELECT id, 0, 0 FROM auth_user WHERE username LIKE 'soak %';
CREATE TEMP TABLE run AS SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS hold, account.id AS account, user_id
FROM generate_series(1, {runs}) n JOIN (SELECT *, row_number() OVER (ORDER BY id) AS nth FROM credits_account
     WHERE user_id IN (SELECT id FROM auth_user WHERE username LIKE 'soak %')) account ON nth = 1 + n % {users};
INSERT INTO workflows_workflow (id, user_id, type, prompt, options, status, reason, quoted, request_digest, deadline,
                                created, finished)
SELECT id, user_id, 'image-only', 'un renard 狐狸 🦊 ' || n, '{{}}', 'succeeded', '', 4, '', now(), now(), now()
FROM run;
INSERT INTO workflows_step (workflow_id, stage, position, status, reason, provider, model, price, automatic, own_key,
                            charged, text, started, finished)
SELECT id, 'image', 1, 'succeeded', '', 'sandbox', 'sandbox/still', 4, false, false, 4, '', now(), now() FROM run;
INSERT INTO workflows_attempt (id, step_id, number, user_id, status, phase, reason, detail, provider, model, endpoint,
    prompt, options, price, job_id, handle, outputs, tries, fence, created, submitted, made, finished)
SELECT gen_random_uuid(), step.id, 1, user_id, 'succeeded', 'done', '', '', 'sandbox', 'sandbox/still', '', 'fox',
    '{{}}', 4, run.id::text, '{{}}', '[]', 0, 3, now(), now(), now(), now()
FROM run JOIN workflows_step step ON step.workflow_id = run.id;
INSERT INTO credits_hold (id, account_id, reference, amount, settled, refunded, status, created, closed)
SELECT hold, account, 'workflow:' || id, 4, 4, 0, 'closed', now(), now() FROM run;
INSERT INTO credits_entry (id, account_id, kind, amount, balance_after, hold_id, reference, reason, key, created)
SELECT gen_random_uuid(), account, kind, amount, 4 * (times - 1) + after, CASE kind WHEN 'settle' THEN hold END,
    CASE kind WHEN 'settle' THEN 'workflow:' || id ELSE '' END, '', kind || part || ':' || id, now()
FROM (SELECT *, row_number() OVER (PARTITION BY account ORDER BY n) AS times FROM run) run
CROSS JOIN (VALUES ('grant', 1, 8, 8), ('settle', 2, -4, 4), ('adjust', 3, 5, 9), ('adjust', 4, -5, 4))
    AS line (kind, part, amount, after);
UPDATE credits_account account SET balance = sum FROM (SELECT account_id, sum(amount) AS sum FROM credits_entry
    GROUP BY account_id) line WHERE line.account_id = account.id AND account.balance = 0;
ANALYZE;
"""


@pytest.fixture(scope="module")
def large(request, django_db_setup, django_db_blocker, database_name):
    """The database, its address and the variables of processes that work on it."""
    if not request.config.getoption("--soak"):
        pytest.skip("takes minutes: --soak")
    name = f"{database_name}_large"
    with django_db_blocker.unblock(), migrating.database(name, "template0"):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(FILL.format(users=USERS, runs=RUNS))
        address = re.sub(r"@/[^?]*", f"@/{name}", os.environ["DATABASE_URL"])
        connection.close()
        yield name, {**os.environ, **LARGE, "DATABASE_URL": address, "PYTHONPATH": str(PROJECT)}


def test_the_numbers_at_size(large, tmp_path):
    name, variables = large
    with place.connect(name) as link:
        counts = {table: sums.of(link, {table: []}).tables[table].rows for table in TABLES}
    assert list(counts.values()) == [USERS, RUNS, ENTRIES]
    with site(variables) as base, requests(base, bearers(name)) as seen:
        done = deploy(tmp_path, variables)
        back = deploy(tmp_path, variables, "--rollback", "--accept-loss")
    spent, slowest = done["details"]["seconds"], max(seconds for seconds, *_ in seen)
    told = counts | spent | {"back": back["details"]["seconds"], "requests": len(seen), "slowest": slowest}
    print(json.dumps(told))  # noqa: T201
    bad = [(at, status) for _, status, at in seen if not 200 <= status < 300]
    print("the slowest, and when:", sorted(((round(took, 2), at) for took, _, at in seen), reverse=True)[:20])  # noqa: T201
    assert (done["outcome"], back["details"]["rolled_back"], bad) == ("pass", "reverse", [])
    assert spent["backup and verify"] < 60
    assert spent["migrate"] < 60
    assert slowest < 2.5


TABLES = ("auth_user", "workflows_workflow", "credits_entry")


def deploy(directory, variables, *arguments):
    """The report of another process that deploys."""
    report = directory / f"report{len(arguments)}.json"
    command = [sys.executable, "manage.py", "deploy_migration", "--backups", str(directory), "--report", str(report)]
    said = subprocess.run([*command, *arguments], cwd=PROJECT, env=variables, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    return json.loads(report.read_text())


@contextmanager
def site(variables):
    """A web server on that database; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "vidgenie.wsgi", "--worker-class", "gthread", "--threads", "8"]
    command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "warning"]
    with subprocess.Popen(command, cwd=PROJECT, env=variables) as server:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and asked(f"http://127.0.0.1:{port}/", "")[1] != 200:
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def bearers(name):
    """Tokens of people who have runs and credits."""
    with place.at(name):
        people = list(User.objects.filter(username__startswith="soak ").order_by("pk")[:PEOPLE])
        for user in people:
            ledger.grant(user, 100_000, key=f"soak:{user.pk}", reason="soak")
        return [tokens.create(user, "soak")[1] for user in people]


@contextmanager
def requests(base, bearers):
    """Ten requests a second, each at its time however long others take: pages, and runs that are started and read."""
    seen, over, threads = [], threading.Event(), []

    def one(number, due):
        address, body = shape(base, number)
        time.sleep(max(due - time.monotonic(), 0))
        status = asked(address, bearers[number % PEOPLE], body)[1]
        seen.append((time.monotonic() - due, status, round(due - start, 1)))

    start = time.monotonic()

    def every():
        for number in range(1_000_000):
            due = start + number / RATE
            if over.wait(max(due - time.monotonic(), 0)):
                return
            threads.append(threading.Thread(target=one, args=(number, due)))
            threads[-1].start()

    clock = threading.Thread(target=every)
    clock.start()
    try:
        yield seen
    finally:
        over.set()
        clock.join()
        for thread in threads:
            thread.join()


def shape(base, number):
    """Of ten requests, two start a run, four read the person's own runs and credits, four are pages."""
    if number % 10 < 2:
        return f"{base}/api/workflow/execute", {"type": "image-only", "prompt": f"a fox {number}"}
    if number % 10 < 6:
        return f"{base}/api/credits" if number % 2 else f"{base}/api/workflow", None
    return f"{base}{PAGES[number % len(PAGES)]}", None


def asked(address, bearer, body=None):
    """The answer's time and status; 0 for none."""
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"} if bearer else {}
    data = None if body is None else json.dumps(body).encode()
    start = time.monotonic()
    try:
        request = urllib.request.Request(address, data, headers)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            answer.read()
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError:
        status = 0
    return time.monotonic() - start, status
