//! Which key a nick stands for: the first that was met under it, or the one that the user accepted.
//! The server's word alone changes none: not by a new entry, a renaming, a leaving or a return.

use crate::{
    client::{
        ctx::Ctx,
        error::{SendError, TrustError},
        event::To,
        headers::Naming,
    },
    id::{Nick, PublicKey, Recipient},
    wire::{RosterEntry, SubmitRefusal},
};

use super::{
    id::PeerId,
    peer::Peer,
    person::{Claim, Person},
};

/// To whom goes what is said to someone.
pub(in crate::client) fn recipient(cx: &Ctx<'_>, to: &To) -> Result<PeerId, SendError> {
    let id = cx.peers.by_name(to).ok_or(SendError::Unknown)?;
    match cx.peers.get(id).and_then(Peer::person).and_then(|person| person.refusal(cx.config.holds))
    {
        Some(SubmitRefusal::NoRecipient) => Err(SendError::Gone),
        Some(_) => Err(SendError::KeyChanged),
        None => Ok(id),
    }
}

/// Who is known by a nick that, by the server's word, a key has now which is not theirs.
pub(in crate::client) fn claimed(
    cx: &Ctx<'_>,
    nick: &Nick,
    key: &PublicKey,
) -> Result<PeerId, TrustError> {
    let id = cx.peers.by_name(&To::Peer(*nick)).ok_or(TrustError::Unknown)?;
    let claim = cx.peers.get(id).and_then(Peer::person).and_then(Person::claim);
    claim.filter(|claim| claim.key == *key).map(|_| id).ok_or(TrustError::OtherKey)
}

/// Whoever has a key that claims a nick, in a row of their own.
pub(in crate::client) fn claimant(
    cx: &mut Ctx<'_>,
    nick: &Nick,
    key: &PublicKey,
) -> Result<PeerId, TrustError> {
    let known = cx.peers.by_key(key);
    known.or_else(|| cx.peers.add_nameless(*key, To::Peer(*nick))).ok_or(TrustError::Full)
}

/// The user accepts the key that claims the nick of `holder`; `other` is whoever has it. Who goes by
/// the nick now, and who changed rows, so that what came of each goes with its key.
pub(in crate::client) fn trust(cx: &mut Ctx<'_>, holder: PeerId, other: PeerId) -> Trusted {
    let (Some(with), Some(claim)) =
        (cx.peers.get(holder).map(Peer::with), person(cx, holder).and_then(Person::claim))
    else {
        debug_assert!(false, "a claim is there that was looked at");
        return Trusted::Renamed(holder);
    };
    if person(cx, other).is_some_and(|other| other.naming() == Naming::Known) {
        // Each goes on with what was said to it.
        cx.peers.rename(other, with);
        cx.save_record(holder);
        cx.begin_record(other);
        cx.save_record(other);
        return Trusted::Renamed(other);
    }
    let server = cx.config.server_key.map_or(0, |key| key.tag());
    cx.peers.clear_recipient(other);
    let Some(before) = cx.peers.exchange_keys(holder, other) else {
        return Trusted::Renamed(holder);
    };
    cx.peers.set_recipient(holder, Recipient::Account(claim.account));
    if let Some(person) = cx.peers.get_mut(holder).and_then(Peer::person_mut) {
        person.renew(before, claim.number);
        person.set_account(claim.account, server);
    }
    // A crash in between leaves the key before known, and once more unknown, which counts for
    // nothing.
    cx.begin_record(other);
    cx.save_record(other);
    cx.save_record(holder);
    Trusted::Exchanged(holder, other)
}

/// What came of trusting a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Trusted {
    /// Its row goes by the nick now.
    Renamed(PeerId),
    /// The row that goes by the nick has it now, and the other the key before.
    Exchanged(PeerId, PeerId),
}

/// The user compared the key of whoever is known by a nick.
pub(in crate::client) fn verify(
    cx: &mut Ctx<'_>,
    nick: &Nick,
    key: &PublicKey,
) -> Result<(), TrustError> {
    let id = cx.peers.by_name(&To::Peer(*nick)).ok_or(TrustError::Unknown)?;
    let peer = cx.peers.get_mut(id).filter(|peer| peer.key == *key);
    peer.and_then(Peer::person_mut).ok_or(TrustError::OtherKey)?.verify();
    cx.begin_record(id);
    cx.save_record(id);
    Ok(())
}

/// Whom an entry is about, and who is known by its nick under another key.
pub(super) fn assign(cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> [Option<PeerId>; 2] {
    let with = To::Peer(entry.nick);
    let (holder, by_key) = (holder_here(cx, &with), cx.peers.by_key(&entry.key));
    if by_key.is_some_and(|id| person(cx, id).is_none()) {
        // What stands for a room's key is nobody's.
        return [None; 2];
    }
    let is_known = |id: &PeerId| cx.peers.get(*id).is_some_and(|peer| !peer.is_stranger());
    match holder {
        Some(holder) if by_key == Some(holder) => {
            set_claim(cx, holder, None);
            [by_key, None]
        }
        Some(holder) if is_known(&holder) => {
            let id = by_key.or_else(|| cx.peers.add_nameless(entry.key, with));
            let RosterEntry { key, key_number: number, account, .. } = *entry;
            set_claim(cx, holder, Some(Claim { key, number, account }));
            cx.peers.clear_recipient(holder);
            [id, Some(holder)]
        }
        _ => match by_key {
            None => [cx.peers.add_instead(entry.key, with), None],
            Some(id) => {
                let naming = person(cx, id).map(Person::naming);
                // Who is known goes on under the nick that the user knows.
                if naming != Some(Naming::Known) || !is_known(&id) {
                    cx.peers.rename(id, with);
                }
                [by_key, None]
            }
        },
    }
}

/// An account is no more: whose nick it claimed.
pub(super) fn free(cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> Option<PeerId> {
    let holder = cx.peers.by_name(&To::Peer(entry.nick))?;
    let claim = person(cx, holder)?.claim()?;
    if claim.account != entry.account {
        return None;
    }
    set_claim(cx, holder, None);
    Some(holder)
}

/// Who is known by a nick at this server: what a nick stands for at another one is nothing here.
fn holder_here(cx: &mut Ctx<'_>, with: &To) -> Option<PeerId> {
    let server = cx.config.server_key.map_or(0, |key| key.tag());
    let is_from = |peer: &Peer| {
        let account = peer.person().and_then(Person::account);
        account.is_none_or(|(_, its)| its == server)
    };
    let holder = cx.peers.by_name(with);
    if holder.is_none_or(|id| cx.peers.get(id).is_some_and(is_from)) {
        return holder;
    }
    let known = (0..cx.peers.capacity()).filter_map(|slot| cx.peers.at(slot)).find(|id| {
        cx.peers.get(*id).is_some_and(|peer| {
            let naming = peer.person().map(Person::naming);
            peer.with == *with && naming == Some(Naming::Elsewhere) && is_from(peer)
        })
    });
    if let Some(known) = known {
        cx.peers.rename(known, *with);
        cx.save_record(known);
    } else if let Some(holder) = holder {
        cx.peers.forget_name(holder);
        cx.peers.clear_recipient(holder);
    }
    let holder = holder?;
    if let Some(person) = cx.peers.get_mut(holder).and_then(Peer::person_mut) {
        person.naming = Naming::Elsewhere;
    }
    cx.save_record(holder);
    known
}

fn set_claim(cx: &mut Ctx<'_>, id: PeerId, claim: Option<Claim>) {
    if let Some(person) = cx.peers.get_mut(id).and_then(Peer::person_mut) {
        person.set_claim(claim);
    }
}

fn person<'a>(cx: &'a Ctx<'_>, id: PeerId) -> Option<&'a Person> {
    cx.peers.get(id)?.person()
}

#[cfg(test)]
mod tests {
    use crate::{
        client::{event::Event, fixture::Fixture, roster::Roster},
        id::Account,
        time::UnixTime,
        wire::Presence,
    };

    use super::*;

    fn nick(name: &str) -> Nick {
        Nick::new(name).unwrap()
    }

    fn entry(name: &str, key: u8, account: u32, version: u64) -> RosterEntry<'static> {
        RosterEntry {
            account: Account(account),
            version,
            nick: nick(name),
            key: PublicKey([key; 32]),
            key_number: 0,
            presence: Presence::Online,
            candidates: [None; 2],
            seen: UnixTime(0),
            away: None,
        }
    }

    /// Carol has key 1 and account 7, and was written to; the server says this next.
    fn after(news: &[RosterEntry<'_>], then: impl Fn(&mut Ctx<'_>, PeerId)) {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let carol = roster.take(&mut cx, &entry("carol", 1, 7, 1))[0].unwrap();
        cx.begin_record(carol);
        for entry in news {
            roster.displace(&mut cx, entry);
            roster.take(&mut cx, entry);
        }
        then(&mut cx, carol);
    }

    fn to(name: &str) -> To {
        To::Peer(nick(name))
    }

    #[test]
    fn a_nick_gets_another_key_by_the_users_word_only() {
        let gone = RosterEntry { presence: Presence::Removed, ..entry("carol", 1, 7, 2) };
        let known = entry("dave", 2, 8, 2);
        let ways: [&[RosterEntry<'_>]; 4] = [
            // Another key for the same account; somebody else's; one who was known by another
            // nick; one who comes after her leaving.
            &[RosterEntry { key_number: 1, ..entry("carol", 2, 7, 3) }],
            &[entry("carol", 2, 8, 3)],
            &[known, entry("carol", 2, 8, 3)],
            &[gone, entry("carol", 2, 8, 3)],
        ];
        for way in ways {
            after(way, |cx, carol| {
                assert_eq!(recipient(cx, &to("carol")), Ok(carol));
                let peer = cx.peers.get_mut(carol).unwrap();
                assert_eq!((peer.key(), peer.recipient()), (PublicKey([1; 32]), None));
                let (nick, key) = (nick("carol"), PublicKey([2; 32]));
                let event = Event::KeyChanged { nick, key, verified: false };
                assert_eq!((peer.next_event(), peer.next_event()), (Some(event), None));
                assert_eq!(claimed(cx, &nick, &PublicKey([3; 32])), Err(TrustError::OtherKey));
                let other = cx.peers.by_key(&key).unwrap();
                let now = trust(cx, claimed(cx, &nick, &key).unwrap(), other);
                let (Trusted::Renamed(now) | Trusted::Exchanged(now, _)) = now;
                let peer = cx.peers.get(now).unwrap();
                assert_eq!((peer.key(), recipient(cx, &to("carol"))), (key, Ok(now)));
                assert!(peer.recipient().is_some() && cx.peers.by_key(&key) == Some(now));
            });
        }
    }

    #[test]
    fn who_was_verified_is_not_mistaken_for_another() {
        after(&[], |cx, carol| {
            let (old, new) = (PublicKey([1; 32]), PublicKey([2; 32]));
            assert_eq!(verify(cx, &nick("carol"), &new), Err(TrustError::OtherKey));
            verify(cx, &nick("carol"), &old).unwrap();
            let claim = entry("carol", 2, 8, 3);
            Roster::default().take(cx, &claim);
            assert_eq!(recipient(cx, &to("carol")), Err(SendError::KeyChanged));
            // The server takes it back: nothing has happened.
            Roster::default().take(cx, &entry("carol", 1, 7, 4));
            assert_eq!(recipient(cx, &to("carol")), Ok(carol));
            Roster::default().take(cx, &entry("carol", 2, 8, 5));
            let other = cx.peers.by_key(&new).unwrap();
            trust(cx, carol, other);
            assert!(!person(cx, carol).unwrap().is_verified(), "the new key nobody compared");
        });
    }

    #[test]
    fn who_is_known_goes_on_under_the_nick_that_is_known() {
        after(&[entry("caroline", 1, 8, 2)], |cx, carol| {
            assert_eq!(recipient(cx, &to("carol")), Ok(carol));
            assert_eq!(recipient(cx, &to("caroline")), Err(SendError::Unknown));
        });
    }

    #[test]
    fn a_nick_at_another_server_is_somebody_else_and_is_known_again_on_returning() {
        after(&[], |cx, carol| {
            let (here, there) = (cx.config.server_key, Some(PublicKey([9; 32])));
            cx.config.server_key = there;
            let [other, claimed] = assign(cx, &entry("carol", 2, 7, 2));
            assert_eq!((claimed, recipient(cx, &to("carol"))), (None, Ok(other.unwrap())));
            let server = there.unwrap().tag();
            let person = cx.peers.get_mut(other.unwrap()).and_then(Peer::person_mut);
            person.unwrap().set_account(Account(7), server);
            cx.config.server_key = here;
            assert_eq!(assign(cx, &entry("carol", 3, 8, 3))[1], Some(carol), "here, she is known");
            assert_eq!(recipient(cx, &to("carol")), Ok(carol));
        });
    }

    #[test]
    fn what_came_of_each_goes_with_its_key() {
        after(&[entry("carol", 2, 8, 2)], |cx, carol| {
            let [old, new] = [1, 2].map(|byte| PublicKey([byte; 32]));
            let stranger = cx.peers.by_key(&new).unwrap();
            cx.peers.get_mut(stranger).unwrap().author.hear();
            assert_eq!(trust(cx, carol, stranger), Trusted::Exchanged(carol, stranger));
            let [known, former] = cx.peers.both(carol, stranger).unwrap();
            assert_eq!((known.key(), known.log(), former.key()), (new, old, old));
            assert!(!known.author.is_unheard() && former.author.is_unheard());
            assert_eq!(former.person().unwrap().naming(), Naming::Unknown);
            assert_eq!([old, new].map(|key| cx.peers.by_key(&key)), [stranger, carol].map(Some));
        });
    }
}
