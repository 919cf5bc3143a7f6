-- Stores records that are not there yet, and tells which these are; see usage.rs.
INSERT INTO usage_record (
    edge_id, region, batch, day, id, at, organization, project, key_id, model,
    model_version, provider, provider_model, endpoint, outcome, status, streamed,
    usage_source, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, revision, duration_us, first_byte_us,
    request_bytes, answer_bytes, over_limits, cost_nano, cost_known, charges,
    tags, end_user, attempts, overhead_us, queue_us, trace_id, finish,
    decision)
SELECT $1, $2, $34, it.* FROM unnest(
    $3::date[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::uuid[], $8::text[],
    $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::smallint[],
    $15::integer[], $16::boolean[], $17::smallint[], $18::bigint[], $19::bigint[],
    $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[],
    $25::bigint[], $26::bigint[], $27::bytea[], $28::bigint[], $29::boolean[],
    $30::bytea[], $31::text[], $32::text[], $33::bytea[], $35::bigint[],
    $36::bigint[], $37::bytea[], $38::smallint[], $39::bytea[]) AS it
ON CONFLICT DO NOTHING RETURNING day, id
