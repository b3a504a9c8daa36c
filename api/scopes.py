"""The scopes that a token may carry."""

from enum import StrEnum


class Scope(StrEnum):
    PERMITS_WRITE = "permits:write"
    APPLICATIONS_WRITE = "applications:write"
    HOLDER = "holder"
    VERIFY = "verify"
    AUDIT_READ = "audit:read"
    ERASE = "erase"
    OPERATE = "operate"
