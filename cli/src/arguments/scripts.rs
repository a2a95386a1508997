//! What `send` and `listen` are started with.

use std::time::Duration;

use clap::{Args, ValueEnum};
use proto_core::{client::To, id::Nick};

use crate::{
    address::Address,
    names::{conversation, own_nick},
};

use super::{DAY, Secret};

pub(super) const SEND_EXAMPLES: &str = "\
Examples:
  udpchat send bob 'the build is red' --as ci --server 192.168.1.5
  udpchat send '#tea' - --as ci --server 192.168.1.5 < report.txt     all of it as one message
  tail -f log | udpchat send --all --as ci --server 192.168.1.5       each line as one message

What became of it goes to standard error. The exit code is 0 once everything has the verdict
that is waited for, 3 if the time was over before, 5 if the server did not answer then, and 4 if a
message was refused. What is in the outbox by then stays there, and goes out with the next run.";

pub(super) const LISTEN_EXAMPLES: &str = "\
Examples:
  udpchat listen --as ci --server 192.168.1.5 --from bob --from '#tea'
  udpchat listen --as ci --server 192.168.1.5 --json

A line is a message: time (RFC 3339), conversation, author and text, with tabs between. With
--json it is one of the objects of docs/SCRIPTS.md. Others see the nick online meanwhile.";

/// Who speaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Account {
    /// Your nick
    #[arg(long = "as", value_name = "NICK", value_parser = own_nick)]
    pub(crate) nick: Nick,
    /// The server, as for `join`
    #[arg(long = "server", value_name = "ADDRESS[#KEY]")]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) secret: Secret,
}

/// `send`.
#[derive(Clone, Debug, Args)]
pub(super) struct Send {
    /// To whom, and what: without a text each line of the standard input, with - all of it at once
    #[arg(value_names = ["NICK|#ROOM", "TEXT|-"], num_args = 0..)]
    words: Vec<String>,
    /// To everyone
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    account: Account,
    /// How long a message may take from when it was read; what is in the outbox then goes out
    /// with the next run
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = span)]
    timeout: Duration,
    /// What to wait for: that the server has it, or that the recipient has
    #[arg(long, value_name = "VERDICT", value_enum, default_value_t)]
    wait: Await,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// This.
    Text(String),
    /// All of the standard input.
    Input,
    /// Each of its lines.
    Lines,
}

impl Send {
    /// Whom it is for, and what is to be said.
    ///
    /// # Errors
    /// What is wrong with that.
    pub(super) fn message(self) -> Result<Message, String> {
        let Self { words, all, account, timeout, wait } = self;
        let mut words = words.into_iter();
        let to = if all {
            To::Lobby
        } else {
            let to = words.next().ok_or("say to whom: a nick, a #room (in quotes), or --all")?;
            conversation(&to)
                .map_err(|why| format!("{to:?} is neither a nick nor a #room: {why}"))?
        };
        let what = match words.next() {
            None => What::Lines,
            Some(word) if word == "-" => What::Input,
            Some(text) => What::Text(text),
        };
        match words.next() {
            None => Ok(Message { to, what, account, timeout, wait }),
            Some(more) => Err(format!("{more:?} is one word too many; put the text in quotes")),
        }
    }
}

/// What `send` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// To whom.
    pub(crate) to: To,
    /// What.
    pub(crate) what: What,
    /// Who speaks, and where.
    pub(crate) account: Account,
    /// How long it may take from when it was read.
    pub(crate) timeout: Duration,
    /// What is waited for.
    pub(crate) wait: Await,
}

/// `listen`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    pub(crate) account: Account,
    /// Print JSON objects, one in a line: docs/SCRIPTS.md
    #[arg(long)]
    pub(crate) json: bool,
    /// Only what comes from there: a nick, a #room (in quotes), or #lobby for what is said to
    /// everyone; may be given several times
    #[arg(long, value_name = "NICK|#ROOM", value_parser = conversation)]
    pub(crate) from: Vec<To>,
}

/// Which verdict is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Await {
    /// The recipient has it, or the server keeps it for them
    #[default]
    Stored,
    /// The recipient has it; in a room, as stored
    Delivered,
}

/// A number of seconds, up to a day.
fn span(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let is_short = |span: &Duration| span.as_secs() <= u64::from(DAY);
    seconds.filter(is_short).ok_or_else(|| "it is a number of seconds, up to a day".to_owned())
}
