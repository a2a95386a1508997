use super::*;

#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    Read(usize, u64),
    Wait,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => change().prop_map(Step::Change),
        6 => (log(), number()).prop_map(|(l, n)| Step::Read(l, n)),
        2 => Just(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_store_does_what_a_map_does(steps in prop::collection::vec(step(), 1..80)) {
        let disk = Disk::new(1);
        let mut opened = Opened::on(&disk);
        let mut model = Model::default();
        let mut expected = Vec::new();
        for (ticket, step) in steps.iter().enumerate() {
            match step {
                Step::Change(change) => {
                    model.apply(change);
                    opened.ask(ticket, change);
                    expected.push(stored(ticket));
                }
                Step::Read(log, from) => {
                    opened.store.requests().read(ticket, logs()[*log], *from, 1);
                    let result = Ok(model.read(*log, *from));
                    expected.push(Answer::Read { ticket, result });
                }
                Step::Wait => {
                    let answers = opened.wait_for(expected.len());
                    prop_assert_eq!(answers, std::mem::take(&mut expected));
                }
                Step::Reopen => {
                    drop(opened);
                    expected.clear();
                    opened = Opened::on(&disk);
                }
            }
        }
        prop_assert_eq!(opened.wait_for(expected.len()), expected);
        prop_assert_eq!(opened.content(), model);
    }
}

#[test]
fn a_head_survives_forgetting_and_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let log = logs()[0];
    let opened = Opened::at(&path).unwrap();
    assert_eq!(opened.read(log, 0), Found::default());
    opened.store.requests().put(1, log, 7, b"seven");
    opened.store.requests().put(2, log, 3, b"three");
    opened.store.requests().trim(3, log, u64::MAX);
    assert_eq!(opened.wait_for(3), [stored(1), stored(2), stored(3)]);
    drop(opened);
    let opened = Opened::at(&path).unwrap();
    assert_eq!(opened.read(log, 0), Found { records: vec![], last: 7 });
}

#[test]
fn dropping_flushes_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = Opened::at(&path).unwrap();
    for number in 1..=100 {
        opened.store.requests().put(0, logs()[1], number, b"x");
    }
    drop(opened);
    let opened = Opened::at(&path).unwrap();
    assert_eq!(opened.store.history(logs()[1], 1, 1000).unwrap().len(), 100);
}

#[test]
fn history_reads_forwards_and_newest_backwards() {
    let opened = Opened::on(&Disk::new(1));
    for number in 1..=9_u8 {
        opened.store.requests().put(0, logs()[2], number.into(), &[number]);
    }
    let numbers = |records: Result<Vec<Record>, Failure>| {
        records.unwrap().into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(opened.store.history(logs()[2], 4, 3)), [4, 5, 6]);
    assert_eq!(numbers(opened.store.history(logs()[2], 8, 3)), [8, 9]);
    assert_eq!(numbers(opened.store.newest(logs()[2], 2)), [8, 9]);
    assert_eq!(numbers(opened.store.newest(logs()[3], 2)), [0; 0]);
}

#[test]
fn what_waits_shares_one_commit() {
    let disk = Disk::new(1);
    let opened = Opened::on(&disk);
    let alone = {
        let before = disk.syncs();
        opened.store.requests().put(0, logs()[0], 1, b"warm");
        opened.wait_for(1);
        disk.syncs() - before
    };
    disk.hold();
    let before = disk.syncs();
    opened.store.requests().put(0, logs()[0], 2, b"first");
    opened.wait_until_held(&disk);
    for ticket in 1..=200 {
        opened.store.requests().put(ticket, logs()[0], 2 + ticket as u64, b"later");
    }
    opened.store.requests().read(201, logs()[0], 202, 1);
    assert_eq!(opened.store.answers().count(), 0, "nothing is durable yet");
    disk.release();
    let answers = opened.wait_for(202);
    assert!(answers[..201].iter().cloned().eq((0..=200).map(stored)));
    let loaded = Found { records: vec![(202, b"later".to_vec())], last: 202 };
    assert_eq!(answers[201], Answer::Read { ticket: 201, result: Ok(loaded) });
    assert!(disk.syncs() - before <= 3 * alone, "two commits, and some slack");
}

#[test]
fn reading_costs_no_sync() {
    let disk = Disk::new(1);
    let opened = Opened::on(&disk);
    let before = disk.syncs();
    opened.read(logs()[0], 0);
    opened.store.history(logs()[0], 0, 10).unwrap();
    assert_eq!(disk.syncs(), before);
}
