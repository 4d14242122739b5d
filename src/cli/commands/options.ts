/** Options that several commands have. */
export const seed = {
  type: 'string',
  valueHint: 'number',
  default: '0',
  description: 'Decides everything that is random. The same seed gives the same model to the last bit.',
} as const;

export const threads = {
  type: 'string',
  valueHint: 'count',
  default: 'auto',
  description: 'How many threads compute. The result is the same with any number.',
} as const;

export const json = {
  type: 'boolean',
  default: false,
  description: 'For programs: one JSON object a line, and nothing else, on standard output.',
} as const;

export const model = {
  type: 'string',
  valueHint: 'file',
  required: true,
  description: 'The model: a .safetensors file that "wasmgrad train" or "wasmgrad demo" has saved.',
} as const;
