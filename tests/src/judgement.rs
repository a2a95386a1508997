//! What a law says of something that someone did.

use proto_core::id::{Nick, PublicKey};

use crate::{place::Place, store::Store};

/// Someone whose doings are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party<'a> {
    /// Where.
    pub(crate) place: Place,
    /// Its key.
    pub(crate) key: PublicKey,
    /// Its nick.
    pub(crate) nick: Nick,
    /// What is durable there.
    pub(crate) store: &'a Store,
}

/// A law was broken; says which and how.
pub(crate) type Judgement = Result<(), String>;

pub(crate) fn law(holds: bool, broken: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(broken()) }
}

/// The beginning of a text, for the words of a judgement.
pub(crate) fn show(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}
