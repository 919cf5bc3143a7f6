//! While rollouts are frozen none starts or goes on, through every death of the control plane; any is taken back, and only who may
//! forces one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::wait;
use prost_types::Timestamp;
use proto::admin::{
    ApproveRolloutRequest, CreateFreezeWindowRequest, DeleteFreezeWindowRequest,
    ForceRolloutRequest, ForceStartRolloutRequest, FreezeWindow, OnceFreeze, PromoteRolloutRequest,
    Rollout, RolloutState, RolloutStep, RolloutStickiness, WeeklyFreeze,
};
use scenarios::tokens;
use tonic::Code;

use crate::{
    command_line::Shell,
    town::{PATIENCE, Town, drive, errors, step, traffic},
};

const WHY: &str = "no releases before the fair";

/// Freezes the town's organization for an hour, under this id.
async fn freeze(town: &Town, id: &str) -> String {
    let at = |seconds: u64| {
        let seconds = i64::try_from(seconds).expect("it is not that late");
        Some(Timestamp { seconds, nanos: 0 })
    };
    let now = tokens::now();
    let window = FreezeWindow {
        reason: WHY.to_owned(),
        once: Some(OnceFreeze {
            start_time: at(now - 3_600),
            end_time: at(now + 3_600),
        }),
        ..Default::default()
    };
    let made = make(town, id, window).await;
    assert!(made.on_until.is_some());
    made.name
}

/// Makes a window of the town's organization.
async fn make(town: &Town, id: &str, window: FreezeWindow) -> FreezeWindow {
    let request = CreateFreezeWindowRequest {
        parent: town.tenant.organization.clone(),
        freeze_window_id: id.to_owned(),
        freeze_window: Some(window),
        ..Default::default()
    };
    let made = town
        .site
        .admin()
        .freezes()
        .create_freeze_window(request)
        .await;
    made.expect("a window is made").into_inner()
}

async fn thaw(town: &Town, name: String) {
    let request = DeleteFreezeWindowRequest {
        name,
        ..Default::default()
    };
    let gone = town
        .site
        .admin()
        .freezes()
        .delete_freeze_window(request)
        .await;
    gone.expect("it is deleted");
}

/// One that waits for somebody to approve of its first step.
fn held() -> Rollout {
    let first = RolloutStep {
        needs_approval: true,
        ..step(30, 0)
    };
    Rollout {
        steps: vec![first, step(60, 0)],
        ..Default::default()
    }
}

async fn approve(town: &Town, name: &str) {
    let request = ApproveRolloutRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let approved = town.site.admin().rollouts().approve_rollout(request).await;
    approved.expect("it is approved");
}

#[tokio::test]
async fn what_is_frozen_stays_where_it_is_through_deaths_of_the_control_plane_until_it_is_thawed() {
    let mut town = Town::build(vec!["here"], "fine").await;
    let name = town.start(held()).await.expect("it starts").name;
    let window = freeze(&town, "fair").await;
    approve(&town, &name).await;
    let stop = Arc::new(AtomicBool::new(false));
    let task = traffic(town.site.url(0), town.key.clone(), 50, Arc::clone(&stop));
    for _ in 0..2 {
        let before = town.rollout(&name).await.expect("it stands");
        town.site.control_planes[0].process.kill();
        town.site.revive_control_plane(0).await;
        // What has come since was taken, so it was looked at.
        let looked = wait::until_within(PATIENCE, "it is looked at", async || {
            let now = town.rollout(&name).await?;
            (now.candidate_requests > before.candidate_requests).then_some(now)
        });
        let (now, _) = looked.await;
        assert_eq!((now.state(), now.step), (RolloutState::Running, 1));
        assert!(now.frozen_until.is_some());
        assert_eq!(now.freeze_reason, WHY);
        assert!(now.waits_for.starts_with("the end of a freeze until "));
    }
    thaw(&town, window).await;
    let ended = wait::until_within(PATIENCE, "it is promoted", async || {
        let now = town.rollout(&name).await;
        now.filter(|it| it.state() == RolloutState::Promoted)
    });
    assert!(ended.await.0.frozen_until.is_none());
    stop.store(true, Ordering::Relaxed);
    task.await.expect("traffic never fails");
}

#[tokio::test]
async fn a_freeze_keeps_no_bad_candidate_from_being_taken_back() {
    let town = Town::build(vec!["here"], "broken").await;
    let rollout = Rollout {
        steps: vec![step(30, 1_000), step(60, 0)],
        gates: vec![errors()],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let name = town.start(rollout).await.expect("it starts").name;
    freeze(&town, "fair").await;
    let (ended, _) = drive(&town, &name, 50).await;
    assert_eq!(ended.state(), RolloutState::RolledBack, "{ended:?}");
    assert_eq!(town.stable().await, "v1");
}

#[tokio::test]
async fn only_who_may_forces_a_rollout_and_says_why() {
    let town = Town::build(Vec::new(), "fine").await;
    let publisher = town.publisher().await;
    let mut rollouts = publisher.rollouts();
    let name = town.start(held()).await.expect("it starts").name;
    freeze(&town, "fair").await;
    let promote = PromoteRolloutRequest {
        name: name.clone(),
        ..Default::default()
    };
    let why = rollouts.promote_rollout(promote.clone()).await;
    let why = why.expect_err("it is frozen");
    assert_eq!(why.code(), Code::FailedPrecondition);
    assert!(why.message().contains(WHY), "{}", why.message());
    let force = |reason: &str| ForceRolloutRequest {
        name: name.clone(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let denied = rollouts.force_rollout(force("hurry")).await;
    assert_eq!(
        denied.expect_err("not theirs").code(),
        Code::PermissionDenied
    );
    let windows = CreateFreezeWindowRequest {
        parent: town.tenant.organization.clone(),
        ..Default::default()
    };
    let denied = publisher.freezes().create_freeze_window(windows).await;
    assert_eq!(
        denied.expect_err("not theirs").code(),
        Code::PermissionDenied
    );

    let root = town.site.admin();
    let silent = root.rollouts().force_rollout(force(" ")).await;
    assert_eq!(silent.expect_err("why?").code(), Code::InvalidArgument);
    let forced = root.rollouts().force_rollout(force("it leaks")).await;
    let forced = forced.expect("it is forced").into_inner();
    assert_eq!(forced.forced_reason, "it leaks");
    assert!(forced.frozen_until.is_none());
    let promoted = rollouts.promote_rollout(promote).await;
    assert_eq!(
        promoted.expect("it heeds none").into_inner().state(),
        RolloutState::Promoted
    );
    let shell = Shell::new(&town.site);
    let trail = shell.done("audit list --since 1h -o json");
    assert!(trail.contains("ForceRollout") && trail.contains("it leaks"));
}

#[tokio::test]
async fn while_it_is_frozen_nothing_starts_but_by_force() {
    let town = Town::build(Vec::new(), "fine").await;
    let publisher = town.publisher().await;
    let window = freeze(&town, "fair").await;
    let shell = Shell::new(&town.site);
    let start = shell.run("rollouts start chat --to v2 --step 5%");
    assert_eq!(start.code, 4, "{}", start.err);
    assert!(start.err.contains(WHY), "{}", start.err);
    let wanted = Rollout {
        candidate_version: format!("{}/versions/v2", town.model()),
        ..held()
    };
    let start = ForceStartRolloutRequest {
        parent: town.model(),
        rollout: Some(wanted),
        reason: "it leaks".to_owned(),
        ..Default::default()
    };
    let denied = publisher
        .rollouts()
        .force_start_rollout(start.clone())
        .await;
    assert_eq!(
        denied.expect_err("not theirs").code(),
        Code::PermissionDenied
    );
    let root = town.site.admin();
    let started = root.rollouts().force_start_rollout(start).await;
    let started = started.expect("it starts").into_inner();
    assert_eq!(started.forced_reason, "it leaks");
    thaw(&town, window).await;
}

#[tokio::test]
async fn windows_come_every_week_and_the_command_line_tells_of_them() {
    let town = Town::build(Vec::new(), "fine").await;
    let shell = Shell::new(&town.site);
    let line = "freezes create nights --days mon,tue,wed,thu,fri,sat,sun --from 00:01 --until 00:00 \
                --time-zone Pacific/Kiritimati --reason nights";
    shell.done(line);
    let always = shell.run("freezes create always --days mon,tue,wed,thu,fri,sat,sun --reason no");
    assert_eq!(always.code, 4, "{}", always.err);
    // All the week but for a minute of each day; in that minute this one is on.
    let line = "freezes create fair --start 1h --end 2h --reason later";
    assert!(shell.done(line).contains("fair"));
    let week = WeeklyFreeze {
        days: (1..=7).collect(),
        start_minute: 0,
        end_minute: 720,
        time_zone: String::new(),
    };
    for (id, start, end) in [("mornings", 0, 720), ("evenings", 720, 1_440)] {
        let window = FreezeWindow {
            reason: WHY.to_owned(),
            weekly: Some(WeeklyFreeze {
                start_minute: start,
                end_minute: end,
                ..week.clone()
            }),
            ..Default::default()
        };
        make(&town, id, window).await;
    }
    let listed = shell.done("freezes list");
    for told in ["nights", "mornings", "evenings", "later", WHY] {
        assert!(listed.contains(told), "{listed}");
    }
    let start = "rollouts start chat --to v2 --step 5%:approve";
    let frozen = shell.run(start);
    assert_eq!(frozen.code, 4, "{}", frozen.err);
    assert!(
        frozen.err.contains("rollouts are frozen until"),
        "{}",
        frozen.err
    );
    assert!(
        shell
            .done(&format!("{start} --force urgent"))
            .contains("urgent")
    );
    shell.done("rollouts abort chat");
    for id in ["nights", "mornings", "evenings", "fair"] {
        shell.done(&format!("freezes delete {id}"));
    }
    shell.done(start);
    let line = "freezes create now --start 0s --end 2h --reason inventory";
    shell.done(line);
    let late = shell.run("rollouts wait chat --within 0s");
    assert_eq!(late.code, 7, "{}", late.err);
    assert!(late.err.contains("frozen until"), "{}", late.err);
    assert!(late.out.contains("inventory"), "{}", late.out);
}
