//! The mel filter bank that a ggml file carries. CTranslate2 and Hugging Face
//! directories do not hold it, so it is computed as librosa does
//! (`librosa.filters.mel(sr=16000, n_fft=400)`: Slaney scale and normalisation),
//! with the same rounding in between: the result equals the values in the
//! published files bit for bit. Called by the import.

const SAMPLE_RATE: f64 = 16_000.0;
const N_FFT: usize = 400;
/// The scale is linear below this frequency, logarithmic above.
const BREAK_HZ: f64 = 1000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;

/// `bands` rows of 201 values.
pub(super) fn filters(bands: usize) -> Vec<f32> {
    let log_step = 6.4_f64.ln() / 27.0;
    let break_mel = BREAK_HZ / HZ_PER_MEL;
    let top_mel = break_mel + (SAMPLE_RATE / 2.0 / BREAK_HZ).ln() / log_step;
    let step = top_mel / (bands + 1) as f64;
    let hz: Vec<f64> = (0..bands + 2)
        .map(|i| {
            let mel = if i == bands + 1 {
                top_mel
            } else {
                i as f64 * step
            };
            if mel >= break_mel {
                BREAK_HZ * (log_step * (mel - break_mel)).exp()
            } else {
                HZ_PER_MEL * mel
            }
        })
        .collect();

    let columns = N_FFT / 2 + 1;
    let mut out = Vec::with_capacity(bands * columns);
    for edge in hz.windows(3) {
        let area = 2.0 / (edge[2] - edge[0]);
        for k in 0..columns {
            let f = SAMPLE_RATE / 2.0 * k as f64 / (columns - 1) as f64;
            let rise = -(edge[0] - f) / (edge[1] - edge[0]);
            let fall = (edge[2] - f) / (edge[2] - edge[1]);
            // librosa stores the triangle as f32 before it scales it.
            let triangle = rise.min(fall).max(0.0) as f32;
            out.push((f64::from(triangle) * area) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn filters_are_those_of_the_published_models() {
        let bytes: Vec<u8> = super::filters(80)
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        // Taken from whisper.cpp's models/for-tests-ggml-base.bin, bytes 56..64376.
        assert_eq!(
            crate::speech::model::hex(&Sha256::digest(&bytes)),
            "85818f156f7e189453901a515e4726d270d307f976e161cf9403e8caab405498"
        );
        assert_eq!(super::filters(128).len(), 128 * 201);
    }
}
