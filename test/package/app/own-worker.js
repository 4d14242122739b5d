// What a page serves whose policy forbids workers from blobs.
import 'wasmgrad/worker';
