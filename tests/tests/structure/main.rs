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
    &["id"],
    &["password", "storage", "timers"],
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

/// What is composed of one part of each component, which is closed to the others: rows, and what is
/// kept for a link.
const COMPOSED: [&str; 3] = ["client::contact", "client::roster::peer", "server::role::session"];

/// The most methods of a type, those of traits not counted.
const MAX_METHODS: usize = 40;

/// What is wrong as yet: it only gets less.
const KNOWN: [&str; 5] = [
    "proto-core: client::rooms::history has fields that other components see",
    "proto-core: id imports session, which is not below it",
    "proto-core: link::links::Links has over 40 methods",
    "proto-core: record imports client, which is not below it",
    "proto-core: server::engine has fields that other components see",
];

#[test]
fn nothing_is_wrong_with_the_structure_but_what_is_known() {
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
        let is_composed = COMPOSED.contains(&&*file(module));
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
