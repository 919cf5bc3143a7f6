//! What is asked of each service, and what is made of its answers.

use std::{fs, io::Write as _};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NOW_MS: u64 = 1_440_938_160_000;

/// A server that answers one connection after another so, and then gives what it was asked.
async fn scripted(
    answers: Vec<(u16, &'static str)>,
) -> (String, JoinHandle<Vec<(String, serde_json::Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            while whole(&text).is_none() {
                assert!(
                    stream.read_buf(&mut text).await.unwrap() > 0,
                    "it is cut off"
                );
            }
            asked.push(whole(&text).unwrap());
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (address, task)
}

/// A whole request: its head, and its document.
fn whole(bytes: &[u8]) -> Option<(String, serde_json::Value)> {
    let text = str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let body = serde_json::from_str(body).ok()?;
    Some((head.to_owned(), body))
}

fn vault(address: &str) -> Vault {
    serde_json::from_value(serde_json::json!({
        "address": address, "mount": "team/transit", "key": "sluice", "namespace": "admin", "token": "s.token",
    }))
    .unwrap()
}

fn aws_kms(address: &str) -> AwsKms {
    serde_json::from_value(serde_json::json!({
        "endpoint": address, "region": "eu-west-1", "key_id": "alias/sluice",
        "access_key_id": "AKID", "secret_access_key": "very-secret",
    }))
    .unwrap()
}

fn of_vault(config: &Vault) -> Custodian {
    let (clock, _) = Clock::by_hand(NOW_MS);
    Custodian::open(Some(config), None, &clock).unwrap()
}

fn of_kms(address: &str) -> Custodian {
    let (clock, _) = Clock::by_hand(NOW_MS);
    Custodian::open(None, Some(&aws_kms(address)), &clock).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[tokio::test]
async fn vault_is_asked_as_its_transit_engine_has_it() {
    let plain =
        r#"{"request_id":"1","data":{"plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}"#;
    let wrapped = r#"{"data":{"ciphertext":"vault:v1:new","key_version":1}}"#;
    let (address, task) = scripted(vec![(200, plain), (200, wrapped)]).await;
    let custodian = of_vault(&vault(&address));
    let opened = custodian.unwrap("vault:v1:abc").await.unwrap();
    assert_eq!(opened.expose(), KEY);
    let drawn = custodian.draw().await.unwrap().unwrap();
    assert!(drawn == "vault:v1:new" && is_wrapped(&drawn) && !is_wrapped(KEY));
    let asked = task.await.unwrap();
    let (head, body) = &asked[0];
    assert!(head.starts_with("POST /v1/team/transit/decrypt/sluice HTTP/1.1"));
    assert_eq!(header(head, "x-vault-token"), Some("s.token"));
    assert_eq!(header(head, "x-vault-namespace"), Some("admin"));
    assert_eq!(header(head, "x-vault-request"), Some("true"));
    assert_eq!(body, &serde_json::json!({"ciphertext": "vault:v1:abc"}));
    let (head, body) = &asked[1];
    assert!(head.starts_with("POST /v1/team/transit/datakey/wrapped/sluice HTTP/1.1"));
    assert_eq!(body, &serde_json::json!({"bits": 256}));
}

#[tokio::test]
async fn kms_is_asked_as_its_protocol_has_it_and_signed_for_its_region() {
    let plain = r#"{"KeyId":"arn","Plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}"#;
    let wrapped = r#"{"CiphertextBlob":"bmV3","KeyId":"arn"}"#;
    let (address, task) = scripted(vec![(200, plain), (200, wrapped)]).await;
    let custodian = of_kms(&address);
    let opened = custodian.unwrap("aws-kms:YWJj").await.unwrap();
    assert_eq!(opened.expose(), KEY);
    assert_eq!(custodian.draw().await.unwrap().unwrap(), "aws-kms:bmV3");
    let asked = task.await.unwrap();
    let (head, body) = &asked[0];
    assert!(head.starts_with("POST / HTTP/1.1"));
    assert_eq!(header(head, "x-amz-target"), Some("TrentService.Decrypt"));
    assert_eq!(
        header(head, "content-type"),
        Some("application/x-amz-json-1.1")
    );
    let signed = header(head, "authorization").unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=AKID/20150830/eu-west-1/kms/aws4_request, ";
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=";
    assert!(signed.starts_with(&format!("{scope}{names}")), "{signed}");
    assert!(!head.contains("very-secret"));
    let context = serde_json::json!({"sluice": "sealing key"});
    assert_eq!(body["CiphertextBlob"], "YWJj");
    assert_eq!(body["KeyId"], "alias/sluice");
    assert_eq!(body["EncryptionContext"], context);
    let (head, body) = &asked[1];
    let target = header(head, "x-amz-target");
    assert_eq!(target, Some("TrentService.GenerateDataKeyWithoutPlaintext"));
    assert_eq!(body["KeySpec"], "AES_256");
    assert_eq!(body["EncryptionContext"], context);
}

#[tokio::test]
async fn who_is_away_is_asked_again_and_who_refuses_is_not() {
    let plain = r#"{"data":{"plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}"#;
    let sealed = r#"{"errors":["Vault is sealed"]}"#;
    let (address, _) = scripted(vec![(503, sealed), (200, plain)]).await;
    let custodian = of_vault(&vault(&address));
    let opened = custodian.unwrap_patiently("vault:v1:abc").await.unwrap();
    assert_eq!(opened.expose(), KEY);
    let gone = custodian.unwrap("vault:v1:abc").await.unwrap_err();
    assert!(gone.may_pass(), "nobody is there any more: {gone}");

    let denied = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
    let (address, _) = scripted(vec![(403, denied)]).await;
    let custodian = of_vault(&vault(&address));
    let why = custodian
        .unwrap_patiently("vault:v1:abc")
        .await
        .unwrap_err();
    let told = why.to_string();
    assert!(
        !why.may_pass() && told.contains("permission denied"),
        "{told}"
    );
    assert!(
        told.contains(&address) && !told.contains("s.token"),
        "{told}"
    );
}

#[tokio::test]
async fn of_a_refusal_of_kms_its_name_is_told_and_nothing_else() {
    let denied = r#"{"__type":"AccessDeniedException","message":"what was signed: very-secret"}"#;
    let slow = r#"{"__type":"com.amazonaws.kms#ThrottlingException","message":"Rate exceeded"}"#;
    let other = r#"{"Plain":1}"#;
    let (address, _) = scripted(vec![(400, denied), (400, slow), (200, other)]).await;
    let custodian = of_kms(&address);
    let why = custodian.unwrap("aws-kms:YWJj").await.unwrap_err();
    let told = why.to_string();
    assert!(
        !why.may_pass() && told.contains("400 AccessDeniedException"),
        "{told}"
    );
    assert!(!told.contains("very-secret"), "{told}");
    let why = custodian.unwrap("aws-kms:YWJj").await.unwrap_err();
    assert!(why.may_pass(), "{why}");
    let why = custodian.unwrap("aws-kms:YWJj").await.unwrap_err();
    assert!(matches!(why, Unopened::Strange { .. }), "{why}");
}

#[tokio::test]
async fn a_token_is_read_anew_each_time() {
    let denied = r#"{"errors":["permission denied"]}"#;
    let (address, task) = scripted(vec![(403, denied), (403, denied)]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"first\n").unwrap();
    let config = Vault {
        token: None,
        token_file: Some(file.path().to_owned()),
        ..vault(&address)
    };
    let custodian = of_vault(&config);
    assert!(custodian.unwrap("vault:v1:abc").await.is_err());
    fs::write(file.path(), "second\n").unwrap();
    assert!(custodian.unwrap("vault:v1:abc").await.is_err());
    let asked = task.await.unwrap();
    let tokens = asked.iter().map(|(head, _)| header(head, "x-vault-token"));
    assert!(tokens.eq([Some("first"), Some("second")]));
}

#[tokio::test]
async fn what_is_not_set_is_named() {
    let (clock, _) = Clock::by_hand(NOW_MS);
    let custodian = Custodian::open(None, None, &clock).unwrap();
    for (wrapped, section) in [
        ("vault:v1:x", "[seal.vault]"),
        ("aws-kms:x", "[seal.aws_kms]"),
    ] {
        let why = custodian.unwrap(wrapped).await.unwrap_err().to_string();
        assert!(why.contains(section), "{why}");
    }
    assert!(custodian.draw().await.is_none());
    let without = Vault {
        token: None,
        ..vault("http://127.0.0.1:1")
    };
    let far = Vault {
        address: "http://vault:8200".to_owned(),
        ..vault("")
    };
    let odd = Vault {
        key: "../sys".to_owned(),
        ..vault("http://127.0.0.1:1")
    };
    for (config, named) in [
        (without, "seal.vault.token"),
        (far, "seal.vault.address"),
        (odd, "seal.vault.key"),
    ] {
        let unusable = Custodian::open(Some(&config), None, &clock).err().unwrap();
        assert_eq!(unusable.setting, named);
    }
}
