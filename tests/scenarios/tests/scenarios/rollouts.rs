//! A release goes out in steps and takes itself back; everybody keeps the version that they met, on every edge, through
//! every death of the control plane.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{client::Client, wait};
use proto::admin::{
    AbortRolloutRequest, ApproveRolloutRequest, Model, PauseRolloutRequest, ResumeRolloutRequest,
    Rollout, RolloutGate, RolloutMetric, RolloutState, RolloutStep, RolloutStickiness,
    UpdateModelRequest,
};
use tonic::Code;

use crate::town::{PATIENCE, Town, drive, errors, nobody_went_back, step, traffic, version};

#[tokio::test]
async fn a_good_candidate_is_promoted_through_its_steps() {
    let town = Town::build(vec!["here"], "fine").await;
    let rollout = Rollout {
        steps: vec![step(20, 5), step(60, 5)],
        gates: vec![errors()],
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    assert_eq!(started.state(), RolloutState::Running);
    assert!(!started.waits_for.is_empty());
    let (ended, got) = drive(&town, &started.name, 400).await;
    assert_eq!(ended.state(), RolloutState::Promoted, "{ended:?}");
    assert_eq!(town.stable().await, "v2");
    nobody_went_back(&got);
    assert!(got.values().flatten().all(|it| it.0 == 200));
    let trail = town.trail().await;
    let trail: Vec<_> = trail.iter().map(|it| (it.0.as_str(), it.1)).collect();
    assert_eq!(
        trail,
        [
            ("StartRollout", 1),
            ("AdvanceRollout", 2),
            ("PromoteRollout", 2)
        ]
    );
    town.site.propagated().await;
    let mut client = Client::connect(&town.site.url(0), &town.key).await.unwrap();
    for user in 0..20 {
        let answer = version(&mut client, &format!("user-{user}")).await;
        assert_eq!(answer, Some((200, "v2".to_owned())));
    }
}

#[tokio::test]
async fn a_bad_candidate_takes_itself_back_and_the_stable_version_serves_all() {
    let town = Town::build(vec!["here"], "broken").await;
    let rollout = Rollout {
        steps: vec![step(10, 5), step(100, 5)],
        gates: vec![errors()],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    let (ended, got) = drive(&town, &started.name, 50).await;
    assert_eq!(ended.state(), RolloutState::RolledBack, "{ended:?}");
    assert_eq!(ended.step, 1);
    assert!(
        ended
            .reason
            .starts_with("the error rate is worse: 100.00 %"),
        "{}",
        ended.reason
    );
    assert_eq!(town.stable().await, "v1");
    let all: Vec<_> = got.values().flatten().collect();
    let hit = all.iter().filter(|it| it.0 != 200).count();
    assert!(hit > 0 && hit * 5 < all.len(), "{hit} of {}", all.len());
    town.site.propagated().await;
    let mut client = Client::connect(&town.site.url(0), &town.key).await.unwrap();
    for user in 0..50 {
        let answer = version(&mut client, &format!("user-{user}")).await;
        assert_eq!(answer, Some((200, "v1".to_owned())));
    }
    // What is over stays over, and makes room for another.
    let again = Rollout {
        steps: vec![step(1, 0)],
        ..Default::default()
    };
    assert!(
        town.start(again)
            .await
            .expect("another starts")
            .name
            .ends_with("/r2")
    );
}

#[tokio::test]
async fn a_candidate_that_cuts_its_answers_short_is_taken_back_for_that() {
    let town = Town::build(vec!["here"], "terse").await;
    let rollout = Rollout {
        steps: vec![step(30, 5)],
        gates: vec![
            errors(),
            RolloutGate {
                metric: RolloutMetric::TruncationRate.into(),
                ..Default::default()
            },
        ],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    assert_eq!(started.gates[1].margin_basis_points, 500);
    let (ended, got) = drive(&town, &started.name, 50).await;
    assert_eq!(ended.state(), RolloutState::RolledBack, "{ended:?}");
    let why = "the truncation rate is worse: 100.00 %";
    assert!(ended.reason.starts_with(why), "{}", ended.reason);
    // Nobody failed, and streams are known as well as answers in one piece.
    assert!(got.values().flatten().all(|it| it.0 == 200));
    let known = &ended.evidence[1];
    assert_eq!(known.candidate_samples, ended.candidate_requests);
    assert!(known.stable_samples > 0 && known.stable_mean < 1e-9);
}

#[tokio::test]
async fn a_candidate_whose_calls_nobody_can_make_is_taken_back_for_that() {
    let town = Town::build(vec!["here"], "clumsy").await;
    let rollout = Rollout {
        steps: vec![step(30, 5)],
        gates: vec![
            errors(),
            RolloutGate {
                metric: RolloutMetric::ToolCallErrorRate.into(),
                ..Default::default()
            },
        ],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    let (ended, got) = drive(&town, &started.name, 50).await;
    assert_eq!(ended.state(), RolloutState::RolledBack, "{ended:?}");
    let why = "the tool call error rate is worse: 100.00 %";
    assert!(ended.reason.starts_with(why), "{}", ended.reason);
    assert!(got.values().flatten().all(|it| it.0 == 200));
    let known = &ended.evidence[1];
    assert_eq!(known.candidate_samples, ended.candidate_requests);
    assert!(known.stable_samples > 0 && known.stable_mean < 1e-9);
}

#[tokio::test]
async fn two_edges_assign_a_user_alike_and_only_those_move_who_must() {
    let town = Town::build(vec!["here", "there"], "fine").await;
    let first = RolloutStep {
        needs_approval: true,
        ..step(30, 0)
    };
    let second = RolloutStep {
        needs_approval: true,
        ..step(60, 0)
    };
    let rollout = Rollout {
        steps: vec![first, second],
        stickiness: RolloutStickiness::EndUser.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    let mut before = HashMap::new();
    let mut moved = 0;
    for round in 0..2 {
        for user in 0..60 {
            let user = format!("user-{user}");
            let mut versions = Vec::new();
            for edge in 0..2 {
                let url = town.site.url(edge);
                let mut client = Client::connect(&url, &town.key).await.unwrap();
                versions.push(version(&mut client, &user).await.expect("it answers").1);
            }
            assert_eq!(versions[0], versions[1], "{user} in round {round}");
            if let Some(old) = before.insert(user.clone(), versions[0].clone()) {
                assert!(old <= versions[0], "{user} went back");
                moved += usize::from(old < versions[0]);
            }
        }
        let new = before.values().filter(|it| *it == "v2").count();
        let expected = [18, 36][round];
        assert!(new.abs_diff(expected) < 15, "{new} of 60");
        if round == 0 {
            let request = ApproveRolloutRequest {
                name: started.name.clone(),
                ..Default::default()
            };
            let approved = town.site.admin().rollouts().approve_rollout(request).await;
            approved.expect("it is approved");
            wait::until("the second step begins", async || {
                town.rollout(&started.name).await.filter(|it| it.step == 2)
            })
            .await;
            town.site.propagated().await;
        }
    }
    assert!(moved > 0);
}

#[tokio::test]
async fn a_control_plane_that_dies_at_any_point_skips_no_step_and_moves_nobody_back() {
    let mut town = Town::build_with(2, vec!["here"], "fine").await;
    let rollout = Rollout {
        steps: vec![step(10, 3), step(30, 3), step(60, 3), step(90, 3)],
        stickiness: RolloutStickiness::EndUser.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    let stop = Arc::new(AtomicBool::new(false));
    let task = traffic(town.site.url(0), town.key.clone(), 50, Arc::clone(&stop));
    for death in 0..8 {
        // The end of such an id is drawn by chance.
        let chance = uuid::Uuid::now_v7().as_u128() % 1_200;
        let lived = Duration::from_millis(u64::try_from(chance).expect("it is small"));
        let ended = wait::until_within(PATIENCE, "it has ended", async || {
            town.rollout(&started.name)
                .await
                .filter(|it| it.end_time.is_some())
        });
        // Whether it ends meanwhile or not, the next replica dies.
        let _ = tokio::time::timeout(lived, ended).await;
        let dies = death % 2;
        town.site.control_planes[dies].process.kill();
        town.site.revive_control_plane(dies).await;
    }
    let ended = wait::until_within(PATIENCE, "the rollout has ended", async || {
        town.rollout(&started.name)
            .await
            .filter(|it| it.end_time.is_some())
    });
    assert_eq!(ended.await.0.state(), RolloutState::Promoted);
    // An edge that was left by everybody takes its time to come back.
    wait::until_within(PATIENCE, "the edge serves it", async || {
        let mut client = Client::connect(&town.site.url(0), &town.key).await.ok()?;
        let all = (0..10).map(|user| format!("new-{user}"));
        for user in all {
            version(&mut client, &user)
                .await
                .filter(|it| it.1 == "v2")?;
        }
        Some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let got = task.await.expect("traffic never fails");
    nobody_went_back(&got);
    assert_eq!(town.stable().await, "v2");
    let trail = town.trail().await;
    let steps: Vec<_> = trail.iter().map(|it| (it.0.as_str(), it.1)).collect();
    assert_eq!(
        steps,
        [
            ("StartRollout", 1),
            ("AdvanceRollout", 2),
            ("AdvanceRollout", 3),
            ("AdvanceRollout", 4),
            ("PromoteRollout", 4)
        ]
    );
}

#[tokio::test]
async fn who_publishes_models_runs_rollouts_and_nothing_is_changed_behind_their_back() {
    let town = Town::build(vec!["here"], "fine").await;
    let root = town.site.admin();
    let publisher = town.publisher().await;
    let hold = Rollout {
        steps: vec![RolloutStep {
            needs_approval: true,
            ..step(50, 0)
        }],
        ..Default::default()
    };
    let name = town.start(hold.clone()).await.expect("it starts").name;
    assert_eq!(town.start(hold).await.err(), Some(Code::FailedPrecondition));
    let other = UpdateModelRequest {
        model: Some(Model {
            name: town.model(),
            stable_version: format!("{}/versions/v2", town.model()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = root.models().update_model(other).await;
    assert_eq!(
        refused.expect_err("a rollout has it").code(),
        Code::FailedPrecondition
    );

    let mut rollouts = publisher.rollouts();
    let pause = PauseRolloutRequest {
        name: name.clone(),
        reason: "lunch".to_owned(),
        ..Default::default()
    };
    let paused = rollouts.pause_rollout(pause.clone()).await;
    let paused = paused.expect("it is paused").into_inner();
    assert_eq!(
        (paused.state(), paused.reason.as_str()),
        (RolloutState::Paused, "lunch")
    );
    let twice = rollouts.pause_rollout(pause).await;
    assert_eq!(twice.expect_err("once").code(), Code::FailedPrecondition);
    let resume = ResumeRolloutRequest {
        name: name.clone(),
        ..Default::default()
    };
    let resumed = rollouts.resume_rollout(resume).await;
    assert!(resumed.is_ok());
    let abort = AbortRolloutRequest {
        name,
        reason: "never mind".to_owned(),
        ..Default::default()
    };
    let aborted = rollouts.abort_rollout(abort.clone()).await;
    let aborted = aborted.expect("it is aborted").into_inner();
    assert_eq!(aborted.state(), RolloutState::Aborted);
    let twice = rollouts.abort_rollout(abort).await;
    assert_eq!(
        twice.expect_err("it is over").code(),
        Code::FailedPrecondition
    );
}
