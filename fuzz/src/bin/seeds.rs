//! Writes seeds for the targets: each frame by itself and in every scene, the datagrams
//! of a handshake, and steps that lead through whole stories.
//! `cargo run --bin seeds -- CORPUS_DIRECTORY`

use std::{fs, io, path::Path};

use proto_core::{
    id::{Account, Epoch, MessageName, Nick, Number, Position, SessionId},
    random::Random,
    session::{INIT_NOISE, MAIL_OVERHEAD, receipt, seal_mail},
    wire::{
        Accept, Ack, AckGap, CloseReason, Deposit, EntryRefusal, EntryRefused, Frame, Hello,
        HelloTo, Init, Inquire, Limits, MAX_DATAGRAM, Mail, MailAck, Presence, Progress, Receipt,
        Register, RegisterRefusal, Registered, Retry, Roster, RosterEntry, Say, VERSION,
    },
};
use udpchat_fuzz::{
    Scene, end_identity, nick, plaintext, role_identity,
    steps::{End, Step, write},
};

/// Every packet that an end was sent, in a seed.
const ALL: u8 = u8::MAX;

/// The place of the first entry in a mailbox of a server's first run.
const FIRST_MAIL: u64 = (1 << 40) + 1;

fn main() -> io::Result<()> {
    let root = std::env::args().nth(1).unwrap_or_else(|| "corpus".into());
    let seeds = Seeds { root: root.as_ref() };
    let frames = frames();
    for (at, frame) in frames.iter().enumerate() {
        seeds.save("wire", &format!("frame-{at}"), frame)?;
        for scene in 0..Scene::ALL.len() {
            for end in End::ALL {
                let bytes = [&[scene as u8, end as u8], &frame[..]].concat();
                seeds.save("frames", &format!("frame-{at}-{scene}-{}", end as u8), &bytes)?;
            }
        }
        for end in End::ALL {
            let alone = [Step::Frames(end, frame), Step::Host(true)];
            seeds.steps(&format!("alone-{at}-{}", end as u8), &alone)?;
            seeds.steps(
                &format!("frame-{at}-{}", end as u8),
                &[
                    Step::Say(End::Second, 3),
                    Step::Host(true),
                    Step::Frames(end, frame),
                    Step::Host(true),
                    Step::Host(true),
                    Step::Acknowledge(end, ALL),
                    Step::Time(600),
                    Step::Host(true),
                    Step::Host(true),
                    Step::Frames(end, frame),
                    Step::Time(6000),
                ],
            )?;
        }
    }
    for end in End::ALL {
        let each =
            |frame| [Step::Frames(end, frame), Step::Host(true), Step::Acknowledge(end, ALL)];
        let all: Vec<_> = frames.iter().flat_map(|frame| each(frame)).collect();
        seeds.steps(&format!("all-{}", end as u8), &all)?;
    }
    for (at, datagram) in datagrams().iter().enumerate() {
        seeds.save("wire", &format!("datagram-{at}"), datagram)?;
        seeds.steps(&format!("datagram-{at}"), &[Step::Datagram(datagram)])?;
    }
    stories(&seeds)
}

struct Seeds<'a> {
    root: &'a Path,
}

impl Seeds<'_> {
    fn save(&self, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let directory = self.root.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(name), bytes)
    }

    /// For either role.
    fn steps(&self, name: &str, steps: &[Step<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for step in steps {
            write(step, &mut bytes);
        }
        self.save("server", name, &bytes)?;
        self.save("client", name, &bytes)
    }
}

fn stories(seeds: &Seeds<'_>) -> io::Result<()> {
    let (to, epoch, number) = (Account(1), Epoch(1), Number(1));
    let piece = &[7; 160];
    let deposit = plaintext(&Frame::Deposit(Deposit {
        to,
        epoch,
        number,
        skip: 0,
        total: 160,
        offset: 0,
        piece,
    }));
    let ack = plaintext(&Frame::MailAck(MailAck { index: FIRST_MAIL, receipt: [1; 16] }));
    let register = plaintext(&register(nick(End::Second), 2));
    let deregister = plaintext(&Frame::Deregister(()));
    let ping = plaintext(&Frame::Ping(()));
    let (first, second) = (End::First, End::Second);
    let host = Step::Host(true);
    let noise = [1; INIT_NOISE];
    seeds.steps(
        "relayed",
        &[
            Step::Frames(first, &deposit),
            host,
            Step::Acknowledge(second, ALL),
            Step::Frames(second, &ack),
            host,
            Step::Acknowledge(first, ALL),
            Step::Time(600),
        ],
    )?;
    seeds.steps(
        "saved",
        &[
            Step::Frames(second, &deregister),
            Step::Frames(first, &deposit),
            host,
            host,
            Step::Call(second, &[]),
            Step::Frames(second, &register),
            host,
            host,
            host,
            Step::Acknowledge(second, ALL),
            Step::Frames(second, &ack),
            host,
            host,
            Step::Time(600),
        ],
    )?;
    // What cannot be read comes again, its acknowledgement having been lost with the link.
    let unreadable = plaintext(&Frame::Mail(Mail {
        index: 3,
        previous: 0,
        from: to,
        epoch,
        number,
        total: 160,
        offset: 0,
        piece,
    }));
    seeds.steps(
        "unreadable",
        &[
            Step::Frames(first, &unreadable),
            Step::Time(15_000),
            Step::Time(15_000),
            Step::Answer(first, &[]),
            Step::Answer(first, &[]),
            Step::Frames(first, &unreadable),
        ],
    )?;
    // A piece is found lost after its reader has said that it has all of it.
    seeds.steps(
        "late",
        &[
            Step::Time(50),
            Step::Acknowledge(second, ALL),
            Step::Frames(first, &deposit),
            host,
            host,
            Step::Time(600),
            Step::Frames(second, &ack),
            // Nothing is sent of an author of whom there is news on the way.
            Step::Frames(first, &deregister),
            Step::Time(3000),
            host,
            host,
            Step::Time(60_000),
            Step::Time(60_000),
        ],
    )?;
    // Progress is found lost in the very packet that makes its pair give way to another.
    let inquire = |to| plaintext(&Frame::Inquire(Inquire { to: Account(to), epoch }));
    let asked: Vec<_> = [1, 2, 0].map(inquire).into();
    let lost = Ack { largest: 5, delay: 0, first: 0, gaps: Default::default() };
    let both = [plaintext(&Frame::Ack(lost)), inquire(0)].concat();
    let mut crowd = vec![Step::Time(50), Step::Acknowledge(first, ALL)];
    for (end, asked) in [(first, &asked[..2]), (second, &asked), (End::Third, &asked)] {
        crowd.extend(asked.iter().flat_map(|ask| [Step::Frames(end, ask), host]));
    }
    crowd.extend([Step::Frames(first, &ping); 4]);
    crowd.extend([Step::Frames(first, &both), host, Step::Time(60_000)]);
    seeds.steps("crowd", &crowd)?;
    seeds.steps("full", &[Step::Frames(first, &deposit), Step::Host(false), Step::Time(60_000)])?;
    seeds.steps("damaged", &[Step::Frames(first, &deposit), Step::Found(&[1, 2, 3])])?;
    seeds.steps("silent", &[Step::Time(20_000), Step::Time(50_000), Step::Time(60_000)])?;
    for end in End::ALL {
        seeds.steps(
            &format!("again-{}", end as u8),
            &[
                Step::Call(end, &noise),
                Step::Call(end, &[]),
                Step::Frames(end, &register),
                Step::Time(600),
                Step::Acknowledge(end, ALL),
            ],
        )?;
        seeds.steps(
            &format!("reached-{}", end as u8),
            &[
                Step::Time(60_000),
                Step::Time(60_000),
                Step::Say(end, 9),
                host,
                Step::Answer(end, &[]),
                Step::Answer(end, &noise),
                Step::Time(1000),
                Step::Answer(end, &[]),
                Step::Time(1000),
                Step::Answer(end, &[]),
                Step::Acknowledge(end, ALL),
            ],
        )?;
    }
    seeds.steps(
        "left",
        &[
            Step::Say(End::Second, 3),
            Step::Register(false),
            host,
            Step::Time(3000),
            Step::Register(true),
            Step::Answer(first, &[]),
            Step::Answer(first, &[]),
        ],
    )
}

fn register(nick: Nick, boot: u64) -> Frame<'static> {
    Frame::Register(Register { nick, epoch: Some(Epoch(1)), boot, roster: 1 })
}

/// One of each frame that a live session may bring, and more where a role goes on in
/// several ways.
fn frames() -> Vec<Vec<u8>> {
    let (epoch, number) = (Epoch(1), Number(1));
    let to = Account(1);
    let body = [7; 160];
    let (role, peer) = (role_identity(), end_identity(End::Second));
    let position = Position::new(epoch, number);
    // What the peer seals for the client, and says of what the client sealed.
    let from_peer = MessageName { author: peer.public(), recipient: role.public(), position };
    let to_peer = MessageName { author: role.public(), recipient: peer.public(), position };
    let mut sealed = [7; 20 + MAIL_OVERHEAD];
    seal_mail(&peer, &from_peer, &mut Random::new([8; 32]), 1, &mut sealed, 20).expect("sound");
    let taken = receipt(&peer, &role.public(), &to_peer).expect("sound");
    let mut entry = [0; RosterEntry::SIZE_BOUND];
    let entries = RosterEntry {
        account: Account(3),
        version: 6,
        nick: Nick::new("fourth").expect("a nick"),
        key: end_identity(End::First).public(),
        presence: Presence::Online,
        candidates: [None, None],
    };
    let entries = &*entries.encode(&mut entry).expect("room");
    let gap = AckGap { missing: 0, run: 0 };
    let gaps = [gap].into_iter().collect();
    let progress = Progress {
        to,
        epoch,
        stored: number,
        delivered: Number(0),
        expired: (Number(0), Number(0)),
        online: true,
        receipt: [0; 16],
    };
    let deposit = Deposit { to, epoch, number, skip: 0, total: 160, offset: 0, piece: &body };
    let mail = Mail {
        index: 3,
        previous: 0,
        from: to,
        epoch,
        number,
        total: sealed.len() as u16,
        offset: 0,
        piece: &sealed,
    };
    let frames = [
        Frame::Ack(Ack { largest: 0, delay: 5, first: 0, gaps: Default::default() }),
        Frame::Ack(Ack { largest: 2, delay: 5, first: 0, gaps }),
        Frame::Ping(()),
        Frame::Close(CloseReason::Leaving),
        Frame::Close(CloseReason::Displaced),
        Frame::Credit(1 << 20),
        register(nick(End::First), 2),
        register(nick(End::Second), 2),
        register(Nick::new("fourth").expect("a nick"), 1),
        Frame::Registered(Registered {
            account: Account(0),
            epoch,
            returning: true,
            roster: 9,
            mailbox: 0,
            limits: Limits { text: 100, mail: 100 },
        }),
        Frame::RegisterRefused(RegisterRefusal::Taken),
        Frame::Deregister(()),
        Frame::Deregistered(()),
        Frame::Roster(Roster {
            base: 0,
            upto: 6,
            low: Account(0),
            high: Account(9),
            last: true,
            entries,
        }),
        Frame::Say(Say { epoch, number, skip: 0, total: 160, offset: 0, piece: &body }),
        Frame::Receipt(Receipt { epoch, number }),
        Frame::Deposit(deposit),
        Frame::Deposit(Deposit { to: Account(0), ..deposit }),
        Frame::Deposit(Deposit { to: Account(9), ..deposit }),
        Frame::Deposit(Deposit { number: Number(2), total: 320, ..deposit }),
        Frame::Progress(progress),
        Frame::Progress(Progress { delivered: number, receipt: taken, ..progress }),
        Frame::Progress(Progress { expired: (number, number), ..progress }),
        Frame::EntryRefused(EntryRefused { to, epoch, number, reason: EntryRefusal::Store }),
        Frame::Mail(mail),
        Frame::Mail(Mail { total: 160, piece: &body, ..mail }),
        Frame::MailAck(MailAck { index: FIRST_MAIL, receipt: [1; 16] }),
        Frame::Inquire(Inquire { to, epoch }),
        Frame::MailboxEmpty(()),
    ];
    for kind in (0..=u8::MAX).filter(|kind| Frame::size_bound(*kind).is_some()) {
        let known = frames.iter().any(|frame| frame.kind() == kind);
        assert!(known, "frame type {kind:#04x} has no seed: add one above");
    }
    frames.iter().map(plaintext).collect()
}

/// The datagrams of a handshake.
fn datagrams() -> Vec<Vec<u8>> {
    let hello = Hello { version: VERSION, size: 256, random: [3; 16], to: HelloTo::Server };
    let to_peer = Hello { to: HelloTo::Peer { mac: [4; 16] }, ..hello };
    let (cookie, check) = ([5; 16], [6; 16]);
    let from_peer = Retry { version: VERSION, random: [3; 16], cookie, key: None, check };
    let retry = Retry { key: Some(role_identity().public()), ..from_peer };
    let init = Init { hello, cookie, noise: &[7; INIT_NOISE] };
    let accept = Accept { session: SessionId(7), noise: &[8; 60] };
    let out = || [0; MAX_DATAGRAM];
    vec![
        hello.encode(&mut out()).to_vec(),
        to_peer.encode(&mut out()).to_vec(),
        retry.encode(&mut out()).to_vec(),
        from_peer.encode(&mut out()).to_vec(),
        init.encode(&mut out()).to_vec(),
        accept.encode(&mut out()).to_vec(),
    ]
}
