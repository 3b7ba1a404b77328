/**
 * The one player of a call page. Everything that follows the voice (the lit word, the playhead, the clock)
 * subscribes here and changes the page by hand: a render per frame would be too slow for an hour of words.
 */
export class PlayerController {
  #audio: HTMLAudioElement | null = null;
  #frame = 0;
  #onTime = new Set<(ms: number) => void>();
  #onSeek = new Set<(ms: number) => void>();
  #pendingMs: number | null = null;

  /** Joins the audio element; returns the function that lets it go. */
  attach(audio: HTMLAudioElement): () => void {
    this.#audio = audio;
    if (this.#pendingMs !== null) audio.currentTime = this.#pendingMs / 1000;
    const tick = () => {
      this.#emit();
      this.#frame = audio.paused || audio.ended ? 0 : requestAnimationFrame(tick);
    };
    const start = () => {
      if (this.#frame === 0) this.#frame = requestAnimationFrame(tick);
    };
    const now = () => this.#emit();
    audio.addEventListener('play', start);
    audio.addEventListener('timeupdate', now);
    audio.addEventListener('seeked', now);
    return () => {
      audio.removeEventListener('play', start);
      audio.removeEventListener('timeupdate', now);
      audio.removeEventListener('seeked', now);
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
      audio.pause();
      this.#audio = null;
    };
  }

  get timeMs(): number {
    return (this.#audio?.currentTime ?? 0) * 1000;
  }

  get playing(): boolean {
    return this.#audio !== null && !this.#audio.paused;
  }

  seek(ms: number): void {
    const audio = this.#audio;
    const target = Math.max(0, ms);
    this.#pendingMs = target;
    if (!audio) return;
    audio.currentTime = target / 1000;
    for (const listener of this.#onSeek) listener(target);
    this.#emit(target);
  }

  seekBy(ms: number): void {
    this.seek(Math.min(this.timeMs + ms, this.#durationMs()));
  }

  playFrom(ms: number): void {
    this.seek(ms);
    this.play();
  }

  play(): void {
    // A refusal also fires 'error' or leaves the button on "play": the element tells the page.
    this.#audio?.play().catch(() => undefined);
  }

  toggle(): void {
    if (this.playing) this.#audio?.pause();
    else this.play();
  }

  setSpeed(rate: number): void {
    if (!this.#audio) return;
    this.#audio.playbackRate = rate;
    this.#audio.preservesPitch = true;
  }

  /** Called at every frame while playing, and at every jump. */
  onTime(listener: (ms: number) => void): () => void {
    this.#onTime.add(listener);
    return () => this.#onTime.delete(listener);
  }

  /** Called when somebody jumps to a place. */
  onSeek(listener: (ms: number) => void): () => void {
    this.#onSeek.add(listener);
    return () => this.#onSeek.delete(listener);
  }

  #durationMs(): number {
    const duration = this.#audio?.duration;
    return duration && Number.isFinite(duration) ? duration * 1000 : Number.POSITIVE_INFINITY;
  }

  #emit(ms = this.timeMs): void {
    for (const listener of this.#onTime) listener(ms);
  }
}
