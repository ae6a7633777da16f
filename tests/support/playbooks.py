"""Playbooks that more than one test file runs."""

SLEEPY = """
- name: Sleepy
  hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep {seconds}
      changed_when: false
"""
# Prints, then waits until the file `go` exists.
SLOW = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: printed early}}
    - ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.05; done
"""
