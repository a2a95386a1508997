//! What was said, shown again.

use std::collections::{HashMap, HashSet, VecDeque};

use proto_core::{
    client::{Correspondent, To, Verdict},
    id::{Nick, PublicKey, RoomName},
};
use transport_mio::{
    key_text,
    store::{Line, Place, Spoken},
};

use crate::{
    command::{Grammar, Source},
    notice::{HistoryPart, Notice, Outcome, PastLine, RoomNotice, UnreadIn},
    safe_text::SafeText,
};

use super::{Chat, Moment, display::Display};

/// How many lines are shown when no number is given.
const USUAL: usize = 20;

/// How many lines are shown at the most.
const MOST: usize = 10_000;

/// How many bytes of text are shown at the most.
const MOST_BYTES: usize = 4 << 20;

/// How many lines are looked at together.
const PAGE: usize = 256;

/// Whom a session belongs to, and where it shows things.
pub(super) type At<'d> = (&'d mut Display, Moment, Nick);

/// Shows the newest lines of one conversation, or of all.
pub(super) fn show(chat: &mut impl Chat, at: At<'_>, of: Source, most: Option<usize>) {
    let (display, moment, own) = at;
    let shown = Names::read(chat).and_then(|names| {
        let key = match (of, names.find(of)) {
            (Source::All, _) => None,
            (_, Some(key)) => Some(key),
            (Source::Room(room), None) => {
                display.show(moment, Notice::Room(RoomNotice::NotMember(room)));
                return Ok(());
            }
            (_, None) => {
                display.show(moment, Notice::History(HistoryPart::Nothing));
                return Ok(());
            }
        };
        let wanted = most.unwrap_or(USUAL);
        let mut lines = newest(chat, key, wanted.min(MOST))?;
        if display.grammar() == Grammar::Classic {
            lines.retain(|line| is_classic(&names, line));
        }
        if lines.is_empty() {
            display.show(moment, Notice::History(HistoryPart::Nothing));
            return Ok(());
        }
        let ahead = ahead(chat, key, &lines)?;
        if ahead > 0 {
            display.show(moment, Notice::History(HistoryPart::Ahead { unread: ahead }));
        }
        if lines.len() < wanted && text_of(&lines) >= MOST_BYTES {
            let cut = HistoryPart::TooLong { shown: lines.len() };
            display.show(moment, Notice::History(cut));
        }
        names.show(display, (moment, own), &lines, key.is_none());
        let former = key.map(|key| names.same_name(&key)).unwrap_or_default();
        if !former.is_empty() {
            display.show(moment, Notice::History(HistoryPart::Former { keys: &former }));
        }
        Ok(())
    });
    failed(display, moment, shown);
}

/// The newest lines, in the order of time, as far as their texts are not too much together.
fn newest(chat: &mut impl Chat, of: Option<PublicKey>, most: usize) -> Result<Vec<Line>, String> {
    let (mut lines, mut bytes) = (VecDeque::new(), 0);
    while lines.len() < most && bytes < MOST_BYTES {
        let before = lines.front().map(|line: &Line| line.place);
        let wanted = PAGE.min(most - lines.len());
        let page = chat.lines(of, before, wanted)?;
        let is_last = page.len() < wanted;
        for line in page.into_iter().rev() {
            if bytes < MOST_BYTES {
                bytes += text_of([&line]);
                lines.push_front(line);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(lines.into())
}

/// How long the texts of lines are together.
fn text_of<'l>(lines: impl IntoIterator<Item = &'l Line>) -> usize {
    let text = |line: &Line| match &line.spoken {
        Spoken::Came { text, .. } | Spoken::Said { text, .. } => text.len(),
    };
    lines.into_iter().map(text).sum()
}

/// Shows the newest lines that have `text` in them, in whatever case.
pub(super) fn search(chat: &mut impl Chat, at: At<'_>, text: &str) {
    let (display, moment, own) = at;
    let wanted = text.to_lowercase();
    let has_it = |line: &Line| {
        let (Spoken::Came { text, .. } | Spoken::Said { text, .. }) = &line.spoken;
        String::from_utf8_lossy(text).to_lowercase().contains(&wanted)
    };
    let found = Names::read(chat).and_then(|names| {
        let (mut found, mut before) = (Vec::new(), None::<Place>);
        loop {
            let page = chat.lines(None, before, PAGE)?;
            let is_last = page.len() < PAGE;
            before = page.first().map(|line| line.place);
            found.extend(page.into_iter().rev().filter(has_it).take(USUAL + 1 - found.len()));
            if is_last || found.len() > USUAL {
                break;
            }
        }
        let has_more = found.len() > USUAL;
        found.truncate(USUAL);
        found.reverse();
        if found.is_empty() {
            display.show(moment, Notice::History(HistoryPart::NotFound));
        }
        if has_more {
            display.show(moment, Notice::History(HistoryPart::NewestOnly { shown: USUAL }));
        }
        names.show(display, (moment, own), &found, true);
        Ok(())
    });
    failed(display, moment, found);
}

/// Tells how much came and was not shown.
pub(super) fn unread(chat: &mut impl Chat, (display, at): (&mut Display, Moment)) {
    let counted = Names::read(chat).and_then(|names| {
        let mut unread: Vec<_> = chat
            .unread()?
            .into_iter()
            .filter_map(|it| {
                let (with, former) = names.of(&it.conversation)?;
                Some(UnreadIn { with, former, lines: it.lines })
            })
            .collect();
        // What was said to this user alone comes first.
        unread.sort_by_key(|it| (it.with.is_room(), it.lines));
        if !unread.is_empty() {
            display.show(at, Notice::Unread(&unread));
        }
        Ok(())
    });
    failed(display, at, counted);
}

fn failed(display: &mut Display, at: Moment, done: Result<(), String>) {
    if let Err(why) = done {
        display.show(at, Notice::History(HistoryPart::Failed(why)));
    }
}

/// How much came ahead of the first of `lines` and was not shown.
fn ahead(chat: &mut impl Chat, of: Option<PublicKey>, lines: &[Line]) -> Result<u64, String> {
    let all = chat.unread()?;
    let all = all.iter().filter(|it| of.is_none_or(|of| of == it.conversation));
    let here = lines.iter().filter(|line| is_unread(line)).count();
    Ok(all.map(|it| it.lines).sum::<u64>().saturating_sub(here as u64))
}

/// The classic form shows what came, and of one's own words what rooms have.
fn is_classic(names: &Names, line: &Line) -> bool {
    let is_in_room = || names.of(&line.conversation).is_some_and(|(with, _)| with.is_room());
    match line.spoken {
        Spoken::Came { .. } => true,
        Spoken::Said { verdict, .. } => verdict == Some(Verdict::Stored) && is_in_room(),
    }
}

fn is_unread(line: &Line) -> bool {
    matches!(line.spoken, Spoken::Came { unread: true, .. })
}

/// What a conversation goes by: two spellings are one, and no nick is a room.
fn name_of(with: &To) -> String {
    match with {
        To::Peer(nick) => nick.as_str().to_ascii_lowercase(),
        To::Lobby => "#".to_owned(),
        To::Room(room) => format!("#{}", room.as_str().to_ascii_lowercase()),
    }
}

/// With whom each conversation is.
struct Names {
    all: Vec<Correspondent>,
    /// Each one's place in `all`.
    places: HashMap<PublicKey, usize>,
    /// The conversation with whoever has a name now, or else had it last.
    by_name: HashMap<String, PublicKey>,
}

impl Names {
    fn read(chat: &mut impl Chat) -> Result<Self, String> {
        let mut all = chat.conversations()?;
        let peers = chat.peers().into_iter().map(|peer| (To::Peer(peer.nick), peer.log));
        let rooms = chat.rooms().into_iter().map(|room| (room.room, room.key));
        let known: Vec<_> =
            peers.chain(rooms).map(|(with, log)| Correspondent { log, key: log, with }).collect();
        let now: HashSet<_> = known.iter().map(|it| it.log).collect();
        let recorded: HashSet<_> = all.iter().map(|it| it.log).collect();
        all.extend(known.into_iter().filter(|it| !recorded.contains(&it.log)));
        let places = all.iter().enumerate().map(|(place, it)| (it.log, place)).collect();
        let mut by_name = HashMap::new();
        for it in &all {
            let named = by_name.entry(name_of(&it.with)).or_insert(it.log);
            if !now.contains(named) {
                *named = it.log;
            }
        }
        Ok(Self { all, places, by_name })
    }

    fn get(&self, key: &PublicKey) -> Option<&Correspondent> {
        self.all.get(*self.places.get(key)?)
    }

    /// With whom one is, and whether somebody else has had that name since.
    fn of(&self, key: &PublicKey) -> Option<(To, bool)> {
        let with = self.get(key)?.with;
        Some((with, self.by_name(with) != Some(*key)))
    }

    fn find(&self, of: Source) -> Option<PublicKey> {
        match of {
            Source::All => None,
            Source::Key(key) => self.get(&key).map(|it| it.log),
            Source::Lobby => self.by_name(To::Lobby),
            Source::Room(room) => self.by_name(To::Room(room)),
            Source::Named(name) => self.by_name(To::Peer(name)).or_else(|| {
                let room = RoomName::new(name.as_str()).ok()?;
                self.by_name(To::Room(room))
            }),
        }
    }

    fn by_name(&self, with: To) -> Option<PublicKey> {
        self.by_name.get(&name_of(&with)).copied()
    }

    /// The keys of others who went by the same nick.
    fn same_name(&self, key: &PublicKey) -> Vec<String> {
        let Some(Correspondent { with: with @ To::Peer(_), .. }) = self.get(key) else {
            return Vec::new();
        };
        let others = self.all.iter().filter(|it| it.with == *with && it.log != *key);
        others.map(|it| key_text::encode(&it.log)).collect()
    }

    fn show(
        &self,
        display: &mut Display,
        (at, own): (Moment, Nick),
        lines: &[Line],
        from_all: bool,
    ) {
        let past = |line: &Line| {
            let (with, former) = self.of(&line.conversation)?;
            let time = line.place.time;
            let (from, stamp, said_here, text) = match &line.spoken {
                Spoken::Came { author, time, text, .. } => {
                    let from = match with {
                        To::Peer(nick) => nick,
                        To::Lobby | To::Room(_) => (*author)?,
                    };
                    (from, *time, None, text)
                }
                Spoken::Said { verdict, text } => {
                    (own, time, Some(verdict.map(Outcome::from)), text)
                }
            };
            let (unread, text) = (is_unread(line), SafeText::new(text));
            Some(PastLine { with, former, from, time, stamp, unread, own: said_here, text })
        };
        let page: Vec<_> = lines.iter().filter_map(past).collect();
        display.show(at, Notice::History(HistoryPart::Lines { lines: &page, from_all }));
        for line in lines {
            if let Spoken::Came { number, unread: true, .. } = line.spoken {
                display.seen(line.conversation, number);
            }
        }
    }
}
