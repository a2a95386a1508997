//! Private files and directories that survive a power cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

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

/// Whether others than the owner have one of these rights; always false where
/// the system has no such rights.
pub(crate) fn is_open_to_others(metadata: &fs::Metadata, rights: u32) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::mode(metadata) & rights != 0;
    #[cfg(not(unix))]
    return false;
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
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
