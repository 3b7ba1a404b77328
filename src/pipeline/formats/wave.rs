//! The header of a WAV file. Lengths in it are taken as a hint: recorders that
//! write to a pipe never know them, and one that was cut off leaves a wrong one.
//! Called when a recording is opened.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::MediaError;

/// Chunks looked at before the sound; a real file has a handful.
const MAX_CHUNKS: usize = 1_000;
/// Length that says "not known".
const UNKNOWN: u64 = u32::MAX as u64;
/// Chunks that may follow the sound and are none.
const TRAILERS: [&[u8; 4]; 10] = [
    b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"fact", b"JUNK", b"PEAK", b"smpl", b"afsp",
];

/// Codings of sound in WAV files, by the format tags of Microsoft's `mmreg.h`.
pub(super) mod tag {
    pub(in super::super) const PCM: u16 = 0x0001;
    pub(in super::super) const ADPCM_MS: u16 = 0x0002;
    pub(in super::super) const FLOAT: u16 = 0x0003;
    pub(in super::super) const ALAW: u16 = 0x0006;
    pub(in super::super) const MULAW: u16 = 0x0007;
    pub(in super::super) const ADPCM_IMA: u16 = 0x0011;
    pub(in super::super) const GSM: u16 = 0x0031;
    pub(in super::super) const MP3: u16 = 0x0055;
    pub(in super::super) const G722: u16 = 0x028f;
    pub(super) const EXTENSIBLE: u16 = 0xfffe;
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wave {
    /// Coding of the sound, one of [`tag`] or another.
    pub(super) tag: u16,
    pub(super) channels: u16,
    pub(super) rate_hz: u32,
    /// Bytes of a block, for codings in blocks.
    pub(super) block_bytes: u16,
    /// Bits a sample takes.
    pub(super) bits: u16,
    /// Where the sound begins and ends in the file, in bytes.
    pub(super) start: u64,
    pub(super) end: u64,
}

struct Chunk {
    id: [u8; 4],
    start: u64,
    length: u64,
}

/// True for the first bytes of a WAV file.
pub(super) fn is_wave(head: &[u8]) -> bool {
    head.len() >= 12
        && [&b"RIFF"[..], b"RF64", b"BW64"].contains(&&head[..4])
        && &head[8..12] == b"WAVE"
}

/// Reads the header of a file for which [`is_wave`] holds.
pub(super) fn read(file: &mut File) -> Result<Wave, MediaError> {
    let file_length = file.metadata()?.len();
    let damaged = |what: &str| MediaError::Damaged(what.to_owned());
    let mut format: Option<Wave> = None;
    let mut long_data_length = None;
    let mut at = 12;
    for _ in 0..MAX_CHUNKS {
        let Some(chunk) = chunk(file, at)? else {
            return Err(damaged("it ends before the sound begins"));
        };
        match &chunk.id {
            b"fmt " => format = Some(read_format(file, &chunk)?),
            // RF64 keeps lengths of more than 4 GB here.
            b"ds64" if chunk.length >= 16 => {
                let mut lengths = [0u8; 16];
                read_at(file, chunk.start, &mut lengths).map_err(cut_off)?;
                long_data_length = lengths.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            }
            b"data" => {
                let mut wave = format.ok_or_else(|| damaged("its header names no coding"))?;
                let length = match (chunk.length, long_data_length) {
                    (UNKNOWN, Some(length)) => length,
                    (length, _) => length,
                };
                wave.start = chunk.start;
                wave.end = end_of_sound(file, chunk.start, length, file_length)?;
                return Ok(wave);
            }
            _ => {}
        }
        at = next_chunk(file, &chunk)?;
    }
    Err(damaged("its header has no end"))
}

/// The end of the sound in bytes. The length in the header holds where the file
/// bears it out: it ends there, or another chunk follows.
fn end_of_sound(
    file: &mut File,
    start: u64,
    length: u64,
    file_length: u64,
) -> Result<u64, MediaError> {
    let end = start.saturating_add(length);
    if end >= file_length {
        return Ok(file_length);
    }
    for at in [end, end + (end & 1)] {
        if let Some(next) = chunk(file, at)? {
            let printable = next.id.iter().all(|byte| (0x20..0x7f).contains(byte));
            let fits = next.start.saturating_add(next.length) <= file_length;
            if TRAILERS.contains(&&next.id) || (printable && fits) {
                return Ok(end);
            }
        } else if length > 0 {
            // A few bytes of padding.
            return Ok(end);
        }
    }
    Ok(file_length)
}

fn read_format(file: &mut File, chunk: &Chunk) -> Result<Wave, MediaError> {
    let mut bytes = [0u8; 40];
    let length = chunk.length.min(40) as usize;
    if length < 14 {
        return Err(MediaError::Damaged("its header is too short".to_owned()));
    }
    read_at(file, chunk.start, &mut bytes[..length]).map_err(cut_off)?;
    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let mut tag = word(0);
    if tag == tag::EXTENSIBLE && length == 40 {
        // The tag opens the GUID of the coding.
        tag = word(24);
    }
    Ok(Wave {
        tag,
        channels: word(2),
        rate_hz: u32::from(word(4)) | u32::from(word(6)) << 16,
        block_bytes: word(12),
        bits: word(14),
        start: 0,
        end: 0,
    })
}

/// The chunk that begins at `at`; `None` where the file ends before it.
fn chunk(file: &mut File, at: u64) -> Result<Option<Chunk>, MediaError> {
    let mut head = [0u8; 8];
    match read_at(file, at, &mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let [a, b, c, d, length @ ..] = head;
    Ok(Some(Chunk {
        id: [a, b, c, d],
        start: at + 8,
        length: u64::from(u32::from_le_bytes(length)),
    }))
}

/// Where the chunk after this one begins: at an even place, but some writers
/// forget the byte that fills up.
fn next_chunk(file: &mut File, before: &Chunk) -> Result<u64, MediaError> {
    let end = before.start.saturating_add(before.length);
    if end & 1 == 1
        && let Some(next) = chunk(file, end)?
        && [b"data", b"fmt ", b"fact", b"LIST"].contains(&&next.id)
    {
        return Ok(end);
    }
    Ok(end.saturating_add(end & 1))
}

/// A header that ends early is a fault of the file, not of the disk.
fn cut_off(error: io::Error) -> MediaError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            MediaError::Damaged("it ends before the sound begins".to_owned())
        }
        _ => error.into(),
    }
}

fn read_at(file: &mut File, at: u64, into: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(chunks: &[(&[u8; 4], u32, &[u8])]) -> File {
        use std::io::Write;
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"RIFF\0\0\0\0WAVE").expect("written");
        for (id, length, content) in chunks {
            file.write_all(*id).expect("written");
            file.write_all(&length.to_le_bytes()).expect("written");
            file.write_all(content).expect("written");
        }
        file
    }

    /// 8 kHz, one channel, 16 bits.
    const FORMAT: &[u8] = &[1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0];
    const SOUND: &[u8] = &[200; 1_000];

    fn length_of_sound(chunks: &[(&[u8; 4], u32, &[u8])]) -> u64 {
        let wave = read(&mut file(chunks)).expect("read");
        assert_eq!((wave.tag, wave.channels, wave.rate_hz), (1, 1, 8_000));
        wave.end - wave.start
    }

    #[test]
    fn lengths_that_lie_do_not_matter() {
        let format: (&[u8; 4], u32, &[u8]) = (b"fmt ", 16, FORMAT);
        let list: (&[u8; 4], u32, &[u8]) = (b"LIST", 4, b"INFO");
        for written in [0, 8, 998, 1_000, 5_000, 0x7fff_fff0, u32::MAX] {
            let length = length_of_sound(&[format, (b"data", written, SOUND)]);
            assert_eq!(
                length,
                if written == 998 { 998 } else { 1_000 },
                "{written}"
            );
        }
        assert_eq!(
            length_of_sound(&[format, (b"data", 1_000, SOUND), list]),
            1_000
        );
        assert_eq!(
            length_of_sound(&[list, format, (b"data", 1_000, SOUND)]),
            1_000
        );
        assert_eq!(length_of_sound(&[format, (b"data", 0, b""), list]), 0);
    }

    #[test]
    fn odd_chunks_are_followed_with_and_without_padding() {
        let format: (&[u8; 4], u32, &[u8]) = (b"fmt ", 16, FORMAT);
        let data: (&[u8; 4], u32, &[u8]) = (b"data", 1_000, SOUND);
        assert_eq!(
            length_of_sound(&[(b"note", 3, b"abc\0"), format, data]),
            1_000
        );
        assert_eq!(
            length_of_sound(&[(b"note", 3, b"abc"), format, data]),
            1_000
        );
    }

    #[test]
    fn what_has_no_sound_is_named() {
        let format: (&[u8; 4], u32, &[u8]) = (b"fmt ", 16, FORMAT);
        let fault = |chunks: &[(&[u8; 4], u32, &[u8])]| {
            read(&mut file(chunks)).expect_err("refused").to_string()
        };
        assert!(fault(&[]).contains("ends before"));
        assert!(fault(&[format]).contains("ends before"));
        assert!(fault(&[(b"data", 1_000, SOUND)]).contains("names no coding"));
        assert!(fault(&[(b"fmt ", 4, &FORMAT[..4])]).contains("too short"));
        assert!(fault(&[(b"fmt ", 16, &FORMAT[..9])]).contains("ends before"));
    }
}
