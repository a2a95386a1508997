//! Putting the program together: directories, identities, endpoints, a terminal.

mod chat;
mod client;
mod id;
mod marker;
mod server;
mod trust;

use std::{
    io::{self, IsTerminal as _, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use jiff::{Timestamp, tz::TimeZone};
use proto_core::{
    id::Nick,
    server::{OperateError, Operation, RoomOperation},
    time::UnixTime,
};
use transport_mio::{
    control::{self, ControlError, Request},
    directories::{Directories, DirectoryError},
    endpoint::StartError,
    identity::moving::MoveError,
    known_servers::KnownServersError,
};

use crate::{
    accounts,
    address::{self, Address},
    arguments::{
        Account, AccountsForm, AccountsTool, Arguments, ClassicClient, Host, Join, Listen, Message,
        Role, RoomsForm, RoomsTool, Secret, Sure, Whom,
    },
    password::Given,
    session::Exit,
};

use client::{Manner, Options};

/// In whose words the program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Classic,
    Modern,
}

/// Why the program cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The socket, the identity or the store.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The list of known servers.
    #[error(transparent)]
    KnownServers(#[from] KnownServersError),
    /// The server's name is not known.
    #[error("cannot find {address}: {cause}; check the name, or use the server's IP address")]
    Resolve {
        /// The name and port.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Nobody has the nick that an operator named.
    #[error("nobody has that nick; `udpchat accounts list` shows who has one")]
    NoAccount,
    /// The operator did not say twice what cannot be undone.
    #[error(
        "nothing was done: it cannot be undone, so type the nick again when asked, or add --yes"
    )]
    Unconfirmed,
    /// An operator's request.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The identity is not moved.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// Of several nicks, none was named.
    #[error("whose identity? there are {nicks} here; nothing was changed")]
    Whose {
        /// The nicks.
        nicks: String,
    },
    /// The passphrase is not to be had.
    #[error("{why}; nothing was changed")]
    Passphrase {
        /// Why, and what to do.
        why: String,
    },
    /// The password that it was to read is not to be had.
    #[error(
        "cannot read the password from file descriptor {descriptor}: {cause}; open it for reading, as in 3< file"
    )]
    Password {
        /// Its number.
        descriptor: u32,
        /// What the system said.
        cause: io::Error,
    },
    /// The system refused something that always works.
    #[error("the system does not let it go on: {0}; close some programs and try again")]
    System(#[from] io::Error),
}

/// Does what the program was started for.
///
/// # Errors
/// [`RunError`] says what is wrong and what to do.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, RunError> {
    let directories = Directories::new(arguments.data_dir.as_deref())?;
    match &arguments.role {
        Role::Host(host) => run_host(&directories, host),
        Role::Join(join) => run_join(&directories, join),
        Role::Send(message) => run_send(&directories, message),
        Role::Listen(listen) => run_listen(&directories, listen),
        Role::Server(server) => server::run(&directories, *server, Form::Modern),
        Role::ClassicServer(server) => server::run(&directories, *server, Form::Classic),
        Role::ClassicClient(client) => run_classic(&directories, client),
        Role::Accounts(tool) => run_accounts(&directories, *tool),
        Role::Id(tool) => id::run(&directories, tool),
        Role::Rooms(tool) => run_rooms(&directories, *tool),
    }
}

fn run_host(directories: &Directories, host: &Host) -> Result<Exit, RunError> {
    let bind = server_side(host.server.bind, host.server.port);
    let novelty = server::novelty(directories, host.server.port);
    let hosted = server::Hosted::start(directories, host.server)?;
    // By the address that others see it at, so that they can reach this chat directly.
    let server = address::reachable(bind);
    let side = if server.ip() == bind.ip() { bind.ip() } else { address::client_side(server.ip()) };
    let mut greeting = server::invitation(server, hosted.key);
    greeting.extend(novelty);
    let exit = client::run(Options {
        nick: host.nick,
        server,
        address: Address::new(server, Some(hosted.key)),
        bind: (side, 0).into(),
        directory: directories.client(&host.nick)?,
        manner: Manner::Chat,
        greeting,
        notices: Some(&hosted.notices),
        password: password(host.secret)?,
        remember: false,
    });
    hosted.stop()?;
    exit
}

fn run_join(directories: &Directories, join: &Join) -> Result<Exit, RunError> {
    let Join { nick, address, port, bind, json, secret } = join.clone();
    let manner = if json { Manner::Json } else { Manner::Chat };
    let own = Own { nick, port: port.unwrap_or_default(), bind, secret };
    run_client(directories, own, address, manner)
}

fn run_send(directories: &Directories, message: &Message) -> Result<Exit, RunError> {
    let Message { to, what, account, timeout, wait } = message.clone();
    run_account(directories, &account, Manner::Send { to, what, wait, timeout })
}

fn run_listen(directories: &Directories, listen: &Listen) -> Result<Exit, RunError> {
    let manner = Manner::Listen { json: listen.json, from: listen.from.clone() };
    run_account(directories, &listen.account, manner)
}

fn run_account(
    directories: &Directories,
    account: &Account,
    manner: Manner,
) -> Result<Exit, RunError> {
    let Account { nick, address, secret } = account.clone();
    run_client(directories, Own { nick, port: 0, bind: None, secret }, address, manner)
}

/// Who speaks, and from where.
struct Own {
    nick: Nick,
    port: u16,
    bind: Option<IpAddr>,
    secret: Secret,
}

fn run_client(
    directories: &Directories,
    own: Own,
    address: Address,
    manner: Manner,
) -> Result<Exit, RunError> {
    let server =
        address.resolve().map_err(|cause| RunError::Resolve { address: address.name(), cause })?;
    let side = own.bind.unwrap_or_else(|| address::client_side(server.ip()));
    client::run(Options {
        nick: own.nick,
        server,
        address,
        bind: (side, own.port).into(),
        directory: directories.client(&own.nick)?,
        manner,
        greeting: Vec::new(),
        notices: None,
        password: password(own.secret)?,
        remember: true,
    })
}

fn run_classic(directories: &Directories, client: &ClassicClient) -> Result<Exit, RunError> {
    let ClassicClient { nick, server, port, secret } = *client;
    client::run(Options {
        nick,
        server,
        address: Address::new(server, None),
        bind: (address::client_side(server.ip()), port).into(),
        directory: directories.client(&nick)?,
        manner: Manner::Classic,
        greeting: classic_greeting(&nick, server, port),
        notices: None,
        password: password(secret)?,
        remember: true,
    })
}

fn run_accounts(directories: &Directories, tool: AccountsTool) -> Result<Exit, RunError> {
    let request = match tool.what {
        AccountsForm::List => Request::List,
        AccountsForm::Reset(sure) => Request::Operate(Operation::Reset, confirmed(sure)?),
        AccountsForm::Remove(sure) => Request::Operate(Operation::Remove, confirmed(sure)?),
        AccountsForm::Ban(Whom { nick }) => Request::Operate(Operation::Ban, nick),
        AccountsForm::Unban(Whom { nick }) => Request::Operate(Operation::Unban, nick),
    };
    run_operator(directories, tool.port, &request)
}

fn run_rooms(directories: &Directories, tool: RoomsTool) -> Result<Exit, RunError> {
    let request = match tool.what {
        RoomsForm::List => Request::Rooms,
        RoomsForm::Remove { room, nick } => Request::OperateRoom(RoomOperation::Kick(nick), room),
        RoomsForm::Delete { room } => Request::OperateRoom(RoomOperation::Delete, room),
    };
    run_operator(directories, tool.port, &request)
}

/// Asks a server, and shows what came of it.
fn run_operator(directories: &Directories, port: u16, request: &Request) -> Result<Exit, RunError> {
    let reply = match control::ask(&directories.existing_server(port)?, request) {
        Err(ControlError::Account(OperateError::Unknown)) => return Err(RunError::NoAccount),
        reply => reply?,
    };
    let now = UnixTime(Timestamp::now().as_microsecond().unsigned_abs());
    let lines = accounts::lines(request, &reply, now, &TimeZone::system());
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Done)
}

/// Whose account is meant, once the operator has said so twice.
fn confirmed(Sure { whom: Whom { nick }, yes }: Sure) -> Result<Nick, RunError> {
    if yes {
        return Ok(nick);
    }
    if !io::stdin().is_terminal() {
        return Err(RunError::Unconfirmed);
    }
    write!(io::stdout(), "This cannot be undone. Type {nick} again to go on: ")?;
    io::stdout().flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    let again = Nick::new(typed.trim());
    again.ok().filter(|again| *again == nick).ok_or(RunError::Unconfirmed)
}

fn classic_greeting(nick: &Nick, server: SocketAddr, port: u16) -> Vec<String> {
    vec![
        format!("client nickname:  {nick}"),
        format!("server ip:  {}", server.ip()),
        format!("server port number:  {}", server.port()),
        format!("client port number:  {port}"),
    ]
}

/// The password that the program was started with.
fn password(Secret { descriptor }: Secret) -> Result<Option<Given>, RunError> {
    Given::find(descriptor)
        .map_err(|cause| RunError::Password { descriptor: descriptor.unwrap_or_default(), cause })
}

fn server_side(bind: Option<IpAddr>, port: u16) -> SocketAddr {
    (bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port).into()
}
