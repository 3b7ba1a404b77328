//! Reads sound that is nothing but blocks of one size: the data of a WAV file,
//! a `.gsm` file, a file without a header.

use std::io::{self, Read};

use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::section::Section;

/// Frames a packet, about: enough that packets cost little, few enough that a
/// stop is seen soon.
const PACKET_FRAMES: usize = 2_048;

/// A stretch of a file that is blocks of one size.
pub(super) struct Blocks {
    section: Section,
    block_bytes: usize,
    /// Frames (samples of every channel) in a block.
    pub(super) block_frames: usize,
    /// Blocks in a packet.
    pub(super) packet_blocks: usize,
    at_frame: i64,
}

impl Blocks {
    /// `block_bytes` and `block_frames` are at least 1.
    pub(super) fn new(section: Section, block_bytes: usize, block_frames: usize) -> Self {
        Self {
            section,
            block_bytes,
            block_frames,
            packet_blocks: (PACKET_FRAMES / block_frames).max(1),
            at_frame: 0,
        }
    }

    /// Frames in the whole stretch.
    pub(super) fn frames(&self) -> u64 {
        use symphonia::core::io::MediaSource;
        let bytes = self.section.byte_len().unwrap_or(0);
        bytes / self.block_bytes as u64 * self.block_frames as u64
    }

    /// The next blocks; `None` at the end. Half a block at the end is dropped.
    pub(super) fn next_packet(&mut self) -> io::Result<Option<Packet>> {
        let wanted = self.packet_blocks * self.block_bytes;
        let mut data = Vec::with_capacity(wanted);
        (&mut self.section)
            .take(wanted as u64)
            .read_to_end(&mut data)?;
        let blocks = data.len() / self.block_bytes;
        if blocks == 0 {
            return Ok(None);
        }
        data.truncate(blocks * self.block_bytes);
        let frames = blocks * self.block_frames;
        let packet = Packet::new(
            0,
            Timestamp::new(self.at_frame),
            Duration::new(frames as u64),
            data,
        );
        self.at_frame += frames as i64;
        Ok(Some(packet))
    }
}
