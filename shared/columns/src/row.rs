//! What stands in each column, and what the columns are called.
//!
//! The schema and the columns below it stand in one order; a test reads every one back.

use proto::admin::{
    UsageAttempt, UsageCharge, UsageCount, UsageRecord, UsageTarget, UsageTargetNote,
};

use crate::leaf::Leaf;

/// The schema, as Parquet writes it.
pub(crate) const SCHEMA: &str = "message usage_record {
  required binary id (STRING);
  required int64 time (TIMESTAMP(MICROS,true));
  required binary organization (STRING);
  required binary project (STRING);
  required binary key (STRING);
  required binary model (STRING);
  required binary version (STRING);
  required binary provider (STRING);
  required binary provider_model (STRING);
  required binary endpoint (STRING);
  required binary outcome (STRING);
  required int32 status;
  required boolean streamed;
  required binary usage_source (STRING);
  required int64 input_tokens;
  required int64 cached_input_tokens;
  required int64 output_tokens;
  required int64 reasoning_tokens;
  optional int64 cost_nano;
  required int64 duration_us;
  required int64 first_byte_us;
  required binary end_user (STRING);
  required binary edge (STRING);
  required binary region (STRING);
  required int64 revision;
  required int64 request_bytes;
  required int64 answer_bytes;
  required int64 overhead_us;
  required int64 queue_us;
  required int64 output_token_us;
  required binary trace_id (STRING);
  required binary finish (STRING);
  required group tags (MAP) {
    repeated group key_value {
      required binary key (STRING);
      required binary value (STRING);
    }
  }
  required group attempts (LIST) {
    repeated group list {
      required group element {
        required binary provider (STRING);
        required binary provider_model (STRING);
        required binary code (STRING);
        required int32 status;
        required int64 tokens;
      }
    }
  }
  required binary chosen_by (STRING);
  required int32 rule;
  required group targets (LIST) {
    repeated group list {
      required group element {
        required binary provider (STRING);
        required binary provider_model (STRING);
        required int32 place;
        required boolean reached;
        required group notes (LIST) {
          repeated group list {
            required group element {
              required binary rule (STRING);
              required int64 lasts_ms;
            }
          }
        }
      }
    }
  }
  required group charges (LIST) {
    repeated group list {
      required group element {
        required binary provider (STRING);
        required binary provider_model (STRING);
        required binary provider_region (STRING);
        required binary tier (STRING);
        required binary price (STRING);
        required int32 discount_basis_points;
        required group counts (LIST) {
          repeated group list {
            required group element {
              required binary counter (STRING);
              required int64 count;
              required int64 nano_dollars;
              required int64 cost_nano;
            }
          }
        }
      }
    }
  }
}";

/// Puts one record's part into a column.
pub(crate) type Fill = fn(&UsageRecord, &mut Leaf);

/// The columns, in the order of the schema.
pub(crate) const COLUMNS: [Fill; 57] = [
    |it, leaf| leaf.text(&it.id),
    |it, leaf| leaf.long(micros(it)),
    |it, leaf| leaf.text(organization(it)),
    |it, leaf| leaf.text(&it.project),
    |it, leaf| leaf.text(&it.key),
    |it, leaf| leaf.text(&it.model),
    |it, leaf| leaf.text(&it.version),
    |it, leaf| leaf.text(&it.provider),
    |it, leaf| leaf.text(&it.provider_model),
    |it, leaf| leaf.text(&it.endpoint),
    |it, leaf| leaf.text(&it.outcome),
    |it, leaf| leaf.int(it.status),
    |it, leaf| leaf.flag(it.streamed),
    |it, leaf| leaf.text(&it.usage_source),
    |it, leaf| leaf.long(it.input_tokens),
    |it, leaf| leaf.long(it.cached_input_tokens),
    |it, leaf| leaf.long(it.output_tokens),
    |it, leaf| leaf.long(it.reasoning_tokens),
    |it, leaf| leaf.maybe(it.cost_known.then_some(it.cost_nano)),
    |it, leaf| leaf.long(it.duration_us),
    |it, leaf| leaf.long(it.first_byte_us),
    |it, leaf| leaf.text(&it.end_user),
    |it, leaf| leaf.text(&it.edge),
    |it, leaf| leaf.text(&it.region),
    |it, leaf| leaf.long(it.revision),
    |it, leaf| leaf.long(it.request_bytes),
    |it, leaf| leaf.long(it.answer_bytes),
    |it, leaf| leaf.long(it.overhead_us),
    |it, leaf| leaf.long(it.queue_us),
    |it, leaf| leaf.long(it.output_token_us),
    |it, leaf| leaf.text(&it.trace_id),
    |it, leaf| leaf.text(&it.finish),
    |it, leaf| leaf.list(1, tags(it), |leaf, (key, _)| leaf.text(key)),
    |it, leaf| leaf.list(1, tags(it), |leaf, (_, value)| leaf.text(value)),
    |it, leaf| attempts(it, leaf, |leaf, it| leaf.text(&it.provider)),
    |it, leaf| attempts(it, leaf, |leaf, it| leaf.text(&it.provider_model)),
    |it, leaf| attempts(it, leaf, |leaf, it| leaf.text(&it.code)),
    |it, leaf| attempts(it, leaf, |leaf, it| leaf.int(it.status)),
    |it, leaf| attempts(it, leaf, |leaf, it| leaf.long(it.tokens)),
    |it, leaf| leaf.text(it.decision.as_ref().map_or("", |it| &it.chosen_by)),
    |it, leaf| leaf.int(it.decision.as_ref().map_or(0, |it| it.rule)),
    |it, leaf| targets(it, leaf, |leaf, it| leaf.text(&it.provider)),
    |it, leaf| targets(it, leaf, |leaf, it| leaf.text(&it.provider_model)),
    |it, leaf| targets(it, leaf, |leaf, it| leaf.int(it.place)),
    |it, leaf| targets(it, leaf, |leaf, it| leaf.flag(it.reached)),
    |it, leaf| notes(it, leaf, |leaf, it| leaf.text(&it.rule)),
    |it, leaf| notes(it, leaf, |leaf, it| leaf.long(it.lasts_ms)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.text(&it.provider)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.text(&it.provider_model)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.text(&it.provider_region)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.text(&it.tier)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.text(&it.price)),
    |it, leaf| charges(it, leaf, |leaf, it| leaf.int(it.discount_basis_points)),
    |it, leaf| counts(it, leaf, |leaf, it| leaf.text(&it.counter)),
    |it, leaf| counts(it, leaf, |leaf, it| leaf.long(it.count)),
    |it, leaf| counts(it, leaf, |leaf, it| leaf.long(it.nano_dollars)),
    |it, leaf| counts(it, leaf, |leaf, it| leaf.long(it.cost_nano)),
];

fn micros(it: &UsageRecord) -> i64 {
    it.time.as_ref().map_or(0, |at| {
        let micros = at.seconds.saturating_mul(1_000_000);
        micros.saturating_add(i64::from(at.nanos / 1_000))
    })
}

/// `organizations/{organization}`, of which a project's name begins.
fn organization(it: &UsageRecord) -> &str {
    it.project.split("/projects/").next().unwrap_or_default()
}

/// The tags by their keys, so that both columns have one order, and a file written twice is the same.
fn tags(it: &UsageRecord) -> Vec<(&String, &String)> {
    let mut tags: Vec<_> = it.tags.iter().collect();
    tags.sort_unstable();
    tags
}

fn attempts(it: &UsageRecord, leaf: &mut Leaf, each: fn(&mut Leaf, &UsageAttempt)) {
    leaf.list(1, &it.attempts, each);
}

fn targets(it: &UsageRecord, leaf: &mut Leaf, each: fn(&mut Leaf, &UsageTarget)) {
    let targets = it.decision.iter().flat_map(|it| &it.targets);
    leaf.list(1, targets, each);
}

fn notes(it: &UsageRecord, leaf: &mut Leaf, each: fn(&mut Leaf, &UsageTargetNote)) {
    let targets = it.decision.iter().flat_map(|it| &it.targets);
    leaf.list(1, targets, |leaf, target| {
        leaf.list(2, &target.notes, each);
    });
}

fn charges(it: &UsageRecord, leaf: &mut Leaf, each: fn(&mut Leaf, &UsageCharge)) {
    leaf.list(1, &it.charges, each);
}

fn counts(it: &UsageRecord, leaf: &mut Leaf, each: fn(&mut Leaf, &UsageCount)) {
    leaf.list(1, &it.charges, |leaf, charge| {
        leaf.list(2, &charge.counts, each);
    });
}
