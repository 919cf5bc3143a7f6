-- Sums of usage by pieces of time and dimensions; see usage_groups.rs.
WITH piece AS (
    SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::timestamptz[], $4::timestamptz[])
        AS it (bucket, grain, from_at, to_at)
), line AS (
    SELECT bucket, it.* FROM piece CROSS JOIN LATERAL (
        SELECT facet, organization, label, project, key_id, model, model_version, provider, status, requests, estimated,
               unpriced, cost_nano, input, cached_input, cache_write, cache_write_hour, audio_input,
               output, reasoning, audio_output, images, served, units,
               CASE WHEN $14::boolean THEN duration END AS duration,
               CASE WHEN $14::boolean THEN first_byte END AS first_byte,
               CASE WHEN $14::boolean THEN overhead END AS overhead
        FROM usage_sum
        WHERE organization = ANY($5) AND facet = ANY($6) AND grain = piece.grain
          AND start >= piece.from_at AND start < piece.to_at
        -- A fence: each piece is a short run of the index, and is to be read as one.
        OFFSET 0
    ) AS it
    UNION ALL
    SELECT bucket, it.* FROM piece CROSS JOIN LATERAL (
        SELECT facet, organization, label, project, key_id, model, model_version, provider, status, requests, estimated,
               unpriced, cost_nano, input, cached_input, cache_write, cache_write_hour, audio_input,
               output, reasoning, audio_output, images, served, units,
               CASE WHEN $14::boolean THEN duration END AS duration,
               CASE WHEN $14::boolean THEN first_byte END AS first_byte,
               CASE WHEN $14::boolean THEN overhead END AS overhead
        FROM usage_delta
        WHERE organization = ANY($5) AND facet = ANY($6)
          AND start >= piece.from_at AND start < piece.to_at
        -- A fence: each piece is a short run of the index, and is to be read as one.
        OFFSET 0
    ) AS it
), sums AS (
    SELECT bucket, facet, label,
           CASE WHEN $7::boolean THEN organization END AS organization,
           CASE WHEN $8::boolean THEN project END AS project,
           CASE WHEN $9::boolean THEN key_id END AS key_id,
           CASE WHEN $10::boolean THEN nullif(model, '00000000-0000-0000-0000-000000000000') END
               AS model,
           CASE WHEN $11::boolean
               THEN nullif(model_version, '00000000-0000-0000-0000-000000000000') END
               AS model_version,
           CASE WHEN $12::boolean THEN provider END AS provider,
           CASE WHEN $13::boolean THEN status END AS status,
           sum(requests) AS requests, sum(estimated) AS estimated,
           sum(unpriced) AS unpriced, sum(cost_nano) AS cost_nano, sum(input) AS input,
           sum(cached_input) AS cached_input, sum(cache_write) AS cache_write,
           sum(cache_write_hour) AS cache_write_hour, sum(audio_input) AS audio_input,
           sum(output) AS output, sum(reasoning) AS reasoning,
           sum(audio_output) AS audio_output, sum(images) AS images,
           sum(served) AS served, sum(units) AS units,
           string_agg(duration, ''::bytea) AS duration,
           string_agg(first_byte, ''::bytea) AS first_byte,
           string_agg(overhead, ''::bytea) AS overhead
    FROM line
    WHERE ($15::boolean OR provider IS NOT NULL)
      AND ($16::uuid[] IS NULL OR project = ANY($16))
      AND ($17::text[] IS NULL OR key_id = ANY($17))
      AND ($18::uuid[] IS NULL OR model = ANY($18))
      AND ($19::uuid[] IS NULL OR model_version = ANY($19))
      AND ($20::uuid[] IS NULL OR provider = ANY($20))
      AND ($21::integer[] IS NULL OR status = ANY($21))
      AND ($22::text[] IS NULL OR facet = '' OR label = ANY($22))
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
)
SELECT sums.bucket AS "bucket!", sums.facet AS "facet!", sums.label AS "label?",
       coalesce(organization.name, encode(uuid_send(sums.organization), 'hex')) AS "organization?",
       coalesce(project.name, encode(uuid_send(sums.project), 'hex')) AS "project?",
       sums.key_id AS "key_id?",
       coalesce(model.name, encode(uuid_send(sums.model), 'hex')) AS "model?",
       coalesce(of.name || '/versions/' || version.name,
           '-/versions/' || encode(uuid_send(sums.model_version), 'hex')) AS "version?",
       coalesce(provider.name, encode(uuid_send(sums.provider), 'hex')) AS "provider?",
       sums.status AS "status?",
       least(requests, 9223372036854775807)::bigint AS "requests!",
       least(estimated, 9223372036854775807)::bigint AS "estimated!",
       least(unpriced, 9223372036854775807)::bigint AS "unpriced!",
       least(cost_nano, 9223372036854775807)::bigint AS "cost_nano!",
       least(input, 9223372036854775807)::bigint AS "input!",
       least(cached_input, 9223372036854775807)::bigint AS "cached_input!",
       least(cache_write, 9223372036854775807)::bigint AS "cache_write!",
       least(cache_write_hour, 9223372036854775807)::bigint AS "cache_write_hour!",
       least(audio_input, 9223372036854775807)::bigint AS "audio_input!",
       least(output, 9223372036854775807)::bigint AS "output!",
       least(reasoning, 9223372036854775807)::bigint AS "reasoning!",
       least(audio_output, 9223372036854775807)::bigint AS "audio_output!",
       least(images, 9223372036854775807)::bigint AS "images!",
       least(served, 9223372036854775807)::bigint AS "served!",
       least(units, 9223372036854775807)::bigint AS "units!",
       coalesce(duration, ''::bytea) AS "duration!",
       coalesce(first_byte, ''::bytea) AS "first_byte!",
       coalesce(overhead, ''::bytea) AS "overhead!"
FROM sums
LEFT JOIN organization ON organization.id = sums.organization
LEFT JOIN project ON project.id = sums.project
LEFT JOIN model ON model.id = sums.model
LEFT JOIN model_version version ON version.id = sums.model_version
LEFT JOIN model of ON of.id = version.model
LEFT JOIN provider ON provider.id = sums.provider
-- What gave way to other records leaves nothing.
WHERE requests <> 0 OR cost_nano <> 0
LIMIT $23
