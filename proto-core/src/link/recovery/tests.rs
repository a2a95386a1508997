use std::{collections::BTreeSet, format, ops::RangeInclusive, vec, vec::Vec};

use proptest::prelude::*;

use super::{
    Fate::{Acked, Lost},
    *,
};
use crate::{
    link::received::Received,
    storage::{SlabHead, Slot},
    wire::AckGap,
};

type Token = u64;
type Visits = Vec<(Token, Fate)>;

const INITIAL: Duration = Duration::from_millis(100);
/// Of the initial estimate: 100 + 4 · 50 + 25.
const PTO: u64 = 325;

fn ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

/// An Ack of these numbers, told without delay.
fn ack_of(numbers: impl IntoIterator<Item = u64>) -> Ack {
    let mut received = Received::NEW;
    numbers.into_iter().for_each(|number| received.packet(number, true, ms(0)));
    received.ack(ms(0)).unwrap()
}

/// One link and a pool for it.
struct Rig {
    slots: Vec<Slot<Sent<Token>>>,
    head: SlabHead,
    recovery: Recovery<Token>,
    next: u64,
}

impl Rig {
    fn new(room: usize) -> Self {
        Self {
            slots: (0..room).map(|_| Slot::EMPTY).collect(),
            head: SlabHead::NEW,
            recovery: Recovery::new(INITIAL, 1_200),
            next: 0,
        }
    }

    fn with<R>(
        &mut self,
        step: impl FnOnce(&mut Recovery<Token>, &mut Slab<'_, Sent<Token>>, u64) -> R,
    ) -> R {
        step(&mut self.recovery, &mut Slab::new(&mut self.slots, &mut self.head), self.next)
    }

    /// Sends a packet that carries its own number.
    fn send(&mut self, at: Instant, bytes: usize) -> bool {
        let ok = self.with(|r, pool, next| {
            r.can_send(pool, bytes)
                && r.sent(pool, next, at, bytes, Carried::from_slice(&[next]).unwrap()).is_ok()
        });
        self.next += u64::from(ok);
        ok
    }

    fn ack(&mut self, at: Instant, ack: &Ack) -> Visits {
        let mut visits = Vec::new();
        let newly = self
            .with(|r, pool, next| r.ack(pool, ack, at, next, &mut |t, fate| visits.push((t, fate))))
            .unwrap();
        assert_eq!(newly, visits.iter().any(|(_, fate)| *fate == Fate::Acked));
        visits
    }

    fn timeout(&mut self, at: Instant) -> (Timeout, Visits) {
        let mut visits = Vec::new();
        let timeout =
            self.with(|r, pool, _| r.timeout(pool, at, &mut |t, fate| visits.push((t, fate))));
        (timeout, visits)
    }
}

/// RFC 9002 §6.1.1: a packet is lost once one sent three later is acknowledged.
#[test]
fn three_later_ones_make_a_loss() {
    let mut rig = Rig::new(32);
    (0..6).for_each(|_| assert!(rig.send(ms(0), 100)));
    assert_eq!(rig.ack(ms(10), &ack_of([2])), [(2, Acked)]);
    assert_eq!(rig.ack(ms(10), &ack_of([3])), [(3, Acked), (0, Lost)]);
    assert_eq!(rig.ack(ms(10), &ack_of([0, 4])), [(4, Acked), (1, Lost)], "too late for 0");
    assert_eq!(rig.ack(ms(10), &ack_of([0, 1, 2, 3, 4])), []);
    assert_eq!((rig.recovery.in_flight(), rig.recovery.packets), (100, 1));
}

/// RFC 9002 §6.1.2: the time threshold is 9/8 of the larger of the smoothed and the latest round trip.
#[test]
fn nine_eighths_of_a_round_trip_make_a_loss() {
    let mut rig = Rig::new(32);
    assert!(rig.send(ms(0), 100));
    assert!(rig.send(ms(4), 100));
    assert!(rig.send(ms(4), 100));
    // The sample is 80 ms, so a packet has 90 ms.
    assert_eq!(rig.ack(ms(84), &ack_of([2])), [(2, Acked)]);
    assert_eq!(rig.recovery.deadline(), Some(ms(90)));
    assert_eq!(rig.timeout(Instant::from_micros(89_999)), (Timeout::Nothing, vec![]));
    assert_eq!(rig.timeout(ms(90)), (Timeout::Lost, vec![(0, Lost)]));
    assert_eq!(rig.recovery.deadline(), Some(ms(94)));
    assert_eq!(rig.timeout(ms(200)), (Timeout::Lost, vec![(1, Lost)]));
    assert_eq!(rig.recovery.deadline(), None);
    assert_eq!(rig.recovery.window(), 6_000, "one event");
}

/// RFC 9002 §7.3.1, §7.8: the window grows by what was acknowledged, only while it is what limits.
#[test]
fn a_window_that_is_used_grows_unless_some_of_it_is_lost() {
    for (heard, window) in [(0..10, 24_000), (3..10, 6_000)] {
        let mut rig = Rig::new(32);
        (0..10).for_each(|_| assert!(rig.send(ms(0), 1_200)));
        rig.ack(ms(10), &ack_of(heard));
        assert_eq!(rig.recovery.window(), window);
    }
}

/// RFC 9002 §7.3.2: in recovery, the window neither grows nor shrinks again.
#[test]
fn what_was_sent_before_a_loss_does_not_grow_the_window() {
    let mut rig = Rig::new(32);
    (0..10).for_each(|_| assert!(rig.send(ms(0), 1_200)));
    rig.ack(ms(10), &ack_of(3..6));
    assert_eq!((rig.recovery.in_flight(), rig.recovery.window()), (4_800, 6_000));
    assert!(rig.send(ms(20), 1_200));
    // 6,000 bytes arrive, but only the newest 1,200 count towards a step up.
    rig.ack(ms(30), &ack_of(3..11));
    assert_eq!(rig.recovery.window(), 6_000);
}

/// RFC 9002 §5.1: a sample is taken only of the largest, newly acknowledged packet.
#[test]
fn only_the_largest_is_a_sample() {
    let mut rig = Rig::new(32);
    (0..3).for_each(|_| assert!(rig.send(ms(0), 100)));
    rig.next += 1; // one that only acks, and is not told
    rig.ack(ms(40), &ack_of([0, 3]));
    assert_eq!(rig.recovery.smoothed(), INITIAL);
    rig.ack(ms(50), &ack_of([0, 1]));
    assert_eq!(rig.recovery.smoothed(), Duration::from_millis(50));
}

/// RFC 9002 §6.2.1: each expiry doubles the PTO.
#[test]
fn probes_back_off_to_a_minute() {
    let mut rig = Rig::new(32);
    assert_eq!(rig.recovery.deadline(), None);
    assert!(rig.send(ms(0), 100));
    let mut now = 0;
    for (count, pto) in
        [1, 2, 4, 8, 16, 32, 64, 128].map(|n| n * PTO).into_iter().chain([60_000; 300]).enumerate()
    {
        let due = rig.recovery.deadline().unwrap();
        assert_eq!(due, ms(now + pto));
        assert_eq!(rig.timeout(ms(now + pto - 1)).0, Timeout::Nothing);
        assert_eq!(rig.recovery.is_probing(), count > 0, "until something is sent");
        now += pto;
        let (timeout, visits) = rig.timeout(ms(now));
        assert_eq!(
            (timeout, visits),
            (Timeout::Probe, if count == 0 { vec![(0, Lost)] } else { vec![] })
        );
        assert!(rig.recovery.is_probing());
        assert_eq!(rig.recovery.pto_count(), 255.min(count as u32 + 1));
        assert!(rig.recovery.deadline().unwrap() > ms(now));
    }
    assert_eq!(rig.ack(ms(now), &ack_of([0])), [(0, Acked)]);
    assert_eq!(
        (rig.recovery.deadline(), rig.recovery.pto_count(), rig.recovery.is_probing()),
        (None, 0, false)
    );
    assert_eq!(rig.timeout(ms(u64::from(u32::MAX))), (Timeout::Nothing, vec![]));
}

/// RFC 9002 §6.2.4: a probe should carry data that is unacknowledged.
#[test]
fn each_probe_carries_the_oldest_that_is_not_under_way_again() {
    let mut rig = Rig::new(32);
    (0..2).for_each(|_| assert!(rig.send(ms(0), 100)));
    assert_eq!(rig.timeout(ms(PTO)).1, [(0, Lost)]);
    assert!(rig.send(ms(PTO), 100));
    assert!(!rig.recovery.is_probing());
    assert_eq!(rig.recovery.deadline(), Some(ms(3 * PTO)));
    assert_eq!(rig.timeout(ms(3 * PTO)).1, [(1, Lost)]);
    assert!(rig.send(ms(3 * PTO), 100));
    assert_eq!(rig.timeout(ms(7 * PTO)).1, [(2, Lost)], "the first probe");
    // A slow path: what was given back arrived all the same, and is a sample.
    assert_eq!(rig.ack(ms(8 * PTO), &ack_of([0, 1])), [(0, Acked), (1, Acked)]);
    assert_eq!(rig.recovery.smoothed(), Duration::from_millis(8 * PTO));
    // What was given back is lost without another word.
    assert!(rig.send(ms(8 * PTO), 100));
    (0..2).for_each(|_| assert!(rig.send(ms(8 * PTO), 100)));
    assert_eq!(rig.ack(ms(9 * PTO), &ack_of([6])), [(6, Acked), (3, Lost)]);
}

/// RFC 9002 §7.5: probes must not be blocked by the congestion controller.
#[test]
fn a_probe_goes_beyond_the_window_and_finds_room_in_a_full_pool() {
    let mut rig = Rig::new(32);
    (0..10).for_each(|_| assert!(rig.send(ms(0), 1_200)));
    assert!(!rig.send(ms(0), 1));
    assert_eq!(rig.timeout(ms(PTO)).0, Timeout::Probe);
    assert!(rig.send(ms(PTO), 1_200));
    assert!(rig.send(ms(PTO), 1_200));
    assert!(!rig.send(ms(PTO), 1));
    assert_eq!((rig.recovery.in_flight(), rig.recovery.packets), (14_400, 12));
    assert_eq!(rig.timeout(ms(3 * PTO)).0, Timeout::Probe);
    assert_eq!(rig.recovery.packets, 11, "beyond the window the oldest goes");

    let mut rig = Rig::new(2);
    assert!(rig.send(ms(0), 100));
    assert!(!rig.send(ms(0), 100), "half of the pool is the share of one");
    for n in 0..20 {
        let due = rig.recovery.deadline().unwrap();
        assert_eq!(rig.timeout(due), (Timeout::Probe, vec![(n, Lost)]));
        assert!(rig.send(due, 100));
    }
    assert_eq!(rig.recovery.packets, 1);
}

/// RFC 9002 §7.6: persistent congestion.
#[test]
fn a_long_silence_collapses_the_window() {
    // One packet arrives, a hundred or so are sent into the void, then one arrives again.
    let silence = |spacing: u64, heard: &[u64]| {
        let mut rig = Rig::new(400);
        assert!(rig.send(ms(0), 100));
        rig.ack(ms(20), &ack_of([0]));
        (1..=100).for_each(|n| assert!(rig.send(ms(20 + n * spacing), 100)));
        rig.ack(ms(40 + 100 * spacing), &ack_of([&[0, 100], heard].concat()));
        rig.recovery.window()
    };
    // Samples 20 and 20: PTO is 20 + 4 · 7.5 + 25 = 75, thrice that 225, and 98 spacings count.
    assert_eq!(silence(2, &[]), 6_000);
    assert_eq!(silence(3, &[]), 2_400);
    assert_eq!(silence(3, &[50]), 6_000, "heard of in the middle");
}

/// RFC 9000 §13.1: an Ack of a packet that was not sent is an error.
#[test]
fn impossible_acks_change_nothing() {
    let mut rig = Rig::new(8);
    (0..4).for_each(|_| assert!(rig.send(ms(0), 100)));
    let gap = |missing, run| Vec::from([AckGap { missing, run }]).into_iter().collect();
    let before = format!("{:?}{:?}", rig.recovery, rig.slots);
    for bad in [
        Ack { largest: 4, delay: 0, first: 0, gaps: gap(0, 0) },
        Ack { largest: u64::MAX, delay: 0, first: u64::MAX, gaps: heapless::Vec::new() },
        Ack { largest: 3, delay: 0, first: 4, gaps: heapless::Vec::new() },
        Ack { largest: 3, delay: 0, first: 0, gaps: gap(2, 0) },
        Ack { largest: 3, delay: 0, first: 0, gaps: gap(0, 2) },
        Ack { largest: 3, delay: 0, first: 0, gaps: gap(u64::MAX, u64::MAX) },
    ] {
        let answer = rig.with(|r, pool, next| r.ack(pool, &bad, ms(5), next, &mut |_, _| panic!()));
        assert_eq!(answer, Err(Invalid), "{bad:?}");
    }
    assert_eq!(format!("{:?}{:?}", rig.recovery, rig.slots), before);
}

/// RFC 9002 §6.2.1: the timer starts anew only for newly acknowledged packets.
#[test]
fn an_ack_without_news_does_not_put_off_a_probe() {
    let mut rig = Rig::new(8);
    (0..2).for_each(|_| assert!(rig.send(ms(0), 100)));
    rig.ack(ms(100), &ack_of([0]));
    let due = rig.recovery.deadline().unwrap();
    assert_eq!(rig.ack(due, &ack_of([0])), []);
    assert_eq!(rig.recovery.deadline(), Some(due));
}

#[test]
fn a_full_pool_gives_the_tokens_back() {
    let mut rig = Rig::new(0);
    let carried = Carried::from_slice(&[7, 8]).unwrap();
    let answer = rig.with(|r, pool, _| r.sent(pool, 0, ms(0), 100, carried.clone()));
    assert_eq!(answer, Err(carried));
    assert_eq!((rig.recovery.deadline(), rig.recovery.in_flight()), (None, 0));
}

#[test]
fn is_small() {
    assert!(size_of::<Recovery<[u8; 12]>>() <= 160, "{}", size_of::<Recovery<[u8; 12]>>());
    assert!(size_of::<Sent<[u8; 12]>>() <= 224, "{}", size_of::<Sent<[u8; 12]>>());
}

/// A packet as the naive model sees it.
#[derive(Debug)]
struct Packet {
    number: u64,
    at: Instant,
    bytes: usize,
    tokens: Vec<Token>,
    given_back: bool,
}

#[derive(Debug, Default)]
struct Model {
    packets: Vec<Packet>,
    /// Numbers of packets that only ack are in here too.
    next: u64,
    largest_acked: Option<u64>,
    probe_from: Instant,
    pto_count: u32,
}

impl Model {
    fn forget(&mut self, fate: Fate, which: impl Fn(&Packet) -> bool) -> Visits {
        let (gone, kept): (Vec<_>, _) =
            core::mem::take(&mut self.packets).into_iter().partition(which);
        self.packets = kept;
        let told = gone.into_iter().filter(|p| fate == Acked || !p.given_back);
        told.flat_map(|p| p.tokens).map(|t| (t, fate)).collect()
    }

    fn lost(&mut self, now: Instant, delay: Duration) -> Visits {
        let largest = self.largest_acked.unwrap_or(0);
        self.forget(Lost, |p| {
            p.number < largest && (p.number + 3 <= largest || p.at + delay <= now)
        })
    }

    fn deadline(&self, now: Instant, rtt: &Rtt) -> Option<Instant> {
        let early = self.packets.iter().filter(|p| Some(p.number) < self.largest_acked);
        early.map(|p| p.at + rtt.loss_delay()).min().or_else(|| {
            let pto = (rtt.pto() * 2_u32.pow(self.pto_count.min(16))).min(Duration::from_mins(1));
            let earliest = now + Duration::from_millis(1);
            (!self.packets.is_empty()).then_some((self.probe_from + pto).max(earliest))
        })
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send { bytes: usize, tokens: usize, eliciting: bool },
    Ack { back: u64, numbers: Vec<u64>, delay: u64 },
    Invalid { ahead: u64 },
    Wait { micros: u64 },
    Due,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = prop::collection::vec(0..20u64, 1..12);
    prop_oneof![
        8 => (1..1_200usize, 0..=3usize, prop::bool::weighted(0.8))
            .prop_map(|(bytes, tokens, eliciting)| Step::Send { bytes, tokens, eliciting }),
        5 => (0..4u64, numbers, 0..60_000u64).prop_map(|(back, numbers, delay)| Step::Ack { back, numbers, delay }),
        1 => (0..3u64).prop_map(|ahead| Step::Invalid { ahead }),
        4 => prop_oneof![0..100u64, 0..200_000u64].prop_map(|micros| Step::Wait { micros }),
        4 => Just(Step::Due),
        1 => prop::bool::weighted(0.1).prop_map(|clear| if clear { Step::Clear } else { Step::Due }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Two links share a pool of eight; each does what its naive model does.
    #[test]
    fn behaves_as_the_naive_model(steps in prop::collection::vec((0..2usize, step()), 0..120)) {
        let mut slots = [const { Slot::EMPTY }; 8];
        let mut head = SlabHead::NEW;
        let mut pool = Slab::new(&mut slots, &mut head);
        let mut links = [(); 2].map(|()| (Recovery::<Token>::new(INITIAL, 1_200), Model::default()));
        let mut now = ms(1);
        let mut token = 0;
        let (mut open, mut acked, mut lost) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());

        for (which, step) in steps {
            let used = pool.len();
            let (recovery, model) = &mut links[which];
            let mut visits = Vec::new();
            let mut expected = Vec::new();
            let mut rearmed = true;
            match step {
                Step::Send { eliciting: false, .. } => {
                    model.next += 1;
                    rearmed = false;
                }
                Step::Send { bytes, tokens, .. } => {
                    let fits = recovery.in_flight() + bytes <= recovery.window();
                    // A quarter of eight is reserved for those that are acknowledged.
                    let share = match model.pto_count {
                        0 => 8 - used,
                        _ if used <= 4 => 8 - used,
                        1 | 2 => 6_usize.saturating_sub(used),
                        _ => 0,
                    };
                    let may = model.packets.len() < share && fits;
                    let few = model.packets.len() < 2 && used < 8;
                    let probe = recovery.probes > 0 && (few || used < 7);
                    prop_assert_eq!(recovery.can_send(&pool, bytes), may || probe);
                    if may || probe {
                        let tokens: Vec<_> = (token..).take(tokens).collect();
                        token += tokens.len() as u64;
                        open.extend(tokens.iter().copied());
                        let carried = Carried::from_slice(&tokens).unwrap();
                        recovery.sent(&mut pool, model.next, now, bytes, carried).unwrap();
                        let number = model.next;
                        model.packets.push(Packet { number, at: now, bytes, tokens, given_back: false });
                        model.next += 1;
                        model.probe_from = now;
                    } else {
                        rearmed = false;
                    }
                }
                Step::Ack { back, numbers, delay } => {
                    let Some(largest) = model.next.checked_sub(back + 1) else { continue };
                    let mut ack = ack_of(numbers.iter().filter_map(|n| largest.checked_sub(*n)).chain([largest]));
                    ack.delay = delay as u32;
                    let told: Vec<RangeInclusive<u64>> = ack.ranges().collect();
                    expected = model.forget(Acked, |p| told.iter().any(|r| r.contains(&p.number)));
                    let before = model.packets.len();
                    let higher = model.largest_acked < Some(largest);
                    model.largest_acked = model.largest_acked.max(Some(largest));
                    let newly = recovery
                        .ack(&mut pool, &ack, now, model.next, &mut |t, fate| visits.push((t, fate)))
                        .unwrap();
                    rearmed = higher || pool.len() < used;
                    if rearmed {
                        expected.extend(model.lost(now, recovery.rtt.loss_delay()));
                    }
                    // What is no longer there and was not lost was acknowledged.
                    let gone = used - pool.len();
                    prop_assert_eq!(newly, gone > before - model.packets.len());
                    if newly {
                        model.pto_count = 0;
                        prop_assert_eq!(recovery.probes, 0);
                    }
                }
                Step::Invalid { ahead } => {
                    let bad = Ack { largest: model.next + ahead, delay: 0, first: 0, gaps: heapless::Vec::new() };
                    let before = format!("{recovery:?}{pool:?}");
                    prop_assert_eq!(recovery.ack(&mut pool, &bad, now, model.next, &mut |_, _| ()), Err(Invalid));
                    prop_assert_eq!(format!("{recovery:?}{pool:?}"), before);
                    rearmed = false;
                }
                Step::Wait { micros } => {
                    now = now + Duration::from_micros(micros);
                    rearmed = false;
                }
                Step::Due => {
                    let due = recovery.deadline();
                    let by_loss = matches!(recovery.timer, Some(Timer::Loss(_)));
                    now = due.map_or(now, |due| now.max(due));
                    let window = recovery.window();
                    let timeout = recovery.timeout(&mut pool, now, &mut |t, fate| visits.push((t, fate)));
                    match timeout {
                        Timeout::Nothing => prop_assert_eq!(due, None),
                        Timeout::Lost => {
                            prop_assert!(by_loss);
                            expected = model.lost(now, recovery.rtt.loss_delay());
                            prop_assert!(pool.len() < used);
                        }
                        Timeout::Probe => {
                            prop_assert!(!by_loss && recovery.is_probing());
                            model.pto_count += 1;
                            model.probe_from = now;
                            if let Some(oldest) = model.packets.iter_mut().find(|p| !p.given_back) {
                                oldest.given_back = true;
                                expected = oldest.tokens.iter().map(|t| (*t, Lost)).collect();
                            }
                            let mut give_up = |packet: Packet| if !packet.given_back {
                                expected.extend(packet.tokens.iter().map(|t| (*t, Lost)));
                            };
                            let there = model.packets.len();
                            let bytes: usize = model.packets.iter().map(|p| p.bytes).sum();
                            let kept = if used >= 6 {
                                0
                            } else if model.pto_count >= 3 && used > 4 {
                                4
                            } else {
                                there - usize::from(bytes > window && there > 0)
                            };
                            model.packets.drain(..there.saturating_sub(kept)).for_each(&mut give_up);
                            if used >= 6 || model.pto_count >= 3 && used > 4 {
                                prop_assert_eq!(recovery.window(), 2_400);
                            }
                            prop_assert!(!pool.is_full());
                        }
                    }
                    prop_assert!(recovery.deadline().is_none_or(|next| next > now));
                }
                Step::Clear => {
                    recovery.clear(&mut pool, &mut |t, fate| visits.push((t, fate)));
                    expected = model.forget(Lost, |_| true);
                    (model.largest_acked, model.pto_count) = (None, 0);
                }
            }
            prop_assert_eq!(&visits, &expected);
            for (token, fate) in visits {
                open.remove(&token);
                prop_assert!(!acked.contains(&token), "acked is the last word");
                let once = if fate == Acked { acked.insert(token) } else { lost.insert(token) };
                prop_assert!(once);
            }
            let bytes: usize = model.packets.iter().map(|p| p.bytes).sum();
            prop_assert_eq!(recovery.in_flight(), bytes);
            prop_assert_eq!(recovery.packets as usize, model.packets.len());
            prop_assert!(recovery.window() >= 2_400);
            prop_assert_eq!(recovery.deadline().is_none(), model.packets.is_empty());
            prop_assert_eq!(recovery.pto_count(), model.pto_count);
            if rearmed {
                prop_assert_eq!(recovery.deadline(), model.deadline(now, &recovery.rtt));
            }
            prop_assert_eq!(pool.len(), links.iter().map(|(_, model)| model.packets.len()).sum::<usize>());
        }
        for (recovery, model) in &mut links {
            let mut visits = Vec::new();
            recovery.clear(&mut pool, &mut |t, fate| visits.push((t, fate)));
            prop_assert_eq!(&visits, &model.forget(Lost, |_| true));
            for (token, _) in visits {
 open.remove(&token);
}
        }
        prop_assert!(pool.is_empty() && open.is_empty(), "every token was heard of: {:?}", open);
    }
}
