"""The fault harness: roles as real processes, seeded kills and cuts, and a judge that shares no code with the product."""
