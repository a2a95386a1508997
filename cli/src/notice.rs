//! What a person is told: the words are up to the [`Face`].

use std::time::Duration;

use std::net::SocketAddr;

use proto_core::{
    Violation,
    client::{
        AccountChange, Failure, MessageId, PasswordError, Refusal, SendError, SubmitReason, To,
        Verdict,
    },
    id::{NameError, Nick, Position, PublicKey, RoomName},
    time::UnixTime,
    wire::{
        AccountRefusal, CloseReason, LeftReason, PasswordWant, Presence, RegisterRefusal,
        Retention, RoomAction, RoomRefusal, TrimReason,
    },
};

use crate::{
    command::{Grammar, Origin, WrongInput},
    names::WrongName,
    safe_text::SafeText,
};

/// Says things in one form's words.
pub(crate) trait Face {
    /// Adds the lines, if any, that tell of `notice` at `now`.
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>);

    /// Whether what it says of `notice` belongs on standard error.
    fn is_report(&self, _notice: &Notice<'_>) -> bool {
        false
    }

    /// For standard error, why a line of a script was not carried out; `None` where nothing else
    /// than the lines that are shown is due.
    fn explain(&mut self, now: UnixTime, origin: &Origin, why: &Notice<'_>) -> Option<String>;

    /// The prompt of someone whose lines are said there.
    fn prompt(&self, here: Option<&To>) -> String;

    /// How its lines are read.
    fn grammar(&self) -> Grammar;

    /// Whether a silent server, once it is needed, ends the program.
    fn ends_with_the_server(&self) -> bool;
}

/// Something to tell.
#[derive(Clone, Debug)]
pub(crate) enum Notice<'a> {
    /// The client is online.
    Registered {
        /// What led to it.
        why: Registering,
        /// The server's key.
        server: PublicKey,
        /// The nick was this key's before.
        returning: bool,
        /// Saved messages follow, then [`Notice::MailboxEmpty`].
        mail: bool,
    },
    /// The nick is not to be had.
    RegisterRefused(RegisterRefusal),
    /// The nick is to be had with a password, or another is to be typed.
    Password(AskedPassword),
    /// What came of a request about the user's own account.
    Account {
        /// The request.
        change: AccountChange,
        /// It was done, or why it was not.
        result: Result<(), AccountRefusal>,
    },
    /// The nicks, or who is online. The first after a [`Notice::Registered`] that
    /// was asked for comes whether something changed or not.
    Table {
        /// Nothing else brought the reader up to date since.
        first: bool,
        /// All but oneself.
        everyone: &'a [Someone],
        /// What is different from the table before.
        changes: &'a [Change],
    },
    /// A message came, with its place among all that its author wrote.
    Message(Message, Position),
    /// Messages of an author are missing before the next.
    Gap {
        /// The author.
        from: Nick,
        /// How many.
        missing: u64,
    },
    /// Mail in someone's name cannot be read.
    Unreadable {
        /// Whose it is said to be.
        from: Nick,
    },
    /// All that waited at registration was shown.
    MailboxEmpty,
    /// A message goes by way of the server.
    Submitted {
        /// To whom.
        to: Nick,
        /// Why.
        why: SubmitReason,
        /// The table says that the recipient is offline.
        is_offline: bool,
        /// It was not told yet that the recipient is out of direct reach, since anything
        /// about that changed.
        first: bool,
    },
    /// The server passes a message on, its recipient being online after all.
    Relayed {
        /// To whom.
        to: Nick,
        /// That was not told yet, since anything about the way to them changed.
        first: bool,
    },
    /// A message is durable in the outbox.
    Kept {
        /// Which.
        id: MessageId,
        /// To whom.
        to: To,
    },
    /// What became of a message.
    Outcome {
        /// Which.
        id: MessageId,
        /// The line of a script that said it.
        origin: Option<&'a Origin>,
        /// To whom.
        to: To,
        /// The beginning of what was said, if it was said in this run.
        text: Option<&'a SafeText>,
        /// What became of it.
        outcome: Outcome,
    },
    /// A message was not even taken.
    NotSent {
        /// To whom.
        to: To,
        /// Why.
        why: SendError,
    },
    /// A message was for a word that cannot be a nick.
    NoNick(NameError),
    /// The client is offline, as asked.
    Offline {
        /// The server said that it knows.
        answered: bool,
    },
    /// The server does not answer. If that ends the program, [`Notice::Left`] follows.
    ServerSilent {
        /// The program ends.
        fatal: bool,
        /// Messages in the outbox that the server has not saved.
        unsaved: usize,
    },
    /// The server answers again.
    ServerBack,
    /// The server closed the link.
    ServerClosed {
        /// Why.
        why: CloseReason,
        /// It is of no use to try again.
        offline: bool,
    },
    /// Someone's program broke a rule of the protocol, and the session with it is over.
    Violation {
        /// Whose; none for the server.
        by: Option<Nick>,
        /// Which rule.
        rule: Violation,
    },
    /// Whoever answers at the server's address has another key.
    WrongServerKey {
        /// What to do about it.
        advice: &'a str,
    },
    /// The same identity registered elsewhere. The client is offline.
    Displaced,
    /// Another key holds a nick that is known from before.
    KeyChanged {
        /// The nick.
        nick: Nick,
        /// The other key.
        key: PublicKey,
        /// The one that is known was verified.
        verified: bool,
    },
    /// What became of trusting or verifying a key.
    Key(KeyWord),
    /// A message came under a key that is not the one that is known for the nick.
    Stranger(Message),
    /// The store failed. It is tried again.
    StoreFailed {
        /// Why, and what to do.
        why: &'a str,
    },
    /// A record in the store is damaged, and was passed over.
    Damaged,
    /// The line was no command.
    WrongInput(&'a WrongInput),
    /// The line was no command, and there is no conversation to say it in.
    Nowhere,
    /// What is typed is said there from now on, or nowhere.
    Here(Option<To>),
    /// Nobody wrote anything that could be answered.
    NobodyWrote,
    /// What is known of someone.
    Whois(&'a Person),
    /// Only one's own nick can be (de)registered.
    NotYours,
    /// While offline only `reg` does anything.
    YouAreOffline,
    /// There is no need to register.
    YouAreOnline,
    /// The port could not be bound again.
    CannotRegister(&'a str),
    /// `/wait` at a terminal.
    WaitIsForScripts,
    /// The answer to `/who`.
    Who(&'a [Someone]),
    /// Of something to say, this is missing.
    Missing(Missing<'a>),
    /// Everyone is told that the user is away, with this to say of it; or is back.
    Away(Option<SafeText>),
    /// What there was to say of being away is too long.
    AwayTooLong {
        /// The longest, in bytes.
        limit: u32,
    },
    /// A line of a script was carried out.
    Done {
        /// Which.
        origin: &'a Origin,
        /// What it said.
        message: Option<MessageId>,
    },
    /// A line of a script was not carried out.
    NotDone {
        /// Which.
        origin: &'a Origin,
        /// Why.
        why: &'a Notice<'a>,
    },
    /// A line of a script had no turn before the end.
    Undone,
    /// Something about the program, in words.
    Hint(&'a str),
    /// Something about rooms.
    Room(RoomNotice<'a>),
    /// The answer to `/help`.
    Help,
    /// The answer to `/history` or `/search`.
    History(HistoryPart<'a>),
    /// What came in earlier runs and was not shown.
    Unread(&'a [UnreadIn]),
    /// A line typed before the server answered waits until it does.
    Waiting,
    /// A script goes on once there is room for another message.
    Crowded {
        /// Messages that are neither delivered nor saved at the server.
        unsaved: usize,
    },
    /// The program ends.
    Left {
        /// Messages that the server has not saved; they stay in the outbox.
        kept: usize,
        /// Messages that were not in the outbox yet.
        unkept: usize,
        /// Where the outbox is.
        directory: &'a str,
        /// Those are for people whom this server does not know: they were met at another.
        elsewhere: bool,
        /// The lines that were never carried out.
        undone: &'a [u64],
        /// How the program ends.
        exit: u8,
        /// The server did not answer at the end.
        silent: bool,
    },
}

/// A server whose key nobody has vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnprovenServer {
    /// Where it is.
    pub(crate) address: String,
    /// The key that it has, as text.
    pub(crate) key: String,
}

/// About a password that the server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskedPassword {
    /// None is sent before the user has said whether that is the right server.
    Trust(UnprovenServer),
    /// The answer to that is yes or no.
    YesOrNo,
    /// There is nobody to ask whether that is the right server.
    Unproven(UnprovenServer),
    /// There is nobody to ask, and the one that the program was started with was used and wiped.
    Spent,
    /// Someone is to type it. The server looks at none for `wait`.
    Typed {
        /// Which one, or what was wrong with the last one.
        why: PasswordWant,
        /// How long.
        wait: Duration,
    },
    /// This device's key is to be endorsed by another: strangers' guesses hold it up for `wait`.
    HeldUp {
        /// How long, at the least.
        wait: Duration,
        /// This device's key.
        key: PublicKey,
    },
    /// The one that the account has is to be typed, to have another.
    Old,
    /// The one that it is to have is to be typed.
    Replacement,
    /// Nobody is there who could type it.
    NotInScripts,
    /// A new one is to be typed again.
    Again,
    /// The two were not the same.
    Different,
    /// What was given is no password.
    Unusable(PasswordError),
    /// There is nobody to ask, and the one that was `given`, if one was, is wrong.
    Unavailable {
        /// The program was started with one.
        given: bool,
        /// How long the server looks at none.
        wait: Duration,
    },
}

/// What led to a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registering {
    /// The program's start.
    Start,
    /// `reg`.
    Asked,
}

/// Someone in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Someone {
    /// The nick.
    pub(crate) nick: Nick,
    /// Whether its holder is online.
    pub(crate) presence: Presence,
    /// When its holder was last online; 0 if that is not known.
    pub(crate) seen: UnixTime,
    /// What its holder says of being away; empty for one who is there.
    pub(crate) away: SafeText,
}

impl Someone {
    /// Whether its holder is online.
    pub(crate) fn is_online(&self) -> bool {
        self.presence.is_online()
    }
}

/// A difference between two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Whom it is about, as they are now.
    pub(crate) someone: Someone,
    /// They were not in the table before.
    pub(crate) new: bool,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Who wrote it.
    pub(crate) from: Nick,
    /// When, by their clock.
    pub(crate) time: UnixTime,
    /// What.
    pub(crate) text: SafeText,
    /// It waited at the server when this client registered.
    pub(crate) waited: bool,
}

/// What became of trusting or verifying a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyWord {
    /// Nobody is known by that nick.
    Nobody,
    /// No other key holds it.
    NoClaim(Nick),
    /// Another key holds it: that is to be settled first.
    Claimed(Nick),
    /// There is no room for another one.
    Full,
    /// The key that holds it now is theirs.
    Trusted(Nick),
    /// The number to compare.
    Compare {
        /// With whom.
        nick: Nick,
        /// Twelve groups of five digits.
        number: [u32; 12],
        /// It was compared before.
        verified: bool,
    },
    /// Keys were compared.
    Verified(Nick),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its recipient has it.
    Delivered,
    /// The server has it.
    Stored,
    /// It was given up.
    Expired,
    /// Its recipient has later ones, and does not say that it has this one.
    Unconfirmed,
    /// It was refused.
    Refused(Refusal),
    /// This client's own disk failed it.
    Failed(Failure),
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Delivered => Self::Delivered,
            Verdict::Stored => Self::Stored,
            Verdict::Expired => Self::Expired,
            Verdict::Unconfirmed => Self::Unconfirmed,
            Verdict::Refused(why) => Self::Refused(why),
            Verdict::Failed(why) => Self::Failed(why),
        }
    }
}

/// What there is to tell of rooms.
#[derive(Clone, Debug)]
pub(crate) enum RoomNotice<'a> {
    /// There is a new one, as wished.
    Created(RoomName),
    /// It is entered.
    Entered {
        /// Which.
        room: RoomName,
        /// How much of its log is kept, if that was not told yet.
        retention: Option<Retention>,
    },
    /// One was in these before, and is.
    StillIn(&'a [RoomName]),
    /// One is in it no longer.
    Left(RoomName),
    /// What its creator wished for a room is so.
    Moderated(RoomAction),
    /// The user was put out of one.
    PutOut {
        /// Which.
        room: To,
        /// Why.
        why: LeftReason,
    },
    /// A request was refused.
    Refused {
        /// The request.
        action: RoomAction,
        /// Why.
        why: RoomRefusal,
    },
    /// All rooms.
    Rooms(&'a [ListedRoom]),
    /// Everyone in a room.
    Members {
        /// The room.
        of: RoomName,
        /// Their nicks, as the server wrote them.
        nicks: &'a [SafeText],
    },
    /// Somebody said something, at this place of the room's log.
    Message(RoomMessage, u64),
    /// The server's log of a room is another than the one from before.
    Reset(To),
    /// Entries were gone before they could be read.
    Gap {
        /// The room.
        room: To,
        /// How many.
        missing: u64,
        /// Why.
        why: TrimReason,
        /// How much is kept, if the server said so in this run.
        retention: Option<Retention>,
    },
    /// No room is entered.
    NotInside,
    /// One is not in that room.
    NotMember(RoomName),
    /// This client could not keep another room.
    Full,
    /// The word cannot be a room's name.
    BadName(WrongName),
}

/// A room in the list of all.
#[derive(Clone, Debug)]
pub(crate) struct ListedRoom {
    /// Its name, as the server wrote it.
    pub(crate) name: SafeText,
    /// One is in it.
    pub(crate) joined: bool,
}

/// A message in a room.
#[derive(Clone, Debug)]
pub(crate) struct RoomMessage {
    /// The room.
    pub(crate) room: To,
    /// Who said it.
    pub(crate) from: Nick,
    /// When, by their clock.
    pub(crate) time: UnixTime,
    /// What.
    pub(crate) text: SafeText,
}

/// What is known of someone.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// As in the list of all.
    pub(crate) someone: Someone,
    /// Their key, as text.
    pub(crate) key: String,
    /// Where to reach them directly, if that is known.
    pub(crate) address: Option<SocketAddr>,
}

/// What is missing of something to say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing<'a> {
    /// To whom, and what.
    Recipient {
        /// Who is online.
        online: &'a [Someone],
    },
    /// What, to someone.
    Text(Nick),
    /// What, to everyone.
    TextForAll,
}

/// A piece of the answer to `/history` or `/search`.
#[derive(Clone, Debug)]
pub(crate) enum HistoryPart<'a> {
    /// Lines, in the order of time.
    Lines {
        /// The lines.
        lines: &'a [PastLine],
        /// They may be of several conversations.
        from_all: bool,
    },
    /// Lines that were not shown yet are ahead of those that follow.
    Ahead {
        /// How many.
        unread: u64,
    },
    /// Others went by that nick.
    Former {
        /// Their keys, as text.
        keys: &'a [String],
    },
    /// What is older than what follows is too long for one answer.
    TooLong {
        /// How many lines follow.
        shown: usize,
    },
    /// More was found than follows.
    NewestOnly {
        /// How much follows.
        shown: usize,
    },
    /// Nothing was said, or nobody has that nick.
    Nothing,
    /// Nowhere was that said.
    NotFound,
    /// It cannot be read: the reason.
    Failed(String),
}

/// Something that was said.
#[derive(Clone, Debug)]
pub(crate) struct PastLine {
    /// With whom, or in which room.
    pub(crate) with: To,
    /// Somebody else has had that name since.
    pub(crate) former: bool,
    /// Who said it.
    pub(crate) from: Nick,
    /// When.
    pub(crate) time: UnixTime,
    /// When, by its author's clock.
    pub(crate) stamp: UnixTime,
    /// It was not shown yet.
    pub(crate) unread: bool,
    /// The user said it here.
    pub(crate) own: Option<Fate>,
    /// What.
    pub(crate) text: SafeText,
}

/// What became of something that the user said, as far as that is known.
pub(crate) type Fate = Option<Outcome>;

/// What came in one conversation and was not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnreadIn {
    /// With whom, or in which room.
    pub(crate) with: To,
    /// Somebody else has had that name since.
    pub(crate) former: bool,
    /// How many lines.
    pub(crate) lines: u64,
}
