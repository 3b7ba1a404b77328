//! The ONNX models inside the program and how they are run. Called by the
//! three users of a model in this module.

use std::fmt;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::Tensor;

use super::DiarizeError;

/// The models inside the program (`assets/models`, origin in its NOTICE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelName {
    /// Silero VAD 6.2 for 16 kHz.
    VoiceActivity,
    /// pyannote segmentation 3.0.
    Segmentation,
    /// CAM++ voice prints.
    VoicePrint,
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VoiceActivity => "voice activity",
            Self::Segmentation => "speaker segmentation",
            Self::VoicePrint => "voice print",
        })
    }
}

impl ModelName {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::VoiceActivity => {
                include_bytes!("../../../assets/models/silero_vad_16k_sequence.onnx")
            }
            Self::Segmentation => include_bytes!("../../../assets/models/segmentation-3.0.onnx"),
            Self::VoicePrint => include_bytes!("../../../assets/models/campplus_w8.onnx"),
        }
    }
}

thread_local! {
    /// A model runs on the thread that calls it: threads within one operation
    /// only wait for each other, threads that share the windows do not.
    static ALONE: Arc<ThreadPool> = Arc::new(ThreadPool::with_num_threads(1));
}

/// Shape and values of an input.
type Given<'a> = (&'a [usize], Vec<f32>);

/// A loaded model. Any number of threads can run it at once.
pub(super) struct Net {
    name: ModelName,
    model: Model,
}

impl Net {
    pub(super) fn load(name: ModelName) -> Result<Self, DiarizeError> {
        let model = Model::load_static_slice(name.bytes()).map_err(|e| DiarizeError::Load {
            model: name,
            reason: e.to_string(),
        })?;
        Ok(Self { name, model })
    }

    /// Runs the model on inputs (shape, values) and gives its first `N` outputs.
    pub(super) fn run<const N: usize>(
        &self,
        inputs: Vec<Given>,
    ) -> Result<[Vec<f32>; N], DiarizeError> {
        let ids = self.model.input_ids();
        let outputs = self
            .model
            .output_ids()
            .get(..N)
            .filter(|_| ids.len() == inputs.len())
            .ok_or_else(|| self.fail("it has other inputs or outputs than expected"))?;
        let inputs = ids.iter().copied().zip(inputs).collect();
        let values = self.compute(inputs, outputs)?;
        values
            .try_into()
            .map_err(|_| self.fail("an output is missing"))
    }

    /// Computes the value named `to` from the one named `from`: a part of the model.
    pub(super) fn part(
        &self,
        from: &str,
        to: &str,
        input: Given,
    ) -> Result<Vec<f32>, DiarizeError> {
        let node = |name: &str| {
            self.model
                .find_node(name)
                .ok_or_else(|| self.fail(&format!("it has no {name}")))
        };
        let mut values = self.compute(vec![(node(from)?, input)], &[node(to)?])?;
        values
            .pop()
            .ok_or_else(|| self.fail("an output is missing"))
    }

    fn compute(
        &self,
        inputs: Vec<(NodeId, Given)>,
        outputs: &[NodeId],
    ) -> Result<Vec<Vec<f32>>, DiarizeError> {
        let inputs = inputs
            .into_iter()
            .map(|(id, (shape, values))| (id, Tensor::from_data(shape, values).into()))
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(ALONE.with(Arc::clone)));
        self.model
            .run(inputs, outputs, Some(options))
            .map_err(|error| self.fail(&error.to_string()))?
            .into_iter()
            .map(|value| {
                let tensor: Tensor<f32> = value.try_into().map_err(|_| self.fail("no f32"))?;
                Ok(tensor.into_data())
            })
            .collect()
    }

    fn fail(&self, reason: &str) -> DiarizeError {
        DiarizeError::Run {
            model: self.name,
            reason: reason.to_owned(),
        }
    }
}
