//! The names that a user chooses: of these, no word of a command is one. Other programs may
//! have given such a name all the same.

use proto_core::{
    client::To,
    id::{NameError, Nick, RoomName},
};

/// Words of commands, and of what commands speak of.
const RESERVED: [&str; 32] = [
    "reg",
    "dereg",
    "send",
    "saved_m",
    "send_all",
    "send_group",
    "pm",
    "dm",
    "ex",
    "all",
    "who",
    "help",
    "quit",
    "wait",
    "create",
    "rooms",
    "join",
    "leave",
    "members",
    "say",
    "away",
    "history",
    "server",
    "lobby",
    "create_group",
    "join_group",
    "leave_group",
    "list_groups",
    "list_members",
    "accounts",
    "here",
    "password",
];

/// What stands for the nick in the line that a server prints for others to join with.
pub(crate) const PLACEHOLDER: &str = "NICK";

/// Why a name cannot be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongName {
    /// It is none.
    #[error(transparent)]
    Syntax(#[from] NameError),
    /// It is a command's word.
    #[error("that word is a command and cannot be a name")]
    Reserved,
    /// It is the placeholder of the line to join with.
    #[error("put your own nick in the place of {PLACEHOLDER}")]
    Placeholder,
}

/// Reads the nick that a user wants.
pub(crate) fn own_nick(text: &str) -> Result<Nick, WrongName> {
    let nick = Nick::new(text)?;
    match text {
        PLACEHOLDER => Err(WrongName::Placeholder),
        text if is_reserved(text) => Err(WrongName::Reserved),
        _ => Ok(nick),
    }
}

/// Reads the name of a room that a user makes or enters.
pub(crate) fn chosen_room(text: &str) -> Result<RoomName, WrongName> {
    let room = RoomName::new(text)?;
    if is_reserved(text) { Err(WrongName::Reserved) } else { Ok(room) }
}

/// The room that everyone is in.
const LOBBY: &str = "#lobby";

/// Reads a conversation as scripts name it: `bob`, `#tea`, and `#lobby` for everyone.
pub(crate) fn conversation(text: &str) -> Result<To, NameError> {
    match text.strip_prefix('#') {
        _ if text.eq_ignore_ascii_case(LOBBY) => Ok(To::Lobby),
        Some(room) => RoomName::new(room).map(To::Room),
        None => Nick::new(text).map(To::Peer),
    }
}

/// The inverse of [`conversation`].
pub(crate) fn conversation_text(of: &To) -> String {
    match of {
        To::Peer(nick) => nick.to_string(),
        To::Lobby => LOBBY.to_owned(),
        To::Room(room) => format!("#{room}"),
    }
}

fn is_reserved(text: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_read_as_they_are_written() {
        for text in ["bob", "#tea", "#lobby"] {
            assert_eq!(conversation(text).map(|of| conversation_text(&of)).as_deref(), Ok(text));
        }
        assert!(conversation("#").is_err() && conversation("a b").is_err());
    }

    #[test]
    fn words_of_commands_are_not_chosen() {
        for (text, wrong) in [
            ("alice", None),
            ("a b", Some(WrongName::Syntax(NameError::Character))),
            ("all", Some(WrongName::Reserved)),
            ("DEREG", Some(WrongName::Reserved)),
        ] {
            assert_eq!(own_nick(text).err(), wrong, "{text}");
            assert_eq!(chosen_room(text).err(), wrong, "{text}");
        }
        assert_eq!(own_nick(PLACEHOLDER), Err(WrongName::Placeholder));
    }
}
