//! Lines: what both sides said, in the order of time.

use std::{io::ErrorKind, path::Path};

use proto_core::{client::Verdict, time::UnixTime};

use super::{disk::Fault, *};

const BOB: PublicKey = PublicKey([7; 32]);
const ROOM: PublicKey = PublicKey([8; 32]);

fn came(of: PublicKey, number: u64, time: u64, own: Option<&str>) -> Note {
    let (time, own) = (UnixTime(time), own.map(|text| text.as_bytes().to_vec()));
    Note::Came(Came { of, number, time, arrived: UnixTime(1000), own })
}

fn said(of: PublicKey, number: u64, time: u64, text: &str) -> Note {
    Note::Said { of, number, time: UnixTime(time), text: text.as_bytes().to_vec() }
}

/// A record of an inbox, as a real client wrote it, is not to be had here: what only came is
/// passed over when lines are read, and counted when it is unread.
fn own_words(store: &Store<usize>, of: Option<PublicKey>) -> Vec<(String, Option<Verdict>)> {
    let lines = store.lines(of, None, 100).unwrap();
    let word = |line: Line| match line.spoken {
        Spoken::Said { verdict, text } => (String::from_utf8(text).unwrap(), verdict),
        Spoken::Came { .. } => panic!("its record cannot be read"),
    };
    lines.into_iter().map(word).collect()
}

fn unread(store: &Store<usize>) -> Vec<(PublicKey, u64)> {
    store.unread().unwrap().into_iter().map(|it| (it.conversation, it.lines)).collect()
}

fn put(opened: &Opened, log: Log, number: u64, note: Note) {
    opened.store.requests().put_noted(0, (log, number, b"r"), Some(note));
    assert_eq!(opened.wait_for(1), [stored(0)]);
}

fn note(opened: &Opened, note: Note) {
    opened.store.requests().note(note);
}

fn open(path: &Path) -> Opened {
    Opened::at(path).unwrap()
}

#[test]
fn a_line_outlives_its_outbox_and_has_its_last_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let opened = open(&path);
    put(&opened, Log::Outbox(BOB), 1, said(BOB, 1, 500, "late"));
    put(&opened, Log::Outbox(ROOM), 1, said(ROOM, 1, 400, "early"));
    note(&opened, Note::Verdict { of: BOB, number: 1, verdict: Verdict::Stored });
    note(&opened, Note::Verdict { of: BOB, number: 1, verdict: Verdict::Delivered });
    // It is told again after a crash, and a number of nothing says nothing.
    note(&opened, Note::Verdict { of: BOB, number: 1, verdict: Verdict::Delivered });
    note(&opened, Note::Verdict { of: BOB, number: 9, verdict: Verdict::Expired });
    // The record is replaced by what became of it, or put again: no further line.
    put(&opened, Log::Outbox(BOB), 1, said(BOB, 1, 500, "late"));
    opened.store.requests().trim(1, Log::Outbox(BOB), 1);
    opened.wait_for(1);
    drop(opened);

    let store = open(&path).store;
    let late = ("late".to_owned(), Some(Verdict::Delivered));
    assert_eq!(own_words(&store, None), [("early".to_owned(), None), late.clone()]);
    assert_eq!(own_words(&store, Some(BOB)), [late]);
}

#[test]
fn pages_go_backwards_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(&directory.path().join("store.redb"));
    for number in 1..=10 {
        // Pairs of one time stay in the order in which they came.
        put(&opened, Log::Outbox(BOB), number, said(BOB, number, number / 2, &number.to_string()));
    }
    for of in [None, Some(BOB)] {
        let (mut texts, mut before) = (Vec::new(), None);
        loop {
            let page = opened.store.lines(of, before, 3).unwrap();
            let Some(first) = page.first() else { break };
            before = Some(first.place);
            let text = |line: Line| match line.spoken {
                Spoken::Said { text, .. } => String::from_utf8(text).unwrap(),
                Spoken::Came { .. } => unreachable!("nothing came"),
            };
            texts.splice(0..0, page.into_iter().map(text));
        }
        let all: Vec<_> = (1..=10).map(|number| number.to_string()).collect();
        assert_eq!(texts, all);
    }
}

#[test]
fn what_came_is_unread_until_it_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let opened = open(&path);
    let second_epoch = (1 << 32) + 3;
    for (of, number) in [(BOB, 1), (BOB, 2), (ROOM, 2), (ROOM, second_epoch)] {
        put(&opened, Log::Inbox(of), number, came(of, number, 5, None));
    }
    assert_eq!(unread(&opened.store), [(BOB, 2), (ROOM, 2)]);
    opened.store.shown([(BOB, 2), (ROOM, 3), (BOB, 77)]);
    drop(opened);
    let opened = open(&path);
    assert_eq!(unread(&opened.store), [(BOB, 1), (ROOM, 1)]);
    opened.store.shown([(BOB, 1), (ROOM, 2)]);
    assert_eq!(unread(&opened.store), []);
}

#[test]
fn what_a_room_has_of_ones_own_is_no_second_line() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(&directory.path().join("store.redb"));
    put(&opened, Log::Outbox(ROOM), 1, said(ROOM, 1, 500, "a"));
    put(&opened, Log::Outbox(ROOM), 2, said(ROOM, 2, 500, "b"));
    put(&opened, Log::Inbox(ROOM), 1, came(ROOM, 1, 500, Some("b")));
    note(&opened, Note::Verdict { of: ROOM, number: 1, verdict: Verdict::Stored });
    put(&opened, Log::Inbox(ROOM), 2, came(ROOM, 2, 500, Some("a")));
    note(&opened, Note::Verdict { of: ROOM, number: 2, verdict: Verdict::Stored });
    let in_room = |text: &str| (text.to_owned(), Some(Verdict::Stored));
    assert_eq!(own_words(&opened.store, None), [in_room("a"), in_room("b")]);
    assert_eq!(unread(&opened.store), []);
}

#[test]
fn what_nobody_waits_for_is_done_once_the_disk_is_back() {
    let disk = Disk::new(7);
    let opened = Opened::on(&disk);
    put(&opened, Log::Outbox(BOB), 1, said(BOB, 1, 500, "a"));
    disk.fail(Fault { after: 0, times: usize::MAX, kind: ErrorKind::StorageFull });
    note(&opened, Note::Verdict { of: BOB, number: 1, verdict: Verdict::Delivered });
    opened.store.requests().put(1, Log::Conversations, 1, b"r");
    assert_eq!(opened.wait_for(1), [failed(1)]);
    disk.heal();
    opened.store.requests().put(2, Log::Conversations, 1, b"r");
    assert_eq!(opened.wait_for(1), [stored(2)]);
    let told = ("a".to_owned(), Some(Verdict::Delivered));
    assert_eq!(own_words(&opened.store, None), [told]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_a_power_cut_there_is_one_line_for_each_record(
        seed: u64,
        after in 0..120_usize,
        count in 1..20_u64,
    ) {
        let disk = Disk::new(seed);
        let opened = Opened::on(&disk);
        disk.fail(Fault { after, times: 3, kind: ErrorKind::StorageFull });
        for number in 1..=count {
            // What fails is put again, as the core does.
            for _ in 0..2 {
                let note = said(BOB, number, number, &number.to_string());
                let record = (Log::Outbox(BOB), number, &b"r"[..]);
                opened.store.requests().put_noted(0, record, Some(note));
                if opened.wait_for(1) == [stored(0)] {
                    break;
                }
            }
        }
        disk.cut_power();
        drop(opened);

        let opened = Opened::on(&disk);
        let records = opened.store.history(Log::Outbox(BOB), 0, 100).unwrap();
        let records: Vec<_> = records.into_iter().map(|(number, _)| number.to_string()).collect();
        let lines: Vec<_> =
            own_words(&opened.store, Some(BOB)).into_iter().map(|(text, _)| text).collect();
        prop_assert_eq!(lines, records);
    }
}
