"""Analysis to text, JSON, tables: one file a form, the registry in ``output``."""
