"""HTTP itself: the application, requests, tokens, problems, streams, metrics."""
