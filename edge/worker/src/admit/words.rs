//! A limit in words: what a client that is refused hears of it.
//!
//! Knows what a limit says; knows nothing of levels. Names the limit, never a key, an end user or another project.

use std::fmt;

use policy::{
    calendar::Period,
    limit::{Allowance, Limit, Of, Unit},
    money,
};

/// A limit, to be printed as `the limit rpm on requests of the project (60 a minute)`.
pub struct Words<'a>(pub &'a Limit);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.0;
        let scope = &limit.scope;
        write!(f, "the limit `{}` on {}", limit.name, limit.unit.words())?;
        let mut of = " of";
        for member in scope.each.iter() {
            write!(f, "{of} each {}", member.word())?;
            of = " and";
        }
        let whose = match scope.of {
            Of::Organization(_) => "the organization",
            Of::Project(_) => "the project",
            Of::Key(_) => "the key",
        };
        write!(f, " of {whose}")?;
        if scope.model.is_some() {
            f.write_str(" for the model")?;
        }
        if scope.provider.is_some() {
            f.write_str(" at its provider")?;
        }
        if scope.end_user.is_some() {
            f.write_str(" for the end user")?;
        }
        let amount = limit.allowance.amount();
        let amount = if limit.unit == Unit::MicroDollars {
            format!("${}", money::micro_dollars(amount))
        } else {
            amount.to_string()
        };
        match &limit.allowance {
            Allowance::Rate(rate) => match rate.window_ms() {
                1_000 => write!(f, " ({amount} a second)"),
                60_000 => write!(f, " ({amount} a minute)"),
                3_600_000 => write!(f, " ({amount} an hour)"),
                window_ms => write!(f, " ({amount} in {window_ms} ms)"),
            },
            Allowance::Quota(quota) => match quota.period() {
                Period::Lifetime => write!(f, " ({amount} in all)"),
                period => write!(f, " ({amount} a {})", period.word()),
            },
            Allowance::AtOnce(_) => write!(f, " ({amount} at once)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::{
        id::{LimitId, ModelId, OrganizationId, ProjectId},
        limit::{AtOnce, Member, Members, Quota, Rate, Scope, Terms},
    };

    use super::*;

    #[test]
    fn a_limit_says_its_name_what_it_counts_whose_and_how_much() {
        let mut limit = Limit {
            id: LimitId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "rpm".to_owned(),
            scope: Scope::all(Of::Project(ProjectId::from_bytes([3; 16]))),
            unit: Unit::Requests,
            allowance: Allowance::Rate(Rate::new(60, 60_000, 6).unwrap()),
            terms: Terms::default(),
            counted_from_ms: 0,
        };
        assert_eq!(
            Words(&limit).to_string(),
            "the limit `rpm` on requests of the project (60 a minute)"
        );
        limit.scope.each = Members::NONE.with(Member::EndUser).with(Member::Key);
        limit.scope.model = Some(ModelId::from_bytes([4; 16]));
        limit.unit = Unit::OutputTokens;
        limit.allowance = Allowance::Quota(Quota::new(5, Period::Month).unwrap());
        assert_eq!(
            Words(&limit).to_string(),
            "the limit `rpm` on output tokens of each key and each end user of the project for the model (5 a month)"
        );
        limit.scope = Scope::all(Of::Organization(OrganizationId::from_bytes([2; 16])));
        limit.unit = Unit::MicroDollars;
        limit.allowance = Allowance::Quota(Quota::new(250_500_000, Period::Month).unwrap());
        assert_eq!(
            Words(&limit).to_string(),
            "the limit `rpm` on money of the organization ($250.50 a month)"
        );
        limit.scope = Scope::all(Of::Key("k".to_owned()));
        limit.unit = Unit::ConcurrentRequests;
        limit.allowance = Allowance::AtOnce(AtOnce::new(10).unwrap());
        assert_eq!(
            Words(&limit).to_string(),
            "the limit `rpm` on concurrent requests of the key (10 at once)"
        );
    }
}
