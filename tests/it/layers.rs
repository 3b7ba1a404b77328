//! The shape of the source: arrows between the modules point one way, files
//! stay small, each says what it is for, and one alone is `unsafe`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::fixtures::repository;

/// Longest source file in lines.
const MAX_LINES: usize = 520;

/// The only file that may be unsafe: it calls libssh.
const UNSAFE: &str = "sftp/transport.rs";

/// Each module and what it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("events", &["domain"]),
    ("export", &["domain"]),
    ("https", &["config"]),
    ("serving", &["domain", "config", "https"]),
    ("oidc", &["config"]),
    ("store", &["domain"]),
    ("speech", &["domain"]),
    ("llm", &["domain", "config"]),
    ("search", &["domain", "store"]),
    (
        "pipeline",
        &[
            "domain", "config", "events", "store", "speech", "llm", "search",
        ],
    ),
    ("intake", &["domain", "config", "store", "sftp", "pipeline"]),
    (
        "erasure",
        &["domain", "config", "store", "pipeline", "sftp"],
    ),
    (
        "schedule",
        &["domain", "config", "store", "erasure", "intake"],
    ),
    ("report", &["domain", "store", "search"]),
    ("accounts", &["domain", "store"]),
    ("sftp", &["domain", "config", "store", "accounts"]),
    ("control", &["domain", "accounts", "sftp", "store"]),
    (
        "api",
        &[
            "domain", "erasure", "config", "events", "store", "speech", "llm", "search",
            "pipeline", "intake", "report", "accounts", "sftp", "export", "oidc", "app",
        ],
    ),
    (
        "app",
        &[
            "domain", "erasure", "config", "events", "store", "speech", "llm", "search",
            "pipeline", "intake", "report", "accounts", "sftp", "control", "schedule", "api",
            "https", "serving", "oidc",
        ],
    ),
    (
        "cli",
        &[
            "domain", "erasure", "config", "events", "store", "speech", "llm", "search",
            "pipeline", "intake", "report", "accounts", "sftp", "control", "export", "https",
            "api", "app",
        ],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = repository().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    assert!(paths.len() > 30, "the source is not there");
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text");
            let name = path.strip_prefix(&src).expect("inside").to_owned();
            (name, text)
        })
        .collect()
}

/// The text without comments that fill a line, up to the unit tests.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn is_test(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name.contains("/tests/") || name.ends_with("tests.rs")
}

/// The top-level module that a source file belongs to.
fn module(name: &Path) -> String {
    let first = name.iter().next().expect("a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Names of the top-level modules in `crate::name` and `crate::{name…, name…}`.
fn used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(name(rest));
            continue;
        };
        let mut depth = 1;
        let mut begin = true;
        for (index, c) in group.char_indices() {
            if depth == 1 && begin && !c.is_whitespace() {
                found.insert(name(&group[index..]));
                begin = false;
            }
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => begin = depth == 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    // `use crate::{a,}` ends in nothing.
    found.remove("");
    found
}

#[test]
fn arrows_point_one_way() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let module = module(&name);
        if is_test(&name) || module == "lib" || module == "main" {
            continue;
        }
        let Some((_, may_use)) = MAY_USE.iter().find(|(known, _)| *known == module) else {
            faults.push(format!(
                "src/{}: the module '{module}' has no place in the order",
                name.display()
            ));
            continue;
        };
        for other in used(&code(&text)) {
            if other != module && !may_use.contains(&other.as_str()) {
                faults.push(format!("src/{}: {module} → {other}", name.display()));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "arrows that are not allowed:\n{}",
        faults.join("\n")
    );
}

#[test]
fn the_reader_of_arrows_sees_them() {
    let text = "use crate::store::{Store, StoreError};\nuse crate::{app::Parts, domain::{Call, Job},\n    search};\n// use crate::cli;\nlet x = crate::events::f();\n$crate::no;\n";
    let found: Vec<String> = used(&code(text)).into_iter().collect();
    assert_eq!(found, ["app", "domain", "events", "search", "store"]);
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!(
                "src/{}: {lines} lines, more than {MAX_LINES}",
                name.display()
            ));
        }
        if !text.starts_with("//!") {
            faults.push(format!("src/{}: does not begin with //!", name.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Unsafe blocks without a line above that says why they are sound.
fn unstated(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe impl");
    (0..lines.len())
        .filter(|at| is_unsafe(lines[*at]) && !lines[*at].contains("unsafe extern"))
        .filter(|at| {
            !lines[at.saturating_sub(8)..*at]
                .iter()
                .any(|line| line.contains("// SAFETY:"))
        })
        .map(|at| format!("src/{UNSAFE}:{}: no SAFETY line", at + 1))
        .collect()
}

#[test]
fn only_the_binding_to_libssh_is_unsafe() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        if name == Path::new(UNSAFE) {
            faults.extend(unstated(&text));
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
            if words.into_iter().any(|word| word == "unsafe") || line.contains("allow(unsafe") {
                faults.push(format!(
                    "src/{} (line {number} of code): {}",
                    name.display(),
                    line.trim()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn calls_and_dropped_files_are_written_where_the_list_learns_of_it() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        if is_test(&name) {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let code: String = code(&text).split_whitespace().collect();
        for call in ["put(&txn,schema::CALLS", "put(txn,schema::CALLS"] {
            if code.contains(call) {
                faults.push(format!("src/{name}: a call is written past Txn::put_call"));
            }
        }
        if code.contains("open_table(DROPPED)")
            && !["store/dropped.rs", "store/listing/mod.rs"].contains(&name.as_str())
        {
            faults.push(format!(
                "src/{name}: dropped files are the matter of store/dropped.rs"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
