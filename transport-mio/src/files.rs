//! Private files and directories that survive a power cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The name of the file with a role's secret key, in its directory.
pub(crate) const IDENTITY: &str = "identity";

/// The name of the file with a role's durable state, in its directory.
pub(crate) const STORE: &str = "store.redb";

/// Creates a directory and the missing ones above it, for their owner alone.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directory(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Another process may have been quicker.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_directory(path),
    }
}

/// Creates a file next to `path`, for its owner alone and under a name of its
/// own, to be filled and then moved there.
pub(crate) fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut tag = [0; 8];
    getrandom::fill(&mut tag)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", u64::from_le_bytes(tag)));
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&beside)?;
    Ok((beside, file))
}

/// Gives a finished file its name, unless something has that name already:
/// of two processes that start at once one wins, and both use the winner's file.
pub(crate) fn publish(finished: &Path, path: &Path) -> io::Result<()> {
    let linked = match fs::hard_link(finished, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links.
        Err(_) if !path.try_exists()? => return rename(finished, path),
        other => other,
    };
    let removed = fs::remove_file(finished);
    linked.and(removed).and_then(|()| sync_directory(path))
}

/// Replaces a file's content; whoever reads it finds all of the old or all of the new.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (beside, mut file) = create_beside(path)?;
    let replaced =
        file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| rename(&beside, path));
    if replaced.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Why a file or directory is not its user's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Others have rights to it.
    Mode(u32),
    /// It belongs to this user, who is somebody else.
    Owner(u32),
}

/// Why what this is about is not its user's alone; always none where the system
/// has no such rights.
pub(crate) fn exposure(metadata: &fs::Metadata) -> Option<Exposure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
        if owner != user() {
            return Some(Exposure::Owner(owner));
        }
        (mode & 0o077 != 0).then_some(Exposure::Mode(mode))
    }
    #[cfg(not(unix))]
    None
}

/// The number of the user that this program runs as, where there are such numbers.
pub(crate) fn user() -> u32 {
    #[cfg(unix)]
    return rustix::process::geteuid().as_raw();
    #[cfg(not(unix))]
    return 0;
}

/// Removes a file, durably.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_directory(path)
}

/// Gives a file another name, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory(to)
}

/// Makes the name of `path` durable in the directory that holds it.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) => File::open(".")?.sync_all(),
        None => Ok(()),
    }
}
