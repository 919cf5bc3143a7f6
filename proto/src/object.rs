//! The wall where policy objects become bytes and bytes become policy objects.
//!
//! The control plane encodes once, when a change is written; every edge decodes and checks. An object that
//! does not decode is named by an [`InvalidObject`] and never half-taken. Limits and prices have files of their own.

use std::sync::Arc;

use payload::transform::Recipe;
use policy::{
    audit_access::AuditAccess,
    calendar::Zone,
    capability::{Abilities, Capabilities},
    catalogue::Capable,
    change::Edit,
    credential::{Credential, Pepper},
    guard::Guard,
    handling::{Demanded, Handling},
    id::ProviderId,
    keeping::Keeping,
    mapping::{Mapping, Method, Programs},
    model::{Model, ModelRule, RULES_MAX, Target, Version, WEIGHT_MAX},
    object::{Kind, Object},
    organization::Organization,
    pin::Pin,
    preference::Preferences,
    project::Project,
    provider::{Provider, ProviderKind},
    split::{Arm, Split, Sticky},
    traffic::{Class, Share, Traffic},
};
use prost::Message;

use crate::{
    alias, deprecation, issuer, key_object, limit,
    malformed::{InvalidObject, digest, filled, id, invalid},
    price, routing, shadow, sync as wire,
};

/// The object as the `value` of a change.
pub fn encode(object: &Object) -> Vec<u8> {
    match object {
        Object::Organization(it) => organization(it).encode_to_vec(),
        Object::Project(it) => project(it).encode_to_vec(),
        Object::Provider(it) => provider(it).encode_to_vec(),
        Object::Model(it) => model(it).encode_to_vec(),
        Object::Version(it) => version(it).encode_to_vec(),
        Object::Limit(it) => limit::policy(it).encode_to_vec(),
        Object::Price(it) => price::policy(it).encode_to_vec(),
        Object::Discount(it) => price::discount_policy(it).encode_to_vec(),
        Object::Key(it) => key_object::encode(it).encode_to_vec(),
        Object::Credential(it) => wire::CredentialPolicy {
            provider_id: it.provider.as_bytes().to_vec(),
            secret: it.secret.clone(),
            allowed_origin: it.allowed_origin.clone(),
            exchange_origins: it.exchange_origins.clone(),
        }
        .encode_to_vec(),
        Object::Issuer(it) => issuer::policy(it).encode_to_vec(),
        Object::Pepper(it) => wire::PepperPolicy {
            version: it.version,
            secret: it.secret.to_vec(),
        }
        .encode_to_vec(),
    }
}

/// What an edit leaves as the `value` of its change.
pub fn encode_edit(edit: &Edit) -> Vec<u8> {
    match edit {
        Edit::Upsert(object) => encode(object),
        Edit::Delete { .. } => Vec::new(),
        Edit::Revoke { cut_streams, .. } => wire::RevocationPolicy {
            cut_streams: *cut_streams,
        }
        .encode_to_vec(),
    }
}

/// Whether the `value` of a revocation asks for streams to be cut. What cannot be read asks for nothing: it must not
/// keep a key from being revoked.
pub fn cuts_streams(value: &[u8]) -> bool {
    wire::RevocationPolicy::decode(value).is_ok_and(|it| it.cut_streams)
}

/// The object that `value` holds, checked.
pub fn decode(kind: Kind, value: &[u8]) -> Result<Object, InvalidObject> {
    Ok(match kind {
        Kind::Organization => Object::Organization(read_organization(parse(value)?)?),
        Kind::Project => Object::Project(read_project(parse(value)?)?),
        Kind::Provider => Object::Provider(read_provider(parse(value)?)?),
        Kind::Model => Object::Model(read_model(parse(value)?)?),
        Kind::Version => Object::Version(read_version(parse(value)?)?),
        Kind::Limit => Object::Limit(Box::new(limit::read(parse(value)?)?)),
        Kind::Price => Object::Price(price::read(parse(value)?)?),
        Kind::Discount => Object::Discount(price::read_discount(parse(value)?)?),
        Kind::Key => Object::Key(key_object::decode(&parse(value)?)?),
        Kind::Credential => {
            let it: wire::CredentialPolicy = parse(value)?;
            let provider = id(&it.provider_id, "provider_id")?;
            filled(&it.allowed_origin, "allowed_origin")?;
            let allowed_origin = it.allowed_origin;
            Object::Credential(Credential {
                provider,
                secret: it.secret,
                allowed_origin,
                exchange_origins: it.exchange_origins,
            })
        }
        Kind::Issuer => Object::Issuer(Box::new(issuer::read(parse(value)?)?)),
        Kind::Pepper => {
            let it: wire::PepperPolicy = parse(value)?;
            let secret = digest(&it.secret, "secret")?;
            Object::Pepper(Pepper {
                version: it.version,
                secret,
            })
        }
    })
}

fn organization(it: &Organization) -> wire::OrganizationPolicy {
    wire::OrganizationPolicy {
        id: it.id.as_bytes().to_vec(),
        name: it.name.clone(),
        time_zone: it.zone.name().to_owned(),
        audit_access: it.audit_access as u32,
    }
}

fn project(it: &Project) -> wire::ProjectPolicy {
    wire::ProjectPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        traffic_class: it.traffic.class as u32,
        traffic_share: u32::from(it.traffic.share.get()),
        key_age_max_ms: it.key_age_max_ms.unwrap_or(0),
        tag_sources: it
            .pins
            .iter()
            .flat_map(|all| all.iter())
            .map(ToString::to_string)
            .collect(),
        content_keeping: it.keeping as u32,
        forbidden_preferences: it.guard.as_ref().map_or(0, |it| it.forbidden.bits().into()),
        demands_no_collection: demanded(it).is_some_and(|it| it.collects_nothing),
        demands_no_retention: demanded(it).is_some_and(|it| it.retains_nothing),
        residencies: demanded(it).map_or_else(Vec::new, |it| it.residencies.clone()),
    }
}

fn demanded(it: &Project) -> Option<&Demanded> {
    it.guard.as_ref().map(|it| &it.demanded)
}

fn provider(it: &Provider) -> wire::ProviderPolicy {
    wire::ProviderPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        kind: it.kind as u32,
        base_url: it.base_url.clone(),
        stream_options: it.stream_options,
        credential_required: it.credential_required,
        passthrough: it.passthrough,
        collects_nothing: it.handling.collects_nothing,
        retains_nothing: it.handling.retains_nothing,
        residency: it.handling.residency.clone(),
        quantization: it.handling.quantization.clone(),
        mapping: it.mapping.as_deref().map(mapping),
    }
}

fn mapping(it: &Mapping) -> wire::MappingPolicy {
    let header = |(name, value): &(String, String)| wire::MappingHeader {
        name: name.clone(),
        value: value.clone(),
    };
    wire::MappingPolicy {
        method: it.method.name().to_owned(),
        path: it.path.clone(),
        headers: it.headers.iter().map(header).collect(),
        credential_header: it.credential_header.clone(),
        chat: it.chat,
        request_program: it.programs.request.clone(),
        response_program: it.programs.response.clone(),
        error_program: it.programs.error.clone(),
        usage_program: it.programs.usage.clone(),
    }
}

fn model(it: &Model) -> wire::ModelPolicy {
    wire::ModelPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        stable_version_id: it
            .stable
            .map(|id| id.as_bytes().to_vec())
            .unwrap_or_default(),
        created_seconds: it.created_seconds,
        split: it.split.as_deref().map(split),
        rules: it.rules.iter().map(model_rule).collect(),
        deprecation: it.deprecation().map(|it| deprecation::policy(it)),
        deprecated_versions: deprecation::of_versions(it),
        shadow: it.shadow.as_deref().map(shadow::policy),
        aliases: it.aliases.iter().map(alias::policy).collect(),
    }
}

fn model_rule(it: &ModelRule) -> wire::ModelRulePolicy {
    wire::ModelRulePolicy {
        condition: it.condition.clone(),
        version_id: it.version.as_bytes().to_vec(),
    }
}

fn split(it: &Split) -> wire::SplitPolicy {
    let arm = |arm: &Arm| wire::ArmPolicy {
        version_id: arm.version.as_bytes().to_vec(),
        basis_points: arm.basis_points.into(),
    };
    wire::SplitPolicy {
        rollout_id: it.rollout.as_bytes().to_vec(),
        stickiness: it.sticky as u32,
        arms: it.arms().iter().map(arm).collect(),
    }
}

fn version(it: &Version) -> wire::VersionPolicy {
    let target = |target: &Target| wire::TargetPolicy {
        provider_id: target.provider.as_bytes().to_vec(),
        provider_model: target.provider_model.clone(),
        weight: target.weight.into(),
        context_tokens: target.capable.said().numbers().0,
        output_tokens_max: target.capable.said().numbers().1,
        can: target.capable.said().abilities().0.bits().into(),
        cannot: target.capable.said().abilities().1.bits().into(),
    };
    wire::VersionPolicy {
        id: it.id.as_bytes().to_vec(),
        model_id: it.model.as_bytes().to_vec(),
        name: it.name.clone(),
        targets: it.targets.iter().map(target).collect(),
        transform_rules: text(it.recipe.as_deref(), Recipe::rules),
        header_rules: text(it.recipe.as_deref(), Recipe::header_rules),
        ..routing::policy(it)
    }
}

fn text(recipe: Option<&Recipe>, of: fn(&Recipe) -> &str) -> String {
    recipe.map_or_else(String::new, |recipe| of(recipe).to_owned())
}

fn read_organization(it: wire::OrganizationPolicy) -> Result<Organization, InvalidObject> {
    filled(&it.name, "name")?;
    let zone = match it.time_zone.as_str() {
        "" => Zone::UTC,
        name => Zone::parse(name).map_err(|_| invalid("time_zone is not known"))?,
    };
    Ok(Organization {
        id: id(&it.id, "id")?,
        name: it.name,
        zone,
        audit_access: AuditAccess::from_number(it.audit_access),
    })
}

fn read_project(it: wire::ProjectPolicy) -> Result<Project, InvalidObject> {
    filled(&it.name, "name")?;
    let organization = id(&it.organization_id, "organization_id")?;
    let forbidden = Preferences::from_bits(it.forbidden_preferences);
    let guard = Guard {
        forbidden: forbidden.ok_or_else(|| invalid("forbidden_preferences are not known"))?,
        demanded: Demanded {
            collects_nothing: it.demands_no_collection,
            retains_nothing: it.demands_no_retention,
            residencies: it.residencies,
        },
    };
    Ok(Project {
        id: id(&it.id, "id")?,
        organization,
        name: it.name,
        traffic: read_traffic(it.traffic_class, it.traffic_share)?,
        key_age_max_ms: (it.key_age_max_ms > 0).then_some(it.key_age_max_ms),
        pins: read_pins(&it.tag_sources)?,
        keeping: Keeping::from_number(it.content_keeping),
        guard: (!guard.is_nothing()).then(|| guard.into()),
    })
}

fn read_pins(texts: &[String]) -> Result<Option<Arc<Vec<Pin>>>, InvalidObject> {
    let pins: Result<Vec<Pin>, _> = texts.iter().map(|text| text.parse()).collect();
    let pins = pins.map_err(|_| invalid("tag_sources holds what is none"))?;
    Ok((!pins.is_empty()).then(|| pins.into()))
}

/// What an older control plane does not say is what everybody has.
fn read_traffic(class: u32, share: u32) -> Result<Traffic, InvalidObject> {
    let class = match class {
        0 => Some(Class::default()),
        number => u8::try_from(number).ok().and_then(Class::from_number),
    };
    let share = match share {
        0 => Ok(Share::default()),
        number => Share::new(u16::try_from(number).unwrap_or(0)),
    };
    Ok(Traffic {
        class: class.ok_or_else(|| invalid("traffic_class is not known"))?,
        share: share.map_err(|_| invalid("traffic_share is too large"))?,
    })
}

fn read_provider(it: wire::ProviderPolicy) -> Result<Provider, InvalidObject> {
    filled(&it.name, "name")?;
    filled(&it.base_url, "base_url")?;
    let kind = ProviderKind::from_number(it.kind).ok_or_else(|| invalid("kind is not known"))?;
    if (kind == ProviderKind::Custom) != it.mapping.is_some() {
        return Err(invalid(
            "mapping goes with the custom kind, and with none else",
        ));
    }
    Ok(Provider {
        id: id(&it.id, "id")?,
        organization: id(&it.organization_id, "organization_id")?,
        name: it.name,
        kind,
        base_url: it.base_url,
        stream_options: it.stream_options,
        credential_required: it.credential_required,
        mapping: it.mapping.map(read_mapping).transpose()?,
        passthrough: it.passthrough,
        handling: Handling {
            collects_nothing: it.collects_nothing,
            retains_nothing: it.retains_nothing,
            residency: it.residency,
            quantization: it.quantization,
        },
    })
}

fn read_mapping(it: wire::MappingPolicy) -> Result<Box<Mapping>, InvalidObject> {
    let header = |header: wire::MappingHeader| (header.name, header.value);
    Ok(Box::new(Mapping {
        method: Method::named(&it.method).ok_or_else(|| invalid("method is not known"))?,
        path: it.path,
        headers: it.headers.into_iter().map(header).collect(),
        credential_header: it.credential_header,
        chat: it.chat,
        programs: Programs {
            request: it.request_program,
            response: it.response_program,
            error: it.error_program,
            usage: it.usage_program,
        },
    }))
}

fn read_model(it: wire::ModelPolicy) -> Result<Model, InvalidObject> {
    filled(&it.name, "name")?;
    let stable = if it.stable_version_id.is_empty() {
        None
    } else {
        Some(id(&it.stable_version_id, "stable_version_id")?)
    };
    if it.rules.len() > RULES_MAX {
        return Err(invalid("rules are too many"));
    }
    let rule = |it: wire::ModelRulePolicy| {
        Ok(ModelRule {
            condition: it.condition,
            version: id(&it.version_id, "version_id")?,
        })
    };
    let rules = it.rules.into_iter().map(rule);
    let endings = deprecation::read(it.deprecation, it.deprecated_versions)?;
    Ok(Model {
        endings,
        rules: rules.collect::<Result<_, InvalidObject>>()?,
        id: id(&it.id, "id")?,
        organization: id(&it.organization_id, "organization_id")?,
        name: it.name,
        stable,
        created_seconds: it.created_seconds,
        split: it.split.map(read_split).transpose()?,
        shadow: it.shadow.as_ref().map(shadow::read).transpose()?,
        aliases: alias::read(it.aliases)?,
        alias: None,
    })
}

fn read_split(it: wire::SplitPolicy) -> Result<Box<Split>, InvalidObject> {
    let sticky = u8::try_from(it.stickiness).ok();
    let sticky = sticky.and_then(Sticky::from_number);
    let sticky = sticky.ok_or_else(|| invalid("stickiness is not known"))?;
    let arm = |arm: wire::ArmPolicy| {
        Ok(Arm {
            version: id(&arm.version_id, "version_id")?,
            basis_points: u16::try_from(arm.basis_points).unwrap_or(u16::MAX),
        })
    };
    let arms = it.arms.into_iter().map(arm);
    let arms = arms.collect::<Result<_, InvalidObject>>()?;
    let split = Split::new(id(&it.rollout_id, "rollout_id")?, sticky, arms);
    let split = split.map_err(|_| invalid("arms have more than all, or there is none"))?;
    Ok(Box::new(split))
}

fn read_version(it: wire::VersionPolicy) -> Result<Version, InvalidObject> {
    if it.targets.is_empty() {
        return Err(invalid("targets is empty"));
    }
    // Compiled here, once: what cannot be is no version.
    let recipe = Recipe::read(&it.transform_rules, &it.header_rules);
    let recipe = recipe.map_err(|_| invalid("its rules cannot be used by this build"))?;
    let recipe = (!recipe.is_empty()).then(|| Arc::new(recipe));
    let target = |target: wire::TargetPolicy| {
        filled(&target.provider_model, "provider_model")?;
        let provider: ProviderId = id(&target.provider_id, "provider_id")?;
        let weight = u16::try_from(target.weight).ok();
        let weight = weight.filter(|it| *it <= WEIGHT_MAX);
        Ok(Target {
            provider,
            provider_model: target.provider_model,
            weight: weight.ok_or_else(|| invalid("weight is too large"))?,
            capable: read_capable(
                (target.context_tokens, target.output_tokens_max),
                (target.can, target.cannot),
            )?,
        })
    };
    let routing = routing::read(&it)?;
    Ok(Version {
        routing,
        id: id(&it.id, "id")?,
        model: id(&it.model_id, "model_id")?,
        name: it.name,
        targets: it
            .targets
            .into_iter()
            .map(target)
            .collect::<Result<_, _>>()?,
        recipe,
    })
}

fn read_capable(
    (context_tokens, output_tokens_max): (u32, u32),
    (can, cannot): (u32, u32),
) -> Result<Capable, InvalidObject> {
    let abilities = |bits| {
        let read = Abilities::from_bits(bits);
        read.ok_or_else(|| invalid("an ability of a model is not known"))
    };
    let numbers = (context_tokens.into(), output_tokens_max.into());
    let said = Capabilities::new(numbers, (abilities(can)?, abilities(cannot)?));
    let said = said.map_err(|_| invalid("a target is said to be able and not to be"))?;
    Ok(Capable::from(said))
}

fn parse<M: Message + Default>(value: &[u8]) -> Result<M, InvalidObject> {
    M::decode(value).map_err(|_| invalid("the bytes are not such a message"))
}
