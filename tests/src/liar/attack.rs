//! The ways in which someone with keys lies, and how often each was tried.

use std::{fmt, ops::AddAssign};

macro_rules! attacks {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A way to lie.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Attack {
            $($(#[$doc])* $name,)*
        }

        impl Attack {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

attacks! {
    /// The roster has the liar's key for a nick.
    OtherKey = "roster entries with another key";
    /// The roster has another key number.
    KeyNumber = "other key numbers";
    /// The roster has another nick for an account.
    Renamed = "renamed accounts";
    /// An account is removed, and another one has its nick, under the liar's key.
    Replaced = "accounts removed and taken over";
    /// Mail by the liar's key, said to be of somebody's key before.
    OwnMail = "mail by the liar's key";
    /// Mail by the liar's key, said to be by the key that is known.
    FalseMail = "mail in another's name";
    /// Mail under a position that it was not sealed for.
    Position = "forged positions";
    /// Mail that is left out.
    Omitted = "mail left out";
    /// Mail that comes behind what was written after it.
    Reordered = "mail reordered";
    /// Mail that comes again at another place of the mailbox.
    Twice = "mail given twice";
    /// Mail out of somebody else's mailbox.
    Elsewhere = "mail of other mailboxes";
    /// Cursors that are not so.
    Status = "forged cursors";
    /// What the recipient is said to have, with a receipt by the liar's key, or none.
    Receipt = "forged receipts";
    /// A `DeliveryStatus` of before, or of another author.
    OldStatus = "old cursors";
    /// A refusal of what was not refused.
    Refusal = "false refusals";
    /// Any frame of any earlier session.
    Replay = "frames of other sessions";
    /// A Registered with another epoch.
    Epoch = "forged epochs";
    /// A client's message that does not open, or is none.
    Garbage = "bodies that make no sense";
    /// A client's message far beyond the last one, or of another epoch.
    Jump = "jumps of numbers";
    /// A client's message that lies about the open one before it.
    Previous = "lies about the message before";
    /// A client's receipt for what it never had.
    NeverHad = "receipts for what never came";
}

/// How often each was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attacks([u64; Attack::ALL.len()]);

impl Default for Attacks {
    fn default() -> Self {
        Self([0; Attack::ALL.len()])
    }
}

impl Attacks {
    /// It was tried.
    pub(super) fn count(&mut self, attack: Attack) {
        self.0[attack as usize] += 1;
    }

    /// How often it was tried, with each attack's name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Attack::ALL.iter().map(|attack| (attack.name(), self.0[*attack as usize]))
    }
}

impl AddAssign for Attacks {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, other)| *count += other);
    }
}

impl fmt::Display for Attacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.each().map(|(name, count)| format!("{count} {name}")).collect();
        f.write_str(&all.join(", "))
    }
}
