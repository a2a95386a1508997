//! The names that a user chooses: of these, no word of a command is one. Other programs may
//! have given such a name all the same.

use proto_core::id::{NameError, Nick, RoomName};

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

fn is_reserved(text: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

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
