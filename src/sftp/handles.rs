//! What one connection has open: files and listings, by number.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::{Dir, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::beneath::{self, Inside};
use super::folder::{Folder, How, Writing};
use super::wire::Attributes;

const READ: u32 = 1;
const WRITE: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// What a connection has open.
pub(super) struct Handles {
    slots: Vec<Option<Open>>,
    free: Vec<usize>,
    /// Part of every handle, so that one that was closed is not taken for another.
    opened: u32,
    most: usize,
}

struct Open {
    number: u32,
    what: What,
}

enum What {
    Reading(File),
    Writing { writing: Writing, how: How },
    Listing(Dir),
}

impl Handles {
    pub(super) fn new(most: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            opened: 0,
            most,
        }
    }

    fn room(&self) -> io::Result<()> {
        if self.slots.len() - self.free.len() >= self.most {
            return Err(Errno::MFILE.into());
        }
        Ok(())
    }

    fn add(&mut self, what: What) -> [u8; 8] {
        self.opened = self.opened.wrapping_add(1);
        let open = Some(Open {
            number: self.opened,
            what,
        });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = open;
                slot
            }
            None => {
                self.slots.push(open);
                self.slots.len() - 1
            }
        };
        ((slot as u64) << 32 | u64::from(self.opened)).to_be_bytes()
    }

    fn slot(&self, handle: &[u8]) -> io::Result<usize> {
        let handle = u64::from_be_bytes(handle.try_into().map_err(|_| Errno::BADF)?);
        let slot = (handle >> 32) as usize;
        match self.slots.get(slot) {
            Some(Some(open)) if open.number == handle as u32 => Ok(slot),
            _ => Err(Errno::BADF.into()),
        }
    }

    fn get(&mut self, handle: &[u8]) -> io::Result<&mut What> {
        let slot = self.slot(handle)?;
        let open = self.slots[slot].as_mut().ok_or(Errno::BADF)?;
        Ok(&mut open.what)
    }

    /// Opens a file.
    pub(super) fn open(
        &mut self,
        folder: &Arc<Folder>,
        path: &Inside,
        flags: u32,
    ) -> io::Result<[u8; 8]> {
        self.room()?;
        let has = |flag: u32| flags & flag != 0;
        let what = if has(WRITE) || has(APPEND) {
            let how = How {
                read: has(READ),
                append: has(APPEND),
                create: has(CREATE),
                truncate: has(TRUNCATE),
                exclusive: has(EXCLUSIVE),
            };
            What::Writing {
                writing: Folder::write(folder, path, how)?,
                how,
            }
        } else {
            What::Reading(folder.read(path)?)
        };
        Ok(self.add(what))
    }

    /// Opens a directory for listing.
    pub(super) fn open_dir(&mut self, folder: &Folder, path: &Inside) -> io::Result<[u8; 8]> {
        self.room()?;
        let dir = folder.list(path)?;
        Ok(self.add(What::Listing(dir)))
    }

    /// Closes; what was written is on disk when this returns.
    pub(super) fn close(&mut self, handle: &[u8]) -> io::Result<()> {
        let slot = self.slot(handle)?;
        self.free.push(slot);
        match self.slots[slot].take() {
            Some(Open {
                what: What::Writing { writing, .. },
                ..
            }) => writing.close(),
            _ => Ok(()),
        }
    }

    pub(super) fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> io::Result<()> {
        match self.get(handle)? {
            What::Writing { writing, how } => writing.write_at(data, offset, how.append),
            _ => Err(Errno::BADF.into()),
        }
    }

    /// The file behind a handle that may be read.
    pub(super) fn readable(&mut self, handle: &[u8]) -> io::Result<&File> {
        match self.get(handle)? {
            What::Reading(file) => Ok(file),
            What::Writing { writing, how } if how.read => Ok(writing.file()),
            _ => Err(Errno::BADF.into()),
        }
    }

    pub(super) fn listing(&mut self, handle: &[u8]) -> io::Result<&mut Dir> {
        match self.get(handle)? {
            What::Listing(listing) => Ok(listing),
            _ => Err(Errno::BADF.into()),
        }
    }

    pub(super) fn stat(&mut self, handle: &[u8]) -> io::Result<Stat> {
        Ok(match self.get(handle)? {
            What::Reading(file) => rustix::fs::fstat(file)?,
            What::Writing { writing, .. } => rustix::fs::fstat(writing.file())?,
            What::Listing(listing) => listing.stat()?,
        })
    }

    pub(super) fn sync(&mut self, handle: &[u8]) -> io::Result<()> {
        match self.get(handle)? {
            What::Writing { writing, .. } => writing.sync(),
            _ => Ok(()),
        }
    }

    /// Changes attributes of what is open.
    pub(super) fn set(&mut self, handle: &[u8], attributes: &Attributes) -> io::Result<()> {
        let stat = self.stat(handle)?;
        same_owner(attributes, &stat)?;
        let what = self.get(handle)?;
        if let Some(size) = attributes.size {
            match what {
                What::Writing { writing, .. } => writing.set_len(size)?,
                _ => return Err(Errno::BADF.into()),
            }
        }
        if let Some(times) = times(attributes) {
            match what {
                What::Reading(file) => rustix::fs::futimens(&*file, &times)?,
                What::Writing { writing, .. } => rustix::fs::futimens(writing.file(), &times)?,
                What::Listing(_) => return Err(Errno::BADF.into()),
            }
        }
        Ok(())
    }

    /// Changes attributes of what is at a path.
    pub(super) fn set_path(
        &mut self,
        folder: &Arc<Folder>,
        path: &Inside,
        attributes: &Attributes,
    ) -> io::Result<()> {
        let stat = folder.root().stat(path)?;
        same_owner(attributes, &stat)?;
        if let Some(size) = attributes.size {
            if !beneath::is_file(&stat) {
                return Err(Errno::ISDIR.into());
            }
            let mut writing = Folder::write(folder, path, How::default())?;
            writing.set_len(size)?;
            if let Some(times) = times(attributes) {
                rustix::fs::futimens(writing.file(), &times)?;
            }
            return writing.close();
        }
        match times(attributes) {
            Some(times) => folder.set_times(path, &times),
            None => Ok(()),
        }
    }
}

/// A sender's files stay the server's.
fn same_owner(attributes: &Attributes, stat: &Stat) -> io::Result<()> {
    match attributes.owner {
        Some(owner) if owner != (stat.st_uid, stat.st_gid) => Err(Errno::PERM.into()),
        _ => Ok(()),
    }
}

fn times(attributes: &Attributes) -> Option<Timestamps> {
    let seconds = |value: u32| Timespec {
        tv_sec: value.into(),
        tv_nsec: 0,
    };
    attributes.times.map(|(access, modified)| Timestamps {
        last_access: seconds(access),
        last_modification: seconds(modified),
    })
}
