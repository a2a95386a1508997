//! The structure of the sources: imports of the core point down, circles of imports stay within
//! a folder, and no type does everything.

mod sources;

use std::{collections::BTreeSet, path::Path};

use sources::{Reach, Sources};

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
    &["id", "rate"],
    &["password", "received", "storage", "timers"],
    &["wire"],
    &["host", "record", "session", "violation"],
    &["link"],
    &["role"],
    &["client", "server"],
];

/// The modules of the core that are taken apart into components, a folder each: files of different
/// components do not import each other in circles, nor write each other's fields.
const ROLES: [&str; 2] = ["client", "server"];

/// What every component may use lies open to all.
const CONTEXT: &str = "ctx";

/// What is composed of one part of each component, which is closed to the others: rows, what is kept
/// for a link, and what a role keeps between inputs.
const COMPOSED: [&str; 4] =
    ["client::contact", "client::roster::peer", "server::role::session", "server::state"];

/// What is written to the store and read again: values, open to whom they are given.
const RECORDS: [&str; 2] = ["client::headers", "client::rooms::history"];

/// The most methods of a type, those of traits not counted.
const MAX_METHODS: usize = 40;

#[test]
fn nothing_is_wrong_with_the_structure() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = BTreeSet::new();
    for (name, root) in CRATES {
        let sources = Sources::read(&workspace.join(root));
        let mut all = [imports(name, &sources), types(&sources)].concat();
        if name == CORE {
            all.extend(components(&sources));
        }
        wrong.extend(all.iter().map(|what| format!("{name}: {what}")));
    }
    let wrong = wrong.into_iter().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "see LAYERS, ROLES and MAX_METHODS:\n{wrong}\n");
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
    let is_within_role = |(from, to): &(Vec<String>, Vec<String>)| {
        name == CORE && from.first() == to.first() && role(from).is_some()
    };
    let imports = sources.imports().into_iter().filter(|import| !is_within_role(import));
    let imports: Imports = imports.filter_map(siblings).collect();
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

/// What is wrong with the components of a role.
fn components(sources: &Sources) -> Vec<String> {
    let file = |names: &[String]| names.join("::");
    let imports: Imports =
        sources.imports().iter().map(|(from, to)| (file(from), file(to))).collect();
    let mut wrong = Vec::new();
    let component = |module: &[String]| component(sources, module);
    for (from, to) in sources.imports() {
        let is_apart =
            from != to && (component(&from).is_none() || component(&from) != component(&to));
        if role(&from).is_some() && is_apart && reaches(&imports, &file(&to), &file(&from)) {
            wrong.push(format!("{} imports {}, in a circle", file(&from), file(&to)));
        }
    }
    for (module, reach) in sources.open_fields() {
        let is_context = module.get(1).is_some_and(|name| name == CONTEXT);
        let is_open = reach == Reach::Beyond || component(module).is_none();
        let is_composed = [&COMPOSED[..], &RECORDS].concat().contains(&&*file(module));
        if role(module).is_some() && !is_context && !is_composed && is_open {
            wrong.push(format!("{} has fields that other components see", file(module)));
        }
    }
    wrong.sort();
    wrong
}

/// The role that a module is of.
fn role(module: &[String]) -> Option<&str> {
    module.first().map(String::as_str).filter(|name| ROLES.contains(name))
}

/// The component that a module is of: the folder below its role's that it is in.
fn component(sources: &Sources, module: &[String]) -> Option<String> {
    let folder = role(module).and(module.get(..2))?.join("::");
    sources.is_folder(&folder).then_some(folder)
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
