"""Who may run next: locks of servers, rank, and slots."""
