//! The recording itself and its waveform.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use poem::Request;
use poem::web::{Data, StaticFileResponse};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{ReadCalls, Who};
use super::calls::entry;
use super::error::ApiError;
use super::ranged::ranged;
use crate::app::Parts;
use crate::store::StoreError;

/// Most points of a waveform.
const MAX_POINTS: usize = 6000;

pub(super) struct AudioApi;

/// The loudness of a recording over time, to be drawn.
#[derive(Object)]
struct WaveformView {
    duration_ms: u64,
    peaks_per_second: f64,
    /// One list a channel; 0–255, 255 = full scale.
    channels: Vec<Vec<u8>>,
}

#[OpenApi]
impl AudioApi {
    /// The recording as it arrived; `Range` requests are answered.
    #[oai(path = "/audio/:id", method = "get", operation_id = "audio")]
    async fn audio(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
        request: &Request,
    ) -> poem::Result<StaticFileResponse> {
        let call = entry(parts, who.call(parts, &id.0).await?).await?.call;
        let (file, recording) = parts
            .store
            .run(move |store| {
                let recording = store.recording(&call.sha256)?.ok_or(StoreError::NotFound)?;
                Ok((File::open(store.blobs().path(&call.sha256)), recording))
            })
            .await
            .map_err(ApiError::from)?;
        match file {
            Ok(file) => ranged(request, file, &recording.content_type),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ApiError::missing(
                "recording_lost",
                "The file of this recording is gone from the disk of the server.",
            )
            .into()),
            Err(error) => Err(ApiError::internal(&error).into()),
        }
    }

    /// Peaks to draw the recording with.
    #[oai(path = "/waveform/:id", method = "get", operation_id = "waveform")]
    async fn waveform(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<WaveformView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let duration_ms = entry(parts, id.clone()).await?.call.duration_ms;
        let envelope = parts.store.run(move |store| store.envelope(&id)).await?;
        let (Some(envelope), Some(duration_ms)) = (envelope, duration_ms) else {
            return Err(ApiError::missing(
                "not_ready",
                "The recording has not been decoded yet.",
            ));
        };
        let frames = envelope
            .channels
            .first()
            .map_or(0, |channel| channel.peak.len());
        let group = frames.div_ceil(MAX_POINTS).max(1);
        Ok(Json(WaveformView {
            duration_ms,
            peaks_per_second: 1000.0 / (f64::from(envelope.frame_ms.max(1)) * group as f64),
            channels: envelope
                .channels
                .iter()
                .map(|channel| {
                    channel
                        .peak
                        .chunks(group)
                        .map(|peaks| peaks.iter().copied().max().unwrap_or(0))
                        .collect()
                })
                .collect(),
        }))
    }
}
