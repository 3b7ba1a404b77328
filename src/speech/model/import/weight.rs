//! Where the values of one tensor lie on disk, and reading them in blocks as
//! f32 whatever they are stored as. Called by the sources and by the writer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};

use crate::speech::model::ModelError;
use crate::speech::model::ggml::rows_and_row;

/// About this many values are in memory at a time.
const BLOCK_VALUES: usize = 1 << 17;

/// How the values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    F16,
    Bf16,
    I8,
    I16,
}

impl Dtype {
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 => 1,
        }
    }
}

/// What integers were multiplied with when they were stored.
#[derive(Debug, Clone)]
pub(super) enum Scale {
    None,
    One(f32),
    /// One for each index of the first axis.
    Rows(Arc<[f32]>),
}

/// A tensor on disk, row-major.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    path: PathBuf,
    offset: u64,
    dtype: Dtype,
    /// Slowest axis first.
    pub(super) shape: Vec<usize>,
    scale: Scale,
}

impl Weight {
    pub(super) fn plain(path: &Path, offset: u64, dtype: Dtype, shape: Vec<usize>) -> Self {
        Self {
            path: path.to_owned(),
            offset,
            dtype,
            shape,
            scale: Scale::None,
        }
    }

    pub(super) fn scaled(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The part `part` of `parts` equal ones along the first axis.
    pub(super) fn part(mut self, part: usize, parts: usize) -> Self {
        let rows = self.shape.first().copied().unwrap_or(0) / parts;
        let row_values: usize = self.shape.iter().skip(1).product();
        self.offset += (part * rows * row_values) as u64 * self.dtype.bytes();
        if let Some(first) = self.shape.first_mut() {
            *first = rows;
        }
        if let Scale::Rows(scales) = &self.scale {
            let from = part * rows;
            self.scale = Scale::Rows(scales.get(from..from + rows).unwrap_or_default().into());
        }
        self
    }

    /// Calls `each` with all values in order, in blocks of whole rows.
    pub(super) fn for_each_block(
        &self,
        mut each: impl FnMut(&[f32]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let io = || ModelError::io(&self.path);
        let mut file = File::open(&self.path).map_err(io())?;
        file.seek(SeekFrom::Start(self.offset)).map_err(io())?;
        let (_, row) = rows_and_row(&self.shape);
        let block = (BLOCK_VALUES / row.max(1)).max(1) * row;
        let total = self.len();
        let (mut raw, mut values) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < total {
            let n = block.min(total - done);
            raw.resize(n * self.dtype.bytes() as usize, 0);
            file.read_exact(&mut raw).map_err(io())?;
            self.decode(&raw, done, &mut values);
            each(&values)?;
            done += n;
        }
        Ok(())
    }

    /// All values at once, for small tensors.
    pub(super) fn read(&self) -> Result<Vec<f32>, ModelError> {
        let mut all = Vec::with_capacity(self.len());
        self.for_each_block(|values| {
            all.extend_from_slice(values);
            Ok(())
        })?;
        Ok(all)
    }

    /// `first` is the index of the first value of `raw` in the tensor.
    fn decode(&self, raw: &[u8], first: usize, values: &mut Vec<f32>) {
        values.clear();
        let pairs = raw.as_chunks::<2>().0;
        match self.dtype {
            Dtype::F32 => {
                values.extend(
                    raw.as_chunks::<4>()
                        .0
                        .iter()
                        .map(|b| f32::from_le_bytes(*b)),
                );
            }
            Dtype::F16 => values.extend(pairs.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            Dtype::Bf16 => values.extend(pairs.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            Dtype::I16 => values.extend(pairs.iter().map(|b| f32::from(i16::from_le_bytes(*b)))),
            Dtype::I8 => values.extend(raw.iter().map(|b| f32::from(b.cast_signed()))),
        }
        match &self.scale {
            Scale::None => {}
            Scale::One(scale) => values.iter_mut().for_each(|v| *v /= scale),
            Scale::Rows(scales) => {
                let per_row = self.len() / scales.len().max(1);
                for (i, v) in values.iter_mut().enumerate() {
                    *v /= scales[(first + i) / per_row];
                }
            }
        }
    }
}
