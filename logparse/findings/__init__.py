"""Tables to findings: one file a family, rules in a registry."""
