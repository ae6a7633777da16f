"""What each path answers: GraphQL in three transports, the log, the page, health and metrics."""
