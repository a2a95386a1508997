//! Sentences and times that both forms share.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use proto_core::{
    client::{AccountChange, Failure, Refusal, SendError, To},
    id::RoomName,
    time::UnixTime,
    wire::{
        AccountRefusal, CloseReason, LeftReason, PasswordWant, Presence, RegisterRefusal,
        Retention, RoomAction, RoomRefusal, TrimReason,
    },
};

use transport_mio::key_text;

use crate::{
    arguments::DAY,
    command::Grammar,
    notice::{AskedPassword, KeyWord, Message, Notice, RoomNotice, Someone, UnprovenServer},
    password::VARIABLE,
};

/// What is shown for a time that no calendar has: a peer may claim anything.
const NO_TIME: &str = "at no possible time";

/// What is shown for the time of who has no clock.
const UNKNOWN_TIME: &str = "--:--";

/// A time as the classic client shows it: UTC, to the microsecond.
pub(crate) fn utc(time: UnixTime) -> String {
    format(time, &TimeZone::UTC, "%Y-%m-%d %H:%M:%S.%6f")
}

/// A time as people read it at `now`: the hour, and the day if it is another one.
pub(crate) fn clock(time: UnixTime, now: UnixTime, zone: &TimeZone) -> String {
    if time == UnixTime::UNKNOWN {
        return UNKNOWN_TIME.to_owned();
    }
    let day = "%Y-%m-%d";
    let is_today = format(time, zone, day) == format(now, zone, day);
    format(time, zone, if is_today { "%H:%M" } else { "%Y-%m-%d %H:%M" })
}

/// The day of a time.
pub(crate) fn day(time: UnixTime, zone: &TimeZone) -> String {
    if time == UnixTime::UNKNOWN {
        return "on an unknown day".to_owned();
    }
    format(time, zone, "%A %Y-%m-%d")
}

/// The hour of a time.
pub(crate) fn hour(time: UnixTime, zone: &TimeZone) -> String {
    if time == UnixTime::UNKNOWN {
        return UNKNOWN_TIME.to_owned();
    }
    format(time, zone, "%H:%M")
}

/// A time as a log has it: to the second, with the day and the zone.
pub(crate) fn stamp(time: UnixTime, zone: &TimeZone) -> String {
    format(time, zone, "%Y-%m-%dT%H:%M:%S%:z")
}

/// A time as programs read it, in UTC (RFC 3339); none for one that nobody knows or no calendar has.
pub(crate) fn rfc3339(time: UnixTime) -> Option<String> {
    let micros = i64::try_from(time.0).ok().filter(|_| time != UnixTime::UNKNOWN)?;
    let timestamp = Timestamp::from_microsecond(micros).ok()?;
    Some(format!("{timestamp:.6}"))
}

fn format(time: UnixTime, zone: &TimeZone, pattern: &str) -> String {
    let timestamp =
        i64::try_from(time.0).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    match timestamp {
        Some(timestamp) => timestamp.to_zoned(zone.clone()).strftime(pattern).to_string(),
        None => NO_TIME.to_owned(),
    }
}

/// A line of the answer to `/who`, with times as `time` shows them.
pub(crate) fn someone(someone: &Someone, time: impl Fn(UnixTime) -> String) -> String {
    let Someone { nick, presence, seen, away } = someone;
    let seen = Some(*seen).filter(|seen| *seen != UnixTime(0)).map(time);
    match (presence, seen) {
        (Presence::Online, _) if away.is_empty() => format!("{nick} online"),
        (Presence::Online, _) => format!("{nick} online, away: {away}"),
        (Presence::Removed, _) => format!("{nick} is no more"),
        (Presence::Offline | Presence::Lost, None) => format!("{nick} offline"),
        (Presence::Offline, Some(seen)) => format!("{nick} offline, left {seen}"),
        (Presence::Lost, Some(seen)) => format!("{nick} offline, fell silent {seen}"),
    }
}

/// Whom something is for.
pub(crate) fn whom(to: &To) -> String {
    match to {
        To::Peer(nick) => nick.to_string(),
        To::Lobby => "everyone".to_owned(),
        To::Room(name) => format!("#{name}"),
    }
}

/// How much of a room's log a server keeps.
pub(crate) fn retention(kept: Retention) -> String {
    const KIB: u64 = 1024;
    let days = kept.age.div_ceil(DAY);
    let size = match kept.bytes.div_ceil(KIB) {
        kib if kib < KIB => format!("{kib} KiB"),
        kib => format!("{} MiB", kib.div_ceil(KIB)),
    };
    format!(
        "the server keeps the last {} messages of a room, up to {size}, for {days} day{}",
        kept.entries,
        if days == 1 { "" } else { "s" }
    )
}

/// For what the core may learn to tell, and has no words here.
const NO_WORDS: &str = "the reason is one that this program has no words for";

/// Why a message was refused, and what to do.
pub(crate) fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::NoRecipient => "the server knows nobody of that nick; check it with /who",
        Refusal::NotMember => "you are not in that room; /join it first",
        Refusal::TooLong => "the server takes no message that long; send it in pieces",
        Refusal::KeyChanged => "they have another key now; send it again",
        Refusal::Store => "the server could not save it; tell its operator, and send it again",
        Refusal::Superseded => {
            "a later copy of you has written to them since; whether this one arrived is not known here"
        }
        _ => NO_WORDS,
    }
}

/// How this client's own disk failed a message, and what to do.
pub(crate) fn failure(why: Failure) -> &'static str {
    match why {
        Failure::Unsaved => {
            "it could not be saved on your own disk first; see to that, and send it again"
        }
        Failure::Damaged => "it is damaged on your own disk; write it again",
        _ => NO_WORDS,
    }
}

/// What both forms say in the same words; `None` for what has words of its own.
#[allow(clippy::too_many_lines)] // one arm a notice
pub(crate) fn plain(notice: &Notice<'_>, grammar: Grammar) -> Option<String> {
    let back = match grammar {
        Grammar::Classic => "`reg`",
        Grammar::Slash | Grammar::Json | Grammar::Text(_) => "/online",
    };
    let text = match notice {
        Notice::RegisterRefused(why) => register_refusal(*why),
        Notice::Password(asked) => return Some(password(asked)),
        Notice::Account { change, result } => return Some(account(*change, *result)),
        Notice::Gap { from, missing: 1 } => {
            return Some(format!(
                "1 message from {from} is missing here; ask them to send it again"
            ));
        }
        Notice::Gap { from, missing } => {
            return Some(format!(
                "{missing} messages from {from} are missing here; ask them to send them again"
            ));
        }
        Notice::Unreadable { from } => {
            return Some(format!(
                "mail that is said to be from {from} cannot be read: {from} did not write it so; ask them whether they wrote"
            ));
        }
        Notice::NotSent { to, why: SendError::Unknown } => {
            return Some(format!(
                "nobody here goes by {}; nothing was sent, /who lists the nicks",
                whom(to)
            ));
        }
        Notice::NotSent { to: to @ To::Room(_), why: SendError::NotMember } => {
            let room = whom(to);
            return Some(format!(
                "you are not in {room}; nothing was sent, /join {room} enters it"
            ));
        }
        Notice::NotSent { why: why @ SendError::TooLong { .. }, .. } => {
            return Some(format!("{why}, say it in pieces"));
        }
        Notice::NotSent { why, .. } => return Some(why.to_string()),
        Notice::NoNick(why) => return Some(format!("{why}; nothing was sent")),
        Notice::ServerClosed { why, offline } => return Some(closed(*why, *offline, back)),
        Notice::WrongServerKey { advice } => {
            return Some(format!(
                "THE SERVER HAS ANOTHER KEY THAN EXPECTED! Somebody may be pretending to be it; no \
                 message was sent. {advice}"
            ));
        }
        Notice::Displaced => {
            return Some(format!(
                "the same identity, or your password, is in use elsewhere: this nick was registered \
                 from there, by you or by someone who has your key or your password; you are offline \
                 here, {back} takes it back. An identity is for one device at a time; `udpchat id \
                 --export` moves it"
            ));
        }
        Notice::KeyChanged { nick, key, verified } => {
            let key = key_text::encode(key);
            let fate = if *verified { "refused" } else { "held" };
            return Some(format!(
                "CAUTION: {nick} has another key than before, {key}. Either they have a new device, or \
                 somebody else took the nick: ask them by other means. What you say to {nick} is {fate} \
                 until /trust {nick} says that the key is theirs"
            ));
        }
        Notice::Key(word) => return Some(key_word(word)),
        Notice::Stranger(Message { from, text, .. }) => {
            return Some(format!(
                "a stranger, who says to be {from} and has not the key of the {from} that you know: {text}"
            ));
        }
        Notice::StoreFailed { why } => return Some((*why).to_owned()),
        Notice::Violation { by: None, rule } => {
            return Some(format!("the server's program broke the protocol: {rule}"));
        }
        Notice::Violation { by: Some(nick), rule } => {
            return Some(format!(
                "{nick}'s program broke the protocol: {rule}; messages to {nick} go by way of the \
                 server"
            ));
        }
        Notice::Damaged => {
            "a record in the data directory is damaged and was passed over; check the disk"
        }
        Notice::NotYours => "only your own nick can be registered or deregistered",
        Notice::YouAreOffline => {
            return Some(format!("you are offline, nothing was sent; {back} brings you back"));
        }
        Notice::YouAreOnline => "you are registered already",
        Notice::CannotRegister(why) => return Some(format!("you are still offline: {why}")),
        Notice::AwayTooLong { limit } => {
            return Some(format!("that is longer than {limit} bytes; say less of being away"));
        }
        Notice::Crowded { unsaved } => {
            return Some(format!(
                "the outbox has no room for more just now (neither delivered nor saved yet: \
                 {unsaved}); going on once it has"
            ));
        }
        Notice::Room(notice) => return room(notice),
        Notice::WaitIsForScripts => "/wait is for scripts; here, just stay",
        _ => return None,
    };
    Some(text.to_owned())
}

fn room(notice: &RoomNotice<'_>) -> Option<String> {
    Some(match notice {
        RoomNotice::Refused { action, why } => {
            let room = match action {
                RoomAction::Create(name)
                | RoomAction::Join(name)
                | RoomAction::Leave(name)
                | RoomAction::Delete(name)
                | RoomAction::Kick { room: name, .. }
                | RoomAction::Invite { room: name, .. }
                | RoomAction::InviteOnly { room: name, .. } => Some(name),
                RoomAction::Members { of, .. } => of.as_ref(),
                RoomAction::Rooms { .. } => None,
            };
            room_refusal(room, *why)
        }
        RoomNotice::Gap { room, missing, why, retention: kept } => {
            let (messages, they_are) =
                if *missing == 1 { ("message", "it is") } else { ("messages", "they are") };
            let why = match (why, kept) {
                (TrimReason::NotKept, Some(kept)) => retention(*kept),
                (TrimReason::NotKept, None) => format!("{they_are} kept no longer by the server"),
                (TrimReason::Damaged, _) => {
                    format!("{they_are} damaged on the server's disk; tell its operator")
                }
                (TrimReason::TooLong, _) => format!("{they_are} longer than this client takes"),
                _ => NO_WORDS.to_owned(),
            };
            format!("{missing} {messages} to {} can no longer be read: {why}", whom(room))
        }
        RoomNotice::Moderated(RoomAction::Kick { room, nick }) => {
            format!("out of #{room} now, for good: {nick}; /invite {nick} lets them in again")
        }
        RoomNotice::Moderated(RoomAction::Invite { room, nick }) => {
            format!("welcome in #{room} now: {nick}; tell them to /join #{room}")
        }
        RoomNotice::Moderated(RoomAction::InviteOnly { room, on: true }) => {
            format!("only those whom you /invite can join #{room}; who is in it stays")
        }
        RoomNotice::Moderated(RoomAction::InviteOnly { room, on: false }) => {
            format!("anyone can join #{room}")
        }
        RoomNotice::Moderated(RoomAction::Delete(room)) => {
            format!("#{room} is no more, and what was said there; its name is free")
        }
        RoomNotice::PutOut { room, why: LeftReason::Removed } => format!(
            "you were put out of {} by whoever created it, or by the server's operator; ask them to \
             /invite you",
            whom(room)
        ),
        RoomNotice::PutOut { room, .. } => format!(
            "{} is no more: whoever created it, or the server's operator, has deleted it; what came \
             before is in /history",
            whom(room)
        ),
        RoomNotice::Reset(room) => format!(
            "the server's log of {} is not the one from before: it was put back or begun anew; what \
             is new in it follows",
            match room {
                To::Lobby => "what is said to everyone".to_owned(),
                room => whom(room),
            }
        ),
        RoomNotice::NotInside => {
            "you have entered no room; /join <room> enters one, /rooms lists them".to_owned()
        }
        RoomNotice::NotMember(room) => format!("you are not in #{room}"),
        RoomNotice::Full => {
            "this client knows too many people and rooms to join another; leave one first"
                .to_owned()
        }
        RoomNotice::BadName(why) => why.to_string(),
        _ => return None,
    })
}

/// Why a request was refused, and what to do.
fn room_refusal(room: Option<&RoomName>, why: RoomRefusal) -> String {
    let room = room.map_or_else(|| "that room".to_owned(), |room| format!("#{room}"));
    match why {
        RoomRefusal::Exists => format!("{room} exists already; /join {room} enters it"),
        RoomRefusal::Unknown => format!("there is no {room}; /rooms lists the rooms"),
        RoomRefusal::NotCreator => {
            format!("{room} is somebody else's; ask whoever created it, or the server's operator")
        }
        RoomRefusal::NoPerson => "nobody else here has that nick; /who lists the nicks".to_owned(),
        RoomRefusal::NotInvited => {
            format!("only those who are invited can join {room}; ask whoever created it")
        }
        RoomRefusal::Barred => {
            format!("you were put out of {room}; ask whoever created it to /invite you")
        }
        RoomRefusal::Lookalike => format!(
            "there is a room whose name looks like {room} (l, I, i and 1 are alike, and so are O, o \
             and 0); choose another name, or see /rooms"
        ),
        RoomRefusal::RoomFull => format!(
            "{room} is full; try again when somebody has left it, or have the server's operator \
             allow it more members"
        ),
        RoomRefusal::ServerFull => {
            "the server has no room for another room or member; tell its operator".to_owned()
        }
        RoomRefusal::TooMany => {
            "the server has as many rooms of yours as it takes from one person; \
             use one of them, or have its operator allow more"
                .to_owned()
        }
        RoomRefusal::Store => {
            "the server could not save that; tell its operator, and try again".to_owned()
        }
        _ => format!("{room}: {NO_WORDS}"),
    }
}

fn register_refusal(why: RegisterRefusal) -> &'static str {
    match why {
        RegisterRefusal::Taken => {
            "that nick belongs to somebody else; choose another, or use the data directory that it \
             was first registered with"
        }
        RegisterRefusal::OtherNick => {
            "your key is registered with another nick here; use that nick, or another --data-dir"
        }
        RegisterRefusal::Full => {
            "the server has no room for another nick now; try again in a few minutes, or tell its \
             operator"
        }
        RegisterRefusal::Store => "the server could not save your nick; try again later",
        RegisterRefusal::Banned => {
            "the operator of this server has banned that nick or your key; only the operator can \
             undo that"
        }
        RegisterRefusal::Lookalike => {
            "somebody here has a nick that looks like that one (l, I, i and 1 are alike, and so are O, \
             o and 0); choose another"
        }
        RegisterRefusal::Exhausted => {
            "your key has used up all that it can be started with; use another --data-dir"
        }
        _ => NO_WORDS,
    }
}

fn password(asked: &AskedPassword) -> String {
    match asked {
        AskedPassword::Trust(UnprovenServer { address, key }) => format!(
            "the server wants a password, and it is the first time here at {address}: somebody may be \
             pretending to be it. Its key is {key}; compare it with the one its operator sees. Type \
             yes if it is the same, no to leave; no password is sent before"
        ),
        AskedPassword::YesOrNo => "type yes if the key is the same, no to leave".to_owned(),
        AskedPassword::Unproven(UnprovenServer { address, key }) => format!(
            "the server wants a password, and its key is not known here, so none was sent: put the \
             key into the address once you have compared it with the one its operator sees, \
             {address}#{key}, or join once at a terminal"
        ),
        AskedPassword::Spent => format!(
            "this nick needs its password again, which is not kept after its use; start again, with \
             {VARIABLE} or --password-fd"
        ),
        AskedPassword::Typed { why: PasswordWant::New, .. } => {
            "this nick has no password yet: type one, it is not shown. With it, the nick can be \
             used from another device"
                .to_owned()
        }
        AskedPassword::Typed { why: PasswordWant::Wrong, wait } => {
            format!("that password is wrong; type it again, it is looked at in {}", seconds(*wait))
        }
        AskedPassword::Typed { .. } => {
            "this nick is in use: type its password, it is not shown, to use the nick here"
                .to_owned()
        }
        AskedPassword::HeldUp { wait, key } => format!(
            "someone else's wrong passwords hold this device up, for {} or longer; where you are \
             logged in, /endorse {} lets it in at once",
            seconds(*wait),
            key_text::encode(key)
        ),
        AskedPassword::Old => "type the password that you have, it is not shown".to_owned(),
        AskedPassword::Replacement => "type the new password, it is not shown".to_owned(),
        AskedPassword::NotInScripts => {
            "/passwd asks for passwords, and a script has nobody to type them; type it at a terminal"
                .to_owned()
        }
        AskedPassword::Again => "type the same password again".to_owned(),
        AskedPassword::Different => {
            "the two are not the same; type the password that you want".to_owned()
        }
        AskedPassword::Unusable(why) => why.to_string(),
        AskedPassword::Unavailable { given: true, wait } => format!(
            "the password is wrong; check {VARIABLE} or what --password-fd reads, and try again \
             in {}",
            seconds(*wait)
        ),
        AskedPassword::Unavailable { given: false, .. } => {
            format!("this nick needs a password; set {VARIABLE}, or pass --password-fd")
        }
    }
}

/// What came of a request about the user's own account, and what to do.
fn account(change: AccountChange, result: Result<(), AccountRefusal>) -> String {
    match (change, result) {
        (AccountChange::Password, Ok(())) => {
            "your password is changed; the old one lets no device in any more".to_owned()
        }
        (AccountChange::Endorsement { key }, Ok(())) => format!(
            "the device with the key {} can log in with your password in the next 10 minutes, \
             whatever others try",
            key_text::encode(&key)
        ),
        (_, Err(AccountRefusal::Wrong { wait })) => format!(
            "that is not your password; it is as it was, and /passwd is looked at again in {}",
            seconds(Duration::from_millis(wait.into()))
        ),
        (_, Err(AccountRefusal::Busy { wait })) => format!(
            "the server looks at no password just now; nothing is changed, try again in {}",
            seconds(Duration::from_millis(wait.into()))
        ),
        (AccountChange::Password, Err(AccountRefusal::NoPassword)) => {
            "your nick has no password on this server: it belongs to your key".to_owned()
        }
        (_, Err(AccountRefusal::NoPassword)) => {
            "your nick has no password on this server, so no other device can log in".to_owned()
        }
        (_, Err(AccountRefusal::Store)) => {
            "the server could not save that; tell its operator, and try again".to_owned()
        }
        _ => NO_WORDS.to_owned(),
    }
}

fn key_word(word: &KeyWord) -> String {
    match word {
        KeyWord::Nobody => {
            "nobody is known by that nick, or they are not on the roster now".to_owned()
        }
        KeyWord::NoClaim(nick) => {
            format!("{nick} has the key that is known; there is nothing to trust")
        }
        KeyWord::Claimed(nick) => {
            format!("{nick} has another key now: /trust {nick} first, if it is theirs")
        }
        KeyWord::Full => "too many people and rooms are known here already".to_owned(),
        KeyWord::Trusted(nick) => {
            format!("the key that {nick} has now is taken for theirs; what waited goes out")
        }
        KeyWord::Compare { nick, number, verified } => {
            let groups: Vec<_> = number.iter().map(|group| format!("{group:05}")).collect();
            let before = if *verified { " once more" } else { "" };
            format!(
                "compare with {nick}{before}, aloud or side by side: {}; if it is the same at both ends, \
                 /verify {nick} yes notes that",
                groups.join(" ")
            )
        }
        KeyWord::Verified(nick) => {
            format!("{nick} is verified: nothing you say goes to any other key under that nick")
        }
    }
}

/// A span, to the next second.
fn seconds(span: Duration) -> String {
    match span.as_millis().div_ceil(1000) {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

fn closed(why: CloseReason, offline: bool, back: &str) -> String {
    let reason = match why {
        CloseReason::Leaving => "the server was stopped",
        CloseReason::Displaced => "this identity is in use elsewhere",
        CloseReason::Expelled => "the operator of this server has closed your account",
        CloseReason::Full => "the server has no room for another client; tell its operator",
        CloseReason::Unsupported | CloseReason::Malformed => {
            "the server does not understand this version of udpchat; use the same on both sides"
        }
        _ => NO_WORDS,
    };
    if offline {
        format!("{reason}; you are offline, {back} tries again")
    } else {
        format!("{reason}; trying to reach it again")
    }
}

#[cfg(test)]
mod tests {
    use proto_core::id::Nick;

    use crate::safe_text::SafeText;

    use super::*;

    #[test]
    fn times_are_shown_in_utc_to_the_microsecond() {
        assert_eq!(utc(UnixTime(1_497_408_017_501_063)), "2017-06-14 02:40:17.501063");
        assert_eq!(utc(UnixTime(0)), "1970-01-01 00:00:00.000000");
        assert_eq!(utc(UnixTime(u64::MAX)), NO_TIME);
        assert_eq!(utc(UnixTime(i64::MAX as u64)), NO_TIME);
    }

    #[test]
    fn who_left_is_told_from_who_fell_silent() {
        let line = |presence, seen, away: &str| {
            let (nick, away) = (Nick::new("y").unwrap(), SafeText::new(away.as_bytes()));
            let one = Someone { nick, presence, seen: UnixTime(seen), away };
            someone(&one, |time| time.0.to_string())
        };
        assert_eq!(line(Presence::Online, 7, ""), "y online");
        assert_eq!(line(Presence::Online, 7, "tea\u{7}"), "y online, away: tea\\u{7}");
        assert_eq!(line(Presence::Offline, 7, ""), "y offline, left 7");
        assert_eq!(line(Presence::Lost, 7, ""), "y offline, fell silent 7");
        assert_eq!(line(Presence::Offline, 0, ""), "y offline");
    }

    #[test]
    fn the_day_is_shown_when_it_is_another_one() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let time = UnixTime(1_497_408_017_501_063);
        assert_eq!(clock(time, time, &zone), "04:40");
        assert_eq!(clock(UnixTime::UNKNOWN, time, &zone), "--:--");
        assert_eq!(clock(time, UnixTime(time.0 + 86_400_000_000), &zone), "2017-06-14 04:40");
    }
}
