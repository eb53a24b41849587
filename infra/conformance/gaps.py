"""The stories that are not told to a deployment on ministack 1.5.33, by name, each with its reason.

A name with [parameters] is that case alone. All of them are told to the local stack.
"""

_STATUS = "ministack refuses every handshake with 403, whatever $connect answered"
_CROWD = (
    "two hundred at once are two hundred processes here, of 0.3 s of processor time each: "
    "over 29 s on two cores, only to start"
)
_IN_ORDER = "ministack hands on a socket's next message when the last one is done with"
_SILENCE = "ministack says when a socket was last active under another name, LastActiveAt"
_LIMITS = "ministack has neither API Gateway's 32 KB frames nor its 128 KB messages (close 1009)"
_DECODED = "ministack hands path parameters on decoded, AWS as they were sent"

GAPS: dict[str, str] = {
    "test_nobody_gets_in_without_a_good_token": _STATUS,
    "test_whoever_is_no_driver_gets_no_socket[/ws/driver/orders/-401]": _STATUS,
    "test_whoever_is_no_driver_gets_no_socket[/ws/driver/orders/?token=-401]": _STATUS,
    "test_whoever_is_no_driver_gets_no_socket[/ws/driver/orders/?token=nonsense-401]": _STATUS,
    "test_whoever_is_no_driver_gets_no_socket[/ws/driver/orders/nonsense-401]": _STATUS,
    "test_a_bad_token_at_the_handshake_is_401": _STATUS,
    "test_what_is_too_large_ends_its_socket_and_no_other": _LIMITS,
    "test_ids_of_every_odd_form_are_their_person_s": _DECODED,
    "test_binary_data_ends_the_link_and_nothing_else": "ministack takes binary frames (close 1003)",
    "test_whoever_overtakes_himself_is_served_every_time": _IN_ORDER,
    "test_the_longest_silent_of_a_hundred_gives_way_to_one_more": _SILENCE,
    "test_two_hundred_accept_at_once_and_one_wins": _CROWD,
}
