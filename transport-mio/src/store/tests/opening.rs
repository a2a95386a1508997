use std::fs;

use super::*;

#[test]
fn the_boot_counter_goes_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    for boot in 1..=3 {
        assert_eq!(Opened::at(&path).unwrap().store.boot(), boot);
    }
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "only the store is left: {names:?}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(Opened::at(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_opener_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let first = Opened::at(&path).unwrap();
    let refused = Opened::at(&path).err().unwrap();
    let told = format!(
        "another udpchat is using this data directory: {}; stop it or pass another --data-dir",
        directory.path().display()
    );
    assert_eq!(refused.to_string(), told);
    drop(first);
    assert_eq!(Opened::at(&path).unwrap().store.boot(), 2);
}

#[test]
fn another_versions_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(Opened::at(&path).unwrap());
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(tables::META).unwrap().insert("schema", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let refused = Opened::at(&path).err().unwrap();
        assert!(matches!(refused, OpenError::Version { found: 99, .. }), "{refused}");
        assert!(refused.to_string().contains("another version of udpchat"), "{refused}");
    }
}

#[test]
fn another_programs_database_is_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    drop(transaction.open_table(redb::TableDefinition::<u64, u64>::new("theirs")).unwrap());
    transaction.commit().unwrap();
    drop(database);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Opened::at(&path), Err(OpenError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(matches!(Opened::at(&path), Err(OpenError::Damaged { .. })));
}

#[test]
fn damaged_files_are_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = Opened::at(&path).unwrap();
    opened.store.requests().put(1, logs()[0], 1, &[7; 5000]);
    drop(opened);
    let whole = fs::read(&path).unwrap();
    let scribbled = [&whole[..64], &vec![0xa5; whole.len() - 64]].concat();
    for damaged in [&b""[..], b"chat log", &whole[..whole.len() / 3], &scribbled, &[0; 9000]] {
        fs::write(&path, damaged).unwrap();
        let refused = Opened::at(&path).err().unwrap();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let refused = Opened::at(Path::new("/nonexistent/udpchat/store")).err().unwrap();
    assert!(refused.to_string().starts_with("cannot open /nonexistent/udpchat/store: "));
}
