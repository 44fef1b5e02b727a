"""What nobody may take away: each mutant lacks one guard, and the tests beside it must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One guard taken away: `old` becomes `new` in `file`, and every one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = [
    Mutant(
        "a hold is made whatever the balance",
        "credits/ledger.py",
        "WHERE user_id = %(user)s AND balance - held >= %(amount)s RETURNING id",
        "WHERE user_id = %(user)s RETURNING id",
        (
            "tests/credits/test_ledger.py::test_it_refuses_to_hold_more_than_there_is",
            "tests/credits/test_ledger.py::test_it_refuses_to_hold_what_is_held_already",
        ),
    ),
    Mutant(
        "the database lets an account be overdrawn",
        "credits/migrations/0001_initial.py",
        'condition=models.Q(("held__lte", models.F("balance"))), name="account_held_within_balance"',
        'condition=models.Q(("held__gte", 0)), name="account_held_within_balance"',
        (
            "tests/credits/test_constraints.py::test_an_account_cannot_be_overdrawn",
            "tests/credits/test_races.py::test_without_our_guard_the_constraint_still_refuses",
        ),
    ),
    Mutant(
        "a closed hold is settled again",
        "credits/ledger.py",
        "WHERE id = %(hold)s AND status = 'open' AND amount >= %(due)s RETURNING amount, closed",
        "WHERE id = %(hold)s AND amount >= %(due)s RETURNING amount, closed",
        ("tests/credits/test_ledger.py::test_settling_twice_takes_once_and_the_first_answer_stays",),
    ),
    Mutant(
        "the database lets a hold be settled twice",
        "credits/migrations/0001_initial.py",
        'condition=models.Q(("kind", "settle")), fields=("hold",), name="entry_one_settle_per_hold"',
        'condition=models.Q(("kind", "settle")), fields=("id",), name="entry_one_settle_per_hold"',
        ("tests/credits/test_constraints.py::test_a_hold_is_settled_once",),
    ),
    Mutant(
        "an idempotency key starts a run each time",
        "workflows/migrations/0001_initial.py",
        'models.UniqueConstraint(fields=("user", "idempotency_key"), name="workflow_idempotency")',
        'models.UniqueConstraint(fields=("id", "idempotency_key"), name="workflow_idempotency")',
        ("tests/api/test_idempotency.py::test_ten_at_once_start_one_workflow",),
    ),
    Mutant(
        "two attempts have the same job",
        "workflows/migrations/0001_initial.py",
        'fields=("provider", "job_id"),',
        'fields=("id", "job_id"),',
        ("tests/e2e/test_failures.py::test_a_job_id_given_to_two_attempts_is_believed_once",),
    ),
    Mutant(
        "a write needs no fence",
        "workflows/claims.py",
        "WHERE id = %s AND fence = %s\n",
        "WHERE id = %s AND %s IS NOT NULL\n",
        (
            "tests/workflows/test_claims.py::test_a_stale_write_changes_nothing",
            "tests/workflows/test_claims.py::test_a_look_that_comes_back_after_another_claim_is_set_aside",
        ),
    ),
    Mutant(
        "a claim raises no fence",
        "workflows/claims.py",
        "SET fence = fence + 1, unanswered",
        "SET fence = fence, unanswered",
        ("tests/workflows/test_claims.py::test_a_claim_takes_a_lease_and_raises_the_number",),
    ),
    Mutant(
        "a claim takes no lease",
        "workflows/claims.py",
        "+ CASE phase WHEN 'submit'",
        "+ 0 * CASE phase WHEN 'submit'",
        ("tests/workflows/test_claims.py::test_a_claim_takes_a_lease_and_raises_the_number",),
    ),
    Mutant(
        "a claim waits for what others have locked",
        "workflows/claims.py",
        "FOR UPDATE SKIP LOCKED",
        "FOR UPDATE",
        ("tests/workflows/test_claims.py::test_nobody_waits_for_a_row_that_another_has_locked",),
    ),
    Mutant(
        "nobody counts who died of an attempt",
        "workflows/claims.py",
        "unanswered = unanswered + 1, worker_id",
        "unanswered = 1, worker_id",
        ("tests/workflows/test_claims.py::test_an_attempt_that_three_workers_died_of_is_put_in_quarantine",),
    ),
    Mutant(
        "a submit that may have arrived is made again",
        "workflows/retries.py",
        "return LookUp(after=5)",
        "return Again(after=5)",
        (
            "tests/workflows/test_retries.py::test_a_submit_that_may_have_arrived_is_looked_up_and_never_repeated",
            "tests/e2e/test_failures.py::test_a_submit_whose_answer_is_lost_is_looked_up_and_never_repeated",
        ),
    ),
    Mutant(
        "a submit that a worker died in is made again",
        "workflows/pipeline.py",
        "Phase.SUBMITTING: calls.Find,",
        "Phase.SUBMITTING: calls.Submit,",
        (
            "tests/e2e/test_failures.py::test_a_worker_that_dies_in_a_submit_is_followed_by_a_look_up",
            "tests/e2e/test_kill_matrix.py::test_it_ends_and_adds_up_whatever_dies[request.sent:6-video]",
        ),
    ),
    Mutant(
        "a run ends without its settlement",
        "workflows/settlement.py",
        "    _settle(workflow, steps)\n    history",
        "    history",
        ("tests/e2e/test_kill_matrix.py::test_it_ends_and_adds_up_whatever_dies[finish.written:1-pictures]",),
    ),
    Mutant(
        "what is stored has another name each time",
        "workflows/calls.py",
        'name=f"made/{self.attempt.pk}"',
        'name=f"made/{self.attempt.pk}.{self.fence}"',
        ("tests/e2e/test_kill_matrix.py::test_it_ends_and_adds_up_whatever_dies[stored:1-video]",),
    ),
    Mutant(
        "a webhook is heard as often as it is played",
        "workflows/webhooks.py",
        "if not cache.add(key, 1, REMEMBERED):",
        "if cache.add(key, 1, REMEMBERED) is None:",
        ("tests/providers/test_webhooks.py::test_the_same_message_again_does_nothing",),
    ),
    Mutant(
        "providers are called within transactions",
        "providers/gateway.py",
        "raise CalledInTransaction(",
        "CalledInTransaction(",
        ("tests/providers/test_gateway.py::test_no_provider_is_called_inside_a_transaction",),
    ),
    Mutant(
        "what came late is charged",
        "credits/policy.py",
        "Outcome.LATE: Rule(0,",
        "Outcome.LATE: Rule(1,",
        ("tests/credits/test_policy.py",),
    ),
    Mutant(
        "what was lost is charged",
        "credits/policy.py",
        "Outcome.LOST: Rule(0,",
        "Outcome.LOST: Rule(1,",
        ("tests/e2e/test_failures.py::test_a_submit_that_nobody_can_look_up_fails_and_is_given_back",),
    ),
    Mutant(
        "a paid job that could not be stored looks unsent",
        "providers/gateway.py",
        "except OSError as error:  # the job is paid for, so it may not look as if nothing had been sent",
        "except ZeroDivisionError as error:",
        ("tests/providers/test_gateway.py::test_a_full_storage_does_not_make_a_paid_job_look_unsent",),
    ),
]
