//! What the program is started with.

mod scripts;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use proto_core::{
    id::{Nick, RoomName},
    server::Config,
};

use crate::{
    address::{Address, DEFAULT_PORT},
    names::own_nick,
};

pub(crate) use scripts::{Account, Await, Listen, Message, What};

use scripts::{LISTEN_EXAMPLES, SEND_EXAMPLES, Send};

/// The longest that a room's messages can be kept: a hundred years.
const MAX_DAYS: i64 = 36_500;

/// The longest that a server can be told to wait for a reader.
const MAX_WAIT: i64 = 3_600;

/// A day, in seconds.
pub(crate) const DAY: u32 = 24 * 60 * 60;

const USAGE: &str = "\
udpchat host <NICK>
       udpchat join <NICK> <ADDRESS[#KEY]> [--json]
       udpchat send <NICK|#ROOM|--all> [TEXT|-] --as <NICK> --server <ADDRESS[#KEY]>
       udpchat listen --as <NICK> --server <ADDRESS[#KEY]> [--json] [--from <NICK|#ROOM>]
       udpchat server [--port <PORT>] [--bind <IP>] [--accounts open|password]
       udpchat accounts list|reset|remove|ban|unban [<NICK>] [--port <PORT>]
       udpchat id [<NICK>] [--export <FILE>]
       udpchat id --import <FILE>
       udpchat rooms list|remove|delete [<ROOM>] [<NICK>] [--port <PORT>]
       udpchat -s <PORT>
       udpchat -c <NICK> <SERVER-IP> <SERVER-PORT> <CLIENT-PORT>";

const PASSWORD_FD: &str = "The number of a file descriptor to read your password from, if the \
                           server wants one [default: UDPCHAT_PASSWORD in the environment, or else \
                           you are asked]";

const EXAMPLES: &str = "\
Examples:
  udpchat host alice                          a server and a chat in one terminal; it prints
                                              the line that others paste to join
  udpchat join bob 192.168.1.5                join the server there, on port 12345
  udpchat join bob 192.168.1.5:9000#<key>     on another port, and only if it has that key
  udpchat server --port 9000                  a server alone
  udpchat server --room-members 50            with at most 50 in each room
  udpchat accounts list                       who has an account at the server here
  udpchat id                                  your keys, and where they are kept
  udpchat -s 6000                             the classic server
  udpchat -c x 127.0.0.1 6000 6061            the classic client
  udpchat send bob 'the build is red' --as ci --server 192.168.1.5
  udpchat listen --as ci --server 192.168.1.5 --json

In the chat:
  /msg <nick> <text>                          to someone:  /msg bob are you there?
  /all <text>                                 to everyone: /all good morning
  /create <room>, /join <room>, <text>        in a room:   /join tea
  /r <text>, /rooms, /members [room], /leave [room], /who, /whois <nick>, /away [text],
  /back, /offline, /online, /history [nick|room], /wait <seconds>, /help, /quit

Exit codes:
  0  all was done
  1  it could not start or go on; the last line says why
  2  the command line was wrong
  3  it was ended before all was delivered or saved, or before all was done
  4  a message was refused, failed or expired; in a script, also anything else that was refused
  5  the server does not answer
  6  the nick is refused, or was taken over from elsewhere";

const ID_EXAMPLES: &str = "\
Examples:
  udpchat id                                  every nick here, with its key and its file
  udpchat id alice --export alice.id          moves alice's identity into a file
  udpchat id --import alice.id                and from it to where this is run

An identity is for one device at a time. Exporting it moves it: from then on it cannot be used here,
until it is imported back. The file is under a passphrase, which you are asked for; without it, or
without the file, the identity is lost. Only the identity moves: history, and messages that were not
delivered yet, stay in the data directory. An imported file is renamed to <FILE>.imported, and is not
taken again.";

#[derive(Debug, Parser)]
#[command(
    name = "udpchat",
    version,
    about = "A chat over UDP that keeps its promises: encrypted, nothing lost, nothing twice",
    override_usage = USAGE,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct CommandLine {
    #[command(subcommand)]
    form: Option<Form>,

    /// The classic server, on this port. Example: udpchat -s 6000
    #[arg(short = 's', value_name = "PORT", value_parser = port(), conflicts_with = "client")]
    server: Option<u16>,

    /// The IP address that the classic server listens at [default: all]
    #[arg(long, value_name = "IP", requires = "server")]
    bind: Option<IpAddr>,

    /// The classic client. Example: udpchat -c x 127.0.0.1 6000 6061
    #[arg(
        short = 'c',
        num_args = 4,
        value_names = ["NICK", "SERVER-IP", "SERVER-PORT", "CLIENT-PORT"]
    )]
    client: Option<Vec<String>>,

    /// Who gets a nick from the classic server
    #[arg(long, value_name = "RULE", value_enum, requires = "server")]
    accounts: Option<Accounts>,

    /// Where the classic client reads its password: the number of a file descriptor
    #[arg(long, value_name = "NUMBER", requires = "client")]
    password_fd: Option<u32>,

    /// Where identities and messages are kept [default: the user's data directory, such as
    /// ~/.local/share/udpchat]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Form {
    /// Runs a server and a chat in one terminal
    #[command(after_help = "Example:\n  udpchat host alice")]
    Host(Host),
    /// Joins a chat
    #[command(after_help = "Examples:\n  udpchat join bob 192.168.1.5\n  \
                            udpchat join bob chat.example:9000#<key>")]
    Join(Join),
    /// Says one text, or each line of the standard input, and tells what became of it
    #[command(
        override_usage = "udpchat send <NICK|#ROOM|--all> [TEXT|-] --as <NICK> --server <ADDRESS[#KEY]>",
        after_help = SEND_EXAMPLES
    )]
    Send(Send),
    /// Prints what comes until it is ended
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(Listen),
    /// Runs a server alone
    #[command(after_help = "Examples:\n  udpchat server --port 9000 --bind 192.168.1.5\n  \
                            udpchat server --room-members 50 --room-days 7")]
    Server(Server),
    /// Shows your keys, and moves one to another device
    #[command(after_help = ID_EXAMPLES)]
    Id(IdTool),
    /// Looks after a server's accounts, whether it runs or not
    #[command(after_help = "Examples:\n  udpchat accounts list\n  \
                            udpchat accounts --port 9000 ban mallory")]
    Accounts(AccountsTool),
    /// Looks after a server's rooms, whether it runs or not
    #[command(after_help = "Examples:\n  udpchat rooms list\n  \
                            udpchat rooms remove tea mallory")]
    Rooms(RoomsTool),
}

/// `rooms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct RoomsTool {
    /// The server's UDP port
    #[arg(long, global = true, default_value_t = DEFAULT_PORT, value_parser = any_port())]
    pub(crate) port: u16,
    #[command(subcommand)]
    pub(crate) what: RoomsForm,
}

/// What is done to rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum RoomsForm {
    /// Lists them: name, who created it, how many are in it
    List,
    /// Puts someone out of a room, and keeps them out
    Remove {
        /// The room
        #[arg(value_parser = RoomName::new)]
        room: RoomName,
        /// Who
        #[arg(value_parser = Nick::new)]
        nick: Nick,
    },
    /// Deletes a room and what was said there: the name is free
    Delete {
        /// The room
        #[arg(value_parser = RoomName::new)]
        room: RoomName,
    },
}

/// `accounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct AccountsTool {
    /// The server's UDP port
    #[arg(long, global = true, default_value_t = DEFAULT_PORT, value_parser = any_port())]
    pub(crate) port: u16,
    #[command(subcommand)]
    pub(crate) what: AccountsForm,
}

/// What is done to accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AccountsForm {
    /// Lists them: nick, key, when last seen, and what else there is to say
    List,
    /// Forgets the password of a nick: the next login sets it
    Reset(Sure),
    /// Removes an account with its mail: the nick is free
    Remove(Sure),
    /// Refuses a nick and its key from now on
    Ban(Whom),
    /// Lets a banned nick log in again
    Unban(Whom),
}

/// `id`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct IdTool {
    /// Whose key [default: every nick's in the data directory]
    #[arg(value_parser = Nick::new)]
    pub(crate) nick: Option<Nick>,
    /// Moves the identity into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// Takes the identity in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "nick"])]
    pub(crate) import: Option<PathBuf>,
    /// The number of a file descriptor to read the file's passphrase from [default: you are asked]
    #[arg(long = "passphrase-fd", value_name = "NUMBER")]
    pub(crate) descriptor: Option<u32>,
}

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Whom {
    /// The nick
    #[arg(value_parser = Nick::new)]
    pub(crate) nick: Nick,
}

/// Whose account it is, of what cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Sure {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `host`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Host {
    /// Your nick: letters, digits, '_', '-' and '.'
    #[arg(value_parser = own_nick)]
    pub(crate) nick: Nick,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) secret: Secret,
}

/// Where a password comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Secret {
    /// Where your password is read, if the server wants one
    #[arg(long = "password-fd", value_name = "NUMBER", help = PASSWORD_FD)]
    pub(crate) descriptor: Option<u32>,
}

/// `join`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Join {
    /// Your nick: letters, digits, '_', '-' and '.'
    #[arg(value_parser = own_nick)]
    pub(crate) nick: Nick,
    /// The server: an IP address or a name, the port if it is not 12345, and its key, without
    /// which whoever answers there first is trusted and remembered
    #[arg(value_name = "ADDRESS[#KEY]")]
    pub(crate) address: Address,
    /// Your own UDP port [default: any that is free]
    #[arg(long, value_parser = port())]
    pub(crate) port: Option<u16>,
    /// Your own IP address [default: all, or loopback if the server is there]
    #[arg(long, value_name = "IP")]
    pub(crate) bind: Option<IpAddr>,
    /// Speak in JSON objects, one in a line, in both directions: docs/SCRIPTS.md
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secret: Secret,
}

/// `server`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Server {
    /// The server's UDP port; one below 1024 if the system lets you
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = any_port())]
    pub(crate) port: u16,
    /// The IP address to listen at [default: all]
    #[arg(long, value_name = "IP")]
    pub(crate) bind: Option<IpAddr>,
    /// Who gets a nick
    #[arg(long, value_name = "RULE", value_enum, default_value_t)]
    pub(crate) accounts: Accounts,
    #[command(flatten)]
    pub(crate) rooms: RoomLimits,
}

/// Who gets a nick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accounts {
    /// Whoever takes it first, from that device only
    #[default]
    Open,
    /// Whoever sets its password first, and then every device that gives it
    Password,
}

/// What a server's rooms hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct RoomLimits {
    /// How many members a room can have; everyone is in the lobby
    #[arg(
        long = "room-members",
        value_name = "N",
        default_value_t = Self::default().members,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) members: u32,
    /// How many messages of a room, or of the lobby, are kept
    #[arg(
        long = "room-entries",
        value_name = "N",
        default_value_t = Self::default().entries,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) entries: u32,
    /// Up to how many bytes of them
    #[arg(
        long = "room-bytes",
        value_name = "N",
        default_value_t = Self::default().bytes,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) bytes: u64,
    /// For how many days
    #[arg(
        long = "room-days",
        value_name = "N",
        default_value_t = Self::default().days,
        value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS)
    )]
    pub(crate) days: u32,
    /// For how many seconds a member who is online and reads nothing slows down those who
    /// write, before messages that it has not read are given up; 0: not at all
    #[arg(
        long = "reader-wait",
        value_name = "SECONDS",
        default_value_t = Self::default().wait,
        value_parser = clap::value_parser!(u32).range(..=MAX_WAIT)
    )]
    pub(crate) wait: u32,
}

impl Default for RoomLimits {
    fn default() -> Self {
        let Config { members, room, reader_wait, .. } = Config::default();
        let wait = reader_wait.as_secs() as u32;
        Self { members, entries: room.entries, bytes: room.bytes, days: room.age / DAY, wait }
    }
}

/// The classic client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassicClient {
    /// Whose it is.
    pub(crate) nick: Nick,
    /// Where the server is.
    pub(crate) server: SocketAddr,
    /// The client's own port.
    pub(crate) port: u16,
    /// Where its password comes from.
    pub(crate) secret: Secret,
}

/// What the program is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A server and a chat.
    Host(Host),
    /// A chat.
    Join(Join),
    /// A few messages.
    Send(Message),
    /// An ear.
    Listen(Listen),
    /// A server.
    Server(Server),
    /// The classic server.
    ClassicServer(Server),
    /// The classic client.
    ClassicClient(ClassicClient),
    /// An operator's hand on a server's accounts.
    Accounts(AccountsTool),
    /// One's own keys.
    Id(IdTool),
    /// An operator's hand on a server's rooms.
    Rooms(RoomsTool),
}

/// What the program is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What it is to be.
    pub(crate) role: Role,
    /// Where it keeps things.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line. What is wrong with it is shown with the usage on
    /// standard error, and ends the program with exit code 2.
    pub(crate) fn read() -> Self {
        Self::parse(std::env::args_os()).unwrap_or_else(|error| {
            // If standard error is closed, there is no one to tell.
            let _ = error.print();
            eprint!("{}", missing_usage(&error));
            std::process::exit(error.exit_code())
        })
    }

    fn parse(
        arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let CommandLine { form, server, bind, client, accounts, password_fd, data_dir } =
            CommandLine::try_parse_from(arguments)?;
        let accounts = accounts.unwrap_or_default();
        let secret = Secret { descriptor: password_fd };
        let role = match (form, server, client) {
            (Some(Form::Host(host)), None, None) => Role::Host(host),
            (Some(Form::Join(join)), None, None) => Role::Join(join),
            (Some(Form::Send(send)), None, None) => {
                let wrong = |why| CommandLine::command().error(ErrorKind::ValueValidation, why);
                Role::Send(send.message().map_err(wrong)?)
            }
            (Some(Form::Listen(listen)), None, None) => Role::Listen(listen),
            (Some(Form::Server(server)), None, None) => Role::Server(server),
            (Some(Form::Accounts(tool)), None, None) => Role::Accounts(tool),
            (Some(Form::Id(tool)), None, None) => Role::Id(tool),
            (Some(Form::Rooms(tool)), None, None) => Role::Rooms(tool),
            (None, Some(port), None) => {
                let rooms = RoomLimits::default();
                Role::ClassicServer(Server { port, bind, accounts, rooms })
            }
            (None, None, Some(words)) => Role::ClassicClient(classic_client(&words, secret)?),
            _ => {
                return Err(CommandLine::command()
                    .error(ErrorKind::ArgumentConflict, "give exactly one of the forms below"));
            }
        };
        Ok(Self { role, data_dir })
    }
}

/// The usage, for those errors that come without.
fn missing_usage(error: &clap::Error) -> String {
    let is_there = error.to_string().contains("Usage:");
    if is_there || !error.use_stderr() { String::new() } else { format!("\nUsage: {USAGE}\n") }
}

fn classic_client(words: &[String], secret: Secret) -> Result<ClassicClient, clap::Error> {
    let wrong = |what: &str, word: &str, why: &str| {
        let message = format!("invalid value {word:?} for {what}: {why}");
        CommandLine::command().error(ErrorKind::ValueValidation, message)
    };
    let [name, ip, server_port, client_port] = words else {
        return Err(wrong("-c", &words.join(" "), "it takes four values"));
    };
    let port = |what, word: &str| match word.parse() {
        Ok(port) if port >= 1024 => Ok(port),
        _ => Err(wrong(what, word, "a port is a number from 1024 to 65535")),
    };
    let address: IpAddr = ip
        .parse()
        .map_err(|_| wrong("<SERVER-IP>", ip, "an IP address is like 127.0.0.1 or ::1"))?;
    Ok(ClassicClient {
        nick: own_nick(name).map_err(|why| wrong("<NICK>", name, &why.to_string()))?,
        server: (address, port("<SERVER-PORT>", server_port)?).into(),
        port: port("<CLIENT-PORT>", client_port)?,
        secret,
    })
}

fn any_port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

/// The classic forms take no port that the system may want for itself.
fn port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1024..)
}

#[cfg(test)]
mod tests {
    use proto_core::client::To;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::parse(["udpchat"].into_iter().chain(line.split_whitespace()))
    }

    fn role(line: &str) -> Role {
        parse(line).unwrap().role
    }

    fn named(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_form_is_understood() {
        let rooms = RoomLimits::default();
        let server = |port, bind: Option<&str>| {
            let bind = bind.map(|b| b.parse().unwrap());
            Server { port, bind, accounts: Accounts::Open, rooms }
        };
        assert_eq!(
            role("host alice"),
            Role::Host(Host {
                nick: named("alice"),
                server: server(12345, None),
                secret: Secret::default()
            })
        );
        assert_eq!(role("server --port 9000 --bind ::1"), Role::Server(server(9000, Some("::1"))));
        assert_eq!(role("-s 6000"), Role::ClassicServer(server(6000, None)));
        let limits = "--room-members 5 --room-entries 6 --room-bytes 7 --room-days 8 \
                      --reader-wait 9";
        let rooms = RoomLimits { members: 5, entries: 6, bytes: 7, days: 8, wait: 9 };
        let limited = Server { rooms, ..server(12345, None) };
        assert_eq!(role(&format!("server {limits}")), Role::Server(limited));
        let bound = server(6000, Some("127.0.0.1"));
        assert_eq!(role("-s 6000 --bind 127.0.0.1"), Role::ClassicServer(bound));
        assert_eq!(
            role("-c x 127.0.0.1 6000 6061"),
            Role::ClassicClient(ClassicClient {
                nick: named("x"),
                server: "127.0.0.1:6000".parse().unwrap(),
                port: 6061,
                secret: Secret::default()
            })
        );
        let Role::Accounts(tool) = role("accounts ban mallory --port 9000") else { panic!() };
        assert_eq!(
            (tool.port, tool.what),
            (9000, AccountsForm::Ban(Whom { nick: named("mallory") }))
        );
        // Another program may have given it.
        let Role::Accounts(tool) = role("accounts remove send --yes") else { panic!() };
        let whom = Whom { nick: named("send") };
        assert_eq!(tool.what, AccountsForm::Remove(Sure { whom, yes: true }));
        let Role::Server(by_password) = role("server --accounts password") else { panic!() };
        assert_eq!(by_password.accounts, Accounts::Password);
        let Role::ClassicClient(client) = role("-c x 127.0.0.1 6000 6061 --password-fd 3") else {
            panic!()
        };
        assert_eq!(client.secret, Secret { descriptor: Some(3) });
        let account = "--as ci --server 10.0.0.1";
        let said = |line: &str| {
            let Role::Send(send) = role(&format!("send {line} {account}")) else { panic!() };
            (send.to, send.what)
        };
        let bob = || To::Peer(named("bob"));
        assert_eq!(said("bob hi"), (bob(), What::Text("hi".to_owned())));
        assert_eq!(said("bob -"), (bob(), What::Input));
        assert_eq!(said("--all"), (To::Lobby, What::Lines));
        assert_eq!(said("--all hi"), (To::Lobby, What::Text("hi".to_owned())));
        let Role::Listen(listen) = role(&format!("listen {account} --from bob --from #lobby"))
        else {
            panic!()
        };
        assert_eq!((listen.account.nick, listen.from), (named("ci"), vec![bob(), To::Lobby]));
        let Role::Join(join) = role("join bob 10.0.0.1 --port 2000") else { panic!() };
        assert_eq!((join.nick, join.port, join.bind), (named("bob"), Some(2000), None));
    }

    #[test]
    fn the_data_directory_goes_with_every_form() {
        for line in ["host a", "join a 10.0.0.1", "server", "-s 6000", "-c x 127.0.0.1 6000 6061"] {
            for line in [format!("--data-dir d {line}"), format!("{line} --data-dir d")] {
                assert_eq!(parse(&line).unwrap().data_dir, Some("d".into()), "{line}");
            }
        }
    }

    #[test]
    fn wrong_arguments_end_with_the_usage_and_code_2() {
        for (line, said) in [
            ("host", "<NICK>"),
            ("host send", "command"),
            ("host a;b", "letters"),
            ("join NICK 10.0.0.1", "your own"),
            ("join bob", "ADDRESS"),
            ("send --as ci --server 10.0.0.1", "to whom"),
            ("send bob a b --as ci --server 10.0.0.1", "one word too many"),
            ("send --all a b --as ci --server 10.0.0.1", "one word too many"),
            ("send a;b hi --as ci --server 10.0.0.1", "neither a nick nor"),
            ("send bob hi --as ci --server 10.0.0.1 --timeout soon", "number of seconds"),
            ("send bob hi", "--as"),
            ("listen --as ci", "--server"),
            ("server --port 0", "65535"),
            ("-s", "PORT"),
            ("-s 80", "1024"),
            ("-s 65536", "65535"),
            ("-s 6000 host a", "exactly one"),
            ("-s 6000 -c x 127.0.0.1 6000 6061", "cannot be used with"),
            ("-c x 127.0.0.1 6000", "4 values"),
            ("-c dereg 127.0.0.1 6000 6061", "command"),
            ("-c x localhost 6000 6061", "IP address"),
            ("-c x 127.0.0.1 6000 80", "1024"),
            ("-c x 127.0.0.1 y 6061", "1024"),
            ("accounts", "list"),
            ("id a;b", "letters"),
            ("id alice --import f", "cannot be used with"),
            ("id --export f --import f", "cannot be used with"),
            ("id --export", "<FILE>"),
            ("accounts ban", "<NICK>"),
            ("accounts ban a;b", "letters"),
            ("server --accounts closed", "password"),
            ("join bob 10.0.0.1 --password secret", "password"),
            ("server --room-members 0", "room-members"),
            ("server --room-days 36501", "36500"),
            ("server --reader-wait 3601", "3600"),
            ("shout", "shout"),
        ] {
            let error = parse(line).unwrap_err();
            let text = format!("{error}{}", missing_usage(&error));
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(
                error.use_stderr() && text.contains("Usage:") && text.contains(said),
                "{line}: {text}"
            );
        }
        let nothing = parse("").unwrap_err();
        assert!(nothing.use_stderr() && nothing.exit_code() == 2);
    }
}
