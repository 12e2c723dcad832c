"""What holds of the ends of workers in containers as of all others."""

from tests.unit.executor.test_deaths import (  # noqa: F401
    test_a_killed_worker_is_seen_at_once,
    test_a_template_that_ends_its_process_is_named_with_its_last_output,
    test_a_worker_that_breaks_the_protocol_is_ended,
    test_a_worker_that_closes_its_connection_is_ended,
    test_one_that_waits_for_the_end_can_be_cancelled_alone,
    test_stop_is_by_force_after_its_grace,
    test_what_was_sent_before_the_death_arrives,
)
