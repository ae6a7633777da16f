"""What measurements need around them: servers, sshds, databases, watchers and filled tables."""
