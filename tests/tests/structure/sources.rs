//! What a crate's source files say of its structure. Modules of tests are passed over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Expr, Field, ImplItem, ItemImpl, ItemMod, ItemStruct, ItemUse, Macro, Token, Type,
    UseTree, Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// A path in a crate; its root's is empty.
type Names = Vec<String>;

/// Who sees a field that is neither private nor public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The module above, with all that is in it.
    Parent,
    /// The crate, or a part of it that is named.
    Beyond,
}

/// The modules of a crate.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Each module, and the one whose file it is in: another one if it is inline.
    files: BTreeMap<Names, Names>,
    /// The path that a module imports a name by.
    imported: BTreeMap<(Names, String), Names>,
    /// Each path that a module uses.
    used: Vec<(Names, Names)>,
    /// Of each `impl` of no trait: the module, the type as it is written, and the methods.
    methods: Vec<(Names, Names, usize)>,
    /// The modules with fields that others see: those above it, or all of the crate.
    open: BTreeSet<(Names, Reach)>,
    /// The module that is being read.
    module: Names,
    /// Where the files of its children are.
    folder: PathBuf,
}

impl Sources {
    /// Reads the crate whose root is `file`.
    pub(crate) fn read(file: &Path) -> Self {
        let folder = file.parent().expect("a folder").to_owned();
        let mut sources = Self { folder, ..Self::default() };
        sources.read_file(file);
        sources
    }

    /// The modules of two files, for each file that uses something of another one.
    pub(crate) fn imports(&self) -> BTreeSet<(Names, Names)> {
        let import = |(from, path): &(Names, Names)| {
            let (to, _) = self.resolve(from, path)?;
            Some((self.files[from].clone(), self.files[&to].clone()))
        };
        self.used.iter().filter_map(import).collect()
    }

    /// The files that have a field with such a reach.
    pub(crate) fn open_fields(&self) -> impl Iterator<Item = (&Names, Reach)> {
        self.open.iter().map(|(module, reach)| (&self.files[module], *reach))
    }

    /// How many methods each type has.
    pub(crate) fn methods(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for (module, path, count) in &self.methods {
            if let Some((module, Some(name))) = self.resolve(module, path) {
                *all.entry(joined(&module, &name).join("::")).or_default() += count;
            }
        }
        all
    }

    /// Whether a module has other files below its own.
    pub(crate) fn is_folder(&self, module: &str) -> bool {
        let below = format!("{module}::");
        self.files.values().any(|file| file.join("::").starts_with(&below))
    }

    /// The module that `path` leads to from `from`, and the item there, if it names one.
    fn resolve(&self, from: &Names, path: &[String]) -> Option<(Names, Option<String>)> {
        let mut at = from.clone();
        for (index, name) in path.iter().enumerate() {
            let child = joined(&at, name);
            match (name.as_str(), self.imported.get(&(at.clone(), name.clone()))) {
                ("crate", _) => at.clear(),
                ("self", _) => {}
                ("super", _) => drop(at.pop()?),
                _ if self.files.contains_key(&child) => at = child,
                (_, Some(import)) => {
                    let path = [import, &path[index + 1..]].concat();
                    return self.resolve(&at, &path);
                }
                (_, None) => return Some((at, Some(name.clone()))),
            }
        }
        Some((at, None))
    }

    fn read_file(&mut self, file: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let items = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.files.insert(self.module.clone(), self.module.clone());
        self.visit_file(&items);
    }

    fn import(&mut self, mut path: Names, tree: &UseTree) {
        let name = match tree {
            UseTree::Path(stem) => {
                path.push(stem.ident.to_string());
                return self.import(path, &stem.tree);
            }
            UseTree::Group(list) => {
                return list.items.iter().for_each(|tree| self.import(path.clone(), tree));
            }
            UseTree::Name(name) => name.ident.to_string(),
            UseTree::Rename(name) => name.ident.to_string(),
            UseTree::Glob(_) => "self".to_owned(),
        };
        path.extend(Some(name).filter(|name| name != "self"));
        // `use x::x` would lead to itself.
        if let Some(name) = path.last().filter(|name| path.first() != Some(name)) {
            self.imported.insert((self.module.clone(), name.clone()), path.clone());
        }
        self.used.push((self.module.clone(), path));
    }
}

impl Visit<'_> for Sources {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        if is_test(&item.attrs) {
            return;
        }
        let outer = self.files[&self.module].clone();
        self.module.push(item.ident.to_string());
        self.folder.push(item.ident.to_string());
        if let Some((_, items)) = &item.content {
            self.files.insert(self.module.clone(), outer);
            for item in items {
                self.visit_item(item);
            }
        } else {
            let file = self.folder.with_extension("rs");
            self.read_file(&if file.exists() { file } else { self.folder.join("mod.rs") });
        }
        self.folder.pop();
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.import(Names::new(), &item.tree);
    }

    fn visit_visibility(&mut self, _: &Visibility) {
        // Who may see an item is no import.
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names = names(path);
        if ["crate", "self", "super"].contains(&names[0].as_str()) {
            self.used.push((self.module.clone(), names));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_struct(&mut self, item: &ItemStruct) {
        // Values that are passed on, and views of state that is elsewhere, are open to whom they
        // are given.
        let derives = |of: &Attribute| {
            let traits = of.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated);
            of.path().is_ident("derive")
                && traits.is_ok_and(|all| all.iter().any(|one| one.is_ident("Copy")))
        };
        let is_value = item.attrs.iter().any(derives);
        let is_view = item.generics.lifetimes().next().is_some();
        for field in &item.fields {
            if is_value || is_view {
                visit::visit_field(self, field);
            } else {
                self.visit_field(field);
            }
        }
    }

    fn visit_field(&mut self, field: &Field) {
        let reach = match &field.vis {
            Visibility::Restricted(to) if to.path.is_ident("super") => Some(Reach::Parent),
            Visibility::Restricted(_) => Some(Reach::Beyond),
            Visibility::Public(_) | Visibility::Inherited => None,
        };
        self.open.extend(reach.map(|reach| (self.module.clone(), reach)));
        visit::visit_field(self, field);
    }

    fn visit_macro(&mut self, call: &Macro) {
        // Most are called like functions.
        if let Ok(all) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            for one in &all {
                self.visit_expr(one);
            }
        }
    }

    fn visit_item_impl(&mut self, item: &ItemImpl) {
        if let (None, Type::Path(of)) = (&item.trait_, &*item.self_ty) {
            let is_method =
                |item: &&ImplItem| matches!(item, ImplItem::Fn(f) if !is_test(&f.attrs));
            let count = item.items.iter().filter(is_method).count();
            self.methods.push((self.module.clone(), names(&of.path), count));
        }
        visit::visit_item_impl(self, item);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let condition = |of: &Attribute| of.parse_args::<syn::Path>().ok();
    let is_test = |of: &Attribute| condition(of).is_some_and(|of| of.is_ident("test"));
    attributes.iter().any(|of| of.path().is_ident("cfg") && is_test(of))
}

fn names(path: &syn::Path) -> Names {
    path.segments.iter().map(|name| name.ident.to_string()).collect()
}

fn joined(module: &[String], child: &str) -> Names {
    [module, &[child.to_owned()]].concat()
}
