//! What is asked of each service, and what is made of its answers.

use std::{fs, io::Write as _};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;
use crate::config::{AwsKms, AzureKeyVault, GoogleKms, Vault};

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

/// A whole request: its head, and its document; a form is a text.
fn whole(bytes: &[u8]) -> Option<(String, serde_json::Value)> {
    let text = str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    if header(head, "content-type") == Some("application/x-www-form-urlencoded") {
        let length: usize = header(head, "content-length")?.parse().ok()?;
        return (body.len() == length).then(|| (head.to_owned(), body.into()));
    }
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
    let set = Set {
        vault: Some(config),
        ..Set::default()
    };
    Custodian::open(set, &clock).unwrap()
}

fn of_kms(address: &str) -> Custodian {
    let (clock, _) = Clock::by_hand(NOW_MS);
    let set = Set {
        aws_kms: Some(&aws_kms(address)),
        ..Set::default()
    };
    Custodian::open(set, &clock).unwrap()
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

fn of_google(address: &str) -> Result<Custodian, Unusable> {
    let (clock, _) = Clock::by_hand(NOW_MS);
    let config: GoogleKms = serde_json::from_value(serde_json::json!({
        "endpoint": address, "key": "projects/p/locations/global/keyRings/r/cryptoKeys/sluice",
        "credential": include_str!("../fixtures/account.json"),
    }))
    .unwrap();
    let set = Set {
        google_kms: Some(&config),
        ..Set::default()
    };
    Custodian::open(set, &clock)
}

fn azure(address: &str) -> AzureKeyVault {
    serde_json::from_value(serde_json::json!({
        "address": address, "authority": address, "key": "sluice", "tenant_id": "tenant-1", "client_id": "app-1",
        "client_secret": "very secret",
    }))
    .unwrap()
}

fn of_azure(config: &AzureKeyVault) -> Result<Custodian, Unusable> {
    let (clock, _) = Clock::by_hand(NOW_MS);
    let set = Set {
        azure_key_vault: Some(config),
        ..Set::default()
    };
    Custodian::open(set, &clock)
}

#[tokio::test]
async fn google_is_asked_as_its_api_has_it_by_a_token_that_the_account_signs() {
    let wrapped = r#"{"name":"projects/p/x","ciphertext":"bmV3"}"#;
    let plain = r#"{"plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}"#;
    let (address, task) = scripted(vec![(200, wrapped), (200, plain)]).await;
    let custodian = of_google(&address).unwrap();
    let drawn = custodian.draw().await.unwrap().unwrap();
    assert!(drawn == "google-kms:bmV3" && is_wrapped(&drawn));
    let opened = custodian.unwrap(&drawn).await.unwrap();
    assert_eq!(opened.expose(), KEY);
    let asked = task.await.unwrap();
    let key = "/v1/projects/p/locations/global/keyRings/r/cryptoKeys/sluice";
    let (head, body) = &asked[0];
    assert!(
        head.starts_with(&format!("POST {key}:encrypt HTTP/1.1")),
        "{head}"
    );
    let plain = body["plaintext"].as_str().unwrap();
    assert!(seal::SealingKey::parse(plain).is_ok(), "a key is wrapped");
    assert_eq!(
        body["additionalAuthenticatedData"],
        "c2x1aWNlIHNlYWxpbmcga2V5"
    );
    let token = header(head, "authorization").unwrap();
    let token = token.strip_prefix("Bearer ").unwrap();
    // In base64: {"alg":"RS256","typ":"JWT","kid":"of-the-tests"}, and that it is for this service, by the account.
    let (said, claims) = token.split_once('.').unwrap();
    assert_eq!(
        said,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9mLXRoZS10ZXN0cyJ9"
    );
    let expected = serde_json::json!({
        "iss": "sluice@tests.iam.gserviceaccount.com", "sub": "sluice@tests.iam.gserviceaccount.com",
        "aud": "https://cloudkms.googleapis.com/", "iat": 1_440_938_160, "exp": 1_440_938_460,
    });
    let expected = credential::signing::base64(expected.to_string().as_bytes());
    assert!(claims.starts_with(&format!("{expected}.")), "{claims}");
    let (head, body) = &asked[1];
    assert!(
        head.starts_with(&format!("POST {key}:decrypt HTTP/1.1")),
        "{head}"
    );
    assert_eq!(body["ciphertext"], "bmV3");
    assert_eq!(
        body["additionalAuthenticatedData"],
        "c2x1aWNlIHNlYWxpbmcga2V5"
    );
}

#[tokio::test]
async fn of_a_refusal_of_google_its_status_is_told_and_nothing_else() {
    let denied = r#"{"error":{"code":403,"message":"very secret","status":"PERMISSION_DENIED"}}"#;
    let busy = r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#;
    let (address, _) = scripted(vec![(403, denied), (429, busy)]).await;
    let custodian = of_google(&address).unwrap();
    let why = custodian.unwrap("google-kms:YWJj").await.unwrap_err();
    let told = why.to_string();
    assert!(
        !why.may_pass() && told.contains("403 PERMISSION_DENIED"),
        "{told}"
    );
    assert!(!told.contains("very secret"), "{told}");
    let why = custodian.unwrap("google-kms:YWJj").await.unwrap_err();
    assert!(why.may_pass(), "{why}");
}

#[tokio::test]
async fn azure_is_asked_as_its_api_has_it_for_the_version_that_wrapped() {
    let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"of.entra"}"#;
    let wrapped = r#"{"kid":"https://acme.vault.azure.net/keys/sluice/78deebed","value":"bmV3"}"#;
    let plain = r#"{"kid":"https://acme.vault.azure.net/keys/sluice/78deebed","value":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
    let answers = vec![(200, token), (200, wrapped), (200, token), (200, plain)];
    let (address, task) = scripted(answers).await;
    let custodian = of_azure(&azure(&address)).unwrap();
    let drawn = custodian.draw().await.unwrap().unwrap();
    assert!(drawn == "azure-key-vault:78deebed:bmV3" && is_wrapped(&drawn));
    let opened = custodian.unwrap(&drawn).await.unwrap();
    assert_eq!(opened.expose(), KEY.trim_end_matches('='));
    let asked = task.await.unwrap();
    let (head, form) = &asked[0];
    assert!(
        head.starts_with("POST /tenant-1/oauth2/v2.0/token HTTP/1.1"),
        "{head}"
    );
    let expected = "grant_type=client_credentials&client_id=app-1&client_secret=very%20secret&\
                    scope=https%3A%2F%2Fvault.azure.net%2F.default";
    assert_eq!(form, expected);
    let (head, body) = &asked[1];
    assert!(
        head.starts_with("POST /keys/sluice/wrapkey?api-version=7.4 HTTP/1.1"),
        "{head}"
    );
    assert_eq!(header(head, "authorization"), Some("Bearer of.entra"));
    assert_eq!(body["alg"], "RSA-OAEP-256");
    assert!(seal::SealingKey::parse(body["value"].as_str().unwrap()).is_ok());
    let (head, body) = &asked[3];
    assert!(
        head.starts_with("POST /keys/sluice/78deebed/unwrapkey?api-version=7.4 HTTP/1.1"),
        "{head}"
    );
    assert_eq!(
        body,
        &serde_json::json!({"alg": "RSA-OAEP-256", "value": "bmV3"})
    );
}

#[tokio::test]
async fn whether_the_vault_or_entra_says_no_is_told_and_no_secret() {
    let unknown = r#"{"error":"invalid_client","error_description":"very secret"}"#;
    let token = r#"{"access_token":"of.entra"}"#;
    let denied = r#"{"error":{"code":"Forbidden","message":"of.entra"}}"#;
    let (address, _) = scripted(vec![(401, unknown), (200, token), (403, denied)]).await;
    let custodian = of_azure(&azure(&address)).unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let why = custodian
            .unwrap("azure-key-vault:v1:YWJj")
            .await
            .unwrap_err();
        assert!(!why.may_pass(), "{why}");
        told.push(why.to_string());
    }
    assert!(
        told[0].starts_with("Entra ID at ") && told[0].contains("401 invalid_client"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("Azure Key Vault at ") && told[1].contains("403 Forbidden"),
        "{told:?}"
    );
    assert!(
        !told.concat().contains("very secret") && !told.concat().contains("of.entra"),
        "{told:?}"
    );
    let why = custodian
        .unwrap("azure-key-vault:../x:YWJj")
        .await
        .unwrap_err();
    assert!(why.to_string().contains("names no version"), "{why}");
}

#[test]
fn settings_of_google_and_azure_that_cannot_be_used_are_named() {
    let (clock, _) = Clock::by_hand(NOW_MS);
    let google = |key: &str, credential: &str| {
        let config: GoogleKms =
            serde_json::from_value(serde_json::json!({"key": key, "credential": credential}))
                .unwrap();
        let set = Set {
            google_kms: Some(&config),
            ..Set::default()
        };
        Custodian::open(set, &clock).err().unwrap()
    };
    let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
    let account = include_str!("../fixtures/account.json");
    for key in ["sluice", "projects/p/locations/../keyRings/r/cryptoKeys/k"] {
        assert_eq!(google(key, account).setting, "seal.google_kms.key");
    }
    for credential in ["{}", r#"{"type":"authorized_user"}"#, "token"] {
        let unusable = google(key, credential);
        assert_eq!(
            unusable.setting, "seal.google_kms.credential_file",
            "{unusable}"
        );
    }
    let spoiled = |spoil: fn(&mut AzureKeyVault)| {
        let mut config = azure("http://127.0.0.1:1");
        spoil(&mut config);
        of_azure(&config).err().unwrap().setting
    };
    assert_eq!(
        spoiled(|it| it.key = "a/b".to_owned()),
        "seal.azure_key_vault.key"
    );
    let far = |it: &mut AzureKeyVault| it.address = "http://acme.vault.azure.net".to_owned();
    assert_eq!(spoiled(far), "seal.azure_key_vault.address");
    let far = |it: &mut AzureKeyVault| it.authority = "http://login.example".to_owned();
    assert_eq!(spoiled(far), "seal.azure_key_vault.authority");
    assert_eq!(
        spoiled(|it| it.client_secret = None),
        "seal.azure_key_vault.client_secret"
    );
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
    let custodian = Custodian::open(Set::default(), &clock).unwrap();
    for (wrapped, section) in [
        ("vault:v1:x", "[seal.vault]"),
        ("aws-kms:x", "[seal.aws_kms]"),
        ("google-kms:x", "[seal.google_kms]"),
        ("azure-key-vault:v:x", "[seal.azure_key_vault]"),
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
        let set = Set {
            vault: Some(&config),
            ..Set::default()
        };
        let unusable = Custodian::open(set, &clock).err().unwrap();
        assert_eq!(unusable.setting, named);
    }
}
