-- A budget, which is a limit on money, says at which parts of it somebody should look, in percent.
-- Old code can run against it: it leaves them as they are.

ALTER TABLE rate_limit
    ADD COLUMN thresholds integer[] NOT NULL DEFAULT '{}';
