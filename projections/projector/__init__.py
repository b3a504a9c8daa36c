"""Follows the log and writes every view in one transaction a page."""
