//! What a sealed file survives, and what it refuses.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn key() -> SealingKey {
    SealingKey::parse(&"07".repeat(32)).unwrap()
}

#[test]
fn what_is_written_is_read_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    write(&path, &key(), b"state", b"one").unwrap();
    let first = fs::metadata(&path).unwrap();
    assert_eq!(**read(&path, &key(), b"state").unwrap(), *b"one");
    write(&path, &key(), b"state", b"two").unwrap();
    assert_eq!(**read(&path, &key(), b"state").unwrap(), *b"two");
    let second = fs::metadata(&path).unwrap();
    assert_ne!(
        first.ino(),
        second.ino(),
        "replaced whole, not written over"
    );
    assert_eq!(second.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn the_plain_content_is_not_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    write(&path, &key(), b"state", b"a very recognisable secret").unwrap();
    let raw = fs::read(&path).unwrap();
    assert!(!raw.windows(12).any(|window| window == b"recognisable"));
}

#[test]
fn each_way_to_have_nothing_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    assert!(matches!(
        read(&path, &key(), b"state"),
        Err(ReadError::Missing)
    ));
    assert!(matches!(
        read(directory.path(), &key(), b""),
        Err(ReadError::Unreadable(_))
    ));
    write(&path, &key(), b"state", b"one").unwrap();
    assert!(matches!(
        read(&path, &key(), b"other"),
        Err(ReadError::CannotOpen)
    ));
    fs::write(&path, b"").unwrap();
    assert!(matches!(
        read(&path, &key(), b"state"),
        Err(ReadError::CannotOpen)
    ));
    let file = File::create(&path).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(
        read(&path, &key(), b"state"),
        Err(ReadError::Unreadable(_))
    ));
}

#[test]
fn what_a_crash_left_beside_it_is_neither_read_nor_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    write(&path, &key(), b"state", b"one").unwrap();
    fs::write(beside(&path), b"half a file").unwrap();
    assert_eq!(**read(&path, &key(), b"state").unwrap(), *b"one");
    write(&path, &key(), b"state", b"two").unwrap();
    assert_eq!(**read(&path, &key(), b"state").unwrap(), *b"two");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_write_that_fails_leaves_the_old_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    write(&path, &key(), b"state", b"one").unwrap();
    // A directory in the way of the new file fails for every user, root too.
    fs::create_dir(beside(&path)).unwrap();
    assert!(write(&path, &key(), b"state", b"two").is_err());
    assert_eq!(**read(&path, &key(), b"state").unwrap(), *b"one");
    assert!(write(&directory.path().join("no/such/place"), &key(), b"", b"").is_err());
}
