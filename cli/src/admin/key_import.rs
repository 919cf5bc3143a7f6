//! `sluice keys import`: takes in a key that was minted elsewhere. Its text is hashed here and goes nowhere.

use std::{fs, io, io::Read, path::PathBuf};

use clap::Args;
use proto::admin::{ImportKeyRequest, Key};
use zeroize::Zeroizing;

use crate::{
    admin::key_scope::Scope,
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    noun,
    session::Session,
    verb::Write,
};

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4_096; // Full: it holds no key.

/// Which key to take in.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The file that holds its text; `-` means: standard input
    #[arg(long, value_name = "FILE", required_unless_present = "sha256", conflicts_with_all = ["sha256", "random_characters", "alphabet_size"])]
    text_file: Option<PathBuf>,
    /// The SHA-256 of its text, 64 hex digits, where the text is not at hand
    #[arg(long, value_name = "HEX", value_parser = sha256, requires_all = ["random_characters", "alphabet_size"])]
    sha256: Option<Hash>,
    /// With --sha256: how many characters of the text were drawn by chance
    #[arg(long, value_name = "COUNT")]
    random_characters: Option<u32>,
    /// With --sha256: of how many characters each was drawn, such as 62 for letters and digits
    #[arg(long, value_name = "COUNT")]
    alphabet_size: Option<u32>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// When it stops working: in a span such as 90d, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    expires: Option<Moment>,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    write: Write,
}

#[derive(Debug, Clone, Copy)]
struct Hash([u8; 32]);

/// Takes it in.
pub async fn run(import: Import, session: &mut Session) -> Result<(), Failure> {
    let (sha256, random_characters, alphabet_size) = match (import.text_file, import.sha256) {
        (Some(file), _) => judged(read(&file)?.trim())?,
        (None, Some(Hash(sha256))) => (
            sha256,
            import.random_characters.unwrap_or(0),
            import.alphabet_size.unwrap_or(0),
        ),
        (None, None) => return Err(Failure::usage("name a --text-file or a --sha256")),
    };
    let mut key = Key {
        display_name: import.display_name.unwrap_or_default(),
        expire_time: import.expires.map(|at| at.future(session.now)),
        ..Default::default()
    };
    import.scope.put(&mut key, &session.place)?;
    let request = ImportKeyRequest {
        parent: session.place.parent(noun::KEY.collections)?,
        key: Some(key),
        sha256: sha256.to_vec(),
        random_characters,
        alphabet_size,
        ..Default::default()
    };
    let mut message = session.connection.message("ImportKeyRequest")?;
    message.transcode_from(&request).map_err(Failure::broken)?;
    import.write.stamp(&mut message)?;
    let call = session
        .connection
        .call("KeyService/ImportKey", &message, ANSWER_WITHIN);
    let reply = call.await?;
    session.finish(&reply, &import.write).await
}

/// The hash of a text, and of how many random characters it seems to be: the longest part between marks, of the
/// smallest usual alphabet that has them all. A text with few different characters is none that was drawn by chance.
fn judged(text: &str) -> Result<([u8; 32], u32, u32), Failure> {
    let foreign = keys::foreign(text).ok_or_else(|| {
        Failure::usage("the file must hold one key: 16 to 512 visible characters, and none of ours")
    })?;
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric());
    let drawn = parts.max_by_key(|it| it.len()).unwrap_or_default();
    let all = |fits: fn(&u8) -> bool| drawn.as_bytes().iter().all(fits);
    let alphabet = if all(u8::is_ascii_digit) {
        10
    } else if all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(it)) {
        16
    } else if all(|it| !it.is_ascii_uppercase()) || all(|it| !it.is_ascii_lowercase()) {
        36
    } else {
        62
    };
    let different = |it: &u8| drawn.as_bytes().contains(it);
    let variety = (0..=127_u8).filter(different).count();
    // Of two dozen characters drawn by chance, even of ten, hardly ever fewer than seven differ.
    let characters = if variety < 7 { 0 } else { drawn.len() };
    let characters = u32::try_from(characters).unwrap_or(u32::MAX);
    if keys::entropy_bits(characters, alphabet) < keys::FOREIGN_BITS_MIN {
        return Err(Failure::usage(
            "the key could be guessed: it has fewer than 128 random bits; mint one with `sluice keys create` instead",
        ));
    }
    Ok((*foreign.sha256(), characters, alphabet))
}

fn read(file: &PathBuf) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = if file.as_os_str() == "-" {
        io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        let opened = fs::File::open(file);
        opened.and_then(|it| it.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::system("read the key", &error))?;
    Ok(text)
}

fn sha256(text: &str) -> Result<Hash, String> {
    let wrong = || "must be 64 hex digits".to_owned();
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(Hash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_judged_by_its_drawn_part() {
        let (_, characters, alphabet) = judged("sk-proj-T3BlbkFJ9s8dK2mQ4xZ7vB1nC6").unwrap();
        assert_eq!((characters, alphabet), (26, 62));
        let (_, characters, alphabet) = judged("key_0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!((characters, alphabet), (32, 16));
    }

    #[test]
    fn what_can_be_guessed_is_refused() {
        for text in [
            "password-password-password",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "12345678901234567890",
            "short",
        ] {
            assert!(judged(text).is_err(), "{text}");
        }
    }
}
