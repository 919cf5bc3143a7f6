//! What the control plane makes of a field that nobody names, and the order of lists whose order says nothing.
//!
//! What is declared and what stands are both brought into this form before they are compared, so that neither an empty field
//! nor another order is taken for a change. Knows the contract's own words on it; writes nothing.

use std::time::Duration;

use policy::{
    limit::{Rate, UNITS_MAX},
    provider::ProviderKind,
};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage};
use proto::admin::{
    AliasFollows, ContentKeeping, KeyRotation, Limit, LimitMode, LimitOnStoreLoss, LimitWindow,
    Model, ModelAlias, Project, Provider, TrafficClass,
};

use crate::{failure::Failure, moment};

const DAY_MS: u64 = 86_400_000;

/// How long what was said is kept where nobody says.
const CONTENT_DAYS: i32 = 7;

/// Changes a message as what it is.
pub fn typed<M: Message + Default>(
    message: &DynamicMessage,
    change: impl FnOnce(&mut M),
) -> Result<DynamicMessage, Failure> {
    let mut it: M = message.transcode_to().map_err(Failure::broken)?;
    change(&mut it);
    let mut changed = DynamicMessage::new(message.descriptor());
    changed.transcode_from(&it).map_err(Failure::broken)?;
    Ok(changed)
}

/// Of a project.
pub fn project(message: &DynamicMessage) -> Result<DynamicMessage, Failure> {
    typed(message, |it: &mut Project| {
        or(&mut it.traffic_class, TrafficClass::Standard.into());
        or(&mut it.traffic_share, 1);
        or(&mut it.content_keeping, ContentKeeping::None.into());
        or(&mut it.content_days, CONTENT_DAYS);
        it.forbidden_preferences.sort_unstable();
        it.forbidden_preferences.dedup();
        it.residencies.sort_unstable();
        if let Some(rotation) = &mut it.key_rotation {
            fill(rotation);
        }
    })
}

/// Of a provider. Its credential is compared by nobody.
pub fn provider(message: &DynamicMessage) -> Result<DynamicMessage, Failure> {
    typed(message, |it: &mut Provider| {
        let kind = u32::try_from(it.kind).ok();
        if let Some(kind) = kind.and_then(ProviderKind::from_number) {
            let preset = kind.preset();
            if it.base_url.is_empty() {
                preset
                    .base_url
                    .unwrap_or_default()
                    .clone_into(&mut it.base_url);
            }
            it.stream_options.get_or_insert(preset.stream_options);
            if kind == ProviderKind::Custom {
                it.custom.get_or_insert_default();
            }
        }
        if let Some(custom) = &mut it.custom {
            if custom.method.is_empty() {
                "POST".clone_into(&mut custom.method);
            }
            custom.credential_header.make_ascii_lowercase();
            for header in &mut custom.headers {
                header.name.make_ascii_lowercase();
            }
        }
        it.regions.sort_unstable();
        for origin in &mut it.exchange_origins {
            *origin = with_port(origin);
        }
        it.exchange_origins.sort_unstable();
    })
}

/// Of a model, which has nothing of the kind.
pub fn model(message: &DynamicMessage) -> Result<DynamicMessage, Failure> {
    typed(message, |_: &mut Model| ())
}

/// Of an alias: where nobody says what it follows, the version tells.
pub fn alias(message: &DynamicMessage) -> Result<DynamicMessage, Failure> {
    typed(message, |it: &mut ModelAlias| {
        let usual = match it.version_id.as_str() {
            "" => AliasFollows::Model,
            _ => AliasFollows::Pinned,
        };
        or(&mut it.follows, usual.into());
    })
}

/// Of a limit.
pub fn limit(message: &DynamicMessage) -> Result<DynamicMessage, Failure> {
    typed(message, |it: &mut Limit| {
        or(&mut it.mode, LimitMode::Hard.into());
        or(&mut it.on_store_loss, LimitOnStoreLoss::LocalShare.into());
        it.each.sort_unstable();
        it.regions.sort_unstable();
        let is_rate = [LimitWindow::Second, LimitWindow::Minute, LimitWindow::Hour]
            .into_iter()
            .any(|window| it.window == i32::from(window));
        if is_rate {
            let burst = |amount: i64| {
                let amount = u64::try_from(amount).unwrap_or(0);
                i64::try_from(Rate::default_burst(amount).min(UNITS_MAX)).unwrap_or(0)
            };
            or(&mut it.burst, burst(it.amount));
            for other in &mut it.overrides {
                or(&mut other.burst, burst(other.amount));
            }
        }
    })
}

fn or<T: Default + PartialEq>(field: &mut T, usual: T) {
    if *field == T::default() {
        *field = usual;
    }
}

fn fill(rotation: &mut KeyRotation) {
    let millis = |span: &prost_types::Duration| {
        let nanos = u64::try_from(span.nanos / 1_000_000).unwrap_or(0);
        let seconds = u64::try_from(span.seconds).unwrap_or(0);
        seconds.saturating_mul(1_000).saturating_add(nanos)
    };
    let wire = |millis| moment::wire_span(Duration::from_millis(millis));
    let cycle = rotation.period.as_ref().or(rotation.max_age.as_ref());
    let tenth_ms = cycle.map_or(90 * DAY_MS, millis) / 10;
    rotation.overlap.get_or_insert(wire(tenth_ms.min(DAY_MS)));
    rotation.warn_before.get_or_insert(wire(tenth_ms));
}

/// An origin as it is kept: in small letters, with its port.
fn with_port(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let (port, host) = match origin.split_once("://") {
        Some(("https", host)) => (443, host),
        Some(("http", host)) => (80, host),
        _ => return origin,
    };
    let behind_address = host.rsplit(']').next().unwrap_or(host);
    if behind_address.contains(':') {
        origin
    } else {
        format!("{origin}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_a_rotation_is_a_tenth_and_at_most_a_day() {
        let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let mut rotation = KeyRotation {
            period: span(90 * 86_400),
            ..Default::default()
        };
        fill(&mut rotation);
        assert_eq!(rotation.overlap, span(86_400));
        assert_eq!(rotation.warn_before, span(9 * 86_400));
    }

    #[test]
    fn an_origin_has_its_port() {
        for (given, kept) in [
            ("https://Sts.example", "https://sts.example:443"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://a:8443", "https://a:8443"),
        ] {
            assert_eq!(with_port(given), kept);
        }
    }
}
