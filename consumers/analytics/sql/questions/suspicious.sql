-- Permits that an investigator should look at: repeated losses, repeated checks of expired codes, checks of
-- superseded cards, many phones. A row is a pattern, not a finding.
CREATE TEMP VIEW suspicious AS
SELECT pattern, permit_number, times, within_days, first_at, last_at
FROM findings ORDER BY last_at DESC, pattern, permit_number LIMIT 2000;
