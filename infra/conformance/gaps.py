"""The stories that are not told to a deployment on ministack 1.5.33, by name, each with its reason.

All of them are told to the local stack.
"""

_STATUS = "ministack refuses every handshake with 403, whatever $connect answered"
_CROWD = "each concurrent invocation is a process here: dozens at once starve the machine"
_LIMITS = "ministack has neither API Gateway's 32 KB frames nor its 128 KB messages (close 1009)"
_GONE = "ministack takes posts to a socket that has gone, until it notices"
_PROCESS = "runs the application in a process of its own, with the settings of a local run"

GAPS: dict[str, str] = {
    "test_nobody_gets_in_without_a_good_token": _STATUS,
    "test_whoever_is_no_driver_gets_no_socket": _STATUS,
    "test_a_bad_token_at_the_handshake_is_401": _STATUS,
    "test_what_is_too_large_ends_its_socket_and_no_other": _LIMITS,
    "test_binary_data_ends_the_link_and_nothing_else": "ministack takes binary frames (close 1003)",
    "test_a_client_that_lost_its_link_comes_back_and_hears_what_it_missed": _GONE,
    "test_the_client_connects_subscribes_hears_and_survives_a_lost_connection": _GONE,
    "test_twenty_orders_and_eight_couriers": _CROWD,
    "test_two_hundred_accept_at_once_and_one_wins": _CROWD,
    "test_accept_decline_and_cancel_at_once_leave_one_truth": _CROWD,
    "test_the_frames_of_one_customers_orders_come_in_the_order_of_each": _CROWD,
    "test_of_twenty_drivers_who_accept_at_once_one_has_it": _CROWD,
    "test_what_one_process_is_asked_reaches_the_sockets_of_another": _PROCESS,
    "test_a_demo_that_cannot_begin_says_why": _PROCESS,
}
