-- What was used by a quota's scope in pieces of time; see spent.rs. Sums and what is not folded into them yet are read in one
-- statement, so that each addition is seen once.
WITH part AS (
    SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[]) AS it (facet, label, sign)
), piece AS (
    SELECT * FROM unnest($1::smallint[], $2::timestamptz[], $3::timestamptz[])
        AS it (grain, from_at, to_at)
), line AS (
    SELECT part.sign, it.* FROM part CROSS JOIN piece CROSS JOIN LATERAL (
        SELECT label, project, key_id, model, provider, requests, cost_nano,
               input + cached_input + cache_write + cache_write_hour + audio_input AS into_it,
               output + reasoning + audio_output AS out_of_it
        FROM usage_sum
        WHERE organization = $7 AND facet = part.facet AND grain = piece.grain
          AND start >= piece.from_at AND start < piece.to_at
        -- A fence: each piece is a short run of the index, and is to be read as one.
        OFFSET 0
    ) AS it WHERE part.label IS NULL OR it.label = part.label
    UNION ALL
    SELECT part.sign, it.* FROM part CROSS JOIN piece CROSS JOIN LATERAL (
        SELECT label, project, key_id, model, provider, requests, cost_nano,
               input + cached_input + cache_write + cache_write_hour + audio_input AS into_it,
               output + reasoning + audio_output AS out_of_it
        FROM usage_delta
        WHERE organization = $7 AND facet = part.facet
          AND start >= piece.from_at AND start < piece.to_at
        OFFSET 0
    ) AS it WHERE part.label IS NULL OR it.label = part.label
)
SELECT greatest(least(coalesce(sum(sign * requests), 0), 9223372036854775807), 0)::bigint AS "requests!",
       greatest(least(coalesce(sum(sign * cost_nano), 0), 9223372036854775807), 0)::bigint AS "cost_nano!",
       greatest(least(coalesce(sum(sign * into_it), 0), 9223372036854775807), 0)::bigint AS "input!",
       greatest(least(coalesce(sum(sign * out_of_it), 0), 9223372036854775807), 0)::bigint AS "output!"
FROM line
WHERE ($8::uuid IS NULL OR project = $8)
  AND ($9::text IS NULL OR key_id = $9)
  AND ($10::uuid IS NULL OR model = $10)
  AND ($11::uuid IS NULL OR provider = $11)
