//! The table fits the contract.

use prost_reflect::DescriptorPool;

use super::*;

#[test]
fn every_row_of_the_table_fits_the_contract() {
    let all = [
        (ORGANIZATION, "Create Get Update Delete"),
        (PROJECT, "Create Get Update Delete"),
        (PROVIDER, "Create Get Update Delete"),
        (MODEL, "Create Get Update Delete Deprecate"),
        (MODEL_VERSION, "Create Get Delete Deprecate"),
        (MODEL_ALIAS, "Create Get Update Delete"),
        (FREEZE_WINDOW, "Create Get Delete"),
        (VERSION_SOURCE, "Create Get Delete"),
        (
            ROLLOUT,
            "Start Get Pause Resume Approve Promote Abort ForceStart Force",
        ),
        (EXPERIMENT, "Start Get Stop Conclude"),
        (SHADOW, "Start Get Stop"),
        (KEY, "Create Get Update Delete Revoke"),
        (SERVICE_ACCOUNT, "Create Get Update Delete"),
        (LIMIT, "Create Get Update Delete"),
        (BUDGET, "Create Get Update Delete"),
        (ISSUER, "Create Get Update Delete"),
        (PRICE, "Create Get Delete"),
        (DISCOUNT, "Create Get Delete"),
        (ALERT_CHANNEL, "Create Get Delete Test"),
        (ALERT_RULE, "Create Get Delete"),
        (ALERT, ""),
        (EDGE, "Get Delete Revoke"),
        (JOIN_TOKEN, "Create Revoke"),
        (OPERATOR_KEY, "Create Get Update Revoke"),
        (TRUST, "Create Get Delete"),
        (LOCAL_USER, "Create Get Update Reset Delete"),
        (ROLE, "Create Get Update Delete"),
    ];
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    let message = |name: &str| pool.get_message_by_name(&format!("sluice.admin.v1.{name}"));
    for (noun, verbs) in all {
        let service = format!("sluice.admin.v1.{}", noun.service);
        let service = pool.get_service_by_name(&service).unwrap();
        let method = |path: &str| {
            let name = path.split_once('/').unwrap().1.to_owned();
            service.methods().find(|it| it.name() == name)
        };
        for verb in verbs.split_whitespace() {
            let method = method(&noun.method(verb)).unwrap_or_else(|| panic!("{verb} {noun:?}"));
            assert_eq!(method.input(), message(&noun.request(verb)).unwrap());
        }
        let list = method(&noun.list()).unwrap();
        assert_eq!(list.input(), message(&noun.list_request()).unwrap());
        assert!(
            list.output().get_field_by_name(&noun.fields()).is_some(),
            "{noun:?}"
        );
        let shape = message(noun.message).unwrap();
        for (_, field) in noun.columns {
            assert!(
                shape.get_field_by_name(field).is_some(),
                "{field} of {noun:?}"
            );
        }
    }
}
