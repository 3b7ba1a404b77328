/** Fits the server's peaks to the pixels of the screen: the loudest peak each bar covers, 0..1. */
export function barsOf(peaks: readonly number[], count: number): Float32Array {
  const bars = new Float32Array(Math.max(0, count));
  if (peaks.length === 0) return bars;
  for (let bar = 0; bar < count; bar++) {
    const from = Math.floor((bar * peaks.length) / count);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / count));
    let loudest = 0;
    for (let index = from; index < to && index < peaks.length; index++) {
      loudest = Math.max(loudest, peaks[index] ?? 0);
    }
    bars[bar] = loudest / 255;
  }
  return bars;
}

/** A quiet line is drawn as high as a loud one; silence stays flat. */
export function gainOf(channels: readonly (readonly number[])[]): number {
  let loudest = 0;
  for (const peaks of channels) for (const peak of peaks) loudest = Math.max(loudest, peak);
  return loudest > 8 ? 255 / loudest : 1;
}
