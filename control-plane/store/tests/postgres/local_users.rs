//! Local users at the door: tries are counted before they are judged, and a code is taken once, however many come at once.

use domain::{
    access::{Binding, Bindings, Bound, Place, Role},
    local_user::Checked,
    name::LocalUserName,
    segment::KeyId,
};
use store::{
    given_key,
    id::draw,
    local_login::{self, Chosen, Entered, Shown},
    local_user::{self, Fresh, New},
    operator_key,
};
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::world::{World, organization_name};

const KEPT: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA";

fn name() -> LocalUserName {
    LocalUserName::parse("organizations/acme/localUsers/ada").unwrap()
}

/// Ada, who has chosen a password at the first step.
async fn ada(world: &World) -> local_user::Row {
    let mut write = world.store.write("owner").await.unwrap();
    let viewer = Binding {
        role: Bound::BuiltIn(Role::Viewer),
        at: Place::Organization(organization_name("acme")),
    };
    let new = New {
        id: draw(),
        name: name(),
        checked: Checked {
            display_name: String::new(),
            bindings: Bindings(vec![viewer]),
            lifetime_ms: 60_000,
            disabled: false,
        },
        fresh: Fresh {
            activation_sha256: [7; 32],
            activation_ends_at: OffsetDateTime::now_utc() + Duration::days(1),
            code_secret: b"sealed".to_vec(),
        },
    };
    let row = local_user::create(&mut write, new).await.unwrap();
    write.commit().await.unwrap();
    let mut write = world.store.write("ada").await.unwrap();
    let chosen = Chosen {
        id: row.id,
        activation_sha256: [7; 32],
        password: KEPT,
        step: 1,
    };
    assert!(local_login::activate(&mut write, chosen).await.unwrap());
    // It is taken once.
    assert!(!local_login::activate(&mut write, chosen).await.unwrap());
    write.commit().await.unwrap();
    row
}

fn key(at: usize, ends_at: OffsetDateTime) -> given_key::New {
    given_key::New {
        key_id: KeyId::parse(&format!("{at:012}")).unwrap(),
        secret_sha256: [1; 32],
        display_name: String::new(),
        bindings: Bindings::default(),
        expires_at: ends_at,
        subject: "ada".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_tries_at_once_five_are_judged_and_a_right_one_forgives() {
    let world = World::acme().await;
    for digest in [[1; 32], [2; 32]] {
        let mut tries = JoinSet::new();
        for _ in 0..100 {
            let store = world.store.clone();
            tries.spawn(async move { local_login::try_once(&store, &digest).await.unwrap() });
        }
        let outcomes = tries.join_all().await;
        let judged = outcomes.iter().filter(|it| it.is_ok()).count();
        assert_eq!(judged, 5);
        let longest = outcomes.iter().filter_map(|it| it.err()).max().unwrap();
        assert!(longest <= std::time::Duration::from_secs(1), "{longest:?}");
    }
    let digest = [1; 32];
    // As if each had been a while ago: the pause grows with every further one.
    for (passed, tries) in [
        (
            "UPDATE local_login SET tried_at = now() - interval '1 second'",
            6,
        ),
        (
            "UPDATE local_login SET tried_at = now() - interval '2 seconds'",
            7,
        ),
        (
            "UPDATE local_login SET tried_at = now() - interval '4 seconds'",
            8,
        ),
    ] {
        world.sql(passed).await;
        let tried = local_login::try_once(&world.store, &digest).await;
        assert_eq!(tried.unwrap(), Ok(()), "{passed}");
        let again = local_login::try_once(&world.store, &digest).await.unwrap();
        let pause = std::time::Duration::from_secs(1 << (tries - 5));
        let left = again.unwrap_err();
        assert!(left <= pause && left > pause / 2, "{left:?} of {pause:?}");
    }
    world.sql("UPDATE local_login SET tries = 1000").await;
    let longest = local_login::try_once(&world.store, &digest).await.unwrap();
    assert!(longest.unwrap_err() <= std::time::Duration::from_mins(15));
    let mut write = world.store.write("ada").await.unwrap();
    local_login::forgive(&mut write, &digest).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(
        local_login::try_once(&world.store, &digest).await,
        Ok(Ok(()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_taken_once_and_what_it_gave_goes_with_what_stood() {
    let world = World::acme().await;
    let row = ada(&world).await;
    let shown = |step| Shown {
        id: row.id,
        password: KEPT,
        step,
    };
    let ends_at = OffsetDateTime::now_utc() + Duration::minutes(1);
    let mut entering = JoinSet::new();
    for at in 0..10 {
        let store = world.store.clone();
        let shown = shown(2);
        entering.spawn(async move {
            let mut write = store.write("ada").await.unwrap();
            let new = |_: &local_user::Row| Ok(key(at, ends_at));
            let entered = local_login::enter(&mut write, &name(), shown, new).await;
            let entered = entered.unwrap();
            if let Entered::Key(_) = &entered {
                write.commit().await.unwrap();
            }
            entered
        });
    }
    let entered = entering.join_all().await;
    let mut keys = entered.iter().filter_map(|it| match it {
        Entered::Key(row) => Some(row),
        _ => None,
    });
    let given = keys.next().expect("one is let in");
    assert!(keys.next().is_none(), "a code is taken once");
    assert_eq!(
        given.given,
        Some((name().to_string(), "ada".to_owned())),
        "a key tells whose it is"
    );
    for late in [
        shown(1),
        shown(2),
        Shown {
            password: "other",
            ..shown(3)
        },
    ] {
        let mut write = world.store.write("ada").await.unwrap();
        let new = |_: &local_user::Row| Ok(key(99, ends_at));
        let entered = local_login::enter(&mut write, &name(), late, new).await;
        assert_eq!(entered.unwrap(), Entered::Late);
    }
    let mut write = world.store.write("ada").await.unwrap();
    let changed = local_login::change_password(&mut write, shown(3), "other").await;
    assert_eq!(changed.unwrap(), Some(1), "what they were given is revoked");
    write.commit().await.unwrap();
    let revoked = operator_key::get(&world.store, &given.name).await.unwrap();
    assert!(revoked.revoked_at.is_some());
}

#[tokio::test]
async fn who_is_reset_switched_off_or_deleted_is_let_in_no_more() {
    let world = World::acme().await;
    let row = ada(&world).await;
    let ends_at = OffsetDateTime::now_utc() + Duration::minutes(1);
    let enter = async |step, password: &str| {
        let mut write = world.store.write("ada").await.unwrap();
        let at = usize::try_from(step).unwrap();
        let shown = Shown {
            id: row.id,
            password,
            step,
        };
        let new = |_: &local_user::Row| Ok(key(at, ends_at));
        let entered = local_login::enter(&mut write, &name(), shown, new).await;
        write.commit().await.unwrap();
        entered.unwrap()
    };
    assert!(matches!(enter(2, KEPT).await, Entered::Key(_)));
    let mut write = world.store.write("owner").await.unwrap();
    let mut off = local_user::lock(&mut write, &name(), "").await.unwrap();
    off.checked.disabled = true;
    let off = local_user::update(&mut write, &off).await.unwrap();
    write.commit().await.unwrap();
    assert!(off.checked.disabled);
    assert_eq!(enter(3, KEPT).await, Entered::Late);

    let mut write = world.store.write("owner").await.unwrap();
    let mut on = local_user::lock(&mut write, &name(), &off.etag())
        .await
        .unwrap();
    on.checked.disabled = false;
    local_user::update(&mut write, &on).await.unwrap();
    write.commit().await.unwrap();
    assert!(matches!(enter(4, KEPT).await, Entered::Key(_)));

    let mut write = world.store.write("owner").await.unwrap();
    let locked = local_user::lock(&mut write, &name(), "").await.unwrap();
    let fresh = Fresh {
        activation_sha256: [8; 32],
        activation_ends_at: OffsetDateTime::now_utc() + Duration::days(1),
        code_secret: b"another".to_vec(),
    };
    let (reset, revoked) = local_user::reset(&mut write, &locked, fresh).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!((revoked, reset.password_changed_at), (1, None));
    assert_eq!(enter(5, KEPT).await, Entered::Late);
    let known = local_login::known(&world.store, &name())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.activation_sha256, Some([8; 32]));
    assert_eq!((known.code_step, known.password), (0, None));

    let mut write = world.store.write("owner").await.unwrap();
    let locked = local_user::lock(&mut write, &name(), "").await.unwrap();
    assert_eq!(local_user::delete(&mut write, &locked).await, Ok(0));
    write.commit().await.unwrap();
    assert!(
        local_login::known(&world.store, &name())
            .await
            .unwrap()
            .is_none()
    );
}
