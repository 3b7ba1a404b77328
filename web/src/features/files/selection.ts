/** What is chosen in the list of files: some by name, over pages, or all that pass the filters. */
import type { DroppedFile, DroppedFiles, FilesFilter, FilesSelection } from '../../api/types';

export type Selection = { kind: 'some'; files: ReadonlyMap<string, DroppedFile> } | { kind: 'all' };

export const NOTHING: Selection = { kind: 'some', files: new Map() };

/** A name has no NUL: no two files have the same key. */
export const keyOf = (file: DroppedFile) => `${file.user}\0${file.key}`;

export function isChosen(selection: Selection, file: DroppedFile): boolean {
  return selection.kind === 'all' || selection.files.has(keyOf(file));
}

/** Adds files or takes them out; from "all" only those of the page in view stay. */
export function choose(selection: Selection, page: readonly DroppedFile[], files: readonly DroppedFile[], on: boolean): Selection {
  const next = new Map(selection.kind === 'all' ? page.map((file) => [keyOf(file), file]) : selection.files);
  for (const file of files) {
    if (on) next.set(keyOf(file), file);
    else next.delete(keyOf(file));
  }
  return { kind: 'some', files: next };
}

export interface Sums {
  count: number;
  bytes: number;
  /** How many can be sent to recognition. */
  sendable: number;
}

/** Sums over what is chosen; files in view count as they are now. */
export function sumsOf(selection: Selection, list: DroppedFiles | undefined): Sums {
  if (selection.kind === 'all') return { count: list?.total ?? 0, bytes: list?.total_bytes ?? 0, sendable: list?.sendable ?? 0 };
  const now = new Map(list?.items.map((file) => [keyOf(file), file]));
  const sums = { count: 0, bytes: 0, sendable: 0 };
  for (const [key, known] of selection.files) {
    const file = now.get(key) ?? known;
    sums.count += 1;
    sums.bytes += file.size_bytes;
    if (file.can_be_sent) sums.sendable += 1;
  }
  return sums;
}

/** What is chosen as the server wants it. */
export function toSelection(selection: Selection, filter: FilesFilter, only: (file: DroppedFile) => boolean = () => true): FilesSelection {
  if (selection.kind === 'all') return { all: filter };
  return { files: nameFiles([...selection.files.values()].filter(only)) };
}

export const nameFiles = (files: readonly DroppedFile[]) => files.map(({ user, key }) => ({ user, path: key }));
