-- Records with these ids, in this order, with names where ids were; see usage_read.rs.
SELECT it.id, it.at,
       coalesce(organization.name, encode(uuid_send(it.organization), 'hex')) AS "organization!",
       coalesce(project.name, encode(uuid_send(it.project), 'hex')) AS "project!",
       it.key_id,
       coalesce(model.name, encode(uuid_send(
           nullif(it.model, '00000000-0000-0000-0000-000000000000')), 'hex')) AS "model?",
       coalesce(version.name, encode(uuid_send(
           nullif(it.model_version, '00000000-0000-0000-0000-000000000000')), 'hex'))
           AS "version?",
       coalesce(provider.name, encode(uuid_send(it.provider), 'hex')) AS "provider?",
       it.provider_model, it.endpoint, it.outcome, it.status, it.streamed,
       it.usage_source, it.input_tokens, it.cached_input_tokens, it.output_tokens,
       it.reasoning_tokens, it.cost_nano, it.cost_known, it.duration_us,
       it.first_byte_us, it.request_bytes, it.answer_bytes, it.revision, it.edge_id,
       it.region, it.end_user, it.tags, it.charges, it.attempts, it.overhead_us,
       it.queue_us, it.trace_id, it.finish, it.decision
FROM unnest($1::date[], $2::uuid[]) WITH ORDINALITY AS wanted (day, id, place)
JOIN usage_record it ON it.day = wanted.day AND it.id = wanted.id
LEFT JOIN organization ON organization.id = it.organization
LEFT JOIN project ON project.id = it.project
LEFT JOIN model ON model.id = it.model
LEFT JOIN model_version version ON version.id = it.model_version
LEFT JOIN provider ON provider.id = it.provider
ORDER BY wanted.place
