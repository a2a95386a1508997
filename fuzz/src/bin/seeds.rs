//! Writes seeds for the targets: each frame by itself and in every scene, the datagrams
//! of a handshake, and steps that lead through whole stories.
//! `cargo run --bin seeds -- CORPUS_DIRECTORY`

use std::{fs, io, path::Path};

use proto_core::{
    Received,
    id::{
        Account, Epoch, Incarnation, MessageName, Nick, Number, Position, PublicKey, Recipient,
        Room, RoomName, RunTag, SessionId,
    },
    random::Random,
    session::{INIT_NOISE, MAIL_OVERHEAD, REKEY_NOISE, REKEYED_NOISE, receipt, seal_mail},
    time::UnixTime,
    wire::{
        Accept, AccountAction, AccountRefusal, AccountRequest, AccountResponse, Ack, AckGap, Away, CloseReason, CreditLimit, DeliveryStatus, FRAGMENT_UNIT, Frame, Hello, HelloTo, Init, Joined, KeyHistory, Left, LeftReason, Limits, Login, MAX_DATAGRAM, Mail, MailAck, Message, Names, PasswordWant, PasswordWanted, Presence, Read, Receipt, Register, RegisterRefusal, Registered, Rekey, Rekeyed, Retention, Retry, RoomAction, RoomEntry, RoomRefusal, RoomRequest, RoomResponse, Roster, RosterEntry, Secret, StatusQuery, Submit, SubmitRefusal, SubmitRefused, TrimReason, Trimmed, VERSION,
    },
};
use udpchat_fuzz::{
    Scene, end_identity, nick, plaintext, register, request, role_identity, room_name, seed,
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
    stories(&seeds)?;
    rooms_at_server(&seeds)?;
    rooms_at_client(&seeds)?;
    passwords(&seeds)
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
    let (peer, epoch, number) = (Account(1), Epoch(1), Number(1));
    let to = Recipient::Account(peer);
    let piece = &[7; 160];
    let submit = plaintext(&Frame::Submit(Submit {
        to,
        epoch,
        number,
        key: 0,
        skip: 0,
        total: 160,
        offset: 0,
        piece,
    }));
    let ack = plaintext(&Frame::MailAck(MailAck {
        index: FIRST_MAIL,
        received: Received::only(Position::new(Epoch(1), Number(1))),
        receipt: [1; 16],
    }));
    let register = plaintext(&returns(nick(End::Second), 2));
    let deregister = plaintext(&Frame::Deregister(()));
    let ping = plaintext(&Frame::Ping(()));
    let (first, second) = (End::First, End::Second);
    let host = Step::Host(true);
    let noise = [1; INIT_NOISE];
    let rekey = plaintext(&Frame::Rekey(Rekey { noise: &noise[..REKEY_NOISE] }));
    let rekeyed = plaintext(&Frame::Rekeyed(Rekeyed { noise: &noise[..REKEYED_NOISE] }));
    for (name, frame) in [("rekey-early", &rekey), ("rekeyed-unasked", &rekeyed)] {
        seeds.steps(name, &[Step::Frames(first, frame), Step::Time(600)])?;
    }
    let late = [Step::Time(59_000), Step::Frames(first, &ping), Step::Time(2_000)];
    seeds.steps("rekey-damaged", &[&late[..], &[Step::Frames(first, &rekey)]].concat())?;
    seeds.steps(
        "relayed",
        &[
            Step::Frames(first, &submit),
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
            Step::Frames(first, &submit),
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
    // Pairs with something in the mailbox, or with something that never gets there.
    let never = plaintext(&Frame::Submit(Submit {
        to: Recipient::Account(Account(2)),
        epoch,
        number: Number(5),
        key: 0,
        skip: 0,
        total: 160,
        offset: 0,
        piece,
    }));
    let mut steps = vec![Step::Frames(second, &deregister), Step::Frames(first, &submit)];
    steps.extend([host; 4]);
    steps.extend([Step::Frames(first, &never), host, host, Step::Time(31_000)]);
    seeds.steps("waiting", &steps)?;
    // What cannot be read comes again, its acknowledgement having been lost with the link.
    let unreadable = plaintext(&Frame::Mail(Mail {
        index: 3,
        previous: 0,
        from: peer,
        key: end_identity(second).public().tag(),
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
            Step::Frames(first, &submit),
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
    // DeliveryStatus is found lost in the very packet that makes its pair give way to another.
    let query_status = |to| {
        plaintext(&Frame::StatusQuery(StatusQuery { to: Recipient::Account(Account(to)), epoch }))
    };
    let asked: Vec<_> = [1, 2, 0].map(query_status).into();
    let lost = Ack { largest: 5, delay: 0, first: 0, gaps: Default::default() };
    let both = [plaintext(&Frame::Ack(lost)), query_status(0)].concat();
    let mut crowd = vec![Step::Time(50), Step::Acknowledge(first, ALL)];
    for (end, asked) in [(first, &asked[..2]), (second, &asked), (End::Third, &asked)] {
        crowd.extend(asked.iter().flat_map(|ask| [Step::Frames(end, ask), host]));
    }
    crowd.extend([Step::Frames(first, &ping); 4]);
    crowd.extend([Step::Frames(first, &both), host, Step::Time(60_000)]);
    seeds.steps("crowd", &crowd)?;
    seeds.steps("full", &[Step::Frames(first, &submit), Step::Host(false), Step::Time(60_000)])?;
    seeds.steps("damaged", &[Step::Frames(first, &submit), Step::Found(&[1, 2, 3])])?;
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

/// What one client says in a room, in as many frames as it takes.
fn said_in(room: Room, number: u64, bytes: usize) -> Vec<Vec<u8>> {
    let body = vec![7; bytes];
    let total = bytes as u16;
    let pieces = body.chunks(5 * FRAGMENT_UNIT).enumerate().map(|(at, piece)| {
        plaintext(&Frame::Submit(Submit {
            to: Recipient::Room(room),
            epoch: Epoch(1),
            number: Number(number),
            key: 0,
            skip: 0,
            total,
            offset: (at * 5 * FRAGMENT_UNIT) as u16,
            piece,
        }))
    });
    pieces.collect()
}

fn rooms_at_server(seeds: &Seeds<'_>) -> io::Result<()> {
    let (first, second) = (End::First, End::Second);
    let host = Step::Host(true);
    let settle = [host; 4];
    let lobby = Room::LOBBY;
    let room = Room(1);
    let command = |serial, which| {
        plaintext(&Frame::RoomRequest(RoomRequest { serial, action: request(which) }))
    };
    let read = |room, upto| plaintext(&Frame::Read(Read { room, upto, rewinds: 0 }));
    let commands: Vec<_> = (0..8).map(|which| command(u64::from(which), which)).collect();
    let [create, join, leave, list, members, everyone, other, join_other] = &commands[..] else {
        return Ok(());
    };
    let begin = [read(lobby, 0), read(room, 0)].concat();
    let away = plaintext(&Frame::Away(Away { text: Some("gone to lunch") }));
    let back = plaintext(&Frame::Away(Away { text: None }));
    let short: Vec<_> = (1..9).flat_map(|number| said_in(room, number, 40)).collect();
    let long = said_in(room, 1, 900);
    let aloud = said_in(lobby, 1, 60);
    let again = plaintext(&returns(nick(second), 1));
    // What follows begins with a room that two ends are in.
    let mut both = vec![Step::Frames(first, create), host];
    for end in [first, second] {
        both.extend([Step::Frames(end, join), host, Step::Acknowledge(end, ALL)]);
        both.extend([Step::Frames(end, &begin)]);
    }
    let story = |name: &str, steps: &[Step<'_>]| seeds.steps(name, &[&both, steps].concat());
    let mut steps: Vec<_> = long.iter().map(|piece| Step::Frames(first, piece)).collect();
    steps.extend(settle);
    let upto = read(room, 1);
    steps.extend([
        Step::Acknowledge(second, 0),
        Step::Frames(second, &upto),
        Step::Acknowledge(second, ALL),
        Step::Frames(first, &upto),
        Step::Acknowledge(first, ALL),
        Step::Time(600),
    ]);
    story("room-said", &steps)?;
    // Some of it is lost: time finds out, and so do later packets.
    let mut steps: Vec<_> = long.iter().map(|piece| Step::Frames(first, piece)).collect();
    steps.extend(settle);
    let lossy = Ack { largest: 9, delay: 0, first: 0, gaps: Default::default() };
    let lossy = plaintext(&Frame::Ack(lossy));
    steps.extend([
        Step::Frames(second, &lossy),
        Step::Time(300),
        Step::Acknowledge(second, 1),
        Step::Time(2000),
        Step::Time(5000),
        Step::Frames(second, &upto),
        Step::Acknowledge(second, ALL),
    ]);
    story("room-lost", &steps)?;
    // More than is kept, to one who reads and to one who does not.
    let mut steps = Vec::new();
    for piece in &short {
        steps.extend([Step::Frames(first, piece), host, host, host]);
        steps.extend([Step::Acknowledge(first, ALL)]);
    }
    let far = read(room, 8);
    steps.extend([
        Step::Frames(first, &far),
        Step::Acknowledge(second, ALL),
        Step::Frames(second, &upto),
        host,
        host,
        Step::Time(41_000),
        host,
        host,
        host,
        Step::Acknowledge(second, ALL),
    ]);
    story("room-gone", &steps)?;
    // Who comes late reads from the store, which fails once.
    let mut steps = vec![Step::Time(40), Step::Frames(second, &again)];
    let deregister = plaintext(&Frame::Deregister(()));
    steps.extend([Step::Frames(second, &deregister)]);
    for piece in &short[..4] {
        steps.extend([Step::Frames(first, piece), host, host, host]);
    }
    steps.extend([Step::Acknowledge(first, ALL), Step::Call(second, &[])]);
    steps.extend([Step::Frames(second, &again), host, host, host]);
    steps.extend([Step::Frames(second, &begin), Step::Host(false), Step::Time(1000), host, host]);
    steps.extend([Step::Frames(second, &begin), Step::Found(&[1, 2, 3]), host, host, host]);
    steps.extend([Step::Acknowledge(second, ALL), Step::Time(600)]);
    story("room-late", &steps)?;
    // Another link takes the place of one that reads.
    let mut steps = Vec::new();
    for piece in &short[..3] {
        steps.extend([Step::Frames(first, piece), host, host]);
    }
    steps.extend([Step::Call(second, &[]), Step::Frames(second, &again), host, host]);
    steps.extend([Step::Frames(second, &begin), host, host, host, Step::Acknowledge(second, ALL)]);
    story("room-displaced", &steps)?;
    // Leaving, and what comes of saying more; away and back, and who is there.
    let mut steps = vec![
        Step::Frames(second, leave),
        host,
        Step::Frames(second, &short[0]),
        Step::Frames(first, &short[0]),
        host,
        host,
        Step::Frames(second, &away),
        Step::Time(30),
        Step::Frames(second, &back),
        Step::Time(30),
    ];
    for end in End::ALL {
        for asked in [list, members, everyone, other, join_other] {
            steps.extend([Step::Frames(end, asked), host, Step::Acknowledge(end, ALL)]);
        }
    }
    story("room-left", &steps)?;
    // The lobby, which everyone is in.
    let mut steps = Vec::new();
    for end in End::ALL {
        steps.push(Step::Frames(end, &begin));
    }
    for piece in &aloud {
        steps.push(Step::Frames(End::Third, piece));
    }
    steps.extend(settle);
    steps.extend(End::ALL.map(|end| Step::Acknowledge(end, ALL)));
    seeds.steps("lobby", &steps)?;
    // All that there is is read again, and more is said.
    let mut steps: Vec<_> = short[..2].iter().map(|piece| Step::Frames(first, piece)).collect();
    steps.extend([host; 8]);
    steps.extend([Step::Frames(End::Third, &away), host, Step::Restart]);
    steps.extend([Step::Host(false), Step::Time(1000)]);
    steps.extend([host; 24]);
    for end in End::ALL {
        steps.extend([Step::Call(end, &[]), Step::Frames(end, &again), host, host, host]);
        steps.extend([Step::Frames(end, &begin), host, host, Step::Acknowledge(end, ALL)]);
        steps.extend([Step::Frames(end, &short[0]), Step::Frames(end, &short[2]), host, host]);
        steps.extend([host, host]);
    }
    story("room-again", &steps)?;
    // Long texts and long waits, until the oldest are gone.
    let mut steps = Vec::new();
    let texts = (1..5).map(|number| said_in(room, number, 900));
    let texts: Vec<_> = texts.collect();
    for piece in texts.iter().flatten() {
        steps.extend([Step::Frames(first, piece), host, host, host, Step::Acknowledge(first, ALL)]);
    }
    steps.extend([host; 8]);
    for _ in 0..6 {
        steps.extend([Step::Time(20_000), host, host, host, Step::Acknowledge(second, ALL)]);
        steps.extend([Step::Frames(second, &begin), host]);
    }
    story("room-long", &steps)?;
    // The store fails at each thing in turn that it is to save.
    let mut asks = vec![(first, create), (first, join), (second, join), (second, leave)];
    asks.extend(short[..3].iter().map(|piece| (first, piece)));
    for failing in 0..asks.len() * 3 {
        let mut steps = Vec::new();
        for (at, (end, asked)) in asks.iter().enumerate() {
            steps.push(Step::Frames(*end, asked));
            steps.extend((0..3).map(|part| Step::Host(at * 3 + part != failing)));
            steps.push(Step::Acknowledge(*end, ALL));
            if at * 3 <= failing && failing < at * 3 + 3 {
                steps.extend([Step::Frames(*end, asked), host, host]);
            }
        }
        seeds.steps(&format!("room-failed-{failing}"), &steps)?;
    }
    // More rooms, and more places in them, than there can be, and pages of their names.
    let names: Vec<_> =
        (0..8).map(|at| RoomName::new(&format!("{}{at}", "long".repeat(7)))).collect();
    let names = names.into_iter().flatten();
    let wishes = names.clone().map(RoomAction::Create).map(|action| (first, action));
    let Some(own) = names.clone().next() else { return Ok(()) };
    let joins = names.flat_map(|name| End::ALL.map(|end| (end, RoomAction::Join(name))));
    let pages = [0, 3].map(|from| (End::Third, RoomAction::Rooms { from: Room(from) }));
    let third = nick(End::Third);
    let moderation = [
        RoomAction::Kick { room: own, nick: third },
        RoomAction::Invite { room: own, nick: third },
        RoomAction::InviteOnly { room: own, on: true },
        RoomAction::Delete(own),
    ]
    .map(|action| (first, action));
    let mut steps = Vec::new();
    let wishes: Vec<_> = wishes.chain(joins).chain(pages).chain(moderation).enumerate().collect();
    let asked = |(serial, (end, action)): &(usize, (End, RoomAction))| {
        (
            *end,
            plaintext(&Frame::RoomRequest(RoomRequest {
                serial: *serial as u64 + 20,
                action: *action,
            })),
        )
    };
    let asked: Vec<_> = wishes.iter().map(asked).collect();
    for (end, command) in &asked {
        steps.extend([Step::Frames(*end, command), host, host, Step::Acknowledge(*end, ALL)]);
    }
    seeds.steps("rooms-full", &steps)?;
    // Who cannot be sent anything reads two rooms, with memory for one entry of both.
    let mut steps = vec![Step::Frames(first, create), host, Step::Frames(first, join), host];
    steps.extend([Step::Frames(first, &begin), Step::Frames(second, join), host]);
    let waits = said_in(room, 42, 40);
    for (end, piece) in [(second, &short[0]), (first, &waits[0]), (first, &aloud[0])] {
        steps.push(Step::Frames(end, piece));
    }
    steps.extend([host; 9]);
    seeds.steps("rooms-crowded", &steps)?;
    // Several wait for the store together, and fail together.
    let mut steps: Vec<_> = short[..3].iter().map(|piece| Step::Frames(first, piece)).collect();
    steps.extend([host, host, Step::Host(false), host, Step::Frames(first, &short[1]), host, host]);
    story("room-together", &steps)
}

fn rooms_at_client(seeds: &Seeds<'_>) -> io::Result<()> {
    let (first, host) = (End::First, Step::Host(true));
    let (room, from, reason) = (Room(1), nick(End::Second), TrimReason::Damaged);
    let appended = |run: u8, previous: Option<u8>, index, offset, length: usize, total| {
        let piece = &[7; 1000][..length];
        let (run, previous) = (Incarnation([run; 8]), previous.map(|run| RunTag([run; 4])));
        let entry = RoomEntry { room, index, run, previous, from, total, offset, piece };
        plaintext(&Frame::RoomEntry(entry))
    };
    let piece = |index, offset, length, total| appended(5, None, index, offset, length, total);
    let unit = FRAGMENT_UNIT;
    let halves = [piece(1, 0, unit, 2 * unit as u16), piece(1, unit as u16, unit, 2 * unit as u16)];
    let later = [piece(2, 0, 40, 40), piece(3, 0, 40, 40), piece(9, 0, 40, 40)];
    let gone = plaintext(&Frame::Trimmed(Trimmed { room, upto: 8, first: 8, reason }));
    let joined = plaintext(&joined_to(room, 2, 9, 5));
    let registered = plaintext(&Frame::Registered(Registered {
        account: Account(0),
        epoch: Epoch(1),
        returning: true,
        run: Incarnation([5; 8]),
        mailbox: 0,
        rooms: 1,
        limits: Limits {
            text: 1000,
            mail: 1000,
            room: Retention { entries: 10, bytes: 1000, age: 100 },
        },
    }));
    seeds.steps(
        "entries",
        &[
            Step::Frames(first, &later[1]),
            Step::Frames(first, &halves[1]),
            Step::Frames(first, &later[0]),
            Step::Frames(first, &halves[0]),
            host,
            host,
            Step::Host(false),
            Step::Acknowledge(first, ALL),
            Step::Time(1000),
            host,
            host,
            Step::Frames(first, &later[2]),
            Step::Frames(first, &gone),
            host,
            Step::Time(600),
        ],
    )?;
    // The room is left, or its link lost, with some of an entry there.
    seeds.steps(
        "entries-left",
        &[
            Step::Frames(first, &halves[0]),
            Step::Frames(first, &later[0]),
            Step::Tell(false, 3),
            host,
            Step::Time(60_000),
            Step::Time(60_000),
            Step::Answer(first, &[]),
            Step::Answer(first, &[]),
            host,
        ],
    )?;
    let told = |to, stored, online| {
        let none = Position::default();
        plaintext(&Frame::DeliveryStatus(DeliveryStatus {
            to: Recipient::Room(to),
            key: 0,
            stored: Position::new(Epoch(1), Number(stored)),
            received: Received::default(),
            expired: (none, none),
            online,
            receipt: [0; 16],
        }))
    };
    let refused = plaintext(&Frame::SubmitRefused(SubmitRefused {
        to: Recipient::Room(room),
        epoch: Epoch(1),
        number: Number(1),
        reason: SubmitRefusal::NotMember,
    }));
    seeds.steps(
        "told",
        &[
            Step::Tell(true, 3),
            Step::Tell(false, 100),
            host,
            host,
            host,
            host,
            Step::Acknowledge(first, ALL),
            Step::Frames(first, &told(Room::LOBBY, 1, false)),
            Step::Frames(first, &refused),
            host,
            host,
            host,
            Step::Time(6000),
            Step::Frames(first, &told(room, 1, true)),
            host,
        ],
    )?;
    for (which, what) in (0..6).flat_map(|which| (0..5).map(move |what| (which, what))) {
        seeds.steps(
            &format!("granted-{which}-{what}"),
            &[
                Step::Tell(false, 3),
                host,
                Step::Frames(first, &halves[0]),
                Step::RoomAction(which),
                Step::Grant(first, what),
                Step::Acknowledge(first, ALL),
                Step::Grant(first, what),
                Step::Frames(first, &joined),
                Step::Tell(false, 3),
                host,
                host,
            ],
        )?;
    }
    // The last indices that there are.
    let far = u32::MAX;
    let passed = plaintext(&Frame::Trimmed(Trimmed { room, upto: far - 2, first: 1, reason }));
    let far = [piece(far - 1, 0, 50, 50), piece(far, 0, 60, 60)];
    let near = piece(1, 0, 40, 40);
    let mut steps = vec![Step::Frames(first, &near), host, host, Step::Frames(first, &passed)];
    steps.extend(far.iter().flat_map(|entry| [Step::Frames(first, entry), host, host]));
    seeds.steps("entries-far", &steps)?;
    // A server whose store was put back: what was read is another log.
    let mut steps = Vec::new();
    for (run, previous, index) in [
        (5, None, 1),
        (5, None, 2),
        (6, Some(5), 3),
        (7, Some(8), 4),
        (7, Some(5), 2),
        (7, None, 3),
    ] {
        let entry = appended(run, previous, index, 0, 40, 40);
        steps.push(Step::Frames(first, &*entry.leak()));
        steps.extend([host; 3]);
    }
    steps.extend([Step::Restart, Step::Register(true)]);
    steps.extend([host; 16]);
    seeds.steps("put-back", &steps)?;
    let mut steps = vec![Step::Tell(false, 3), Step::Tell(true, 3), Step::Say(End::Second, 3)];
    steps.extend([host; 6]);
    steps.extend([Step::Frames(first, &later[0]), Step::Frames(first, &gone), host]);
    steps.extend([Step::Restart, Step::Register(true), host, host]);
    steps.extend([Step::Host(false), Step::Time(1000)]);
    steps.extend([host; 16]);
    steps.extend([Step::Answer(first, &[]), Step::Answer(first, &[])]);
    steps.extend([Step::Frames(first, &registered), Step::Frames(first, &joined), host, host]);
    seeds.steps("restarted", &steps)?;
    for which in 0..6 {
        seeds.steps(
            &format!("action-{which}"),
            &[
                Step::Away(5),
                Step::RoomAction(which),
                Step::Acknowledge(first, ALL),
                Step::Time(3000),
                Step::RoomAction(which),
                Step::Away(0),
                Step::Time(60_000),
                Step::Time(60_000),
                Step::Answer(first, &[]),
                Step::Answer(first, &[]),
            ],
        )?;
    }
    Ok(())
}

fn passwords(seeds: &Seeds<'_>) -> io::Result<()> {
    let (first, second, third) = (End::First, End::Second, End::Third);
    let (host, fails) = (Step::Host(true), Step::Host(false));
    let login = |end, attempt, run| {
        let register = register(nick(end), None, run);
        let password = Secret(b"password");
        plaintext(&Frame::Login(Login { register, attempt, password }))
    };
    let (own, of_first) = (login(third, 2, 2), login(first, 3, 1));
    let deregister = plaintext(&Frame::Deregister(()));
    let mail = plaintext(&Frame::Submit(Submit {
        to: Recipient::Account(Account(0)),
        epoch: Epoch(1),
        number: Number(1),
        key: 0,
        skip: 0,
        total: 160,
        offset: 0,
        piece: &[7; 160],
    }));
    for what in 0..4 {
        seeds.steps(
            &format!("operated-{what}"),
            &[
                Step::Frames(first, &deregister),
                Step::Frames(second, &mail),
                host,
                host,
                Step::Operate(first, what),
                Step::Frames(first, &of_first),
                host,
                host,
                host,
                Step::Frames(first, &of_first),
                host,
                Step::Judge(1),
                host,
                host,
                host,
                Step::Operate(third, what),
                fails,
                host,
            ],
        )?;
    }
    // Passwords that come twice, too early, and from two at once, and are judged too late.
    let (again, other) = (login(first, 3, 1), login(second, 4, 1));
    let mut steps = vec![Step::Operate(third, 1), host, host, host, Step::Call(third, &[])];
    for judged in [2, 3, 0] {
        steps.extend([Step::Frames(third, &of_first), Step::Frames(third, &again), host]);
        steps.extend([Step::Frames(second, &other), Step::Judge(judged)]);
        steps.extend([Step::Frames(third, &again), Step::Frames(third, &other), Step::Time(1500)]);
    }
    steps.extend([Step::Frames(third, &other), Step::Time(11_000), host, Step::Judge(0)]);
    steps.extend([host, host, host, Step::Acknowledge(third, ALL)]);
    seeds.steps("passwords", &steps)?;
    let wanted = |why, wait, attempt| {
        plaintext(&Frame::PasswordWanted(PasswordWanted { why, wait, attempt }))
    };
    let known = wanted(PasswordWant::Known, 0, 0);
    let (wrong, busy) = (wanted(PasswordWant::Wrong, 500, 1), wanted(PasswordWant::Busy, 500, 2));
    let mut steps = vec![Step::Restart, Step::Register(true)];
    steps.extend([host; 8]);
    steps.extend([Step::Answer(first, &[]), Step::Answer(first, &[])]);
    steps.extend([Step::Frames(first, &known), Step::Password(2), Step::Acknowledge(first, ALL)]);
    steps.extend([Step::Frames(first, &wrong), Step::Password(3), Step::Time(600)]);
    steps.extend([Step::Frames(first, &busy), Step::Time(600), Step::Frames(first, &known)]);
    steps.push(Step::Register(false));
    seeds.steps("proving", &steps)?;
    // A peer goes on under another key, with what was said to it on its way.
    let (at, none) = (|number| Position::new(Epoch(1), Number(number)), Position::default());
    let progress = DeliveryStatus {
        to: Recipient::Account(Account(1)),
        key: 0,
        stored: at(1),
        received: Received::default(),
        expired: (none, none),
        online: false,
        receipt: [0; 16],
    };
    let stored = plaintext(&Frame::DeliveryStatus(progress));
    let renewed =
        plaintext(&Frame::DeliveryStatus(DeliveryStatus { key: 1, stored: at(0), ..progress }));
    let again = DeliveryStatus { key: 1, stored: at(2), ..progress };
    let again = plaintext(&Frame::DeliveryStatus(again));
    let mut entry = [0; RosterEntry::SIZE_BOUND];
    let entry = RosterEntry {
        account: Account(1),
        version: 7,
        nick: nick(second),
        key: PublicKey([9; 32]),
        key_number: 1,
        presence: Presence::Offline,
        candidates: [None, None],
        seen: UnixTime(0),
        away: None,
    }
    .encode(&mut entry)
    .map(|entry| entry.to_vec())
    .unwrap_or_default();
    let page = plaintext(&Frame::Roster(Roster {
        base: 0,
        upto: 7,
        low: Account(0),
        high: Account(9),
        last: true,
        entries: &entry,
    }));
    seeds.steps(
        "succeeded",
        &[
            Step::Say(second, 3),
            Step::Say(second, 4),
            host,
            host,
            host,
            Step::Time(600),
            Step::Frames(first, &stored),
            host,
            Step::Frames(first, &page),
            host,
            host,
            Step::Acknowledge(first, ALL),
            Step::Frames(first, &renewed),
            host,
            fails,
            Step::Time(1000),
            host,
            host,
            host,
            Step::Acknowledge(first, ALL),
            Step::Frames(first, &again),
            host,
        ],
    )?;
    // The third goes, and comes back to another's nick.
    for how in 0..5 {
        seeds.steps(
            &format!("password-{how}"),
            &[
                Step::Frames(second, &mail),
                host,
                Step::Operate(third, 1),
                host,
                host,
                host,
                Step::Call(third, &[]),
                Step::Frames(third, &of_first),
                host,
                Step::Judge(how),
                host,
                host,
                host,
                Step::Frames(second, &mail),
                host,
                Step::Time(2000),
                Step::Frames(third, &own),
                host,
                Step::Judge(how),
                host,
                host,
            ],
        )?;
    }
    Ok(())
}

/// Names as a page has them.
fn plaintext_names(names: &[Nick]) -> Vec<u8> {
    let word = |name: &Nick| [&[name.as_str().len() as u8], name.as_str().as_bytes()].concat();
    names.iter().flat_map(word).collect()
}

fn joined_to(room: Room, since: u32, last: u32, run: u8) -> Frame<'static> {
    let name = (room != Room::LOBBY).then(room_name);
    Frame::Joined(Joined { room, since, last, run: Incarnation([run; 8]), name })
}

fn returns(nick: Nick, run: u8) -> Frame<'static> {
    Frame::Register(Register { roster: 1, ..register(nick, Some(Epoch(1)), run) })
}

/// One of each frame that a live session may bring, and more where a role goes on in
/// several ways.
fn frames() -> Vec<Vec<u8>> {
    let (epoch, number) = (Epoch(1), Number(1));
    let to = Recipient::Account(Account(1));
    let room = Room(1);
    let body = [7; 160];
    let (role, peer) = (role_identity(), end_identity(End::Second));
    let position = Position::new(epoch, number);
    // What the peer seals for the client, and says of what the client said.
    let from_peer = MessageName { author: peer.public(), recipient: role.public(), position };
    let mut sealed = [7; 20 + MAIL_OVERHEAD];
    let random = &mut Random::new(seed(8));
    seal_mail(&peer, &from_peer, Position::NONE, random, 1, &mut sealed, 20).expect("sound");
    let received = Received::only(position);
    let taken = receipt(&peer, &role.public(), &peer.public(), &received).expect("sound");
    let mut entry = [0; RosterEntry::SIZE_BOUND];
    let entries = RosterEntry {
        account: Account(3),
        version: 6,
        nick: Nick::new("fourth").expect("a nick"),
        key: end_identity(End::First).public(),
        key_number: 0,
        presence: Presence::Online,
        candidates: [None, None],
        seen: UnixTime(5),
        away: Some("away"),
    };
    let entries = &*entries.encode(&mut entry).expect("room");
    let gap = AckGap { missing: 0, run: 0 };
    let gaps = [gap].into_iter().collect();
    let position = Position::new(epoch, number);
    let progress = DeliveryStatus {
        to,
        key: 0,
        stored: position,
        received: Received::default(),
        expired: (Position::default(), Position::default()),
        online: true,
        receipt: [0; 16],
    };
    let submit = Submit { to, epoch, number, key: 0, skip: 0, total: 160, offset: 0, piece: &body };
    let command = |which| Frame::RoomRequest(RoomRequest { serial: 9, action: request(which) });
    let entry = RoomEntry {
        room,
        index: 1,
        run: Incarnation([5; 8]),
        previous: None,
        from: nick(End::Second),
        total: 160,
        offset: 0,
        piece: &body,
    };
    let said = register(nick(End::First), Some(epoch), 2);
    let wanted = PasswordWanted { why: PasswordWant::New, wait: 0, attempt: 0 };
    let names = plaintext_names(&[nick(End::First), nick(End::Second)]);
    let mail = Mail {
        index: 3,
        previous: 0,
        from: Account(1),
        key: peer.public().tag(),
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
        Frame::Credit(CreditLimit { bytes: 1 << 20, messages: 1 << 10 }),
        Frame::Rekey(Rekey { noise: &[7; 96] }),
        Frame::Rekeyed(Rekeyed { noise: &[8; 48] }),
        returns(nick(End::First), 2),
        returns(nick(End::Second), 2),
        returns(Nick::new("fourth").expect("a nick"), 1),
        Frame::Registered(Registered {
            account: Account(0),
            epoch,
            returning: true,
            run: Incarnation([5; 8]),
            mailbox: 0,
            rooms: 2,
            limits: Limits {
                text: 100,
                mail: 100,
                room: Retention { entries: 10, bytes: 1000, age: 100 },
            },
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
        Frame::Message(Message { epoch, number, skip: 0, total: 160, offset: 0, piece: &body }),
        Frame::Receipt(Receipt { epoch, number, run: 1 }),
        Frame::Submit(submit),
        Frame::Submit(Submit { to: Recipient::Account(Account(0)), ..submit }),
        Frame::Submit(Submit { to: Recipient::Account(Account(9)), ..submit }),
        Frame::Submit(Submit { to: Recipient::Room(Room::LOBBY), ..submit }),
        Frame::Submit(Submit { to: Recipient::Room(room), ..submit }),
        Frame::Submit(Submit { key: 7, ..submit }),
        Frame::Submit(Submit { number: Number(2), total: 320, ..submit }),
        Frame::DeliveryStatus(progress),
        Frame::DeliveryStatus(DeliveryStatus {
            received: Received::only(position),
            receipt: taken,
            ..progress
        }),
        Frame::DeliveryStatus(DeliveryStatus { expired: (position, position), ..progress }),
        Frame::DeliveryStatus(DeliveryStatus { key: 1, ..progress }),
        Frame::DeliveryStatus(DeliveryStatus { to: Recipient::Room(room), ..progress }),
        Frame::SubmitRefused(SubmitRefused { to, epoch, number, reason: SubmitRefusal::Store }),
        Frame::SubmitRefused(SubmitRefused {
            to,
            epoch,
            number,
            reason: SubmitRefusal::KeyChanged,
        }),
        Frame::SubmitRefused(SubmitRefused {
            to: Recipient::Room(room),
            epoch,
            number,
            reason: SubmitRefusal::NotMember,
        }),
        Frame::KeyHistory(KeyHistory {
            account: Account(1),
            key: peer.public(),
            nick: nick(End::Second),
        }),
        Frame::Mail(mail),
        Frame::Mail(Mail { total: 160, piece: &body, ..mail }),
        Frame::MailAck(MailAck {
        index: FIRST_MAIL,
        received: Received::only(Position::new(Epoch(1), Number(1))),
        receipt: [1; 16],
    }),
        Frame::StatusQuery(StatusQuery { to, epoch }),
        Frame::StatusQuery(StatusQuery { to: Recipient::Room(room), epoch }),
        Frame::MailboxEmpty(()),
        Frame::PasswordWanted(wanted),
        Frame::PasswordWanted(PasswordWanted { why: PasswordWant::Wrong, attempt: 1, ..wanted }),
        Frame::AccountRequest(AccountRequest {
            serial: 1,
            action: AccountAction::ChangePassword {
                old: Secret(b"password"),
                new: Secret(b"another"),
            },
        }),
        Frame::AccountRequest(AccountRequest {
            serial: 2,
            action: AccountAction::Endorse { key: peer.public() },
        }),
        Frame::AccountResponse(AccountResponse { serial: 1, result: Ok(()) }),
        Frame::Left(Left { room, reason: LeftReason::Removed }),
        Frame::Left(Left { room, reason: LeftReason::Deleted }),
        Frame::AccountResponse(AccountResponse {
            serial: 1,
            result: Err(AccountRefusal::Busy { wait: 1000 }),
        }),
        Frame::Login(Login { register: said, attempt: 1, password: Secret(b"password") }),
        joined_to(Room::LOBBY, 0, 0, 0),
        joined_to(room, 2, 2, 5),
        Frame::Read(Read { room, upto: 1, rewinds: 0 }),
        Frame::Read(Read { room, upto: 0, rewinds: 1 }),
        Frame::Read(Read { room: Room::LOBBY, upto: 0, rewinds: 0 }),
        Frame::RoomEntry(entry),
        Frame::RoomEntry(RoomEntry { index: 2, total: 320, offset: 160, ..entry }),
        Frame::RoomEntry(RoomEntry { room: Room::LOBBY, ..entry }),
        Frame::RoomEntry(RoomEntry { index: 2, previous: Some(RunTag([6; 4])), ..entry }),
        Frame::Trimmed(Trimmed { room, upto: 3, first: 2, reason: TrimReason::TooLong }),
        command(0),
        command(1),
        command(2),
        command(3),
        command(4),
        command(5),
        Frame::RoomResponse(RoomResponse { serial: 9, result: Ok(()) }),
        Frame::RoomResponse(RoomResponse { serial: 9, result: Err(RoomRefusal::Unknown) }),
        Frame::Names(Names { serial: 9, next: Some(3), names: &names }),
        Frame::Away(Away { text: Some("gone to lunch") }),
        Frame::Away(Away { text: None }),
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
    let accept = Accept { session: SessionId(7), noise: &mut [8; 60] };
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
