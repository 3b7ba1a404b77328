//! Files beneath one directory. Every path is resolved by the kernel from that
//! directory's descriptor (`openat2` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_SYMLINKS`), so neither a path nor a link leads out of it. Names
//! are bytes: one that is not UTF-8 is a name like any other.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timestamps};
use rustix::io::Errno;

/// Longest path in bytes.
const MAX_PATH: usize = 4000;
/// Longest name in bytes.
const MAX_NAME: usize = 255;

/// A path within a root: relative, without `.` and `..`; empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Inside(PathBuf);

impl Inside {
    /// What a client calls a path. `..` at the top stays at the top, as in any
    /// file system whose root this is.
    pub(super) fn from_client(path: &[u8]) -> io::Result<Self> {
        if path.contains(&0) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let mut inside = PathBuf::new();
        for name in path.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    inside.pop();
                }
                name if name.len() > MAX_NAME => return Err(Errno::NAMETOOLONG.into()),
                name => inside.push(OsStr::from_bytes(name)),
            }
        }
        if inside.as_os_str().len() > MAX_PATH {
            return Err(Errno::NAMETOOLONG.into());
        }
        Ok(Self(inside))
    }

    /// A path of the program's own.
    pub(super) fn from_path(path: &Path) -> io::Result<Self> {
        Self::from_client(path.as_os_str().as_bytes())
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// As the client sees it: absolute.
    pub(super) fn shown(&self) -> Vec<u8> {
        [b"/", self.0.as_os_str().as_bytes()].concat()
    }

    /// True for the root itself.
    pub(super) fn is_root(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Where it is after `from` became `to`; `None` where it is not at or below `from`.
    pub(super) fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&from.0).ok()?;
        Some(Self(if rest.as_os_str().is_empty() {
            to.0.clone()
        } else {
            to.0.join(rest)
        }))
    }
}

/// A directory that nothing leads out of.
#[derive(Debug)]
pub(super) struct Root {
    dir: OwnedFd,
}

impl Root {
    /// Opens a directory, making it where it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let dir = rustix::fs::open(
            path,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let root = Self { dir };
        // Kernels before 5.6 do not know the call: said at start, not to a sender.
        root.at(Path::new("."), OFlags::PATH).map_err(|errno| {
            if errno == Errno::NOSYS {
                io::Error::other("this kernel has no openat2: Linux 5.6 or newer is needed")
            } else {
                errno.into()
            }
        })?;
        Ok(root)
    }

    fn at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let mode = if flags.contains(OFlags::CREATE) {
            Mode::RUSR | Mode::WUSR
        } else {
            Mode::empty()
        };
        let mut tries = 0;
        loop {
            let opened = rustix::fs::openat2(
                &self.dir,
                path,
                flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                mode,
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
            );
            tries += 1;
            match opened {
                // The kernel could not rule out that something was renamed meanwhile.
                Err(Errno::AGAIN | Errno::INTR) if tries < 100 => {}
                other => return other,
            }
        }
    }

    /// The directory that holds `path`, and the name in it.
    fn parent<'a>(&self, path: &'a Inside) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.0.file_name().ok_or(Errno::BUSY)?;
        let parent = path.0.parent().unwrap_or(Path::new(""));
        let dir = self.at(parent, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((dir, name))
    }

    /// Opens a file. Never waits for the other end of a pipe.
    pub(super) fn file(&self, path: &Inside, flags: OFlags) -> io::Result<File> {
        let fd = self.at(&path.0, flags | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        Ok(File::from(fd))
    }

    /// Opens a directory for listing.
    pub(super) fn list(&self, path: &Inside) -> io::Result<Dir> {
        let fd = self.at(&path.0, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Dir::new(fd)?)
    }

    /// What is there; a link is a link.
    pub(super) fn stat(&self, path: &Inside) -> io::Result<Stat> {
        let fd = self.at(&path.0, OFlags::PATH)?;
        Ok(rustix::fs::fstat(&fd)?)
    }

    /// Makes a directory.
    pub(super) fn mkdir(&self, path: &Inside) -> io::Result<()> {
        let (dir, name) = self.parent(path).map_err(exists_at_root)?;
        rustix::fs::mkdirat(&dir, name, Mode::RWXU)?;
        self.sync_dir_of(path)
    }

    /// Removes a file or link.
    pub(super) fn remove(&self, path: &Inside) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(&dir, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(super) fn rmdir(&self, path: &Inside) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames; what is at `to` is replaced only when that is asked for.
    pub(super) fn rename(&self, from: &Inside, to: &Inside, replace: bool) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to).map_err(exists_at_root)?;
        let flags = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        rustix::fs::renameat_with(&from_dir, from_name, &to_dir, to_name, flags)?;
        self.sync_dir_of(to)?;
        if from.0.parent() != to.0.parent() {
            self.sync_dir_of(from)?;
        }
        Ok(())
    }

    /// Takes a file out of `other` to `to`, replacing what is there.
    pub(super) fn take(&self, other: &Root, name: &str, to: &Inside) -> io::Result<()> {
        let (dir, to_name) = self.parent(to)?;
        Ok(rustix::fs::renameat(&other.dir, name, &dir, to_name)?)
    }

    /// Gives a file a second name outside.
    pub(super) fn link(&self, path: &Inside, outside: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(rustix::fs::linkat(
            &dir,
            name,
            rustix::fs::CWD,
            outside,
            AtFlags::empty(),
        )?)
    }

    /// Sets access and modification times.
    pub(super) fn set_times(&self, path: &Inside, times: &Timestamps) -> io::Result<()> {
        if path.is_root() {
            return Ok(rustix::fs::futimens(&self.dir, times)?);
        }
        let (dir, name) = self.parent(path)?;
        Ok(rustix::fs::utimensat(
            &dir,
            name,
            times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Puts the entry of `path` in its directory on disk.
    pub(super) fn sync_dir_of(&self, path: &Inside) -> io::Result<()> {
        let parent = path.0.parent().unwrap_or(Path::new(""));
        let dir = self.at(parent, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(rustix::fs::fsync(&dir)?)
    }

    /// True while the directory was not removed under our feet.
    pub(super) fn is_there(&self) -> bool {
        rustix::fs::fstat(&self.dir).is_ok_and(|stat| stat.st_nlink > 0)
    }

    /// Calls `each` for every entry below `dir`, directories before what is in them.
    pub(super) fn walk(
        &self,
        dir: &Inside,
        each: &mut dyn FnMut(&Inside, &Stat),
    ) -> io::Result<()> {
        let mut waiting = vec![dir.clone()];
        while let Some(dir) = waiting.pop() {
            let listing = match self.list(&dir) {
                Ok(listing) => listing,
                // Removed or made unreadable by somebody meanwhile.
                Err(_) if !dir.is_root() => continue,
                Err(error) => return Err(error),
            };
            let fd = self.at(&dir.0, OFlags::PATH | OFlags::DIRECTORY)?;
            for entry in listing {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let Ok(stat) = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) else {
                    continue;
                };
                let path = Inside(dir.0.join(OsStr::from_bytes(name.to_bytes())));
                each(&path, &stat);
                if is_dir(&stat) {
                    waiting.push(path);
                }
            }
        }
        Ok(())
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

fn exists_at_root(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) {
        Errno::EXIST.into()
    } else {
        error
    }
}

/// True for an ordinary file.
pub(super) fn is_file(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()
}

/// True for a directory.
pub(super) fn is_dir(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()
}

/// The mode of a file tells whether its writing was acknowledged: unlike a record in
/// the store it costs nothing and is there after a kill. Senders cannot set it.
pub(super) const COMPLETE: Mode = INCOMPLETE.union(Mode::RGRP);
pub(super) const INCOMPLETE: Mode = Mode::RUSR.union(Mode::WUSR);

/// True when the last who wrote the file closed it.
pub(super) fn is_complete(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).contains(Mode::RGRP)
}

/// Refuses what is not an ordinary file.
pub(super) fn ordinary(file: &File) -> io::Result<Stat> {
    let stat = rustix::fs::fstat(file)?;
    if is_file(&stat) {
        Ok(stat)
    } else if is_dir(&stat) {
        Err(Errno::ISDIR.into())
    } else {
        Err(Errno::PERM.into())
    }
}

/// Bytes in all files.
pub(super) fn count(root: &Root) -> io::Result<u64> {
    let mut used = 0u64;
    root.walk(&Inside::default(), &mut |_, stat| {
        if is_file(stat) {
            used = used.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
        }
    })?;
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(path: &str) -> Inside {
        Inside::from_client(path.as_bytes()).expect("a path")
    }

    #[test]
    fn no_path_leads_up() {
        for (path, shown) in [
            ("", "/"),
            (".", "/"),
            ("..", "/"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("a/../../b", "/b"),
            ("a//b/./c/", "/a/b/c"),
        ] {
            assert_eq!(inside(path).shown(), shown.as_bytes(), "{path}");
        }
        assert!(Inside::from_client(b"a\0b").is_err());
        assert!(Inside::from_client(&[b'x'; 256]).is_err());
        assert!(Inside::from_client("a/".repeat(3000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_below_moves_along() {
        let (from, to) = (inside("a/b"), inside("c"));
        assert_eq!(inside("a/b/d").moved(&from, &to), Some(inside("c/d")));
        assert_eq!(inside("a/b").moved(&from, &to), Some(inside("c")));
        assert_eq!(inside("a/bc").moved(&from, &to), None);
    }

    #[test]
    fn links_lead_nowhere() {
        let dir = tempfile::tempdir().expect("dir");
        let outside = dir.path().join("secret");
        std::fs::create_dir(&outside).expect("made");
        std::fs::write(outside.join("file"), "secret").expect("written");
        let root = Root::open(&dir.path().join("root")).expect("root");
        for (name, target) in [
            ("dir", "../secret"),
            ("file", "../secret/file"),
            ("self", "."),
        ] {
            std::os::unix::fs::symlink(target, dir.path().join("root").join(name)).expect("link");
        }
        let read = OFlags::RDONLY;
        for path in ["dir/file", "file", "dir", "self/file", "self"] {
            assert!(root.file(&inside(path), read).is_err(), "{path}");
        }
        assert!(root.list(&inside("dir")).is_err());
        assert!(root.mkdir(&inside("dir/new")).is_err());
        assert!(root.remove(&inside("dir/file")).is_err());
        assert!(
            root.rename(&inside("dir/file"), &inside("x"), true)
                .is_err()
        );
        let stat = root.stat(&inside("file")).expect("the link itself");
        assert!(!is_file(&stat) && !is_dir(&stat));
        root.remove(&inside("file")).expect("the link itself");
        assert!(outside.join("file").exists());
    }
}
