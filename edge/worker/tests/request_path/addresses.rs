//! Which addresses the edge dials, asked end to end; the table of ranges is the guard's own.

use worker::call;

use crate::{edge::Setup, provider::Provider};

#[tokio::test]
async fn addresses_that_are_not_public_are_not_dialled_unless_opened() {
    let provider = Provider::start().await;
    let port = provider.address().port();
    let table = [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://0.0.0.0:{port}"),
        "http://10.0.0.1".to_owned(),
    ];
    for base_url in table {
        let upstream = call::Config {
            private_ranges: Vec::new(),
            ..Setup::default().upstream
        };
        let edge = Setup {
            upstream,
            ..Setup::default()
        }
        .start(std::slice::from_ref(&base_url));
        let response = edge.chat(r#"{"model":"chat"}"#).await.response().await;
        let said = (response.status, response.code());
        assert_eq!(
            said,
            (503, "upstream_address_forbidden".to_owned()),
            "{base_url}"
        );
    }
    let everything = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let upstream = call::Config {
        private_ranges: everything,
        ..Setup::default().upstream
    };
    let metadata = "http://169.254.169.254/latest".to_owned();
    let edge = Setup {
        upstream,
        ..Setup::default()
    }
    .start(&[metadata]);
    let response = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(response.code(), "upstream_address_forbidden");
    assert!(provider.is_unvisited().await);
}
