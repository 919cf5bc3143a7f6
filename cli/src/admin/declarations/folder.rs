//! A folder of declarations: every `.toml` below it, for one organization, each thing declared once.
//!
//! Whatever could hide a file from its reader is refused and not passed over: what is not read is not declared, and might be
//! deleted. Files and folders whose names begin with a dot are nobody's declarations.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use prost_reflect::DescriptorPool;

use crate::{
    admin::{
        declarations::document::{Declared, Document, Ground},
        text_file,
    },
    failure::Failure,
    place::Place,
};

/// The most files that are read.
// Full: refused, as below. An organization has room for no more than these bounds let through.
const FILES_MAX: usize = 1_000;

/// The most entries of folders that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// How deep folders may stand in each other.
const DEPTH_MAX: usize = 8;

/// The most that is read from all of them.
const BYTES_MAX: usize = 16 << 20;

/// The most declarations.
const DECLARATIONS_MAX: usize = 10_000;

/// How much of what is wrong is told. Full: the rest is told when this is mended.
const PROBLEMS_MAX: usize = 50;

/// What a folder says.
#[derive(Debug)]
pub struct Folder {
    /// Where short names stand: the organization.
    pub place: Place,
    /// All that should be, in the order in which it can be made.
    pub declared: Vec<Declared>,
}

/// Reads a folder, or one file.
pub fn read(root: &Path, place: &Place, pool: &DescriptorPool) -> Result<Folder, Failure> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for path in files(root)? {
        let text = text_file::read(&path)?;
        bytes += text.len();
        if bytes > BYTES_MAX {
            return Err(too_much(root, "more than 16 MiB"));
        }
        texts.push((path.display().to_string(), text));
    }
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    for (file, text) in &texts {
        match Document::parse(file.clone(), text) {
            Ok(document) => documents.push(document),
            Err(why) => problems.push(why),
        }
    }
    let place = organization(&documents, place, &mut problems)?;
    let ground = Ground {
        place: &place,
        pool,
    };
    let mut declared = Vec::new();
    for document in &documents {
        declared.extend(document.declared(&ground, &mut problems));
        if declared.len() > DECLARATIONS_MAX {
            return Err(too_much(root, "more than 10,000 declarations"));
        }
    }
    problems.extend(twice(&declared));
    if !problems.is_empty() {
        return Err(refused(problems));
    }
    if declared.is_empty() {
        let why = format!("{} declares nothing", root.display());
        return Err(Failure::usage(why).with_advice(
            "a declaration stands in a file that ends in .toml, see docs/declarations.md",
        ));
    }
    declared.sort_by(|a, b| (a.kind.order(), &a.name).cmp(&(b.kind.order(), &b.name)));
    Ok(Folder { place, declared })
}

/// The organization that files name, or else the one of the command line; both must be the same.
fn organization(
    documents: &[Document<'_>],
    place: &Place,
    problems: &mut Vec<String>,
) -> Result<Place, Failure> {
    let mut named: Option<String> = None;
    for document in documents {
        match document.organization() {
            Ok(None) => {}
            Ok(Some(text)) => {
                if named.as_deref().is_some_and(|named| named != text) {
                    problems.push("files name two organizations; a folder is for one".to_owned());
                }
                named = Some(text.to_owned());
            }
            Err(why) => problems.push(why),
        }
    }
    let alone = |organization| Place {
        organization: Some(organization),
        project: None,
    };
    let Some(named) = named else {
        return Ok(alone(place.organization()?));
    };
    let from_files = alone(named);
    if place.organization.is_some() && place.organization()? != from_files.organization()? {
        return Err(Failure::usage(
            "the files are for another organization than --organization or SLUICE_ORGANIZATION names; give the one that is meant",
        ));
    }
    Ok(from_files)
}

fn twice(declared: &[Declared]) -> Vec<String> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for it in declared {
        if let Some(before) = first.insert(&it.name, &it.source) {
            problems.push(format!(
                "{}: {} stands at {before}, too",
                it.source, it.name
            ));
        }
    }
    problems
}

fn files(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let looked = |path: &Path, error| Failure::system(format!("read {}", path.display()), &error);
    if fs::metadata(root)
        .map_err(|error| looked(root, error))?
        .is_file()
    {
        return Ok(vec![root.to_owned()]);
    }
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), 1)];
    let mut entries = 0;
    while let Some((folder, depth)) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| looked(&folder, error))? {
            let path = entry.map_err(|error| looked(&folder, error))?.path();
            entries += 1;
            if entries > ENTRIES_MAX {
                return Err(too_much(root, "more than 20,000 files and folders"));
            }
            let name = path.file_name().unwrap_or_default();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let is_link = fs::symlink_metadata(&path).is_ok_and(|it| it.is_symlink());
            let kind = fs::metadata(&path).map_err(|error| looked(&path, error))?;
            if kind.is_dir() && is_link {
                let why = format!("{}: links to folders are not followed", path.display());
                return Err(Failure::usage(why));
            }
            if kind.is_dir() {
                if depth == DEPTH_MAX {
                    return Err(too_much(root, "folders more than eight deep"));
                }
                open.push((path, depth + 1));
            } else if path.extension().is_some_and(|it| it == "toml") {
                if !kind.is_file() {
                    return Err(Failure::usage(format!("{}: is no file", path.display())));
                }
                found.push(path);
            }
        }
        if found.len() > FILES_MAX {
            return Err(too_much(root, "more than 1,000 files"));
        }
    }
    found.sort();
    Ok(found)
}

fn too_much(path: &Path, what: &str) -> Failure {
    Failure::usage(format!(
        "{} holds {what}, which is too much",
        path.display()
    ))
}

fn refused(mut problems: Vec<String>) -> Failure {
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Failure::usage("the declarations are not understood").with_details(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)], organization: &str) -> Result<Folder, Failure> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let place = Place {
            organization: (!organization.is_empty()).then(|| organization.to_owned()),
            project: None,
        };
        read(root.path(), &place, &pool)
    }

    const PROJECT: &str = "[[project]]\nid = 'web'\n";

    #[test]
    fn files_of_all_folders_are_read_in_the_order_of_what_they_declare() {
        let limit = "[[limit]]\nid = 'a'\nscope = 'organization'\nunit = 'tokens'\namount = 1\n";
        let files = [
            ("a.toml", limit),
            ("teams/web.toml", PROJECT),
            (".git/x.toml", "]"),
            ("README.md", "#"),
        ];
        let folder = written(&files, "acme").unwrap();
        let names: Vec<_> = folder.declared.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "organizations/acme/projects/web",
                "organizations/acme/limits/a"
            ]
        );
        let elsewhere = [("o.toml", "organization = 'acme'"), ("p.toml", PROJECT)];
        assert_eq!(written(&elsewhere, "").unwrap().declared.len(), 1);
    }

    #[test]
    fn what_is_said_twice_or_for_two_organizations_is_refused() {
        for (files, organization, says) in [
            (
                vec![("a.toml", PROJECT), ("b.toml", PROJECT)],
                "acme",
                "a.toml:1, too",
            ),
            (
                vec![("a.toml", "organization = 'x'"), ("p.toml", PROJECT)],
                "acme",
                "another organization",
            ),
            (
                vec![
                    ("a.toml", "organization = 'x'"),
                    ("b.toml", "organization = 'y'"),
                ],
                "",
                "two organizations",
            ),
            (vec![("a.toml", PROJECT)], "", "--organization"),
            (vec![("README.md", "")], "acme", "declares nothing"),
        ] {
            let failure = written(&files, organization).unwrap_err();
            assert!(failure.to_string().contains(says), "{failure}");
            assert_eq!(failure.exit() as u8, 2);
        }
        let long = "#".repeat(1 << 20) + "##";
        let failure = written(&[("a.toml", &long)], "acme").unwrap_err();
        assert!(failure.to_string().contains("1 MiB"), "{failure}");
    }
}
