"""The pages people see: templates and static files, served as they lie here."""
