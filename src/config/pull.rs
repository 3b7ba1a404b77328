//! Settings of the servers that recordings are pulled from: `[[pull.source]]`.

use std::path::PathBuf;

use jiff::civil::Time;
use serde::Deserialize;
use toml::{Table, Value};

use super::{Secret, Section};

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullProtocol {
    /// FTP: neither password nor recordings are hidden on the way.
    Ftp,
    /// FTP over TLS, begun with AUTH TLS.
    Ftps,
    /// SFTP.
    Sftp,
}

impl PullProtocol {
    /// Name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftps => "ftps",
            Self::Sftp => "sftp",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Ftp | Self::Ftps => 21,
            Self::Sftp => 22,
        }
    }
}

/// What happens on the server to a file whose content is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullAfter {
    /// Nothing.
    Keep,
    /// It goes into this directory.
    Move(String),
    /// It is deleted.
    Delete,
}

/// A server that recordings are pulled from.
#[derive(Debug, Clone, PartialEq)]
pub struct PullSource {
    /// Name in the page and the store.
    pub name: String,
    /// How it is spoken to.
    pub protocol: PullProtocol,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Who signs in.
    pub user: String,
    /// With which password.
    pub password: Secret,
    /// Or with which private key (SFTP).
    pub key_file: Option<PathBuf>,
    /// Where the recordings are; empty: where signing in leads to.
    pub dir: String,
    /// Whether directories in it are looked into.
    pub recursive: bool,
    /// Endings and patterns of names that are fetched; empty: all recordings.
    pub include: Vec<String>,
    /// When the daily run begins, in the zone of the names.
    pub at: Option<Time>,
    /// Hours between the runs that follow a daily one that failed; 0: none.
    pub fallback_hours: u32,
    /// What happens to files whose content is here.
    pub after: PullAfter,
    /// The only host key that is taken, as `SHA256:…` (SFTP).
    pub host_key: Option<String>,
    /// Further authorities for certificates, PEM (FTPS).
    pub ca_file: Option<PathBuf>,
    /// A server that says nothing for so many seconds is given up.
    pub timeout_s: u64,
    /// Older files are left alone.
    pub max_age_days: Option<u32>,
}

/// Reads `[pull]`; `MANGO_FTP_HOST` and its like are the source `mango`.
pub(super) fn read(
    mut table: Table,
    env: &impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Vec<PullSource> {
    let entries = match table.remove("source") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            faults.push("pull.source: is a list: write [[pull.source]]".to_owned());
            Vec::new()
        }
    };
    for key in table.keys() {
        faults.push(format!("pull.{key}: there is no such setting"));
    }
    let mut tables: Vec<Table> = Vec::new();
    for entry in entries {
        match entry {
            Value::Table(table) => tables.push(table),
            _ => faults.push("pull.source: is a list of sections [[pull.source]]".to_owned()),
        }
    }
    mango(&mut tables, env, faults);
    let mut sources: Vec<PullSource> = Vec::new();
    for table in tables {
        let mut own = Vec::new();
        let source = source(table, &mut own);
        if sources.iter().any(|other| other.name == source.name) {
            own.push("name: is there twice".to_owned());
        }
        let name = &source.name;
        faults.extend(
            own.into_iter()
                .map(|fault| format!("pull.source {name:?}: {fault}")),
        );
        sources.push(source);
    }
    sources
}

/// The variables of the previous deployment are the source `mango`.
fn mango(tables: &mut Vec<Table>, env: &impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) {
    let given = |name: &str| {
        env(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    let is_mango = |table: &Table| table.get("name").and_then(Value::as_str) == Some("mango");
    let Some(host) = given("MANGO_FTP_HOST") else {
        let others = ["USER", "PASSWORD", "PORT", "PROTOCOL", "DIR"];
        if !tables.iter().any(is_mango)
            && let Some(other) = others
                .iter()
                .find(|other| given(&format!("MANGO_FTP_{other}")).is_some())
        {
            faults.push(format!("MANGO_FTP_{other}: needs MANGO_FTP_HOST"));
        }
        return;
    };
    let at = tables.iter().position(is_mango).unwrap_or_else(|| {
        tables.push(Table::new());
        tables.len() - 1
    });
    let table = &mut tables[at];
    let mut put = |key: &str, value: String| {
        table.insert(key.to_owned(), Value::String(value));
    };
    put("name", "mango".to_owned());
    put("host", host);
    for (variable, key) in [
        ("MANGO_FTP_USER", "user"),
        ("MANGO_FTP_PASSWORD", "password"),
        ("MANGO_FTP_DIR", "dir"),
    ] {
        if let Some(value) = given(variable) {
            put(key, value);
        }
    }
    if let Some(protocol) = given("MANGO_FTP_PROTOCOL") {
        put("protocol", protocol.to_lowercase());
    }
    if let Some(port) = given("MANGO_FTP_PORT") {
        match port.parse::<u16>() {
            Ok(port) => {
                // Nobody serves FTP where SSH is.
                if port == 22 && !table.contains_key("protocol") {
                    table.insert("protocol".to_owned(), Value::String("sftp".to_owned()));
                }
                table.insert("port".to_owned(), Value::Integer(port.into()));
            }
            Err(_) => faults.push(format!("MANGO_FTP_PORT: {port:?} is no port")),
        }
    }
    table
        .entry("protocol")
        .or_insert_with(|| Value::String("ftp".to_owned()));
}

/// A file that the program must be able to read.
fn readable(section: &mut Section, key: &str) -> Option<PathBuf> {
    let path: Option<PathBuf> = section.take(key, None);
    if let Some(path) = &path
        && let Err(error) = std::fs::File::open(path)
    {
        section.fault(key, &format!("{}: {error}", path.display()));
    }
    path
}

fn source(table: Table, faults: &mut Vec<String>) -> PullSource {
    let mut section = Section {
        name: "",
        table,
        faults,
    };
    let name: String = section.take("name", String::new());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
        section.fault("name", "is 1 to 40 of a-z, 0-9 and -");
    }
    let protocol = section.take::<Option<PullProtocol>>("protocol", None);
    if protocol.is_none() && section.faults.is_empty() {
        section.fault("protocol", "is \"ftp\", \"ftps\" or \"sftp\"");
    }
    let protocol = protocol.unwrap_or(PullProtocol::Sftp);
    let host: String = section.take("host", String::new());
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/@".contains(c)) {
        section.fault("host", "is the name or address of the server");
    }
    let port = section.take("port", protocol.usual_port());
    let user: String = section.take("user", String::new());
    let password = Secret::from(section.take("password", String::new()));
    for (key, text) in [("user", user.as_str()), ("password", password.expose())] {
        if text.chars().any(char::is_control) {
            section.fault(key, "has a character that cannot be sent");
        }
    }
    if user.is_empty() {
        section.fault("user", "is missing");
    }
    let key_file = readable(&mut section, "key_file");
    if key_file.is_some() && protocol != PullProtocol::Sftp {
        section.fault("key_file", "is for sftp only");
    }
    if password.is_empty() && key_file.is_none() {
        section.fault("password", "is missing (or key_file, for sftp)");
    }
    let dir = directory(&mut section, "dir").unwrap_or_default();
    let include: Vec<String> = section.take("include", Vec::new());
    if include.iter().any(|entry| entry.trim().is_empty()) {
        section.fault("include", "has an empty entry");
    }
    let at: String = section.take("at", "03:00".to_owned());
    let time = at
        .split_once(':')
        .and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
    if time.is_none() && at != "off" {
        section.fault("at", "is a time such as \"03:00\", or \"off\"");
    }
    let fallback_hours = section.take("fallback_hours", 6);
    if fallback_hours > 168 {
        section.fault("fallback_hours", "is from 0 (never) to 168");
    }
    let after = after(&mut section, &dir);
    let host_key: Option<String> = section.take("host_key", None);
    if let Some(key) = &host_key
        && !(protocol == PullProtocol::Sftp && key.starts_with("SHA256:") && key.len() == 50)
    {
        section.fault("host_key", "is SHA256: and 43 characters, for sftp only");
    }
    let ca_file = readable(&mut section, "ca_file");
    if ca_file.is_some() && protocol != PullProtocol::Ftps {
        section.fault("ca_file", "is for ftps only");
    }
    let timeout_s = section.take("timeout_s", 60);
    if !(1..=3600).contains(&timeout_s) {
        section.fault("timeout_s", "is from 1 to 3600");
    }
    let source = PullSource {
        name,
        protocol,
        host,
        port,
        user,
        password,
        key_file,
        dir,
        recursive: section.take("recursive", true),
        include,
        at: time,
        fallback_hours,
        after,
        host_key,
        ca_file,
        timeout_s,
        max_age_days: section.take("max_age_days", None),
    };
    section.finish();
    source
}

/// A directory on the server, without the slash at its end.
fn directory(section: &mut Section, key: &str) -> Option<String> {
    let text: String = section.take::<Option<String>>(key, None)?;
    if text.chars().any(char::is_control) || text.split('/').any(|part| part == "..") {
        section.fault(key, "is a directory on the server, without \"..\"");
    }
    let trimmed = text.trim().trim_end_matches('/');
    let trimmed = trimmed.trim_start_matches("./");
    if trimmed.is_empty() && text.trim().starts_with('/') {
        return Some("/".to_owned());
    }
    Some(if trimmed == "." { "" } else { trimmed }.to_owned())
}

fn after(section: &mut Section, dir: &str) -> PullAfter {
    let after: String = section.take("after", "keep".to_owned());
    let move_to = directory(section, "move_to").filter(|to| !to.is_empty() && to != "/");
    if move_to.is_some() && after != "move" {
        section.fault("move_to", "is for after = \"move\" only");
    }
    match (after.as_str(), move_to) {
        ("keep", _) => PullAfter::Keep,
        ("delete", _) => PullAfter::Delete,
        ("move", Some(to)) => {
            if to == dir || (!dir.is_empty() && to.starts_with('/') != dir.starts_with('/')) {
                section.fault(
                    "move_to",
                    "is another directory than dir, and begins with / where dir does",
                );
            }
            PullAfter::Move(to)
        }
        ("move", None) => {
            section.fault("move_to", "is missing: the directory that files go to");
            PullAfter::Keep
        }
        _ => {
            section.fault("after", "is \"keep\", \"move\" or \"delete\"");
            PullAfter::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, env: &[(&str, &str)]) -> (Vec<PullSource>, Vec<String>) {
        let mut faults = Vec::new();
        let table = text.parse::<Table>().expect("TOML");
        let env = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        let sources = read(table, &env, &mut faults);
        (sources, faults)
    }

    #[test]
    fn every_fault_is_named_with_its_source() {
        let (_, faults) = parse(
            "[[source]]\nname = \"A b\"\nprotocol = \"ftp\"\nuser = \"u\"\npassword = \"p\"\nkey_file = \"/nowhere\"\nat = \"25:00\"\nafter = \"move\"\nhost_key = \"x\"\nca_file = \"/nowhere\"\nwhat = 1\n[[source]]\nname = \"A b\"\nprotocol = \"gopher\"\nhost = \"h\"\n",
            &[],
        );
        let all = faults.join("\n");
        for part in [
            "\"A b\": name: is 1 to 40",
            "host: is the name",
            "key_file: /nowhere",
            "key_file: is for sftp only",
            "at: is a time",
            "move_to: is missing",
            "host_key: is SHA256",
            "ca_file: /nowhere",
            "ca_file: is for ftps only",
            "what: there is no such setting",
            "protocol:",
            "user: is missing",
            "password: is missing",
            "name: is there twice",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
    }

    #[test]
    fn the_variables_of_the_previous_deployment_are_a_source() {
        let base = [
            ("MANGO_FTP_HOST", "ftp.example.com"),
            ("MANGO_FTP_USER", "u"),
            ("MANGO_FTP_PASSWORD", "p"),
        ];
        let (sources, faults) = parse("", &base);
        assert_eq!(faults, Vec::<String>::new());
        let mango = &sources[0];
        assert_eq!(
            (mango.name.as_str(), mango.protocol, mango.port),
            ("mango", PullProtocol::Ftp, 21)
        );
        assert_eq!(mango.password.expose(), "p");
        assert_eq!((mango.fallback_hours, &mango.after), (6, &PullAfter::Keep));
        let mut more = base.to_vec();
        more.extend([("MANGO_FTP_PORT", "22"), ("MANGO_FTP_DIR", "/calls/")]);
        let (sources, faults) = parse(
            "[[source]]\nname = \"mango\"\nuser = \"old\"\nat = \"off\"\n",
            &more,
        );
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(
            (sources.len(), sources[0].protocol, sources[0].port),
            (1, PullProtocol::Sftp, 22)
        );
        assert_eq!((sources[0].user.as_str(), sources[0].at), ("u", None));
        assert_eq!(sources[0].dir, "/calls");
        let (_, faults) = parse("", &[("MANGO_FTP_USER", "u")]);
        assert_eq!(faults, ["MANGO_FTP_USER: needs MANGO_FTP_HOST"]);
        more.push(("MANGO_FTP_PROTOCOL", "FTPS"));
        assert_eq!(parse("", &more).0[0].protocol, PullProtocol::Ftps);
    }
}
