//! GSM 06.10 full rate speech (ETSI EN 300 961), decoder only, in the fixed-point
//! arithmetic of the standard, so that the samples are the same to the last bit
//! as those of any other exact decoder. Used by the decode stage for `.gsm`
//! files and for WAV files with format tag 0x31.

/// Sample rate in Hz for which the coding was made.
pub(super) const RATE_HZ: u32 = 8_000;
/// Samples in one frame: 20 ms.
pub(super) const FRAME_SAMPLES: usize = 160;
/// Bytes of a frame in a `.gsm` file.
pub(super) const FRAME_BYTES: usize = 33;
/// Bytes of a block of two frames in a WAV file.
pub(super) const WAV_BLOCK_BYTES: usize = 65;
/// A frame of a `.gsm` file begins with these four bits.
pub(super) const MAGIC: u8 = 0xd;

/// Bits of the eight log area ratios.
const LAR_BITS: [u32; 8] = [6, 6, 5, 5, 4, 4, 3, 3];
const SUBFRAMES: usize = 4;
const SUBFRAME: usize = 40;
const PULSES: usize = 13;
/// Longest lag of the long-term filter in samples.
const MAX_LAG: usize = 120;
const MIN_LAG: usize = 40;

// Tables 5.1 (B, MIC and 1/A of the log area ratios), 5.3b (gains of the
// long-term filter) and 5.6 (normalized mantissas) of the standard.
const LAR_OFFSET: [i16; 8] = [0, 0, 2048, -2560, 94, -1792, -341, -1144];
const LAR_MINIMUM: [i16; 8] = [-32, -32, -16, -16, -8, -8, -4, -4];
const LAR_INVERSE: [i16; 8] = [13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708];
const GAIN: [i16; 4] = [3277, 11469, 21299, 32767];
const MANTISSA: [i16; 8] = [18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767];

/// How the parameters of a frame are packed into bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// One frame in 33 bytes, highest bits first, after four bits of [`MAGIC`].
    Plain,
    /// Two frames in 65 bytes, lowest bits first, as in WAV files.
    Wav,
}

impl Packing {
    /// Bytes that are decoded together.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Packing::Plain => FRAME_BYTES,
            Packing::Wav => WAV_BLOCK_BYTES,
        }
    }

    /// Samples that a block gives.
    pub(super) fn block_samples(self) -> usize {
        match self {
            Packing::Plain => FRAME_SAMPLES,
            Packing::Wav => 2 * FRAME_SAMPLES,
        }
    }
}

/// The coded parameters of a frame.
#[derive(Default)]
struct Frame {
    lar: [u8; 8],
    subframes: [Subframe; SUBFRAMES],
}

#[derive(Default)]
struct Subframe {
    lag: u8,
    gain: u8,
    grid: u8,
    maximum: u8,
    pulses: [u8; PULSES],
}

impl Frame {
    fn read(bits: &mut impl FnMut(u32) -> u8) -> Self {
        let mut frame = Self::default();
        for (lar, count) in frame.lar.iter_mut().zip(LAR_BITS) {
            *lar = bits(count);
        }
        for subframe in &mut frame.subframes {
            subframe.lag = bits(7);
            subframe.gain = bits(2);
            subframe.grid = bits(2);
            subframe.maximum = bits(6);
            for pulse in &mut subframe.pulses {
                *pulse = bits(3);
            }
        }
        frame
    }
}

/// A ratio between that of the last frame and that of this one.
type Mix = fn(i16, i16) -> i16;

/// The decoder with its memory from frame to frame.
pub(super) struct Decoder {
    packing: Packing,
    /// Output of the long-term filter: the last 120 samples, then the subframe.
    long_term: [i16; MAX_LAG + SUBFRAME],
    last_lag: usize,
    /// Log area ratios of the frame before.
    last_lar: [i16; 8],
    /// Memory of the lattice filter.
    lattice: [i16; 9],
    /// Memory of the de-emphasis.
    emphasis: i16,
}

impl Decoder {
    pub(super) fn new(packing: Packing) -> Self {
        Self {
            packing,
            long_term: [0; MAX_LAG + SUBFRAME],
            last_lag: MIN_LAG,
            last_lar: [0; 8],
            lattice: [0; 9],
            emphasis: 0,
        }
    }

    /// Appends the samples of every whole block in `bytes`; what is left over is
    /// no sound. Any bytes give some sound: the coding has no checks of its own.
    pub(super) fn decode(&mut self, bytes: &[u8], into: &mut Vec<i16>) {
        for block in bytes.chunks_exact(self.packing.block_bytes()) {
            let mut at = 0;
            let mut take = |lowest_first: bool, count: u32| {
                let mut value = 0u8;
                for n in 0..count {
                    let byte = block[at / 8];
                    if lowest_first {
                        value |= (byte >> (at % 8) & 1) << n;
                    } else {
                        value = value << 1 | (byte >> (7 - at % 8) & 1);
                    }
                    at += 1;
                }
                value
            };
            match self.packing {
                Packing::Plain => {
                    take(false, 4);
                    let frame = Frame::read(&mut |count| take(false, count));
                    self.frame(&frame, into);
                }
                Packing::Wav => {
                    for _ in 0..2 {
                        let frame = Frame::read(&mut |count| take(true, count));
                        self.frame(&frame, into);
                    }
                }
            }
        }
    }

    fn frame(&mut self, frame: &Frame, into: &mut Vec<i16>) {
        let mut excitation = [0i16; FRAME_SAMPLES];
        for (subframe, out) in frame
            .subframes
            .iter()
            .zip(excitation.chunks_exact_mut(SUBFRAME))
        {
            self.long_term(subframe, out);
        }
        let lar = decode_lar(&frame.lar);
        let last = std::mem::replace(&mut self.last_lar, lar);
        // 5.2.9.1: the ratios glide from those of the frame before.
        let stretches: [(usize, Mix); 4] = [
            (13, |last, now| add(add(last >> 2, now >> 2), last >> 1)),
            (14, |last, now| add(last >> 1, now >> 1)),
            (13, |last, now| add(add(last >> 2, now >> 2), now >> 1)),
            (120, |_, now| now),
        ];
        let mut at = 0;
        for (length, mix) in stretches {
            let reflection: [i16; 8] = std::array::from_fn(|n| reflection(mix(last[n], lar[n])));
            for sample in &mut excitation[at..at + length] {
                *sample = self.short_term(&reflection, *sample);
            }
            at += length;
        }
        // 5.3.5: de-emphasis, upscaling, 13 bits.
        into.extend(excitation.iter().map(|sample| {
            self.emphasis = add(*sample, mult_r(self.emphasis, 28_180));
            add(self.emphasis, self.emphasis) & !7
        }));
    }

    /// 5.3.1 and 5.3.2: the pulses, then what is repeated after the lag.
    fn long_term(&mut self, subframe: &Subframe, out: &mut [i16]) {
        let pulses = decode_pulses(subframe);
        let lag = usize::from(subframe.lag);
        if (MIN_LAG..=MAX_LAG).contains(&lag) {
            self.last_lag = lag;
        }
        let gain = GAIN[usize::from(subframe.gain)];
        for (k, pulse) in pulses.into_iter().enumerate() {
            let repeated = mult_r(gain, self.long_term[MAX_LAG + k - self.last_lag]);
            self.long_term[MAX_LAG + k] = add(pulse, repeated);
        }
        out.copy_from_slice(&self.long_term[MAX_LAG..]);
        self.long_term.copy_within(SUBFRAME.., 0);
    }

    /// 5.3.4: one sample through the lattice filter.
    fn short_term(&mut self, reflection: &[i16; 8], sample: i16) -> i16 {
        let mut value = sample;
        for n in (0..8).rev() {
            value = sub(value, mult_r(reflection[n], self.lattice[n]));
            self.lattice[n + 1] = add(self.lattice[n], mult_r(reflection[n], value));
        }
        self.lattice[0] = value;
        value
    }
}

/// 5.2.8: coded log area ratios to their values.
fn decode_lar(coded: &[u8; 8]) -> [i16; 8] {
    std::array::from_fn(|n| {
        let value = (i16::from(coded[n]) + LAR_MINIMUM[n]) << 10;
        let value = sub(value, LAR_OFFSET[n] << 1);
        let value = mult_r(LAR_INVERSE[n], value);
        add(value, value)
    })
}

/// 5.2.9.2: a log area ratio to a reflection coefficient.
fn reflection(lar: i16) -> i16 {
    let size = lar.saturating_abs();
    let value = if size < 11_059 {
        size << 1
    } else if size < 20_070 {
        size + 11_059
    } else {
        add(size >> 2, 26_112)
    };
    if lar < 0 { -value } else { value }
}

/// 5.2.15 to 5.2.17: quantized pulses on their grid.
fn decode_pulses(subframe: &Subframe) -> [i16; SUBFRAME] {
    let maximum = i16::from(subframe.maximum);
    let mut exponent = if maximum > 15 { (maximum >> 3) - 1 } else { 0 };
    let mut mantissa = maximum - (exponent << 3);
    if mantissa == 0 {
        exponent = -4;
        mantissa = 7;
    } else {
        while mantissa <= 7 {
            mantissa = mantissa << 1 | 1;
            exponent -= 1;
        }
        mantissa -= 8;
    }
    let factor = MANTISSA[mantissa as usize];
    let shift = 6 - exponent;
    // The loudest step of the quantizer needs no shift and no rounding.
    let round = if shift > 0 { 1i16 << (shift - 1) } else { 0 };
    let mut out = [0; SUBFRAME];
    for (n, pulse) in subframe.pulses.iter().enumerate() {
        let value = ((i16::from(*pulse) << 1) - 7) << 12;
        out[usize::from(subframe.grid) + 3 * n] = add(mult_r(factor, value), round) >> shift;
    }
    out
}

fn add(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

fn sub(a: i16, b: i16) -> i16 {
    a.saturating_sub(b)
}

/// Product of two fractions, rounded (4.2 of the standard).
fn mult_r(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 16_384) >> 15;
    // Only −1 × −1 does not fit.
    product.min(i32::from(i16::MAX)) as i16
}
