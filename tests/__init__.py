"""Tests: real ansible, real sshd, real databases, through the front door wherever that is possible."""
