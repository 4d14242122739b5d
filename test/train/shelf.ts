import type { Files } from 'wasmgrad';

/** Files in a map, which may be looked at and spoiled. */
export class Shelf implements Files {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  writes = 0;
  /** Throws where a write is to be refused. */
  guard = (_: number) => {};
  list = async () => [...this.files.keys()];
  read = async (name: string) => this.files.get(name)!;
  write = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    this.guard(++this.writes);
    this.files.set(name, bytes.slice());
  };
  remove = async (name: string) => void this.files.delete(name);
}
