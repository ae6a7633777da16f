"""docs/limits.md has each limit with its figure, and for each of them there is a test that sends one more."""

from gql import cost, documents, executor, json_text, pace, queries, schema, variables
from gql.subscriptions import MAX_WATCHED
from playcast import seldom
from playcast.http import body, connection, listener, send_timeout, session, wrong_tokens
from playcast.routes import graphql_socket, socket_protocol
from runner import checks, limits
from runner.secrets import credentials
from runner.verbs import idempotency
from tests.house.test_docs import ROOT, page, row

LIMITS = {
    "tokens of a document": (f"{documents.MAX_TOKENS}", "cost::test_one_more_than_each_limit_of_an_operation"),
    "lines of a document": (f"{documents.MAX_LINES}", "large_input::test_a_document_of_many_lines"),
    "faults of a document that are told": (f"{documents.MAX_FAULTS}", "large_input::test_some_of_many_faults_are_told"),
    "selections, counted wherever a fragment is spread": (
        f"{cost.MAX_SELECTIONS}",
        "cost::test_one_more_than_each_limit_of_an_operation",
    ),
    "pairs of selections that give the same field of the answer": (
        f"{cost.MAX_PAIRS}",
        "cost::test_one_more_than_each_limit_of_an_operation",
    ),
    "depth": (f"{cost.MAX_DEPTH}", "cost::test_one_more_than_each_limit_of_an_operation"),
    "depth of the introspection": (
        f"{cost.MAX_INTROSPECTION_DEPTH}",
        "cost::test_one_more_than_each_limit_of_an_operation",
    ),
    "aliases": (f"{cost.MAX_ALIASES}", "cost::test_one_more_than_each_limit_of_an_operation"),
    "rows, [estimated](clients.md#what-an-answer-costs)": (
        f"{limits.MAX_ROWS}",
        "cost::test_one_more_than_each_limit_of_an_operation",
    ),
    "rows of one event of a subscription, estimated": (
        {8: "an eighth of these"}[schema.EVENT_SHARE],
        "cost::test_an_event_may_cost_an_eighth",
    ),
    "unknown fields of an input object in the variables, and characters of the name of one": (
        f"{variables.MAX_UNKNOWN}, {variables.MAX_NAME}",
        "large_input::test_fields_that_nobody_knows",
    ),
    "values of a list in the variables; of words such as `ERROR`": (
        f"{variables.MAX_LIST}; {variables.MAX_WORDS}",
        "large_input::test_a_list_that_is_too_long",
    ),
    "characters of a text to look for, and of a tag": (
        f"{queries.MAX_SEARCHED}, {queries.MAX_SEARCHED_TAG}",
        "cost::test_a_text_too_long_to_look_for",
    ),
    "page size `first`": (f"{limits.MAX_PAGE_SIZE}", "bad_queries::test_page_sizes"),
    "log page `maxBytes`": (f"{limits.MAX_PAGE_BYTES}", "bad_queries::test_logs_from_nowhere"),
    "ids in one `jobUpdated`": (f"{MAX_WATCHED}", "cost::test_too_many_ids_to_watch"),
    "rows, as they come": (
        f"{executor.ROWS_FOR_EACH} times those that may be estimated",
        "cost::test_an_answer_ends_where_it_becomes_too_large",
    ),
    "text and JSON values": (
        f"{executor.MAX_ANSWER_BYTES} bytes",
        "cost::test_an_answer_ends_where_its_text_becomes_too_long",
    ),
    f"answers of more than {schema.HEAVY_ROWS} rows that are made at the same time": (
        f"{schema.HEAVY_AT_ONCE}",
        "cost::test_few_large_answers_are_made_at_a_time",
    ),
    "time that all answers work before others have a turn": (
        f"{pace.SLICE_SECONDS} s",
        "pace::test_work_gives_way",
    ),
    "what waits for all peers that are behind": (
        f"{listener.MOST_UNSENT_BYTES} bytes",
        "unread::test_of_many_unread_answers_the_oldest_are_cut",
    ),
    "servers in one job": (f"{limits.MAX_SERVERS_PER_JOB}", "bad_input::test_server_ids"),
    "tags of a server, or of a call": (f"{checks.MAX_TAGS}", "bad_servers::test_malformed_fields"),
    "variables of a server, or of a call": (
        f"{checks.MAX_VARIABLES_BYTES} bytes of JSON",
        "bad_input::test_extra_vars",
    ),
    "depth of variables": (f"{checks.MAX_VARIABLES_DEPTH}", "bad_input::test_extra_vars"),
    "idempotency key": (f"{idempotency.MAX_KEY_LENGTH} characters", "bad_input::test_options_of_a_run"),
    "user name": (f"{checks.MAX_USER} characters", "bad_servers::test_malformed_fields"),
    "password": (f"{credentials.MAX_PASSWORD} characters", "bad_servers::test_malformed_credentials"),
    "private key": (f"{credentials.MAX_KEY_BYTES} characters", "bad_servers::test_malformed_credentials"),
    "RSA key": (f"{credentials.MAX_RSA_BITS} bits", "keys::test_a_key_takes_no_time_to_check"),
    "`timeoutSeconds`": (f"{limits.MAX_TIMEOUT_SECONDS}", "bad_input::test_options_of_a_run"),
    "`priority`": (f"{limits.MAX_PRIORITY}", "bad_input::test_options_of_a_run"),
    "head of a request": (f"{connection.MAX_HEAD_BYTES} bytes", "listener::test_a_head_has_a_size"),
    "line of a head, and the number of its headers": ("8190 bytes, 128 headers", "listener::test_a_head_has_a_size"),
    "time for a head, from the connection or from its first byte on": (
        f"{listener.HEAD_SECONDS:.0f} s",
        "listener::test_a_head_must_come_in_time",
    ),
    "time between two requests": (
        f"{connection.KEEP_ALIVE_SECONDS:.0f} s",
        "listener::test_who_asks_nothing_more_is_let_go",
    ),
    "sent ahead of an answer": (f"{connection.MAX_AHEAD_BYTES} bytes", "listener::test_who_sends_far_ahead_is_cut"),
    "body": (f"{body.MAX_BODY_BYTES} bytes", "http::test_only_small_json_in_utf_8_by_post_is_taken"),
    "body of a sign-in": (f"{session.MAX_SIGN_IN_BYTES} bytes", "http::test_only_small_json_in_utf_8_by_post_is_taken"),
    "commas and open brackets of a body, or of a message": (
        f"{json_text.MAX_VALUES}",
        "large_input::test_a_body_of_many_values_is_refused",
    ),
    "time for a body": (f"{body.BODY_SECONDS:.0f} s", "bodies::test_a_body_must_come_in_time"),
    "all bodies that are coming in": (
        f"{body.MAX_INCOMING_BYTES} bytes",
        "bodies::test_of_too_many_bytes_the_oldest_go",
    ),
    "`Content-Encoding` of a body": ("`identity`", "bodies::test_encoded_bodies_are_refused_before_anything_else"),
    "rest of a body that is refused": (
        f"{connection.LINGER_SECONDS:.0f} s",
        "bodies::test_a_refused_body_is_not_taken_in_for_ever",
    ),
    "time in which a peer takes nothing of an answer": (
        f"{send_timeout.SEND_SECONDS:.0f} s",
        "listener::test_who_takes_nothing_of_many_answers_is_let_go",
    ),
    "connections that have not shown the token": (
        f"{listener.MOST_STRANGERS}",
        "listener::test_strangers_make_room",
    ),
    "all connections": (
        f"the file limit less {listener.RESERVED_FILES} and {listener.FILES_PER_JOB} for each slot, at least half",
        "listener::test_when_all_have_shown_the_token_a_further_one_is_refused",
    ),
    "files of the page that are sent at the same time": (
        f"{listener.MOST_FILES}",
        "listener::test_files_of_the_page_make_room_too",
    ),
    "time for `connection_init`": (
        f"{graphql_socket.INIT_SECONDS} s",
        "socket::test_who_never_introduces_itself_is_let_go",
    ),
    "message": (f"{graphql_socket.MAX_MESSAGE_BYTES} bytes", "socket::test_a_message_too_large"),
    "subscriptions of one socket": (
        f"{socket_protocol.MAX_SUBSCRIPTIONS}",
        "transport_ws::test_only_subscriptions_count_as_such",
    ),
    "queries and mutations of one socket without an answer": (
        f"{socket_protocol.MAX_QUERIES}",
        "transport_ws::test_queries_in_flight_are_bounded",
    ),
    "of these, executed at the same time": (
        f"{socket_protocol.MAX_AT_ONCE}, and 1 of more than {schema.HEAVY_ROWS} rows",
        "transport_ws::test_of_many_queries_some_are_executed_at_a_time",
    ),
    "silence of a peer that does not answer a ping": (
        f"{send_timeout.HEARTBEAT_SECONDS * 1.5:.0f} s",
        "socket::test_a_peer_that_answers_no_ping_is_let_go",
    ),
    "wrong tokens of one address that are answered at once": (
        f"{wrong_tokens.AT_ONCE}",
        "tries::test_the_first_wrong_tokens_are_answered_at_once_and_then_ever_later",
    ),
    "and then one in": (
        f"{wrong_tokens.EACH_SECONDS} s",
        "tries::test_the_first_wrong_tokens_are_answered_at_once_and_then_ever_later",
    ),
    "longest wait for an answer to a wrong token": (
        f"{wrong_tokens.MOST_SECONDS:.0f} s",
        "tries::test_the_first_wrong_tokens_are_answered_at_once_and_then_ever_later",
    ),
    "addresses that are remembered": (
        f"{wrong_tokens.MOST_ADDRESSES}",
        "tries::test_only_so_many_addresses_are_remembered",
    ),
    "one thing that clients can cause": (
        f"once in {seldom.EVERY_SECONDS:.0f} s",
        "seldom::test_each_thing_is_said_once",
    ),
    "all such things": (
        f"{seldom.MOST_KEYS} in {seldom.EVERY_SECONDS:.0f} s",
        "seldom::test_no_more_than_so_many_things_are_said",
    ),
}
"""Each limit with its figure, and the test that sends one more."""


def test_every_limit_is_the_real_one_and_has_a_test() -> None:
    text = page("docs/limits.md")
    # Each row of the page is one of them.
    names = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert sorted(name for name in names if name != "limit") == sorted(LIMITS)
    for name, (figure, test) in LIMITS.items():
        assert (name, row(text, name)[1]) == (name, figure)
        file, _, function = test.partition("::")
        (path,) = (ROOT / "tests").glob(f"*/test_{file}.py")
        assert f"def {function}(" in path.read_text(), test
