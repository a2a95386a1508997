//! `id`: one's own keys, and moving one to another device.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use proto_core::id::Nick;
use transport_mio::{
    directories::Directories,
    identity::moving::{self, Arrived, Export, Import, MoveError},
    key_text,
};

use crate::{arguments::IdTool, password::Password, session::Exit, terminal};

use super::RunError;

/// Shows the keys in the data directory, or moves one.
pub(super) fn run(directories: &Directories, tool: &IdTool) -> Result<Exit, RunError> {
    match (&tool.export, &tool.import) {
        (Some(file), _) => export(directories, tool, file),
        (None, Some(file)) => import(directories, tool, file),
        (None, None) => show(directories, tool.nick),
    }
}

fn show(directories: &Directories, nick: Option<Nick>) -> Result<Exit, RunError> {
    let all = nick.map_or_else(|| directories.clients(), |nick| vec![nick]);
    let mut out = io::stdout().lock();
    if all.is_empty() {
        let data = directories.data().display();
        writeln!(out, "There is no identity in {data} yet; the first `join` makes one.")?;
    }
    let mut shown = Exit::Done;
    for nick in all {
        let directory = directories.existing_client(&nick)?;
        let key = moving::key(&directory)
            .and_then(|key| key.ok_or(MoveError::None { directory: directory.clone() }));
        match key {
            Ok(key) => {
                writeln!(out, "{nick}")?;
                writeln!(out, "    key {}", key_text::encode(&key))?;
                writeln!(out, "    in {}", directory.join("identity").display())?;
            }
            Err(error) => {
                writeln!(io::stderr(), "udpchat: {nick}: {error}")?;
                shown = Exit::Failed;
            }
        }
    }
    Ok(shown)
}

fn export(directories: &Directories, tool: &IdTool, file: &Path) -> Result<Exit, RunError> {
    let all = directories.clients();
    let nick = match (tool.nick, &all[..]) {
        (Some(nick), _) => nick,
        (None, [nick]) => *nick,
        (None, []) => return Err(none(directories)),
        (None, several) => {
            let nicks: Vec<_> = several.iter().map(Nick::as_str).collect();
            return Err(RunError::Whose { nicks: nicks.join(", ") });
        }
    };
    let export = Export::new(&directories.existing_client(&nick)?, nick, file)?;
    let passphrase = passphrase(tool, true)?;
    let key = export.finish(passphrase.as_bytes())?;
    let mut out = io::stdout().lock();
    writeln!(out, "The identity of {nick} is in {} now, and no longer here.", file.display())?;
    writeln!(out, "    key {}", key_text::encode(&key))?;
    writeln!(out, "On the other device, run: udpchat id --import {}", file.display())?;
    writeln!(
        out,
        "History, and messages that were not delivered yet, stay here. Whoever has the file and its \
         passphrase is {nick}."
    )?;
    Ok(Exit::Done)
}

fn import(directories: &Directories, tool: &IdTool, file: &Path) -> Result<Exit, RunError> {
    let import = Import::read(file)?;
    let passphrase = passphrase(tool, false)?;
    let arrived = import.finish(directories, passphrase.as_bytes())?;
    let Arrived { nick, key, directory, file } = arrived;
    let mut out = io::stdout().lock();
    writeln!(out, "The identity of {nick} is in {} now.", directory.display())?;
    writeln!(out, "    key {}", key_text::encode(&key))?;
    writeln!(out, "The file is called {} from now on, and is not taken again.", file.display())?;
    Ok(Exit::Done)
}

fn none(directories: &Directories) -> RunError {
    MoveError::None { directory: directories.data().to_owned() }.into()
}

/// The passphrase of a file: from where the command line says, or typed, `new` ones twice.
fn passphrase(tool: &IdTool, new: bool) -> Result<Password, RunError> {
    if let Some(descriptor) = tool.descriptor {
        return Password::from_descriptor(descriptor)
            .map_err(|cause| RunError::Password { descriptor, cause });
    }
    let refused = |why: &str| RunError::Passphrase { why: why.to_owned() };
    if !io::stdin().is_terminal() {
        return Err(refused("nobody can be asked for the passphrase; pass --passphrase-fd"));
    }
    let ask =
        |prompt| terminal::read_secret(prompt).ok_or_else(|| refused("no passphrase was typed"));
    let typed = ask("Passphrase of the file, which is not shown: ")?;
    if new && typed.as_bytes().len() >= moving::LEAST && ask("The same again: ")? != typed {
        return Err(refused("the two are not the same"));
    }
    Ok(typed)
}
