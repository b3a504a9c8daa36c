"""Roles, and the scopes of their tokens."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    PERMITS_WRITE = "permits:write"
    APPLICATIONS_WRITE = "applications:write"
    HOLDER = "holder"
    VERIFY = "verify"
    AUDIT_READ = "audit:read"
    AUDIT_SUPERVISE = "audit:supervise"
    ERASE = "erase"
    OPERATE = "operate"


class Role(StrEnum):
    REGISTRAR = "registrar"
    HOLDER = "holder"
    VERIFIER = "verifier"
    INVESTIGATOR = "investigator"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"


ROLE_SCOPES: dict[Role, tuple[Scope, ...]] = {
    Role.REGISTRAR: (Scope.PERMITS_WRITE, Scope.APPLICATIONS_WRITE),
    Role.HOLDER: (Scope.HOLDER,),
    Role.VERIFIER: (Scope.VERIFY,),
    Role.INVESTIGATOR: (Scope.AUDIT_READ, Scope.ERASE),
    Role.SUPERVISOR: (Scope.AUDIT_READ, Scope.AUDIT_SUPERVISE),
    Role.OPERATOR: (Scope.OPERATE, Scope.ERASE),
}
