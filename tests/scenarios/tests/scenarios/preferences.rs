//! What a client of OpenAI's SDK prefers among targets and models is heeded, explained by the code that heeds it, and forbidden where its
//! project says so.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    CreateModelVersionRequest, ExplainRouteRequest, ModelVersion, Preference, Project,
    ProviderKind, RegionRoute, RouteNote, RouteProblem, RouteRule, Target, UpdateProjectRequest,
    UpdateProviderRequest,
};
use scenarios::{openai, sdk};
use serde_json::{Value, json};

struct Town {
    site: Site,
    tenant: Tenant,
    key: (String, String),
    main: Provider,
    paid: Provider,
    ill: Arc<AtomicBool>,
}

/// A site whose model `chat` asks `main`, which has no price, and then `paid`, whose price is published; `spare` asks `paid` alone.
async fn town() -> Town {
    let ill = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&ill);
    let main = Provider::start(move |asked| {
        if fails.load(Ordering::Relaxed) {
            return Answer::json(503, r#"{"error":{"message":"overloaded"}}"#);
        }
        openai::answer(asked)
    });
    let (main, paid) = (main.await, Provider::start(openai::answer).await);
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    tenant
        .provider_of(ProviderKind::Openai, "paid", &paid.base_url())
        .await;
    let target = |provider: &str, model: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: model.to_owned(),
        weight: 0,
        capabilities: None,
    };
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v2".to_owned(),
        model_version: Some(ModelVersion {
            targets: vec![target("main", "main-chat"), target("paid", "gpt-4o")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "v2").await;
    tenant.model("spare", "paid", "gpt-4o-mini").await;
    let key = tenant.key().await;
    site.propagated().await;
    Town {
        site,
        tenant,
        key,
        main,
        paid,
        ill,
    }
}

impl Town {
    /// What comes of asking for a model so, and which provider was asked last.
    async fn ask(&self, model: &str, preferences: &Value) -> (Value, &'static str) {
        let before = (self.main.count(), self.paid.count());
        let questions = json!([[model, preferences]]);
        let said = sdk::prefer(&self.site.url(0), &self.key.1, &questions).await;
        let served = match (self.main.count() - before.0, self.paid.count() - before.1) {
            (0, 0) => "nobody",
            (_, 0) => "main",
            (0, _) => "paid",
            _ => "both",
        };
        (said[0].clone(), served)
    }

    async fn explained(&self, preferences: &Value) -> RegionRoute {
        let request = ExplainRouteRequest {
            key: self.key.0.clone(),
            model: format!("{}/models/chat", self.tenant.organization),
            preferences: preferences.to_string(),
            ..Default::default()
        };
        let said = self.site.admin().models().explain_route(request).await;
        let mut regions = said.expect("edges are asked").into_inner().regions;
        regions.pop().expect("there is one edge")
    }

    async fn project(&self, project: Project) {
        let request = UpdateProjectRequest {
            project: Some(Project {
                name: self.tenant.project.clone(),
                ..project
            }),
            ..Default::default()
        };
        let updated = self.site.admin().projects().update_project(request).await;
        updated.expect("the project is changed");
        self.site.propagated().await;
    }
}

/// Each target's provider, place and rules.
fn places(region: &RegionRoute) -> Vec<(&str, i32, Vec<RouteRule>)> {
    let place = region.targets.iter().map(|it| {
        let provider = it.provider.rsplit('/').next().unwrap_or("");
        let rules = it.notes.iter().map(RouteNote::rule).collect();
        (provider, it.place, rules)
    });
    place.collect()
}

/// Each target's provider, place and rules, of the first and of one that is left out.
type Places = Vec<(&'static str, i32, Vec<RouteRule>)>;

/// What is preferred, which provider then serves, and what is explained.
fn wishes() -> Vec<(Value, &'static str, Places)> {
    let alone = |name, rule| {
        let other = if name == "main" { "paid" } else { "main" };
        vec![(name, 1, vec![]), (other, 0, vec![rule])]
    };
    vec![
        (
            json!({}),
            "main",
            vec![("main", 1, vec![]), ("paid", 2, vec![])],
        ),
        (
            json!({"provider": {"order": ["paid"]}}),
            "paid",
            vec![("paid", 1, vec![]), ("main", 2, vec![])],
        ),
        (
            json!({"provider": {"only": ["paid"]}}),
            "paid",
            alone("paid", RouteRule::NotOnly),
        ),
        (
            json!({"provider": {"ignore": ["main"]}}),
            "paid",
            alone("paid", RouteRule::Ignored),
        ),
        (
            json!({"provider": {"sort": "price"}}),
            "paid",
            vec![("paid", 1, vec![]), ("main", 2, vec![RouteRule::Unpriced])],
        ),
        (
            json!({"provider": {"max_price": {"prompt": 2.5, "completion": 10}}}),
            "paid",
            alone("paid", RouteRule::PriceUnknown),
        ),
        (
            json!({"provider": {"allow_fallbacks": false}}),
            "main",
            alone("main", RouteRule::NoFallback),
        ),
    ]
}

#[tokio::test]
async fn an_sdk_says_what_it_prefers_and_explain_agrees() {
    let town = town().await;
    for (preferences, served, expected) in wishes() {
        let (said, asked) = town.ask("chat", &preferences).await;
        assert_eq!(
            said,
            json!({"status": 200, "served": "chat@v2"}),
            "{preferences}"
        );
        assert_eq!(asked, served, "{preferences}");
        let told = town.explained(&preferences).await;
        assert_eq!(places(&told), expected, "{preferences}");
    }
    let dear = json!({"provider": {"max_price": {"prompt": 2.4}}});
    let (said, asked) = town.ask("chat", &dear).await;
    let expected = json!({"status": 404, "code": "preferences_unmet", "param": null});
    assert_eq!((said, asked), (expected, "nobody"));
    let told = town.explained(&dear).await;
    let rules = [RouteRule::PriceUnknown, RouteRule::TooDear];
    assert_eq!(
        places(&told),
        [("main", 0, vec![rules[0]]), ("paid", 0, vec![rules[1]])]
    );
    let (said, asked) = town.ask("chat:floor", &json!({})).await;
    assert_eq!((said["status"].as_u64(), asked), (Some(200), "paid"));
}

#[tokio::test]
async fn another_model_is_asked_where_the_first_gives_no_answer_and_it_is_explained() {
    let town = town().await;
    town.ill.store(true, Ordering::Relaxed);
    let others = json!({"models": ["nothing", "spare"], "provider": {"order": ["main"], "allow_fallbacks": false}});
    let (said, _) = town.ask("chat", &others).await;
    assert_eq!(
        said["status"], 503,
        "nobody may be asked beyond main: {said}"
    );
    let others = json!({"models": ["nothing", "spare"], "provider": {"allow_fallbacks": false}});
    let (said, asked) = town.ask("chat", &others).await;
    assert_eq!(said, json!({"status": 200, "served": "spare@v1"}));
    assert_eq!(asked, "both");
    let told = town.explained(&others).await;
    let names: Vec<_> = told
        .others
        .iter()
        .map(|it| (&*it.model, it.problem()))
        .collect();
    let expected = [
        ("nothing", RouteProblem::ModelUnknown),
        ("spare", RouteProblem::Unspecified),
    ];
    assert_eq!(names, expected);
    assert!(
        told.others[1]
            .version
            .ends_with("/models/spare/versions/v1")
    );
    assert_eq!(told.others[1].targets.len(), 1);
}

#[tokio::test]
async fn a_project_forbids_and_demands_and_no_preference_lifts_it() {
    let town = town().await;
    town.project(Project {
        forbidden_preferences: vec![Preference::Order.into(), Preference::Models.into()],
        ..Default::default()
    })
    .await;
    for (preferences, name) in [
        (json!({"provider": {"order": ["paid"]}}), "order"),
        (json!({"models": ["spare"]}), "models"),
    ] {
        let (said, asked) = town.ask("chat", &preferences).await;
        let expected = json!({"status": 403, "code": "preference_forbidden", "param": name});
        assert_eq!((said, asked), (expected, "nobody"));
        let told = town.explained(&preferences).await;
        assert_eq!(told.problem(), RouteProblem::Preferences);
        assert!(told.why.contains(name), "{}", told.why);
    }
    let (said, asked) = town
        .ask("chat", &json!({"provider": {"only": ["paid"]}}))
        .await;
    assert_eq!((said["status"].as_u64(), asked), (Some(200), "paid"));

    town.project(Project {
        demands_no_collection: true,
        residencies: vec!["eu".to_owned()],
        ..Default::default()
    })
    .await;
    let anywhere = json!({"provider": {"data_collection": "allow"}});
    let (said, asked) = town.ask("chat", &anywhere).await;
    let expected = json!({"status": 403, "code": "data_policy_unmet", "param": null});
    assert_eq!((said, asked), (expected, "nobody"));
    let request = UpdateProviderRequest {
        provider: Some(proto::admin::Provider {
            name: format!("{}/providers/paid", town.tenant.organization),
            collects_nothing: true,
            residency: "eu".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let updated = town.site.admin().providers().update_provider(request).await;
    let updated = updated.expect("the provider is changed").into_inner();
    assert!(updated.collects_nothing && !updated.retains_nothing);
    town.site.propagated().await;
    let (said, asked) = town.ask("chat", &anywhere).await;
    assert_eq!((said["status"].as_u64(), asked), (Some(200), "paid"));
    let told = town.explained(&anywhere).await;
    assert_eq!(
        places(&told),
        [
            ("paid", 1, vec![]),
            ("main", 0, vec![RouteRule::DataPolicy])
        ]
    );
}
