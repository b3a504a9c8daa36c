"""Stand-alone programs for people without this project's packages."""
