//! What a journal survives: crashes, damage, a wrong key, and the same bytes in another place.

use super::*;

const BYTES_MAX: u64 = 4096;

struct Bench {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            path: directory.path().join("spool"),
            _directory: directory,
        }
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path, &key(), b"usage", BYTES_MAX).unwrap()
    }

    /// A journal that holds these frames, closed.
    fn holding(frames: &[&[u8]]) -> Self {
        let bench = Self::new();
        let mut journal = bench.open();
        for frame in frames {
            journal.append(frame).unwrap();
        }
        bench
    }
}

fn key() -> SealingKey {
    SealingKey::parse(&"07".repeat(32)).unwrap()
}

/// The bytes of a frame that holds this much.
fn frame_bytes(plain: usize) -> usize {
    4 + SEALING_BYTES + plain
}

#[test]
fn frames_come_back_in_order_after_a_restart() {
    let bench = Bench::holding(&[b"one", b"", b"three"]);
    let mut journal = bench.open();
    assert_eq!(*journal.found(), Found::default());
    assert_eq!(journal.frames(), 3);
    journal.append(b"four").unwrap();
    assert_eq!(
        journal.read_all().unwrap(),
        [b"one".to_vec(), vec![], b"three".to_vec(), b"four".to_vec()]
    );
    assert_eq!(journal.bytes(), fs::metadata(&bench.path).unwrap().len());
}

#[test]
fn a_frame_cut_anywhere_costs_only_itself() {
    let bench = Bench::holding(&[b"one", b"two"]);
    let whole = fs::read(&bench.path).unwrap();
    for cut in 1..=frame_bytes(3) {
        fs::write(&bench.path, &whole[..whole.len() - cut]).unwrap();
        let mut journal = bench.open();
        assert_eq!(journal.read_all().unwrap(), [b"one".to_vec()], "cut {cut}");
        assert_eq!(journal.found().cut_bytes, (frame_bytes(3) - cut) as u64);
        assert_eq!(fs::metadata(&bench.path).unwrap().len(), journal.bytes());
        journal.append(b"new").unwrap();
        drop(journal);
        assert_eq!(
            bench.open().read_all().unwrap(),
            [b"one".to_vec(), b"new".to_vec()]
        );
    }
}

#[test]
fn a_flipped_bit_cuts_from_its_frame_on() {
    let bench = Bench::holding(&[b"one", b"two", b"three"]);
    let whole = fs::read(&bench.path).unwrap();
    let second = whole.len() - frame_bytes(5) - frame_bytes(3);
    for at in second..second + frame_bytes(3) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&bench.path, changed).unwrap();
        assert_eq!(
            bench.open().read_all().unwrap(),
            [b"one".to_vec()],
            "byte {at}"
        );
    }
}

#[test]
fn frames_cannot_be_swapped_repeated_or_brought_from_another_journal() {
    let bench = Bench::holding(&[b"one", b"two"]);
    let whole = fs::read(&bench.path).unwrap();
    let (rest, second) = whole.split_at(whole.len() - frame_bytes(3));
    let (head, first) = rest.split_at(rest.len() - frame_bytes(3));

    fs::write(&bench.path, [head, second, first].concat()).unwrap();
    assert!(bench.open().is_empty(), "swapped");
    fs::write(&bench.path, [head, first, first].concat()).unwrap();
    assert_eq!(bench.open().frames(), 1, "repeated");

    let other = Bench::holding(&[b"one"]);
    let foreign = fs::read(&other.path).unwrap();
    fs::write(&bench.path, [head, &foreign[head.len()..]].concat()).unwrap();
    assert!(bench.open().is_empty(), "foreign");
}

#[test]
fn what_was_reset_does_not_come_back_with_the_old_bytes() {
    let bench = Bench::holding(&[b"sent", b"sent too"]);
    let before = fs::read(&bench.path).unwrap();
    let mut journal = bench.open();
    journal.reset().unwrap();
    assert!(journal.is_empty());
    assert_eq!(fs::metadata(&bench.path).unwrap().len(), journal.bytes());
    drop(journal);
    let after = fs::read(&bench.path).unwrap();
    fs::write(&bench.path, [&after[..], &before[after.len()..]].concat()).unwrap();
    assert!(bench.open().is_empty());
}

#[test]
fn full_is_said_before_the_bound_is_passed_and_reset_makes_room() {
    let bench = Bench::new();
    let mut journal = bench.open();
    let mut appended = 0;
    let refused = loop {
        match journal.append(&[7; 100]) {
            Ok(()) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full));
    let room = (BYTES_MAX - HEAD_BYTES) / frame_bytes(100) as u64;
    assert_eq!((appended, journal.frames()), (room, room));
    assert!(fs::metadata(&bench.path).unwrap().len() <= BYTES_MAX);
    assert_eq!(journal.read_all().unwrap().len() as u64, room);
    journal.reset().unwrap();
    journal.append(&[7; 100]).unwrap();
    assert!(matches!(journal.append(&[7; 5000]), Err(AppendError::Full)));
}

#[test]
fn another_key_sets_the_file_aside_and_starts_anew() {
    let bench = Bench::holding(&[b"one"]);
    let before = fs::read(&bench.path).unwrap();
    let other = SealingKey::parse(&"08".repeat(32)).unwrap();
    let mut journal = Journal::open(&bench.path, &other, b"usage", BYTES_MAX).unwrap();
    let aside = journal.found().set_aside.clone().unwrap();
    assert_eq!(fs::read(&aside).unwrap(), before);
    journal.append(b"new").unwrap();
    drop(journal);
    // With the old key put back, what was set aside is whole.
    let mut aside = Journal::open(&aside, &key(), b"usage", BYTES_MAX).unwrap();
    assert_eq!(aside.read_all().unwrap(), [b"one".to_vec()]);
}

#[test]
fn a_head_that_was_never_finished_is_an_empty_journal() {
    let bench = Bench::holding(&[]);
    let head = fs::read(&bench.path).unwrap();
    for length in 0..head.len() {
        fs::write(&bench.path, &head[..length]).unwrap();
        let journal = bench.open();
        assert!(journal.is_empty() && *journal.found() == Found::default());
    }
}

#[test]
fn a_second_holder_is_refused() {
    let bench = Bench::new();
    let held = bench.open();
    let error = Journal::open(&bench.path, &key(), b"usage", BYTES_MAX)
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    drop(held);
    bench.open();
}
