"""Recipes: the playbooks that may be run, as they are described in the Ansible directory."""
