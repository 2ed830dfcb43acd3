"""Receivers of messages, for tests: they keep what they were sent and answer as they are told."""
