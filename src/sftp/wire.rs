//! SFTP version 3 on the wire: reading fields of a packet, writing packets.
//! The draft is draft-ietf-secsh-filexfer-02. Names are bytes.

/// Packet types of the draft that are used.
pub(crate) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}

/// Status codes of the draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Code {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    OpUnsupported = 8,
}

/// The packet is not one: too short, or a length in it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Fields of a packet, one after the other.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn attributes(&mut self) -> Result<Attributes, Malformed> {
        let flags = self.u32()?;
        let size = (flags & 1 != 0).then(|| self.u64()).transpose()?;
        let owner = if flags & 2 != 0 {
            Some((self.u32()?, self.u32()?))
        } else {
            None
        };
        let permissions = (flags & 4 != 0).then(|| self.u32()).transpose()?;
        let times = if flags & 8 != 0 {
            Some((self.u32()?, self.u32()?))
        } else {
            None
        };
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.u32()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Ok(Attributes {
            size,
            owner,
            permissions,
            times,
        })
    }
}

/// Attributes of a file: those a client sets, or those a server tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) size: Option<u64>,
    /// User and group.
    pub(crate) owner: Option<(u32, u32)>,
    /// Mode of stat(2), with the type of the file where a server tells it.
    pub(crate) permissions: Option<u32>,
    /// Access and modification, Unix seconds.
    pub(crate) times: Option<(u32, u32)>,
}

/// Packets on their way out.
#[derive(Default)]
pub(crate) struct Packets {
    /// Longer than what is written: the rest is room that need not be cleared again.
    bytes: Vec<u8>,
    len: usize,
    begin: usize,
}

impl Packets {
    /// What is to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Bytes waiting.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets what was sent.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Begins a packet; every one ends with [`Packets::end`].
    pub(crate) fn begin(&mut self, kind: u8) -> &mut Self {
        self.begin = self.len;
        self.put(&[0; 4]);
        self.put(&[kind]);
        self
    }

    /// Takes back the packet that was begun.
    pub(crate) fn undo(&mut self) {
        self.len = self.begin;
    }

    pub(crate) fn end(&mut self) {
        let length = (self.len - self.begin - 4) as u32;
        self.fill(self.begin, length);
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_be_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_be_bytes());
        self
    }

    pub(crate) fn text(&mut self, value: &[u8]) -> &mut Self {
        self.u32(value.len() as u32);
        self.put(value);
        self
    }

    /// Where a number goes that is known later.
    pub(crate) fn hole(&mut self) -> usize {
        self.u32(0);
        self.len - 4
    }

    pub(crate) fn fill(&mut self, hole: usize, value: u32) {
        self.bytes[hole..hole + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Room for `length` bytes behind what is written, for what is read from a file.
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.len + length;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.len..end]
    }

    /// That many bytes of the room were filled.
    pub(crate) fn filled(&mut self, length: usize) {
        self.len += length;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.filled(bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut packets = Packets::default();
        packets
            .begin(kind::STATUS)
            .u32(7)
            .u64(8)
            .text(b"\xffa")
            .end();
        let mut fields = Fields(packets.bytes());
        assert_eq!(fields.u32(), Ok(1 + 4 + 8 + 4 + 2));
        assert_eq!(fields.u8(), Ok(kind::STATUS));
        assert_eq!((fields.u32(), fields.u64()), (Ok(7), Ok(8)));
        assert_eq!(fields.bytes(), Ok(b"\xffa".as_slice()));
        assert_eq!(fields.u8(), Err(Malformed));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert_eq!(Fields(&[0, 0, 0, 5, 1]).bytes(), Err(Malformed));
        assert_eq!(Fields(&[255, 255, 255, 255]).bytes(), Err(Malformed));
        let endless = [0x80, 0, 0, 0, 255, 255, 255, 255];
        assert_eq!(Fields(&endless).attributes(), Err(Malformed));
    }
}
