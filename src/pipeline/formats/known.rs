//! What a file calls itself in its first bytes: the formats that are read here
//! without a container library, and those that are refused by name. Called
//! when a recording is opened.

use super::gsm;
use super::wave;

/// Bytes of a file that are looked at.
pub(super) const HEAD_BYTES: usize = 64 * gsm::FRAME_BYTES;
/// Frames of GSM that must follow each other: 1 in 65536 other files has four by chance.
const GSM_FRAMES: usize = 4;

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A WAV file.
    Wave,
    /// GSM 06.10 frames one after the other.
    Gsm,
    /// A container that the library reads, with a signature of its own.
    Container(&'static str),
    /// A format that cannot be read.
    Refused(&'static str),
    /// No signature.
    Nothing,
}

/// Looks at the first [`HEAD_BYTES`] of a file, or at all of a shorter one.
pub(super) fn look(head: &[u8]) -> Known {
    let has = |at: usize, signature: &[u8]| {
        head.get(at..at + signature.len())
            .is_some_and(|bytes| bytes == signature)
    };
    if wave::is_wave(head) {
        return Known::Wave;
    }
    let containers: [(usize, &[u8], &str); 7] = [
        (4, b"ftyp", "mp4"),
        (4, b"moov", "mp4"),
        (4, b"mdat", "mp4"),
        (0, b"OggS", "ogg"),
        (0, &[0x1a, 0x45, 0xdf, 0xa3], "mkv"),
        (0, b"fLaC", "flac"),
        (0, b"ID3", "mp3"),
    ];
    // Signatures: each format's own documentation.
    let refused: [(usize, &[u8], &str); 21] = [
        (28, b"Speex   ", "Speex"),
        (0, b"#!AMR-WB", "AMR-WB"),
        (0, b"#!AMR", "AMR"),
        (0, b"#!SILK", "SILK"),
        (0, b"\x02#!SILK", "SILK"),
        (
            0,
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
            "Windows Media (WMA, WMV, ASF)",
        ),
        (0, b".RMF", "RealMedia"),
        (0, b".ra\xfd", "RealAudio"),
        (0, b".snd", "Sun audio (.au)"),
        (0, b"FORM", "AIFF"),
        (0, b"caff", "Core Audio (.caf)"),
        (0, b"riff\x2e\x91\xcf\x11", "Sony Wave64"),
        (0, b"RIFX", "big-endian WAV"),
        (8, b"AVI ", "AVI"),
        (0, b"FLV\x01", "Flash video"),
        (0, b"MAC ", "Monkey's Audio"),
        (0, b"wvpk", "WavPack"),
        (0, b"TTA1", "True Audio"),
        (0, b"MThd", "MIDI"),
        (0, b"Creative Voice File", "Creative voice (.voc)"),
        (0, b"\x00\x00\x01\xba", "MPEG program stream"),
    ];
    for (at, signature, name) in refused {
        if has(at, signature) {
            return Known::Refused(name);
        }
    }
    for (at, signature, name) in containers {
        if has(at, signature) {
            return Known::Container(name);
        }
    }
    let mut frames = head.chunks_exact(gsm::FRAME_BYTES);
    if frames.len() >= GSM_FRAMES && frames.all(|frame| frame[0] >> 4 == gsm::MAGIC) {
        return Known::Gsm;
    }
    Known::Nothing
}

/// Name of a coding in WAV files that cannot be read.
pub(super) fn wave_coding(tag: u16) -> String {
    let name = match tag {
        0x0010 => "OKI ADPCM",
        0x0014 | 0x0040 | 0x0045 | 0x0064 | 0x0065 => "G.721, G.723 or G.726 ADPCM",
        0x0020 => "Yamaha ADPCM",
        0x0022 => "TrueSpeech",
        0x0028 => "LRC",
        0x0038 => "AMR-NB",
        0x0042 => "G.723.1",
        0x0050 => "MPEG layer 2",
        0x0057 => "AMR-NB",
        0x0058 => "AMR-WB",
        0x0083 | 0x0133 => "G.729",
        0x00ff | 0x1600 | 0x1610 | 0x706d => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0x2000 | 0x2001 => "AC-3 or DTS",
        0x674f..=0x6771 => "Vorbis",
        0xa109 => "Speex",
        0xf1ac => "FLAC",
        _ => return format!("format tag 0x{tag:04x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_first_bytes() {
        assert_eq!(look(b""), Known::Nothing);
        assert_eq!(look(b"RIFF\0\0\0\0WAVEfmt "), Known::Wave);
        assert_eq!(look(b"RIFF\0\0\0\0AVI LIST"), Known::Refused("AVI"));
        assert_eq!(look(b"#!AMR-WB\n"), Known::Refused("AMR-WB"));
        assert_eq!(look(b"#!AMR\n"), Known::Refused("AMR"));
        assert_eq!(look(b"\0\0\0 ftypisom"), Known::Container("mp4"));
        let mut gsm = vec![0u8; 5 * 33];
        assert_eq!(look(&gsm), Known::Nothing);
        for frame in gsm.chunks_mut(33) {
            frame[0] = 0xd4;
        }
        assert_eq!(look(&gsm), Known::Gsm);
        assert_eq!(look(&gsm[..3 * 33]), Known::Nothing);
    }
}
