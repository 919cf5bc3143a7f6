-- Sums of one organization and one grain over a span of time, of every facet; see usage_shift_build.rs. Facets are few, and each
-- is a run of the index of its own.
WITH RECURSIVE facets AS (
    (SELECT facet FROM usage_sum WHERE organization = $1 ORDER BY facet LIMIT 1)
    UNION ALL
    SELECT (SELECT it.facet FROM usage_sum it
            WHERE it.organization = $1 AND it.facet > facets.facet ORDER BY it.facet LIMIT 1)
    FROM facets WHERE facets.facet IS NOT NULL
)
SELECT it.grain AS "grain!", it.organization AS "organization!", it.facet AS "facet!", it.start AS "start!",
       it.label AS "label?", it.project AS "project!", it.key_id AS "key_id!", it.model AS "model!",
       it.model_version AS "version!", it.provider AS "provider?", it.status AS "status!",
       it.requests AS "requests!", it.estimated AS "estimated!", it.unpriced AS "unpriced!",
       it.cost_nano AS "cost_nano!", it.input AS "input!", it.cached_input AS "cached_input!",
       it.cache_write AS "cache_write!", it.cache_write_hour AS "cache_write_hour!",
       it.audio_input AS "audio_input!", it.output AS "output!", it.reasoning AS "reasoning!",
       it.audio_output AS "audio_output!", it.images AS "images!", it.served AS "served!",
       it.units AS "units!", it.duration AS "duration!", it.first_byte AS "first_byte!",
       it.overhead AS "overhead!"
FROM facets CROSS JOIN LATERAL (
    SELECT * FROM usage_sum
    WHERE organization = $1 AND facet = facets.facet AND grain = $2 AND start >= $3 AND start < $4
    OFFSET 0
) AS it
