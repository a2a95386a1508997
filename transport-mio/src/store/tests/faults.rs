use std::io::ErrorKind;

use super::{disk::Fault, *};

const FOR_EVER: usize = usize::MAX;

/// How many of these answers say that it is durable. They come first: after a
/// failure nothing succeeds.
fn successes(answers: &[Answer<usize>]) -> usize {
    let is_ok = |answer: &Answer<usize>| matches!(answer, Answer::Stored { result: Ok(()), .. });
    let count = answers.iter().take_while(|answer| is_ok(answer)).count();
    assert!(!answers[count..].iter().any(is_ok), "{answers:?}");
    count
}

fn states_after<'a>(
    model: &'a Model,
    changes: &'a [Change],
) -> impl Iterator<Item = Model> + use<'a> {
    (0..=changes.len()).map(|count| {
        let mut state = model.clone();
        changes[..count].iter().for_each(|change| state.apply(change));
        state
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_answered_survives_a_power_cut(
        seed: u64,
        after in 0..120_usize,
        chunk in 1..8_usize,
        changes in prop::collection::vec(change(), 1..40),
    ) {
        let disk = Disk::new(seed);
        let opened = Opened::on(&disk);
        let boot = opened.store.boot();
        disk.fail(Fault { after, times: FOR_EVER, kind: ErrorKind::Other });
        let mut answers = Vec::new();
        for (index, some) in changes.chunks(chunk).enumerate() {
            for (offset, change) in some.iter().enumerate() {
                opened.ask(index * chunk + offset, change);
            }
            answers.extend(opened.wait_for(some.len()));
        }
        let durable = successes(&answers);
        // Without an end in order: what closing would still write is lost too.
        disk.cut_power();
        drop(opened);

        let opened = Opened::on(&disk);
        prop_assert!(opened.store.boot() > boot);
        let content = opened.content();
        let empty = Model::default();
        let mut possible = states_after(&empty, &changes).skip(durable);
        prop_assert!(possible.any(|state| state == content));
    }

    #[test]
    fn a_disk_that_fails_for_a_while_loses_nothing_that_was_answered(
        seed: u64,
        rounds in prop::collection::vec(
            (prop::collection::vec(change(), 1..12), 0..60_usize, 0..4_usize, any::<bool>()),
            1..10,
        ),
    ) {
        let disk = Disk::new(seed);
        let mut opened = Opened::on(&disk);
        let mut model = Model::default();
        for (changes, after, times, cut) in &rounds {
            disk.fail(Fault { after: *after, times: *times, kind: ErrorKind::StorageFull });
            for (ticket, change) in changes.iter().enumerate() {
                opened.ask(ticket, change);
            }
            let durable = successes(&opened.wait_for(changes.len()));
            prop_assert!(durable == changes.len() || opened.store.last_error().is_some());
            if *cut {
                disk.cut_power();
                drop(opened);
                opened = Opened::on(&disk);
            } else {
                disk.heal();
            }
            let content = opened.content();
            let mut possible = states_after(&model, changes).skip(durable);
            prop_assert!(possible.any(|state| state == content));
            drop(possible);
            model = content;
        }
        drop(opened);
        disk.cut_power();
        prop_assert_eq!(Opened::on(&disk).content(), model);
    }
}

#[test]
fn a_full_disk_fails_the_batch_and_room_mends_it() {
    let disk = Disk::new(1);
    let opened = Opened::on(&disk);
    opened.store.requests().put(1, logs()[0], 1, b"before");
    assert_eq!(opened.wait_for(1), [stored(1)]);
    disk.fail(Fault { after: 0, times: FOR_EVER, kind: ErrorKind::StorageFull });
    for round in 0..3 {
        opened.store.requests().put(2, logs()[0], 2, b"lost");
        assert_eq!(opened.wait_for(1), [failed(2)]);
        let error = opened.store.last_error().unwrap();
        assert!(error.to_string().contains("simulated/store"), "{error}");
        if round == 0 {
            assert!(error.to_string().contains("the disk is full"), "{error}");
        }
    }
    disk.heal();
    opened.store.requests().put(3, logs()[0], 3, b"after");
    assert_eq!(opened.wait_for(1), [stored(3)]);
    drop(opened);
    disk.cut_power();
    let records = Opened::on(&disk).store.history(logs()[0], 0, 9).unwrap();
    assert_eq!(records, [(1, b"before".to_vec()), (3, b"after".to_vec())]);
}

#[test]
fn nothing_overtakes_a_failure_that_was_not_told() {
    let disk = Disk::new(1);
    let opened = Opened::on(&disk);
    disk.hold();
    opened.store.requests().put(1, logs()[0], 1, b"copy");
    opened.wait_until_held(&disk);
    opened.store.requests().trim(2, logs()[1], 9);
    disk.fail(Fault { after: 0, times: 1, kind: ErrorKind::Other });
    disk.release();
    opened.wakes.recv().unwrap();
    opened.store.requests().trim(3, logs()[1], 9);
    assert_eq!(opened.wait_for(3), [failed(1), failed(2), failed(3)]);
    opened.store.requests().put(4, logs()[0], 1, b"copy");
    assert_eq!(opened.wait_for(1), [stored(4)]);
}

#[test]
fn a_full_queue_answers_at_once() {
    let disk = Disk::new(1);
    let opened = Opened::with_capacity(&disk, 2);
    disk.hold();
    opened.store.requests().put(0, logs()[0], 1, b"in the works");
    opened.wait_until_held(&disk);
    for ticket in 1..=4 {
        opened.store.requests().put(ticket, logs()[0], 1 + ticket as u64, b"waits");
    }
    opened.wakes.try_recv().expect("woken while the disk stands still");
    assert_eq!(opened.store.answers().collect::<Vec<_>>(), [failed(3), failed(4)]);
    assert!(matches!(opened.store.last_error(), Some(Failure::Busy { waiting: 2, .. })));
    disk.release();
    assert_eq!(opened.wait_for(3), [stored(0), stored(1), stored(2)]);
}

#[test]
fn another_process_in_between_stops_the_store() {
    let disk = Disk::new(1);
    let opened = Opened::on(&disk);
    disk.fail(Fault { after: 0, times: 1, kind: ErrorKind::Other });
    opened.store.requests().put(1, logs()[0], 1, b"x");
    assert_eq!(opened.wait_for(1), [failed(1)]);
    // The simulated disk has no locks, so this is easy.
    drop(Opened::on(&disk));
    opened.store.requests().put(2, logs()[0], 2, b"y");
    assert_eq!(opened.wait_for(1), [failed(2)]);
    assert!(matches!(opened.store.last_error(), Some(Failure::Overtaken { .. })));
}

#[test]
fn nobody_waits_for_a_thread_that_is_gone() {
    let engine = Engine::start(Path::new("simulated/store"), Disk::new(1).opener()).unwrap();
    let store = Store::run(engine, 9, || panic!("the host's fault")).unwrap();
    store.requests().put(1, logs()[0], 1, b"x");
    while !store.thread.as_ref().is_some_and(JoinHandle::is_finished) {
        thread::yield_now();
    }
    assert_eq!(store.answers().collect::<Vec<_>>(), [stored(1)]);
    assert!(matches!(store.newest(logs()[0], 1), Err(Failure::Ended { .. })));
}
