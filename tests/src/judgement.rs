//! What a law says of something that someone did.

use proto_core::id::{Nick, PublicKey};

use crate::{place::Place, store::Store};

/// Someone whose doings are judged.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Where.
    pub place: Place,
    /// Its key.
    pub key: PublicKey,
    /// Its nick.
    pub nick: Nick,
    /// What is durable there.
    pub store: &'a Store,
}

/// A law was broken; says which and how.
pub type Judgement = Result<(), String>;

pub(crate) fn law(holds: bool, broken: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(broken()) }
}

/// The beginning of a text, for the words of a judgement.
pub(crate) fn show(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}
