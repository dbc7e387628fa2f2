"""Many logs in, a folder of reports out: pages, an index and a data set, kept up to date."""
