//! Each frame, at its largest.

use std::{format, vec, vec::Vec as List};

use super::*;
use crate::wire::{AccountAction, AccountRefusal, PasswordWant, Secret};

/// [`MAX_AWAY`] bytes.
const AWAY: &str = "I am away from here and shall be back by and by.";

#[allow(clippy::too_many_lines)] // one item a frame
/// Each frame with every number at its largest and every list full.
fn largest() -> List<Frame<'static>> {
    let (account, epoch, number) = (Account(u32::MAX), Epoch(u32::MAX), Number(u64::MAX));
    let position = Position::new(epoch, number);
    let received = Received { first: position, gap: (position, position), last: position };
    let run = Incarnation([9; 8]);
    let nick = Nick::new(&"n".repeat(32)).unwrap();
    let name = RoomName::new(&"r".repeat(32)).unwrap();
    let (room, to) = (Room(u32::MAX), Recipient::Room(Room(u32::MAX)));
    let (total, offset, skip) = (u16::MAX, u16::MAX, u32::MAX);
    let unit: &'static [u8] = &[7; crate::wire::FRAGMENT_UNIT];
    let address = SocketAddr::from(([u16::MAX; 8], u16::MAX));
    let entry = RosterEntry {
        account,
        version: u64::MAX,
        nick,
        key: PublicKey([1; 32]),
        key_number: u32::MAX,
        presence: Presence::Offline,
        candidates: [Some(address); 2],
        seen: UnixTime(u64::MAX),
        away: Some(AWAY),
    };
    let mut buffer = vec![0; RosterEntry::SIZE_BOUND];
    let length = entry.encode(&mut buffer).unwrap().len();
    assert_eq!(length, RosterEntry::SIZE_BOUND);
    let entries: &'static [u8] = buffer.leak();
    let gap = AckGap { missing: u64::MAX, run: u64::MAX };
    vec![
        Frame::Ack(Ack {
            largest: u64::MAX,
            delay: u32::MAX,
            first: u64::MAX,
            gaps: Vec::from_array([gap; MAX_ACK_RANGES]),
        }),
        Frame::Ping(()),
        Frame::Close(CloseReason::Expelled),
        Frame::Credit(CreditLimit { bytes: u64::MAX, messages: u64::MAX }),
        Frame::Rekey(Rekey { noise: &[7; 96] }),
        Frame::Rekeyed(Rekeyed { noise: &[8; 48] }),
        Frame::Register(Register { nick, epoch: Some(epoch), run, server: run, roster: u64::MAX }),
        Frame::Registered(Registered {
            account,
            epoch,
            returning: true,
            run,
            mailbox: u64::MAX,
            rooms: u32::MAX,
            limits: Limits {
                text: u32::MAX,
                mail: u32::MAX,
                room: Retention { entries: u32::MAX, bytes: u64::MAX, age: u32::MAX },
            },
        }),
        Frame::RegisterRefused(RegisterRefusal::Exhausted),
        Frame::Deregister(()),
        Frame::Deregistered(()),
        Frame::Roster(Roster {
            base: u64::MAX,
            upto: u64::MAX,
            low: account,
            high: account,
            last: true,
            entries,
        }),
        Frame::PasswordWanted(PasswordWanted {
            why: PasswordWant::Busy,
            wait: u32::MAX,
            attempt: u32::MAX,
        }),
        Frame::Login(Login {
            register: Register { nick, epoch: Some(epoch), run, server: run, roster: u64::MAX },
            attempt: u32::MAX,
            password: Secret(&[7; MAX_PASSWORD]),
        }),
        Frame::KeyHistory(KeyHistory { account, key: PublicKey([1; 32]), nick }),
        Frame::AccountRequest(AccountRequest {
            serial: u64::MAX,
            action: AccountAction::ChangePassword {
                old: Secret(&[7; MAX_PASSWORD]),
                new: Secret(&[7; MAX_PASSWORD]),
            },
        }),
        Frame::AccountResponse(AccountResponse {
            serial: u64::MAX,
            result: Err(AccountRefusal::Busy { wait: u32::MAX }),
        }),
        Frame::Message(Message { epoch, number, skip, total, offset, piece: unit }),
        Frame::Receipt(Receipt { epoch, number, run: u32::MAX }),
        Frame::Submit(Submit {
            to,
            epoch,
            number,
            key: u32::MAX,
            skip,
            total,
            offset,
            piece: unit,
        }),
        Frame::DeliveryStatus(DeliveryStatus {
            to,
            key: u32::MAX,
            stored: position,
            received,
            expired: (position, position),
            online: true,
            receipt: [9; 16],
        }),
        Frame::SubmitRefused(SubmitRefused {
            to,
            epoch,
            number,
            reason: SubmitRefusal::KeyChanged,
        }),
        Frame::Mail(Mail {
            index: u64::MAX,
            key: u32::MAX,
            previous: u64::MAX,
            from: account,
            epoch,
            number,
            total,
            offset,
            piece: unit,
        }),
        Frame::MailAck(MailAck { index: u64::MAX, received, receipt: [9; 16] }),
        Frame::StatusQuery(StatusQuery { to, epoch }),
        Frame::MailboxEmpty(()),
        Frame::Joined(Joined { room, since: u32::MAX, last: u32::MAX, run, name: Some(name) }),
        Frame::Read(Read { room, upto: u32::MAX, rewinds: u32::MAX }),
        Frame::RoomEntry(RoomEntry {
            room,
            index: u32::MAX,
            run,
            previous: Some(run.tag()),
            from: nick,
            total,
            offset,
            piece: unit,
        }),
        Frame::Trimmed(Trimmed {
            room,
            upto: u32::MAX,
            first: u32::MAX,
            reason: TrimReason::TooLong,
        }),
        Frame::RoomRequest(RoomRequest {
            serial: u64::MAX,
            action: RoomAction::Kick { room: name, nick },
        }),
        Frame::RoomResponse(RoomResponse { serial: u64::MAX, result: Err(RoomRefusal::Store) }),
        Frame::Names(Names {
            serial: u64::MAX,
            next: Some(u32::MAX),
            names: b"\x20nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
        }),
        Frame::Away(Away { text: Some(AWAY) }),
        Frame::Left(Left { room, reason: LeftReason::Deleted }),
    ]
}

#[test]
fn every_frame_comes_back_and_keeps_to_its_bound() {
    let frames = largest();
    let kinds: List<u8> = frames.iter().map(Frame::kind).collect();
    assert_eq!(kinds, KINDS, "each frame is tried once");
    for frame in frames {
        let mut out = [0; 400];
        let mut writer = FrameWriter::new(&mut out, 0, 400);
        assert!(writer.push(&frame));
        let length = writer.length();
        let bound = Frame::size_bound(frame.kind()).unwrap();
        assert!(length - FRAME_HEADER <= bound, "{frame:?} takes {length} bytes");
        // The bound is no guess: the largest value comes within two bytes of it.
        assert!(length - FRAME_HEADER + 2 >= bound, "{frame:?} takes only {length} bytes");
        let read: List<_> = Frames::new(&out[..length]).collect();
        assert_eq!(read, [Ok(frame.clone())]);
        // One byte less, or one more in the body, is no frame.
        assert!(Frames::new(&out[..length - 1]).any(|frame| frame.is_err()));
        out[1] += 1;
        assert!(Frames::new(&out[..=length]).next().unwrap().is_err(), "{frame:?}");
    }
}

#[test]
fn a_full_writer_takes_nothing_more() {
    let mut out = [0xaa; 20];
    let mut writer = FrameWriter::new(&mut out, 2, 12);
    assert!(writer.push(&Frame::Ping(())));
    let number = Number(1 << 60);
    assert!(!writer.push(&Frame::Receipt(Receipt { epoch: Epoch(1), number, run: 1 })));
    assert_eq!(writer.length(), 3);
    assert!(writer.push(&Frame::Credit(CreditLimit { bytes: 1, messages: 1 })));
    let out = writer.into_inner();
    assert_eq!((out[..2].to_vec(), out[12..].to_vec()), (vec![0xaa; 2], vec![0xaa; 8]));
}

#[test]
fn unknown_frames_are_skipped_or_refused_by_their_type() {
    let read =
        |bytes: &[u8]| Frames::new(bytes).map(|frame| format!("{frame:?}")).collect::<List<_>>();
    let ping = format!("{:?}", Ok::<_, FrameError>(Frame::Ping(())));
    assert_eq!(read(&[0x80, 2, 0, 1, 2, 0x02, 0, 0]), std::slice::from_ref(&ping));
    let refused = format!("{:?}", Err::<Frame<'_>, _>(FrameError::Unsupported(0x7f)));
    assert_eq!(read(&[0x02, 0, 0, 0x7f, 0, 0, 0x02, 0, 0]), [ping.clone(), refused]);
    assert_eq!(read(&[0x02, 0, 0, 0, 5, 5, 5]), [ping], "what follows type 0 is padding");
}

#[test]
fn acks_that_go_below_zero_end_early() {
    let gap = AckGap { missing: 0, run: 2 };
    let gaps = Vec::from_slice(&[gap, gap]).unwrap();
    let ack = Ack { largest: 9, delay: 0, first: 1, gaps };
    assert_eq!(ack.ranges().collect::<List<_>>(), [8..=9, 4..=6, 0..=2]);
    let ack = Ack { largest: 8, ..ack };
    assert_eq!(ack.ranges().collect::<List<_>>(), [7..=8, 3..=5]);
    assert_eq!(Ack { first: 9, ..ack }.ranges().count(), 0);
}
