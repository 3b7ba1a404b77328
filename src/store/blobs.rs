//! Audio files by the hash of their content, and the work files of jobs.
//! Bytes reach their final name only whole and synced.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::domain::CallId;

/// The directories for files.
pub struct Blobs {
    audio: PathBuf,
    incoming: PathBuf,
    work: PathBuf,
}

impl Blobs {
    pub(super) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let blobs = Self {
            audio: data_dir.join("audio"),
            incoming: data_dir.join("incoming"),
            work: data_dir.join("work"),
        };
        for dir in [data_dir, &blobs.audio, &blobs.incoming, &blobs.work] {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(StoreError::io(dir))?;
        }
        Ok(blobs)
    }

    /// The directory of all.
    pub(super) fn data_dir(&self) -> &Path {
        self.audio.parent().unwrap_or(Path::new("."))
    }

    /// Where the bytes with this hash are.
    pub fn path(&self, sha256: &str) -> PathBuf {
        let shard = sha256.get(..2).unwrap_or("xx");
        self.audio.join(shard).join(sha256)
    }

    /// Directory of the work files (decoded samples) of a run of a job; they can be made again.
    pub fn work_dir(&self, id: &CallId, run: u32) -> PathBuf {
        self.work.join(format!("{id}-{run}"))
    }

    /// Begins to take in a file.
    pub fn spool(&self) -> Result<Spool, StoreError> {
        let path = self.incoming.join(ulid::Ulid::generate().to_string());
        let file = File::create_new(&path).map_err(StoreError::io(&path))?;
        Ok(Spool {
            file: Some(file),
            path,
            hash: Sha256::new(),
            size_bytes: 0,
        })
    }

    /// Begins with a whole file: `link` gives it a second name at the path it is told.
    /// Its bytes must not change any more. Reads it once, for its hash.
    pub fn adopt(&self, link: impl FnOnce(&Path) -> io::Result<()>) -> Result<Spool, StoreError> {
        let path = self.incoming.join(ulid::Ulid::generate().to_string());
        link(&path).map_err(StoreError::io(&path))?;
        let mut file = File::open(&path).map_err(StoreError::io(&path))?;
        let mut spool = Spool {
            file: None,
            path,
            hash: Sha256::new(),
            size_bytes: 0,
        };
        let mut buffer = vec![0; 1 << 20];
        let read = loop {
            match file.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(read) => {
                    spool.hash.update(&buffer[..read]);
                    spool.size_bytes += read as u64;
                }
                Err(error) => break Err(error),
            }
        };
        // From here on dropping the spool takes the second name away.
        spool.file = Some(file);
        read.map_err(StoreError::io(&spool.path))?;
        Ok(spool)
    }

    /// Gives a finished spool its final name. The bytes are on disk when it returns.
    pub fn keep(&self, mut spool: Spool) -> Result<String, StoreError> {
        let io_error = |source| StoreError::Io {
            path: spool.path.clone(),
            source,
        };
        if let Some(file) = &spool.file {
            file.sync_all().map_err(io_error)?;
        }
        let sha256 = spool.sha256();
        let target = self.path(&sha256);
        let shard = target.parent().unwrap_or(&self.audio);
        fs::create_dir_all(shard).map_err(StoreError::io(shard))?;
        fs::rename(&spool.path, &target).map_err(StoreError::io(&target))?;
        for dir in [shard, &self.audio] {
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(StoreError::io(dir))?;
        }
        // Kept under its final name: dropping the spool must not remove it.
        spool.file = None;
        spool.path = PathBuf::new();
        Ok(sha256)
    }

    /// Removes the bytes with this hash; missing ones are no error.
    pub fn remove(&self, sha256: &str) -> Result<(), StoreError> {
        let path = self.path(sha256);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Io {
                path,
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// Removes the work files of a run of a job; missing ones are no error.
    pub fn remove_work(&self, id: &CallId, run: u32) {
        let dir = self.work_dir(id, run);
        if let Err(error) = fs::remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %dir.display(), %error, "work files cannot be removed");
        }
    }

    /// Removes what an earlier process left half done: unfinished spools, audio
    /// that `known` does not know, and work files of calls that `at_work` does not name.
    pub fn sweep(
        &self,
        known: impl Fn(&str) -> bool,
        at_work: impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let entries = |dir: &Path| -> Result<Vec<PathBuf>, StoreError> {
            fs::read_dir(dir)
                .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
                .map_err(StoreError::io(dir))
        };
        let name = |path: &Path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default()
                .to_owned()
        };
        for path in entries(&self.incoming)? {
            fs::remove_file(&path).map_err(StoreError::io(&path))?;
        }
        for path in entries(&self.work)? {
            let name = name(&path);
            if !at_work(name.split('-').next().unwrap_or_default()) {
                fs::remove_dir_all(&path).map_err(StoreError::io(&path))?;
            }
        }
        for shard in entries(&self.audio)? {
            for path in entries(&shard)? {
                if !known(&name(&path)) {
                    tracing::warn!(path = %path.display(), "an audio file without a record is removed");
                    fs::remove_file(&path).map_err(StoreError::io(&path))?;
                }
            }
        }
        Ok(())
    }
}

/// A file that is being taken in. Dropping it removes it.
pub struct Spool {
    file: Option<File>,
    path: PathBuf,
    hash: Sha256,
    size_bytes: u64,
}

impl Spool {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes).map_err(StoreError::io(&self.path))?;
        }
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Bytes so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where the bytes are for now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the bytes so far, lower-case hex.
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.file.is_some() {
            // A file that stays behind is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
