//! What a caller sees of each failure: its code, its details, and nothing of our insides.

use store::Obstacle;

use super::*;

fn violations() -> Violations {
    let mut violations = Violations::new();
    violations.add("provider.base_url", "must be http or https");
    violations.add("provider.kind", "is required");
    violations
}

#[test]
fn every_violation_is_told_at_once_and_by_field() {
    let told = invalid(violations());
    assert_eq!(told.code(), Code::InvalidArgument);
    let details = told.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = details.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["provider.base_url", "provider.kind"]);
    assert!(told.message().contains("must be http or https"));
    assert!(told.message().contains("provider.kind: is required"));
}

#[test]
fn a_thousand_violations_still_fit_into_headers() {
    let mut violations = Violations::new();
    for at in 0..1_000 {
        violations.add(
            format!("provider.regions[{at}]"),
            "a region is 1 to 63 letters",
        );
    }
    let told = invalid(violations);
    assert!(told.message().ends_with("; and 996 more"));
    assert!(told.message().len() + told.details().len() * 4 / 3 < 8 << 10);
}

#[test]
fn every_answer_has_a_reason_in_our_domain() {
    let name = || "organizations/acme".to_owned();
    let answers = [
        (
            invalid(violations()),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            request_id_reused(),
            Code::InvalidArgument,
            "REQUEST_ID_REUSED",
        ),
        (
            unknown_field("key", 9),
            Code::InvalidArgument,
            "UNKNOWN_FIELD",
        ),
        (
            not_authenticated(NotAuthenticated::Nothing),
            Code::Unauthenticated,
            "OPERATOR_KEY_MISSING",
        ),
        (
            store(StoreError::NotFound { name: name() }),
            Code::NotFound,
            "NOT_FOUND",
        ),
        (
            store(StoreError::Exists { name: name() }),
            Code::AlreadyExists,
            "ALREADY_EXISTS",
        ),
        (
            store(StoreError::Stale { name: name() }),
            Code::Aborted,
            "ETAG_MISMATCH",
        ),
        (
            store(StoreError::Unavailable("host".into())),
            Code::Unavailable,
            "STORE_UNAVAILABLE",
        ),
        (
            store(StoreError::Broken("column".into())),
            Code::Internal,
            "INTERNAL",
        ),
    ];
    for (told, code, reason) in answers {
        assert_eq!(told.code(), code, "{reason}");
        let info = told.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            (reason, "sluice")
        );
    }
}

#[test]
fn what_is_missing_or_in_the_way_is_named_with_its_type() {
    let name = "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW";
    let told = store(StoreError::NotFound {
        name: name.to_owned(),
    });
    let resource = told.get_details_resource_info().unwrap();
    assert_eq!(resource.resource_type, "sluice.admin.v1.Key");
    assert_eq!(resource.resource_name, name);

    let by = Obstacle::IsConnected;
    let told = store(StoreError::Blocked {
        name: "edges/one".to_owned(),
        by,
    });
    assert_eq!(told.code(), Code::FailedPrecondition);
    let failure = told.get_details_precondition_failure().unwrap();
    assert_eq!(failure.violations[0].subject, "edges/one");
    assert_eq!(failure.violations[0].r#type, by.word());
}

#[test]
fn a_dangling_reference_names_the_field_and_what_is_missing() {
    let name = "organizations/acme/providers/gone".to_owned();
    let field = "model_version.targets[1].provider".to_owned();
    let told = store(StoreError::Dangling {
        field: field.clone(),
        name: name.clone(),
    });
    assert_eq!(told.code(), Code::FailedPrecondition);
    assert_eq!(
        told.get_details_bad_request().unwrap().field_violations[0].field,
        field
    );
    assert_eq!(
        told.get_details_resource_info().unwrap().resource_name,
        name
    );
}

#[test]
fn what_went_wrong_inside_stays_inside_but_has_a_request_id() {
    let inner = "column password does not exist at db-7:5432";
    for why in [
        StoreError::Broken(inner.into()),
        StoreError::Unavailable(inner.into()),
    ] {
        let told = store(why);
        assert!(!told.message().contains("password"));
        let details = String::from_utf8_lossy(told.details()).into_owned();
        assert!(!details.contains("password") && !details.contains("db-7"));
        assert!(
            !told
                .get_details_request_info()
                .unwrap()
                .request_id
                .is_empty()
        );
    }
}
