"""Words for what ssh, sudo and ansible really say, as people have reported it: the reason, and what to do."""

import pytest

from runner.outcome.reasons import Becomes
from runner.outcome.wording import Cause, Trouble, away, failed

SSH = "Failed to connect to the host via ssh: "
SENT = 'Data could not be sent to remote host "10.0.0.5". Make sure this host can be reached over ssh: '
NEW = "Warning: Permanently added 'srv-1' (ED25519) to the list of known hosts.\r\n"
BANNER = (
    "*****************************************************************\n"
    "* This system is for the use of authorized users only.          *\n"
    "* Individuals using this system without authority are subject   *\n"
    "* to having all of their activities monitored and recorded.     *\n"
    "*****************************************************************\n"
)
MOTD = "\n".join(f"* {number:2}. Welcome to the servers of Example. Be kind." for number in range(40)) + "\n"
POST_QUANTUM = (
    "** WARNING: connection is not using a post-quantum key exchange algorithm.\r\n"
    '** This session may be vulnerable to "store now, decrypt later" attacks.\r\n'
    "** The server may need to be upgraded. See https://openssh.com/pq.html\r\n"
)
CHANGED = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n"
)
TEMPORARY = (
    "Failed to create temporary directory. In some cases, you may have been able to authenticate and did not have "
    "permissions on the target directory. Consider changing the remote tmp path in ansible.cfg to a path rooted in "
    '"/tmp", for more error information use -vvv. Failed command was: ( umask 77 && mkdir -p "` echo '
    '~/.ansible/tmp `"&& mkdir "` echo ~/.ansible/tmp/ansible-tmp-1 `" ), exited with result 1'
)  # fmt: skip
EARLY = "could not reach web: it closed the connection; check that an ssh server listens on this port"
LIMITS = f"{EARLY}, and whether it limits connections (MaxStartups, fail2ban)"
NOT_SSH = "could not reach web: what answers there is not an ssh server; check host and port"
REFUSED = "web refused to log in deploy (it takes {}): check user and credential"
LOST = 'the connection was lost to web in the middle of "Install": look at the server, then run it again'

AWAY = [
    # Not there at all.
    ("ssh: connect to host 10.0.0.5 port 22: Connection refused",
     "could not reach web: connection refused; check host, port and firewall"),
    ("ssh: connect to host 10.0.0.5 port 22: Connection timed out",
     "could not reach web: no answer in time; check host, port and firewall"),
    ("ssh: connect to host 10.0.0.5 port 22: Operation timed out",
     "could not reach web: no answer in time; check host, port and firewall"),
    ("Connection timed out during banner exchange\r\nConnection to 10.0.0.5 port 22 timed out",
     "could not reach web: no answer in time; check host, port and firewall"),
    ("ssh: connect to host web.example.org port 22: No route to host",
     "could not reach web: no route to it; check host and network"),
    ("ssh: connect to host 10.0.0.5 port 22: Network is unreachable",
     "could not reach web: no route to it; check host and network"),
    ("ssh: Could not resolve hostname web.invalid: Name or service not known",
     "could not reach web: its host name cannot be resolved; check host and DNS"),
    ("ssh: Could not resolve hostname web1: Temporary failure in name resolution",
     "could not reach web: its host name cannot be resolved; check host and DNS"),
    ("ssh: Could not resolve hostname web: nodename nor servname provided, or not known",
     "could not reach web: its host name cannot be resolved; check host and DNS"),
    # Something else answers, or too little of it.
    ("kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.5 port 22", EARLY),
    ("kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 10.0.0.5 port 22", EARLY),
    ("kex_exchange_identification: Connection closed by remote host", LIMITS),
    ("ssh_exchange_identification: read: Connection reset by peer", LIMITS),
    ("ssh_exchange_identification: Connection closed by remote host", LIMITS),
    ("Connection closed by 10.0.0.5 port 22", EARLY),
    ("Connection reset by 10.0.0.5 port 22", EARLY),
    (("kex_exchange_identification: banner line contains invalid characters\r\n"
     "banner exchange: Connection to 10.0.0.5 port 443: invalid format"), NOT_SSH),
    (("Bad packet length 1349676916.\r\nssh_dispatch_run_fatal: Connection to 10.0.0.5 port 22: message authentication "
     "code incorrect"), LOST),
    ("Protocol mismatch.", NOT_SSH),
    # Both speak ssh, and have no language in common.
    (("Unable to negotiate with 10.0.0.5 port 22: no matching key exchange method found. Their offer: "
     "diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1"),
     ("could not reach web: ssh here and there have no key exchange method in common; it offers "
     "diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1")),
    ("Unable to negotiate with 10.0.0.5 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss",
     "could not reach web: ssh here and there have no host key type in common; it offers ssh-rsa,ssh-dss"),
    ("no matching cipher found. Their offer: aes128-cbc,3des-cbc",
     "could not reach web: ssh here and there have no cipher in common; it offers aes128-cbc,3des-cbc"),
    # It answers and lets nobody in.
    ("Permission denied (publickey,gssapi-with-mic).", REFUSED.format("publickey,gssapi-with-mic")),
    (f"{BANNER}deploy@10.0.0.5: Permission denied (publickey,password).", REFUSED.format("publickey,password")),
    (f"{MOTD}{POST_QUANTUM}deploy@10.0.0.5: Permission denied (publickey).", REFUSED.format("publickey")),
    (f"{BANNER}Permission denied, please try again.\r\nplaycast: Invalid/incorrect password",
     "web refused the password of deploy: check user and password"),
    ("no such identity: /root/.ssh/none: No such file or directory\r\ndeploy@web: Permission denied (publickey).",
     REFUSED.format("publickey")),
    (("Received disconnect from 10.0.0.5 port 22:2: Too many authentication failures\r\n"
     "Disconnected from 10.0.0.5 port 22"),
     ("could not reach web: it closed the connection and said: "
     "Received disconnect from 10.0.0.5 port 22:2: Too many authentication failures")),
    ("Your account has expired; please contact your system administrator.\nConnection closed by 10.0.0.5 port 22",
     ("could not reach web: it closed the connection and said: "
     "Your account has expired; please contact your system administrator.")),
    ((f"{BANNER}Your account has expired; please contact your system administrator.\nConnection closed by UNKNOWN port "
     "65535"),
     ("could not reach web: it closed the connection and said: "
     "Your account has expired; please contact your system administrator.")),
    (f"{BANNER}Connection closed by 10.0.0.5 port 22", EARLY),
    (('"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later."\n'
     "Connection closed by 10.0.0.5 port 22"),
     ("could not reach web: it closed the connection and said: "
     '"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later."')),
    (f"{MOTD}Access denied: this host is in maintenance until noon.\r\nConnection closed by 10.0.0.5 port 22",
     "could not reach web: it closed the connection and said: Access denied: this host is in maintenance until noon."),
    (("mux_client_request_session: session request failed: Session open refused by peer\r\n"
     "Failed to connect to new control master"),
     "could not reach web: its sshd allows no more sessions over a connection (MaxSessions)"),
    # What the key or ssh's own files are up to.
    ('Load key "/tmp/key": invalid format\r\ndeploy@web: Permission denied (publickey).', REFUSED.format("publickey")),
    ('sign_and_send_pubkey: signing failed for ED25519 "key" from agent: agent refused operation',
     "could not reach web: the key could not sign; check the credential"),
    ("Bad owner or permissions on /etc/ssh/ssh_config.d/10.conf",
     "could not reach web: ssh does not use /etc/ssh/ssh_config.d/10.conf, whose owner or permissions are wrong"),
    ('unix_listener: path "/very/long/cp-8d7a" too long for Unix domain socket',
     "could not reach web: the path of ssh's control socket is too long"),
    ("Host key verification failed.", "the host key of web cannot be verified: Host key verification failed."),
    (f"{CHANGED}Host key verification failed.",
     ("the host key of web cannot be verified: IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY! "
     "Host key verification failed.")),
    # It was there, and went away.
    ("Timeout, server 10.0.0.5 not responding.", LOST),
    ("Shared connection to 10.0.0.5 closed.", LOST),
    (f"{MOTD}Connection to 10.0.0.5 closed by remote host.", LOST),
    ("client_loop: send disconnect: Broken pipe", LOST),
    ("Read from remote host 10.0.0.5: Connection reset by peer\r\nclient_loop: send disconnect: Broken pipe", LOST),
    ("packet_write_wait: Connection to 10.0.0.5 port 22: Broken pipe", LOST),
    ("mux_client_request_session: read from master failed: Broken pipe\r\nFailed to connect to new control master",
     LOST),
    ("ssh_dispatch_run_fatal: Connection to 10.0.0.5 port 22: Broken pipe", LOST),
    (POST_QUANTUM, LOST),
    # Logged in, and no room to work.
    (f"{TEMPORARY}, stdout output: This account is currently not available.\n",
     ("could not reach web: no temporary directory could be made there: This account is currently not available; "
      "give deploy a shell to log in with there")),
    (f"{TEMPORARY}, stderr output: mkdir: cannot create directory '/home/deploy/.ansible': No space left on device\n",
     ("could not reach web: no temporary directory could be made there: "
     "mkdir: cannot create directory '/home/deploy/.ansible': No space left on device; make room on its disk")),
    (f"{TEMPORARY}, stdout output: {BANNER}, stderr output: mkdir: cannot create directory: Permission denied\r\n",
     ("could not reach web: no temporary directory could be made there: mkdir: cannot create directory: "
     "Permission denied")),
    ("Timeout (12s) waiting for privilege escalation prompt: ",
     ('could not become another user on web at "Install": sudo asks for a password, or does not answer; '
      'let deploy do without')),
    (TEMPORARY,
     ("could not reach web: no temporary directory could be made there: mkdir or its shell ended with code 1; "
      "check that deploy has a shell there, and a home that can be written and has room")),
    ("Received disconnect from somewhere", "could not reach web: Received disconnect from somewhere"),
]  # fmt: skip


def sentence(cause: Cause) -> str:
    return f"{cause.before}web{cause.after}"


@pytest.mark.parametrize("layers", [SSH, f"Task failed: {SSH}{NEW}", f"Task failed: {SENT}{NEW}"])
@pytest.mark.parametrize(("said", "told"), AWAY)
def test_a_server_that_is_away(said: str, told: str, layers: str) -> None:
    assert sentence(away(Trouble("Install", layers + said), "1", "deploy", None)) == told


def test_a_connection_that_broke_without_a_word() -> None:
    assert sentence(away(Trouble("Install", f"Task failed: {SENT}"), "1", "deploy", None)) == LOST
    assert sentence(away(Trouble("Install", ""), "1", "deploy", None)) == "could not reach web"
    assert sentence(away(None, "1", "deploy", None)) == "could not reach web"


def test_the_delegate_is_named() -> None:
    refused = Trouble("Drain", f"{SSH}ssh: connect to host 10.0.0.9 port 22: Connection refused", "balancer")
    assert sentence(away(refused, "1", "deploy", None)) == (
        'could not reach balancer, to which "Drain" of web is delegated: '
        "connection refused; check host, port and firewall"
    )
    assert sentence(away(Trouble("Drain", SENT, "balancer"), "1", "deploy", None)) == (
        'could not reach balancer, to which "Drain" of web is delegated: the connection was lost in the middle of it'
    )
    assert sentence(failed(Trouble("Drain", "no such pool", "balancer"), "deploy")) == (
        'failed on web at "Drain" (delegated to balancer): no such pool'
    )


NOPASSWD = "let deploy become another user there without a password (NOPASSWD for all commands in sudoers)"
TTY = "take requiretty out of sudoers there, or switch pipelining off for the recipe (`pipelining: false`)"
GIVE = "let the playbook give one (ansible_become_password), or become by sudo where deploy needs none"
RIGHT = GIVE.replace("one", "the right one", 1)
JSON = "Module result deserialization failed: No start of json char found: "
PYTHON = "install Python there, or set ansible_python_interpreter for the server"
NEWER = "install a newer Python there, or set ansible_python_interpreter for the server"
ACL = "install the package acl there, or leave pipelining on: a file must be shared with the other user"

FAILED = [
    (f"{JSON}sudo: a password is required", f"instead of a result came: sudo: a password is required; {NOPASSWD}"),
    (f"{JSON}sudo: a terminal is required to read the password; either use the -S option to read from standard input",
     ("instead of a result came: sudo: a terminal is required to read the password; either use the -S option to read "
     f"from standard input; {NOPASSWD}")),
    (f"{JSON}su: Authentication failure",
     "instead of a result came: su: Authentication failure; check the password that the playbook gives to su"),
    (f"{JSON}Sorry, try again.\nsudo: 1 incorrect password attempt",
     ("instead of a result came: Sorry, try again. sudo: 1 incorrect password attempt; "
     "check the password that the playbook gives to sudo")),
    (f"{JSON}sudo: sorry, you must have a tty to run sudo",
     f"instead of a result came: sudo: sorry, you must have a tty to run sudo; {TTY}"),
    (f"{JSON}deploy is not in the sudoers file.  This incident will be reported.",
     ("instead of a result came: deploy is not in the sudoers file. This incident will be reported; "
     "allow deploy all commands in sudoers there")),
    (f"{JSON}Sorry, user deploy is not allowed to execute '/bin/sh -c x' as root on web.",
     ("instead of a result came: Sorry, user deploy is not allowed to execute '/bin/sh -c x' as root on web; "
     "allow deploy all commands in sudoers there")),
    (f"{JSON}/bin/sh: 1: sudo: not found", "instead of a result came: /bin/sh: 1: sudo: not found; install sudo there"),
    (f"{JSON}This account is currently not available.",
     "instead of a result came: This account is currently not available; give deploy a shell to log in with there"),
    (f"{JSON}WARNING: Your password has expired.\nPassword change required but no TTY available.",
     ("instead of a result came: WARNING: Your password has expired. Password change required but no TTY available; "
     "give deploy a new password there")),
    (("Failed to set permissions on the temporary files Ansible needs to create when becoming an unprivileged user (rc"
     ": 1, err: chmod: invalid mode: 'A+user:www-data:rx:allow'\nTry 'chmod --help' for more information.\n})."),
     ("Failed to set permissions on the temporary files Ansible needs to create when becoming an unprivileged user (rc"
     f": 1, err: chmod: invalid mode: 'A+user:www-data:rx:allo…; {ACL}; or the user www-data does not exist")),
    ("The module interpreter '/usr/bin/python3' was not found.",
     f"The module interpreter '/usr/bin/python3' was not found; {PYTHON}"),
    (f"{JSON}/bin/sh: /usr/bin/python3: No such file or directory",
     f"instead of a result came: /bin/sh: /usr/bin/python3: No such file or directory; {PYTHON}"),
    ("ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8 (default, Nov 16 2020)",
     f"ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8 (default, Nov 16 2020); {NEWER}"),
    (f"{JSON}SyntaxError: future feature annotations is not defined",
     f"instead of a result came: SyntaxError: future feature annotations is not defined; {NEWER}"),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt-get)",
     ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt-get); "
     "another program installs packages there; run it again once that is done")),
    ("[Errno 28] No space left on device: b'/root/.ansible/tmp'",
     "[Errno 28] No space left on device: b'/root/.ansible/tmp'; make room on its disk"),
    (("Task failed: Action failed: Unknown error: Could not find or access 'x.yml'\nSearched in:\n\t/a/vars/x.yml\n"
     "\t/a/x.yml on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see "
     "the remote_src option"), "Could not find or access 'x.yml'"),
    (("Unexpected AnsibleActionFail error: Could not find or access 'x.conf'\nSearched in:\n\t/a/x.conf on the Ansible "
     "Controller.\nIf you are using a module"), "Could not find or access 'x.conf'"),
    (("Task failed: Premature end of stream waiting for become success.\n>>> Standard Output\nNo way in.\n>>> Standard "
     "Error\nGo away."), "No way in. Go away."),
    ("Task failed: Premature end of stream waiting for become success.",
     "Premature end of stream waiting for become success."),
    (("Invalid data passed to 'loop', it requires a list, got this instead: <class 'ansible.module_utils._internal."
     "_datatag._AnsibleTaggedDict'>"), "Invalid data passed to 'loop', it requires a list, got this instead: a dict"),
    ("got a <class 'ansible.module_utils._internal._datatag._AnsibleTaggedStr'>, an <class 'int'>",
     "got a text, a number"),
    ("<class 'urllib.error.HTTPError'> raised an error", "<class 'urllib.error.HTTPError'> raised an error"),
    ("The command exited with a non-zero return code: boom", "non-zero return code: boom"),
    (("Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't decode byte 0xe9 in position 3: "
      "unexpected end of data"), "what it printed is not UTF-8 text"),
    ("'utf-8' codec can't decode byte 0xfc in position 3: invalid start byte",
     "the file is not UTF-8 text: save it as UTF-8"),
    ("No package matching 'nginx' is available", "No package matching 'nginx' is available"),
]  # fmt: skip


BECOMING = [
    ("Missing sudo password", f"Missing sudo password; {NOPASSWD}"),
    ("Task failed: Missing sudo password", f"Missing sudo password; {NOPASSWD}"),
    ("Missing su password", f"Missing su password; {GIVE}"),
    ("Task failed: Missing doas password", f"Missing doas password; {GIVE}"),
    ("Incorrect sudo password", "Incorrect sudo password; check the password that the playbook gives to sudo"),
    ("Task failed: Incorrect su password", "Incorrect su password; check the password that the playbook gives to su"),
]


@pytest.mark.parametrize(("said", "told"), BECOMING)
def test_a_task_that_could_not_become_another_user(said: str, told: str) -> None:
    trouble = Trouble("Install", said, becomes=Becomes("sudo", "app"))
    assert sentence(failed(trouble, "deploy")) == f'failed on web at "Install": {told}'


@pytest.mark.parametrize(
    "said",
    [
        "Missing mysql password",
        "a password is required for user admin",
        "Incorrect admin password",
        "app: Missing database password",
    ],
)
def test_what_a_program_says_of_passwords_is_no_matter_of_becoming(said: str) -> None:
    assert sentence(failed(Trouble("Install", said), "deploy")) == f'failed on web at "Install": {said}'


@pytest.mark.parametrize(("said", "told"), FAILED)
def test_a_task_that_failed(said: str, told: str) -> None:
    assert sentence(failed(Trouble("Install", said), "deploy")) == f'failed on web at "Install": {told}'


def test_who_asks_for_a_password_and_for_whom() -> None:
    asked = "Task failed: Timeout (12s) waiting for privilege escalation prompt: "
    by = [Becomes("su", "app"), Becomes("sudo", "app"), Becomes("doas")]
    assert [sentence(away(Trouble("Install", asked, None, how), "1", "deploy", None)) for how in by] == [
        f'could not become app on web at "Install": su asks for a password, or does not answer; {RIGHT}',
        'could not become app on web at "Install": sudo asks for a password, or does not answer; let deploy do without',
        f'could not become another user on web at "Install": doas asks for a password, or does not answer; {RIGHT}',
    ]


def test_a_user_who_is_not_there() -> None:
    said = "Task failed: Failed to change ownership of the temporary files Ansible needs to create"
    told = sentence(failed(Trouble("Install", said, None, Becomes("su", "app")), "deploy"))
    assert told.endswith(" needs to create; check that the user app exists there")


def test_long_words_leave_room_for_the_advice() -> None:
    told = sentence(
        failed(Trouble("Install", f"{'x ' * 1000}Missing sudo password", becomes=Becomes("sudo")), "deploy")
    )
    assert told.endswith(f"…; {NOPASSWD}")
    assert len(told) < 400
    told = sentence(away(Trouble("Install", SSH + MOTD * 100 + "Permission denied (publickey)."), "1", "deploy", None))
    assert told == REFUSED.format("publickey")
