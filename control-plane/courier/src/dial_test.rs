//! What is dialled for notices: nothing that leads inwards, however it is spelled, and no other address than the one that was
//! checked.

use std::{sync::Mutex, time::Duration};

use tokio::{net::TcpListener, time::timeout};

use super::*;
use crate::place::Place;

const HOSTS: &str = include_str!("../../../shared/egress/hosts.txt");

fn dialler(opened: &[&str]) -> Dialler {
    let config = Config {
        private_ranges: opened.iter().map(|net| net.parse().unwrap()).collect(),
        plaintext_on_loopback: true,
        ..Config::default()
    };
    Dialler::new(&config, &[]).unwrap()
}

async fn is_unvisited(listener: &TcpListener) -> bool {
    let soon = Duration::from_millis(50);
    timeout(soon, listener.accept()).await.is_err()
}

#[tokio::test]
async fn no_host_of_the_table_is_dialled() {
    let dialler = dialler(&[]);
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows = HOSTS
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    for (_, host) in rows.map(|row| row.split_once(" | ").unwrap()) {
        for url in [
            format!("http://{host}:{port}/v1"),
            format!("http://{host}/v1"),
        ] {
            if let Ok(place) = Place::parse(&url) {
                assert!(dialler.dial(&place.server, false).await.is_err(), "{url}");
                let addresses = dialler.addresses(&place.server, true).await;
                assert!(addresses.is_err(), "{url}");
            }
        }
    }
    assert!(is_unvisited(&listener).await);
}

#[tokio::test]
async fn a_name_that_answers_otherwise_the_second_time_leads_nowhere_else() {
    let here = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    let inside = TcpListener::bind(("127.0.0.3", port)).await.unwrap();
    let mut dialler = dialler(&["127.0.0.2/32"]);
    let told = [
        vec!["127.0.0.2"],
        vec!["127.0.0.3"],
        vec!["127.0.0.3", "127.0.0.2"],
    ];
    let told = told.map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect());
    let told = Arc::new(Mutex::new(told.into()));
    dialler.names = Names::Told(Arc::clone(&told));
    let server = Server {
        host: "rebinding.invalid".to_owned(),
        port,
    };
    let reached = |dialled| match dialled {
        Ok(Either::Left(stream)) => TcpStream::peer_addr(&stream).unwrap().ip().to_string(),
        _ => "nothing".to_owned(),
    };
    assert_eq!(reached(dialler.dial(&server, false).await), "127.0.0.2");
    assert_eq!(told.lock().unwrap().len(), 2, "it is asked once");
    assert_eq!(reached(dialler.dial(&server, false).await), "nothing");
    assert_eq!(reached(dialler.dial(&server, false).await), "127.0.0.2");
    assert!(is_unvisited(&inside).await);
}
