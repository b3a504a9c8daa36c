"""First identity cards across provinces (跨省异地首次申领居民身份证): another stream type of the
log.

Residents of other provinces get their first identity card at any household-registration station of
the city. The rules are C1-C14, from the notice [C]; where it is silent, [D] says what was decided.
"""
