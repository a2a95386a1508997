//! Writes seeds for the targets: each frame in a step of its own, and steps that lead
//! through whole stories. `cargo run --bin seeds -- CORPUS_DIRECTORY`

use std::{fs, io, path::PathBuf};

use proto_core::{
    id::{Account, Epoch, Nick, Number},
    wire::{
        Ack, CloseReason, Deposit, EntryRefusal, EntryRefused, Frame, FrameWriter, Inquire, Limits,
        Login, Mail, MailAck, PasswordWant, PasswordWanted, Progress, Receipt, Register,
        RegisterRefusal, Registered, Say, Secret,
    },
};
use udpchat_fuzz::steps::{Step, write};

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "corpus".into()));
    let frames = frames();
    for (at, frame) in frames.iter().enumerate() {
        save(&root, "wire", &format!("frame-{at}"), frame)?;
        let mut steps = Vec::new();
        for step in [
            Step::Say(3),
            Step::Stored(true),
            Step::Frames(frame),
            Step::Stored(true),
            Step::Loaded(&[]),
            Step::Time(600),
            Step::Stored(true),
            Step::Stored(true),
            Step::Frames(frame),
            Step::Time(6000),
        ] {
            write(&step, &mut steps);
        }
        for target in ["server", "client"] {
            save(&root, target, &format!("frame-{at}"), &steps)?;
        }
    }
    let mut story = Vec::new();
    for frame in &frames {
        write(&Step::Frames(frame), &mut story);
        write(&Step::Stored(true), &mut story);
    }
    write(&Step::Register(false), &mut story);
    write(&Step::Time(3000), &mut story);
    write(&Step::Register(true), &mut story);
    for target in ["server", "client"] {
        save(&root, target, "all", &story)?;
    }
    Ok(())
}

fn save(root: &std::path::Path, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = root.join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}

/// One of each frame that a live session may bring.
fn frames() -> Vec<Vec<u8>> {
    let nick = Nick::new("fuzzer").expect("a nick");
    let (epoch, number) = (Epoch(1), Number(1));
    let to = Account(1);
    let body = [7; 160];
    [
        Frame::Ack(Ack { largest: 0, delay: 5, first: 0, gaps: Default::default() }),
        Frame::Ping(()),
        Frame::Close(CloseReason::Leaving),
        Frame::Credit(1 << 20),
        Frame::Register(Register { nick, epoch: Some(epoch), boot: 2, roster: 1 }),
        Frame::Registered(Registered {
            account: Account(0),
            epoch,
            returning: true,
            roster: 9,
            mailbox: 0,
            limits: Limits { text: 100, mail: 100 },
        }),
        Frame::RegisterRefused(RegisterRefusal::Taken),
        Frame::PasswordWanted(PasswordWanted { why: PasswordWant::Known, wait: 0, attempt: 0 }),
        Frame::Login(Login {
            register: Register { nick, epoch: None, boot: 2, roster: 1 },
            attempt: 1,
            password: Secret(b"password"),
        }),
        Frame::Deregister(()),
        Frame::Deregistered(()),
        Frame::Say(Say { epoch, number, skip: 0, total: 160, offset: 0, piece: &body }),
        Frame::Receipt(Receipt { epoch, number }),
        Frame::Deposit(Deposit { to, epoch, number, key: 0, skip: 0, total: 160, offset: 0, piece: &body }),
        Frame::Deposit(Deposit {
            to: Account(9),
            key: 0,
            key: 0,
            epoch,
            number,
            skip: 0,
            total: 160,
            offset: 0,
            piece: &body,
        }),
        Frame::Progress(Progress {
            to,
            key: 0,
            epoch,
            stored: number,
            delivered: Number(0),
            expired: (Number(0), Number(0)),
            online: true,
            receipt: [0; 16],
        }),
        Frame::EntryRefused(EntryRefused { to, epoch, number, reason: EntryRefusal::Store }),
        Frame::Mail(Mail {
            index: 3,
            key: 0,
            previous: 0,
            from: to,
            epoch,
            number,
            total: 160,
            offset: 0,
            piece: &body,
        }),
        Frame::MailAck(MailAck { index: 3, receipt: [1; 16] }),
        Frame::Inquire(Inquire { to, epoch }),
        Frame::MailboxEmpty(()),
    ]
    .iter()
    .map(|frame| {
        let mut buffer = [0; 600];
        let mut writer = FrameWriter::new(&mut buffer, 0, 600);
        assert!(writer.push(frame));
        let length = writer.length();
        buffer[..length].to_vec()
    })
    .collect()
}
