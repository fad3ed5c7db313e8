"""What tests/host looks for in a container, looked for in a machine: what needs no second computer and few of the gateway's commands.

The whole of tests/host would take an emulated machine hours; the gateway's programs run thirty times slower in it.
"""

from __future__ import annotations

from tests.host.test_s03_s04_user import (
    test_configuration_is_read_only_to_the_service,
    test_it_cannot_change,
    test_no_group_shell_password_or_sudo,
    test_no_socket_of_root_is_open_to_it,
    test_ssh_refuses_it_even_with_a_key,
    test_the_attempts_above_would_show,
    test_the_whole_release_belongs_to_root,
)
from tests.host.test_s05_sandbox import (
    found,
    test_each_sandbox_is_made_with_bounds,
    test_it_cannot_change_its_root,
    test_it_has_no_network,
    test_it_is_a_plain_user_without_capabilities,
    test_it_sees_no_state_configuration_or_secret,
)
from tests.host.test_s07_secrets import (
    test_no_copy_is_left_behind,
    test_nothing_others_can_read_holds_a_secret,
    test_the_search_finds_what_is_there,
    test_the_secrets_lie_where_they_should,
)
from tests.host.test_s09_persistence import (
    test_a_fork_bomb_ends_at_the_bound,
    test_bounds_of_all_that_it_runs,
    test_it_can_write_nowhere_but_at_home,
    test_only_the_families_that_the_table_knows,
)
from tests.host.test_s11_ssh import test_keys_only_after_a_key_was_proven
from tests.host.test_s15_links import test_the_operators_terminal_is_out_of_reach
from tests.host.test_unit_and_audit import test_exposure_of_the_unit, test_the_process_has_no_privilege

__all__ = [
    "found",
    "test_a_fork_bomb_ends_at_the_bound",
    "test_bounds_of_all_that_it_runs",
    "test_configuration_is_read_only_to_the_service",
    "test_each_sandbox_is_made_with_bounds",
    "test_exposure_of_the_unit",
    "test_it_can_write_nowhere_but_at_home",
    "test_it_cannot_change",
    "test_it_cannot_change_its_root",
    "test_it_has_no_network",
    "test_it_is_a_plain_user_without_capabilities",
    "test_it_sees_no_state_configuration_or_secret",
    "test_keys_only_after_a_key_was_proven",
    "test_no_copy_is_left_behind",
    "test_no_group_shell_password_or_sudo",
    "test_no_socket_of_root_is_open_to_it",
    "test_nothing_others_can_read_holds_a_secret",
    "test_only_the_families_that_the_table_knows",
    "test_ssh_refuses_it_even_with_a_key",
    "test_the_attempts_above_would_show",
    "test_the_operators_terminal_is_out_of_reach",
    "test_the_process_has_no_privilege",
    "test_the_search_finds_what_is_there",
    "test_the_secrets_lie_where_they_should",
    "test_the_whole_release_belongs_to_root",
]
