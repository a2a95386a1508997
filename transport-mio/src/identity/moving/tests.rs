use tempfile::TempDir;

use super::*;
use crate::identity::load_or_create;

const PASSPHRASE: &[u8] = b"open sesame";

/// Two data directories, and a place for a file.
struct Places {
    _root: TempDir,
    old: Directories,
    new: Directories,
    file: PathBuf,
    key: PublicKey,
}

fn alice() -> Nick {
    Nick::new("alice").unwrap()
}

impl Places {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directories = |name| Directories::new(Some(&root.path().join(name))).unwrap();
        let (old, new) = (directories("old"), directories("new"));
        let secret = load_or_create(&old.client(&alice()).unwrap().join(files::IDENTITY)).unwrap();
        let file = root.path().join("alice.id");
        Self { _root: root, old, new, file, key: key_of(secret) }
    }

    fn home(&self) -> PathBuf {
        self.old.client(&alice()).unwrap()
    }

    fn export(&self) -> Result<Export, MoveError> {
        Export::new(&self.home(), alice(), &self.file)
    }

    fn import(&self) -> Result<Import, MoveError> {
        Import::read(&self.file)
    }

    fn away(&self) -> PathBuf {
        self.new.client(&alice()).unwrap()
    }

    /// Brings the move to its end, the export having been broken into, and checks that exactly one
    /// directory has the identity.
    fn ends_well(&self) {
        assert!(check(&self.home()).is_err(), "no program runs there meanwhile");
        assert_eq!(self.export().unwrap().finish(PASSPHRASE).unwrap(), self.key);
        self.arrives();
    }

    fn arrives(&self) {
        assert!(matches!(check(&self.home()), Err(MoveError::Moved { .. })));
        let arrived = self.import().unwrap().finish(&self.new, PASSPHRASE).unwrap();
        assert_eq!((arrived.nick, arrived.key), (alice(), self.key));
        assert_eq!(key(&self.away()).unwrap(), Some(self.key));
        assert!(matches!(check(&self.home()), Err(MoveError::Moved { .. })));
        assert!(!self.home().join(files::IDENTITY).exists());
        assert!(!self.file.exists() && imported(&self.file).exists());
        for file in [&self.file, &imported(&self.file)] {
            let again = Import::read(file).and_then(|it| it.finish(&self.old, PASSPHRASE));
            assert!(matches!(again, Err(MoveError::AlreadyImported { .. })));
        }
    }
}

/// Writes the file.
fn write(export: &Export) {
    let contents = Contents { nick: export.nick, secret: export.secret.clone() };
    let sealed = sealed::seal(&contents, PASSPHRASE, draw_salt().unwrap()).unwrap();
    export.write(&sealed, PASSPHRASE).unwrap();
}

#[test]
fn an_identity_moves_and_is_in_one_place() {
    let places = Places::new();
    assert_eq!(places.export().unwrap().finish(PASSPHRASE).unwrap(), places.key);
    assert!(matches!(places.export().err(), Some(MoveError::Moved { .. })));
    places.arrives();
}

#[test]
fn an_export_that_broke_off_is_brought_to_its_end_wherever_it_did() {
    let places = Places::new();
    places.export().unwrap().mark().unwrap();
    places.ends_well();

    let places = Places::new();
    let export = places.export().unwrap();
    export.mark().unwrap();
    write(&export);
    drop(export);
    let other = places.file.with_extension("other");
    let elsewhere = Export::new(&places.home(), alice(), &other).err();
    assert!(matches!(elsewhere, Some(MoveError::UnfinishedExport { .. })), "there is one already");
    let guess = places.export().unwrap().finish(b"open sesamy").unwrap_err();
    assert!(guess.to_string().contains("passphrase is wrong"), "{guess}");
    places.ends_well();

    // Or it is taken back.
    let places = Places::new();
    let export = places.export().unwrap();
    export.mark().unwrap();
    write(&export);
    drop(export);
    places.import().unwrap().finish(&places.old, PASSPHRASE).unwrap();
    assert_eq!(key(&places.home()).unwrap(), Some(places.key));
}

#[test]
fn an_import_that_broke_off_is_brought_to_its_end_wherever_it_did() {
    for steps in 1..=3 {
        let places = Places::new();
        places.export().unwrap().finish(PASSPHRASE).unwrap();
        let import = places.import().unwrap();
        let secret = sealed::open(&import.sealed, PASSPHRASE).unwrap().secret;
        import.mark(&places.away()).unwrap();
        if steps > 1 {
            super::super::publish(&places.away().join(files::IDENTITY), &secret).unwrap();
        }
        if steps > 2 {
            import.rename().unwrap();
        }
        let refused = check(&places.away()).unwrap_err();
        assert!(matches!(refused, MoveError::UnfinishedImport { .. }), "{refused}");
        if steps > 2 {
            let elsewhere = places.import().unwrap().finish(&places.old, PASSPHRASE);
            assert!(matches!(elsewhere, Err(MoveError::AlreadyImported { .. })));
        }
        places.import().unwrap().finish(&places.new, PASSPHRASE).unwrap();
        assert_eq!(key(&places.away()).unwrap(), Some(places.key), "{steps}");
        assert!(!places.file.exists());
    }
}

#[test]
fn an_export_that_cannot_be_written_changes_nothing() {
    let places = Places::new();
    let nowhere = places.file.join("no such directory/alice.id");
    let refused = Export::new(&places.home(), alice(), &nowhere).unwrap().finish(PASSPHRASE);
    assert!(matches!(refused, Err(MoveError::System { .. })));
    assert_eq!(key(&places.home()).unwrap(), Some(places.key));
    fs::write(&places.file, b"mine").unwrap();
    assert!(matches!(places.export().err(), Some(MoveError::FileExists { .. })));
    assert_eq!(fs::read(&places.file).unwrap(), b"mine");
    fs::remove_file(&places.file).unwrap();
    let refused = places.export().unwrap().finish("sésame!".as_bytes());
    assert!(matches!(refused, Err(MoveError::Short)));
    assert_eq!(key(&places.home()).unwrap(), Some(places.key));
}

#[test]
fn an_import_that_cannot_be_marked_changes_nothing() {
    let places = Places::new();
    places.export().unwrap().finish(PASSPHRASE).unwrap();
    fs::write(imported(&places.file), b"another one").unwrap();
    let refused = places.import().unwrap().finish(&places.new, PASSPHRASE);
    assert!(matches!(refused, Err(MoveError::FileExists { .. })));
    assert_eq!(key(&places.away()).unwrap(), None);
    fs::remove_file(imported(&places.file)).unwrap();
    places.arrives();
}

#[test]
fn an_identity_that_is_there_is_not_replaced() {
    let places = Places::new();
    let there = load_or_create(&places.away().join(files::IDENTITY)).unwrap();
    places.export().unwrap().finish(PASSPHRASE).unwrap();
    let refused = places.import().unwrap().finish(&places.new, PASSPHRASE);
    assert!(matches!(refused, Err(MoveError::Occupied { .. })));
    assert_eq!(key(&places.away()).unwrap(), Some(key_of(there)));
    assert!(places.file.exists());
}

#[test]
fn no_identity_is_moved_under_a_program_that_runs() {
    let places = Places::new();
    let running: Store = Store::open(&places.home().join(files::STORE), || ()).unwrap();
    assert!(matches!(places.export().err(), Some(MoveError::Store(OpenError::InUse { .. }))));
    drop(running);
    places.export().unwrap();
}
