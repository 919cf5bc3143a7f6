-- Writes sums as they stand now; see usage_fold.rs.
INSERT INTO usage_sum (
    organization, facet, start, label, project, key_id, model, model_version, provider,
    status, requests, estimated, unpriced, cost_nano, input, cached_input, cache_write,
    cache_write_hour, audio_input, output, reasoning, audio_output, images, served, units,
    duration, first_byte, overhead, grain, cell)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[],
    $7::uuid[], $8::uuid[], $9::uuid[], $10::integer[], $11::bigint[], $12::bigint[],
    $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
    $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[],
    $23::bigint[], $24::bigint[], $25::bigint[], $26::bytea[], $27::bytea[],
    $28::bytea[], $29::smallint[], $30::uuid[])
ON CONFLICT ON CONSTRAINT usage_sum_pkey DO UPDATE SET (
    requests, estimated, unpriced, cost_nano, input, cached_input, cache_write,
    cache_write_hour, audio_input, output, reasoning, audio_output, images, served, units,
    duration, first_byte, overhead) = (
    EXCLUDED.requests, EXCLUDED.estimated, EXCLUDED.unpriced, EXCLUDED.cost_nano,
    EXCLUDED.input, EXCLUDED.cached_input, EXCLUDED.cache_write,
    EXCLUDED.cache_write_hour, EXCLUDED.audio_input, EXCLUDED.output,
    EXCLUDED.reasoning, EXCLUDED.audio_output, EXCLUDED.images, EXCLUDED.served,
    EXCLUDED.units, EXCLUDED.duration, EXCLUDED.first_byte, EXCLUDED.overhead)
