//! The structure of the sources: imports of the core point down, circles of imports stay within
//! a folder, and no type does everything.

mod sources;

use std::{collections::BTreeSet, path::Path};

use sources::Sources;

/// Where each crate begins.
const CRATES: [(&str, &str); 4] = [
    (CORE, "proto-core/src/lib.rs"),
    ("transport-mio", "transport-mio/src/lib.rs"),
    ("cli", "cli/src/main.rs"),
    ("tests", "tests/src/lib.rs"),
];

const CORE: &str = "proto-core";

/// The modules of the core in layers, the lowest first. Each imports from lower layers only: not
/// from its own either.
const LAYERS: [&[&str]; 8] = [
    &["random", "time"],
    &["id"],
    &["password", "storage", "timers"],
    &["wire"],
    &["host", "record", "session", "violation"],
    &["link"],
    &["role"],
    &["client", "server"],
];

/// The most methods of a type, those of traits not counted.
const MAX_METHODS: usize = 40;

/// What is wrong as yet: it only gets less.
const KNOWN: [&str; 3] = [
    "cli: session::Session has over 40 methods",
    "proto-core: client::engine::Engine has over 40 methods",
    "proto-core: server::engine::Engine has over 40 methods",
];

#[test]
fn nothing_is_wrong_with_the_structure_but_what_is_known() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = BTreeSet::new();
    for (name, root) in CRATES {
        let sources = Sources::read(&workspace.join(root));
        let all = [imports(name, &sources), types(&sources)].concat();
        wrong.extend(all.iter().map(|what| format!("{name}: {what}")));
    }
    let known = KNOWN.map(str::to_owned).into();
    let lines = |of: BTreeSet<String>| of.into_iter().collect::<Vec<_>>().join("\n");
    let (new, gone) = (lines(&wrong - &known), lines(&known - &wrong));
    assert!(new.is_empty(), "this is new, see LAYERS and MAX_METHODS:\n{new}\n");
    assert!(gone.is_empty(), "this is so no more, take it out of KNOWN:\n{gone}\n");
}

/// What imports what: a file, or a folder with all that is in it, and another one beside it.
type Imports = BTreeSet<(String, String)>;

/// What is wrong with the imports of a crate.
fn imports(name: &str, sources: &Sources) -> Vec<String> {
    let siblings = |(from, to): (Vec<String>, Vec<String>)| {
        let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        // A module and those below it are one.
        Some((from.get(..=shared)?.join("::"), to.get(..=shared)?.join("::")))
    };
    let imports: Imports = sources.imports().into_iter().filter_map(siblings).collect();
    let mut wrong = Vec::new();
    for (from, to) in &imports {
        let is_top = !from.contains("::");
        // The files of a folder may import each other; a folder in it is apart.
        let is_apart = is_top || sources.is_folder(from) || sources.is_folder(to);
        if name == CORE && is_top {
            if layer(to).is_none_or(|to| Some(to) >= layer(from)) {
                wrong.push(format!("{from} imports {to}, which is not below it"));
            }
        } else if is_apart && reaches(&imports, to, from) {
            wrong.push(format!("{from} imports {to}, in a circle"));
        }
    }
    wrong
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn reaches(imports: &Imports, from: &str, to: &str) -> bool {
    let mut reached = BTreeSet::from([from]);
    loop {
        let next = imports.iter().filter(|(from, _)| reached.contains(&**from));
        let next: BTreeSet<_> = next.map(|(_, to)| &**to).collect();
        if next.is_subset(&reached) {
            return next.contains(to);
        }
        reached.extend(next);
    }
}

/// What is wrong with the types of a crate.
fn types(sources: &Sources) -> Vec<String> {
    let large = sources.methods().into_iter().filter(|(_, methods)| *methods > MAX_METHODS);
    large.map(|(name, _)| format!("{name} has over {MAX_METHODS} methods")).collect()
}
