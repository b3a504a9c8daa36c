"""The pages: templates, style and small modules of our own, served as they lie here."""
