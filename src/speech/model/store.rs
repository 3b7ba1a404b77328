//! The models directory: what is in it, whether it may be used, and how models
//! get there and leave. Called by the command line, by `check`, and by the
//! speech worker for the path it loads.
//!
//! A model NAME is the file `ggml-NAME.bin`. It may be used when it is whole and
//! has the SHA-256 that the manifest, or the import that made it, says. A file
//! that somebody copied in under a name of their own is taken as it is when first
//! seen, and held to that from then on.

use std::path::{Path, PathBuf};

use super::files::{self, PartFile, with_suffix};
use super::import::{self, Opened};
use super::sidecar::{Sidecar, Stamp};
use super::{Manifest, ModelError, Progress, Quantize, Step, ggml, pull};

/// The directory that holds the speech models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    dir: PathBuf,
    manifest: Manifest,
}

/// A model that was checked and may be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPath {
    /// The short name; for a file elsewhere, its file name.
    pub name: String,
    /// The file to load.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The number format of its weights: `f16`, `q8_0`, `q5_1`, …
    pub quantization: &'static str,
    /// Whether it knows other languages than English.
    pub multilingual: bool,
    /// Its SHA-256 in hex; absent for a file outside of the models directory.
    pub sha256: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a model file came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is the published file of that name.
    Published,
    /// `model import` made it from this source.
    Imported(String),
    /// Somebody put it there.
    Copied,
}

/// A file in the models directory, usable or not.
#[derive(Debug)]
pub struct InstalledModel {
    /// The short name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Usable, or why not.
    pub state: ModelState,
}

/// Whether a model may be used.
#[derive(Debug)]
pub enum ModelState {
    /// It may.
    Valid(ModelPath),
    /// It may not, for this reason.
    Invalid(ModelError),
}

impl ModelStore {
    /// Uses `dir`, which is made when the first model arrives.
    #[must_use]
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            manifest: Manifest::embedded(),
        }
    }

    /// The same directory with another list of models or another place to
    /// download them from ([`Manifest::with_base_url`]).
    #[must_use]
    pub fn with_manifest(self, manifest: Manifest) -> Self {
        Self { manifest, ..self }
    }

    /// The models that can be downloaded.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All models that are there, by name. A file seen for the first time is
    /// read whole, later only when it has changed.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the directory cannot be read; a missing one is
    /// an empty list.
    pub fn list(&self) -> Result<Vec<InstalledModel>, ModelError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ModelError::io(&self.dir)(error)),
        };
        let mut models = Vec::new();
        for entry in entries {
            let path = entry.map_err(ModelError::io(&self.dir))?.path();
            let Some(name) = self.name_of(&path) else {
                continue;
            };
            let size_bytes = Stamp::of(&path)?.size_bytes;
            let state = match self.check(&name, &path, &mut |_| {}) {
                Ok(model) => ModelState::Valid(model),
                Err(error) => ModelState::Invalid(error),
            };
            models.push(InstalledModel {
                name,
                path,
                size_bytes,
                state,
            });
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// The checked file of a model name, or of a path to a ggml file (anything
    /// with a `/` or the ending `.bin`). A file outside of the models directory
    /// is only checked for being whole: nobody told its SHA-256.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`], [`ModelError::Invalid`] (cut off, damaged)
    /// or [`ModelError::WrongHash`], which all say what to do.
    pub fn resolve(&self, name_or_path: &str) -> Result<ModelPath, ModelError> {
        let path = Path::new(name_or_path);
        if !name_or_path.contains('/') && path.extension().is_none_or(|e| e != "bin") {
            return self.resolve_name(name_or_path, &mut |_| {});
        }
        let inside = path.canonicalize().ok().zip(self.dir.canonicalize().ok());
        if inside.is_some_and(|(path, dir)| path.parent() == Some(&dir))
            && let Some(name) = self.name_of(path)
        {
            return self.resolve_name(&name, &mut |_| {});
        }
        let file = ggml::inspect(path)?;
        Ok(ModelPath {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            path: path.to_owned(),
            size_bytes: Stamp::of(path)?.size_bytes,
            quantization: file.hparams.quantization(),
            multilingual: file.hparams.multilingual(),
            sha256: None,
            origin: Origin::Copied,
        })
    }

    /// Reads the whole file of a model again, whatever is remembered of it.
    ///
    /// # Errors
    /// As [`ModelStore::resolve`].
    pub fn verify(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ModelPath, ModelError> {
        let path = self.path_of(name)?;
        if let Some(mut known) = Sidecar::read(&path) {
            // What was imported stays known, when it was seen is forgotten.
            known.modified_ns = 0;
            known.write(&path)?;
        }
        self.resolve_name(name, progress)
    }

    /// Downloads a model of the manifest, going on where an earlier try
    /// stopped. A good file that is there already is kept.
    ///
    /// # Errors
    /// [`ModelError::UnknownName`], [`ModelError::Offline`],
    /// [`ModelError::Refused`], [`ModelError::WrongDownload`],
    /// [`ModelError::DiskFull`], [`ModelError::Busy`] or [`ModelError::Io`].
    pub fn pull(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ModelPath, ModelError> {
        let path = self.path_of(name)?;
        if path.exists()
            && let Ok(model) = self.resolve_name(name, progress)
        {
            return Ok(model);
        }
        let Some(entry) = self.manifest.find(name) else {
            let known: Vec<_> = self
                .manifest
                .entries()
                .iter()
                .map(|e| e.name.as_str())
                .collect();
            return Err(ModelError::UnknownName {
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        self.make_dir()?;
        pull::download(&self.manifest.url(entry), entry, &path, progress)?;
        self.remember(&path, &entry.sha256, None)?;
        self.resolve_name(name, progress)
    }

    /// Converts (or copies) a model into the directory. The name is taken from
    /// the source when none is given, with the number format at its end. A model
    /// of the same name is replaced when the new one is complete.
    ///
    /// # Errors
    /// [`ModelError::Import`] or [`ModelError::Invalid`] when the source is no
    /// Whisper model, [`ModelError::DiskFull`], [`ModelError::Busy`],
    /// [`ModelError::BadName`] or [`ModelError::Io`].
    pub fn import(
        &self,
        source: &Path,
        name: Option<&str>,
        quantize: Quantize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ModelPath, ModelError> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => default_name(source, quantize),
        };
        let target = self.path_of(&name)?;
        let opened = import::open(source, quantize)?;
        self.make_dir()?;
        let sha256 = match opened {
            Opened::Copy => copy(source, &target, progress)?,
            Opened::Convert(model) => {
                let mut out = PartFile::open(&target, model.size_bytes(quantize))?;
                out.restart()?;
                if let Err(error) = model.write(&mut out, quantize, progress) {
                    out.discard()?;
                    return Err(error);
                }
                finish(out)?
            }
        };
        let published = self
            .manifest
            .find(&name)
            .is_some_and(|e| e.sha256 == sha256);
        let from = source.canonicalize().unwrap_or_else(|_| source.to_owned());
        let origin = (!published).then(|| from.display().to_string());
        self.remember(&target, &sha256, origin)?;
        self.resolve_name(&name, progress)
    }

    /// Removes a model and what is left of a broken download of it.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`] when nothing of it is there.
    pub fn remove(&self, name: &str) -> Result<(), ModelError> {
        let path = self.path_of(name)?;
        let mut found = false;
        for path in [&path, &with_suffix(&path, ".part")] {
            match std::fs::remove_file(path) {
                Ok(()) => found = true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(ModelError::io(path)(error)),
            }
        }
        Sidecar::remove(&path);
        if found {
            Ok(())
        } else {
            Err(self.not_installed(name))
        }
    }

    fn resolve_name(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ModelPath, ModelError> {
        let path = self.path_of(name)?;
        if !path.exists() {
            return Err(self.not_installed(name));
        }
        self.check(name, &path, progress)
    }

    /// Whole, and with the expected SHA-256.
    fn check(
        &self,
        name: &str,
        path: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ModelPath, ModelError> {
        let file = ggml::inspect(path)?;
        let stamp = Stamp::of(path)?;
        let known = Sidecar::read(path);
        let sha256 = match &known {
            Some(known) if known.stamp() == stamp => known.sha256.clone(),
            _ => files::sha256(path, |done_bytes| {
                progress(Progress {
                    step: Step::Check,
                    done_bytes,
                    total_bytes: stamp.size_bytes,
                });
            })?,
        };
        let published = self.manifest.find(name);
        let imported = known.as_ref().and_then(|k| k.imported_from.clone());
        let expected = match (&imported, published, &known) {
            (None, Some(entry), _) => Some(&entry.sha256),
            (_, _, Some(known)) => Some(&known.sha256),
            (_, _, None) => None,
        };
        if let Some(expected) = expected.filter(|e| **e != sha256) {
            return Err(ModelError::WrongHash {
                path: path.to_owned(),
                expected: expected.clone(),
                found: sha256,
            });
        }
        if known.is_none_or(|known| known.stamp() != stamp)
            && let Err(error) = self.remember(path, &sha256, imported.clone())
        {
            // A read-only directory: the file is read again next time.
            tracing::debug!(%error, "the SHA-256 cannot be remembered");
        }
        Ok(ModelPath {
            name: name.to_owned(),
            path: path.to_owned(),
            size_bytes: stamp.size_bytes,
            quantization: file.hparams.quantization(),
            multilingual: file.hparams.multilingual(),
            sha256: Some(sha256),
            origin: match (imported, published) {
                (Some(from), _) => Origin::Imported(from),
                (None, Some(_)) => Origin::Published,
                (None, None) => Origin::Copied,
            },
        })
    }

    fn remember(
        &self,
        path: &Path,
        sha256: &str,
        imported_from: Option<String>,
    ) -> Result<(), ModelError> {
        let Stamp {
            size_bytes,
            modified_ns,
        } = Stamp::of(path)?;
        Sidecar {
            size_bytes,
            modified_ns,
            sha256: sha256.to_owned(),
            imported_from,
        }
        .write(path)
    }

    fn make_dir(&self) -> Result<(), ModelError> {
        std::fs::create_dir_all(&self.dir).map_err(ModelError::io(&self.dir))
    }

    fn not_installed(&self, name: &str) -> ModelError {
        ModelError::NotInstalled {
            name: name.to_owned(),
            dir: self.dir.clone(),
        }
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, ModelError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty()
            || name.len() > 64
            || name.starts_with(['.', '-'])
            || !name.chars().all(fine)
        {
            return Err(ModelError::BadName(name.to_owned()));
        }
        Ok(self.dir.join(format!("ggml-{name}.bin")))
    }

    fn name_of(&self, path: &Path) -> Option<String> {
        let file = path.file_name()?.to_str()?;
        let name = file.strip_prefix("ggml-")?.strip_suffix(".bin")?;
        self.path_of(name).ok().map(|_| name.to_owned())
    }
}

fn copy(
    source: &Path,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, ModelError> {
    use std::io::Read as _;
    let total_bytes = Stamp::of(source)?.size_bytes;
    let mut file = std::fs::File::open(source).map_err(ModelError::io(source))?;
    let mut out = PartFile::open(target, total_bytes)?;
    out.restart()?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(ModelError::io(source))?;
        if n == 0 {
            return finish(out);
        }
        if let Err(error) = out.append(&buffer[..n]) {
            out.discard()?;
            return Err(error);
        }
        progress(Progress {
            step: Step::Convert,
            done_bytes: out.len(),
            total_bytes,
        });
    }
}

/// Checks what was written and gives it its name; tells its SHA-256.
fn finish(out: PartFile) -> Result<String, ModelError> {
    let sha256 = out.sha256();
    if let Err(error) = ggml::inspect(out.path()) {
        out.discard()?;
        return Err(error);
    }
    out.finish()?;
    Ok(sha256)
}

/// `faster-whisper-small-ru/` becomes `faster-whisper-small-ru-q8_0`,
/// `ggml-small-ru.bin` becomes `small-ru`.
fn default_name(source: &Path, quantize: Quantize) -> String {
    let source = source.canonicalize().unwrap_or_else(|_| source.to_owned());
    let stem = if source.is_dir() {
        source.file_name()
    } else {
        source.file_stem()
    };
    let stem = stem.unwrap_or_default().to_string_lossy();
    let stem = stem.strip_prefix("ggml-").unwrap_or(&stem);
    let name: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_matches(['-', '.']);
    let mut name = if name.is_empty() {
        "model".to_owned()
    } else {
        name.to_owned()
    };
    let suffix = format!("-{quantize}");
    if quantize != Quantize::No && !name.ends_with(&suffix) {
        name.truncate(64 - suffix.len());
        name.push_str(&suffix);
    }
    name.truncate(64);
    name
}
