//! The list of models that can be downloaded (`assets/models.toml`, embedded).
//!
//! Called by [`super::ModelStore`] for `model pull` and for checking files, and
//! by the command line to show what there is.

use serde::Deserialize;

const EMBEDDED: &str = include_str!("../../../assets/models.toml");

/// The models that can be downloaded, and from where.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    base_url: String,
    #[serde(rename = "model")]
    models: Vec<ManifestEntry>,
}

/// One model that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ManifestEntry {
    /// The short name, for example `base-q8_0`.
    pub name: String,
    /// The size of the file in bytes.
    #[serde(rename = "size")]
    pub size_bytes: u64,
    /// The SHA-256 of the file, lower-case hex.
    pub sha256: String,
}

impl Manifest {
    /// The list inside the program.
    ///
    /// A unit test reads the same bytes, so a release cannot hold a list that
    /// does not parse; the empty list is what is left to return all the same.
    #[must_use]
    pub fn embedded() -> Self {
        toml::from_str(EMBEDDED).unwrap_or_else(|error| {
            tracing::error!(%error, "the embedded model list does not parse");
            Self {
                base_url: String::new(),
                models: Vec::new(),
            }
        })
    }

    /// The same list, with another place to download from (a mirror that has
    /// files of the same names, such as `http://10.0.0.5/models`).
    #[must_use]
    pub fn with_base_url(mut self, url: &str) -> Self {
        self.base_url = url.trim_end_matches('/').to_owned();
        self
    }

    /// All entries, smallest model family first.
    #[must_use]
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.models
    }

    /// The entry of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ManifestEntry> {
        self.models.iter().find(|entry| entry.name == name)
    }

    /// Where to download the entry.
    #[must_use]
    pub fn url(&self, entry: &ManifestEntry) -> String {
        format!("{}/ggml-{}.bin", self.base_url, entry.name)
    }

    #[cfg(test)]
    pub(super) fn for_tests(base_url: &str, models: Vec<ManifestEntry>) -> Self {
        Self {
            base_url: base_url.to_owned(),
            models,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_parses_and_every_entry_is_checkable() {
        let manifest: Manifest = toml::from_str(EMBEDDED).expect("assets/models.toml");
        assert!(manifest.base_url.starts_with("https://"));
        for entry in manifest.entries() {
            assert_eq!(entry.sha256.len(), 64, "{}", entry.name);
            assert!(
                entry
                    .sha256
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            );
            assert!(entry.size_bytes > 30_000_000, "{}", entry.name);
        }
        let mut names: Vec<_> = manifest.entries().iter().map(|e| &e.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), manifest.entries().len());
        assert_eq!(
            manifest.url(manifest.find("base-q8_0").expect("default model")),
            "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-base-q8_0.bin"
        );
    }

    #[test]
    fn a_mirror_replaces_the_address() {
        let manifest = Manifest::embedded().with_base_url("http://mirror:8080/m/");
        let entry = manifest.find("tiny").expect("tiny");
        assert_eq!(manifest.url(entry), "http://mirror:8080/m/ggml-tiny.bin");
    }
}
