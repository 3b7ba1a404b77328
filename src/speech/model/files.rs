//! File work that the download and the import share: hashing while reading or
//! writing, and putting a finished file in its place so that a power cut leaves
//! either the old file or the whole new one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ModelError, hex};

const BLOCK_BYTES: usize = 1 << 20;

/// The SHA-256 of a whole file in hex; tells the bytes read so far as it goes.
pub(super) fn sha256(path: &Path, mut seen: impl FnMut(u64)) -> Result<String, ModelError> {
    let mut file = File::open(path).map_err(ModelError::io(path))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut done = 0;
    loop {
        let n = file.read(&mut buffer).map_err(ModelError::io(path))?;
        if n == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..n]);
        done += n as u64;
        seen(done);
    }
}

/// A file that is being written beside its final place. Only one process at a
/// time holds it; it takes the final name in [`PartFile::finish`].
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    digest: Sha256,
    written: u64,
    expected_bytes: u64,
}

impl PartFile {
    /// Opens `<target>.part`, made if needed, and hashes what it already holds.
    pub(super) fn open(target: &Path, expected_bytes: u64) -> Result<Self, ModelError> {
        let part = with_suffix(target, ".part");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&part)
            .map_err(ModelError::write(&part, expected_bytes))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ModelError::Busy(part)),
            // A file system without locks (some network mounts): go on without.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, path = %part.display(), "no file lock here");
            }
        }
        let mut this = Self {
            file,
            part,
            target: target.to_owned(),
            digest: Sha256::new(),
            written: 0,
            expected_bytes,
        };
        let mut buffer = vec![0; BLOCK_BYTES];
        loop {
            let n = this
                .file
                .read(&mut buffer)
                .map_err(ModelError::io(&this.part))?;
            if n == 0 {
                return Ok(this);
            }
            this.digest.update(&buffer[..n]);
            this.written += n as u64;
        }
    }

    /// The bytes that are in the file.
    pub(super) fn len(&self) -> u64 {
        self.written
    }

    /// Throws away what is in the file.
    pub(super) fn restart(&mut self) -> Result<(), ModelError> {
        use std::io::Seek as _;
        self.file.set_len(0).map_err(ModelError::io(&self.part))?;
        self.file.rewind().map_err(ModelError::io(&self.part))?;
        self.digest = Sha256::new();
        self.written = 0;
        Ok(())
    }

    /// Appends.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        let needed = self.expected_bytes;
        self.file
            .write_all(bytes)
            .map_err(ModelError::write(&self.part, needed))?;
        self.digest.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The SHA-256 in hex of what is in the file.
    pub(super) fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    /// Where the bytes are until [`PartFile::finish`].
    pub(super) fn path(&self) -> &Path {
        &self.part
    }

    /// Makes the file durable and gives it its final name.
    pub(super) fn finish(self) -> Result<(), ModelError> {
        self.file
            .sync_all()
            .map_err(ModelError::write(&self.part, self.expected_bytes))?;
        std::fs::rename(&self.part, &self.target).map_err(ModelError::io(&self.target))?;
        sync_parent(&self.target)
    }

    /// Removes the file.
    pub(super) fn discard(self) -> Result<(), ModelError> {
        std::fs::remove_file(&self.part).map_err(ModelError::io(&self.part))
    }
}

/// `path` with more characters at its end.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A rename is only durable when the directory is written too.
fn sync_parent(path: &Path) -> Result<(), ModelError> {
    let dir = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(ModelError::io(dir))
}
