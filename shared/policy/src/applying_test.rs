//! Which limits concern whom.

use super::*;
use crate::{
    calendar::Period,
    id::LimitId,
    limit::{Members, Override, Quota, Scope, Terms, Unit},
};

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
const MODEL: ModelId = ModelId::from_bytes([3; 16]);
const PROVIDER: ProviderId = ProviderId::from_bytes([4; 16]);

fn limit(scope: Scope) -> Arc<Limit> {
    Arc::new(Limit {
        id: LimitId::from_bytes([9; 16]),
        organization: ORGANIZATION,
        name: "it".to_owned(),
        scope,
        unit: Unit::Requests,
        allowance: Allowance::Rate(Rate::new(10, 1_000, 1).unwrap()),
        terms: Terms::default(),
        counted_from_ms: 0,
    })
}

fn asking() -> Asking<'static> {
    Asking {
        organization: ORGANIZATION,
        project: PROJECT,
        key_id: "key",
        model: Some(MODEL),
        end_user: Some("ann"),
        now_ms: 0,
    }
}

fn found(scope: Scope, asking: &Asking<'_>, provider: Option<ProviderId>) -> Option<CounterId> {
    let mut index = Index::default();
    index.add(limit(scope));
    let found = index.concerning(asking, provider, None);
    found.first().map(|applied| applied.counter)
}

fn each(member: Member) -> Scope {
    Scope {
        each: Members::NONE.with(member),
        ..Scope::all(Of::Organization(ORGANIZATION))
    }
}

#[test]
fn every_selector_of_a_scope_must_fit() {
    let all = Scope::all(Of::Project(PROJECT));
    let other_model = ModelId::from_bytes([7; 16]);
    for (scope, concerned) in [
        (all.clone(), true),
        (
            Scope {
                model: Some(MODEL),
                ..all.clone()
            },
            true,
        ),
        (
            Scope {
                model: Some(other_model),
                ..all.clone()
            },
            false,
        ),
        (
            Scope {
                end_user: Some("ann".to_owned()),
                ..all.clone()
            },
            true,
        ),
        (
            Scope {
                end_user: Some("bob".to_owned()),
                ..all.clone()
            },
            false,
        ),
        (
            Scope {
                model: Some(MODEL),
                end_user: Some("bob".to_owned()),
                ..all
            },
            false,
        ),
        (Scope::all(Of::Key("key".to_owned())), true),
        (Scope::all(Of::Key("other".to_owned())), false),
    ] {
        assert_eq!(
            found(scope.clone(), &asking(), None).is_some(),
            concerned,
            "{scope:?}"
        );
    }
}

#[test]
fn a_limit_on_a_provider_waits_until_it_is_known_who_serves() {
    let of = Of::Organization(ORGANIZATION);
    let scope = Scope {
        provider: Some(PROVIDER),
        ..Scope::all(of)
    };
    assert!(found(scope.clone(), &asking(), None).is_none());
    assert!(found(scope.clone(), &asking(), Some(PROVIDER)).is_some());
    let other = ProviderId::from_bytes([8; 16]);
    assert!(found(scope, &asking(), Some(other)).is_none());
    let one = found(each(Member::Provider), &asking(), Some(PROVIDER));
    assert_ne!(one, found(each(Member::Provider), &asking(), Some(other)));
    assert!(found(each(Member::Provider), &asking(), None).is_none());
    let plain = Scope::all(Of::Project(PROJECT));
    assert!(
        found(plain, &asking(), Some(PROVIDER)).is_none(),
        "it was counted before"
    );
}

#[test]
fn each_member_has_a_count_of_its_own_and_others_share_the_limits() {
    let plain = found(Scope::all(Of::Project(PROJECT)), &asking(), None);
    assert_eq!(plain, Some(CounterId::from_bytes([9; 16])));
    let ann = found(each(Member::EndUser), &asking(), None);
    let bob = Asking {
        end_user: Some("bob"),
        ..asking()
    };
    assert_ne!(ann, found(each(Member::EndUser), &bob, None));
    assert_ne!(ann, plain);
    let elsewhere = Asking {
        key_id: "other",
        project: ProjectId::from_bytes([5; 16]),
        ..asking()
    };
    assert_eq!(ann, found(each(Member::EndUser), &elsewhere, None));
    let nobody = Asking {
        end_user: Some(""),
        ..asking()
    };
    assert!(found(each(Member::EndUser), &nobody, None).is_some());
    // Two members are not one that is spelled like both.
    let both = Scope {
        each: Members::NONE.with(Member::Key).with(Member::EndUser),
        ..each(Member::Key)
    };
    let one = Asking {
        key_id: "ab",
        end_user: Some("c"),
        ..asking()
    };
    let other = Asking {
        key_id: "a",
        end_user: Some("bc"),
        ..asking()
    };
    assert_ne!(found(both.clone(), &one, None), found(both, &other, None));
}

#[test]
fn what_names_no_model_and_no_end_user_is_not_held_to_limits_that_ask_for_them() {
    let unread = Asking {
        model: None,
        end_user: None,
        ..asking()
    };
    for member in [Member::Model, Member::EndUser] {
        assert!(found(each(member), &unread, None).is_none());
    }
    let of_model = Scope {
        model: Some(MODEL),
        ..Scope::all(Of::Project(PROJECT))
    };
    assert!(found(of_model, &unread, None).is_none());
    let of_end_user = Scope {
        end_user: Some("ann".to_owned()),
        ..Scope::all(Of::Project(PROJECT))
    };
    assert!(found(of_end_user, &unread, None).is_none());
    assert!(found(Scope::all(Of::Project(PROJECT)), &unread, None).is_some());
    let provider = Some(ProviderId::from_bytes([7; 16]));
    assert!(found(each(Member::Provider), &unread, provider).is_some());
}

#[test]
fn a_quota_is_counted_apart_from_the_rate_it_was() {
    let rate = limit(each(Member::Key));
    let mut quota = Limit::clone(&rate);
    quota.allowance = Allowance::Quota(Quota::new(5, Period::Day).unwrap());
    let shelf = ShelfId::from_bytes([5; 16]);
    assert_ne!(counter(&rate, shelf), counter(&quota, shelf));
}

#[test]
fn the_index_forgets_what_is_removed() {
    let mut index = Index::default();
    let scope = Scope {
        end_user: Some("ann".to_owned()),
        ..each(Member::Provider)
    };
    let limit = limit(scope);
    index.add(Arc::clone(&limit));
    assert!(index.asks_end_user(ORGANIZATION) && index.asks_provider(ORGANIZATION));
    index.remove(&limit);
    assert!(!index.any_asks_end_user() && !index.asks_provider(ORGANIZATION));
    assert!(index.of_organization.is_empty());
}

#[test]
fn an_override_is_for_its_key_or_its_time_and_the_first_that_fits_speaks() {
    let numbers = |amount| Allowance::Rate(Rate::new(amount, 1_000, 1).unwrap());
    let mut limit = Limit::clone(&limit(each(Member::Key)));
    let other = |key_id: Option<&str>, amount, until_ms| Override {
        key_id: key_id.map(str::to_owned),
        end_user: None,
        allowance: numbers(amount),
        until_ms,
    };
    limit.terms.overrides = vec![
        other(Some("vip"), 90, Some(1_000)),
        other(Some("vip"), 50, None),
        other(None, 20, Some(2_000)),
    ];
    let amount = |key_id, now_ms| limit.allowance_of(key_id, "", now_ms).amount();
    assert_eq!(
        [0, 999, 1_000, 9_999].map(|now| amount("vip", now)),
        [90, 90, 50, 50]
    );
    assert_eq!([1_999, 2_000].map(|now| amount("key", now)), [20, 10]);
    let mut index = Index::default();
    index.add(Arc::new(limit));
    let found = index.concerning(&asking(), None, None);
    assert_eq!(found[0].count.amount(), 20);
}

#[test]
fn counts_of_one_scope_stand_on_one_shelf_and_follow_each_other() {
    let narrow = Scope {
        model: Some(MODEL),
        ..Scope::all(Of::Project(PROJECT))
    };
    let mut index = Index::default();
    let scopes = [
        each(Member::EndUser),
        narrow.clone(),
        each(Member::EndUser),
        Scope::all(Of::Project(PROJECT)),
        narrow,
    ];
    for (number, scope) in scopes.into_iter().enumerate() {
        let mut limit = Limit::clone(&limit(scope));
        limit.id = LimitId::from_bytes([u8::try_from(number).unwrap(); 16]);
        index.add(Arc::new(limit));
    }
    let shelves = |end_user: &str| {
        let asking = Asking {
            end_user: Some(end_user),
            ..asking()
        };
        let found = index.concerning(&asking, None, None);
        let mut counters: Vec<_> = found.iter().map(|it| it.counter).collect();
        counters.sort_unstable();
        counters.dedup();
        assert_eq!(counters.len(), 5);
        let shelves: Vec<Shelf> = found.iter().map(|it| it.shelf).collect();
        shelves
    };
    let (ann, bob) = (shelves("ann"), shelves("bob"));
    let sizes = |shelves: &[Shelf]| -> Vec<usize> {
        shelves
            .chunk_by(|one, next| one == next)
            .map(<[_]>::len)
            .collect()
    };
    assert_eq!((sizes(&ann), sizes(&bob)), (vec![2, 1, 2], vec![2, 1, 2]));
    assert!(!ann[0].is_one_of_many && ann[..3] == bob[..3]);
    assert!(ann[4].is_one_of_many && ann[4] != bob[4]);
}
