//! A limit as a policy object: to its message and back, checked.
//!
//! Knows the numbers of the wire; knows nothing of the other objects.

use policy::{
    calendar::Period,
    id::{ModelId, OrganizationId, ProjectId, ProviderId},
    limit::{
        Allowance, AtOnce, Limit, Members, Mode, Of, OnStoreLoss, Override, Quota, REGIONS_MAX,
        Rate, Scope, Terms, Unit,
    },
    region::Region,
};

use crate::{
    malformed::{InvalidObject, id, invalid},
    sync::{LimitOverridePolicy, LimitPolicy, limit_policy},
};

/// The limit as a message.
pub(crate) fn policy(it: &Limit) -> LimitPolicy {
    let scope = &it.scope;
    let of = match &scope.of {
        Of::Organization(id) => limit_policy::Scope::ScopeOrganizationId(id.as_bytes().to_vec()),
        Of::Project(id) => limit_policy::Scope::ScopeProjectId(id.as_bytes().to_vec()),
        Of::Key(key_id) => limit_policy::Scope::ScopeKeyId(key_id.clone()),
    };
    let (window_ms, burst, period) = match &it.allowance {
        Allowance::Rate(rate) => (rate.window_ms(), rate.burst(), 0),
        Allowance::Quota(quota) => (0, 0, quota.period() as u32),
        Allowance::AtOnce(_) => (0, 0, 0),
    };
    let model = scope.model.map(|id| id.as_bytes().to_vec());
    let provider = scope.provider.map(|id| id.as_bytes().to_vec());
    LimitPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        scope: Some(of),
        unit: it.unit as u32,
        amount: it.allowance.amount(),
        window_ms,
        burst,
        scope_model_id: model.unwrap_or_default(),
        scope_provider_id: provider.unwrap_or_default(),
        scope_end_user: scope.end_user.clone().unwrap_or_default(),
        scope_each: scope.each.bits(),
        period,
        mode: it.terms.mode as u32,
        on_store_loss: it.terms.on_store_loss as u32,
        overrides: it.terms.overrides.iter().map(override_policy).collect(),
        regions: it.terms.regions.iter().map(ToString::to_string).collect(),
        counted_from_ms: it.counted_from_ms,
    }
}

fn override_policy(it: &Override) -> LimitOverridePolicy {
    let burst = match &it.allowance {
        Allowance::Rate(rate) => rate.burst(),
        Allowance::Quota(_) | Allowance::AtOnce(_) => 0,
    };
    LimitOverridePolicy {
        key_id: it.key_id.clone().unwrap_or_default(),
        end_user: it.end_user.clone().unwrap_or_default(),
        amount: it.allowance.amount(),
        burst,
        expires_at_ms: it.until_ms.unwrap_or(0),
    }
}

/// The limit that the message holds.
pub(crate) fn read(it: LimitPolicy) -> Result<Limit, InvalidObject> {
    Ok(Limit {
        id: id(&it.id, "id")?,
        organization: id(&it.organization_id, "organization_id")?,
        unit: Unit::from_number(it.unit).ok_or_else(|| invalid("unit is not known"))?,
        allowance: allowance(&it, it.amount, it.burst)?,
        terms: terms(&it)?,
        scope: scope(&it)?,
        counted_from_ms: it.counted_from_ms,
        name: it.name,
    })
}

fn scope(it: &LimitPolicy) -> Result<Scope, InvalidObject> {
    let of = match it
        .scope
        .as_ref()
        .ok_or_else(|| invalid("scope is absent"))?
    {
        limit_policy::Scope::ScopeOrganizationId(bytes) => {
            Of::Organization(id::<OrganizationId>(bytes, "scope")?)
        }
        limit_policy::Scope::ScopeProjectId(bytes) => Of::Project(id::<ProjectId>(bytes, "scope")?),
        limit_policy::Scope::ScopeKeyId(key_id) => Of::Key(key_id.clone()),
    };
    let model = Some(&it.scope_model_id).filter(|bytes| !bytes.is_empty());
    let model = model.map(|bytes| id::<ModelId>(bytes, "scope_model_id"));
    let provider = Some(&it.scope_provider_id).filter(|bytes| !bytes.is_empty());
    let provider = provider.map(|bytes| id::<ProviderId>(bytes, "scope_provider_id"));
    let each = Members::from_bits(it.scope_each);
    Ok(Scope {
        of,
        model: model.transpose()?,
        provider: provider.transpose()?,
        end_user: Some(it.scope_end_user.clone()).filter(|name| !name.is_empty()),
        each: each.ok_or_else(|| invalid("scope_each is not known"))?,
    })
}

fn terms(it: &LimitPolicy) -> Result<Terms, InvalidObject> {
    let mode = match it.mode {
        0 => Some(Mode::Hard),
        number => Mode::from_number(number),
    };
    let on_store_loss = match it.on_store_loss {
        0 => Some(OnStoreLoss::LocalShare),
        number => OnStoreLoss::from_number(number),
    };
    let other = |given: &LimitOverridePolicy| {
        Ok(Override {
            key_id: Some(given.key_id.clone()).filter(|it| !it.is_empty()),
            end_user: Some(given.end_user.clone()).filter(|it| !it.is_empty()),
            allowance: allowance(it, given.amount, given.burst)?,
            until_ms: Some(given.expires_at_ms).filter(|it| *it > 0),
        })
    };
    Ok(Terms {
        mode: mode.ok_or_else(|| invalid("mode is not known"))?,
        on_store_loss: on_store_loss.ok_or_else(|| invalid("on_store_loss is not known"))?,
        overrides: it.overrides.iter().map(other).collect::<Result<_, _>>()?,
        regions: regions(&it.regions)?,
    })
}

/// Too many are refused: shares are made by how many there are.
fn regions(texts: &[String]) -> Result<Vec<Region>, InvalidObject> {
    if texts.len() > REGIONS_MAX {
        return Err(invalid("regions has too many"));
    }
    let read = |text: &String| Region::try_from(text.as_str());
    let regions: Result<Vec<_>, _> = texts.iter().map(read).collect();
    regions.map_err(|_| invalid("regions has what is no region"))
}

/// These numbers in the window or period of the limit; of one on what is under way at once, which has neither.
fn allowance(it: &LimitPolicy, amount: u64, burst: u64) -> Result<Allowance, InvalidObject> {
    if it.unit == Unit::ConcurrentRequests as u32 {
        let most = AtOnce::new(amount);
        return most
            .map(Allowance::AtOnce)
            .map_err(|why| InvalidObject::new(why.to_string()));
    }
    if it.period == 0 {
        let rate = Rate::new(amount, it.window_ms, burst);
        return rate
            .map(Allowance::Rate)
            .map_err(|why| InvalidObject::new(why.to_string()));
    }
    let period = Period::from_number(it.period).ok_or_else(|| invalid("period is not known"))?;
    let quota = Quota::new(amount, period);
    quota
        .map(Allowance::Quota)
        .map_err(|why| InvalidObject::new(why.to_string()))
}

#[cfg(test)]
mod tests {
    use policy::{id::LimitId, limit::Member};

    use super::*;

    fn limit() -> Limit {
        Limit {
            id: LimitId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "it".to_owned(),
            scope: Scope {
                of: Of::Key("k".to_owned()),
                model: Some(ModelId::from_bytes([3; 16])),
                provider: Some(ProviderId::from_bytes([4; 16])),
                end_user: Some("ann".to_owned()),
                each: Members::NONE.with(Member::Model).with(Member::Key),
            },
            unit: Unit::OutputTokens,
            allowance: Allowance::Quota(Quota::new(7, Period::Week).unwrap()),
            terms: Terms {
                mode: Mode::Shadow,
                on_store_loss: OnStoreLoss::Deny,
                overrides: vec![Override {
                    key_id: Some("vip".to_owned()),
                    end_user: None,
                    allowance: Allowance::Quota(Quota::new(9, Period::Week).unwrap()),
                    until_ms: Some(5),
                }],
                regions: ["eu", "us"].map(|it| Region::try_from(it).unwrap()).into(),
            },
            counted_from_ms: 1_790_000_000_000,
        }
    }

    #[test]
    fn a_limit_comes_back_as_it_went() {
        let quota = limit();
        assert_eq!(read(policy(&quota)), Ok(quota));
        let mut rate = limit();
        rate.scope = Scope::all(Of::Project(ProjectId::from_bytes([5; 16])));
        rate.allowance = Allowance::Rate(Rate::new(7, 1_000, 3).unwrap());
        rate.terms = Terms::default();
        assert_eq!(read(policy(&rate)), Ok(rate));
        let mut at_once = limit();
        at_once.unit = Unit::ConcurrentRequests;
        at_once.allowance = Allowance::AtOnce(AtOnce::new(7).unwrap());
        at_once.terms.overrides[0].allowance = Allowance::AtOnce(AtOnce::new(9).unwrap());
        assert_eq!(read(policy(&at_once)), Ok(at_once));
    }

    #[test]
    fn what_this_build_does_not_know_is_refused_and_not_left_out() {
        let good = policy(&limit());
        let each = LimitPolicy {
            scope_each: 32,
            ..good.clone()
        };
        let period = LimitPolicy {
            period: 9,
            ..good.clone()
        };
        let none = LimitPolicy {
            period: 0,
            ..good.clone()
        };
        let unit = LimitPolicy { unit: 99, ..good };
        let mode = LimitPolicy {
            mode: 5,
            ..policy(&limit())
        };
        let region = LimitPolicy {
            regions: vec!["EU".to_owned()],
            ..policy(&limit())
        };
        let crowd = LimitPolicy {
            regions: vec!["eu".to_owned(); 17],
            ..policy(&limit())
        };
        for wrong in [each, period, none, unit, mode, region, crowd] {
            assert!(read(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
