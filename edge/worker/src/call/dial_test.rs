//! What is dialled: nothing that leads inwards, however it is spelled, and no other address than the one that was checked.

use std::cell::RefCell;

use tokio::{net::TcpListener, time::timeout};

use super::*;

const HOSTS: &str = include_str!("../../../../shared/egress/hosts.txt");

const PATIENCE: Duration = Duration::from_secs(5);

fn dialler(opened: &[&str], told: Option<&[&[&str]]>) -> Dialler {
    let opened = opened.iter().map(|net| net.parse().unwrap()).collect();
    let mut dialler = Dialler::new(Guard::new(opened), tls().unwrap(), PATIENCE);
    if let Some(told) = told {
        let answer = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        dialler.names = Names::Told(RefCell::new(told.iter().map(answer).collect()));
    }
    dialler
}

async fn is_unvisited(listener: &TcpListener) -> bool {
    let soon = Duration::from_millis(50);
    timeout(soon, listener.accept()).await.is_err()
}

#[tokio::test]
async fn no_host_of_the_table_is_dialled() {
    let dialler = dialler(&[], None);
    // Takes what comes to any address of this machine, of either version.
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows = HOSTS
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    let hosts: Vec<&str> = rows.map(|row| row.split_once(" | ").unwrap().1).collect();
    assert!(hosts.len() >= 100);
    let mut broken = Vec::new();
    for host in hosts {
        for url in [
            format!("http://{host}:{port}/v1"),
            format!("http://{host}/v1"),
        ] {
            let Ok(origin) = Origin::parse(&url) else {
                continue;
            };
            match dialler.dial(&origin).await {
                Err(CannotDial::Forbidden | CannotDial::Unresolved) => {}
                Ok(_) => broken.push(format!("{url} is dialled")),
                Err(why) => broken.push(format!("{url} is tried: {why}")),
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
    assert!(is_unvisited(&listener).await);
}

#[tokio::test]
async fn a_name_that_answers_otherwise_the_second_time_leads_nowhere_else() {
    let here = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    let inside = TcpListener::bind(("127.0.0.3", port)).await.unwrap();
    let told: &[&[&str]] = &[
        &["127.0.0.2"],
        &["127.0.0.3"],
        &["127.0.0.3", "169.254.169.254", "127.0.0.2"],
        &["::ffff:127.0.0.3"],
        &[],
    ];
    let dialler = dialler(&["127.0.0.2/32"], Some(told));
    let origin = Origin::parse(&format!("http://rebinding.invalid:{port}")).unwrap();
    let left = || match &dialler.names {
        Names::Told(answers) => answers.borrow().len(),
        Names::System => 0,
    };
    let reached = |dialled| match dialled {
        Ok(Wire::Tcp(stream)) => stream.peer_addr().unwrap().ip().to_string(),
        _ => "nothing".to_owned(),
    };
    // Asked once, and what was judged is what is dialled.
    assert_eq!(reached(dialler.dial(&origin).await), "127.0.0.2");
    assert_eq!(left(), 4);
    // The next connection asks anew, and is judged anew.
    let second = dialler.dial(&origin).await;
    assert!(matches!(second, Err(CannotDial::Forbidden)));
    // Of several answers only what may be dialled is.
    assert_eq!(reached(dialler.dial(&origin).await), "127.0.0.2");
    let mapped = dialler.dial(&origin).await;
    assert!(matches!(mapped, Err(CannotDial::Forbidden)));
    let nothing = dialler.dial(&origin).await;
    assert!(matches!(nothing, Err(CannotDial::Unresolved)));
    assert!(is_unvisited(&inside).await);
}
